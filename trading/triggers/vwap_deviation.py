"""VWAP deviation: the price far from the mean price at which the volume of the last `vwap_window` rows was traded.

Far is both `vwap_atr` ATR and the share `vwap_least` of it: the first fits every asset's own pace, the second leaves out what would not
pay. Half of the rows must hold a bar with a known volume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.indicators import vwap
from tokens.bar_grid import Grid
from trading.market_state import MarketStates
from trading.thresholds import Thresholds
from trading.triggers.firing import Firing, limit_at, over_limit, places_of

if TYPE_CHECKING:
    pass


def firing(grid: Grid, thresholds: Thresholds, states: MarketStates) -> Firing:
    """The measure is the distance in ATR; above is +1, below −1."""
    window, atr = thresholds.vwap_window, states.atr
    middle = vwap(grid.high, grid.low, grid.close, grid.volume, window, (window + 1) // 2)
    distance = grid.close - middle
    size = np.abs(distance)
    far = (atr > 0) & (size >= thresholds.vwap_atr * atr) & (size >= thresholds.vwap_least * middle) & np.asarray(thresholds.vwap_on)
    places = places_of(far)
    in_atr = size[places] / atr[places]
    limit = limit_at(thresholds.vwap_atr, size.shape, places)
    return Firing(places, np.sign(distance[places]), in_atr, over_limit(in_atr, limit))
