"""Who takes the first few of each mark: how often does it pay, and how many of the great ones are among them?

pick        the first K of a mark by the predictor, the highest first (for yes or no: all with yes); picked before anything is known of
            what becomes of it. Where nobody looked it is counted apart
hit rate    the share of picks whose return after costs is above 0
lift        the hit rate over that of all tokens of the same marks
precision   the share of picks that did 2× (their price doubled at some time before the end), of those whose way was watched throughout
recall      the share of all that did 2× which were among the picks
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from learning.verdict.blocks import LEAST_SIGNALS, Blocks, Figure, block_sec, draws, figure, of_share, ratios
from learning.verdict.questions import LEAST_RANKED
from learning.verdict.ranks import places_from_the_top
from learning.verdict.samples import TWOFOLD, UNSEEN, WAITING, Predictor, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]

FIRST = (1, 3, 5, 10, 20)
ALL = 0  # for K: every token of the mark


@dataclass(frozen=True, slots=True)
class Cut:
    """The first `first` of each mark; ALL is every token, what chance would pick."""

    first: int
    picks: int  # with a known outcome
    unseen: int
    hit: Figure
    lift: Figure
    mean: Figure  # return after costs
    precision: Figure
    recall: Figure
    twofolds: int  # picks that did 2×


def cuts(sample: Sample, predictor: Predictor, horizon: int) -> list[Cut]:
    """One for each K and one for all; for yes or no only those two: with it, and all."""
    values = predictor.value(horizon)
    rows = np.flatnonzero(~np.isnan(values) & (sample.forward[horizon].state != WAITING))
    enough = np.bincount(sample.mark[rows], minlength=sample.marks)[sample.mark[rows]] >= LEAST_RANKED
    rows = rows[enough]
    forward, mark, values = sample.forward[horizon].at(rows), sample.mark[rows], values[rows]
    place = places_from_the_top(mark, values, sample.token[rows], sample.marks)
    everything = np.ones(rows.size, dtype=bool)
    chosen = [(1, values > 0)] if predictor.flag else [(first, place < first) for first in FIRST]
    blocks = Blocks.over(sample.at[rows], block_sec(horizon))
    return [_cut(first, mine, forward.net, forward.best, forward.state == UNSEEN, blocks) for first, mine in [*chosen, (ALL, everything)]]


def _cut(first: int, mine: Flags, net: Numbers, best: Numbers, unseen: Flags, blocks: Blocks) -> Cut:
    seen, watched = mine & ~unseen, ~np.isnan(best)
    hit, great = (net > 0) * 1.0, (best >= TWOFOLD) * 1.0
    columns = [seen, seen * hit, np.where(seen, net, 0.0), ~unseen, ~unseen * hit, seen & watched, seen * great, watched * great]
    sums = blocks.sums(np.stack(columns, axis=1).astype(np.float64))
    picks, hits, returns, all_rows, all_hits, followed, found, all_great = (sums[:, [column]] for column in range(len(columns)))
    recall = of_share(ratios(found, all_great, least=1)[0], blocks.count)
    return Cut(
        first=first,
        picks=int(seen.sum()),
        unseen=int((mine & unseen).sum()),
        hit=of_share(ratios(hits, picks)[0], blocks.count),
        lift=lift(hits, picks, all_hits, all_rows),
        mean=ratios(returns, picks)[0],
        precision=of_share(ratios(found, followed)[0], blocks.count),
        recall=recall if first != ALL and followed.sum() >= LEAST_SIGNALS else Figure(recall.value),
        twofolds=int(found.sum()),
    )


def lift(hits: Numbers, picks: Numbers, all_hits: Numbers, all_rows: Numbers) -> Figure:
    """(hits / picks) / (all hits / all rows), both drawn together. Its p is left out: nothing is claimed from it."""
    weights = draws(hits.shape[0]) if hits.size else np.zeros((1, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (hits.sum() / picks.sum()) / (all_hits.sum() / all_rows.sum())
        drawn = (weights @ hits / (weights @ picks)) / (weights @ all_hits / (weights @ all_rows))
    if picks.sum() < LEAST_SIGNALS or not np.isfinite(value):
        return Figure(float(value) if np.isfinite(value) else np.nan)
    return replace(figure(float(value), np.where(np.isfinite(drawn), drawn, np.nan)[:, 0], int((picks > 0).sum())), p=math.nan)
