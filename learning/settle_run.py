"""What has come of the signals and predictions whose horizon is over: read, reckoned by `learning.settle`, written once.

A fixed number of statements, and at most so many rows of each kind in one run: what is left is the next run's. Everything goes by the keys'
order, and how far it has come is kept in the database: a restart goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import connection, transaction

from learning import keys, partitions, settle
from learning.models import Outcome, OutcomeState, Settled
from learning.settle import Due, Minutes
from tokens.bars import moment_literal
from tokens.bulk_rows import insert_columns
from tokens.columns import Column, read_columns
from tokens.models import Bar, BarSource, Chain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Columns = dict[str, NDArray[np.float64]]

DELAY = timedelta(seconds=90)  # until the bars of the last minute are written
PATIENCE = timedelta(days=1)  # so long an outage is waited for, then its outcomes are unknown
MOST_ROWS = 1_000  # of each kind and horizon in one run
LATE_SEC = 3_600  # what is stored so long after others of its time is found all the same
STATES = (OutcomeState.PRICED.value, OutcomeState.DEAD.value, OutcomeState.UNKNOWN.value)
DUE = ("kind", "horizon", "ts", "rest", "price", "cost", "fresh_sec", "dead_loss", "exchange")
FIGURES = ("price", "gross", "net", "best", "worst", "best_sec", "worst_sec")
OUTCOME = ("id", "settled_at", "signal", "prediction", "horizon_min", "state", *FIGURES)
MINUTES = (
    Column("token", "b.token_id"),
    Column("open_time", "b.open_time", "moment"),
    *(Column(name, f"b.{name}") for name in ("high", "low", "close")),
)
TABLES = ((keys.OF_SIGNAL, "signals", "s.id"), (keys.OF_PREDICTION, "predictions", "s.vector_id"))


@dataclass(frozen=True, slots=True)
class Settling:
    """What one run did. `left`: there is more to do at once."""

    outcomes: int = 0
    priced: int = 0
    dead: int = 0
    unknown: int = 0
    left: bool = False


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What is looked through for one horizon: keys from the first to before the second."""

    horizon: int
    first: int
    beyond: int


def settle_due(now: datetime, writing: Callable[[], AbstractContextManager[None]] = nullcontext) -> Settling:
    """Write the outcomes that can be known by now."""
    stretches = _stretches(now)
    found = _due(stretches)
    due = _as_due(found)
    if len(due):
        minutes, looked = _minutes(found, due), _looked(due)
        came = settle.outcomes(due, minutes, *looked)
        rows = _rows(found, came, now)
    reached = {stretch.horizon: _reached(stretch, found) for stretch in stretches}
    with writing(), transaction.atomic():
        if len(due):
            partitions.plan_checks_once()
            insert_columns(Outcome, OUTCOME, rows)
        _keep(stretches, reached)
    if not len(due):
        return Settling()
    priced, dead, unknown = np.bincount(came.state, minlength=len(STATES)).tolist()
    left = any(reached[each.horizon] < each.beyond for each in stretches)
    return Settling(len(due), priced, dead, unknown, left)


def oldest_unsettled(now: datetime) -> datetime:
    """Nothing from this moment on may be deleted that outcomes are made of: the beginning of the oldest horizon that is not settled."""
    until = dict(Settled.objects.values_list("horizon_min", "until"))
    usual = [int((now - PATIENCE).timestamp()) - minutes * 60 for minutes in keys.HORIZONS_MIN]
    moments = [max(keys.ts_of(until.get(minutes, 0)) - LATE_SEC, least) for minutes, least in zip(keys.HORIZONS_MIN, usual, strict=True)]
    return datetime.fromtimestamp(min(moments), UTC)


