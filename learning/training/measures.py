"""How good was what was said, and how sure is that? Pure.

Every figure has the interval of the pigeonhole bootstrap: blocks of time (no shorter than the horizon) and groups of tokens are drawn anew,
both at once, because rows that share either are no independent witnesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from learning.training.labels import UP
from learning.training.plan import LEAST_BLOCKS, LEAST_TESTED
from scoring.draws import Draws, Estimate, interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

GROUPS = 211  # tokens are drawn in so many groups: tens of thousands one by one would take gigabytes
LEAST_AT_ONCE = 5  # rows of one moment that can be ranked
LEAST_PROBABILITY = 1e-6
BINS = 10


@dataclass(frozen=True, eq=False)
class Witnesses:
    """The rows that examine: which block of time and which group of tokens each belongs to."""

    block: Places
    group: Places
    draws: Draws

    @classmethod
    def of(cls, ts: Places, token: Places, block_sec: int) -> Witnesses:
        block, group = ts // block_sec, token % GROUPS
        return cls(block, group, Draws.over(block, group))

    @property
    def blocks(self) -> int:
        return int(self.draws.blocks.size)

    def enough(self, chosen: NDArray[np.bool_]) -> bool:
        """Whether these rows are many enough, in enough blocks of time, to be sure of anything."""
        return int(chosen.sum()) >= LEAST_TESTED and len(np.unique(self.block[chosen])) >= LEAST_BLOCKS

    def mean(self, value: Numbers, level: float) -> Estimate:
        """Of rows; those without a value do not count."""
        known = ~np.isnan(value)
        drawn = self.draws.means(self.block[known], self.group[known], value[known])
        return interval(float(value[known].mean()) if known.any() else np.nan, drawn, level)


def log_loss(probabilities: Numbers, direction: NDArray[np.int8]) -> Numbers:
    """Of each row: 0 for certainty that was right, 1.1 for "a third each", without end for certainty that was wrong."""
    said: Numbers = np.take_along_axis(probabilities, direction[:, None].astype(np.int64), axis=1)[:, 0]
    return np.asarray(-np.log(np.maximum(said, LEAST_PROBABILITY)), dtype=np.float64)


def brier(probabilities: Numbers, direction: NDArray[np.int8]) -> Numbers:
    """Of each row: squared distance of "up" from what happened."""
    return np.asarray((probabilities[:, UP] - (direction == UP)) ** 2, dtype=np.float64)


def squared_error(said: Numbers, happened: Numbers) -> Numbers:
    return np.asarray((said - happened) ** 2, dtype=np.float64)


def rank_correlations(ts: Places, said: Numbers, happened: Numbers) -> tuple[Places, Numbers]:
    """Spearman's, among the rows of each moment that has enough of them: moments and correlations."""
    moments, found = [], []
    order = np.argsort(ts, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(ts[order])) + 1):
        if len(rows) >= LEAST_AT_ONCE:
            first, second = ranks(said[rows]), ranks(happened[rows])
            if np.ptp(first) and np.ptp(second):
                moments.append(int(ts[rows[0]]))
                found.append(float(np.corrcoef(first, second)[0, 1]))
    return np.array(moments, dtype=np.int64), np.array(found, dtype=np.float64)


def ranks(values: Numbers) -> Numbers:
    """From 1; equal values share the mean of their ranks."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place], dtype=np.float64)


def rank_correlation(ts: Places, said: Numbers, happened: Numbers, block_sec: int, level: float) -> Estimate:
    """The mean over moments; blocks of time are drawn anew."""
    moments, found = rank_correlations(ts, said, happened)
    if not found.size:
        return Estimate(np.nan, np.nan, np.nan)
    block, nobody = moments // block_sec, np.zeros(len(moments), dtype=np.int64)
    return interval(float(found.mean()), Draws.over(block, nobody).means(block, nobody, found), level)


def reliability(probability: Numbers, happened: NDArray[np.bool_]) -> list[dict[str, float]]:
    """In bins of about equal size: what was said, what happened, how often."""
    order = np.argsort(probability, kind="stable")
    return [
        {"said": float(probability[rows].mean()), "happened": float(happened[rows].mean()), "rows": len(rows)}
        for rows in np.array_split(order, BINS)
        if len(rows)
    ]


def plain(estimate: Estimate) -> dict[str, Any]:
    """For a JSON column, which knows no NaN."""
    told = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {name: float(value) if np.isfinite(value) else None for name, value in told.items()}
