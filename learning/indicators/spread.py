"""How far a value lies from those before it, in units of their spread: plain and robust. The bar itself is never among those it is
compared with: a spike would widen the spread that it is measured by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.indicators.windows import at_least_one, laid_out, mean_and_std, mean_and_std_of, middle, middle_of_ordered, shifted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

NORMAL_MAD = 1.4826  # the standard deviation of a normal distribution in units of its MAD
NORMAL_MEAN_DISTANCE = 1.2533  # and in units of the mean distance from its median
NO_SPREAD = 1e-12  # of the mean: what varies by less varies by rounding


def z_score(values: Numbers, length: int, least: int | None = None) -> Numbers:
    """(value − mean) / standard deviation (population) of the `length` rows before it. NaN where those do not vary."""
    mean, deviation = mean_and_std(values, length, least)
    return _distance(values, shifted(mean), shifted(deviation))


def z_score_of_last(values: Numbers, least: int) -> Numbers:
    """(n,) that of the last row among all those before it."""
    count, mean, deviation = mean_and_std_of(values[:-1])
    return np.where(count >= least, _distance(values[-1], mean, deviation), np.nan)


def mad(values: Numbers, length: int, least: int | None = None) -> Numbers:
    """Median distance from the median of the last `length` rows."""
    at_least_one(length)
    result = np.full(values.shape, np.nan)
    for chunk, windows in laid_out(values, length):
        enough = length if least is None else least
        result[chunk] = middle(np.abs(windows - middle(windows, enough)[..., None]), enough)
    return result


def robust_z(values: Numbers, length: int, least: int | None = None) -> Numbers:
    """(value − median) / (1.4826 · MAD) of the `length` rows before it. Where more than half of those are equal MAD is 0, and 1.2533 times
    the mean distance from the median takes its place; NaN where all are.

    Every window is sorted: for the few places that matter in a long grid there is `robust_z_at`."""
    at_least_one(length)
    result = np.full(values.shape, np.nan)
    for chunk, windows in laid_out(shifted(values), length):
        result[chunk] = _robust_distance(values[chunk], np.sort(windows, axis=-1), length if least is None else least)
    return result


def robust_z_at(values: Numbers, rows: NDArray[np.intp], columns: NDArray[np.intp], length: int, least: int | None = None) -> Numbers:
    """`robust_z` at some places of the grid only."""
    at_least_one(length)
    lanes = np.concatenate([np.full((values.shape[1], length), np.nan), values.T], axis=1)  # a token's bars side by side
    windows = np.lib.stride_tricks.sliding_window_view(lanes, length, axis=1)[columns, rows]
    windows.sort(axis=-1)
    return _robust_distance(values[rows, columns], windows, length if least is None else least)


def _robust_distance(values: Numbers, ordered: Numbers, least: int) -> Numbers:
    median = middle_of_ordered(ordered, least)
    distances = np.abs(ordered - median[..., None])
    distances.sort(axis=-1)
    deviation = NORMAL_MAD * middle_of_ordered(distances, least)
    stuck = deviation <= NO_SPREAD * np.abs(median)
    if stuck.any():
        known = ~np.isnan(distances[stuck])
        mean = np.where(known, distances[stuck], 0.0).sum(axis=-1) / known.sum(axis=-1)
        deviation[stuck] = NORMAL_MEAN_DISTANCE * mean
    return _distance(values, median, deviation)


def _distance(values: Numbers, centre: Numbers, deviation: Numbers) -> Numbers:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        distance = (values - centre) / deviation
    np.copyto(distance, np.nan, where=deviation <= NO_SPREAD * np.abs(centre))
    return distance
