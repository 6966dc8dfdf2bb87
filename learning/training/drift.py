"""Do the features still lie as they lay when the model learnt? The population stability index, slot by slot. Pure.

A slot is cut into tenths of the training rows, with one more cell for what is missing. Even rows of the very same kind do not fill the
cells exactly alike: what chance alone would give is subtracted, so that identical data have an index of 0 and small samples no alarm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

TENTHS = 10
LEAST_ROWS = 500
LEAST_SPANS = 48  # quarters of an hour: what is the same for all tokens (the market's moods) has no more witnesses than these
MUCH = 0.25  # the usual reading of the index: below 0.1 none, above 0.25 much
LEAST_SHARE = 1e-4


@dataclass(frozen=True, eq=False)
class Reference:
    """How the training rows lay: the edges of each slot's tenths and the share of the rows in each cell, the last cell for missing."""

    edges: NDArray[np.float32]  # (slots, TENTHS - 1)
    shares: Numbers  # (slots, TENTHS + 1)
    rows: int


@dataclass(frozen=True)
class GroupDrift:
    """Of one group of slots: the index of the middle slot, and the slot that moved most."""

    group: str
    index: float
    worst_slot: str
    worst: float
    rows: int
    much: bool

    def as_plain(self) -> dict[str, Any]:
        numbers = {"index": round(self.index, 4), "worst": round(self.worst, 4)}
        return {"group": self.group, **numbers, "worst_slot": self.worst_slot, "rows": self.rows, "much": self.much}


def reference(values: NDArray[np.float32]) -> Reference:
    """Of at least one row."""
    ranked = np.sort(values, axis=0)  # NaN last
    known = (~np.isnan(values)).sum(axis=0)
    places = (np.linspace(0, 1, TENTHS + 1)[1:-1, None] * np.maximum(known - 1, 0)).round().astype(np.int64)
    edges = np.take_along_axis(ranked, places, axis=0).T.astype(np.float32)
    return Reference(edges, shares(values, edges), len(values))


def shares(values: NDArray[np.float32], edges: NDArray[np.float32]) -> Numbers:
    """Of the rows (at least one), in each cell of each slot."""
    found = np.zeros((values.shape[1], TENTHS + 1))
    for slot in range(values.shape[1]):
        column = values[:, slot]
        cell = np.where(np.isnan(column), TENTHS, np.searchsorted(edges[slot], column, side="right"))
        found[slot] = np.bincount(cell, minlength=TENTHS + 1)
    return np.asarray(found / len(values), dtype=np.float64)


def indices(before: Reference, values: NDArray[np.float32]) -> Numbers:
    """The index of each slot, less what chance gives; never below 0."""
    now = np.maximum(shares(values, before.edges), LEAST_SHARE)
    then = np.maximum(before.shares, LEAST_SHARE)
    raw = ((now - then) * np.log(now / then)).sum(axis=1)
    cells = (before.shares > 0).sum(axis=1)
    by_chance = np.maximum(cells - 1, 0) * (1 / before.rows + 1 / len(values))
    return np.asarray(np.maximum(raw - by_chance, 0.0), dtype=np.float64)


def by_group(
    found: Numbers, names: Sequence[str], groups: Sequence[str], rows: int, spans: int, calm: Mapping[str, str]
) -> list[GroupDrift]:
    """Each group as a whole. `calm` names the groups that cannot lie still (the calendar), and why: told, never alarmed about."""
    enough = rows >= LEAST_ROWS and spans >= LEAST_SPANS
    told = []
    for group in dict.fromkeys(groups):
        slots = [place for place, name in enumerate(groups) if name == group]
        worst = max(slots, key=lambda place: found[place])
        index = float(np.median(found[slots]))
        much = enough and group not in calm and index > MUCH
        told.append(GroupDrift(group, index, names[worst], float(found[worst]), rows, much))
    return told
