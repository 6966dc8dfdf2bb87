"""How sure is a figure? Blocks of time and tokens are drawn anew, many times and both at once: the pigeonhole bootstrap. Pure.

Observations that share a block or a token are not independent; an interval that forgets it is far too narrow. This one errs wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

DRAWS = 600
SEED = 20_260_101  # the same evidence gives the same interval at every look at the page


@dataclass(frozen=True)
class Estimate:
    """A figure and the interval around it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Draws:
    """How often each block of time and each token is drawn, in each of many draws."""

    of_blocks: Numbers
    of_tokens: Numbers
    blocks: Places  # the names of the columns
    tokens: Places

    @classmethod
    def over(cls, blocks: Places, tokens: Places) -> Draws:
        chance = np.random.default_rng(SEED)
        known, names = np.unique(blocks), np.unique(tokens)
        of_blocks, of_tokens = (
            chance.multinomial(n, np.full(n, 1 / n), DRAWS).astype(np.float64) if n else np.empty((DRAWS, 0))
            for n in (known.size, names.size)
        )
        return cls(of_blocks, of_tokens, known, names)

    def means(self, block: Places, token: Places, value: Numbers) -> Numbers:
        """The mean of `value` in each draw; NaN in a draw that holds none of it."""
        row, column = np.searchsorted(self.blocks, block), np.searchsorted(self.tokens, token)
        shape = (self.blocks.size, self.tokens.size)
        cells = [
            np.bincount(row * shape[1] + column, weights, shape[0] * shape[1]).reshape(shape) for weights in (value, np.ones(value.size))
        ]
        sums, counts = ((self.of_blocks @ cell * self.of_tokens).sum(axis=1) for cell in cells)
        found: Numbers = np.divide(sums, counts, out=np.full(DRAWS, np.nan), where=counts > 0)
        return found


def interval(value: float, drawn: Numbers, level: float = 0.95) -> Estimate:
    """The middle `level` of what was drawn."""
    known = drawn[~np.isnan(drawn)]
    if not known.size:
        return Estimate(value, np.nan, np.nan)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Estimate(value, low, high)


def weighted_medians(values: Numbers, weights: Numbers) -> Numbers:
    """One median a row of weights: the first value up to which half of the weight lies."""
    order = np.argsort(values, kind="stable")
    heaped = np.cumsum(weights[:, order], axis=1)
    place = (heaped >= heaped[:, -1:] / 2).argmax(axis=1)
    return np.where(heaped[:, -1] > 0, values[order][place], np.nan)
