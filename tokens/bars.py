"""Bars out of snapshots, and longer bars out of shorter ones: kept in the table, read as a grid.

A minute's prices are those seen in it. Its amounts are a fifth of what the last five minutes had: nobody tells us the single minute, so
they are estimates (their sum over longer bars is close). A minute in which nothing was seen, or only figures that contradict each other,
has no bar.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import connection

from tokens.bar_grid import AMOUNTS, PRICES, Grid, coarser, place
from tokens.bulk_rows import insert_columns
from tokens.columns import Column, read_columns
from tokens.models import LIVING, Bar, BarSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Columns = dict[str, NDArray[Any]]

MINUTE_SEC = 60
INTERVALS = {"1m": MINUTE_SEC, "5m": 300, "1h": 3600, "1d": 86_400}
LONGER = ("5m", "1h", "1d")
LATENESS = timedelta(seconds=20)  # a poll's answers may take that long to be stored
CATCH_UP = timedelta(hours=2)  # a scheduler that was away makes up for at most this much in one run
FIELDS = ("token_id", "interval", "open_time", *PRICES, *AMOUNTS, "source", "stored_at")
WINDOW_MINUTES = 5

SEEN = (
    Column("token", "s.token_id"),
    Column("ts", "s.ts", "moment"),
    Column("price", "s.price"),
    Column("volume_5m", "s.volume_5m"),
    Column("tx_count_5m", "s.tx_count_5m"),
    Column("buys_volume_5m", "s.buys_volume_5m"),
)
KNOWN_WITHIN_SEC = 120.0  # after its end: a bar that came later was not there when its minute was judged
STORED = (
    Column("token", "b.token_id"),
    Column("open_time", "b.open_time", "moment"),
    *(Column(name, f"b.{name}") for name in (*PRICES, *AMOUNTS)),
    Column("stored_at", "b.stored_at", "moment"),
)


def minutes(seen: Mapping[str, NDArray[np.float64]]) -> Columns:
    """The bars of the minutes in which something was seen. `seen`: a row a snapshot, in any order."""
    order = np.lexsort((seen["ts"], seen["token"]))
    token, ts, price = (seen[name][order] for name in ("token", "ts", "price"))
    minute = np.floor(ts / MINUTE_SEC)
    first = (
        np.flatnonzero(np.concatenate([[True], (token[1:] != token[:-1]) | (minute[1:] != minute[:-1])])) if len(ts) else np.zeros(0, int)
    )
    last = np.concatenate([first[1:], [len(ts)]]).astype(int) - 1 if len(ts) else first
    found: Columns = {"token": token[first], "open_time": minute[first] * MINUTE_SEC}
    found |= {"open": price[first], "close": price[last]}
    found |= (
        {"high": np.maximum.reduceat(price, first), "low": np.minimum.reduceat(price, first)} if len(ts) else {"high": price, "low": price}
    )
    for name, of_window in zip(AMOUNTS, ("volume_5m", "tx_count_5m", "buys_volume_5m"), strict=True):
        found[name] = seen[of_window][order][last] / WINDOW_MINUTES
    return found


def record_bars(now: datetime, stored_at: datetime | None = None) -> int:
    """Write the bars of every minute that is over at `now` and not yet written, and the longer bars that ended with it. Returns how many.
    `stored_at` is the moment they bear where the writer had to wait for its turn.

    Six statements at most for each length of bar, however many tokens there are. What is written already stays as it is.
    """
    until = _whole(now - LATENESS, MINUTE_SEC)
    newest = (
        Bar.objects.filter(interval="1m", source=BarSource.SNAPSHOTS).order_by("-open_time").values_list("open_time", flat=True).first()
    )
    since = max(until - CATCH_UP, newest + timedelta(minutes=1)) if newest else until - CATCH_UP
    if since >= until:
        return 0
    at = stored_at or now
    return write(minutes(_seen(since, until)), "1m", BarSource.SNAPSHOTS, at) + lengthen(since, until, at)


def _seen(since: datetime, until: datetime) -> dict[str, NDArray[np.float64]]:
    """By the living tokens first: their rows are found by the index of (token, ts), whatever the table holds."""
    living = ", ".join(f"'{status}'" for status in LIVING)
    rest = (
        f"FROM tokens t CROSS JOIN token_snapshots s WHERE t.status IN ({living}) AND s.token_id = t.id "
        f"AND s.ts >= {moment_literal(since)} AND s.ts < {moment_literal(until)} AND s.price > 0 AND s.contradictions = ''"
    )
    return read_columns(SEEN, rest)


def lengthen(since: datetime, until: datetime, now: datetime, of: Collection[int] | None = None) -> int:
    """The longer bars that ended after `since`, at `until` at the latest, `of` these tokens, else of all that have bars of one minute
    in them."""
    written = 0
    for interval in LONGER:
        length = INTERVALS[interval]
        first, last = _whole(since, length), _whole(until, length)
        if first >= last:
            continue
        stored = stored_rows("1m", first, last, of)
        tokens = np.unique(stored["token"]).astype(np.int64)
        bars = int((last - first).total_seconds()) // MINUTE_SEC
        longer = coarser(place(MINUTE_SEC, int(first.timestamp()), bars, tokens, stored), length)
        written += write(rows_of(longer), interval, BarSource.BARS, now)
    return written


def rows_of(grid: Grid) -> Columns:
    """A grid's bars as rows, without the places where nothing was seen."""
    bar, column = np.nonzero(~np.isnan(grid.close))
    found: Columns = {"token": grid.tokens[column], "open_time": grid.open_time[bar]}
    return found | {name: getattr(grid, name)[bar, column] for name in (*PRICES, *AMOUNTS)}


