"""The newest bars of the tokens that are watched, kept by the process that looks at them every minute: each is read from the table once.

What is given equals `read_grid(…, as_it_was=True)` at that moment. That it can rests on what the table promises: a bar is written once
and never changed, and only the oldest are deleted. A row may become visible later than one with a higher key, so the newest keys are
read again until SETTLED_SEC have passed, longer than any transaction here takes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from tokens.bar_grid import Grid, place
from tokens.bars import INTERVALS, STORED, in_time, moment_literal
from tokens.columns import Column, read_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = dict[str, NDArray[np.float64]]

SETTLED_SEC = 120.0
KEY = Column("key", "b.id")
EDGES = (Column("oldest", "b.open_time", "moment"), Column("highest", "(SELECT max(every.id) FROM bars every)"))


@dataclass
class _Kept:
    """What is known of one length of bar."""

    rows: Rows
    tokens: NDArray[np.int64]
    first: float  # the window, in seconds since 1970
    last: float
    oldest: float  # bar in the table, of any token
    seen: deque[tuple[float, float]] = field(default_factory=deque)  # when, by the clock, and the highest key in the table by then
    settled: float = -1.0  # no row with this key or a lower one will still appear


class RecentBars:
    """Not for two threads at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def grid(self, interval: str, tokens: Collection[int], until: datetime, bars: int) -> Grid:
        """The last `bars` bars that ended by `until`, of these tokens, without what came too late to be judged."""
        length = INTERVALS[interval]
        last = int(until.timestamp()) // length * length
        first = last - length * bars
        wanted = np.array(sorted(tokens), dtype=np.int64)
        rows = self._rows(interval, wanted, float(first), float(last)) if len(wanted) else None
        if rows is None:
            rows = {column.name: np.zeros(0) for column in STORED}
        there = in_time(rows, length)
        return place(length, first, bars, wanted, {name: column[there] for name, column in rows.items()})

    def _rows(self, interval: str, wanted: NDArray[np.int64], first: float, last: float) -> Rows:
        (oldest, highest), now = _edges(interval), self._clock()
        kept = self._kept.get(interval)
        if kept is None or first < kept.first or last < kept.last or (oldest > first and oldest != kept.oldest):
            rows = _read(interval, first, last, wanted)
            kept = self._kept[interval] = _Kept(rows, wanted, first, last, oldest, settled=_long_stored(rows))
        else:
            known = kept.settled >= 0  # else the window is less to read than every key
            kept.rows = _moved_on(interval, kept, wanted, first, last) if known else _read(interval, first, last, wanted)
            kept.settled = _settled(kept, now)  # only now: what appeared since the last look is among the rows
            kept.tokens, kept.first, kept.last, kept.oldest = wanted, first, last, oldest
        kept.seen.append((now, highest))
        return kept.rows


def _long_stored(rows: Rows) -> float:
    """The highest key of those that were stored well before the newest."""
    stored = rows["stored_at"]
    return float(rows["key"][stored <= stored.max(initial=0.0) - SETTLED_SEC].max(initial=-1.0))


def _settled(kept: _Kept, now: float) -> float:
    settled = kept.settled
    while kept.seen and now - kept.seen[0][0] >= SETTLED_SEC:
        settled = kept.seen.popleft()[1]
    return settled


def _moved_on(interval: str, kept: _Kept, wanted: NDArray[np.int64], first: float, last: float) -> Rows:
    """What is settled stays; read are the newest keys, the time that was not in the window before, and tokens that are new."""
    had, key = kept.rows, kept.rows["key"]
    stay = (key <= kept.settled) & (had["open_time"] >= first) & np.isin(had["token"], wanted)
    old = wanted[np.isin(wanted, kept.tokens)]
    new = wanted[~np.isin(wanted, kept.tokens)]
    young = read_columns(
        (*STORED, KEY, Column("same", f"b.interval = '{interval}'", "flag")), f"FROM bars b WHERE b.id > {kept.settled:.0f}"
    )
    ours = (young["same"] == 1) & (young["open_time"] >= first) & (young["open_time"] < last) & np.isin(young["token"], old)
    parts = [{name: column[stay] for name, column in had.items()}, {name: young[name][ours] for name in had}]
    if last > kept.last and len(old):
        later = _read(interval, max(kept.last, first), last, old)
        parts.append({name: column[later["key"] <= kept.settled] for name, column in later.items()})
    if len(new):
        parts.append(_read(interval, first, last, new))
    return {name: np.concatenate([part[name] for part in parts]) for name in had}


def _read(interval: str, first: float, last: float, tokens: NDArray[np.int64]) -> Rows:
    rest = (
        f"FROM bars b WHERE b.interval = '{interval}' AND b.open_time >= {_literal(first)} AND b.open_time < {_literal(last)} "
        f"AND b.token_id IN ({', '.join(map(str, tokens.tolist()))})"
    )
    return read_columns((*STORED, KEY), rest)


def _edges(interval: str) -> tuple[float, float]:
    """The oldest bar of this length, and the highest key of any: both before the rows are read."""
    found = read_columns(EDGES, f"FROM bars b WHERE b.interval = '{interval}' ORDER BY b.open_time LIMIT 1")
    return (float(found["oldest"][0]), float(found["highest"][0])) if len(found["oldest"]) else (np.inf, -1.0)


def _literal(seconds: float) -> str:
    return moment_literal(datetime.fromtimestamp(seconds, UTC))
