"""How each asset moves at each bar: in a trend, in a range, with high volatility, or not known yet. Free of scale: a price multiplied by
anything moves the same way.

    high_vol   ATR over price is above the high gate, or `high_vol_ratio` times its own mean of `usual_bars`
    trend      ADX is at least `trend_adx`, and of the way of the last `trend_bars` at least `trend_efficiency` led somewhere:
               |Σ steps| / Σ |steps| from close to close
    range      neither, though both are known; and a price that stands still
    unknown    not enough bars yet, or no bar
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from learning.indicators import movement, rolling_mean, shifted
from learning.indicators.windows import holes, sums_of
from scoring.stage_parameters import built, default_of
from tokens.bar_grid import Grid
from trading.names import MarketState
from trading.tiles import tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Codes = NDArray[np.int8]

STATES = tuple(MarketState)
UNKNOWN, RANGE, TREND, HIGH_VOL = range(len(STATES))
LENGTH = 14  # of ATR and ADX, as everywhere
LEAST_OF_USUAL = 0.25  # of the bars of the usual ATR; fewer do not say what is usual


@dataclass(frozen=True, slots=True)
class StateRule:
    """`atr_high` may also be an array, a number for each token."""

    atr_high: float = default_of("trigger_atr_high")
    high_vol_ratio: float = default_of("trigger_state_high_vol_ratio")
    usual_bars: int = default_of("trigger_state_usual_bars")
    trend_adx: float = default_of("trigger_state_trend_adx")
    trend_bars: int = default_of("trigger_state_trend_bars")
    trend_efficiency: float = default_of("trigger_state_trend_efficiency")

    @classmethod
    def from_settings(cls, values: Mapping[str, Any], atr_high: Any = None) -> StateRule:
        """`atr_high` where tokens have their own: `thresholds.of_tokens(…).high_gate`."""
        high = values.get("trigger_atr_high", default_of("trigger_atr_high")) if atr_high is None else atr_high
        return replace(built(cls, values, "trigger_state_"), atr_high=high)


@dataclass(frozen=True, slots=True)
class MarketStates:
    """`code` is a place in STATES. What it was found from is kept, for the triggers are measured by the same figures."""

    code: Codes  # (bars, tokens), as all of them
    atr_share: Numbers  # ATR over price
    efficiency: Numbers
    atr: Numbers
    rsi: Numbers
    adx: Numbers
    true_range: Numbers

    def name(self, row: int, column: int) -> MarketState:
        return STATES[int(self.code[row, column])]


def states_of(grid: Grid, rule: StateRule) -> MarketStates:
    """The state of every token at every bar."""
    shape = grid.close.shape
    whole = MarketStates(np.empty(shape, dtype=np.int8), *(np.empty(shape) for _ in range(6)))
    for tile in tiles(*shape):
        of_tile = _states(tile.grid(grid), tile.every(rule))
        for field in fields(MarketStates):
            getattr(whole, field.name)[tile.own] = getattr(of_tile, field.name)[tile.first :]
    return whole


def _states(grid: Grid, rule: StateRule) -> MarketStates:
    moves = movement(grid.high, grid.low, grid.close, LENGTH)
    share = moves.atr / np.where(grid.close > 0, grid.close, np.nan)
    efficiency = efficiency_of(grid.close, rule.trend_bars)
    usual = rolling_mean(share, rule.usual_bars, max(1, int(LEAST_OF_USUAL * rule.usual_bars)))
    code = np.zeros(share.shape, dtype=np.int8)
    for state, where in (
        (RANGE, (~np.isnan(moves.adx) & ~np.isnan(efficiency)) | (moves.atr == 0)),
        (TREND, (moves.adx >= rule.trend_adx) & (efficiency >= rule.trend_efficiency)),
        (HIGH_VOL, (share > rule.atr_high) | (share > rule.high_vol_ratio * usual)),
    ):
        np.copyto(code, np.int8(state), where=where)
    return MarketStates(code, share, efficiency, moves.atr, moves.rsi, moves.adx, moves.true_range)


def efficiency_of(close: Numbers, length: int) -> Numbers:
    """The part of the way of `length` bars that led somewhere, 0 to 1 (Kaufman). Steps over a gap are left out on both sides of the
    fraction; two thirds must be there. NaN where the price stood still."""
    step, least = close - shifted(close), -(-2 * length // 3)
    gaps = holes(step, length)
    way, gone = (sums_of(steps, *gaps, length, least) for steps in (np.abs(step), step))
    np.copyto(way, np.nan, where=~(way > 0))
    return np.divide(np.abs(gone, out=gone), way, out=way)
