"""The same four metrics, made comparable between young and old, small and large tokens; 0 to 100, 50 where nothing changes.

    score = 100 × freshness × liquidity_factor × Σ weight × EWMA(part) / Σ weight        over the metrics that count

Each part lies in [0, 1] and is 0.5 where nothing changes (log: natural logarithm, clip: into [−1, 1]):

    W                    min(age, 60 min), at least 5 min, in minutes: a token of 15 minutes has an hour's count of 15 minutes
    tx_accel             ½ + ½ clip( log( (tx_count_5m + 10) / (tx_count_1h × 5/W + 10) ) / log 12 )
    vol_momentum         ½ + ½ clip( log( (volume_5m + 500) / (volume_1h × 5/W + 500) ) / log 12 )
    holder_growth        ½ + ½ clip( log( (holders + 20) / (holders_before + 20) ) × 60 / minutes between / log 2 )
    orderflow_imbalance  ½ + ½ (buys_volume_5m − sells_volume_5m) / (buys_volume_5m + sells_volume_5m + 200)
                         from counts, where it is estimated:  ½ + ½ (buys_5m − sells_5m) / (buys_5m + sells_5m + 10)

The added constants (10 trades, 500 and 200 dollars, 20 holders) shrink small figures toward neutral: two trades are no acceleration.

    freshness            2^(−a / 10 min), a = time since the last trade. Unknown: 300 s / (tx_count_5m + 1). With trades in the last five
                         minutes a is at most 300 s, without any at least 300 s; when nothing at all is known, 300 s
    liquidity_factor     L / (L + 5000), L = liquidity in dollars; 0.25 where it is unknown, for unknown is not safe
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import numpy as np

from scoring.metrics import ESTIMATED, Inputs, Measured

if TYPE_CHECKING:
    from scoring.metrics import Numbers

YOUNGEST_MIN, OLDEST_MIN = 5.0, 60.0
TRADES, DOLLARS, HOLDERS, FLOW_DOLLARS, FLOW_TRADES = 10.0, 500.0, 20.0, 200.0, 10.0
FRESHNESS_HALF_LIFE_SEC = 600.0
WINDOW_SEC = 300.0
HALF_LIQUIDITY = 5000.0
UNKNOWN_LIQUIDITY_FACTOR = 0.25


def parts(inputs: Inputs, measured: Measured) -> Numbers:
    """What is smoothed and weighed: four numbers from 0 to 1, NaN where the metric has no value."""
    with np.errstate(all="ignore"):
        share_of_hour = 5.0 / np.clip(inputs.age_sec / 60.0, YOUNGEST_MIN, OLDEST_MIN)
        pace = np.log((inputs.tx_count_5m + TRADES) / (inputs.tx_count_1h * share_of_hour + TRADES)) / log(12)
        money = np.log((inputs.volume_5m + DOLLARS) / (inputs.volume_1h * share_of_hour + DOLLARS)) / log(12)
        grown = np.log((inputs.holders + HOLDERS) / (inputs.holders_before + HOLDERS)) * 3600.0 / inputs.holders_before_sec / log(2)
        by_volume = _imbalance(inputs.buys_volume_5m, inputs.sells_volume_5m, FLOW_DOLLARS)
        by_count = _imbalance(inputs.buys_5m, inputs.sells_5m, FLOW_TRADES)
        flow = np.where(measured.state[3] == ESTIMATED, by_count, by_volume)
        values = 0.5 + 0.5 * np.clip(np.stack([pace, money, grown, flow]), -1.0, 1.0)
    return np.where(measured.counted, values, np.nan)


def _imbalance(buys: Numbers, sells: Numbers, constant: float) -> Numbers:
    return (buys - sells) / (buys + sells + constant)


def factors(inputs: Inputs) -> dict[str, Numbers]:
    """What the whole score is multiplied with; each from 0 to 1, never unknown."""
    with np.errstate(all="ignore"):
        liquidity = np.minimum(inputs.liquidity, 1e18)
        known = np.where(liquidity >= 0, liquidity / (liquidity + HALF_LIQUIDITY), UNKNOWN_LIQUIDITY_FACTOR)
        return {"freshness": np.exp2(-_since_last_trade(inputs) / FRESHNESS_HALF_LIFE_SEC), "liquidity_factor": known}


def _since_last_trade(inputs: Inputs) -> Numbers:
    count, age = inputs.tx_count_5m, inputs.last_trade_age_sec
    age = np.where(age >= 0, age, WINDOW_SEC / (np.maximum(count, 0) + 1))
    age = np.where(count > 0, np.minimum(age, WINDOW_SEC), np.where(count == 0, np.maximum(age, WINDOW_SEC), age))
    return np.where(np.isnan(age), WINDOW_SEC, age)


def scale(total_weight: float) -> float:
    """What the shares of the counted weights are multiplied with."""
    return 100.0
