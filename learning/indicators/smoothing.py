"""Averages with a memory: exponential, Wilder's, and what is made of them. Seeded as TA-Lib seeds them, over the bars that exist."""

from __future__ import annotations

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
MANY = 256
TINY = 1e-250  # a memory below this is nothing; left alone, it would end in numbers that a processor handles a hundred times slower
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
    quick = seeded(values, fast, 2.0 / (fast + 1), begin=slow - fast)
    steady = seeded(values, slow, 2.0 / (slow + 1))
    line = quick - steady
    line[np.abs(line) <= ROUNDING * np.abs(steady)] = 0.0
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


def seeded_together(first: Numbers, second: Numbers, length: int, weight: float, begin: int) -> tuple[Numbers, Numbers]:
    """The averages of two series of one shape, for little more than the time of one."""
    columns = first.shape[1]
    both = seeded(np.concatenate([first, second], axis=1), length, weight, begin)
    return both[:, :columns], both[:, columns:]


def seeded(values: Numbers, length: int, weight: float, begin: int = 0) -> Numbers:
    """The average that starts from the mean of the `length` rows from `begin` on. There must be no gaps in them."""
    first = begin + length - 1
    if first >= len(values):
        return np.full(values.shape, np.nan)
    return remembered(values, first, mean_of_first(values[begin : begin + length]), weight, 1.0 - weight)


def mean_of_first(values: Numbers) -> Numbers:
    """Taken around the first of them, so that the mean of equal values is that value."""
    mean: Numbers = values[0] + (values - values[0]).sum(axis=0) / len(values)
    return mean


def remembered(values: Numbers, first: int, seed: Numbers, weight: float, keep: float) -> Numbers:
    """memory[first] = seed, then memory[t] = weight · values[t] + keep · memory[t − 1]; NaN before.

    Where tokens are few, blocks of rows are worked through side by side, then each takes over what the one before it left: many times
    fewer steps in Python than row after row."""
    rows, columns = len(values) - first, values.shape[1]
    block = min(rows, LONG_BLOCK if columns >= MANY else BLOCK)
    blocks = -(-rows // block)
    whole = np.empty((first + blocks * block, columns))
    whole[:first], whole[first], whole[len(values) :] = np.nan, seed, 0.0
    np.multiply(values[first + 1 :], weight, out=whole[first + 1 : len(values)])
    memory = whole[first:].reshape(blocks, block, columns)
    kept, faded = np.full((1, columns), keep), np.empty((blocks, columns))  # a full row: numpy takes longer over a single number
    before = memory[:, 0]
    for row in range(1, block):
        newest = memory[:, row]
        np.multiply(before, kept, out=faded)
        np.add(newest, faded, out=newest)
        before = newest
    _handed_on(memory, keep)
    return whole[: len(values)]


def _handed_on(memory: Numbers, keep: float) -> None:
    """To each block what is left of all before it."""
    if len(memory) == 1:
        return
    block = memory.shape[1]
    kept = np.full(memory.shape[2:], keep**block)
    left = memory[:-1, -1].copy()  # at the end of each block, of its own values; then of all before as well
    faded = np.empty(memory.shape[2:])
    for one, next_one in pairwise(left):
        np.multiply(one, kept, out=faded)
        np.add(next_one, faded, out=next_one)
    np.copyto(left, 0.0, where=np.abs(left) < TINY)
    memory[1:] += (keep ** np.arange(1, block + 1))[:, None] * left[:, None, :]
