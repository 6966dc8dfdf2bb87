"""How sure is a figure? Whole stretches of time are drawn anew, many times: a block bootstrap.

Outcomes of neighbouring marks overlap, and the tokens of one mark rise and fall together: neither is independent, stretches of time nearly
are. A stretch is two horizons long, at least an hour. Two neighbouring ones then share at most one horizon; what that hides of the variance
is a sixth (for outcomes that overlap evenly), which every interval here is widened by. Of few stretches the draws know too little: they are
widened to Student's t of that many, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from learning.verdict.student import chance_beyond, distance_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

DRAWS = 1_000
SEED = 20_261_121  # the same evidence gives the same interval at every look at the page
SHORTEST_SEC = 3_600
LEAST_BLOCKS, LEAST_SIGNALS = 5, 100
LEVEL = 0.95
NORMAL = 1.959963984540054
OVERLAP = math.sqrt(6 / 5)


def block_sec(horizon_min: int) -> int:
    return max(2 * 60 * horizon_min, SHORTEST_SEC)


@dataclass(frozen=True, slots=True)
class Figure:
    """A value, the interval that holds it in 95 of 100 worlds, the chance of being so far from nothing in a world of nothing, and how many
    independent pieces would tell as much (NaN where that means nothing)."""

    value: float
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    error: float = math.nan

    @property
    def known(self) -> bool:
        return not math.isnan(self.low)


UNKNOWN = Figure(math.nan)


@cache
def draws(blocks: int) -> Numbers:
    """(DRAWS, blocks): how often each stretch of time is drawn."""
    chance = np.random.default_rng(SEED)
    drawn: Numbers = chance.multinomial(blocks, np.full(blocks, 1 / blocks), size=DRAWS).astype(np.float64)
    drawn.flags.writeable = False
    return drawn


@dataclass(frozen=True, eq=False)
class Blocks:
    """Which stretch of time each row lies in; stretches in which there is nothing are none."""

    of_row: Places
    count: int

    @classmethod
    def over(cls, at: Places, span_sec: int) -> Blocks:
        names, of_row = np.unique(at // span_sec, return_inverse=True)
        return cls(of_row.reshape(-1).astype(np.int64), int(names.size))

    def sums(self, values: Numbers) -> Numbers:
        """(blocks, columns): what each stretch holds of each column; `values` is (rows,) or (rows, columns)."""
        columns = values[:, None] if values.ndim == 1 else values
        return np.stack([np.bincount(self.of_row, column, self.count) for column in columns.T], axis=1)

    def ratios(self, above: Numbers, below: Numbers) -> list[Figure]:
        """Σ above / Σ below for each column, drawn by stretches. Columns that hold fewer than LEAST_SIGNALS or too few stretches have a
        value only."""
        return ratios(self.sums(above), self.sums(below))


def ratios(above: Numbers, below: Numbers, least: int = LEAST_SIGNALS) -> list[Figure]:
    """The same of sums by stretch: (blocks, columns) each. `least` is what must lie in `below`."""
    used = (below > 0).sum(axis=0)
    totals, parts = below.sum(axis=0), above.sum(axis=0)
    weights = draws(above.shape[0]) if above.shape[0] else np.zeros((DRAWS, 0))
    drawn_above, drawn_below = weights @ above, weights @ below
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(totals > 0, parts / totals, np.nan)
        drawn = drawn_above / drawn_below
    return [
        figure(float(value), drawn[:, column], int(used[column]))
        if used[column] >= LEAST_BLOCKS and totals[column] >= least
        else Figure(float(value))
        for column, value in enumerate(values)
    ]


def figure(value: float, drawn: Numbers, blocks: int) -> Figure:
    """The drawn values as an interval, and the chance of such a value where there is nothing."""
    known = np.sort(drawn[~np.isnan(drawn)])
    if math.isnan(value) or blocks < LEAST_BLOCKS or known.size < drawn.size // 2:
        return Figure(value)
    freedom = blocks - 1
    wider = OVERLAP * math.sqrt(blocks / freedom)
    error = float(known.std()) * wider
    reach = wider * _quantile(freedom) / NORMAL
    edge = int(known.size * (1 - LEVEL) / 2)
    low, high = float(known[edge]), float(known[-edge - 1])
    p = chance_beyond(value / error, freedom) if error > 0 else math.nan
    return Figure(value, value - (value - low) * reach, value + (high - value) * reach, p, error)


def of_share(found: Figure, blocks: int) -> Figure:
    """A share stays between 0 and 1; of nothing and of everything the draws know no doubt: there the bound is that of as many independent
    trials as there are stretches."""
    if not found.known:
        return found
    low, high = max(found.low, 0.0), min(found.high, 1.0)
    beyond = 1 - ((1 - LEVEL) / 2) ** (1 / blocks)
    if found.value <= 0:
        low, high = 0.0, beyond
    elif found.value >= 1:
        low, high = 1 - beyond, 1.0
    return Figure(found.value, low, high, found.p, found.error)


@cache
def _quantile(freedom: int) -> float:
    return distance_of(1 - LEVEL, freedom)
