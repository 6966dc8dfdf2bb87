"""One quantity of all tokens over a window, the newest row last, and what the last rows of it hold.

Every operation goes along the rows, one row after the other: what is said of a token does not depend, to the last bit, on which other
tokens stand beside it. Unknown rows are NaN; a window speaks when at least `least(length)` of its rows are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

LEAST_SHARE = 0.8  # of a window's rows must be known; of up to four rows all
ROUNDING = 1e-12  # of the largest value: what varies by less varies by rounding


def least(length: int) -> int:
    return -int(-LEAST_SHARE * length // 1)


class Series:
    """(rows, tokens). Sums and extremes of a window are made when they are first asked for, and kept."""

    def __init__(self, values: Numbers) -> None:
        self.values = values
        self._kept: dict[tuple[str, int], Any] = {}

    def _once(self, what: str, length: int, make: Callable[[], Any]) -> Any:
        if (what, length) not in self._kept:
            self._kept[what, length] = make()
        return self._kept[what, length]

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.values)

    @cached_property
    def gapless(self) -> bool:
        return not np.isnan(self.values.min(initial=np.inf))

    @cached_property
    def filled(self) -> Numbers:
        """Nothing where nothing is known: for sums."""
        return self.values if self.gapless else np.where(self.known, self.values, 0.0)

    def count(self, length: int) -> Any:
        """Known rows among the last `length`."""
        if self.gapless:
            return min(length, len(self.values))
        return self._once("count", length, lambda: np.add.reduce(self.known[-length:], axis=0, dtype=np.int64))

    def told(self, length: int, values: Numbers) -> Numbers:
        if self.gapless and length <= len(self.values):
            return values
        return np.where(self.count(length) >= least(length), values, np.nan)

    def at(self, rows_ago: int) -> Numbers:
        row: Numbers = self.values[-1 - rows_ago]
        return row

    def _sum(self, length: int) -> Numbers:
        found: Numbers = self._once("sum", length, lambda: self.filled[-length:].sum(axis=0))
        return found

    def total(self, length: int) -> Numbers:
        """The sum of the known rows: for shares of two sums over the same rows."""
        return self.told(length, self._sum(length))

    def mean(self, length: int) -> Numbers:
        return self.told(length, self._sum(length) / self.count(length))

    def std(self, length: int) -> Numbers:
        """Of the population; exactly 0 where all are equal."""

        def make() -> Numbers:
            centred = self.values[-length:] - self.mean(length)
            centred *= centred
            if not self.gapless:
                centred[~self.known[-length:]] = 0.0
            deviation = np.sqrt(centred.sum(axis=0) / self.count(length))
            largest = np.maximum(np.abs(self._highest(length)), np.abs(self._lowest(length)))
            return np.where(deviation <= ROUNDING * largest, 0.0, deviation)

        return self.told(length, self._once("std", length, make))

    def _highest(self, length: int) -> Numbers:
        found: Numbers = self._once("highest", length, lambda: np.fmax.reduce(self.values[-length:], axis=0))
        return found

    def _lowest(self, length: int) -> Numbers:
        found: Numbers = self._once("lowest", length, lambda: np.fmin.reduce(self.values[-length:], axis=0))
        return found

    def highest(self, length: int) -> Numbers:
        return self.told(length, self._highest(length))

    def lowest(self, length: int) -> Numbers:
        return self.told(length, self._lowest(length))

    def median(self, length: int) -> Numbers:
        return self.told(length, median(self.values[-length:]))

    def slope(self, length: int) -> Numbers:
        """Of the straight line that fits the known rows best, a row."""
        return line(self, length)[0]


def median(values: Numbers) -> Numbers:
    """Along the rows, of what is known."""
    ordered = np.sort(values, axis=0)
    count = len(values) - np.isnan(ordered).sum(axis=0)
    low = np.maximum(count - 1, 0) // 2
    high = np.minimum(count // 2, np.maximum(count - 1, 0))
    below, above = (np.take_along_axis(ordered, place[None], axis=0)[0] for place in (low, high))
    found: Numbers = below + (above - below) / 2.0
    return found


def line(series: Series, length: int) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Slope a row, share of the variance that the line explains, its value at the newest row, and the spread around it."""
    values = series.values[-length:]
    known, count = series.known[-length:], series.count(length)
    place = np.arange(length, dtype=np.float64)[:, None] - (length - 1)
    middle = np.where(known, place, 0.0).sum(axis=0) / count
    off = np.where(known, place - middle, 0.0)
    centred = np.where(known, values - series.mean(length), 0.0)
    across, along, product = (off * off).sum(axis=0), (centred * centred).sum(axis=0), (off * centred).sum(axis=0)
    still = series.std(length) == 0
    slope = np.where(still, 0.0, product / across)
    explained = np.where(still, np.nan, product * product / (across * along))
    rest = np.sqrt(np.maximum(along - product * slope, 0.0) / count)
    rest[rest <= 1e-9 * np.sqrt(along / count)] = 0.0  # what a straight line leaves is rounding
    return slope, explained, series.mean(length) - slope * middle, np.where(np.isnan(slope), np.nan, rest)


