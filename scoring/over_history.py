"""The smoothing and the weighing of `scoring.metrics` over a whole history at once: pure, the same numbers to the last digit.

Places lie turn after turn, the n-th from turns[n] to turns[n + 1], and a later turn has no more places than the one before it. All that
does not need the turn before is worked out in blocks of many turns, which stay in the processor's cache, so a turn costs a few short
operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.metrics import BLOCK, METRICS, Formula, Memory, decay, shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]

NEVER = 1e200  # seconds: no time that is added lengthens it, and of what was before it nothing is kept
PATTERNS = (np.arange(1 << len(METRICS)) >> np.arange(len(METRICS))[:, None]) & 1 == 1  # which metrics count: all that can be


def smooth_history(
    parts: Numbers,
    counted: Flags,
    memory: Memory,
    elapsed_sec: Numbers,
    interval_sec: Numbers | float,
    alpha: float,
    turns: Sequence[int],
    out: Numbers | None = None,
) -> tuple[Numbers, Memory]:
    """`smooth` over all turns of a history: what it gives at each place, and what it remembers at the end. `out` is written over."""
    value = memory.value.copy()
    age = np.where(np.isnan(value), NEVER, memory.age_sec)
    smoothed, room = np.empty(parts.shape) if out is None else out, _Room(turns)
    for spans in _groups(turns):
        block, work = slice(spans[0][0], spans[-1][1]), room.of(spans)
        elapsed, unknown = elapsed_sec[block], np.isnan(elapsed_sec[block])
        interval = interval_sec[block] if isinstance(interval_sec, np.ndarray) else interval_sec
        work.there.fill(counted[:, block])
        work.news.fill(parts[:, block])
        _wait(work, age, np.where(unknown, 0.0, elapsed) if unknown.any() else elapsed)
        some_begin = _forget(work, elapsed, interval, alpha)
        for (begin, end), there, new, kept in zip(spans, work.there.turns, work.news.turns, work.kept.turns, strict=True):
            last = value[:, : end - begin]
            if some_begin:
                np.putmask(last, np.isnan(last) & there, 0.0)
            np.subtract(last, new, out=last)
            np.multiply(last, kept, out=last)
            np.add(last, new, out=last)
            smoothed[:, begin:end] = last
    return smoothed, Memory(value, np.where(age >= NEVER, np.nan, age))


class _Held:
    """Some turns in one piece of memory, turn after turn with a row for each metric: so a turn is one stretch of it, and goes in one go."""

    def __init__(self, memory: NDArray[Any], spans: Sequence[tuple[int, int]]) -> None:
        rows, start, wide = len(METRICS), spans[0][0], spans[0][1] - spans[0][0]
        self.spans = [(begin - start, end - start) for begin, end in spans]
        self.even = spans[-1][1] - spans[-1][0] == wide  # for no turn is wider than the one before it
        self.all: NDArray[Any] = memory[: rows * self.spans[-1][1]]
        self.together: NDArray[Any] = self.all.reshape(len(spans), rows, wide) if self.even else self.all
        one_by_one = [] if self.even else [self.all[rows * begin : rows * end].reshape(rows, end - begin) for begin, end in self.spans]
        self.turns: Sequence[NDArray[Any]] = list(self.together) if self.even else one_by_one

    def fill(self, places: NDArray[Any]) -> None:
        """With a block's places: a row a metric, or one row for all."""
        if self.even:
            turns, _, wide = self.together.shape
            self.together[:] = places.reshape(len(places), turns, wide).transpose(1, 0, 2)
            return
        for turn, (begin, end) in zip(self.turns, self.spans, strict=True):
            turn[:] = places[:, begin:end]


@dataclass(frozen=True, slots=True)
class _Work:
    """What is worked out of one block."""

    there: _Held
    odd: _Held  # has a value, and had none the turn before
    absent: _Held  # 1 without a value, else 0
    news: _Held
    gap: _Held  # since the last value
    kept: _Held  # of the old average


