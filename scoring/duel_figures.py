"""What the looks of a duel say about its sides. Pure: evidence in, figures with their intervals out; None where there is too little.

    pick       a token among the first K of a side's own list at one look: Active for that side, the highest scores first
    hit        its price, seen later within the horizon, once stood `rise` above the look's price after costs
    held       at the end of the horizon it still stood above that price after costs
    gain       what it had won by then after costs; a token that nobody could see any more keeps its last price, and is neither held nor,
               from then on, a hit. Dead and archived tokens count: a pick stays a pick whatever became of the token
    costs      2 % for buying and selling together

A window in which nobody looked for a while says nothing and is left out, for all sides alike. Windows overlap and a token is picked many
times, so picks are not independent: intervals come from drawing blocks of time and tokens anew, both at once (the pigeonhole bootstrap,
which errs on the wide side). The same draws serve all sides: two sides that pick the same differ by exactly 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from scoring.draws import Draws, Estimate, interval, weighted_medians

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.duel_looks import Look

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]
    Flags = NDArray[np.bool_]

COST = 0.02
LEAST_BLOCKS, LEAST_TOKENS = 8, 10
SHORTEST_BLOCK_SEC = 1800.0
LARGEST_GAP_SEC = 150.0  # or two and a half times the usual step between looks
LEAST_RANKED = 3
MOST_RANKED = 200_000  # rows; of more, every second look is ranked, or every third …


@dataclass(frozen=True)
class Terms:
    """What is asked: of the first `first` at each look, how many rose by `rise` within `minutes`?"""

    first: int = 5
    rise: float = 0.25
    minutes: float = 60.0

    @property
    def horizon_sec(self) -> float:
        return self.minutes * 60.0

    @property
    def block_sec(self) -> float:
        return max(self.horizon_sec, SHORTEST_BLOCK_SEC)

    @property
    def block_minutes(self) -> float:
        return self.block_sec / 60


@dataclass(frozen=True, eq=False)
class Evidence:
    """Looks one after the other: look n holds rows begins[n] to begins[n + 1]. `score` and `active` have one row a side."""

    at: Numbers
    begins: Places
    token: Places
    price: Numbers
    score: Numbers
    active: Flags
    known: dict[tuple[int, int], Numbers] = field(default_factory=dict)  # correlations, which no question changes

    @cached_property
    def look(self) -> Places:
        """The look that each row belongs to."""
        return np.repeat(np.arange(self.at.size), np.diff(self.begins))

    @property
    def gap_sec(self) -> float:
        return max(LARGEST_GAP_SEC, 2.5 * float(np.median(np.diff(self.at)))) if self.at.size > 1 else LARGEST_GAP_SEC


@dataclass(frozen=True, eq=False)
class Picks:
    """The picks of one side that the evidence can judge."""

    look: Places
    token: Places
    hit: Numbers
    held: Numbers
    gain: Numbers
    dark: Numbers  # nobody could see it any more at the end

    def __len__(self) -> int:
        return int(self.look.size)


@dataclass(frozen=True)
class Sample:
    """How much stands behind a figure."""

    picks: int
    tokens: int
    blocks: int

    @property
    def enough(self) -> bool:
        return self.blocks >= LEAST_BLOCKS and self.tokens >= LEAST_TOKENS


def gather(at: Sequence[float], looks: Sequence[Look]) -> Evidence:
    """Looks in the order of time, as one."""
    counts = [look.token.size for look in looks]
    sides = max((look.score.shape[0] for look in looks), default=1)
    return Evidence(
        at=np.array(at, dtype=np.float64),
        begins=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        token=np.concatenate([look.token for look in looks]) if looks else np.empty(0, dtype=np.int64),
        price=np.concatenate([look.price for look in looks]) if looks else np.empty(0),
        score=np.concatenate([look.score for look in looks], axis=1) if looks else np.empty((sides, 0)),
        active=np.concatenate([look.active for look in looks], axis=1) if looks else np.empty((sides, 0), dtype=np.bool_),
    )


def first_rows(evidence: Evidence, side: int, first: int) -> Places:
    """The rows of a side's first tokens at each look: its own list, the highest score first, equal ones by key as the pages do."""
    listed = np.flatnonzero(evidence.active[side] & ~np.isnan(evidence.score[side]))
    look = evidence.look[listed]
    order = np.lexsort((evidence.token[listed], -evidence.score[side, listed], look))
    begins = np.searchsorted(look, np.arange(evidence.at.size))  # rows come look by look, and the order keeps that
    return listed[order][np.arange(listed.size) - begins[look] < first]


def judged(evidence: Evidence, rows: Places, terms: Terms) -> Picks:
    """What became of picks, where their whole horizon was watched and their price was known."""
    look, price = evidence.look[rows], evidence.price[rows]
    ends, whole = _windows(evidence, terms.horizon_sec)
    taken = whole[look] & (price > 0)
    rows, look, price = rows[taken], look[taken], price[taken]
    names, mine = np.unique(evidence.token[rows], return_inverse=True)
    paths = _paths(evidence, names)
    best = _best(paths, look, mine, ends)
    last = _filled(paths)[ends[look], mine] if rows.size else price
    dark = np.isnan(paths[ends[look], mine]) if rows.size else np.zeros(0, dtype=bool)
    kept = (1 - COST) / price
    return Picks(
        look=look,
        token=evidence.token[rows],
        hit=(best * kept - 1 >= terms.rise).astype(np.float64),
        held=((last * kept > 1) & ~dark).astype(np.float64),
        gain=last * kept - 1,
        dark=dark.astype(np.float64),
    )