def _stretches(now: datetime) -> list[_Stretch]:
    """Settled is what ended before our newest bar: in an outage nothing is, until we look again or lose patience."""
    newest = Bar.objects.filter(interval="1m").order_by("-open_time").values_list("open_time", flat=True).first()
    seen = newest + timedelta(minutes=1) if newest else now - PATIENCE
    limit = int(max(min(now - DELAY, seen), now - PATIENCE).timestamp())
    until = dict(Settled.objects.values_list("horizon_min", "until"))
    found = []
    for minutes in keys.HORIZONS_MIN:
        first = max(until.get(minutes, 0) - (LATE_SEC << keys.TS_SHIFT), 0)
        found.append(_Stretch(minutes, first, int(keys.key(limit - minutes * 60 + 1, 0, 0))))
    return found


def _due(stretches: Sequence[_Stretch]) -> Columns:
    """One statement. A key does not fit into a float, so it comes in two parts."""
    union = " UNION ALL ".join(part for stretch in stretches for part in _parts(stretch))
    return read_columns([Column(name, f"q.{name}") for name in DUE], f"FROM ({union}) q")


def _parts(stretch: _Stretch) -> Iterator[str]:
    number = keys.HORIZONS_MIN.index(stretch.horizon)
    for kind, table, price_of in TABLES:
        outcome = f"(s.id >> 5) * 32 + (s.id & 3) * 4 + {keys.outcome_slot(kind, 0, number)}"
        within = f"s.id >= {stretch.first} AND s.id < {stretch.beyond} AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.id = {outcome})"  # noqa: S608
        question = _question(kind, table, price_of, stretch.horizon, within)
        yield f"SELECT * FROM ({question} ORDER BY s.id LIMIT {MOST_ROWS}) p{kind}{number}"  # noqa: S608


def _question(kind: int, table: str, price_of: str, minutes: int, within: str) -> str:
    """Of a prediction, the price is that of the score's signal of the same moment: it has the vector's key."""
    return (
        f"SELECT {kind} AS kind, {minutes} AS horizon, s.id >> {keys.TS_SHIFT} AS ts, "  # noqa: S608
        f"s.id & {(1 << keys.TS_SHIFT) - 1} AS rest, d.price AS price, d.cost AS cost, r.evidence_fresh_sec AS fresh_sec, "
        f"r.evidence_dead_loss AS dead_loss, CASE WHEN t.chain = '{Chain.BINANCE.value}' THEN 1 ELSE 0 END AS exchange "
        f"FROM {table} s JOIN signals d ON d.id = {price_of} JOIN scoring_settings r ON r.id = d.settings_id "
        f"JOIN tokens t ON t.id = d.token_id WHERE {within}"
    )


def came_of(signal: int, minutes: int, known_by: datetime) -> dict[str, Any]:
    """What came of one signal after one horizon, once more: the columns of its outcome, from the bars that were stored by then."""
    of_signal, table, price_of = TABLES[0]
    question = _question(of_signal, table, price_of, minutes, f"s.id = {signal}")
    found = read_columns([Column(name, f"q.{name}") for name in DUE], f"FROM ({question}) q")
    due, known = _as_due(found), f"<= {moment_literal(known_by)}"
    came = settle.outcomes(due, _minutes(found, due, known), *_looked(due, known))
    figures = {name: None if np.isnan(value := float(getattr(came, name)[0])) else value for name in FIGURES}
    return {"state": STATES[int(came.state[0])], **figures}


def _keys(found: Columns) -> NDArray[np.int64]:
    whole: NDArray[np.int64] = (found["ts"].astype(np.int64) << keys.TS_SHIFT) + found["rest"].astype(np.int64)
    return whole


def _as_due(found: Columns) -> Due:
    return Due(
        found["ts"].astype(np.int64),
        found["horizon"].astype(np.int64) * 60,
        keys.token_of(_keys(found)),
        found["price"],
        found["cost"],
        found["fresh_sec"],
        found["dead_loss"],
        found["exchange"] == 1,
    )


