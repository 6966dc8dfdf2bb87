"""RSI divergence: the price makes a higher peak than the one before and RSI (Wilder, 14) a lower one: bearish. The mirror image, a lower
trough with a higher RSI, is bullish.

Only confirmed peaks count: bars with `divergence_reach` lower ones on either side, so each is known that many bars later, and there the
trigger fires, once. The two peaks lie at most `divergence_span` bars apart; RSI was at least `divergence_rsi_high` at the older one (at a
trough at most 100 less it) and is weaker by at least `divergence_gap` points at the newer one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.indicators import swing_highs, swing_lows
from tokens.bar_grid import Grid
from trading.market_state import MarketStates
from trading.thresholds import Thresholds
from trading.triggers.firing import Firing, limit_at, over_limit, places_of

if TYPE_CHECKING:
    from trading.triggers.firing import Flags, Numbers, Places


def firing(grid: Grid, thresholds: Thresholds, states: MarketStates) -> Firing:
    """The measure is by how many points RSI is weaker."""
    reach, strength = thresholds.divergence_reach, states.rsi
    tops = _divergences(swing_highs(grid.high, reach), grid.high, strength, thresholds)
    bottoms = _divergences(swing_lows(grid.low, reach), -grid.low, 100.0 - strength, thresholds)
    rows, columns, gap = (np.concatenate([top, bottom]) for top, bottom in zip(tops, bottoms, strict=True))
    side = np.repeat([-1, 1], [len(tops[0]), len(bottoms[0])])
    limit = limit_at(thresholds.divergence_gap, grid.close.shape, (rows, columns))
    return Firing((rows, columns), side, gap, over_limit(gap, limit))


def _divergences(confirmed: Flags, extreme: Numbers, strength: Numbers, thresholds: Thresholds) -> tuple[Places, Places, Numbers]:
    """Rows and columns at which the newer peak of a pair is confirmed, and how much weaker it is."""
    columns, rows = places_of(confirmed.T)  # token by token, in the order of time
    same = columns[1:] == columns[:-1]
    column, row = columns[1:][same], rows[1:][same]
    newer, older = row - thresholds.divergence_reach, rows[:-1][same] - thresholds.divergence_reach
    gap = strength[older, column] - strength[newer, column]
    places = row, column
    fits = (newer - older <= thresholds.divergence_span) & (extreme[newer, column] > extreme[older, column])
    fits &= gap >= limit_at(thresholds.divergence_gap, confirmed.shape, places)
    fits &= strength[older, column] >= limit_at(thresholds.divergence_rsi_high, confirmed.shape, places)
    fits &= np.asarray(limit_at(thresholds.divergence_on, confirmed.shape, places))
    return row[fits], column[fits], gap[fits]
