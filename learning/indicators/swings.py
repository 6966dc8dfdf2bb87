"""Swing highs and lows: turning points, each known only once the bars after it have been seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.indicators.windows import rolling_max, shifted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]


def swing_highs(high: Numbers, reach: int) -> Flags:
    """True at row r where the bar `reach` rows before r is a swing high: above the `reach` rows before it, and not below the `reach` rows
    after it, the last of which is r. All of those bars must be there. Of a plateau the first bar counts."""
    after = rolling_max(high, reach)
    before = shifted(after, reach + 1)
    turning = shifted(high, reach)
    return np.asarray((turning > before) & (turning >= after))


def swing_lows(low: Numbers, reach: int) -> Flags:
    """The same upside down."""
    return swing_highs(-low, reach)
