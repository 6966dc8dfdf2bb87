"""What a value turned out to mean: of signals with about this value, how many rose after costs? Where a chance of that was claimed, what
was said stands beside what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from learning.verdict.blocks import UNKNOWN, Blocks, Figure, block_sec, of_share, ratios
from learning.verdict.samples import Predictor, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Signals with about the same value: their mean value, and the share that rose after costs."""

    said: float
    happened: Figure
    signals: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """`claimed`: the values are chances. Then `brier` is the mean squared distance from what happened (0.25: a coin) and `error` the mean
    distance between said and happened over the bins."""

    bins: tuple[Bin, ...]
    claimed: bool
    brier: Figure = UNKNOWN
    error: float = np.nan
    base: Figure = UNKNOWN


def calibrated(sample: Sample, predictor: Predictor, horizon: int) -> Calibration:
    """Bins of about equal size over all marks together: what a value means must hold at any hour."""
    chance = predictor.chance_at(horizon)
    said = predictor.value(horizon) if chance is None else chance
    net = sample.forward[horizon].net
    rows = np.flatnonzero(~(np.isnan(said) | np.isnan(net)))
    said, rose = said[rows], (net[rows] > 0).astype(np.float64)
    blocks = Blocks.over(sample.at[rows], block_sec(horizon))
    if not rows.size:
        return Calibration((), chance is not None)
    place = equal_bins(said)
    member = (place[:, None] == np.arange(place.max() + 1)).astype(np.float64)
    happened = [of_share(found, blocks.count) for found in blocks.ratios(member * rose[:, None], member)]
    counts = member.sum(axis=0)
    means = (member * said[:, None]).sum(axis=0) / counts
    bins = tuple(Bin(float(means[number]), happened[number], int(counts[number])) for number in range(counts.size))
    base = of_share(blocks.ratios(rose, np.ones(rows.size))[0], blocks.count)
    if chance is None:
        return Calibration(bins, False, base=base)
    brier = ratios(blocks.sums((said - rose) ** 2), blocks.sums(np.ones(rows.size)))[0]
    values = np.array([found.value for found in happened])
    return Calibration(bins, True, brier, float(np.average(np.abs(means - values), weights=counts)), base)


def equal_bins(values: Numbers, bins: int = BINS) -> Places:
    """The number of each one's bin, the lowest values in 0; equal values share one, so that the order of the rows does not matter."""
    place, count = np.unique(values, return_inverse=True, return_counts=True)[1:]
    before = np.cumsum(count) - count
    number = np.minimum(before * bins // count.sum(), bins - 1)
    names = np.unique(number, return_inverse=True)[1].reshape(-1)
    found: Places = names[place.reshape(-1)].astype(np.int64)
    return found
