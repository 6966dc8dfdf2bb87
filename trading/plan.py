"""Entry, stop and targets: multiples of ATR, corrected by levels, and what they pay for what they risk.

The entry is the last known close. For a side s (+1 the price is to rise, −1 to fall), distances measured from the entry:

    stop      stop_atr · ATR; from every level that lies nearer than the margin to it, on either side, it is moved to the margin beyond
    targets   in the same proportion to the stop as in the rule; one that a level lies close to is moved to the margin before it, and the
              first is not put behind a strong level at all
    reward:risk   (mean of the targets − cost) / (stop + cost), cost = fees and slippage of the round trip

Everything is mirrored for a fall. There is no plan where ATR is unknown or 0, where levels push the stop farther than the rule allows or
leave no way to the first target, where a target is not farther than the one before, or where a stop would be no price at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trading.levels import EACH_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trading.judge_rule import JudgeRule
    from trading.levels import Levels

    Numbers = NDArray[np.float64]

STRONG = 0.6  # from this strength on a level stands in the way of the first target
MOST_OF_PRICE = 0.95  # no stop and no target is farther below the price than this share of it


@dataclass(frozen=True, slots=True)
class Plan:
    """Multiples of the entry; NaN where there is no side, or no plan."""

    stop: Numbers  # (n,)
    targets: Numbers  # (3, n), the first is the nearest
    reward_risk: Numbers  # (n,) after costs; below 0 the targets do not even pay for those
    first_reward: Numbers  # of the first target alone, after costs, in risks

    @property
    def there(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.stop)


def make(side: NDArray[np.int8], levels: Levels, atr: Numbers, cost: Numbers, rule: JudgeRule) -> Plan:
    with np.errstate(all="ignore"):
        behind, ahead, strength = _distances(levels, side)
        margin = rule.level_margin_atr * atr
        stop = _stop(behind, rule.stop_atr * atr, margin)
        possible = (side != 0) & (atr > 0) & (stop <= rule.stop_most_atr * atr * (1 + 1e-9)) & (stop <= MOST_OF_PRICE)
        targets = _targets(np.where(possible, stop, np.nan), ahead, strength, margin, rule)
        targets = np.where(side < 0, np.minimum(targets, MOST_OF_PRICE), targets)
        possible &= (np.diff(targets, axis=0, prepend=0.0) > 0).all(axis=0)
        stop, targets = np.where(possible, stop, np.nan), np.where(possible, targets, np.nan)
        risk = stop + cost
        reward_risk, first = (targets.mean(axis=0) - cost) / risk, (targets[0] - cost) / risk
        return Plan(1.0 - side * stop, 1.0 + side * targets, reward_risk, first)


def _distances(levels: Levels, side: NDArray[np.int8]) -> tuple[Numbers, Numbers, Numbers]:
    """(EACH_SIDE, n), the nearest first: of real levels behind the entry and before it, else NaN, and the strength of those before."""
    away = np.where(levels.strength > 0, np.abs(levels.distance), np.nan)
    below, above = slice(0, EACH_SIDE), slice(EACH_SIDE, None)
    behind, ahead = np.where(side > 0, away[below], away[above]), np.where(side > 0, away[above], away[below])
    return behind, ahead, np.where(side > 0, levels.strength[above], levels.strength[below])


def _stop(behind: Numbers, stop: Numbers, margin: Numbers) -> Numbers:
    for distance in behind:
        stop = np.where(np.abs(distance - stop) < margin, distance + margin, stop)
    return stop


def _targets(stop: Numbers, ahead: Numbers, strength: Numbers, margin: Numbers, rule: JudgeRule) -> Numbers:
    multiples = np.sort([rule.target_1_atr, rule.target_2_atr, rule.target_3_atr]) / rule.stop_atr
    targets = multiples[:, None] * stop
    for distance in ahead[::-1]:  # from the farthest in, so that a target moved in is seen by the next
        targets = np.where(np.abs(distance - targets) < margin, distance - margin, targets)
    obstacle = np.where(strength >= STRONG, ahead, np.inf)
    first = np.minimum(targets[0], np.fmin.reduce(obstacle, axis=0) - margin)
    targets[0] = first
    return targets
