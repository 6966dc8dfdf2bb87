"""Many questions, one of which is bound to look true by chance: p-values corrected for their number (Holm, which holds whatever the
questions have in common)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each one times the number of questions that are not yet settled, in the order of their size, never falling, at most 1.

    A question without an answer (NaN) was not asked. Who says "true" below 0.01 is wrong, be it once in the whole family, in at most one
    family of a hundred.
    """
    asked = np.flatnonzero(~np.isnan(p))
    order = asked[np.argsort(p[asked], kind="stable")]
    found = np.full(p.size, np.nan)
    found[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(order.size, 0, -1)))
    return found
