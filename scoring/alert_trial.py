"""What a rule would have done over a replayed stretch: the replay's scores and changes of status through the functions that workers use.

Pure. One revision is in force throughout, and the rule as it is now was there from the beginning: what was so before the first row is
learned silently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scoring import alert_words
from scoring.alert_kinds import EVENT, KINDS, SYSTEM
from scoring.alert_manner import Level
from scoring.alert_state import UNSEEN, held_back, step, takes
from scoring.alerting import allows, figure_of, value_of
from scoring.metrics import METRICS, measure
from scoring.whatif import ACTIVE, ARCHIVED, INITIAL
from tokens.models import Status
from tokens.status_rule import ACTIVATE, DEGRADE, TIME_OUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.alert_models import AlertRule
    from scoring.history import Stretch
    from scoring.models import ScoringSettings
    from scoring.whatif import Replay

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Places = NDArray[np.int64]

NAMES = {INITIAL: Status.INITIAL.value, ACTIVE: Status.ACTIVE.value, ARCHIVED: Status.ARCHIVED.value}
STEPS = {ACTIVATE: (INITIAL, ACTIVE), DEGRADE: (ACTIVE, ARCHIVED), TIME_OUT: (INITIAL, ARCHIVED)}


@dataclass(frozen=True, slots=True)
class Told:
    """One alert that was due; `verdict` says why it would have been held back, blank where it would have gone out. No pk: the system."""

    at: float
    pk: int
    sentence: str
    verdict: str


def trial(rule: AlertRule, stretch: Stretch, revision: ScoringSettings, played: Replay) -> list[Told]:
    """In the order of time."""
    due = _events(rule, stretch, played) if KINDS[rule.kind].about == EVENT else _crossings(rule, stretch, revision, played)
    return judged(rule, due)


def judged(rule: AlertRule, due: Sequence[tuple[float, int, str]]) -> list[Told]:
    """Alerts that are due (moment, token, sentence), in the order of time, with what the rule's manner says to each."""
    verdicts = held_back([(at, pk) for at, pk, _ in due], rule.manner())
    return [Told(at, pk, sentence, verdict) for (at, pk, sentence), verdict in zip(due, verdicts, strict=True)]


def alerts_an_hour(rules: Sequence[AlertRule], stretch: Stretch, revision: ScoringSettings, played: Replay) -> float | None:
    """Of all rules that follow from scores and figures; None where there is no such rule."""
    rules = [rule for rule in rules if rule.enabled and KINDS[rule.kind].about != SYSTEM]
    if not rules:
        return None
    told = sum(not each.verdict for rule in rules for each in trial(rule, stretch, revision, played))
    return told / max(stretch.hours, 1 / 60)


def over_time(level: Level, course: Sequence[tuple[float, float]]) -> list[float]:
    """When one value that takes this course (moment, value) becomes an alert. Its first value is learned silently."""
    known, moments = np.array([UNSEEN], dtype=np.int8), []
    for place, (at, value) in enumerate(course):
        known, fires = step(level, known, np.array([value]), np.array([True]), np.array([place == 0]))
        moments += [at] if fires[0] else []
    return moments


def _crossings(rule: AlertRule, stretch: Stretch, revision: ScoringSettings, played: Replay) -> list[tuple[float, int, str]]:
    level, figure = rule.level_of(), figure_of(rule)
    active, living = _after_the_tick(played)
    ts = stretch.columns["ts"]
    known = value_of(figure, _columns(figure, stretch, revision, played), ts, revision.holders_freshness_sec)
    value = np.where(living, known, np.nan)
    token_of = _tokens_of_rows(stretch)
    allowed = allows(rule, active, stretch.columns["liquidity"], ts - stretch.created_at[token_of])
    rows = _fired(level, stretch, value, allowed, token_of)
    strength = -value[rows] if level.rising else value[rows]
    order = np.lexsort((strength, ts[rows]))
    return [
        (float(ts[row]), int(stretch.pks[token_of[row]]), alert_words.crossing(figure, level, float(value[row])))
        for row in rows[order].tolist()
    ]


def _fired(level: Level, stretch: Stretch, value: Numbers, allowed: Flags, token_of: Places) -> Places:
    """The rows that are alerts. Only tokens that are ever beyond the level are walked."""
    sign = 1.0 if level.rising else -1.0
    able = np.unique(token_of[(sign * value >= sign * level.at) & allowed])
    elder = stretch.created_at[able] <= stretch.start.timestamp()
    known = np.full(able.size, UNSEEN, dtype=np.int8)
    rows: list[Places] = []
    for begin, end in zip(stretch.turns[:-1].tolist(), stretch.turns[1:].tolist(), strict=True):
        here = int(np.searchsorted(able, end - begin))
        if not here:
            break
        at, before = begin + able[:here], known[:here]
        known[:here], fires = step(level, before, value[at], allowed[at], (before == UNSEEN) & elder[:here])
        rows.append(at[fires])
    return np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)


def _tokens_of_rows(stretch: Stretch) -> Places:
    lengths = np.diff(stretch.turns)
    return np.arange(stretch.rows, dtype=np.int64) - np.repeat(stretch.turns[:-1], lengths)


def _after_the_tick(played: Replay) -> tuple[Flags, Flags]:
    """Which rows belong to an Active token, and which to a living one, when the rules look: after the status rule has."""
    active, living = played.was_active.copy(), played.watched.copy()
    for _, row, verdict in played.changes:
        active[row], living[row] = STEPS[verdict][1] == ACTIVE, STEPS[verdict][1] != ARCHIVED
    return active, living


def _columns(figure: str, stretch: Stretch, revision: ScoringSettings, played: Replay) -> Mapping[str, Numbers]:
    if figure == "score":
        return {figure: played.score}
    if figure not in METRICS:
        return stretch.columns
    key = ("raw", revision.freshness_limit_sec, revision.holders_freshness_sec)
    raw = stretch.known.get(key)
    if not isinstance(raw, np.ndarray):
        raw = measure(stretch.inputs, revision.freshness_limit_sec, revision.holders_freshness_sec).raw
        stretch.known[key] = raw
    return {figure: raw[METRICS.index(figure)]}


def _events(rule: AlertRule, stretch: Stretch, played: Replay) -> list[tuple[float, int, str]]:
    """Changes of status by the rule, and tokens that were born."""
    since = stretch.start.timestamp()
    newborn = np.flatnonzero(stretch.created_at > since).tolist()
    born = [(float(stretch.created_at[token]), token, -1, "", NAMES[INITIAL]) for token in newborn]
    moved = [
        (float(stretch.columns["ts"][row]), token, row, NAMES[STEPS[verdict][0]], NAMES[STEPS[verdict][1]])
        for token, row, verdict in played.changes
    ]
    return [
        (at, int(stretch.pks[token]), f"{old or 'new'} → {new}")
        for at, token, row, old, new in sorted([*born, *moved])
        if takes(rule.old_status, old) and takes(rule.new_status, new) and _meets(rule, stretch, at, token, row)
    ]


def _meets(rule: AlertRule, stretch: Stretch, at: float, token: int, row: int) -> bool:
    liquidity = stretch.columns["liquidity"][row : row + 1] if row >= 0 else np.array([np.nan])
    return bool(allows(rule.for_events(), np.array([True]), liquidity, np.array([at - stretch.created_at[token]]))[0])
