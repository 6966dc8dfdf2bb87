"""What a draft of the settings would have done: the stored inputs once more through the functions that workers use, tick by tick.

Pure: a stretch of history and revisions in, numbers out. A replay of the revision in force gives the stored scores; what it cannot know is
what a token would have shown after workers stopped asking about it, and the run of low checks that was under way when the stretch begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from scoring.history import MODELS, Stretch
from scoring.metrics import METRICS, Formula, Measured, Memory, add_up, advance, measure, smooth_history, weigh
from scoring.revisions import NOT_SETTINGS
from scoring.settings_in_force import formula, status_rule
from tokens import status_rule as rules
from tokens.status_rule import Rule, Seen, judge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.models import ScoringSettings

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]

INITIAL, ACTIVE, ARCHIVED = range(3)
MOST_KNOWN = 6  # results of `measure` kept with a stretch


@dataclass(frozen=True, eq=False)
class Replay:
    """One revision over one stretch. Columns of rows are in the order of the stretch's rows, the others in that of its tokens."""

    score: Numbers
    watched: Flags  # not archived before
    was_active: Flags  # when the row was scored
    status: NDArray[np.int8]  # at the end
    memory: Memory
    contributions: Numbers  # of the last row, one row a metric
    last_score: Numbers
    low_checks: Numbers
    changes: list[tuple[int, int, int]]  # token's place, row, verdict


def replay(stretch: Stretch, revision: ScoringSettings) -> Replay:
    """Score and judge every row, in turns, as workers would have done under `revision`."""
    by, rule = formula(revision), status_rule(revision)
    measured, parts, factors = _measured(stretch, revision.score_model, by)
    course = _Course(stretch, rule, revision.score_model)
    if rule.interval_active_sec == rule.interval_initial_sec:
        _at_once(course, measured, parts, factors, by)
    else:
        _turn_by_turn(course, measured, parts, factors, by)
    return course.result()


def _at_once(course: _Course, measured: Measured, parts: Numbers, factors: dict[str, Numbers], by: Formula) -> None:
    """Where both statuses are polled in the same interval, no score waits for the rule's verdicts: all are worked out before it."""
    stretch, counted = course.stretch, measured.counted
    interval = np.full(stretch.rows, course.rule.interval_initial_sec)
    before, turns = Memory(course.value, course.age_sec), stretch.turns.tolist()
    smoothed, memory = smooth_history(parts, counted, before, stretch.elapsed_sec, interval, by.alpha, turns)
    contributions = weigh(smoothed, counted, by, factors)
    score = add_up(contributions)
    for begin, end in pairwise(turns):
        rows, tokens = slice(begin, end), slice(0, end - begin)
        course.take(rows, tokens, contributions[:, rows], score[rows])
    course.value, course.age_sec = memory.value, memory.age_sec


def _turn_by_turn(course: _Course, measured: Measured, parts: Numbers, factors: dict[str, Numbers], by: Formula) -> None:
    stretch, rule = course.stretch, course.rule
    for begin, end in pairwise(stretch.turns.tolist()):
        rows, tokens = slice(begin, end), slice(0, end - begin)
        interval = np.where(course.status[tokens] == ACTIVE, rule.interval_active_sec, rule.interval_initial_sec)
        scored = advance(
            Measured(measured.raw[:, rows], measured.state[:, rows]),
            parts[:, rows],
            {name: factor[rows] for name, factor in factors.items()},
            Memory(course.value[:, tokens], course.age_sec[:, tokens]),
            stretch.elapsed_sec[rows],
            interval,
            by,
        )
        course.value[:, tokens], course.age_sec[:, tokens] = scored.memory.value, scored.memory.age_sec
        course.take(rows, tokens, scored.contributions, scored.score)


def _measured(stretch: Stretch, model: str, by: Formula) -> tuple[Measured, Numbers, dict[str, Numbers]]:
    """What weights, α and thresholds do not change: worked out once for a stretch."""
    key = (model, by.freshness_limit_sec, by.holders_freshness_sec)
    found = stretch.known.get(key)
    if found is None:
        measured = measure(stretch.inputs, by.freshness_limit_sec, by.holders_freshness_sec)
        found = measured, by.model.parts(stretch.inputs, measured), by.model.factors(stretch.inputs)
        if len(stretch.known) >= MOST_KNOWN:
            stretch.known.clear()
        stretch.known[key] = found
    return cast("tuple[Measured, Numbers, dict[str, Numbers]]", found)


