"""Candles of one token of the make-believe market, as Birdeye's OHLCV tells them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ingestion.simulator.clock import MarketClock
from ingestion.simulator.market import Market

LOOKS = 7  # of a candle: at both ends and between
MOST = 5000
UNITS = ((1000, 60), (2000, 90), (MOST, 120))  # fewer candles than → compute units
LENGTHS = {
    **{f"{n}s": n for n in (1, 15, 30)},
    **{f"{n}m": 60 * n for n in (1, 3, 5, 15, 30)},
    **{f"{n}H": 3600 * n for n in (1, 2, 4, 6, 8, 12)},
    "1D": 86_400,
    "3D": 259_200,
    "1W": 604_800,
}


class Wrong(Exception):
    """The argument at fault."""


def asked(query: Mapping[str, str]) -> tuple[int, float, float]:
    """Length of a candle, and from when to when, in seconds; Wrong where one of them cannot be read. The type is case-sensitive."""
    if query.get("type") not in LENGTHS:
        raise Wrong("type")
    moments = []
    for name in ("time_from", "time_to"):
        text = query.get(name, "")
        if not (text.isascii() and text.isdecimal() and len(text) <= 10):
            raise Wrong(name)
        moments.append(float(text))
    return LENGTHS[query["type"]], moments[0], moments[1]


def units(count: int) -> int:
    return next((price for below, price in UNITS if count < below), UNITS[-1][1])


def candles(market: Market, clock: MarketClock, row: int, length: int, since: float, until: float) -> list[dict[str, Any]]:
    """Those that begin from `since` on and by `until`, told on our clock; none for a time without a trade, or before the migration.

    As all windows on the wire a candle has the amounts of so many seconds of the market, however fast that runs; its prices are those of
    the whole time it stands for. Candles of the time before the start are as fast as those after it: else the first minutes of a fast
    market would look like an outbreak.
    """
    now, born = clock.now(), float(market.tokens.born[row])
    until = min(until, clock.clock_of(now))
    first = max(math.ceil(since / length), math.floor(clock.clock_of(born) / length))
    opened = length * np.arange(first, min(math.floor(until / length), first + MOST - 1) + 1, dtype=np.float64)
    if not len(opened):
        return []
    begins, ends = (np.clip([clock.moment(at) for at in edge.tolist()], born, now) for edge in (opened, opened + length))
    looks = begins[:, None] + (ends - begins)[:, None] * np.linspace(0.0, 1.0, LOOKS)[None, :]
    prices = np.exp(market.log_price(np.array([row]), (looks.reshape(1, -1) - born) / 60)).reshape(looks.shape)
    trades = market.trades(np.array([row]), now, now - float(begins[0]) + 60)
    told = []
    for at, begin, end, price in zip(opened.tolist(), begins.tolist(), ends.tolist(), prices, strict=True):
        sums = trades.window(end, end - begin) if end > begin else None
        if sums is None or not sums.trades[0]:
            continue
        part = min(1.0, length / (end - begin))
        shares = {"v": float(sums.buys_units[0] + sums.sells_units[0]) * part, "v_usd": float(sums.usd[0]) * part}
        told.append(
            {
                "o": float(price[0]),
                "h": float(price.max()),
                "l": float(price.min()),
                "c": float(price[-1]),
                **shares,
                "unix_time": int(at),
            }
        )
    return told
