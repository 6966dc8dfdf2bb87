"""What the market of a token seems to be doing: for each scenario a score from 0 to 1, and which one is chosen.

    score = Σ weight × part / Σ weight        over the parts that are known; the weights of a scenario sum to 1, each part lies in [0, 1]

So no score can pass 1, and what is unknown neither helps nor harms: it leaves the sum, and the rest is scaled. Where the known parts make
less than LEAST_COVERAGE of the weight, the scenario has no score. Scenarios with a direction exist twice, from one table: what speaks for
the rise speaks, mirrored, for the fall.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trading.names import Scenario, Trigger

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trading.context import Context
    from trading.judge_rule import JudgeRule
    from trading.levels import Levels
    from trading.triggers.firing import Fired

    Numbers = NDArray[np.float64]
    Codes = NDArray[np.int8]

SCENARIOS = tuple(Scenario)
LEAST_COVERAGE = 0.5
DIVERGENCE_BARS = 15

BREAKOUT = {"broke_out": 0.30, "volume": 0.20, "shock": 0.10, "vwap": 0.10, "trend_fives": 0.10, "trend_minutes": 0.10, "flow": 0.10}
REVERSAL = {"stretched": 0.20, "extreme_rsi": 0.20, "rejected": 0.15, "at_level": 0.15, "trend_minutes": 0.15, "divergence": 0.15}
CONTROL = {"trend_fives": 0.30, "trend_hours": 0.25, "adx": 0.15, "flow": 0.10, "vwap": 0.10, "calm": 0.10}
RANGE = {"reverting": 0.25, "no_trend_fives": 0.20, "no_trend_hours": 0.15, "no_adx": 0.15, "calm": 0.15, "inside": 0.10}
VIOLENT = {"volatility": 0.45, "shock": 0.20, "jump": 0.15, "wide_band": 0.10, "spread": 0.10}
WASHED = {"few_wallets": 0.30, "churned": 0.25, "idle_volume": 0.15, "one_bar": 0.15, "wicks": 0.15}

SIDES = {
    Scenario.BULLISH_BREAKOUT: 1,
    Scenario.BULLISH_REVERSAL: 1,
    Scenario.BULLISH_CONTROL: 1,
    Scenario.BEARISH_BREAKOUT: -1,
    Scenario.BEARISH_REVERSAL: -1,
    Scenario.BEARISH_CONTROL: -1,
}
TABLES = {
    Scenario.BULLISH_BREAKOUT: BREAKOUT,
    Scenario.BEARISH_BREAKOUT: BREAKOUT,
    Scenario.BULLISH_REVERSAL: REVERSAL,
    Scenario.BEARISH_REVERSAL: REVERSAL,
    Scenario.RANGE_BOUND: RANGE,
    Scenario.BULLISH_CONTROL: CONTROL,
    Scenario.BEARISH_CONTROL: CONTROL,
    Scenario.HIGH_VOLATILITY: VIOLENT,
    Scenario.MANIPULATED: WASHED,
}
SIDE_OF = np.array([SIDES.get(scenario, 0) for scenario in SCENARIOS], dtype=np.int8)


@dataclass(frozen=True, slots=True)
class Divergences:
    """What Stage 1 saw of price against RSI in the last DIVERGENCE_BARS, (n,) each: 1 seen, 0 not, NaN nobody looked."""

    bullish: Numbers
    bearish: Numbers

    @classmethod
    def seen_by(cls, fired: Fired, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Divergences:
        """The trigger fires once, when a divergence is confirmed; it counts for a while, and not for ever."""
        back = rows - np.arange(DIVERGENCE_BARS)[:, None]
        at = np.maximum(back, 0), columns
        sign = np.where((back >= 0) & fired.on[Trigger.RSI_DIVERGENCE][at], fired.direction[Trigger.RSI_DIVERGENCE][at], 0)
        return cls(*(np.asarray((way * sign > 0).any(axis=0), dtype=np.float64) for way in (1, -1)))

    @classmethod
    def unknown(cls, n: int) -> Divergences:
        return cls(np.full(n, np.nan), np.full(n, np.nan))


@dataclass(frozen=True, slots=True)
class Read:
    """(scenarios, n) in the order of SCENARIOS, and (n,) what was chosen."""

    score: Numbers  # NaN: too little known; always for NONE
    coverage: Numbers  # weight of the known parts
    chosen: Codes
    margin: Numbers  # its score over the best of another direction; NaN for none, or where there is no other
    opposite: Numbers  # the best score of the opposite direction over its score; NaN without a direction
    parts: Mapping[Scenario, Mapping[str, Numbers]]

    def of_chosen(self, figures: Numbers) -> Numbers:
        found: Numbers = figures[self.chosen, np.arange(len(self.chosen))]
        return found


def ramp(values: Numbers, low: float, high: float) -> Numbers:
    """0 up to `low`, 1 from `high` on, straight between; a step at `low` where there is no between."""
    with np.errstate(invalid="ignore", over="ignore"):  # a ramp that is next to no ramp rises beyond every number, and is cut off at 1
        risen = (values - low) / (high - low) if high > low else np.where(np.isnan(values), np.nan, (values > low) * 1.0)
        return np.clip(risen, 0.0, 1.0)


def read(context: Context, levels: Levels, divergences: Divergences, rule: JudgeRule) -> Read:
    shared = _without_direction(context, rule)
    sided = {side: _with_direction(context, levels, divergences, rule, side) for side in (1, -1)}
    score, coverage = np.full((len(SCENARIOS), len(context.atr)), np.nan), np.zeros((len(SCENARIOS), len(context.atr)))
    parts: dict[Scenario, dict[str, Numbers]] = {}
    for code, scenario in enumerate(SCENARIOS):
        if scenario in TABLES:
            there = shared | sided.get(SIDES.get(scenario, 0), {})
            parts[scenario] = {name: there[name] for name in TABLES[scenario]}
            score[code], coverage[code] = weighed(TABLES[scenario], parts[scenario])
    return Read(score, coverage, *_choose(score, rule), parts)


def weighed(weights: Mapping[str, float], parts: Mapping[str, Numbers], least: float = LEAST_COVERAGE) -> tuple[Numbers, Numbers]:
    """The mean of what is known, and how much of the weight that is."""
    values = np.stack([parts[name] for name in weights])
    weight = np.array(list(weights.values()))[:, None] * ~np.isnan(values)
    coverage = weight.sum(axis=0)
    enough = coverage >= least - 1e-9
    total = (weight * np.where(np.isnan(values), 0.0, values)).sum(axis=0)
    score = np.where(enough, total, np.nan) / np.where(coverage > 0, coverage, 1.0)
    return np.minimum(score, 1.0), coverage


def _with_direction(context: Context, levels: Levels, divergences: Divergences, rule: JudgeRule, side: int) -> dict[str, Numbers]:
    up = side > 0
    beyond = context.over_high if up else context.under_low
    oversold = ramp(rule.rsi_low + 15.0 - context.rsi, 0.0, 15.0) if up else ramp(context.rsi - rule.rsi_high + 15.0, 0.0, 15.0)
    away = levels.away(levels.support if up else levels.resistance)
    return {
        "broke_out": ramp(beyond, -0.5, 1.0),
        "shock": ramp(side * context.shock, 0.0, rule.shock_atr_full),
        "vwap": ramp(side * context.vwap_atr, 0.0, rule.vwap_atr_full),
        "flow": ramp(side * (2.0 * context.buy_share - 1.0), 0.0, 0.5),
        "trend_minutes": ramp(side * context.trend_minutes, 0.0, 0.6),
        "trend_fives": ramp(side * context.trend_fives, 0.0, 0.5),
        "trend_hours": ramp(side * context.trend_hours, 0.0, 0.8),
        "stretched": ramp(-side * context.move_hour, 3.0, 10.0),
        "extreme_rsi": oversold,
        "rejected": ramp(context.wick_low if up else context.wick_high, 0.25, 0.6),
        "at_level": np.where(context.atr > 0, 1.0 - ramp(np.where(np.isnan(away), np.inf, away), 0.25, rule.near_atr), np.nan),
        "divergence": divergences.bullish if up else divergences.bearish,
    }


def _without_direction(context: Context, rule: JudgeRule) -> dict[str, Numbers]:
    adx = ramp(context.adx, rule.adx_low, rule.adx_high)
    volume, shock = ramp(context.volume_z, 0.0, rule.volume_z_full), np.abs(context.shock)
    violent = ramp(context.volatility, 1.25, rule.volatility_full)
    with np.errstate(all="ignore"):
        spread_atr = np.where(context.atr > 0, context.spread / context.atr, np.nan)
    return {
        "volume": volume,
        "adx": adx,
        "no_adx": 1.0 - adx,
        "calm": 1.0 - violent,
        "volatility": violent,
        "no_trend_fives": 1.0 - ramp(np.abs(context.trend_fives), 0.0, 0.35),
        "no_trend_hours": 1.0 - ramp(np.abs(context.trend_hours), 0.0, 0.6),
        "inside": 1.0 - ramp(np.maximum(context.over_high, context.under_low), -1.0, 0.0),
        "reverting": 1.0 - ramp(context.variance_ratio, 0.4, 1.0),
        "shock": ramp(shock, 1.0, 1.0 + rule.shock_atr_full),
        "jump": ramp(context.jump, 0.1, 0.6),
        "wide_band": ramp(context.band_atr, 10.0, 25.0),
        "spread": ramp(spread_atr, 0.5, 1.5),
        "few_wallets": 1.0 - ramp(context.wallet_share, rule.wallets_wash, rule.wallets_clean),
        "churned": ramp(context.turnover, rule.turnover_clean, rule.turnover_wash),
        "idle_volume": volume * (1.0 - ramp(shock, 0.25, 1.0)),
        "one_bar": ramp(context.busiest_share, 0.25, 0.75),
        "wicks": ramp(np.fmax(context.wick_low, context.wick_high), 0.5, 0.9) * violent,
    }


def _choose(score: Numbers, rule: JudgeRule) -> tuple[Codes, Numbers, Numbers]:
    """The best one that is good enough; MANIPULATED before all, once it is likely: a wash-traded rise looks best of all."""
    filled = np.where(np.isnan(score), -1.0, score)
    chosen = filled.argmax(axis=0)
    washed = SCENARIOS.index(Scenario.MANIPULATED)
    chosen = np.where(filled[washed] >= rule.manipulated_least, washed, chosen)
    every = np.arange(score.shape[1])
    best = filled[chosen, every]
    side = SIDE_OF[chosen]
    elsewhere = np.where((SIDE_OF[:, None] != side) | (side == 0) & (np.arange(len(SCENARIOS))[:, None] != chosen), filled, -1.0).max(
        axis=0
    )
    against = np.where(SIDE_OF[:, None] == -side, filled, -1.0).max(axis=0)
    picked = (best >= rule.least_scenario) & (best > 0)
    divisor = np.where(picked, best, 1.0)
    margin = np.where(picked & (elsewhere > 0), divisor, np.nan) / np.where(elsewhere > 0, elsewhere, 1.0)
    opposite = np.where(picked & (side != 0) & (against >= 0), against, np.nan) / divisor
    return np.where(picked, chosen, SCENARIOS.index(Scenario.NONE)).astype(np.int8), margin, opposite
