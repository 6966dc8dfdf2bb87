"""What a model must beat: the common rates, and what past movement or the score tell by themselves. Pure.

Each of them gets a fair chance: a figure is cut into tenths of the rows it was taught with, and each tenth says what became of its rows,
drawn towards the common rate where they were few. So a baseline is calibrated too, and may rise and fall as it likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from learning.training.labels import DIRECTIONS, Labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

TENTHS = 10
PRIOR = 25.0  # so many rows of the common kind are added to each tenth


@dataclass(frozen=True, eq=False)
class Baseline:
    """Tenths of one figure; the last row of the tables is for rows without it. Without edges: one tenth for all."""

    edges: Numbers
    probabilities: Numbers  # (tenths + 1, 3)
    gross: Numbers  # (tenths + 1)
    fall: Numbers

    def tenth(self, figure: Numbers) -> NDArray[np.int64]:
        known = np.searchsorted(self.edges, figure, side="right")
        return np.where(np.isnan(figure), len(self.edges) + 1, known)

    def as_plain(self) -> dict[str, Any]:
        """For a JSON column."""
        return {name: getattr(self, name).tolist() for name in ("edges", "probabilities", "gross", "fall")}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Baseline:
        tables = (np.array(plain[name], dtype=np.float64) for name in ("edges", "probabilities", "gross", "fall"))
        return cls(*tables)


def learn(figure: Numbers, taught: Labels, cap: float) -> Baseline:
    """`cap` is the largest return that counts as itself."""
    known = figure[~np.isnan(figure)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, TENTHS + 1)[1:-1])) if known.size else np.empty(0)
    tenth = np.where(np.isnan(figure), len(edges) + 1, np.searchsorted(edges, figure, side="right"))
    size = len(edges) + 2
    ways = np.stack([np.bincount(tenth, taught.direction == way, size) for way in range(len(DIRECTIONS))], axis=1)
    # One row of each way beyond those seen: what never happened yet is unlikely, not impossible.
    common = (ways.sum(axis=0) + 1) / (ways.sum() + len(DIRECTIONS))
    probabilities = (ways + PRIOR * common) / (ways.sum(axis=1, keepdims=True) + PRIOR)
    return Baseline(edges, probabilities, _means(np.minimum(taught.gross, cap), tenth, size), _means(taught.fall, tenth, size))


def _means(values: Numbers, tenth: NDArray[np.int64], size: int) -> Numbers:
    """Of the known values in each tenth, drawn towards the mean of all."""
    known = ~np.isnan(values)
    if not known.any():
        return np.full(size, np.nan)
    total, count = np.bincount(tenth[known], values[known], size), np.bincount(tenth[known], minlength=size)
    return np.asarray((total + PRIOR * values[known].mean()) / (count + PRIOR), dtype=np.float64)


def nothing(rows: int) -> Numbers:
    """The figure of the baseline that knows nothing but the common rates."""
    return np.zeros(rows)
