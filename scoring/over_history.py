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
    interval = np.broadcast_to(np.asarray(interval_sec, dtype=np.float64), elapsed_sec.shape)
    value, age = memory.value.copy(), memory.age_sec.copy()
    waiting = np.isnan(value)  # for a first value: until then the average is unknown, and so is all that is worked out from it
    smoothed, room = np.empty(parts.shape) if out is None else out, _Room(turns)
    for spans in _groups(turns):
        block = slice(spans[0][0], spans[-1][1])
        there, news = room.there.of(block), room.news.of(block)
        np.copyto(there, counted[:, block])
        np.copyto(news, parts[:, block])
        gap = _gaps(there, age, elapsed_sec[block], spans, room)
        kept = _kept(there, gap, elapsed_sec[block], interval[block], alpha, room)
        away, some_wait = np.flatnonzero(~there), bool(waiting.any())
        news.reshape(-1)[away], kept.reshape(-1)[away] = 0.0, 1.0
        for begin, end in spans:
            here, now = slice(begin - block.start, end - block.start), slice(end - begin)
            last, new = value[:, now], news[:, here]
            if some_wait and (first := there[:, here] & waiting[:, now]).any():
                last[first], kept[:, here][first] = 0.0, 0.0
                waiting[:, now] &= ~first
            np.subtract(last, new, out=last)
            np.multiply(last, kept[:, here], out=last)
            np.add(last, new, out=last)
            smoothed[:, begin:end] = last
    return smoothed, Memory(value, age)


class _Space:
    """Memory for one block after the other: what is asked of the system anew for each costs more than the arithmetic."""

    def __init__(self, most: int, kind: type) -> None:
        self.held: NDArray[Any] = np.empty(len(METRICS) * most, dtype=kind)

    def of(self, block: slice) -> NDArray[Any]:
        size = block.stop - block.start
        return self.held[: len(METRICS) * size].reshape(len(METRICS), size)


class _Room:
    def __init__(self, turns: Sequence[int]) -> None:
        most = max((spans[-1][1] - spans[0][0] for spans in _groups(turns)), default=0)
        self.there, self.odd = _Space(most, bool), _Space(most, bool)
        self.gap, self.kept, self.news = _Space(most, float), _Space(most, float), _Space(most, float)


def _gaps(there: Flags, age: Numbers, elapsed_sec: Numbers, spans: Sequence[tuple[int, int]], room: _Room) -> Numbers:
    """The time since each metric last had a value, at each place of a block. `age` goes on with it."""
    start = spans[0][0]
    gap = room.gap.of(slice(start, spans[-1][1]))
    for begin, end in spans:
        here, now = slice(begin - start, end - start), slice(end - begin)
        found = gap[:, here]
        np.add(age[:, now], elapsed_sec[here], out=found)
        age[:, now] = found
        np.putmask(age[:, now], there[:, here], 0.0)
    return gap


def _kept(there: Flags, gap: Numbers, elapsed_sec: Numbers, interval_sec: Numbers, alpha: float, room: _Room) -> Numbers:
    """How much of the old average stays. Metrics that had a value the turn before share one power; the others have their own."""
    size = there.shape[1]
    kept, odd = room.kept.of(slice(0, size)), room.odd.of(slice(0, size))
    kept[:] = decay(alpha, np.maximum(elapsed_sec, 0.0) / interval_sec)
    np.not_equal(gap, elapsed_sec, out=odd)
    odd &= there
    places = np.flatnonzero(odd)
    kept.reshape(-1)[places] = decay(alpha, np.maximum(gap.reshape(-1)[places], 0.0) / interval_sec[places % size])
    return kept


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
