"""Bars that exist, moved together: an average with a memory goes over them as if they were neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = tuple[NDArray[Any], NDArray[Any]]


def over_present_bars(calculation: Callable[..., tuple[Numbers, ...]], *series: Numbers) -> tuple[Numbers, ...]:
    """What `calculation` says of the series when the rows in which any of them is NaN are taken out, token by token, each value put back
    at its own row. It must look back only: behind a token's last bar it is given zeros."""
    if not any(np.isnan(values.min(initial=np.inf)) for values in series):
        return calculation(*series)
    present = ~np.isnan(series[0])
    for further in series[1:]:
        present &= ~np.isnan(further)
    rows, columns = np.nonzero(present)
    packed_rows = (np.cumsum(present, axis=0, dtype=np.int32) - 1)[rows, columns]
    results = calculation(*(_moved(values, (rows, columns), (packed_rows, columns), 0.0) for values in series))
    return tuple(_moved(values, (packed_rows, columns), (rows, columns), np.nan) for values in results)


def _moved(values: Numbers, source: Places, target: Places, filler: float) -> Numbers:
    moved = np.full(values.shape, filler)
    moved[target] = values[source]
    return moved
