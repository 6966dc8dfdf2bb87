"""The bars of a minute of all tokens, kept by a process that asks for the newest of them again and again: each is read from the table once.

What is given equals `stored_rows("1m", …)` at that moment, the order apart. That it can rests on what the table promises: a bar is written
once and never changed, and only those older than any window here are deleted. A row may become visible later than one with a higher key, so
the newest keys are read again until SETTLED_SEC have passed, longer than any transaction here takes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from tokens.bars import STORED, moment_literal
from tokens.columns import read_columns
from tokens.recent_bars import KEY, SETTLED_SEC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = dict[str, NDArray[np.float64]]

SLACK_SEC = 900.0  # kept beyond what was asked for: the next question may be about a moment a little earlier


class EveryBar:
    """One statement a question; threads wait for each other."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rows: Rows = {}
        self._first = np.inf  # the kept rows begin here, in seconds since 1970
        self._settled = -1.0  # no row with this key or a lower one will still appear
        self._seen: deque[tuple[float, float]] = deque()  # when, by the clock, and the highest key that was there by then

    def minutes(self, since: datetime, until: datetime, known_by: datetime) -> Rows:
        """Bars that began from `since` on and before `until`, and were stored by `known_by`."""
        with self._lock:
            rows = self._kept(since.timestamp())
        asked = (rows["open_time"] >= since.timestamp()) & (rows["open_time"] < until.timestamp())
        asked &= rows["stored_at"] <= known_by.timestamp()
        return {column.name: rows[column.name][asked] for column in STORED}

    def _kept(self, first: float) -> Rows:
        now = self._clock()
        if first < self._first:
            self._settled, self._first = -1.0, first
            self._seen.clear()
            self._rows = _read(first, -1.0)
        else:
            young = _read(self._first, self._settled)
            self._first = max(self._first, first - SLACK_SEC)
            stay = (self._rows["key"] <= self._settled) & (self._rows["open_time"] >= self._first)
            self._rows = {name: np.concatenate([column[stay], young[name]]) for name, column in self._rows.items()}
        while self._seen and now - self._seen[0][0] >= SETTLED_SEC:
            self._settled = self._seen.popleft()[1]
        self._seen.append((now, float(self._rows["key"].max(initial=-1.0))))
        return self._rows


def _read(first: float, above: float) -> Rows:
    """With a key above that one."""
    since = moment_literal(datetime.fromtimestamp(first, UTC))
    newer = f"AND b.id > {above:.0f}" if above >= 0 else ""
    return read_columns((*STORED, KEY), f"FROM bars b WHERE b.interval = '1m' AND b.open_time >= {since} {newer}")
