"""Prices at which a market may turn: what the sources say, near ones merged, with a strength, and which are nearest to the price now.

    strength = 1 − 2^(−w / 3),   w = Σ weights of what was merged + TOUCH × (visits, at most MOST_VISITS)

A visit is a run of five-minute bars that reach the level; it counts from the second on, for the first may be what made the level. The
nearest support is the one for which distance / (1 + strength) is least, and so for resistance: a weak level must be nearer to count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trading import level_sources
from trading.names import LevelKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trading.judge_rule import JudgeRule
    from trading.windows import Windows

    Numbers = NDArray[np.float64]
    Codes = NDArray[np.int8]

KINDS = tuple(LevelKind)
NO_KIND = np.int8(-1)
EACH_SIDE = 6
TOUCH, MOST_VISITS = 0.3, 5
FALLBACK_ATR = 1.5


@dataclass(frozen=True, slots=True)
class Levels:
    """(2 × EACH_SIDE, n): first the supports, then the resistances, each side the nearest first; what is not there is NO_KIND and NaN.

    A side without any level has a fallback instead, at FALLBACK_ATR: a distance to reckon with, not a place where anybody trades. It has
    no strength, and where ATR is unknown there is none."""

    kind: Codes
    price: Numbers  # multiples of the last close
    strength: Numbers  # 0 … 1
    distance_atr: Numbers  # below the price: negative
    support: NDArray[np.int64]  # (n,) which one is nearest, −1: none; a fallback may be it
    resistance: NDArray[np.int64]

    @property
    def distance(self) -> Numbers:
        """As a share of the price, below it negative."""
        return self.price - 1.0

    def real(self, which: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the nearest one is a level, and no fallback."""
        kind = self.kind[np.maximum(which, 0), np.arange(len(which))]
        return np.asarray((which >= 0) & (kind != KINDS.index(LevelKind.FALLBACK)))

    def away(self, which: NDArray[np.int64]) -> Numbers:
        """Distance in ATR without a sign to the nearest real level, NaN where there is none."""
        distance = np.abs(self.distance_atr[np.maximum(which, 0), np.arange(self.price.shape[1])])
        return np.where(self.real(which), distance, np.nan)


def find(
    windows: Windows,
    atr: Numbers,
    rule: JudgeRule,
    profile: tuple[Numbers, Numbers, Numbers],
    traded: level_sources.Traded | None = None,
) -> Levels:
    """`atr` is a share of the last close, NaN where unknown: then only equal prices are merged, and nothing is said in ATR. `profile` and
    `traded` are those of `level_sources`, of the same windows."""
    width = np.where(atr > 0, rule.merge_atr * atr, 0.0)
    kind, price, weight = _merged(level_sources.all_of(windows, profile, traded), width)
    kind, price, weight = _nearest_each_side(kind, price, weight)
    known = ~np.isnan(price)
    weight = weight + TOUCH * np.clip(_visits(windows, price, width) - 1.0, 0.0, MOST_VISITS)
    strength = np.where(known, 1.0 - np.exp2(-weight / 3.0), np.nan)
    _fall_back(kind, price, strength, atr)
    distance_atr = np.where(atr > 0, price - 1.0, np.nan) / np.where(atr > 0, atr, 1.0)
    support, resistance = (_nearest(price, strength, slice(start, start + EACH_SIDE)) for start in (0, EACH_SIDE))
    return Levels(kind, price, strength, distance_atr, support, resistance)


def _merged(candidates: list[level_sources.Candidate], width: Numbers) -> tuple[Codes, Numbers, Numbers]:
    """Levels from the lowest up, (candidates, n): each takes in what lies within `width` above its lowest member; its price is the mean
    by weight, its weight the sum, its kind that of the heaviest member. The rest of the rows is empty."""
    prices, weights, kinds = _from_the_lowest(candidates, len(width))
    sums = np.stack([weights, weights * np.where(np.isnan(prices), 0.0, prices)], axis=1)
    level, leads = _joined(prices, sums, width)
    weight, money, kind = np.zeros(prices.shape), np.zeros(prices.shape), np.full(prices.shape, NO_KIND)
    every = np.arange(len(width))
    weight[level, every], money[level, every] = sums[:, 0], sums[:, 1]  # of a level's members the last has the sums
    row, column = np.nonzero(leads)
    kind[level[row, column], column] = kinds[row, column]  # and the last that led was the heaviest
    filled = weight > 0
    return np.where(filled, kind, NO_KIND), np.where(filled, money, np.nan) / np.where(filled, weight, 1.0), weight


