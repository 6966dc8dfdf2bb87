"""The smoothing and the weighing of `scoring.metrics` over a whole history at once: pure, the same numbers to the last digit.

Places lie turn after turn, the n-th from turns[n] to turns[n + 1], and a later turn has no more places than the one before it. All that
does not need the turn before is worked out in blocks of many turns, which stay in the processor's cache, so a turn costs a few short
operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.metrics import BLOCK, METRICS, Formula, Memory, decay, shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Spans = Sequence[tuple[int, int]]

NEVER = 1e200  # seconds: no time that is added lengthens it, and of what was before it nothing is kept
TOGETHER = 32_768  # places of the turns that are smoothed together: six numbers for each metric at each of them
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
        work, here, wide = room.of(spans), slice(spans[0][0], spans[-1][1]), spans[0][1] - spans[0][0]
        work.lay(~counted[:, here], work.absent, True)
        work.lay(parts[:, here], work.news, 0.0)
        elapsed = work.laid_out(elapsed_sec[here], 0.0)
        interval = work.laid_out(interval_sec[here], 1.0) if isinstance(interval_sec, np.ndarray) else interval_sec
        _wait(work, age[:, :wide], elapsed)
        some_begin = _forget(work, elapsed, interval, alpha)
        _move(work, value[:, :wide], some_begin)
        work.take_up(work.news, smoothed[:, here])
    return smoothed, Memory(value, np.where(age >= NEVER, np.nan, age))


class _Work:
    """What is worked out of some turns. They lie one after the other with a row for each metric: so a turn is one stretch of memory, and
    goes in one go. All are as wide as the first; a token that has no more places is as one without values for which no time passes."""

    def __init__(self, memory: Sequence[NDArray[Any]], turns: int, wide: int) -> None:
        self.wide, self.cells = wide, len(METRICS) * wide
        flags, news, gaps, kept, now, moved = memory
        shape = turns, len(METRICS), wide
        self.waited = flags[: (turns + 1) * self.cells]  # as it was before the first turn, and at each
        self.absent = self.waited[self.cells :].reshape(shape)  # has no value
        self.news, self.gaps, self.kept = (each[: turns * self.cells].reshape(shape) for each in (news, gaps, kept))
        self.now, self.moved = (each[: self.cells].reshape(shape[1:]) for each in (now, moved))
        self.waits = list(zip(self.gaps, self.kept, strict=True))
        self.moves = list(zip(self.news, self.kept, self.absent, strict=True))
        self.spans: Spans = []

    def of(self, spans: Spans) -> _Work:
        self.spans = [(begin - spans[0][0], end - spans[0][0]) for begin, end in spans]
        return self

    @property
    def even(self) -> bool:
        return self.spans[-1][1] - self.spans[-1][0] == self.wide  # for no turn is wider than the one before it

    def lay(self, places: NDArray[Any], held: NDArray[Any], blank: float) -> None:
        """A block's places, a row a metric, turn by turn."""
        if self.even:
            held[:] = places.reshape(len(places), len(held), self.wide).transpose(1, 0, 2)
            return
        held[:] = blank
        for turn, (begin, end) in zip(held, self.spans, strict=True):
            turn[:, : end - begin] = places[:, begin:end]

    def laid_out(self, column: Numbers, blank: float) -> Numbers:
        """The same of what all metrics share, in one row."""
        if self.even:
            return column
        found = np.empty((len(self.spans), 1, self.wide))
        self.lay(column[np.newaxis], found, blank)
        return found.reshape(-1)

    def take_up(self, held: Numbers, places: Numbers) -> None:
        """`lay`, the other way round."""
        if self.even:
            places.reshape(len(places), len(held), self.wide)[:] = held.transpose(1, 0, 2)
            return
        for turn, (begin, end) in zip(held, self.spans, strict=True):
            places[:, begin:end] = turn[:, : end - begin]


class _Room:
    """Memory for one block after the other: what is asked of the system anew for each costs more than the arithmetic."""

    def __init__(self, turns: Sequence[int]) -> None:
        shapes = [(len(spans), spans[0][1] - spans[0][0]) for spans in _groups(turns)]
        most = len(METRICS) * max(((turns + 1) * wide for turns, wide in shapes), default=0)
        self.memory = [np.empty(most, dtype=kind) for kind in (bool, float, float, float, float, float)]
        self.last: tuple[tuple[int, int], _Work] | None = None

    def of(self, spans: Spans) -> _Work:
        shape = len(spans), spans[0][1] - spans[0][0]
        if self.last is None or self.last[0] != shape:
            self.last = shape, _Work(self.memory, *shape)
        return self.last[1].of(spans)