def correlation(first: Numbers, second: Numbers, fewest: int) -> Numbers:
    """Along the rows in which both are known, where those are enough; NaN where one of them stands still."""
    slope, found = regression(first, second, fewest)
    return np.where(np.isnan(slope), np.nan, found)


def regression(of: Numbers, on: Numbers, fewest: int) -> tuple[Numbers, Numbers]:
    """Slope of the one on the other, and their correlation."""
    both = ~(np.isnan(of) | np.isnan(on))
    count = both.sum(axis=0)
    one, other = _centred(of, both, count), _centred(on, both, count)
    product, spread, width = (one * other).sum(axis=0), (other * other).sum(axis=0), (one * one).sum(axis=0)
    told = (count >= fewest) & (spread > 0) & (width > 0)
    slope = np.where(told, product, np.nan) / np.where(told, spread, 1.0)
    found = np.where(told, product, np.nan) / np.sqrt(np.where(told, spread * width, 1.0))
    return slope, np.clip(found, -1.0, 1.0)


def _centred(values: Numbers, known: NDArray[np.bool_], count: NDArray[np.int64]) -> Numbers:
    """Distances from the mean, exactly 0 where they are rounding."""
    filled = np.where(known, values, 0.0)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    off = np.where(known, filled - mean, 0.0)
    off[:, np.abs(off).max(axis=0, initial=0.0) <= ROUNDING * np.abs(mean)] = 0.0
    return off


def faded(planes: Sequence[tuple[Numbers, float]], paths: int) -> tuple[list[Numbers], list[Numbers]]:
    """Exponential averages of some quantities, each with its span: every row weighs 1 − 2 / (span + 1) of the next one, and the weights
    add up to 1 (pandas: `ewm(span=…).mean()`). The first `paths` of them at every row, and all of them at the newest; at a gap it is the
    average of the row before. One walk for all: a step in Python is dear, how much it carries is not."""
    rows, tokens = planes[0][0].shape
    keep = np.array([1.0 - 2.0 / (span + 1.0) for _, span in planes])[:, None]
    values = np.empty((rows, len(planes), tokens))
    for place, (quantity, _) in enumerate(planes):
        values[:, place] = quantity
    known = ~np.isnan(values)
    if (known == known[:, :, :1]).all():
        known = known[:, :, :1]  # where all tokens have the same gaps, or none, one column says it for all
    if not known.all():
        values[np.broadcast_to(~known, values.shape)] = 0.0
    weights = known.astype(np.float64)
    courses = np.empty((paths, rows, tokens))
    above, below = np.zeros((len(planes), tokens)), np.zeros((len(planes), weights.shape[2]))
    for row in range(rows):
        above *= keep
        above += values[row]
        below *= keep
        below += weights[row]
        np.divide(above[:paths], below[:paths], out=courses[:, row])
    return list(courses), list(above / below)


def wilder(length: int) -> float:
    """The span whose weights are Wilder's for `length` bars: 1 / length for the newest."""
    return 2.0 * length - 1.0