def _from_the_lowest(candidates: list[level_sources.Candidate], n: int) -> tuple[Numbers, Numbers, Codes]:
    """Prices, weights and kinds, (candidates, n), the prices going up row by row; NaN last, and of no weight."""
    prices, weights = np.empty((len(candidates), n)), np.empty((len(candidates), n))
    for row, one in enumerate(candidates):
        prices[row], weights[row] = one.price, one.weight
    prices[~(prices > 0)] = np.nan
    order, every = np.ascontiguousarray(np.argsort(prices.T, axis=1, kind="stable").T), np.arange(n)
    prices, weights = prices[order, every], weights[order, every]
    weights[np.isnan(prices)] = 0.0
    return prices, weights, np.array([KINDS.index(one.kind) for one in candidates], dtype=np.int8)[order]


def _joined(prices: Numbers, sums: Numbers, width: Numbers) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Which level each price belongs to, from 0 up, and whether it is the heaviest of the level so far. `sums` (rows, 2, n) become those
    of the level up to each row; the first of the two is the weight."""
    opens, leads, ends = np.empty(prices.shape, dtype=np.bool_), np.empty(prices.shape, dtype=np.bool_), prices + width
    end, so_far = np.full(len(width), -np.inf), np.zeros((3, len(width)))
    heaviest, total = so_far[0], so_far[1:]
    for row, price in enumerate(prices):
        begins = np.greater(price, end, out=opens[row])
        np.copyto(end, ends[row], where=begins)
        np.copyto(so_far, 0.0, where=begins)
        np.greater_equal(sums[row, 0], heaviest, out=leads[row])
        np.maximum(heaviest, sums[row, 0], out=heaviest)
        total += sums[row]
        sums[row] = total
    return np.maximum(np.add.accumulate(opens, axis=0, dtype=np.int64) - 1, 0), leads


def _nearest_each_side(kind: Codes, price: Numbers, weight: Numbers) -> tuple[Codes, Numbers, Numbers]:
    """EACH_SIDE levels at or below the price, and as many above. `price` goes up row by row."""
    below = (price <= 1.0).sum(axis=0)
    row = np.concatenate([below - 1 - np.arange(EACH_SIDE)[:, None], below + np.arange(EACH_SIDE)[:, None]])
    there, row, every = (row >= 0) & (row < len(price)), np.clip(row, 0, len(price) - 1), np.arange(price.shape[1])
    there &= ~np.isnan(price[row, every])
    return np.where(there, kind[row, every], NO_KIND), np.where(there, price[row, every], np.nan), np.where(there, weight[row, every], 0.0)


def _visits(windows: Windows, price: Numbers, width: Numbers) -> Numbers:
    """How often five-minute bars came to each level from elsewhere, within half the width of merging."""
    high, low = windows.fives.high + width / 2, windows.fives.low - width / 2
    visits = np.zeros(price.shape)
    for place, level in enumerate(price):
        reached = (low <= level) & (level <= high)
        visits[place] = reached[0] + np.add.reduce(
            (reached[1:] > reached[:-1]).view(np.uint8), axis=0, dtype=np.uint8
        )  # far fewer than 255
    return visits


def _fall_back(kind: Codes, price: Numbers, strength: Numbers, atr: Numbers) -> None:
    for place, side in ((0, -1.0), (EACH_SIDE, 1.0)):
        at = 1.0 + side * FALLBACK_ATR * atr
        needed = (kind[place] == NO_KIND) & (atr > 0) & (at > 0)
        kind[place, needed] = KINDS.index(LevelKind.FALLBACK)
        price[place, needed] = at[needed]
        strength[place, needed] = 0.0


def _nearest(price: Numbers, strength: Numbers, side: slice) -> NDArray[np.int64]:
    weighed = np.abs(price[side] - 1.0) / (1.0 + strength[side])
    none = np.isnan(weighed)
    nearest = np.where(none, np.inf, weighed).argmin(axis=0) + side.start
    return np.where(none.all(axis=0), -1, nearest)
