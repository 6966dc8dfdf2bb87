"""What each weight would change, looked at ahead along its slider: of the first tokens of a draft, how many would still be among the first
if that weight stood somewhere else and the other three stayed. Pure.

A list of some moment holds what the preview's ranking would have held then: tokens that are Active under the draft, that workers had not
archived and that have a score, the highest first, equal ones by their key. Who is Active is the draft's doing at every place of a slider:
whom a lower score would have archived in the end, only a replay tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from scoring.candidates import scores_of
from scoring.metrics import METRICS, add_up, weigh
from scoring.whatif import ACTIVE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.history import Stretch
    from scoring.metrics import Formula
    from scoring.whatif import Replay, Sampled

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Rows = NDArray[np.int64]

PLACES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)  # nearer to each other where the same step changes a weight's share more
FIRST = (10, 5)  # so many of a list, or fewer of shorter ones
LISTS_LONGER = 2  # times that: of a list of twelve nearly all of the first ten stay whatever happens
MOST_MOMENTS, FEWEST_MOMENTS = 40, 5
APART_SEC = 60.0
MOST_PLACES = 40_000  # of all lists together: it bounds the time and the memory
SAME = 1e-12  # of the largest score there can be: nearer ones may be equal, and their sums are taken as workers take them


@dataclass(frozen=True, eq=False)
class Ahead:
    """`stay`: of the `first` of the draft, so many would still be among the first; one row a weight, one column a place of PLACES.

    NaN where all weights would be 0. None where there is too little to tell: then `long_enough` of all `moments` are too few.
    """

    first: int
    moments: int
    long_enough: int
    stay: Numbers | None


def rows_of_lists(stretch: Stretch, played: Replay) -> Rows:
    """For each of some moments, spread over the stretch up to its end, the newest row by then of every token on the list; −1 fills up.

    A row a moment, tokens in the order of their keys. Moments in which nothing had come in since the one before are left out.
    """
    rows, following = _newest(stretch)
    at_end = ((played.status == ACTIVE) & stretch.living)[np.argsort(stretch.pks)]
    listed = (rows >= 0) & (np.where(following >= 0, played.was_active[following], at_end))
    width = int(listed.sum(axis=1).max(initial=0))
    taken = _spread(len(rows), max(MOST_PLACES // max(width, 1), FEWEST_MOMENTS))
    order = np.argsort(~listed[taken], axis=1, kind="stable")[:, :width]
    return np.take_along_axis(np.where(listed, rows, -1)[taken], order, axis=1)


def _newest(stretch: Stretch) -> tuple[Rows, Rows]:
    """Each token's newest row at each moment, and the one after it; −1 where there is none."""
    at, tokens, turns = stretch.columns["ts"], stretch.pks.size, stretch.turns
    number = min(int((at.max() - at.min()) / APART_SEC), MOST_MOMENTS) if at.size else 0
    if not number:
        return (nothing := np.zeros((0, tokens), dtype=np.int64)), nothing
    moments = np.linspace(at.min(), at.max(), number + 1)[1:]
    token = np.arange(at.size) - np.repeat(turns[:-1], np.diff(turns))
    came = np.bincount(np.searchsorted(moments, at) * tokens + token, minlength=number * tokens).reshape(number, tokens)
    seen, every = came.cumsum(axis=0), np.arange(tokens)
    rows = np.where(seen > 0, turns[np.maximum(seen - 1, 0)] + every, -1)
    following = np.where(rows < stretch.last, turns[seen] + every, -1)
    something_came, order = came.any(axis=1), np.argsort(stretch.pks)
    return rows[something_came][:, order], following[something_came][:, order]


def _spread(number: int, most: int) -> Rows:
    """At most so many of so many, evenly, with the last."""
    return np.arange(number - 1, -1, -max(-(-number // most), 1))[::-1]


def look_ahead(lists: Sampled, by: Formula) -> Ahead:
    """Every weight at every place, over all lists that are long enough. `by` is the draft, `lists` its rows of `rows_of_lists`."""
    ranked = (_scores(lists, by, np.array([by.weights])) > -np.inf)[0].sum(axis=1)
    for first in FIRST:
        long = ranked >= first * LISTS_LONGER
        if long.sum() >= FEWEST_MOMENTS:
            there = among_first(lists.of(long), by, _candidates(by), first)
            stay = (there[1:] & there[0]).sum(axis=2).mean(axis=1)
            none = _candidates(by)[1:].sum(axis=1) == 0
            return Ahead(first, ranked.size, int(long.sum()), np.where(none, np.nan, stay).reshape(len(METRICS), len(PLACES)))
    return Ahead(first, ranked.size, int(long.sum()), None)


def _candidates(by: Formula) -> Numbers:
    """The draft's own weights, then each of the four at every place."""
    weights = np.tile(np.asarray(by.weights, dtype=np.float64), (1 + len(METRICS) * len(PLACES), 1))
    for metric in range(len(METRICS)):
        weights[1 + metric * len(PLACES) :][: len(PLACES), metric] = PLACES
    return weights


def among_first(lists: Sampled, by: Formula, weights: Numbers, first: int) -> Flags:
    """For each set of weights, which places of each list are among its `first`: the same as if every set were weighed and added up alone.

    One product of matrices gives the scores but for their last digits; who is so near to the last place that these decide is weighed once
    more. That is not rare: whatever is capped is equal, and young tokens have all their trades in the last five minutes.
    """
    scores = _scores(lists, by, weights)
    edge = np.partition(scores, -first, axis=2)[:, :, -first, np.newaxis]
    apart = (SAME * _largest(lists, by, weights))[:, np.newaxis, np.newaxis]
    there = scores > edge + apart
    near = (scores >= edge - apart) & (scores > -np.inf) & ~there
    left = first - there.sum(axis=2)
    too_many = near.sum(axis=2) > left
    there |= near & ~too_many[:, :, np.newaxis]
    for each in np.flatnonzero(too_many.any(axis=1)).tolist():
        moment, token = np.nonzero(near[each] & too_many[each, :, np.newaxis])
        score = _exactly(lists.of(moment, token), replace(by, weights=weights[each].tolist()))
        order = np.lexsort((token, -score, moment))
        moment, token = moment[order], token[order]
        wins = np.arange(moment.size) - np.searchsorted(moment, moment) < left[each, moment]
        there[each, moment[wins], token[wins]] = True
    return there


def _scores(lists: Sampled, by: Formula, weights: Numbers) -> Numbers:
    """A row a set of weights; −∞ where there is no score."""
    scores = scores_of(lists.smoothed, lists.counted, weights)
    for factor in lists.factors.values():
        scores *= factor
    with np.errstate(all="ignore"):  # no weight at all
        scores *= (_scales(by, weights) / weights.sum(axis=1))[:, np.newaxis, np.newaxis]
    np.putmask(scores, np.isnan(scores), -np.inf)
    return scores


def _scales(by: Formula, weights: Numbers) -> Numbers:
    return np.array([by.model.scale(float(total)) for total in weights.sum(axis=1)])


def _largest(lists: Sampled, by: Formula, weights: Numbers) -> Numbers:
    """No score of these weights is larger."""
    largest = np.abs(lists.smoothed, where=lists.counted, out=np.zeros(lists.smoothed.shape)).max(initial=0.0)
    for factor in lists.factors.values():
        largest = largest * np.abs(factor).max(initial=0.0)
    return np.asarray(np.abs(_scales(by, weights)) * largest)


def _exactly(lists: Sampled, by: Formula) -> Numbers:
    return add_up(weigh(lists.smoothed, lists.counted, by, lists.factors))
