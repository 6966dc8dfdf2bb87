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
from trading.tiles import turn
from trading.triggers.firing import Firing, places_of

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
        level = newest(extreme, turned, reach)
        near = places_of(np.abs(grid.close - level) <= within)
        arrives = np.abs(before[near] - level[near]) > within[near]
        there = near[0][arrives], near[1][arrives]
        distance[there] = np.minimum(distance[there], np.abs(grid.close[there] - level[there]))
    places = places_of(np.isfinite(distance) & np.asarray(thresholds.near_level_on))
    share = distance[places] / grid.close[places]
    nearness = np.where(within[places] > 0, distance[places] / np.where(within[places] > 0, within[places], 1.0), 0.0)
    return Firing(places, np.zeros(len(share)), share, 1.0 - nearness / 2.0)


def newest(values: Numbers, marked: Flags, ago: int = 0) -> Numbers:
    """At each row the value `ago` rows before the newest marked row, its own among them, of the last LONGEST_LEVEL."""
    length, width = values.shape
    cells = np.flatnonzero(marked.T)  # token by token, in the order of time
    columns, rows = np.divmod(cells, max(length, 1))
    span = np.diff(cells, append=width * length)
    lasting = np.minimum(np.minimum(span, length - rows), LONGEST_LEVEL)  # not into the next token
    levels = np.full((len(cells), 2), np.nan)
    levels[:, 0] = values[rows - ago, columns]
    spans = np.stack([lasting, span - lasting], axis=1)
    begun = int(cells[0]) if len(cells) else width * length
    lanes = np.concatenate([np.full(begun, np.nan), np.repeat(levels.ravel(), spans.ravel())])
    found = np.empty(values.shape)
    turn(lanes.reshape(width, length), found)
    return found
