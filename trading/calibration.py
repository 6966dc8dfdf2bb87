"""From scores to probabilities, by what became of earlier scores: isotonic regression (pool adjacent violators), drawn towards the common
rate where outcomes are few, with an interval. And how reliable the result is.

Nothing is called a probability before enough outcomes are there: `fit` gives None until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Reals = NDArray[np.floating[Any] | np.integer[Any]]

Z = 1.6449  # an interval of 90 %
DAY_SEC = 86_400
MOST = 5_000  # outcomes that a calibration rests on: the newest
PLACES = 6  # of a score that are told apart


@dataclass(frozen=True, slots=True)
class Calibration:
    """Steps of equal probability: their scores (mean of each step, rising), probabilities (not falling), and what they rest on."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    outcomes: int
    rate: float

    def __call__(self, score: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Probability, and the interval it lies in; between two steps on the straight line. NaN for NaN."""
        found = [np.interp(score, self.scores, values) for values in (self.probabilities, self.lows, self.highs)]
        unknown = np.isnan(score)
        probability, low, high = (np.where(unknown, np.nan, values) for values in found)
        return probability, low, high

    def as_plain(self) -> dict[str, Any]:
        """For a JSON column."""
        lists = {name: list(getattr(self, name)) for name in ("scores", "probabilities", "lows", "highs")}
        return lists | {"outcomes": self.outcomes, "rate": self.rate}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Calibration:
        scores, probabilities, lows, highs = (tuple(map(float, plain[name])) for name in ("scores", "probabilities", "lows", "highs"))
        return cls(scores, probabilities, lows, highs, int(plain["outcomes"]), float(plain["rate"]))


def fit(scores: Numbers, won: NDArray[np.bool_], least: int, prior: float) -> Calibration | None:
    """None until there are `least` outcomes, of both kinds. Each step is drawn towards the common rate as by `prior` more outcomes of
    just that rate, and put in order again. The order of the pairs does not matter, to the last bit."""
    known = ~np.isnan(scores)
    scores, won = np.round(scores[known], PLACES), won[known]
    if len(scores) < max(least, 1) or won.all() or not won.any():
        return None
    rate = float(won.mean())
    different, place = np.unique(scores, return_inverse=True)
    count, wins = np.bincount(place, np.ones(len(place))), np.bincount(place, won)
    steps = pooled(wins / count, count)
    total, wins, middle = (np.bincount(steps, values) for values in (count, wins, count * different))
    again = pooled((wins + prior * rate) / (total + prior), total + prior)
    weight, wins, total, middle = (np.bincount(again, values) for values in (total + prior, wins + prior * rate, total, middle))
    probability = np.clip(wins / weight, 0.0, 1.0)
    low, high = interval(probability, weight)
    at, probabilities, lows, highs = (tuple(values.tolist()) for values in (middle / total, probability, low, high))
    return Calibration(at, probabilities, lows, highs, len(scores), rate)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of earlier scores, (n,) each, in the order of their ends."""

    ended: NDArray[np.int64]  # seconds since 1970
    scores: Numbers
    won: NDArray[np.bool_]

    def before(self, midnight: int, least: int, prior: float) -> Calibration | None:
        """From what was over when a day began, so that within a day the measure stays the same; None while that is too little."""
        stop = int(np.searchsorted(self.ended, midnight))
        newest = slice(max(0, stop - MOST), stop)
        return fit(self.scores[newest], self.won[newest], least, prior)

    def by_day(self, ends: NDArray[np.int64], first_row: int, least: int, prior: float) -> list[tuple[int, Calibration | None]]:
        """For bars that end at `ends`: the first row of each day (UTC), and the calibration that counts from it on."""
        day = (ends - 1) // DAY_SEC
        begins = [first_row, *(np.flatnonzero(np.diff(day[first_row:])) + first_row + 1).tolist()] if len(ends) > first_row else []
        return [(row, self.before(int(day[row]) * DAY_SEC, least, prior)) for row in begins]


def pooled(values: Reals, weights: Reals) -> NDArray[np.int64]:
    """Which step each value belongs to, so that the steps' weighted means rise: pool adjacent violators."""
    means: list[float] = []
    loads: list[float] = []
    sizes: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        means.append(value)
        loads.append(weight)
        sizes.append(1)
        while len(means) > 1 and means[-2] >= means[-1]:
            load = loads[-2] + loads[-1]
            means[-2:] = [(means[-2] * loads[-2] + means[-1] * loads[-1]) / load]
            loads[-2:] = [load]
            sizes[-2:] = [sizes[-2] + sizes[-1]]
    return np.repeat(np.arange(len(sizes)), sizes)


def isotonic(values: Numbers, weights: Numbers) -> Numbers:
    """The rising (never falling) values that are nearest to those given, in weighted squares; in the order given."""
    steps = pooled(values, weights)
    load = np.bincount(steps, weights)
    found: Numbers = (np.bincount(steps, values * weights) / load)[steps]
    return found


def interval(share: Numbers, count: Reals) -> tuple[Numbers, Numbers]:
    """Wilson's, 90 %."""
    centre = (share + Z * Z / (2 * count)) / (1 + Z * Z / count)
    reach = Z / (1 + Z * Z / count) * np.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    return np.clip(np.minimum(centre - reach, share), 0.0, 1.0), np.clip(np.maximum(centre + reach, share), 0.0, 1.0)


# How reliable probabilities were


def brier(probability: Numbers, won: NDArray[np.bool_]) -> float:
    """Mean squared distance of the probability from what happened: 0 is best, 0.25 is a coin. NaN without pairs."""
    known = ~np.isnan(probability)
    return float(np.mean((probability[known] - won[known]) ** 2)) if known.any() else float("nan")


@dataclass(frozen=True, slots=True)
class Reliability:
    """Of bins of about equal size: what was said, what happened, how often."""

    said: Numbers
    happened: Numbers
    count: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance between said and happened, by count."""
        return float(np.average(np.abs(self.said - self.happened), weights=self.count)) if len(self.count) else float("nan")


def reliability(probability: Numbers, won: NDArray[np.bool_], bins: int = 10) -> Reliability:
    """Equal probabilities stay in one bin, so that the order of the pairs does not matter."""
    known = ~np.isnan(probability)
    different, place, count = np.unique(probability[known], return_inverse=True, return_counts=True)
    if not len(different):
        return Reliability(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    before = np.cumsum(count) - count
    number = np.minimum(before * bins // count.sum(), bins - 1)
    _, number = np.unique(number, return_inverse=True)
    total = np.bincount(number, count)
    happened = np.bincount(number, np.bincount(place, won[known])) / total
    return Reliability(np.bincount(number, count * different) / total, happened, total.astype(np.int64))
