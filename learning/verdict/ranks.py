"""Order within groups: ranks, rank correlations, tenths, the first few. Rows come group by group; all groups are done at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]
    Flags = NDArray[np.bool_]


def centred_ranks(group: Places, values: Numbers, groups: int) -> Numbers:
    """Ranks within each group, less their mean; equal values share the mean of their ranks. `group` never falls."""
    if not values.size:
        return np.zeros(0)
    counts = np.bincount(group, minlength=groups)
    order = np.lexsort((values, group))
    in_order = values[order]
    anew = np.ones(values.size, dtype=bool)
    anew[1:] = (np.diff(group[order]) != 0) | (in_order[1:] != in_order[:-1])
    tied = np.cumsum(anew) - 1
    mean_place = np.bincount(tied, np.arange(values.size)) / np.bincount(tied)
    begins = np.cumsum(counts) - counts
    ranks = np.empty(values.size)
    ranks[order] = mean_place[tied] - begins[group[order]] - (counts[group[order]] - 1) / 2
    return ranks


def rank_correlations(group: Places, x: Numbers, y: Numbers, groups: int, least: int) -> tuple[Numbers, Places]:
    """Spearman's in each group, and of how many pairs; NaN where there are fewer than `least`, or where one side is all alike.

    Equals the plain correlation of the ranks, group by group. Rows with an unknown side are left out.
    """
    known = ~(np.isnan(x) | np.isnan(y))
    group, x, y = group[known], x[known], y[known]
    counts = np.bincount(group, minlength=groups)
    first, second = (centred_ranks(group, values, groups) for values in (x, y))
    together, mine, theirs = (np.bincount(group, weights, groups) for weights in (first * second, first**2, second**2))
    spread = np.sqrt(mine * theirs)
    found: Numbers = np.divide(together, spread, out=np.full(groups, np.nan), where=(spread > 0) & (counts >= least))
    return found, counts


def parts(group: Places, values: Numbers, groups: int, number: int) -> Places:
    """Which part of its group each row falls into by its rank: 0 the lowest, `number` − 1 the highest; equal values stay together."""
    if not values.size:
        return np.zeros(0, dtype=np.int64)
    counts = np.bincount(group, minlength=groups)[group]
    share = (centred_ranks(group, values, groups) + counts / 2) / counts
    return np.minimum((share * number).astype(np.int64), number - 1)


def places_from_the_top(group: Places, values: Numbers, key: Places, groups: int) -> Places:
    """0 for the highest of each group, 1 for the next …; of equal ones the lower key comes first."""
    counts = np.bincount(group, minlength=groups)
    order = np.lexsort((key, -values, group))
    begins = np.cumsum(counts) - counts
    places = np.empty(values.size, dtype=np.int64)
    places[order] = np.arange(values.size) - begins[group[order]]
    return places
