"""The bars of a minute of all tokens, kept by a process that asks for the newest of them again and again: each is read from the table once
and stands in its place, so that an answer is a copy of some rows.

What is given equals `stored_minutes` at that moment. That it can rests on what the table promises: a bar is written once and never
changed, and only those older than any window here are deleted. A row may become visible later than one with a higher key, so the newest
keys are read again until SETTLED_SEC have passed, longer than any transaction here takes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from django.db import connection

from tokens.bar_grid import AMOUNTS, PRICES, Grid, place
from tokens.bars import MINUTE_SEC, STORED, moment_literal, stored_rows
from tokens.columns import read_columns
from tokens.recent_bars import KEY, SETTLED_SEC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = dict[str, NDArray[np.float64]]

SLACK_SEC = 900  # kept beyond what was asked for: the next question may be about a moment a little earlier
AHEAD_SEC = 3600  # room for the minutes that come, so that it need not be made for each of them
LONG_AGO_SEC = 900.0  # before the newest: nobody writes for so long, and what was stored by then is settled at the first look
CELLS = (*PRICES, *AMOUNTS, "stored_at")


def stored_minutes(since: datetime, until: datetime, known_by: datetime) -> Grid:
    """From the table: bars from `since` on and before `until` (whole minutes) stored by `known_by`, of all tokens with such bars."""
    rows = stored_rows("1m", since, until, known_by=known_by)
    first = int(since.timestamp())
    tokens = np.unique(rows["token"]).astype(np.int64)
    return place(MINUTE_SEC, first, (int(until.timestamp()) - first) // MINUTE_SEC, tokens, rows)


class EveryBar:
    """One statement a question; threads wait for each other."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept = _Kept(0, 0, np.zeros(0, dtype=np.int64))
        self._beyond = -np.inf  # a bar of this moment is in the table and has no place here: whoever asks for it makes all be read anew
        self._settled = -1.0  # no row with this key or a lower one will still appear
        self._seen: deque[tuple[float, float]] = deque()  # when, by the clock, and the highest key that was there by then

    def minutes(self, since: datetime, until: datetime, known_by: datetime) -> Grid:
        """As `stored_minutes` would answer."""
        first, last = int(since.timestamp()), int(until.timestamp())
        with self._lock:
            if first < self._kept.first or last > self._beyond:
                self._begin(first, last)
            else:
                self._kept.forget(first - SLACK_SEC, last + AHEAD_SEC)
                self._go_on()
            return self._kept.cut(first, last, known_by.timestamp())

    def forget(self) -> None:
        """All is read anew at the next question: bars of a time that never was may have gone from the table (`forget_ahead`)."""
        with self._lock:
            self._kept, self._beyond = _Kept(0, 0, np.zeros(0, dtype=np.int64)), -np.inf

    def keep_up(self) -> None:
        """Between two questions that are far apart: what has come is read now and then, and not all of it at the next question."""
        with self._lock:
            if self._seen and self._clock() - self._seen[-1][0] >= SETTLED_SEC:
                self._go_on()

    def _begin(self, first: int, last: int) -> None:
        self._kept, self._beyond = _Kept(first, last + AHEAD_SEC, np.zeros(0, dtype=np.int64)), np.inf
        self._seen.clear()
        rows = _read(first, -1.0)
        self._add(rows)
        young = rows["stored_at"] > rows["stored_at"].max(initial=0.0) - LONG_AGO_SEC
        self._settled = float(rows["key"][young].min(initial=np.inf)) - 1.0 if len(young) else -1.0

    def _go_on(self) -> None:
        self._add(_read(self._kept.first, self._settled))

    def _add(self, rows: Rows) -> None:
        now = self._clock()
        self._kept.put(rows)
        beyond = rows["open_time"] >= self._kept.end
        self._beyond = min(self._beyond, float(rows["open_time"][beyond].min(initial=np.inf)))
        while self._seen and now - self._seen[0][0] >= SETTLED_SEC:
            self._settled = max(self._settled, self._seen.popleft()[1])
        self._seen.append((now, max(self._settled, float(rows["key"].max(initial=-1.0)))))


class _Kept:
    """A table of minutes from `first` until `end`, a column a token, in the order of their keys; NaN where no bar is known."""

    def __init__(self, first: int, end: int, tokens: NDArray[np.int64]) -> None:
        self.first, self.tokens = first, tokens
        self.cells = _nothing((end - first) // MINUTE_SEC, len(tokens))

    @property
    def end(self) -> int:
        return self.first + len(self.cells["close"]) * MINUTE_SEC

    def put(self, rows: Rows) -> None:
        """What lies outside, or on no whole minute, is left out."""
        inside = (rows["open_time"] >= self.first) & (rows["open_time"] < self.end) & (rows["open_time"] % MINUTE_SEC == 0)
        token = rows["token"][inside].astype(np.int64)
        self._make_columns(np.setdiff1d(token, self.tokens))
        where = (rows["open_time"][inside].astype(np.int64) - self.first) // MINUTE_SEC, np.searchsorted(self.tokens, token)
        for name, values in self.cells.items():
            values[where] = rows[name][inside]

    def forget(self, first: int, end: int) -> None:
        """Once there is no room for the minute asked for: the rows before `first` go, and tokens of which nothing is left."""
        if end - AHEAD_SEC <= self.end:
            return
        gone = max(0, first - self.first) // MINUTE_SEC
        left = {name: values[gone:] for name, values in self.cells.items()}
        there = ~np.isnan(left["stored_at"]).all(axis=0)
        self.first += gone * MINUTE_SEC
        self.tokens = self.tokens[there]
        self.cells = _nothing((end - self.first) // MINUTE_SEC, len(self.tokens))
        for name, values in left.items():
            self.cells[name][: len(values)] = values[:, there]

    def cut(self, first: int, last: int, known_by: float) -> Grid:
        rows = slice((first - self.first) // MINUTE_SEC, (last - self.first) // MINUTE_SEC)
        stored = self.cells["stored_at"][rows]
        known = stored <= known_by
        seen = known.any(axis=0)
        hidden = (known != ~np.isnan(stored)).any()
        chosen = slice(None) if seen.all() else seen
        figures = {}
        for name in (*PRICES, *AMOUNTS):
            values = self.cells[name][rows]
            figures[name] = np.array((np.where(known, values, np.nan) if hidden else values)[:, chosen])
        return Grid(MINUTE_SEC, first + MINUTE_SEC * np.arange(len(stored), dtype=np.int64), self.tokens[chosen], **figures)

    def _make_columns(self, new: NDArray[np.int64]) -> None:
        if len(new):
            where = np.searchsorted(self.tokens, new)
            self.tokens = np.insert(self.tokens, where, new)
            self.cells = {name: np.insert(values, where, np.nan, axis=1) for name, values in self.cells.items()}


def _nothing(rows: int, tokens: int) -> Rows:
    return {name: np.full((rows, tokens), np.nan) for name in CELLS}


def _read(first: int, above: float) -> Rows:
    """With a key above that one. SQLite is told to go by the key then, for it would look at every bar of the window."""
    since = moment_literal(datetime.fromtimestamp(first, UTC))
    newer = f"AND b.id > {above:.0f}" if above >= 0 else ""
    table = "bars b NOT INDEXED" if newer and connection.vendor == "sqlite" else "bars b"
    return read_columns((*STORED, KEY), f"FROM {table} WHERE b.interval = '1m' AND b.open_time >= {since} {newer}")
