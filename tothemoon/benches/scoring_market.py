"""A day of tokens as the question of a tick gives them: figures with their moments, and the holder counts on either side of an hour ago.

It has what a day has: polls that come some seconds early or late, tokens that Birdeye says nothing of, answers without a window, figures
that are returned once more, hours without a trade, five minutes that hold more than their hour, holders that are known since an hour only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Columns = dict[str, Numbers]

INTERVAL_SEC, BEGIN = 30.0, 1_700_000_000.0
WITHOUT_BIRDEYE, WITHOUT_WINDOW, ONCE_MORE, QUIET = 0.1, 0.02, 0.01, 0.01
BY_BIRDEYE = ("birdeye_at", "holders", "buys_volume_5m", "sells_volume_5m", "earlier_holders", "earlier_at", "later_holders", "later_at")


def market(ticks: int, tokens: int) -> Columns:
    """The columns of `scoring.run`, one row a snapshot, tick after tick with all tokens in each; moments are whole milliseconds."""
    chance = np.random.default_rng(7)
    shape = ticks, tokens
    ts = BEGIN + np.arange(ticks)[:, None] * INTERVAL_SEC + np.round(chance.uniform(0, 3, shape), 3)
    trades = np.maximum(1.0, np.floor(60 * np.exp(0.4 * chance.standard_normal(shape))))
    volume, buys = trades * (20 + 30 * chance.random(shape)), np.floor(trades * chance.random(shape))
    holders = np.maximum(50.0, 500 + np.cumsum(chance.integers(-3, 4, shape), axis=0))
    bought, read_at = volume * chance.random(shape), ts - np.round(chance.uniform(0, 9, shape), 3)
    found = {
        "created_at": np.broadcast_to(BEGIN - chance.uniform(3600, 90_000, tokens).round(3), shape).copy(),
        "ts": ts, "birdeye_at": read_at, "last_trade_at": ts - np.round(chance.uniform(0, 30, shape), 3), "liquidity": volume * 9,
        "tx_count_5m": trades, "tx_count_1h": np.floor(trades * (0.9 + 13 * chance.random(shape))), "volume_5m": volume,
        "volume_1h": volume * (0.9 + 13 * chance.random(shape)), "holders": holders, "buys_5m": buys, "sells_5m": trades - buys,
        "buys_volume_5m": bought, "sells_volume_5m": volume - bought, "same_source": np.ones(shape),
        "earlier_holders": _an_hour_before(holders, 121), "earlier_at": _an_hour_before(read_at, 121),
        "later_holders": _an_hour_before(holders, 119), "later_at": _an_hour_before(read_at, 119),
    }  # fmt: skip
    _spoil(found, chance)
    return {name: column.reshape(-1) for name, column in found.items()}


def _an_hour_before(column: Numbers, ticks: int) -> Numbers:
    before = np.full(column.shape, np.nan)
    before[ticks:] = column[:-ticks]
    return before


def _spoil(columns: Columns, chance: np.random.Generator) -> None:
    shape = columns["ts"].shape
    unknown = chance.random(shape[1]) < WITHOUT_BIRDEYE
    for name in BY_BIRDEYE:
        columns[name][:, unknown] = np.nan
    columns["same_source"][:, unknown] = 0.0
    for name in ("tx_count_5m", "volume_1h", "holders", "sells_volume_5m"):
        columns[name][chance.random(shape) < WITHOUT_WINDOW] = np.nan
    columns["last_trade_at"][chance.random(shape) < ONCE_MORE] -= 2000.0
    quiet = chance.random(shape) < QUIET
    for name in ("tx_count_5m", "tx_count_1h", "volume_5m", "volume_1h", "buys_5m", "sells_5m", "buys_volume_5m", "sells_volume_5m"):
        columns[name][quiet] = 0.0
