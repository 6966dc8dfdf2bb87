"""Return by tenth of the predictor: does more of it mean more? Tenths are made within each mark: a good hour lifts them all alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from learning.verdict.blocks import LEAST_BLOCKS, LEAST_SIGNALS, UNKNOWN, Blocks, Figure, block_sec, draws, figure, of_share
from learning.verdict.questions import LEAST_RANKED
from learning.verdict.ranks import parts
from learning.verdict.samples import DEAD, TWOFOLD, Predictor, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]
    Flags = NDArray[np.bool_]

TENTHS = 10
MEDIAN_DRAWS = 200  # a median costs more than a mean, and its interval needs less


@dataclass(frozen=True, slots=True)
class Part:
    """One tenth, the lowest is 0; of a predictor that is yes or no: 0 without and 1 with it. Returns after costs."""

    number: int
    signals: int
    low: float  # the predictor's values in it
    high: float
    mean: Figure
    median: Figure
    up: Figure  # the share that rose, after costs
    twofold: Figure  # the share whose price doubled at some time before the end, of those watched throughout; before costs
    dead: int


def by_tenth(sample: Sample, predictor: Predictor, horizon: int) -> list[Part]:
    """Marks with fewer than LEAST_RANKED tokens are left out, as in the question."""
    forward = sample.forward[horizon]
    values = predictor.value(horizon)
    known = ~(np.isnan(values) | np.isnan(forward.gross))
    known &= np.bincount(sample.mark[known], minlength=sample.marks)[sample.mark] >= LEAST_RANKED
    rows = np.flatnonzero(known)
    mark, values, forward = sample.mark[rows], values[rows], forward.at(rows)
    number = 2 if predictor.flag else TENTHS
    part = values.astype(np.int64) if predictor.flag else parts(mark, values, sample.marks, number)
    blocks = Blocks.over(sample.at[rows], block_sec(horizon))
    member = (part[:, None] == np.arange(number)).astype(np.float64)
    watched = member * ~np.isnan(forward.best)[:, None]
    means, ups = (blocks.ratios(member * what[:, None], member) for what in (forward.net, (forward.net > 0) * 1.0))
    twofolds = blocks.ratios(watched * (forward.best >= TWOFOLD)[:, None], watched)
    return [
        Part(
            place,
            int(mine.sum()),
            float(values[mine].min()),
            float(values[mine].max()),
            means[place],
            median(forward.net[mine], blocks.of_row[mine], blocks.count),
            of_share(ups[place], blocks.count),
            of_share(twofolds[place], blocks.count),
            int((forward.state[mine] == DEAD).sum()),
        )
        for place in range(number)
        if (mine := part == place).any()
    ]


def median(values: Numbers, block: Places, blocks: int) -> Figure:
    """What half of the rows stay below, drawn by stretches of time like every figure."""
    if not values.size:
        return UNKNOWN
    order = np.argsort(values, kind="stable")
    middle = float(np.median(values))
    if values.size < LEAST_SIGNALS or np.unique(block).size < LEAST_BLOCKS:
        return Figure(middle)
    heaped = np.cumsum(draws(blocks)[:MEDIAN_DRAWS, block[order]], axis=1)
    half = heaped[:, -1:] / 2
    place = (heaped >= half).argmax(axis=1)
    drawn = np.where(half[:, 0] > 0, values[order][place], math.nan)
    return figure(middle, drawn, int(np.unique(block).size))
