"""Near a level: the price arrives at its newest swing high or swing low.

A swing counts once the `near_level_reach` bars after it have been seen, and for LONGEST_LEVEL bars. Near is within
clamp(near_level_atr · ATR, near_level_least, near_level_most of the price). It fires at the bar that arrives, not while the price stays.
Whether a level will hold or break is not known there: direction 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.indicators import shifted, swing_highs, swing_lows
from tokens.bar_grid import Grid
from trading.market_state import MarketStates
from trading.thresholds import LONGEST_LEVEL, Thresholds
from trading.triggers.firing import Firing

if TYPE_CHECKING:
    from trading.triggers.firing import Flags, Numbers


def firing(grid: Grid, thresholds: Thresholds, states: MarketStates) -> Firing:
    """The measure is the distance as a share of the price. At the level itself the strength is 1, at the edge 0.5."""
    reach = thresholds.near_level_reach
    within = np.clip(
        thresholds.near_level_atr * states.atr, thresholds.near_level_least * grid.close, thresholds.near_level_most * grid.close
    )
    before = shifted(grid.close)
    distance = np.full(grid.close.shape, np.inf)
    for extreme, turned in ((grid.high, swing_highs(grid.high, reach)), (grid.low, swing_lows(grid.low, reach))):
        level = newest(shifted(extreme, reach), turned)
        away = np.abs(grid.close - level)
        arrives = (away <= within) & (np.abs(before - level) > within)
        distance = np.where(arrives & (away < distance), away, distance)
    on = np.isfinite(distance) & np.asarray(thresholds.near_level_on)
    places = np.nonzero(on)
    share = distance[places] / grid.close[places]
    nearness = np.where(within[places] > 0, distance[places] / np.where(within[places] > 0, within[places], 1.0), 0.0)
    return Firing(places, np.zeros(len(share)), share, 1.0 - nearness / 2.0)


def newest(values: Numbers, marked: Flags) -> Numbers:
    """At each row the value at the newest marked row, its own among them, of the last LONGEST_LEVEL."""
    rows = np.arange(len(values))[:, None]
    latest = np.maximum.accumulate(np.where(marked, rows, -1), axis=0)
    known = (latest >= 0) & (rows - latest < LONGEST_LEVEL)
    return np.where(known, np.take_along_axis(values, np.maximum(latest, 0), axis=0), np.nan)
