"""Two replays of one stretch, held against each other: what a draft would have changed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ingestion.birdeye_answers import OVERVIEW, PRICES
from ingestion.turns import WORTH_FROM
from scoring.alert_trial import alerts_an_hour
from scoring.metrics import METRICS
from scoring.settings_in_force import interval_sec
from scoring.whatif import ACTIVE, Replay
from tokens.status_rule import ACTIVATE, DEGRADE, TIME_OUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scoring.alert_models import AlertRule
    from scoring.history import Stretch
    from scoring.models import ScoringSettings

    Numbers = NDArray[np.float64]

TOP = 20
BARS = 24
DAY_SEC = 86_400.0


@dataclass(frozen=True)
class Moved:
    """One line of the ranking. A place is None for a token that has none."""

    pk: int
    now_place: int | None
    place: int | None
    now_score: float | None
    score: float | None
    parts: dict[str, float]  # by how much each metric's contribution changes

    @property
    def rise(self) -> int:
        """Places won; negative for places lost, 0 where one of the two is missing."""
        return self.now_place - self.place if self.now_place is not None and self.place is not None else 0


@dataclass(frozen=True)
class Allowance:
    """What Birdeye may be asked for in a day. `most` is None without a limit; without a key nothing is asked."""

    has_key: bool
    most: float | None


@dataclass(frozen=True)
class Side:
    """What one of the two revisions would have done."""

    active: int
    kept: int  # Active when their figures end, for workers archived them: what became of them nobody knows
    scored: int
    alerts_an_hour: float | None  # None: there is no rule for alerts
    units_a_day: float
    units_wanted: float
    median: float | None
    bars: list[int]


@dataclass(frozen=True)
class Preview:
    ranking: list[Moved]
    moved: int  # how many of all ranked tokens change their place
    ranked: int
    now: Side
    draft: Side
    more: dict[str, list[int]]  # tokens that only the draft does this to
    fewer: dict[str, list[int]]  # tokens that only the revision in force does this to
    same: dict[str, int]
    correlation: float | None
    lowest: float
    highest: float
    hours: float
    rows: int
    tokens: int


def compare(
    stretch: Stretch,
    now: tuple[ScoringSettings, Replay],
    draft: tuple[ScoringSettings, Replay],
    may: Allowance,
    rules: Sequence[AlertRule] = (),
    in_force: ScoringSettings | None = None,
) -> Preview:
    """`now` and `draft` are each a revision and its replay of this stretch; `rules` say which alerts there would have been.

    The stretch was polled under `in_force`, which is `now` unless told so.
    """
    present = in_force or now[0]
    ranked_now, ranked = _ranked(stretch, now[1]), _ranked(stretch, draft[1])
    more, fewer, same = _changes(stretch, now[1], draft[1])
    low, high = _ends(now[1].last_score[ranked_now], draft[1].last_score[ranked])
    places_now = {token: place for place, token in enumerate(ranked_now.tolist(), 1)}
    places = {token: place for place, token in enumerate(ranked.tolist(), 1)}
    return Preview(
        ranking=_ranking(stretch, now[1], draft[1], places_now, places),
        moved=sum(places.get(token) != places_now.get(token) for token in places.keys() | places_now.keys()),
        ranked=len(places.keys() | places_now.keys()),
        now=_side(stretch, now, present, ranked_now, (low, high), may, rules),
        draft=_side(stretch, draft, present, ranked, (low, high), may, rules),
        more=more,
        fewer=fewer,
        same=same,
        correlation=_rank_correlation(now[1], draft[1], np.union1d(ranked_now, ranked).astype(np.int64)),
        lowest=low,
        highest=high,
        hours=stretch.hours,
        rows=stretch.rows,
        tokens=stretch.pks.size,
    )


def _ranked(stretch: Stretch, played: Replay) -> NDArray[np.int64]:
    """Places of the tokens that are Active at the end and have a score, the highest first. Whom workers watch no more is not ranked."""
    in_it = np.flatnonzero((played.status == ACTIVE) & stretch.living & ~np.isnan(played.last_score))
    return in_it[np.lexsort((stretch.pks[in_it], -played.last_score[in_it]))]


def _ranking(stretch: Stretch, now: Replay, draft: Replay, places_now: dict[int, int], places: dict[int, int]) -> list[Moved]:
    """The first of the draft, and those that were among the first and are so no more."""
    shown = [token for token, place in places.items() if place <= TOP]
    shown += [token for token, place in places_now.items() if place <= TOP and places.get(token, TOP + 1) > TOP]
    return [_moved(token, stretch, now, draft, places_now, places) for token in shown]


def _moved(token: int, stretch: Stretch, now: Replay, draft: Replay, places_now: dict[int, int], places: dict[int, int]) -> Moved:
    change = np.nan_to_num(draft.contributions[:, token]) - np.nan_to_num(now.contributions[:, token])
    return Moved(
        pk=int(stretch.pks[token]),
        now_place=places_now.get(token),
        place=places.get(token),
        now_score=_known(now.last_score[token]),
        score=_known(draft.last_score[token]),
        parts=dict(zip(METRICS, change.tolist(), strict=True)),
    )


def _known(value: float) -> float | None:
    return float(value) if value == value else None


def _changes(stretch: Stretch, now: Replay, draft: Replay) -> tuple[dict[str, list[int]], dict[str, list[int]], dict[str, int]]:
    more, fewer, same = {}, {}, {}
    for name, verdicts in (("activated", (ACTIVATE,)), ("archived", (DEGRADE, TIME_OUT))):
        before = {token for token, _, verdict in now.changes if verdict in verdicts}
        after = {token for token, _, verdict in draft.changes if verdict in verdicts}
        more[name] = [int(stretch.pks[token]) for token in sorted(after - before)]
        fewer[name] = [int(stretch.pks[token]) for token in sorted(before - after)]
        same[name] = len(before & after)
    return more, fewer, same


def _ends(*scores: Numbers) -> tuple[float, float]:
    together = np.concatenate(scores)
    return (float(together.min()), float(together.max())) if together.size else (0.0, 0.0)


def _side(
    stretch: Stretch,
    side: tuple[ScoringSettings, Replay],
    present: ScoringSettings,
    ranked: NDArray[np.int64],
    ends: tuple[float, float],
    may: Allowance,
    rules: Sequence[AlertRule],
) -> Side:
    revision, played = side
    scores = played.last_score[ranked]
    wanted = _units(stretch, revision, present, played) if may.has_key else 0.0
    return Side(
        active=int(((played.status == ACTIVE) & stretch.living).sum()),
        kept=int(((played.status == ACTIVE) & ~stretch.living).sum()),
        scored=int(scores.size),
        alerts_an_hour=alerts_an_hour(rules, stretch, revision, played),
        units_a_day=wanted if may.most is None else min(wanted, may.most),
        units_wanted=wanted,
        median=float(np.median(scores)) if scores.size else None,
        bars=np.histogram(scores, BARS, range=ends)[0].tolist() if scores.size and ends[1] > ends[0] else [],
    )


def _units(stretch: Stretch, revision: ScoringSettings, present: ScoringSettings, played: Replay) -> float:
    """Compute units that a day like this would ask Birdeye for: each poll of an Active token, and of an Initial one near a threshold."""
    columns = stretch.columns
    reach = np.fmax(
        columns["liquidity"] / max(revision.min_active_liquidity, 1e-9), columns["tx_count_5m"] / max(revision.min_tx_count, 1e-9)
    )
    worth = played.watched & ~played.was_active & ~(reach < WORTH_FROM)
    polls = sum(
        float(rows.sum()) * interval_sec(present, status) / interval_sec(revision, status)
        for rows, status in ((played.was_active, "Active"), (worth, "Initial"))
    )
    return polls * PRICES[OVERVIEW] * DAY_SEC / max(stretch.hours * 3600, 60.0)


def _rank_correlation(now: Replay, draft: Replay, tokens: NDArray[np.int64]) -> float | None:
    """Spearman's: 1 for the same order, −1 for the opposite. None where there is nothing to compare."""
    first, second = now.last_score[tokens], draft.last_score[tokens]
    known = ~(np.isnan(first) | np.isnan(second))
    return spearman(first[known], second[known])


def spearman(first: Numbers, second: Numbers) -> float | None:
    """The correlation of ranks; equal values share the mean of their ranks. None for fewer than two values, or where all are equal."""
    if first.size < 2:
        return None
    one, other = (_mean_ranks(values) - (values.size + 1) / 2 for values in (first, second))
    spread = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / spread if spread > 0 else None


def _mean_ranks(values: Numbers) -> Numbers:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])
