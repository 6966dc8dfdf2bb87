"""Volatility spike: a bar far wider than those before it.

Its true range over the mean true range of the `volatility_window` rows before it, half of which must hold a bar. A bar after a gap is
not asked: its range would be that of the whole gap.
"""

from __future__ import annotations

import numpy as np

from learning.indicators import rolling_mean, shifted
from tokens.bar_grid import Grid
from trading.market_state import MarketStates
from trading.thresholds import Thresholds
from trading.triggers.firing import Firing, limit_at, over_limit, places_of, side_of_bar


def firing(grid: Grid, thresholds: Thresholds, states: MarketStates) -> Firing:
    """The measure is the ratio."""
    window = thresholds.volatility_window
    of_bar = np.where(np.isnan(shifted(grid.close)), np.nan, states.true_range)
    usual = shifted(rolling_mean(of_bar, window, (window + 1) // 2))
    wide = (usual > 0) & (of_bar >= thresholds.volatility_ratio * usual) & np.asarray(thresholds.volatility_on)
    places = places_of(wide)
    ratio = of_bar[places] / usual[places]
    limit = limit_at(thresholds.volatility_ratio, of_bar.shape, places)
    return Firing(places, side_of_bar(grid, places), ratio, over_limit(ratio, limit))
