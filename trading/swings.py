"""Turning points of a price: highs and lows that later bars have confirmed. A turn that could still be undone is none yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.indicators.windows import spanned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int16]

NOWHERE = np.int16(-1)
RECENT = 32  # times the order: the rows looked at first


def newest_highs(high: Numbers, order: int, count: int, gapless: bool = False) -> Places:
    """(count, n) places of the newest confirmed swing highs, the newest first, NOWHERE when there are fewer.

    A swing high is above every bar among the `order` before it and not below any of the `order` after it; of a flat top the first bar
    counts. Rows of the clock must have passed on both sides, and each side must hold a bar: a gap confirms nothing. `gapless`: the caller
    knows that there is none.
    """
    return _newest_first(high, order, count, (np.maximum, np.greater, -np.inf), gapless)


def newest_lows(low: Numbers, order: int, count: int, gapless: bool = False) -> Places:
    """As `newest_highs`, upside down."""
    return _newest_first(low, order, count, (np.minimum, np.less, np.inf), gapless)


def _newest_first(values: Numbers, order: int, count: int, way: tuple[np.ufunc, np.ufunc, float], gapless: bool) -> Places:
    """Most find all they look for in the newest rows; only the others are looked at whole."""
    earlier = max(0, len(values) - RECENT * order)
    found = _newest(_turned(values[earlier:], order, *way, gapless), order, count)
    if not earlier:
        return found
    found[found >= 0] += np.int16(earlier)
    short = np.flatnonzero(found[-1] < 0)
    if len(short):
        found[:, short] = _newest(_turned(values[:, short], order, *way, gapless), order, count)
    return found


def _turned(values: Numbers, order: int, join: np.ufunc, beyond: np.ufunc, nothing: float, gapless: bool) -> NDArray[np.bool_]:
    """(rows − 2 · order, n): whether the bar is beyond those before it, and those after it are not beyond the bar. `nothing` is what a gap
    counts as."""
    if len(values) <= 2 * order:
        return np.zeros((0, values.shape[1]), dtype=np.bool_)
    gaps = not gapless and bool(np.isnan(values.min(initial=np.inf)))
    filled = np.where(np.isnan(values), nothing, values) if gaps else values
    beside = spanned(filled, order, join)  # the farthest of `order` rows, the newest among them
    middle, before, after = filled[order:-order], beside[order - 1 : -order - 1], beside[2 * order :]
    turned: NDArray[np.bool_] = beyond(middle, before)
    turned &= ~beyond(after, middle)
    if gaps:
        turned &= (before != nothing) & (after != nothing)
    return turned


def _newest(turned: NDArray[np.bool_], order: int, count: int) -> Places:
    if not len(turned):
        return np.full((count, turned.shape[1]), NOWHERE)
    place = turned * np.arange(1, len(turned) + 1, dtype=np.int16)[:, None]  # counted from 1, for 0 is none
    found, every = np.empty((count, turned.shape[1]), dtype=np.int16), np.arange(turned.shape[1])
    for turn in range(count):
        newest = place.max(axis=0)
        found[turn] = np.where(newest > 0, newest + np.int16(order - 1), NOWHERE)
        place[newest - 1, every] = 0  # where there is none, of the last row, which is then empty too
    return found


def at(values: Numbers, places: Places) -> Numbers:
    """(count, n) values at those places, NaN at NOWHERE."""
    return np.where(places >= 0, values[np.maximum(places, 0), np.arange(values.shape[1])], np.nan)
