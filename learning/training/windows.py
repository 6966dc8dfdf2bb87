"""Which rows may teach and which may examine: windows that walk forward in time. Pure; times are whole seconds.

A row's label is known only `horizon` after the row itself. So a row teaches only if its label was over, and `embargo` more had passed,
when the examination began: nothing that is asked there was part of the lesson, nor what happened right before.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Seconds = NDArray[np.int64]
    Chosen = NDArray[np.bool_]

EXAMINED = 0.5  # the later part of the time is for examinations


@dataclass(frozen=True, slots=True)
class Window:
    """Rows before `taught_until` (inclusive) teach, rows from `test_from` to before `test_to` examine."""

    taught_until: int
    test_from: int
    test_to: int

    def taught(self, ts: Seconds) -> Chosen:
        return ts <= self.taught_until

    def tested(self, ts: Seconds) -> Chosen:
        return (ts >= self.test_from) & (ts < self.test_to)


def windows(first: int, last: int, folds: int, horizon: int, embargo: int) -> list[Window]:
    """The later half of the time from `first` to `last` (both have rows) as `folds` examinations, one after the other without a gap."""
    begin = last - int((last - first) * EXAMINED)
    edges = np.linspace(begin, last + 1, folds + 1).astype(np.int64).tolist()
    return [Window(taught_until(start, horizon, embargo), start, end) for start, end in pairwise(edges) if end > start]


def taught_until(test_from: int, horizon: int, embargo: int) -> int:
    """The last moment whose label is over `embargo` before `test_from`."""
    return test_from - embargo - horizon


def split_for_calibration(ts: Seconds, share: float, horizon: int, embargo: int) -> tuple[Chosen, Chosen]:
    """The rows (in the order of time) to learn from, and the latest `share` of them, which tells how far to believe what was learnt.
    Between the two the same gap as before an examination."""
    begin = int(ts[min(int(len(ts) * (1 - share)), len(ts) - 1)])
    return ts <= taught_until(begin, horizon, embargo), ts >= begin
