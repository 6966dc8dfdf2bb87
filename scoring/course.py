"""The status rule over a stretch of history: which rows a token is watched in, which it is Active in, and what became of it. Pure.

`tokens.status_rule` says what each snapshot means; here each token goes from check to check. Whether a token becomes Active depends on its
snapshots alone, and only an Active one is held to its score: so the first part of the way is gone before there are any scores, and the
interval of each row is known to the smoothing. A token's rows lie in the order of time, each one younger than the last and than the score
that it goes on from: each is looked at once, but for those that are outdated.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tokens import status_rule as rules
from tokens.status_rule import Rule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.history import Stretch

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Turns = NDArray[np.int64]

INITIAL, ACTIVE, ARCHIVED = range(3)
NEVER = np.iinfo(np.int64).max
BLOCK = 16_384  # rows at a time: what is asked of them stays in the processor's cache
ROUNDING_SEC = 1.0  # many small times added up, against the whole


@dataclass(frozen=True, slots=True)
class _Figures:
    """Some rows as the rule reads them."""

    tx_count_5m: Numbers
    liquidity: Numbers
    pools: Numbers
    contradictory: Flags
    score: Numbers


@dataclass(frozen=True, slots=True)
class _Run:
    low_since: Numbers
    low_checks: Numbers
    snapshot_at: Numbers


class Course:
    """One revision's way through the stretch. `activated` and `archived` are the turns in which it happened, NEVER where it did not."""

    def __init__(self, stretch: Stretch, rule: Rule) -> None:
        self.stretch, self.rule = stretch, rule
        self.activated = np.where(stretch.active, -1, NEVER)  # before the first turn
        self.archived = np.full(stretch.pks.size, NEVER)
        self.changes: list[tuple[int, int, int]] = []  # token's place, row, verdict
        self.low_checks = np.zeros(stretch.pks.size)
        self._lookable = self._to_look_at()
        self._wait()

    @property
    def status(self) -> NDArray[np.int8]:
        """At the end."""
        after = np.where(self.activated != NEVER, ACTIVE, INITIAL)
        return np.where(self.archived != NEVER, ARCHIVED, after).astype(np.int8)

    def watched(self) -> Flags:
        """For each row: not archived before."""
        rows = np.empty(self.stretch.rows, dtype=bool)
        for turn, (begin, end) in enumerate(pairwise(self.stretch.turns.tolist())):
            np.greater_equal(self.archived[: end - begin], turn, out=rows[begin:end])
        return rows

    def was_active(self) -> Flags:
        """For each row: Active when it was scored."""
        rows = np.empty(self.stretch.rows, dtype=bool)
        for turn, (begin, end) in enumerate(pairwise(self.stretch.turns.tolist())):
            np.less(self.activated[: end - begin], turn, out=rows[begin:end])
        return rows & self.watched() if (self.archived != NEVER).any() else rows

    def last_row(self) -> Turns:
        """Of each token, the last one that it was watched in."""
        stretch = self.stretch
        turns = np.minimum(self.archived, stretch.turns.size - 1)
        cut = stretch.turns[turns] + np.arange(stretch.pks.size)
        return np.where(self.archived != NEVER, cut, stretch.last)

    def _to_look_at(self) -> Flags:
        """For each row: not outdated. A replay looks at it the moment it is there."""
        inputs = self.stretch.inputs
        rows = np.empty(self.stretch.rows, dtype=bool)
        for block in self._blocks():
            ages, trades = inputs.last_trade_age_sec[block], inputs.tx_count_5m[block]
            old = rules.trades_are_outdated(ages, trades, self.rule.freshness_limit_sec)
            np.logical_not(old & inputs.same_source[block], out=rows[block])
        return rows

    def _blocks(self) -> list[slice]:
        return [slice(begin, begin + BLOCK) for begin in range(0, self.stretch.rows, BLOCK)]

    def _figures(self, block: slice, pooled: Numbers, score: Numbers) -> _Figures:
        columns = self.stretch.columns
        return _Figures(columns["tx_count_5m"][block], columns["liquidity"][block], pooled, columns["contradictory"][block] == 1, score)

    def _wait(self) -> None:
        """Of the Initial ones each becomes Active, runs out of time, or waits on."""
        stretch, waiting = self.stretch, ~self.stretch.active & ~self.stretch.held
        if not waiting.any():
            return
        may, clock = self._may_activate(), _Clock(stretch, self.rule, waiting)
        for turn, (begin, end) in enumerate(pairwise(stretch.turns.tolist())):
            rows, here = slice(begin, end), waiting[: end - begin]
            looked = self._lookable[rows] & here
            ready = looked & may[rows]
            late = clock.has_run_out(rows, looked)
            for place in np.flatnonzero(ready if late is None else ready | late).tolist():
                activates = bool(ready[place])
                (self.activated if activates else self.archived)[place] = turn
                self.changes.append((place, begin + place, rules.ACTIVATE if activates else rules.TIME_OUT))
                here[place] = False

    def _may_activate(self) -> Flags:
        """For each row: it would make an Initial token Active."""
        stretch = self.stretch
        at, pooled, rows = stretch.columns["ts"], np.empty(stretch.rows, dtype=bool), np.empty(stretch.rows, dtype=bool)
        for begin, end in pairwise(stretch.turns.tolist()):
            np.less_equal(stretch.pool_since[: end - begin], at[begin:end], out=pooled[begin:end])
        for block in self._blocks():
            nothing = np.broadcast_to(np.nan, rows[block].shape)
            rows[block] = rules.may_activate(self._figures(block, pooled[block].astype(np.float64), nothing), self.rule)
        return rows

    def hold_to(self, score: Numbers) -> None:
        """Of the Active ones each is archived where its checks are low for long enough. `score` has one value a row."""
        low, good = self._low_and_good(score)
        stretch, alive = self.stretch, ~self.stretch.held
        at, since, checks = stretch.columns["ts"], np.full(stretch.pks.size, np.nan), self.low_checks
        for turn, (begin, end) in enumerate(pairwise(stretch.turns.tolist())):
            active = (self.activated[: end - begin] < turn) & alive[: end - begin]
            falls = low[begin:end] & active
            places = np.flatnonzero(falls | (good[begin:end] & active & (checks[: end - begin] > 0)))  # the others stay as they are
            if not places.size:
                continue
            fell = falls[places]
            run = _Run(since[places], checks[places], at[begin + places])
            since[places], checks[places] = rules.streak(run, self.rule, fell, ~fell)
            for place in places[fell & (checks[places] >= self.rule.degrade_checks)].tolist():
                self.changes.append((place, begin + place, rules.DEGRADE))
                self.archived[place], alive[place], checks[place] = turn, False, 0.0
        self.changes.sort(key=lambda change: change[1])

    def _low_and_good(self, score: Numbers) -> tuple[Flags, Flags]:
        low, good = np.empty(score.shape, dtype=bool), np.empty(score.shape, dtype=bool)
        for block in self._blocks():
            nothing = np.broadcast_to(np.nan, score[block].shape)
            found = rules.low_and_good(self._figures(block, nothing, score[block]), self.rule)
            for rows, mine in zip((low, good), found, strict=True):
                np.logical_and(mine, self._lookable[block], out=rows[block])
        return low, good


class _Clock:
    """The observed time of tokens that wait. Where nobody's can run out within the stretch, it is not counted."""

    def __init__(self, stretch: Stretch, rule: Rule, waiting: Flags) -> None:
        self.stretch, self.rule = stretch, rule
        self.at = stretch.columns["ts"]
        self.observed, self.last_check = stretch.observed_sec.copy(), stretch.seed_ts.copy()
        at_most = self.observed + (self.at[stretch.last] - np.fmin(stretch.seed_ts, self.at[: waiting.size])) + ROUNDING_SEC
        self.runs = bool((waiting & (at_most >= rule.initial_timeout_sec)).any())

    def has_run_out(self, rows: slice, looked: Flags) -> Flags | None:
        if not self.runs:
            return None
        tokens, at = slice(0, looked.size), self.at[rows]
        most = rules.longest_counted(np.zeros(looked.shape, dtype=bool), self.stretch.inputs.age_sec[rows], self.rule)
        since_check = np.nan_to_num(np.minimum(at - self.last_check[tokens], most), nan=0.0)
        self.observed[tokens] += np.where(looked, since_check, 0.0)
        np.putmask(self.last_check[tokens], looked, at)
        return looked & (self.observed[tokens] >= self.rule.initial_timeout_sec)