def _minutes(found: Columns, due: Due, known: str = "") -> Minutes:
    """The bars that lie behind one horizon or another, in one statement. `known` bounds when they were stored."""
    parts = []
    stored = f" AND x.stored_at {known}" if known else ""
    for minutes in keys.HORIZONS_MIN:
        rows = np.flatnonzero(found["horizon"] == minutes)
        if len(rows):
            first, last = int(due.ts[rows].min()), int(due.ts[rows].max()) + minutes * 60
            tokens = ", ".join(map(str, np.unique(due.token[rows]).tolist()))
            parts.append(
                f"SELECT x.token_id, x.open_time, x.high, x.low, x.close FROM bars x WHERE x.interval = '1m' "  # noqa: S608
                f"AND x.open_time >= {_moment(first)} AND x.open_time < {_moment(last)} AND x.token_id IN ({tokens}){stored}"
            )
    return Minutes.of(read_columns(MINUTES, f"FROM ({' UNION ALL '.join(parts)}) b"))


def _looked(due: Due, known: str = "") -> tuple[Any, Any]:
    """The minutes in which anything was seen, of tokens and of the exchange's symbols: whatever came of a single one, we were looking."""
    first, last = int(due.ts.min()), int((due.ts + due.horizon_sec).max())
    if connection.vendor == "postgresql":
        minutes = f"generate_series({_moment(first)}::timestamptz, {_moment(last - 60)}::timestamptz, interval '1 minute') m(at)"
    else:
        step = f"SELECT {_moment(first)} UNION ALL SELECT datetime(at, '+60 seconds') FROM n WHERE at < {_moment(last - 60)}"  # noqa: S608
        minutes = f"(WITH RECURSIVE n(at) AS ({step}) SELECT at FROM n) m"  # noqa: S608
    stored = f" AND b.stored_at {known}" if known else ""
    there = "EXISTS (SELECT 1 FROM bars b WHERE b.interval = '1m' AND b.open_time = m.at AND b.source = '{}'" + stored + ")"  # noqa: S608
    columns = [
        Column("at", "m.at", "moment"),
        *(Column(source, there.format(source.value), "flag") for source in (BarSource.SNAPSHOTS, BarSource.BINANCE)),
    ]
    found = read_columns(columns, f"FROM {minutes} ORDER BY m.at")
    at = found["at"].astype(np.int64)
    return at[found[BarSource.SNAPSHOTS] == 1], at[found[BarSource.BINANCE] == 1]


def _rows(found: Columns, came: settle.Outcomes, now: datetime) -> list[Any]:
    of, kind = _keys(found), found["kind"].astype(np.int64)
    horizon = np.searchsorted(keys.HORIZONS_MIN, found["horizon"])
    outcome = keys.vector_of(of) | kind << 4 | keys.slot_of(of) << 2 | horizon
    signal, prediction = (
        [key if each == wanted else None for key, each in zip(of.tolist(), kind.tolist(), strict=True)] for wanted in (0, 1)
    )
    states = [STATES[state] for state in came.state.tolist()]
    figures = [getattr(came, name) for name in FIGURES]
    return [outcome, [now] * len(of), signal, prediction, found["horizon"].astype(np.int64), states, *figures]


def _reached(stretch: _Stretch, found: Columns) -> int:
    """Up to where everything of this horizon has its outcome now."""
    reached = stretch.beyond
    for kind in (keys.OF_SIGNAL, keys.OF_PREDICTION):
        of = _keys(found)[(found["horizon"] == stretch.horizon) & (found["kind"] == kind)]
        if len(of) >= MOST_ROWS:
            reached = min(reached, int(of.max()) + 1)
    return reached


def _keep(stretches: Sequence[_Stretch], reached: dict[int, int]) -> None:
    rows = [Settled(horizon_min=stretch.horizon, until=max(reached[stretch.horizon], stretch.first)) for stretch in stretches]
    Settled.objects.bulk_create(rows, update_conflicts=True, unique_fields=["horizon_min"], update_fields=["until"])


def _moment(seconds: int) -> str:
    return moment_literal(datetime.fromtimestamp(seconds, UTC))
