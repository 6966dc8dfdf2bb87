"""Swing highs and lows: turning points, each known only once the bars after it have been seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.indicators.windows import rolling_max

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]


def swing_highs(high: Numbers, reach: int) -> Flags:
    """True at row r where the bar `reach` rows before r is a swing high: above the `reach` rows before it, and not below the `reach` rows
    after it, the last of which is r. All of those bars must be there. Of a plateau the first bar counts."""
    after, found = rolling_max(high, reach), np.zeros(high.shape, dtype=np.bool_)
    turning = high[reach:-reach]  # none, where there are too few bars for one
    found[2 * reach :] = (turning > after[reach - 1 : -reach - 1]) & (turning >= after[2 * reach :])
    return found


def swing_lows(low: Numbers, reach: int) -> Flags:
    """The same upside down."""
    return swing_highs(-low, reach)