class _Course:
    """What a replay carries from turn to turn: the smoothing, and the status rule's memory."""

    def __init__(self, stretch: Stretch, rule: Rule, model: str) -> None:
        tokens, rows, columns = stretch.pks.size, stretch.rows, stretch.columns
        self.stretch, self.rule = stretch, rule
        same_model = stretch.seed_model == MODELS.index(model)
        self.value = np.where(same_model, stretch.seed.value, np.nan)
        self.age_sec = np.where(same_model, stretch.seed.age_sec, np.nan)
        self.status = np.where(stretch.active, ACTIVE, INITIAL).astype(np.int8)
        self.last_check_at, self.observed_sec = stretch.seed_ts.copy(), stretch.observed_sec.copy()
        self.low_since, self.low_checks = np.full(tokens, np.nan), np.zeros(tokens)
        self.score = np.full(rows, np.nan)
        self.watched, self.was_active = np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool)
        self.contributions = np.full((len(METRICS), tokens), np.nan)
        self.last_score = np.full(tokens, np.nan)
        self.changes: list[tuple[int, int, int]] = []
        last_trade_age = np.where(stretch.inputs.same_source, stretch.inputs.last_trade_age_sec, np.nan)
        self.outdated = rules.trades_are_outdated(last_trade_age, columns["tx_count_5m"], rule.freshness_limit_sec)
        self.contradictory = columns["contradictory"] == 1

    def take(self, rows: slice, tokens: slice, contributions: Numbers, score: Numbers) -> None:
        """One turn's scores, and what the status rule says to them."""
        watched = self.status[tokens] != ARCHIVED
        self.watched[rows], self.was_active[rows] = watched, self.status[tokens] == ACTIVE
        self.score[rows] = np.where(watched, score, np.nan)
        self.last_score[tokens] = np.where(watched, score, self.last_score[tokens])
        self.contributions[:, tokens] = np.where(watched, contributions, self.contributions[:, tokens])
        self._judge(rows, tokens, score, watched & ~self.stretch.held[tokens])

    def _judge(self, rows: slice, tokens: slice, score: Numbers, free: Flags) -> None:
        at = self.stretch.columns["ts"][rows]
        judgement = judge(self._seen(rows, tokens, at, score), self.rule, at)
        looked = judgement.looked & free
        self.last_check_at[tokens] = np.where(looked, at, self.last_check_at[tokens])
        for mine, new in (
            (self.observed_sec, judgement.observed_sec),
            (self.low_since, judgement.low_since),
            (self.low_checks, judgement.low_checks),
        ):
            mine[tokens] = np.where(looked, new, mine[tokens])
        for place in np.flatnonzero(judgement.verdict * free).tolist():
            self._change(place, rows.start + place, int(judgement.verdict[place]))

    def _seen(self, rows: slice, tokens: slice, at: Numbers, score: Numbers) -> Seen:
        columns = self.stretch.columns
        return Seen(
            active=self.status[tokens] == ACTIVE,
            age_sec=at - self.stretch.created_at[tokens],
            snapshot_at=at,
            last_check_at=self.last_check_at[tokens],
            observed_sec=self.observed_sec[tokens],
            low_since=self.low_since[tokens],
            low_checks=self.low_checks[tokens],
            tx_count_5m=columns["tx_count_5m"][rows],
            liquidity=columns["liquidity"][rows],
            pools=(self.stretch.pool_since[tokens] <= at).astype(np.float64),
            contradictory=self.contradictory[rows],
            outdated=self.outdated[rows],
            score=score,
        )

    def _change(self, token: int, row: int, verdict: int) -> None:
        self.changes.append((token, row, verdict))
        self.status[token] = ACTIVE if verdict == rules.ACTIVATE else ARCHIVED
        self.observed_sec[token], self.low_since[token], self.low_checks[token] = 0.0, np.nan, 0.0

    def result(self) -> Replay:
        return Replay(
            self.score,
            self.watched,
            self.was_active,
            self.status,
            Memory(self.value, self.age_sec),
            self.contributions,
            self.last_score,
            self.low_checks,
            self.changes,
        )


def draft_of(present: ScoringSettings, changes: dict[str, Any]) -> ScoringSettings:
    """An unsaved revision: `present` with `changes`, checked as a saved one would be. Raises ValidationError."""
    names = [field.name for field in present._meta.concrete_fields if field.name not in NOT_SETTINGS]
    draft = type(present)(**{name: getattr(present, name) for name in names})
    for name, value in changes.items():
        setattr(draft, name, value)
    draft.full_clean()
    return draft
