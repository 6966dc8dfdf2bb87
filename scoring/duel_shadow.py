"""One tick of one side of a duel: what a worker would do with the same snapshots, had this revision been saved when the duel began. Pure.

The side has a memory and statuses of its own, and they live through the same functions as the real ones. What it cannot know is what a
token would have shown after workers stopped asking about it, or at the pace at which it would have been asked under this revision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scoring.metrics import Formula, Inputs, Memory, score_tick
from tokens import status_rule
from tokens.status_rule import ACTIVATE, Rule, Seen, judge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]

INITIAL, ACTIVE, ARCHIVED = 0.0, 1.0, 2.0


@dataclass(frozen=True)
class Mind:
    """What a side remembers of each token. Moments are seconds since 1970, NaN where there was none."""

    status: Numbers
    scored_at: Numbers
    ticks: Numbers  # how many scores it has made
    score: Numbers
    memory: Memory
    last_check_at: Numbers
    observed_sec: Numbers
    low_since: Numbers
    low_checks: Numbers
    activated_at: Numbers
    archived_at: Numbers


@dataclass(frozen=True)
class Sight:
    """What a tick shows of each token, whoever looks. `hand` is the status that an operator's hand keeps a token in, NaN without one."""

    inputs: Inputs
    ts: Numbers
    created_at: Numbers
    pools: Numbers
    contradictory: Flags
    hand: Numbers


def step(mind: Mind, sight: Sight, by: Formula, rule: Rule, now: float) -> Mind:
    """The mind after this tick. A token that the side has archived stays as it is: nobody would have asked about it."""
    held = ~np.isnan(sight.hand)
    status = np.where(held, sight.hand, mind.status)
    watched = status != ARCHIVED
    interval = np.where(status == ACTIVE, rule.interval_active_sec, rule.interval_initial_sec)
    scored = score_tick(sight.inputs, mind.memory, sight.ts - mind.scored_at, interval, by)
    judgement = judge(_seen(mind, sight, status, scored.score, rule), rule, now)
    looked = judgement.looked & watched & ~held
    verdict = np.where(looked, judgement.verdict, status_rule.STAY)
    activated, archived = verdict == ACTIVATE, (verdict != ACTIVATE) & (verdict != status_rule.STAY)
    anew = activated | archived | held  # a new status starts with an empty memory, and the rule has none of what a hand holds

    def kept(old: Numbers, new: Numbers, empty: float) -> Numbers:
        return np.where(anew, empty, np.where(looked, new, old))

    return Mind(
        status=np.where(activated, ACTIVE, np.where(archived, ARCHIVED, status)),
        scored_at=np.where(watched, sight.ts, mind.scored_at),
        ticks=mind.ticks + watched,
        score=np.where(watched, scored.score, mind.score),
        memory=Memory(
            np.where(watched, scored.memory.value, mind.memory.value), np.where(watched, scored.memory.age_sec, mind.memory.age_sec)
        ),
        last_check_at=np.where(held, np.nan, np.where(looked, sight.ts, mind.last_check_at)),
        observed_sec=np.where(held, mind.observed_sec, kept(mind.observed_sec, judgement.observed_sec, 0.0)),
        low_since=kept(mind.low_since, judgement.low_since, np.nan),
        low_checks=kept(mind.low_checks, judgement.low_checks, 0.0),
        activated_at=np.where(activated & np.isnan(mind.activated_at), now, mind.activated_at),
        archived_at=np.where(archived, now, mind.archived_at),
    )


def _seen(mind: Mind, sight: Sight, status: Numbers, score: Numbers, rule: Rule) -> Seen:
    inputs = sight.inputs
    last_trade_age = np.where(inputs.same_source, inputs.last_trade_age_sec, np.nan)
    return Seen(
        active=status == ACTIVE,
        age_sec=sight.ts - sight.created_at,
        snapshot_at=sight.ts,
        last_check_at=mind.last_check_at,
        observed_sec=mind.observed_sec,
        low_since=mind.low_since,
        low_checks=mind.low_checks,
        tx_count_5m=inputs.tx_count_5m,
        liquidity=inputs.liquidity,
        pools=sight.pools,
        contradictory=sight.contradictory,
        outdated=status_rule.trades_are_outdated(last_trade_age, inputs.tx_count_5m, rule.freshness_limit_sec),
        score=score,
    )
