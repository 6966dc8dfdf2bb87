"""Breakout: a close beyond all of the last `breakout_window` rows, upwards or downwards, in three steps, each a trigger of its own.

    broken      the close is beyond the highest high (lowest low) of the rows before it, by `breakout_margin` ATR at least; the bar before
                was not. That high is the level
    confirmed   the next `breakout_confirm` bars all close beyond the level: fires at the last of them (with 0: at once)
    retested    within the next `breakout_retest_bars` a bar comes back to within `breakout_retest_reach` ATR of the level and closes beyond
                it: fires once. A close that far on the wrong side of it ends the waiting

Half of the rows before must hold a bar. A missing bar confirms nothing. Strength: 0.5 for a close 1 ATR beyond the level, 1 for 2 ATR.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from learning.indicators import rolling_max
from trading.triggers.firing import Firing, limit_at, over_limit, places_of

if TYPE_CHECKING:
    from tokens.bar_grid import Grid
    from trading.market_state import MarketStates
    from trading.thresholds import Thresholds
    from trading.triggers.firing import Flags, Numbers, Places


@dataclass(frozen=True, slots=True)
class _Side:
    """Prices as somebody sees them who looks upwards: for the way down they are turned over."""

    near: Numbers  # the bar's end that comes back to the level
    far: Numbers  # the end that made the level
    close: Numbers


@dataclass(frozen=True, slots=True)
class _Breaks:
    row: Places
    column: Places
    level: Numbers

    def some(self, chosen: Flags | Places) -> _Breaks:
        return _Breaks(self.row[chosen], self.column[chosen], self.level[chosen])

    def moved(self, rows: Places) -> _Breaks:
        return _Breaks(self.row + rows, self.column, self.level)


def firings(grid: Grid, thresholds: Thresholds, states: MarketStates) -> tuple[Firing, Firing, Firing]:
    """Broken, confirmed, retested. The measure is the distance of the close from the level, in ATR."""
    atr = states.atr
    sides = ((1, _Side(grid.low, grid.high, grid.close)), (-1, _Side(-grid.high, -grid.low, -grid.close)))
    steps = [(sign, side, _steps(side, thresholds, atr)) for sign, side in sides]
    broken, confirmed, retested = (
        _joined(grid.close.shape, [(sign, side, found[step]) for sign, side, found in steps], atr) for step in range(3)
    )
    return broken, confirmed, retested


def _steps(side: _Side, thresholds: Thresholds, atr: Numbers) -> tuple[_Breaks, _Breaks, _Breaks]:
    broken = _broken(side, thresholds, atr)
    confirmed = _confirmed(broken, side, thresholds.breakout_confirm)
    return broken, confirmed, _retested(confirmed, side, thresholds, atr)


def _broken(side: _Side, thresholds: Thresholds, atr: Numbers) -> _Breaks:
    window = thresholds.breakout_window
    level, close = rolling_max(side.far, window, (window + 1) // 2)[:-1], side.close[1:]
    beyond = np.zeros(side.close.shape, dtype=np.bool_)
    np.logical_and(close > level, atr[1:] > 0, out=beyond[1:])
    beyond[1:] &= close - level >= (thresholds.breakout_margin * atr)[1:]
    fresh = beyond & np.asarray(thresholds.breakout_on)
    fresh[1:] &= ~beyond[:-1]
    row, column = places_of(fresh)
    return _Breaks(row, column, level[row - 1, column])


def _confirmed(broken: _Breaks, side: _Side, bars: int) -> _Breaks:
    holds = broken.row + bars < len(side.close)
    broken = broken.some(holds)
    held = np.ones(len(broken.row), dtype=np.bool_)
    for after in range(1, bars + 1):
        held &= side.close[broken.row + after, broken.column] > broken.level
    return broken.some(held).moved(np.full(int(held.sum()), bars))


def _retested(confirmed: _Breaks, side: _Side, thresholds: Thresholds, atr: Numbers) -> _Breaks:
    """Most waits are short: all are followed for a few bars side by side, then what still waits for the rest."""
    found = np.zeros(len(confirmed.row), dtype=np.intp)
    waiting, looked = np.arange(len(found)), 0
    while looked < thresholds.breakout_retest_bars and len(waiting):
        bars = min(4 + looked, thresholds.breakout_retest_bars - looked)
        some = confirmed.some(waiting)
        first, back = _first_return(some.moved(np.full(len(waiting), looked)), side, thresholds, atr, bars)
        found[waiting[back]] = first[back] + looked
        waiting, looked = waiting[first == 0], looked + bars
    return confirmed.some(found > 0).moved(found[found > 0])


def _first_return(breaks: _Breaks, side: _Side, thresholds: Thresholds, atr: Numbers, bars: int) -> tuple[Places, Flags]:
    """After how many of the next `bars` each wait ends, 0 for none of them, and whether it ends with a retest."""
    row, level = breaks.row + np.arange(1, bars + 1)[:, None], breaks.level
    place = row * side.close.shape[1] + breaks.column
    close, near, wide = (values.ravel().take(place, mode="clip") for values in (side.close, side.near, atr))
    limit = thresholds.breakout_retest_reach
    if np.ndim(limit):
        limit = limit_at(limit, side.close.shape, (np.minimum(row, len(side.close) - 1), np.broadcast_to(breaks.column, row.shape)))
    reach = limit * wide
    there = row < len(side.close)
    back = there & (near <= level + reach) & (close > level)
    ends = back | (there & (close < level - reach))
    first, every = ends.argmax(axis=0), np.arange(row.shape[1])
    return np.where(ends[first, every], first + 1, 0), back[first, every]


def _joined(shape: tuple[int, ...], parts: list[tuple[int, _Side, _Breaks]], atr: Numbers) -> Firing:
    """Both sides as one firing. A bar that retests one level from above and another from below speaks for neither."""
    places = tuple(np.concatenate([getattr(found, name) for _, _, found in parts]) for name in ("row", "column"))
    beyond = np.concatenate([side.close[found.row, found.column] - found.level for _, side, found in parts])
    side_of = np.zeros(shape, dtype=np.int8).ravel()
    for sign, _, found in parts:
        side_of[found.row * shape[1] + found.column] += sign
    of_place = atr[places]
    moves = of_place > 0
    in_atr = np.where(moves, beyond, 0.0) / np.where(moves, of_place, 1.0)
    return Firing(places, side_of[places[0] * shape[1] + places[1]], in_atr, over_limit(in_atr, 1.0))
