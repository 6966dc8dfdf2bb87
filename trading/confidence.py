"""How far a judgement is to be believed. A score first; a probability only once outcomes have shown what such scores come to.

score = Σ weight × part / Σ weight        over the parts that are known: how well the scenario fits, by how much it is ahead of other
                                          directions, whether the scales of time agree, how strong the level in its back is, and
                                          how much of the evidence was there at all
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trading.scenarios import SIDE_OF, ramp, weighed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trading.context import Context
    from trading.judge_rule import JudgeRule
    from trading.levels import Levels
    from trading.scenarios import Read

    Numbers = NDArray[np.float64]

WEIGHTS = {"scenario": 0.45, "margin": 0.20, "agreement": 0.15, "level": 0.10, "evidence": 0.10}


def score(read: Read, context: Context, levels: Levels, rule: JudgeRule) -> tuple[Numbers, dict[str, Numbers]]:
    """(n,) from 0 to 1, NaN where no scenario was chosen; and its parts."""
    chosen = read.chosen > 0
    side = SIDE_OF[read.chosen]
    behind = np.where(side > 0, levels.support, levels.resistance)
    parts = {
        "scenario": read.of_chosen(read.score),
        "margin": np.where(np.isnan(read.margin), np.nan, ramp(read.margin, 1.0, rule.margin_full)),
        "agreement": agreement(context, side),
        "level": np.where((side != 0) & levels.real(behind), levels.strength[np.maximum(behind, 0), np.arange(len(side))], np.nan),
        "evidence": read.of_chosen(read.coverage) * (1.0 - context.missing),
    }
    total, _ = weighed(WEIGHTS, parts)
    return np.where(chosen, total, np.nan), parts


def agreement(context: Context, side: NDArray[np.int8]) -> Numbers:
    """Of all scales of time with the side, 0 … 1, 0.5 neutral; without a side: how little they move at all."""
    trends = np.stack([context.trend_minutes, context.trend_fives, context.trend_hours])
    with_side = np.where(side == 0, 1.0 - np.abs(trends), (1.0 + side * trends) / 2.0)
    return _mean_of_known(with_side)


def higher_agreement(context: Context, side: NDArray[np.int8]) -> Numbers:
    """Of the longer bars only."""
    return _mean_of_known((1.0 + side * np.stack([context.trend_fives, context.trend_hours])) / 2.0)


def _mean_of_known(values: NDArray[np.floating[Any]]) -> Numbers:
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    found: Numbers = np.where(count > 0, np.where(known, values, 0.0).sum(axis=0), np.nan) / np.maximum(count, 1)
    return found


def expectancy(probability: Numbers, reward_risk: Numbers) -> Numbers:
    """What a trade may be expected to bring, in multiples of what it risks: p · reward − (1 − p)."""
    return probability * reward_risk - (1.0 - probability)
