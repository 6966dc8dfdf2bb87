"""Bars that exist, moved together: an average with a memory goes over them as if they were neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Places = NDArray[np.intp]


def over_present_bars(calculation: Callable[..., tuple[Numbers, ...]], *series: Numbers) -> tuple[Numbers, ...]:
    """What `calculation` says of the series when the rows in which any of them is NaN are taken out, token by token, each value put back
    at its own row. It must look back only: behind a token's last bar it is given zeros."""
    if not any(np.isnan(values.min(initial=np.inf)) for values in series):
        return calculation(*series)
    present = ~np.isnan(series[0])
    for further in series[1:]:
        present &= ~np.isnan(further)
    holed = np.flatnonzero(~present.all(axis=0))
    there = np.ascontiguousarray(present[:, holed].T)
    packed = np.arange(len(present)) < there.sum(axis=1)[:, None]
    results = calculation(*(_moved(values, holed, there, packed, 0.0) for values in series))
    return tuple(_moved(values, holed, packed, there, np.nan) for values in results)


def _moved(values: Numbers, columns: Places, source: Flags, target: Flags, filler: float) -> Numbers:
    """In these columns, what lies at `source` put at `target`, in its order; both (columns, rows)."""
    lines = np.full(source.shape, filler)
    lines[target] = np.ascontiguousarray(values[:, columns].T)[source]
    moved = values.copy()
    moved[:, columns] = lines.T
    return moved