class _Room:
    """Memory for one block after the other: what is asked of the system anew for each costs more than the arithmetic."""

    def __init__(self, turns: Sequence[int]) -> None:
        most = len(METRICS) * max((spans[-1][1] - spans[0][0] for spans in _groups(turns)), default=0)
        self.memory = [np.empty(most, dtype=kind) for kind in (bool, bool, float, float, float, float)]

    def of(self, spans: Sequence[tuple[int, int]]) -> _Work:
        return _Work(*(_Held(memory, spans) for memory in self.memory))


def _wait(work: _Work, age: Numbers, elapsed_sec: Numbers) -> None:
    """The time since each metric last had a value, at each place of a block. `age` goes on with it."""
    np.logical_not(work.there.all, out=work.absent.all)
    for (begin, end), odd, gap, absent in zip(work.gap.spans, work.odd.turns, work.gap.turns, work.absent.turns, strict=True):
        now = age[:, : end - begin]
        np.not_equal(now, 0.0, out=odd)
        np.add(now, elapsed_sec[begin:end], out=gap)
        np.multiply(gap, absent, out=now)
    np.logical_and(work.odd.all, work.there.all, out=work.odd.all)


def _forget(work: _Work, elapsed_sec: Numbers, interval_sec: Numbers | float, alpha: float) -> bool:
    """How much of the old average stays. Metrics that had a value the turn before share one power; the others have their own; one without
    a value keeps all. Whether any has its first value, which keeps nothing."""
    shared = decay(alpha, np.maximum(elapsed_sec, 0.0) / interval_sec)
    work.kept.fill(shared[np.newaxis])
    odd, away = np.flatnonzero(work.odd.all), np.flatnonzero(~work.there.all)
    gap = work.gap.all[odd]
    work.kept.all[odd] = decay(alpha, np.maximum(gap, 0.0) / _of_places(interval_sec, odd, work.absent))
    work.kept.all[away], work.news.all[away] = 1.0, 0.0
    return bool((gap >= NEVER).any())


def _of_places(interval_sec: Numbers | float, places: NDArray[np.intp], held: _Held) -> Numbers | float:
    """The interval at each of these places of a block; what was in `held` is gone then."""
    if not isinstance(interval_sec, np.ndarray):
        return interval_sec
    held.fill(interval_sec[np.newaxis])
    return np.asarray(held.all[places])


def _groups(turns: Sequence[int]) -> Iterator[list[tuple[int, int]]]:
    """Turns that lie in one block, one at least."""
    group: list[tuple[int, int]] = []
    for begin, end in pairwise(turns):
        if group and end - group[0][0] > BLOCK:
            yield group
            group = []
        group.append((begin, end))
    if group:
        yield group


def scores(smoothed: Numbers, counted: Flags, formula: Formula, factors: Mapping[str, Numbers]) -> Numbers:
    """`add_up` of what `weigh` gives: a score a place. The shares are looked up, for there are but sixteen ways in which metrics count."""
    share, there = shares(PATTERNS, formula.weights)
    found = np.empty(smoothed.shape[1:])
    whole = formula.model.scale(float(sum(formula.weights)))
    for begin in range(0, found.size, BLOCK):
        place = slice(begin, begin + BLOCK)
        scale: Numbers | float = whole
        for factor in factors.values():
            scale = scale * factor[place]
        pattern, total = patterns(counted[:, place]), found[place]
        total[:] = 0.0
        for each, value in zip(share, smoothed[:, place], strict=True):
            weighed = each.take(pattern)
            weighed *= np.nan_to_num(value, nan=0.0) if np.isnan(value).any() else value  # unknown: it has no share
            weighed *= scale
            total += weighed
        np.putmask(total, ~there.take(pattern), np.nan)
    return found


def patterns(counted: Flags) -> NDArray[np.intp]:
    """Which of PATTERNS each place is."""
    found = np.zeros(counted.shape[1:], dtype=np.uint8)
    for row in counted[::-1]:
        np.left_shift(found, 1, out=found)
        np.bitwise_or(found, row.view(np.uint8), out=found)
    return found.astype(np.intp)
