"""Tokens just under or just over a threshold, and the smallest change that would flip each. Pure.

A flip by a metric is one of the next snapshot; a flip by a setting is one at the present figures. For the score the next value of a metric
counts α, so its change is (distance + what the smoothing still owes) / (share × α). Every figure is written so that what is written does
it, and one less in its last digit does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from scoring.metrics import METRICS
from scoring.settings_in_force import formula, status_rule
from scoring.whatif import ACTIVE, INITIAL, Replay
from tokens.status_rule import LARGEST_AMOUNT, Rule

if TYPE_CHECKING:
    from scoring.history import Stretch
    from scoring.models import ScoringSettings

NEAR = 0.5  # of a threshold
SHOWN = 8
USUAL_STEP = {"tx_accel": 1.0, "vol_momentum": 1.0, "holder_growth": 0.05, "orderflow_imbalance": 0.5}  # a large move of each


@dataclass(frozen=True)
class NearMiss:
    """`closeness` is 1 at the threshold. `metric` and `setting` are the smallest changes, in words; blank where none would do it alone."""

    pk: int
    closeness: float
    metric: str
    setting: str
    setting_name: str = ""
    setting_value: float = 0.0


def near_activation(stretch: Stretch, revision: ScoringSettings, played: Replay) -> list[NearMiss]:
    """Initial tokens that lack little, the nearest first."""
    rule = status_rule(revision)
    liquidity, trades = (stretch.columns[name][stretch.last] for name in ("liquidity", "tx_count_5m"))
    sound = (stretch.columns["contradictory"][stretch.last] == 0) & (stretch.pool_since <= stretch.columns["ts"][stretch.last])
    share = np.stack([liquidity / max(rule.min_active_liquidity, 1e-9), trades / max(rule.enter_tx_count, 1e-9)])
    share = np.where((share < 1) & (share >= 0), share, np.nan)
    reach = np.fmax(share[0], share[1])
    below = (played.status == INITIAL) & stretch.living & ~stretch.held & sound & (reach >= NEAR)
    below &= ~((liquidity >= rule.min_active_liquidity) | (trades >= rule.enter_tx_count))
    places = np.flatnonzero(below)
    nearest = places[np.argsort(-reach[places], kind="stable")][:SHOWN]
    return [_to_activate(stretch, place, share[:, place], rule) for place in nearest.tolist()]


def _to_activate(stretch: Stretch, place: int, share: np.ndarray, rule: Rule) -> NearMiss:
    row, pk = stretch.last[place], int(stretch.pks[place])
    liquidity, trades = float(stretch.columns["liquidity"][row]), float(stretch.columns["tx_count_5m"][row])
    if not share[1] < share[0]:
        needed = rule.enter_tx_count - trades
        least = trades - rule.activation_tx_margin
        setting = f"min_tx_count {rule.min_tx_count:g} → {least:g}" if least >= 0 else ""
        words = f"+{needed:.0f} transaction{'' if needed == 1 else 's'} in 5 min"
        return NearMiss(pk, float(share[1]), words, setting, "min_tx_count" if setting else "", max(least, 0))
    lowered = floor(min(liquidity, LARGEST_AMOUNT))
    return NearMiss(
        pk,
        float(share[0]),
        f"+${ceil(rule.min_active_liquidity - liquidity):,} liquidity",
        f"min_active_liquidity {rule.min_active_liquidity:g} → {lowered:g}",
        "min_active_liquidity",
        lowered,
    )


def near_archive(stretch: Stretch, revision: ScoringSettings, played: Replay) -> list[NearMiss]:
    """Active tokens whose next check may be low, the nearest to the threshold first; those in a run of low checks before all others."""
    rule = status_rule(revision)
    trades, score = stretch.columns["tx_count_5m"][stretch.last], played.last_score
    per_trades = np.where(trades > 0, rule.min_tx_count / np.where(trades > 0, trades, 1), 2.0)
    floor_score = rule.min_score_keep_active
    per_score = np.where(score > 0, max(floor_score, 0.0) / np.where(score > 0, score, 1), 2.0)
    joined = np.fmin if rule.degrade_both else np.fmax
    closeness = joined(np.where(np.isnan(trades), np.nan, per_trades), np.where(np.isnan(score), np.nan, per_score))
    near = (played.status == ACTIVE) & stretch.living & ~stretch.held & (closeness >= NEAR)
    places = np.flatnonzero(near)
    order = np.lexsort((-closeness[places], -played.low_checks[places]))
    return [_to_archive(stretch, place, revision, played, rule) for place in places[order][:SHOWN].tolist()]


def _to_archive(stretch: Stretch, place: int, revision: ScoringSettings, played: Replay, rule: Rule) -> NearMiss:
    trades, score = float(stretch.columns["tx_count_5m"][stretch.last[place]]), float(played.last_score[place])
    pk, low = int(stretch.pks[place]), int(played.low_checks[place])
    if low:
        why = [f"tx_count_5m {trades:.0f} < {rule.min_tx_count:g}"] if trades < rule.min_tx_count else []
        why += [f"score {score:.3f} < {rule.min_score_keep_active:g}".replace("-", "−")] if score < rule.min_score_keep_active else []
        words = f"low on {low} of {rule.degrade_checks} checks: {' and '.join(why) or 'the last one said nothing'}"
        return NearMiss(pk, 1.0, words, f"degrade_checks {rule.degrade_checks} → {low}", "degrade_checks", low)
    by_trades = rule.min_tx_count / trades if trades > 0 else 0.0
    by_score = rule.min_score_keep_active / score if score > 0 else 0.0
    if by_trades >= by_score:
        lost = trades - rule.min_tx_count + 1
        words = f"−{lost:.0f} transaction{'' if lost == 1 else 's'} in 5 min"
        return NearMiss(pk, by_trades, words, f"min_tx_count {rule.min_tx_count:g} → {trades + 1:g}", "min_tx_count", trades + 1)
    raised = floor(score * 1000 + 1) / 1000
    moves = sorted(_falls(place, revision, played, score - rule.min_score_keep_active))
    words = moves[0][1] if moves else "no one metric in one check"
    return NearMiss(
        pk, by_score, words, f"min_score_keep_active {rule.min_score_keep_active:g} → {raised:.3f}", "min_score_keep_active", raised
    )


def _falls(place: int, revision: ScoringSettings, played: Replay, distance: float) -> Iterator[tuple[float, str]]:
    """For each metric that alone could do it: the size of its fall against a large move, and the words."""
    by = formula(revision)
    if revision.score_model != "hybrid_momentum":  # its parts are no figures that a person could picture
        return
    counted = ~np.isnan(played.contributions[:, place])
    together = float(sum(weight for weight, counts in zip(by.weights, counted, strict=True) if counts))
    for number, name in enumerate(METRICS):
        if not counted[number] or not by.weights[number] or not together:
            continue
        worth = by.model.scale(float(sum(by.weights))) * by.weights[number] / together * by.alpha
        smoothed = float(played.memory.value[number, place])
        target = smoothed - distance / worth
        target = (ceil(target * 100) - 1) / 100  # at the threshold itself a score still holds
        if target >= (-1.0 if name == "orderflow_imbalance" else -10.0 if name == "holder_growth" else 0.0):
            yield abs(target - smoothed) / USUAL_STEP[name], f"{name.replace('_', ' ')} at {target:.2f} in the next check"