def write(rows: Mapping[str, NDArray[Any]], interval: str, source: BarSource, now: datetime) -> int:
    """Store bars; one that is known already is passed over. Returns how many were new."""
    if not len(rows["token"]):
        return 0
    times = [datetime.fromtimestamp(moment, UTC) for moment in rows["open_time"].tolist()]
    same: list[list[Any]] = [[value] * len(times) for value in (interval, source.value, now)]
    figures = [rows[name] for name in (*PRICES, *AMOUNTS)]
    return insert_columns(Bar, FIELDS, [rows["token"].astype(int).tolist(), same[0], times, *figures, same[1], same[2]])


def read_grid(
    interval: str,
    tokens: Collection[int],
    until: datetime,
    bars: int,
    known_by: datetime | None = None,
    as_it_was: bool = False,
) -> Grid:
    """The last `bars` bars that ended by `until`, of these tokens, in one statement. With `known_by`, only what was stored by then;
    `as_it_was`: without what came too late to be judged (`in_time`)."""
    length = INTERVALS[interval]
    last = _whole(until, length)
    first = last - timedelta(seconds=length * bars)
    wanted = np.array(sorted(tokens), dtype=np.int64)
    rows = stored_rows(interval, first, last, wanted.tolist(), known_by)
    if as_it_was:
        there = in_time(rows, length)
        rows = {name: column[there] for name, column in rows.items()}
    return place(length, int(first.timestamp()), bars, wanted, rows)


def stored_rows(
    interval: str, since: datetime, until: datetime, tokens: Collection[int] | None = None, known_by: datetime | None = None
) -> dict[str, NDArray[np.float64]]:
    """Bars that began from `since` on and before `until`, as columns, in one statement."""
    if tokens is not None and not tokens:
        return {column.name: np.zeros(0) for column in STORED}
    of_these = f"AND b.token_id IN ({', '.join(str(int(pk)) for pk in tokens)})" if tokens is not None else ""
    in_time = f"AND b.stored_at <= {moment_literal(known_by)}" if known_by is not None else ""
    rest = (
        f"FROM bars b WHERE b.interval = '{_known(interval)}' "
        f"AND b.open_time >= {moment_literal(since)} AND b.open_time < {moment_literal(until)} {of_these} {in_time}"
    )
    return read_columns(STORED, rest)


def in_time(rows: Mapping[str, NDArray[np.float64]], length: int) -> NDArray[np.bool_]:
    """Which rows count as known when their time was judged: those stored in time, and those from before a token's first such row, which
    were filled in when it came to be watched and served as its past ever since. What filled a gap afterwards does not count."""
    late = rows["stored_at"] > rows["open_time"] + length + KNOWN_WITHIN_SEC
    _, token = np.unique(rows["token"], return_inverse=True)
    first = np.full(token.max(initial=-1) + 1, np.inf)
    np.minimum.at(first, token[~late], rows["open_time"][~late])
    there: NDArray[np.bool_] = ~late | (rows["open_time"] < first[token])
    return there


def _known(interval: str) -> str:
    if interval not in INTERVALS:
        raise ValueError(f"{interval}: bars are {', '.join(INTERVALS)} long")
    return interval


def _whole(moment: datetime, length: int) -> datetime:
    """The beginning of the interval in which `moment` lies."""
    return datetime.fromtimestamp(int(moment.timestamp()) // length * length, UTC)


def moment_literal(moment: datetime) -> str:
    """A moment as both databases compare it with a column of moments."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return f"'{text}+00'" if connection.vendor == "postgresql" else f"'{text.removesuffix('.000000')}'"
