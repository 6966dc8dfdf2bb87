"""Many sets of weights over one history at once: pure.

What is smoothed does not depend on the weights, so a sweep over weights needs it once. Then each score is a quotient of two sums over the
metrics, and the sums of all candidates are two products of matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.over_history import PATTERNS, patterns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[Any]

BLOCK = 1 << 14  # places at a time: both factors and the result stay inside the processor's cache


def scores_of(smoothed: Numbers, counted: NDArray[np.bool_], weights: Numbers) -> Numbers:
    """Σ weight × smoothed over the metrics that count, scaled up for those that do not, as `scoring.metrics.weigh` and `add_up` do it.

    `smoothed` and `counted` have one row a metric, `weights` one row a candidate; the result has one row a candidate and the other axes of
    `smoothed`, in its precision. NaN where none of the candidate's metrics counts.
    """
    rows = smoothed.shape[0]
    parts, there = smoothed.reshape(rows, -1), counted.reshape(rows, -1)
    given = weights.astype(smoothed.dtype)
    scaled_up = _scaled_up(given)
    found = np.empty((given.shape[0], parts.shape[1]), dtype=smoothed.dtype)
    for begin in range(0, parts.shape[1], BLOCK):
        place = slice(begin, begin + BLOCK)
        pattern = patterns(there[:, place])
        odd = np.flatnonzero(pattern != len(PATTERNS[0]) - 1)  # where a metric is missing: a small part of a usual history
        known = np.where(there[:, place], parts[:, place], 0) if odd.size else parts[:, place]
        np.matmul(given, known, out=found[:, place])
        if odd.size:
            found[:, begin + odd] *= scaled_up.take(pattern[odd], axis=1)
    return found.reshape(given.shape[0], *smoothed.shape[1:])


def _scaled_up(given: Numbers) -> Numbers:
    """For each candidate and each of PATTERNS, what its sum is multiplied with; NaN where nothing counts."""
    together = given @ PATTERNS.astype(given.dtype)
    with np.errstate(all="ignore"):
        return np.where(together > 0, given.sum(axis=1, keepdims=True) / together, np.nan)
