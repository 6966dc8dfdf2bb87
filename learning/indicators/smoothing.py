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
MANY = 1000  # columns
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
    at_least_one(fast, slow, signal)
    if fast > slow:
        raise ValueError(f"the fast average ({fast} bars) is longer than the slow one ({slow})")
    line, average, gap = over_present_bars(lambda packed: _macd(packed, fast, slow, signal), values)
    return line, average, gap


def trix(values: Numbers, length: int) -> Numbers:
    """Change in per cent, from bar to bar, of the average of the average of the average."""
    at_least_one(length)
    return over_present_bars(lambda packed: (_trix(packed, length),), values)[0]


def _macd(values: Numbers, fast: int, slow: int, signal: int) -> tuple[Numbers, ...]:
    quick, steady = remembered([from_mean(values, length, 2.0 / (length + 1), slow - length) for length in (fast, slow)], slow - 1)
    line = quick - steady
    np.copyto(line, 0.0, where=np.abs(line) <= ROUNDING * np.abs(steady))
    average = seeded(line, signal, 2.0 / (signal + 1), begin=slow - 1)
    return line, average, line - average


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


def from_mean(values: Numbers, length: int, weight: float, begin: int) -> Average:
    """The average whose seed is the mean of the `length` rows from `begin` on: first known at the last of them."""
    return Average(values, _mean_of_first(values[begin : begin + length]), weight, 1.0 - weight)


def seeded(values: Numbers, length: int, weight: float, begin: int = 0) -> Numbers:
    """One such average."""
    return remembered([from_mean(values, length, weight, begin)], begin + length - 1)[0]


def _mean_of_first(values: Numbers) -> Numbers:
    """Taken around the first of them, so that the mean of equal values is that value."""
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    mean: Numbers = values[0] + (values - values[0]).sum(axis=0) / len(values)
    return mean


def remembered(averages: Sequence[Average], first: int) -> list[Numbers]:
    """Averages of one shape that are first known at the same row, all in one walk; NaN before it.

    Where columns are few, blocks of rows are worked through side by side, then each takes over what the one before it left: many times
    fewer steps in Python than row after row."""
    length, width = averages[0].values.shape
    if first >= length:
        return [np.full((length, width), np.nan) for _ in averages]
    rows, columns = length - first, width * len(averages)
    block = min(rows, LONG_BLOCK if columns >= MANY else BLOCK)
    blocks = -(-rows // block)
    whole = np.empty((first + blocks * block, columns))
    whole[:first], whole[length:] = np.nan, 0.0
    keep = np.empty(columns)
    places = [slice(number * width, (number + 1) * width) for number in range(len(averages))]
    for place, average in zip(places, averages, strict=True):
        keep[place], whole[first, place] = average.keep, average.seed
        np.multiply(average.values[first + 1 :], average.weight, out=whole[first + 1 : length, place])
    memory = whole[first:].reshape(blocks, block, columns)
    _walked(memory, keep)
    if blocks > 1:
        _handed_on(memory, keep)
    return [whole[:length, place] for place in places]


def _walked(memory: Numbers, keep: Numbers) -> None:
    """Row after row of every block."""
    faded = np.empty((len(memory), len(keep)))
    before = memory[:, 0]
    for row in range(1, memory.shape[1]):
        newest = memory[:, row]
        np.multiply(before, keep, out=faded)
        np.add(newest, faded, out=newest)
        before = newest


def _handed_on(memory: Numbers, keep: Numbers) -> None:
    """To each block what is left of all before it."""
    block = memory.shape[1]
    left = memory[:-1, -1].copy()  # at the end of each block, of its own values; then of all before as well
    kept, faded = keep**block, np.empty(len(keep))
    for one, next_one in pairwise(left):
        np.multiply(one, kept, out=faded)
        np.add(next_one, faded, out=next_one)
    memory[1:] += keep ** np.arange(1, block + 1)[:, None] * left[:, None, :]
