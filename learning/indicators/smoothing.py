"""Averages with a memory: exponential, Wilder's, and what is made of them. Seeded as TA-Lib seeds them, over the bars that exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from learning.indicators.gaps import over_present_bars
from learning.indicators.windows import at_least_one

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

BLOCK = 32  # rows worked through side by side; never by how many there are, for a value must not depend on the rows that follow it
LONG_BLOCK = 4096  # where tokens are many, a row is work enough for one step
MANY = 1000  # columns, of all averages
AT_HAND = 1 << 15  # values that are worked through at a time: they stay in the processor's cache
WIDE = 300  # columns of one: from there on a step in Python costs less than moving an average beside others
ROUNDING = 1e-14  # two averages that differ by less, relative to themselves, do not differ


def ema(values: Numbers, length: int) -> Numbers:
    """Exponential average, weight 2 / (length + 1) for the newest. First value: the plain mean of the first `length` bars."""
    at_least_one(length)
    return over_present_bars(lambda packed: (seeded(packed, length, 2.0 / (length + 1)),), values)[0]


def wilder(values: Numbers, length: int) -> Numbers:
    """Wilder's average, weight 1 / length for the newest. First value: the plain mean of the first `length` bars."""
    at_least_one(length)
    return over_present_bars(lambda packed: (seeded(packed, length, 1.0 / length),), values)[0]


def macd(values: Numbers, fast: int = 12, slow: int = 26, signal: int = 9) -> tuple[Numbers, Numbers, Numbers]:
    """The fast average less the slow one, its own average (the signal), and the difference of the two.

    As in TA-Lib both averages begin to speak at the same bar: the fast one is seeded with the last `fast` of the first `slow` bars."""
    at_least_one(fast, signal)
    if fast > slow:
        raise ValueError(f"the fast average ({fast} bars) is longer than the slow one ({slow})")
    line, average, gap = over_present_bars(lambda packed: _macd(packed, fast, slow, signal), values)
    return line, average, gap


def trix(values: Numbers, length: int) -> Numbers:
    """Change in per cent, from bar to bar, of the average of the average of the average."""
    at_least_one(length)
    return over_present_bars(lambda packed: (_trix(packed, length),), values)[0]


def _macd(values: Numbers, fast: int, slow: int, signal: int) -> tuple[Numbers, ...]:
    room = np.empty((3, *values.shape))
    of_both = [from_mean(values, length, 2.0 / (length + 1), slow - length, room[place]) for place, length in enumerate((fast, slow))]
    quick, steady = remembered(of_both, slow - 1)
    line = _difference(quick, steady, slow - 1, *room[::2])
    average = seeded(line, signal, 2.0 / (signal + 1), slow - 1, into=room[2])
    return line, average, np.subtract(line, average, out=room[1])


def _difference(quick: Numbers, steady: Numbers, first: int, line: Numbers, spare: Numbers) -> Numbers:
    """As `line`: the one less the other, and 0 where that is no more than rounding."""
    np.subtract(quick, steady, out=line)
    size = np.abs(line, out=spare)[first:]
    highest, lowest = steady[first:].max(axis=0, initial=0.0), steady[first:].min(axis=0, initial=0.0)
    if not (size.min(axis=0, initial=np.inf) > ROUNDING * np.maximum(highest, -lowest)).all():
        np.copyto(line[first:], 0.0, where=size <= ROUNDING * np.abs(steady[first:]))
    return line


def _trix(values: Numbers, length: int) -> Numbers:
    average = values
    for turn in range(3):
        average = seeded(average, length, 2.0 / (length + 1), begin=turn * (length - 1))
    change = np.full(values.shape, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):  # behind a token's last bar there are zeros
        change[1:] = 100.0 * (average[1:] / average[:-1] - 1.0)
    change[np.abs(change) <= 100.0 * ROUNDING] = 0.0
    return change


@dataclass(frozen=True, slots=True)
class Average:
    """memory[first] = seed, then memory[t] = weight · values[t] + keep · memory[t − 1]. There must be no gaps in the values."""

    values: Numbers
    seed: Numbers
    weight: float
    keep: float
    into: Numbers | None = None  # memory of the same shape that may be overwritten, perhaps the values themselves


