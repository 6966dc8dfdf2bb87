"""Many sets of weights over one history at once: pure.

What is smoothed does not depend on the weights, so a sweep over weights needs it once. Then each score is a quotient of two sums over the
metrics, and the sums of all candidates are two products of matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[Any]

# A product of more than 2^18 multiplications is shared among threads, and beside other programs they wait for each other many times as long
# as the product takes. One that is smaller stays on its processor and in its cache.
MOST_MULTIPLICATIONS = 1 << 18


def scores_of(smoothed: Numbers, counted: NDArray[np.bool_], weights: Numbers) -> Numbers:
    """Σ weight × smoothed over the metrics that count, scaled up for those that do not, as `scoring.metrics.weigh` and `add_up` do it.

    `smoothed` and `counted` have one row a metric, `weights` one row a candidate; the result has one row a candidate and the other axes of
    `smoothed`, in its precision. NaN where none of the candidate's metrics counts.
    """
    rows = smoothed.shape[0]
    parts, there, given = smoothed.reshape(rows, -1), counted.reshape(rows, -1), weights.astype(smoothed.dtype)
    found = np.empty((given.shape[0], parts.shape[1]), dtype=smoothed.dtype)
    block = max(MOST_MULTIPLICATIONS // max(given.size, 1), 1)
    together = np.empty((given.shape[0], min(block, parts.shape[1])), dtype=smoothed.dtype)
    with np.errstate(all="ignore"):  # nothing counts
        share = given / given.sum(axis=1, keepdims=True)
        for begin in range(0, parts.shape[1], block):
            place = slice(begin, begin + block)
            counts, scores = there[:, place], found[:, place]
            of_all = np.matmul(share, counts.astype(smoothed.dtype), out=together[:, : counts.shape[1]])
            np.matmul(given, np.where(counts, parts[:, place], 0), out=scores)
            scores /= of_all
    return found.reshape(given.shape[0], *smoothed.shape[1:])
