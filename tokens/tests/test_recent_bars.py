"""Bars read once: at every moment the same as all of them read again."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tokens.bar_grid import AMOUNTS, PRICES, Grid
from tokens.bars import read_grid, write
from tokens.models import Bar, BarSource, Token
from tokens.recent_bars import SETTLED_SEC, RecentBars

pytestmark = pytest.mark.django_db

BEGIN = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
BARS = 30


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def tokens(number: int) -> list[int]:
    return [Token.objects.create(address=f"{n:044d}", status="Active").pk for n in range(number)]


def bar(token: int, minute: int, late_sec: float = 1.0, interval: str = "1m") -> None:
    row = {"token": np.array([float(token)]), "open_time": np.array([BEGIN.timestamp() + 60 * minute])}
    row |= {name: np.array([1.0 + minute + token / 100]) for name in (*PRICES, *AMOUNTS)}
    write(row, interval, BarSource.SNAPSHOTS, BEGIN + timedelta(minutes=minute + 1, seconds=late_sec))


def same(one: Grid, other: Grid) -> bool:
    equal = all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in (*PRICES, *AMOUNTS))
    return equal and np.array_equal(one.open_time, other.open_time) and np.array_equal(one.tokens, other.tokens)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_comes_and_goes_it_is_what_the_table_says(seed: int) -> None:
    chance, clock, every = np.random.default_rng(seed), Clock(), tokens(5)
    recent = RecentBars(clock)
    for minute in range(60):
        clock.now += float(chance.choice([15, 60, 60, 500]))
        for token in every:
            if chance.random() < 0.8:
                bar(token, minute)
            if chance.random() < 0.1:  # what fills a gap later, or a past that is brought along
                bar(token, int(chance.integers(max(0, minute - 40), minute + 3)), late_sec=float(chance.choice([5, 4000])))
        if minute == 45:
            Bar.objects.filter(open_time__lt=BEGIN + timedelta(minutes=30)).delete()
        wanted = [token for token in every if chance.random() < 0.8]
        until = BEGIN + timedelta(minutes=minute + 1)
        assert same(recent.grid("1m", wanted, until, BARS), read_grid("1m", wanted, until, BARS, as_it_was=True)), minute


def test_a_row_that_appears_after_one_with_a_higher_key_is_seen() -> None:
    clock, (one, other) = Clock(), tokens(2)
    recent = RecentBars(clock)
    bar(one, 0)  # stored at the same time as everything else: none of it has settled
    key = Bar.objects.get().pk
    Bar.objects.update(id=key + 10)
    until = BEGIN + timedelta(minutes=3)
    recent.grid("1m", [one, other], until, BARS)
    clock.now += SETTLED_SEC - 1
    bar(other, 1)
    Bar.objects.filter(token=other).update(id=key + 5)
    clock.now += 2
    assert not np.isnan(recent.grid("1m", [one, other], until, BARS).close[:, 1]).all()


def test_what_is_settled_is_not_read_again() -> None:
    clock, pks = Clock(), tokens(3)
    recent = RecentBars(clock)
    for minute in range(BARS):
        for token in pks:
            bar(token, minute)
    until = BEGIN + timedelta(minutes=BARS)
    for _ in range(2):
        recent.grid("1m", pks, until, BARS)
        clock.now += SETTLED_SEC
    recent.grid("1m", pks, until, BARS)
    with CaptureQueriesContext(connection) as queries:
        again = recent.grid("1m", pks, until, BARS)
    assert len(queries) == 2  # the oldest bar, and the keys above the settled ones
    assert f"b.id > {Bar.objects.order_by('-pk').values_list('pk', flat=True)[0]}" in queries.captured_queries[-1]["sql"]
    assert not np.isnan(again.close).any()


def test_another_length_of_bar_is_another_matter() -> None:
    recent, (token,) = RecentBars(), tokens(1)
    bar(token, 0)
    bar(token, 0, interval="5m")
    found = recent.grid("5m", [token], BEGIN + timedelta(minutes=10), 2)
    assert np.isnan(found.close).ravel().tolist() == [False, True]
    assert len(recent.grid("1m", [], BEGIN, 3).tokens) == 0
