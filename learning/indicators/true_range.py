"""How far a price moves in a bar, and whether its moves have a direction: true range, ATR, ADX with +DI and −DI (Wilder)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.indicators.gaps import over_present_bars
from learning.indicators.smoothing import Average, remembered, seeded
from learning.indicators.windows import at_least_one

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

FLAT = 1e-12  # of the price: moves that have faded to less are no moves


def true_range(high: Numbers, low: Numbers, close: Numbers) -> Numbers:
    """The bar's range, stretched to the close of the bar before it. NaN at a token's first bar."""
    return over_present_bars(lambda *packed: (true_range_of_present(*packed),), high, low, close)[0]


def atr(high: Numbers, low: Numbers, close: Numbers, length: int = 14) -> Numbers:
    """Wilder's average of the true range, first known at bar `length` + 1. 0 for a price that stands still."""
    at_least_one(length)
    return over_present_bars(lambda *packed: (seeded(true_range_of_present(*packed), length, 1.0 / length, begin=1),), high, low, close)[0]


def adx(high: Numbers, low: Numbers, close: Numbers, length: int = 14) -> Numbers:
    """Average directional index, first known at bar 2 · `length`. NaN while nothing has moved in a direction (TA-Lib says 0)."""
    at_least_one(length - 1)
    return over_present_bars(lambda *packed: (_adx(*packed, length=length),), high, low, close)[0]


def directional(high: Numbers, low: Numbers, close: Numbers, length: int = 14) -> tuple[Numbers, Numbers]:
    """+DI and −DI, first known at bar `length` + 1. NaN while nothing has moved (TA-Lib says 0)."""
    at_least_one(length - 1)
    plus, minus = over_present_bars(lambda *packed: _directional(*packed, length=length), high, low, close)
    return plus, minus


def true_range_of_present(high: Numbers, low: Numbers, close: Numbers, out: Numbers | None = None, spare: Numbers | None = None) -> Numbers:
    widest = np.empty(close.shape) if out is None else out
    widest[:1] = np.nan
    before = close[:-1]
    np.maximum(high[1:], before, out=widest[1:])
    widest[1:] -= np.minimum(low[1:], before, out=None if spare is None else spare[1:])
    return widest


def _directional(high: Numbers, low: Numbers, close: Numbers, *, length: int) -> tuple[Numbers, Numbers]:
    move, size = directed_moves(high, low, *np.empty((3, *high.shape)))
    moves = np.where(move > 0, size, 0.0), np.where(move < 0, size, 0.0), true_range_of_present(high, low, close)
    rising, falling, ranging = remembered([running_sum(each, length) for each in moves], length)
    return 100.0 * share_of(rising, ranging, close, length), 100.0 * share_of(falling, ranging, close, length)


def _adx(high: Numbers, low: Numbers, close: Numbers, *, length: int) -> Numbers:
    moves = directed_moves(high, low, *np.empty((3, *high.shape)))
    net, either = remembered([running_sum(each, length, into=each) for each in moves], length)
    return adx_of_sums(net, either, close, length)


def adx_of_sums(net: Numbers, either: Numbers, close: Numbers, length: int) -> Numbers:
    """From the running sums of the moves with their direction, and of their sizes. The true range stands in both +DI and −DI, and so it
    plays no part here. In place of the first."""
    strength = share_of(np.abs(net, out=net), either, close, length)
    unmoved = np.isnan(strength[length:]) if np.isnan(strength[length:].min(initial=0.0)) else None
    if unmoved is not None:
        strength[length:][unmoved] = 0.0
    index = seeded(strength, length, 1.0 / length, begin=length, into=strength)
    index *= 100.0
    if unmoved is not None:
        index[length:][unmoved] = np.nan
    return index


def directed_moves(high: Numbers, low: Numbers, move: Numbers, size: Numbers, spare: Numbers) -> tuple[Numbers, Numbers]:
    """By how much a bar's high rose, or its low fell (then with a minus), beyond the bar before: the greater of the two, and its size,
    written where they are given to lie. Neither counts if both are equal."""
    move[:1] = size[:1] = 0.0
    up, down = np.subtract(high[1:], high[:-1], out=move[1:]), np.subtract(low[:-1], low[1:], out=spare[1:])
    np.maximum(up, down, out=size[1:])
    np.maximum(size, 0.0, out=size)
    up -= down
    equal = up == 0
    if equal.any():
        np.copyto(size[1:], 0.0, where=equal)
    np.copysign(size[1:], up, out=up)
    return move, size


def running_sum(moves: Numbers, length: int, into: Numbers | None = None) -> Average:
    """Wilder's: the plain sum of the first `length` − 1 moves, from then on less a `length`-th of itself with each bar. First known at row
    `length`."""
    keep = 1.0 - 1.0 / length
    seed = keep * moves[1:length].sum(axis=0) + moves[length] if length < len(moves) else np.full(moves.shape[1:], np.nan)
    return Average(moves, seed, 1.0, keep, into)


def share_of(part: Numbers, whole: Numbers, close: Numbers, first: int) -> Numbers:
    """part / whole in place of the part, both known from row `first` on. NaN where the whole is nothing beside the price."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.divide(part, whole, out=part)
    nothing = whole[first:] <= FLAT * close[first:]
    if nothing.any():
        np.copyto(share[first:], np.nan, where=nothing)
    return share
