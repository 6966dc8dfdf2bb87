"""What was stored about the tokens and their market by a moment, as arrays, in five statements however many tokens there are.

Asked again later it finds the same: bars by when they were stored, snapshots by their time, and the market by who had bars then and not by
who is alive now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import connection

from learning.features.inputs import FRESH_MIN, HOURS, LAGS, LATE, LOOKED_AT, MOMENTS, ROWS, FeatureInputs, Market, Pools, no_looks
from tokens import every_bar
from tokens.bar_grid import AMOUNTS, PRICES, Grid, empty, place
from tokens.bars import INTERVALS, MINUTE_SEC, moment_literal, stored_rows
from tokens.columns import Column, read_columns
from tokens.models import Chain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

Rows = dict[str, "NDArray[np.float64]"]
Minutes = Callable[[datetime, datetime, datetime], Grid]

SETTLED = timedelta(seconds=10)  # a row may be committed so long after the moment it bears: what is younger is left for the next time
SOL_SYMBOL = "SOLUSDT"
POOL_FIGURES = ("liquidity", "volume_1h", "price")

TOKENS = (
    Column("pk", "t.id"),
    Column("born", "t.created_at", "moment"),
    Column("in_pools", f"t.chain = '{Chain.SOLANA.value}'", "flag"),
    Column("sol", f"t.address = '{SOL_SYMBOL}' AND t.chain = '{Chain.BINANCE.value}'", "flag"),
)
LOOKS = (
    Column("token", "t.id"),
    Column("lag", "w.lag"),
    *(Column(name, f"s.{name}") for name in LOOKED_AT),
    *(Column(name, f"s.{name}", "moment") for name in MOMENTS),
)
POOLS = (Column("token", "p.token_id"), Column("pool", "p.id"), *(Column(name, f"s.{name}") for name in POOL_FIGURES))


def stored_minutes(since: datetime, until: datetime, known_by: datetime) -> Grid:
    """From the table, all of them."""
    return every_bar.stored_minutes(since, until, known_by)


def inputs_at(ts: datetime, known_at: datetime, tokens: Collection[int] | None = None, minutes: Minutes = stored_minutes) -> FeatureInputs:
    """Of these tokens, in the order of their keys; without any given, of all that had a bar in the window.

    `ts` is the moment the vectors speak of, `known_at` the one by which their inputs had to be stored. `minutes` gives the bars of a minute
    of all tokens, nearly all there is to read: a process that goes on passes one that remembers them (`tokens.every_bar`)."""
    since, until, known_by = window(ts, known_at)
    seen = minutes(since, until, known_by)
    asked = seen.tokens if tokens is None else np.array(sorted(set(tokens)), dtype=np.int64)
    kinds = _kinds(np.union1d(seen.tokens, asked))
    everyone = kinds["pk"].astype(np.int64)
    chosen = asked[np.isin(asked, everyone)]
    own, of_seen = (np.searchsorted(everyone, pks) for pks in (chosen, seen.tokens))
    around = kinds["in_pools"][of_seen] == 1
    sol = np.flatnonzero(kinds["sol"][of_seen] == 1)[:1]
    return FeatureInputs(
        ts=int(ts.timestamp()),
        minutes=_columns(seen, chosen),
        hours=_hours(ts, known_by, chosen),
        looks=_looks(ts, chosen),
        pools=_pools(ts, chosen),
        market=Market(seen.close[:, around], seen.volume[:, around], kinds["born"][of_seen][around]),
        sol=seen.close[:, sol] if len(sol) else np.full((ROWS, 1), np.nan),
        born=np.where(kinds["in_pools"][own] == 1, kinds["born"][own], np.nan),
    )


def window(ts: datetime, known_at: datetime) -> tuple[datetime, datetime, datetime]:
    """From when until when bars of a minute are looked at, and by when they had to be stored."""
    minute = int(ts.timestamp()) // MINUTE_SEC * MINUTE_SEC
    return _moment(minute - ROWS * MINUTE_SEC), _moment(minute), known_at - SETTLED


def _columns(seen: Grid, chosen: Places) -> Grid:
    """Of these tokens; NaN where nothing was seen of one. Column after column in memory, whoever is asked for: numpy adds up rows that lie
    otherwise in another order, and a vector has to be found again to the last bit."""
    if not len(seen.tokens):
        return empty(MINUTE_SEC, int(seen.open_time[0]), ROWS, chosen)
    there = np.isin(chosen, seen.tokens)
    some = seen.columns(np.where(there, np.searchsorted(seen.tokens, chosen), 0))
    if there.all():
        return some
    figures: dict[str, Any] = {name: np.where(there, getattr(some, name), np.nan) for name in (*PRICES, *AMOUNTS)}
    return replace(some, tokens=chosen, **figures)


def _kinds(pks: Places) -> Rows:
    return read_columns(TOKENS, f"FROM tokens t WHERE t.id IN ({_listed(pks)}) ORDER BY t.id")


def _hours(ts: datetime, known_by: datetime, chosen: Places) -> Grid:
    """The last whole ones that ended some minutes ago: the bar of an hour is stored a while after its end, and no mark shall go without."""
    length = INTERVALS["1h"]
    last = (int(ts.timestamp()) - LATE * MINUTE_SEC) // length * length
    first = last - HOURS * length
    rows = stored_rows("1h", _moment(first), _moment(last), chosen.tolist(), known_by)
    return place(length, first, HOURS, chosen, rows)


def _looks(ts: datetime, chosen: Places) -> dict[str, Numbers]:
    """For each lag the newest snapshot up to then, unless it is too old. Figures that contradict each other are not believed."""
    found = no_looks(len(chosen))
    if not len(chosen):
        return found
    window = "x.token_id = t.id AND x.ts > w.since AND x.ts <= w.until AND x.contradictions = ''"
    rows = read_columns(
        LOOKS, f"FROM tokens t CROSS JOIN ({' UNION ALL '.join(_lags(ts))}) w {_newest('token', window)} WHERE t.id IN ({_listed(chosen)})"
    )
    lag = np.searchsorted(LAGS, rows["lag"])
    column = np.searchsorted(chosen, rows["token"])
    for name, values in found.items():
        values[lag, column] = rows[name]
    return found


def _lags(ts: datetime) -> Iterator[str]:
    for lag in LAGS:
        until = ts - timedelta(minutes=lag)
        yield f"SELECT {lag} AS lag, {_typed(until - timedelta(minutes=FRESH_MIN))} AS since, {_typed(until)} AS until"


def _pools(ts: datetime, chosen: Places) -> Pools:
    """The newest row of every pool, unless it is too old; in the order of tokens and pools, for sums are added up in it."""
    if not len(chosen):
        return Pools(np.zeros(0, dtype=np.int64), *(np.zeros(0) for _ in POOL_FIGURES))
    since = ts - timedelta(minutes=FRESH_MIN)
    window = f"x.pool_id = p.id AND x.ts > {moment_literal(since)} AND x.ts <= {moment_literal(ts)}"
    rows = read_columns(POOLS, f"FROM pools p {_newest('pool', window)} WHERE p.token_id IN ({_listed(chosen)})")
    order = np.lexsort((rows["pool"], rows["token"]))
    column = np.searchsorted(chosen, rows["token"][order])
    return Pools(column, *(rows[name][order] for name in POOL_FIGURES))


def _newest(kind: str, window: str) -> str:
    """JOIN the newest snapshot in a window, found by the index of (token or pool, ts)."""
    table = f"{kind}_snapshots"
    if connection.vendor == "postgresql":
        return f"CROSS JOIN LATERAL (SELECT * FROM {table} x WHERE {window} ORDER BY x.ts DESC LIMIT 1) s"  # noqa: S608 - our own words
    return f"JOIN {table} s ON s.id = (SELECT x.id FROM {table} x WHERE {window} ORDER BY x.ts DESC LIMIT 1)"  # noqa: S608


def _listed(pks: Places) -> str:
    return ", ".join(map(str, pks.tolist())) or "-1"


def _typed(moment: datetime) -> str:
    literal = moment_literal(moment)
    return f"{literal}::timestamptz" if connection.vendor == "postgresql" else literal


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