def _wait(work: _Work, age: Numbers, elapsed_sec: Numbers) -> None:
    """The time since each metric last had a value, at each place of a block. `age` goes on with it."""
    unknown = np.isnan(elapsed_sec)
    known = np.where(unknown, 0.0, elapsed_sec) if unknown.any() else elapsed_sec
    work.waited[: work.cells] = (age != 0.0).reshape(-1)
    work.gaps[:] = known.reshape(len(work.gaps), 1, work.wide)
    work.kept[:] = work.absent
    work.now[:] = age
    for gap, kept in work.waits:
        np.add(gap, work.now, out=gap)
        np.multiply(gap, kept, out=work.now)
    age[:] = work.now


def _forget(work: _Work, elapsed_sec: Numbers, interval_sec: Numbers | float, alpha: float) -> bool:
    """How much of the old average stays. Metrics that had a value the turn before share one power; the others have their own; one without
    a value keeps all. Whether any has its first value, which keeps nothing."""
    steps = np.maximum(elapsed_sec, 0.0)
    steps /= interval_sec
    work.kept[:] = decay(alpha, steps).reshape(len(work.kept), 1, work.wide)
    absent, news, gaps, kept = (each.reshape(-1) for each in (work.absent, work.news, work.gaps, work.kept))
    waited = np.flatnonzero(work.waited)
    after_first, before_last = np.searchsorted(waited, (work.cells, absent.size))
    back, away = waited[:before_last], waited[after_first:] - work.cells  # what has waited is, one turn on, at the same place
    back = back[~absent[back]]
    gap = gaps[back]
    interval = interval_sec[back // work.cells * work.wide + back % work.wide] if isinstance(interval_sec, np.ndarray) else interval_sec
    kept[back] = decay(alpha, np.maximum(gap, 0.0) / interval)
    kept[away], news[away] = 1.0, 0.0
    return bool((gap >= NEVER).any())


def _move(work: _Work, value: Numbers, some_begin: bool) -> None:
    """Turn after turn from the old average to the new one, which takes the place of the news. `value` goes on with it."""
    last = value
    for new, kept, absent in work.moves:
        if some_begin:
            last = np.where(np.isnan(last) & ~absent, 0.0, last)
        np.subtract(last, new, out=work.moved)
        np.multiply(work.moved, kept, out=work.moved)
        last = np.add(work.moved, new, out=new)
    value[:] = last


def _groups(turns: Sequence[int]) -> Iterator[list[tuple[int, int]]]:
    """Turns that are smoothed together, one at least: as many as fit if all were as wide as the first, which none is by more than twice."""
    group: list[tuple[int, int]] = []
    wide = 0
    for begin, end in pairwise(turns):
        if group and ((len(group) + 1) * wide > TOGETHER or 2 * (end - begin) < wide):
            yield group
            group = []
        wide = wide if group else end - begin
        group.append((begin, end))
    if group:
        yield group


def scores(smoothed: Numbers, counted: Flags, formula: Formula, factors: Mapping[str, Numbers]) -> Numbers:
    """`add_up` of what `weigh` gives: a score a place. The shares are looked up, for there are but sixteen ways in which metrics count."""
    share, there = shares(PATTERNS, formula.weights)
    nothing, found = np.where(there, 0.0, np.nan), np.empty(smoothed.shape[1:])
    whole = formula.model.scale(float(sum(formula.weights)))
    for begin in range(0, found.size, BLOCK):
        place = slice(begin, begin + BLOCK)
        scale: Numbers | float = whole
        for factor in factors.values():
            scale = scale * factor[place]
        pattern, total = patterns(counted[:, place]), found[place]
        weighed = np.empty(total.shape)
        nothing.take(pattern, out=total, mode="clip")  # clip: numpy need not look whether a place is one, and writes where it is to
        for each, value in zip(share, smoothed[:, place], strict=True):
            each.take(pattern, out=weighed, mode="clip")
            weighed *= value
            _blank(weighed)
            if factors or whole != 1.0:
                weighed *= scale
            total += weighed
    return found


def _blank(weighed: Numbers) -> None:
    """A metric that never had a value has no share: nothing, and not unknown, is what it adds."""
    unknown = np.isnan(weighed)
    if unknown.any():
        weighed[unknown] = 0.0


def patterns(counted: Flags) -> NDArray[np.intp]:
    """Which of PATTERNS each place is."""
    found = np.zeros(counted.shape[1:], dtype=np.uint8)
    for row in counted.view(np.uint8)[::-1]:
        found += found
        found |= row
    return found.astype(np.intp)
