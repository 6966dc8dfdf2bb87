"""What a draft of the settings would have done: the stored inputs once more through the functions that workers use, tick by tick.

Pure: a stretch of history and revisions in, numbers out. A replay of the revision in force gives the stored scores; what it cannot know is
what a token would have shown after workers stopped asking about it, and the run of low checks that was under way when the stretch begins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from scoring.course import ACTIVE, ARCHIVED, INITIAL, Course
from scoring.history import MODELS, Stretch
from scoring.metrics import Formula, Measured, Memory, measure, weigh
from scoring.over_history import scores, smooth_history
from scoring.revisions import NOT_SETTINGS
from scoring.settings_in_force import formula, status_rule
from tokens.status_rule import Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scoring.models import ScoringSettings

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]

__all__ = ["ACTIVE", "ARCHIVED", "INITIAL", "Replay", "draft_of", "replay"]
MOST_KNOWN = 6  # results kept with a stretch


@dataclass(frozen=True, eq=False)
class Sampled:
    """Some rows as they are before they are weighed, in columns of any shape; `smoothed` and `counted` have one row a metric first."""

    smoothed: Numbers
    counted: Flags
    factors: dict[str, Numbers]

    def of(self, *where: NDArray[Any]) -> Sampled:
        """These alone."""
        every: Any = (slice(None), *where)
        return Sampled(self.smoothed[every], self.counted[every], {name: factor[where] for name, factor in self.factors.items()})


@dataclass(frozen=True, eq=False)
class Replay:
    """One revision over one stretch. Columns of rows are in the order of the stretch's rows, the others in that of its tokens."""

    score: Numbers
    watched: Flags  # not archived before
    was_active: Flags  # when the row was scored
    status: NDArray[np.int8]  # at the end
    memory: Memory  # at the end; of a token that was archived it means nothing
    contributions: Numbers  # of the last row, one row a metric
    last_score: Numbers
    low_checks: Numbers
    changes: list[tuple[int, int, int]]  # token's place, row, verdict
    sampled: Sampled | None = None  # of the rows that were asked for; where one was asked for that is none, nothing counts


@dataclass(frozen=True, slots=True)
class _Smoothing:
    key: object
    smoothed: Numbers
    memory: Memory


def replay(stretch: Stretch, revision: ScoringSettings, wanted: Callable[[Stretch, Replay], NDArray[np.int64]] | None = None) -> Replay:
    """Score and judge every row, in turns, as workers would have done under `revision`.

    `wanted` says of which rows (−1 is none) what is weighed is handed out too, once it is known what became of them.
    """
    by, rule = formula(revision), status_rule(revision)
    measured, parts, factors = _measured(stretch, revision.score_model, by)
    course = Course(stretch, rule)
    smoothing = _smoothed(stretch, revision.score_model, by, measured.counted, parts, _interval(course, rule))
    smoothed, memory = smoothing.smoothed, smoothing.memory
    score = scores(smoothed, measured.counted, by, factors)
    course.hold_to(score)
    watched, last = course.watched(), course.last_row()
    at_last = {name: factor[last] for name, factor in factors.items()}
    last_score = score[last]
    np.putmask(score, ~watched, np.nan)
    contributions = weigh(smoothed[:, last], measured.counted[:, last], by, at_last)
    played = Replay(
        score=score,
        watched=watched,
        was_active=course.was_active(),
        status=course.status,
        memory=memory,
        contributions=contributions,
        last_score=last_score,
        low_checks=course.low_checks,
        changes=course.changes,
    )
    if wanted is not None:
        played = replace(played, sampled=_sampled(smoothed, measured.counted, factors, wanted(stretch, played)))
    stretch.known["smoothed"] = smoothing  # from here on another may write over it
    return played


def _sampled(smoothed: Numbers, counted: Flags, factors: dict[str, Numbers], rows: NDArray[np.int64]) -> Sampled:
    some = np.maximum(rows, 0)
    return Sampled(smoothed[:, some], counted[:, some] & (rows >= 0), {name: factor[some] for name, factor in factors.items()})


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


def _interval(course: Course, rule: Rule) -> Numbers | float:
    if rule.interval_active_sec == rule.interval_initial_sec:
        return rule.interval_initial_sec
    return np.where(course.was_active(), rule.interval_active_sec, rule.interval_initial_sec)


def _smoothed(stretch: Stretch, model: str, by: Formula, counted: Flags, parts: Numbers, interval_sec: Numbers | float) -> _Smoothing:
    """What weights do not change, nor thresholds where one interval is for all: the last one is kept, for a slider moves many times.

    It is taken away while a replay works with it. So another at the same moment makes its own, and its memory may be written over: memory
    that is asked of the system anew takes longer than the arithmetic.
    """
    key = (model, by.freshness_limit_sec, by.holders_freshness_sec, by.alpha, interval_sec) if isinstance(interval_sec, float) else None
    before = cast("_Smoothing | None", stretch.known.pop("smoothed", None))
    if before is not None and key is not None and before.key == key:
        return before
    same_model = stretch.seed_model == MODELS.index(model)
    seed = Memory(np.where(same_model, stretch.seed.value, np.nan), np.where(same_model, stretch.seed.age_sec, np.nan))
    room, turns = before.smoothed if before is not None else None, stretch.turns.tolist()
    return _Smoothing(key, *smooth_history(parts, counted, seed, stretch.elapsed_sec, interval_sec, by.alpha, turns, room))


def draft_of(present: ScoringSettings, changes: dict[str, Any]) -> ScoringSettings:
    """An unsaved revision: `present` with `changes`, checked as a saved one would be. Raises ValidationError."""
    names = [field.name for field in present._meta.concrete_fields if field.name not in NOT_SETTINGS]
    draft = type(present)(**{name: getattr(present, name) for name in names})
    for name, value in changes.items():
        setattr(draft, name, value)
    draft.full_clean()
    return draft
