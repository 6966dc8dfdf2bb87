"""What stands around a token: the market in the same minutes, and its pools."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from learning.features.inputs import LATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.sight import Sight

    Numbers = NDArray[np.float64]


class Surroundings:
    """The market the tokens stand in: the same minutes for all of them, the newest of which most tokens have a bar of."""

    def __init__(self, sight: Sight) -> None:
        self.sight = sight
        self.market = sight.inputs.market
        known = (self.market.close > 0).sum(axis=1)
        recent = known[-LATE - 1 :]
        enough = np.flatnonzero(recent * 2 >= recent.max(initial=1))
        self.row = len(known) - len(recent) + int(enough[-1]) if len(enough) else -1
        self.tokens = int(known[self.row]) if self.row >= 0 else 0

    @cached_property
    def logs(self) -> Numbers:
        close = self.market.close[: self.row + 1]
        return np.log(np.where(close > 0, close, np.nan))

    def moved(self, rows: int) -> Numbers:
        """Each token's log return over so many rows, of those that have both bars."""
        if self.row < rows:
            return np.zeros(0)
        change: Numbers = self.logs[-1] - self.logs[-1 - rows]
        return change[~np.isnan(change)]

    @cached_property
    def course(self) -> Numbers:
        """The median move of each minute, as far back as a window goes: (rows, 1)."""
        logs = self.logs[-61:]
        return middle(logs[1:] - logs[:-1]) if len(logs) > 1 else np.full((0, 1), np.nan)

    @cached_property
    def sol(self) -> Numbers:
        """SOL's log closes up to the same row: (rows,)."""
        close = self.sight.inputs.sol[: self.row + 1, 0]
        return np.log(np.where(close > 0, close, np.nan))

    @cached_property
    def sol_course(self) -> Numbers:
        logs = self.sol[-61:]
        return (logs[1:] - logs[:-1])[:, None]

    @cached_property
    def own_course(self) -> Numbers:
        """The tokens' moves in the minutes of `course`."""
        close = self.sight.inputs.minutes.close[: self.row + 1][-61:]
        logs = np.log(np.where(close > 0, close, np.nan))
        return logs[1:] - logs[:-1]


def middle(values: Numbers) -> Numbers:
    """The median of each row, of what is known: (rows, 1)."""
    ordered = np.sort(values, axis=1)
    count = values.shape[1] - np.isnan(ordered).sum(axis=1)
    if not values.shape[1]:
        return np.full((len(values), 1), np.nan)
    last = np.maximum(count - 1, 0)
    low = np.take_along_axis(ordered, (last // 2)[:, None], axis=1)
    high = np.take_along_axis(ordered, (last - last // 2)[:, None], axis=1)
    found: Numbers = low + (high - low) / 2.0
    return found


class PoolFigures:
    """Sums over the pools of each token."""

    def __init__(self, sight: Sight) -> None:
        self.of, self.count = sight.inputs.pools, sight.count
        self.number = self._sum(np.ones(len(self.of.column)))

    def _sum(self, values: Numbers) -> Numbers:
        total: Numbers = np.bincount(self.of.column, values, minlength=self.count)[: self.count].astype(np.float64)
        return total

    def shares(self, values: Numbers) -> Numbers:
        """Of each pool in its token's; unknown counts for nothing."""
        known = np.where(np.isnan(values), 0.0, values)
        total = self._sum(known)
        return known / np.where(total > 0, total, np.nan)[self.of.column]

    def concentration(self, values: Numbers) -> Numbers:
        """Herfindahl's: 1 = all in one pool."""
        return np.where(self.number > 0, self._sum(self.shares(values) ** 2), np.nan)

    @cached_property
    def price_gap(self) -> Numbers:
        """ln(dearest / cheapest) of the pools that hold at least a hundredth of the token's liquidity."""
        deep = (self.shares(self.of.liquidity) >= 0.01) & (self.of.price > 0)
        logs = np.where(deep, np.log(np.where(deep, self.of.price, 1.0)), np.nan)
        highest, lowest = np.full(self.count, -np.inf), np.full(self.count, np.inf)
        np.fmax.at(highest, self.of.column, logs)
        np.fmin.at(lowest, self.of.column, logs)
        several = self._sum(deep.astype(np.float64)) >= 2
        return np.where(several, highest - lowest, np.nan)
