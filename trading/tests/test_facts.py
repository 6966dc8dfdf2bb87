"""What the judgement knows of an asset beside its bars, out of the snapshots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from ingestion.models import OpenInterest
from tokens.bar_grid import empty
from tokens.models import Source, Token, TokenSnapshot
from trading import facts
from trading.context import Facts

pytestmark = pytest.mark.django_db

MARK = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def told(**seen: Any) -> Facts:
    """Of the bar that ends at the mark, a minute after a snapshot with these figures."""
    token = Token.objects.create(address="A" * 44, status="Active", created_at=MARK - timedelta(days=1))
    TokenSnapshot.objects.create(token=token, ts=MARK - timedelta(minutes=1), **seen)
    of = facts.assets()
    known, _ = facts.known(empty(60, int(MARK.timestamp()) - 120, 2, of.pks), of, 1)
    assert known.at_points is not None
    return known.at_points(np.array([1]), np.array([0]))


def test_wallets_are_held_against_the_trades_of_the_same_reading() -> None:
    found = told(source=Source.BIRDEYE, tx_count_5m=400, unique_wallets_5m=12)
    assert (found.wallets[0], found.trades[0]) == (12, 400)


@pytest.mark.parametrize("source", [Source.POOLS, Source.POOLS_BIRDEYE])
def test_trades_of_another_moment_say_nothing_about_wallets(source: Source) -> None:
    found = told(source=source, tx_count_5m=400, unique_wallets_5m=12)
    assert np.isnan([found.wallets[0], found.trades[0]]).all()


def test_an_hours_volume_is_that_part_of_a_day() -> None:
    found = told(source=Source.POOLS, volume_1h=1000.0, liquidity=5e4)
    assert (found.volume_24h[0], found.liquidity[0]) == (24_000, 5e4)
    assert not found.may_be_short[0]


def interest(*read: tuple[timedelta, float]) -> list[float]:
    """What the filter is told at the mark, a quarter of an hour later and half an hour later, of readings some time before the mark."""
    token = Token.objects.create(address="BTCUSDT", chain="binance", status="Active", created_at=MARK - timedelta(days=1))
    OpenInterest.objects.bulk_create(OpenInterest(token=token, ts=MARK - before, usd=usd) for before, usd in read)
    of = facts.assets()
    known, _ = facts.known(empty(60, int(MARK.timestamp()) - 120, 32, of.pks), of, 1)
    assert [row for row, _ in known.facts] == [1, 16, 31]
    assert all(told.has_futures[0] == (told.open_interest[0] == told.open_interest[0]) for _, told in known.facts)
    return [float(told.open_interest[0]) for _, told in known.facts]


def test_open_interest_is_the_newest_that_had_been_read() -> None:
    assert interest((timedelta(minutes=6), 1e6), (timedelta(minutes=1), 2e6), (-timedelta(seconds=1), 3e6))[:2] == [2e6, 3e6]


def test_open_interest_that_nobody_has_read_of_late_is_unknown() -> None:
    assert np.isnan(interest((timedelta(minutes=15), 1e6), (-timedelta(minutes=14), 2e6))).tolist() == [True, False, True]


def test_a_moment_alone_is_told_what_it_is_told_among_others() -> None:
    token = Token.objects.create(address="BTCUSDT", chain="binance", status="Active", created_at=MARK - timedelta(days=1))
    for before in (facts.FRESH_AT_MARK, facts.INTEREST_FRESH_AT_MARK):  # neither is fresh any more, whether or not it is read
        TokenSnapshot.objects.create(token=token, ts=MARK - before, source="binance", liquidity=1e6)
        OpenInterest.objects.create(token=token, ts=MARK - before - timedelta(minutes=15), usd=1e6)
    ends = np.array([MARK.timestamp() - 900, MARK.timestamp(), MARK.timestamp() + 900], dtype=np.int64)
    together = facts.marked(np.array([token.pk]), ends)
    for place, end in enumerate(ends):
        alone = facts.marked(np.array([token.pk]), np.array([end]))
        for name in ("liquidity", "open_interest"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(together, name)[place])
