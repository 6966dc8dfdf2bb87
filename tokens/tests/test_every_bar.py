"""All bars read once: at every moment the same as all of them read again."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tokens.bars import rows_of
from tokens.every_bar import AHEAD_SEC, EveryBar, stored_minutes
from tokens.models import Bar
from tokens.recent_bars import SETTLED_SEC
from tokens.tests.test_recent_bars import BEGIN, Clock, bar, same, tokens

pytestmark = pytest.mark.django_db

WINDOW = timedelta(minutes=30)


def asked(every: EveryBar, until: datetime, known_by: datetime) -> list[float]:
    return sorted(rows_of(every.minutes(until - WINDOW, until, known_by))["close"].tolist())


@pytest.mark.parametrize("seed", range(6))
def test_whatever_comes_it_is_what_the_table_says(seed: int) -> None:
    """Bars in time, late ones, pasts brought along, new tokens, questions about an earlier moment, and a time without any question."""
    chance, clock, some = np.random.default_rng(seed), Clock(), tokens(7)
    every = EveryBar(clock)
    for minute in range(200):
        clock.now += float(chance.choice([15, 60, 60, 500]))
        for token in some[: 3 + minute // 40] if minute < 150 else some[4:]:
            if chance.random() < 0.8:
                bar(token, minute)
            if chance.random() < 0.1:
                bar(token, int(chance.integers(max(0, minute - 40), minute + 3)), late_sec=float(chance.choice([5, 4000])))
        until = BEGIN + timedelta(minutes=minute + 1 - int(chance.choice([0, 0, 0, 2, 25])))
        known_by = until + timedelta(seconds=float(chance.choice([0, 10, 9000])))
        if chance.random() < 0.3:
            every.keep_up()
        if chance.random() < 0.7:
            assert same(every.minutes(until - WINDOW, until, known_by), stored_minutes(until - WINDOW, until, known_by)), minute


def test_between_two_questions_it_keeps_up_and_reads_nothing_that_nobody_asked_for() -> None:
    clock, (token,) = Clock(), tokens(1)
    every, until = EveryBar(clock), BEGIN + timedelta(minutes=30)
    with CaptureQueriesContext(connection) as queries:
        every.keep_up()
        asked(every, until, until)
        every.keep_up()
    assert len(queries) == 1
    bar(token, 1)
    clock.now += SETTLED_SEC
    with CaptureQueriesContext(connection) as queries:
        every.keep_up()
        every.keep_up()
    assert len(queries) == 1


def test_a_bar_from_far_ahead_is_there_when_its_time_has_come() -> None:
    clock, (token,) = Clock(), tokens(1)
    every, until, ahead = EveryBar(clock), BEGIN + timedelta(minutes=10), timedelta(seconds=5 * AHEAD_SEC)
    bar(token, 5)
    bar(token, 5 + 5 * AHEAD_SEC // 60)
    assert len(asked(every, until, until + 2 * ahead)) == 1
    clock.now += 10 * SETTLED_SEC
    assert len(asked(every, until, until + 2 * ahead)) == 1
    assert len(asked(every, until + ahead, until + 2 * ahead)) == 1


def test_a_row_that_appears_late_under_a_low_key_is_found() -> None:
    clock, (token,) = Clock(), tokens(1)
    every, until = EveryBar(clock), BEGIN + timedelta(minutes=10)
    bar(token, 1)
    late = Bar.objects.get()
    bar(token, 2)
    late.delete()
    assert len(asked(every, until, until)) == 1
    clock.now += SETTLED_SEC - 1
    assert len(asked(every, until, until)) == 1
    Bar.objects.bulk_create([late])
    assert len(asked(every, until, until)) == 2


def test_what_has_settled_is_not_read_again() -> None:
    clock, (token,) = Clock(), tokens(1)
    every, until = EveryBar(clock), BEGIN + timedelta(minutes=10)
    for minute in range(5):
        bar(token, minute)
    for _ in range(2):
        asked(every, until, until)
        clock.now += SETTLED_SEC
    asked(every, until, until)
    newest = Bar.objects.latest("pk").pk
    if connection.vendor == "sqlite":
        with CaptureQueriesContext(connection) as queries:
            asked(every, until, until)
        assert len(queries) == 1
        assert f"b.id > {newest}" in queries[0]["sql"]
