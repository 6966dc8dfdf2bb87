"""Who predicts, who speaks: one champion, four places, and every refusal with a reason."""

from datetime import datetime
from typing import Any

import pytest

from learning import registry
from learning.models import ModelVersion
from learning.registry import NotNow

pytestmark = pytest.mark.django_db


def made(now: datetime, number: int = 1, file: str = "x.skops") -> Any:
    return registry.register("small", number, 1_760_000_000, 1_760_900_000, now, file=file, file_hash="0" * 64)


def test_a_new_model_is_a_challenger_at_the_first_free_place_and_the_fifth_finds_none(now: datetime) -> None:
    assert [(row.role, row.place) for row in (made(now, number) for number in range(1, 5))] == [("challenger", place) for place in range(4)]
    with pytest.raises(NotNow, match="all 4 places are taken"):
        made(now, 5)
    registry.retire(ModelVersion.objects.get(number=2).pk, "no use", now)
    assert made(now, 5).place == 1


def test_one_that_was_refused_takes_no_place_and_is_never_asked(now: datetime) -> None:
    rows = [made(now, number, file="") for number in range(1, 7)]
    assert {row.role for row in rows} == {"refused"}
    assert not registry.in_service().exists()
    assert registry.free_place() == 0
    for row in rows[:1]:
        with pytest.raises(NotNow):
            registry.promote(row.pk)
        with pytest.raises(NotNow):
            registry.retire(row.pk, "why", now)


def test_there_is_one_champion_and_the_one_before_goes_on_as_a_challenger_at_its_own_place(now: datetime) -> None:
    first, second = made(now, 1), made(now, 2)
    registry.promote(first.pk)
    registry.promote(second.pk)
    assert list(registry.in_service().values_list("number", "role", "place")) == [(1, "challenger", 0), (2, "champion", 1)]
    with pytest.raises(NotNow, match="is champion"):
        registry.promote(second.pk)


def test_one_that_was_stopped_keeps_its_place_is_asked_no_more_and_can_be_resumed(now: datetime) -> None:
    row = made(now)
    assert registry.stop(row.pk, "worse than its baseline", now)
    assert not registry.stop(row.pk, "another reason", now)
    assert not registry.in_service().exists()
    assert registry.free_place() == 1
    with pytest.raises(NotNow, match="stopped"):
        registry.promote(row.pk)
    row.refresh_from_db()
    assert (row.stopped_at, row.stopped_why) == (now, "worse than its baseline")
    assert registry.resume(row.pk).stopped_why == ""
    with pytest.raises(NotNow, match="not stopped"):
        registry.resume(row.pk)


def test_a_long_reason_is_cut_and_stored_all_the_same(now: datetime) -> None:
    row = made(now)
    registry.retire(row.pk, "because " * 100, now)
    row.refresh_from_db()
    assert (row.role, len(row.stopped_why)) == ("retired", 300)


def test_numbers_of_a_name_go_on_where_they_ended(now: datetime) -> None:
    assert registry.next_number("small") == 1
    made(now, 7)
    assert (registry.next_number("small"), registry.next_number("other")) == (8, 1)
