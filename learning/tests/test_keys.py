"""Keys tell rows apart, keep their order, and give back what they were made of."""

from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning import keys

SECOND, TOKEN, SLOT = st.integers(0, keys.SECONDS - 1), st.integers(0, keys.TOKENS - 1), st.integers(0, keys.SLOTS - 1)
PART = st.tuples(SECOND, TOKEN, SLOT)


@given(PART)
def test_a_key_gives_back_what_it_was_made_of(parts: tuple[int, int, int]) -> None:
    made = keys.key(*parts)
    assert (keys.ts_of(made), keys.token_of(made), keys.slot_of(made)) == parts
    assert 0 <= made < 1 << 63


@given(PART, PART)
def test_keys_lie_in_the_order_of_time_then_token_then_slot(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    assert (keys.key(*one) < keys.key(*other)) == (one < other)


@given(st.lists(PART, min_size=1))
def test_an_array_of_keys_is_the_key_of_each(parts: list[tuple[int, int, int]]) -> None:
    seconds, tokens, slots = (np.array(column, dtype=np.int64) for column in zip(*parts, strict=True))
    made = keys.key(seconds, tokens, slots)
    assert made.tolist() == [keys.key(*each) for each in parts]
    assert keys.token_of(made).tolist() == tokens.tolist()
    assert keys.key(seconds, tokens, 3).tolist() == [keys.key(ts, token, 3) for ts, token, _ in parts]


@pytest.mark.parametrize("parts", [(-1, 0, 0), (keys.SECONDS, 0, 0), (0, -1, 0), (0, keys.TOKENS, 0), (0, 0, -1), (0, 0, keys.SLOTS)])
def test_what_no_key_has_room_for_is_refused(parts: tuple[int, int, int]) -> None:
    with pytest.raises(keys.OutOfRange):
        keys.key(*parts)
    with pytest.raises(keys.OutOfRange):
        keys.key(*(np.array([part]) for part in parts))


@given(SECOND, TOKEN, st.sampled_from([keys.OF_SIGNAL, keys.OF_PREDICTION]), st.integers(0, 3), st.integers(0, 3))
def test_an_outcome_leads_back_to_what_it_is_of(ts: int, token: int, kind: int, place: int, horizon: int) -> None:
    subject = keys.key(ts, token, place)
    outcome = keys.outcome_of(subject, kind, horizon)
    assert keys.subject_of(outcome) == subject
    assert keys.vector_of(outcome) == keys.vector_of(subject) == keys.key(ts, token, 0)
    assert keys.slot_of(outcome) == keys.outcome_slot(kind, place, horizon)


def test_no_two_outcomes_of_one_moment_share_a_slot() -> None:
    slots = {keys.outcome_slot(kind, place, horizon) for kind in (0, 1) for place in range(4) for horizon in range(4)}
    assert len(slots) == 2 * 4 * 4 == keys.SLOTS


@given(st.datetimes(datetime(1970, 1, 1), datetime(2500, 1, 1), timezones=st.just(UTC)))
def test_what_is_less_than_the_first_key_of_a_moment_lies_before_it(moment: datetime) -> None:
    first = keys.first_of(moment)
    assert keys.ts_of(first) >= moment.timestamp() > keys.ts_of(first) - 1


@given(st.dates(date(1970, 2, 1), date(2500, 1, 1)), TOKEN, SLOT)
def test_every_key_of_a_day_is_in_the_range_of_its_month(day: date, token: int, slot: int) -> None:
    first, beyond = keys.range_of_month(day)
    noon = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp())
    assert first <= keys.key(noon, token, slot) < beyond
    assert keys.range_of_month(datetime.fromtimestamp(keys.ts_of(beyond), UTC).date())[0] == beyond
    assert keys.range_of_month(datetime.fromtimestamp(keys.ts_of(first) - 1, UTC).date())[1] == first