def from_mean(values: Numbers, length: int, weight: float, begin: int, into: Numbers | None = None) -> Average:
    """The average whose seed is the mean of the `length` rows from `begin` on: first known at the last of them."""
    return Average(values, _mean_of_first(values[begin : begin + length]), weight, 1.0 - weight, into)


def seeded(values: Numbers, length: int, weight: float, begin: int = 0, into: Numbers | None = None) -> Numbers:
    """One such average."""
    return remembered([from_mean(values, length, weight, begin, into)], begin + length - 1)[0]


def _mean_of_first(values: Numbers) -> Numbers:
    """Taken around the first of them, so that the mean of equal values is that value."""
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    mean: Numbers = values[0] + (values - values[0]).sum(axis=0) / len(values)
    return mean


def remembered(averages: Sequence[Average], first: int) -> list[Numbers]:
    """Averages of one shape that are first known at the same row; NaN before it. An average's `into` is no more what it was, and may be
    where the result lies.

    Where columns are few, all are worked through in one walk, and blocks of rows side by side, of which each then takes over what the one
    before it left: many times fewer steps in Python than row after row."""
    length, width = averages[0].values.shape
    if first >= length:
        return [np.full((length, width), np.nan) for _ in averages]
    block = min(length - first, LONG_BLOCK if width * len(averages) >= MANY else BLOCK)
    if width >= WIDE and block == length - first:
        return [_alone(average, first) for average in averages]
    return _together(averages, first, block)


def _alone(average: Average, first: int) -> Numbers:
    """Row after row, where it is to lie."""
    memory = np.empty(average.values.shape) if average.into is None else average.into
    memory[first] = average.seed
    if memory is not average.values or average.weight != 1.0:
        np.multiply(average.values[first + 1 :], average.weight, out=memory[first + 1 :])
    _walked(memory[first:], np.array(average.keep))
    memory[:first] = np.nan
    return memory


def _together(averages: Sequence[Average], first: int, block: int) -> list[Numbers]:
    """Side by side in new memory, some rows longer, so that it is made of whole blocks."""
    (length, width), count = averages[0].values.shape, len(averages)
    blocks, columns = -(-(length - first) // block), width * count
    whole = np.empty((first + blocks * block, count, width))
    whole[:first], whole[length:] = np.nan, 0.0
    for place, average in enumerate(averages):
        whole[first, place] = average.seed
        np.multiply(average.values[first + 1 :], average.weight, out=whole[first + 1 : length, place])
    memory, keep = whole[first:].reshape(blocks, block, columns), np.array([average.keep for average in averages])
    _walked(memory[0] if blocks == 1 else memory.swapaxes(0, 1), _of_columns(keep, columns))
    if blocks > 1:
        _handed_on(memory, keep)
    return [whole[:length, place] for place in range(count)]


def _walked(rows: Numbers, keep: Numbers) -> None:
    """Row after row, in place; with blocks of rows side by side, row after row of each."""
    before, faded = rows[0], np.empty(rows.shape[1:])
    for newest in rows[1:]:
        newest += np.multiply(before, keep, faded)
        before = newest


def _handed_on(memory: Numbers, keep: Numbers) -> None:
    """(blocks, rows of a block, columns): to each block what is left of all before it."""
    _, block, columns = memory.shape
    left = memory[:-1, -1].copy()  # at the end of each block, of its own values; then of all before as well
    kept, faded = _of_columns(keep**block, columns), np.empty(columns)
    for one, next_one in pairwise(left):
        np.multiply(one, kept, out=faded)
        np.add(next_one, faded, out=next_one)
    powers, some = _of_columns(keep ** np.arange(1, block + 1)[:, None], columns), max(1, AT_HAND // (block * columns))
    room = np.empty((some, block, columns))
    for start in range(0, len(left), some):
        of_earlier = left[start : start + some, None, :]
        memory[1 + start : 1 + start + len(of_earlier)] += np.multiply(powers, of_earlier, out=room[: len(of_earlier)])


def _of_columns(figures: Numbers, columns: int) -> Numbers:
    """From (…, averages) to (…, columns), in which the columns of an average stand side by side. Where all averages have the same figure,
    one stands for all."""
    if (figures[..., 1:] == figures[..., :1]).all():
        return figures[:1].reshape(()) if figures.ndim == 1 else figures[..., :1]
    return np.repeat(figures, columns // figures.shape[-1], axis=-1)
