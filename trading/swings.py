"""Turning points of a price: highs and lows that later bars have confirmed. A turn that could still be undone is none yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.indicators.windows import gathered, joined_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int16]

NOWHERE = np.int16(-1)


def newest_highs(high: Numbers, order: int, count: int) -> Places:
    """(count, n) places of the newest confirmed swing highs, the newest first, NOWHERE when there are fewer.

    A swing high is above every bar among the `order` before it and not below any of the `order` after it; of a flat top the first bar
    counts. Rows of the clock must have passed on both sides, and each side must hold a bar: a gap confirms nothing.
    """
    if len(high) <= 2 * order:
        return np.full((count, high.shape[1]), NOWHERE)
    filled = np.fmax(high, -np.inf)
    beside = gathered(filled, order, joined_by(np.maximum))  # the highest of `order` rows, the newest among them
    middle, before, after = filled[order:-order], beside[order - 1 : -order - 1], beside[2 * order :]
    turned = (middle > before) & (middle >= after) & (before > -np.inf) & (after > -np.inf)
    return _newest(turned, order, count)


def newest_lows(low: Numbers, order: int, count: int) -> Places:
    """As `newest_highs`, upside down."""
    return newest_highs(-low, order, count)


def _newest(turned: NDArray[np.bool_], order: int, count: int) -> Places:
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
