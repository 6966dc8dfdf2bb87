"""What a set of features must not hold, found by looking at what it says: constants, copies, and what the future changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from learning.features import Features

Numbers = NDArray[np.float64]

TOO_ALIKE = 0.9999


def constants(values: Numbers, names: Sequence[str]) -> list[str]:
    """Slots that say one thing only, or nothing at all."""
    return [name for name, column in zip(names, values.T, strict=True) if len(np.unique(column[~np.isnan(column)])) < 2]


def copies(values: Numbers, names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs that say the same, or of which one rises with the other (falls with it) throughout: of the rows in which all is known."""
    whole = values[~np.isnan(values).any(axis=1)]
    if len(whole) < 300:
        raise ValueError(f"{len(whole)} rows in which all is known are too few to tell")
    ranks = np.column_stack([_ranks(column) for column in whole.T])
    with np.errstate(invalid="ignore", divide="ignore"):  # a constant has no ranks to compare; it is told of above
        alike = np.abs(np.corrcoef(ranks, rowvar=False))
    first, second = np.nonzero(np.triu(alike >= TOO_ALIKE, k=1))
    return [(names[one], names[other]) for one, other in zip(first.tolist(), second.tolist(), strict=True)]


def _ranks(column: Numbers) -> Numbers:
    """Equal values share the mean of their places."""
    _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    found: Numbers = (ends - (counts - 1) / 2.0)[inverse]
    return found


def changed(before: Features, after: Features, names: Sequence[str]) -> list[str]:
    """Slots of which a single bit is not what it was, in value or reason."""
    values = before.values.view(np.uint32) != after.values.view(np.uint32)
    return [name for name, other in zip(names, (values | (before.reasons != after.reasons)).any(axis=0), strict=True) if other]


def changed_by(events: Sequence[Callable[[], None]], look: Callable[[], Features], names: Sequence[str]) -> list[str]:
    """Slots that say something else after one of these events than before all of them."""
    before, found = look(), []
    for event in events:
        event()
        found += [name for name in changed(before, look(), names) if name not in found]
    return found
