"""Figures that cannot all be true, for all tokens at once. A flagged row is kept and shown, but it never promotes a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

LESS_THAN_A_CENT = 0.01
TINY_LIQUIDITY = 100.0
HUGE_PRICE = 1.0  # a pump.fun token has a supply of 10⁹: one dollar each would be a billion
JUMP_FACTOR = 100.0  # a rug does it downwards, raw units taken for scaled ones do it by powers of ten
JUMP_WITHIN_SEC = 3600.0
ROUNDING = 1e-6

Figures = Mapping[str, "Floats"]


def found_in(figures: Figures, price_before: Floats, seconds_since: Floats) -> list[str]:
    """For each token the names of the checks that its figures fail, separated by spaces; blank where all is well.

    `figures` has price, liquidity, tx_count_5m, tx_count_1h, volume_5m and volume_1h, NaN where unknown: what is unknown contradicts
    nothing. `price_before` is the price of the row before, `seconds_since` that row's age.
    """
    checks = {
        "trades_without_volume": _one_without_the_other(figures, "tx_count", "volume"),
        "volume_without_trades": _one_without_the_other(figures, "volume", "tx_count"),
        "dust_price": dust_price(figures["price"], figures["liquidity"]),
        "window_5m_over_1h": _short_window_over_long(figures),
        "price_jump": price_jump(figures["price"], price_before, seconds_since),
    }
    names = np.zeros(len(price_before), dtype=object)
    names[:] = ""
    for name, failed in checks.items():
        names[failed] += name + " "
    return [text.rstrip() for text in names.tolist()]


def _one_without_the_other(figures: Figures, present: str, absent: str) -> Flags:
    """In one of the windows `present` > 0 while `absent` is 0."""
    short = (figures[f"{present}_5m"] > 0) & (figures[f"{absent}_5m"] == 0)
    long = (figures[f"{present}_1h"] > 0) & (figures[f"{absent}_1h"] == 0)
    return np.asarray(short | long)


def dust_price(price: Floats, liquidity: Floats) -> Flags:
    """A price that nobody could trade at: no liquidity to speak of behind it."""
    return np.asarray((price > 0) & ((liquidity < LESS_THAN_A_CENT) | ((liquidity < TINY_LIQUIDITY) & (price >= HUGE_PRICE))))


def _short_window_over_long(figures: Figures) -> Flags:
    """The last five minutes are part of the last hour."""
    count = figures["tx_count_5m"] > figures["tx_count_1h"]
    volume = figures["volume_5m"] > figures["volume_1h"] * (1 + ROUNDING)
    return np.asarray(count | volume)


def price_jump(price: Floats, before: Floats, seconds_since: Floats) -> Flags:
    """The price is a hundred times, or a hundredth of, what it was within the last hour. Multiplied, not divided: zero is a price."""
    comparable = (price > 0) & (before > 0) & (seconds_since <= JUMP_WITHIN_SEC)
    return np.asarray(comparable & ((price > before * JUMP_FACTOR) | (price * JUMP_FACTOR < before)))