def _windows(evidence: Evidence, horizon_sec: float) -> tuple[Places, Flags]:
    """For each look the last one within its horizon, and whether somebody looked all the while until its end."""
    at = evidence.at
    if at.size < 2:
        return np.zeros(at.size, dtype=np.int64), np.zeros(at.size, dtype=bool)
    ends = np.searchsorted(at, at + horizon_sec, "right") - 1
    holes = np.concatenate([[0], np.cumsum(np.diff(at) > evidence.gap_sec)])
    whole = (
        (at + horizon_sec <= at[-1])
        & (holes[ends] == holes)
        & (at + horizon_sec - at[ends] <= evidence.gap_sec)
        & (ends > np.arange(at.size))
    )
    return ends.astype(np.int64), whole


def _paths(evidence: Evidence, names: Places) -> Numbers:
    """Prices of some tokens: looks × tokens, NaN where a look did not show one."""
    paths = np.full((evidence.at.size, names.size), np.nan)
    if names.size:
        place = np.minimum(np.searchsorted(names, evidence.token), names.size - 1)
        known = (names[place] == evidence.token) & (evidence.price > 0)
        paths[evidence.look[known], place[known]] = evidence.price[known]
    return paths


def _best(paths: Numbers, look: Places, token: Places, ends: Places) -> Numbers:
    """The highest price after each pick's look and up to its end; 0 where none was seen."""
    best = np.zeros(look.size)
    for at, begin, end in _runs(look):
        window = paths[at + 1 : ends[at] + 1, token[begin:end]]
        best[begin:end] = np.max(window, axis=0, initial=0.0, where=~np.isnan(window))
    return best


def _runs(look: Places) -> list[tuple[int, int, int]]:
    """Where the rows of each look begin and end; the rows come look by look."""
    begins = np.flatnonzero(np.diff(look, prepend=-1))
    return list(zip(look[begins].tolist(), begins.tolist(), [*begins[1:].tolist(), look.size][: begins.size], strict=True))


def _filled(paths: Numbers) -> Numbers:
    """Each token's last known price."""
    newest = np.maximum.accumulate(np.where(np.isnan(paths), -1, np.arange(paths.shape[0])[:, None]), axis=0)
    return np.where(newest >= 0, np.take_along_axis(paths, np.maximum(newest, 0), axis=0), np.nan)


# Order and time


def rank_correlations(evidence: Evidence, one: int, other: int) -> Numbers:
    """Spearman's at each look, over tokens that both have a score for and at least one has in its list; NaN for fewer than three."""
    if (one, other) not in evidence.known:
        evidence.known[one, other] = _correlated(evidence, one, other)
    return evidence.known[one, other]


def _correlated(evidence: Evidence, one: int, other: int) -> Numbers:
    both = np.flatnonzero((evidence.active[one] | evidence.active[other]) & ~np.isnan(evidence.score[[one, other]]).any(axis=0))
    both = both[evidence.look[both] % (1 + both.size // MOST_RANKED) == 0]
    look, looks = evidence.look[both], evidence.at.size
    counts = np.bincount(look, minlength=looks)
    first, second = (_centred_ranks(look, evidence.score[side, both], counts) for side in (one, other))
    together, mine, theirs = (np.bincount(look, weights, looks) for weights in (first * second, first**2, second**2))
    spread = np.sqrt(mine * theirs)
    told: Numbers = np.divide(together, spread, out=np.full(looks, np.nan), where=(spread > 0) & (counts >= LEAST_RANKED))
    return told


def _centred_ranks(look: Places, values: Numbers, counts: Places) -> Numbers:
    """Ranks within each look, less their mean; equal values share the mean of their ranks."""
    order = np.lexsort((values, look))
    anew = np.ones(values.size, dtype=bool)
    anew[1:] = (np.diff(look[order]) != 0) | (np.diff(values[order]) != 0)
    group = np.cumsum(anew) - 1
    mean_place = np.bincount(group, np.arange(values.size)) / np.bincount(group) if values.size else np.zeros(0)
    ranks = np.empty(values.size)
    begins = np.cumsum(counts) - counts
    ranks[order] = mean_place[group] - begins[look[order]] - (counts[look[order]] - 1) / 2
    return ranks


def first_seen(evidence: Evidence, rows: Places) -> dict[int, float]:
    """When each token first stood in these rows, but for those of the very first look: they may have stood there for long."""
    look = evidence.look[rows]
    elder = set(evidence.token[rows[look == 0]].tolist())
    names, where = np.unique(evidence.token[rows], return_index=True)
    return {token: at for token, at in zip(names.tolist(), evidence.at[look[where]].tolist(), strict=True) if token not in elder}


@dataclass(frozen=True)
class Lead:
    """By how many minutes one side was earlier; `median` is None for too few tokens that both came to, or in too few blocks of time."""

    both: int
    only_mine: int
    only_theirs: int
    median: Estimate | None


def lead(mine: dict[int, float], theirs: dict[int, float], block_sec: float, level: float = 0.95) -> Lead:
    """Positive where `mine` was earlier. Tokens of the same block of time are drawn together, and tokens anew within them."""
    both = sorted(mine.keys() & theirs.keys())
    counts = len(both), len(mine.keys() - theirs.keys()), len(theirs.keys() - mine.keys())
    minutes = np.array([(theirs[token] - mine[token]) / 60 for token in both])
    blocks = np.array([theirs[token] // block_sec for token in both], dtype=np.int64)
    if len(both) < LEAST_TOKENS or np.unique(blocks).size < LEAST_BLOCKS:
        return Lead(*counts, None)
    draws = Draws.over(blocks, np.array(both, dtype=np.int64))
    weights = draws.of_blocks[:, np.searchsorted(draws.blocks, blocks)] * draws.of_tokens
    return Lead(*counts, interval(float(np.median(minutes)), weighted_medians(minutes, weights), level))
