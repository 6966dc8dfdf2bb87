"""What the judgement knows of an asset beside its bars, out of the snapshots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

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
