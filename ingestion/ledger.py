"""What the outside services were asked, what it cost, and what stands in the way: counted in memory, written once a tick.

The scheduler calls `flush(now)` each tick. Nothing that was counted is lost when the database is away: it is written later.
"""

import threading
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Q, Sum

from ingestion.budget import Budget, budget_at, month_start
from ingestion.models import ApiUsage, ServiceState


@dataclass
class Counts:
    """What is counted of one endpoint; the names are columns of api_usage."""

    calls: int = 0
    units: int = 0
    tokens: int = 0
    cache_hits: int = 0
    malformed: int = 0
    temporary: int = 0
    permanent: int = 0
    throttled: int = 0
    latency_ms_sum: float = 0.0
    latency_ms_max: float = 0.0

    def add(self, other: "Counts") -> None:
        highest = max(self.latency_ms_max, other.latency_ms_max)
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
        self.latency_ms_max = highest


COLUMNS = [field.name for field in fields(Counts)]


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of one use of one service, in a sentence an operator can act on."""

    state: str
    sentence: str = ""
    until: datetime | None = None


class Ledger:
    """Counts and states of one process. Any thread may add; `flush` writes both in one statement each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], Counts] = {}
        self._standings: dict[tuple[str, str], Standing] = {}
        self._unwritten: set[tuple[str, str]] = set()

    def count(self, service: str, endpoint: str, counts: Counts) -> None:
        with self._lock:
            self._counts.setdefault((service, endpoint), Counts()).add(counts)

    def set_state(self, service: str, endpoint: str, standing: Standing) -> bool:
        """Notes the state for the next flush; True when the kind of state is another than before (time for the one alarm)."""
        key = (service, endpoint)
        with self._lock:
            before = self._standings.get(key)
            if before != standing:
                self._standings[key] = standing
                self._unwritten.add(key)
        return before is None or before.state != standing.state

    def knows(self, service: str, endpoint: str) -> bool:
        with self._lock:
            return (service, endpoint) in self._standings

    def unwritten_units(self, service: str, endpoint: str | None = None) -> int:
        with self._lock:
            return sum(counts.units for (of, at), counts in self._counts.items() if of == service and endpoint in (None, at))

    def flush(self, now: datetime) -> None:
        """Adds the counts to today's rows and writes the states. On a database error everything is kept for the next time."""
        with self._lock:
            counts, self._counts = self._counts, {}
            states = {key: self._standings[key] for key in self._unwritten}
            self._unwritten = set()
        try:
            if counts:
                _write_counts(now, counts)
                counts = {}
            if states:
                _write_states(now, states)
                states = {}
        except DatabaseError:
            with self._lock:
                self._unwritten |= states.keys()
                for key, kept in counts.items():
                    self._counts.setdefault(key, Counts()).add(kept)
            raise


def _write_counts(now: datetime, counts: dict[tuple[str, str], Counts]) -> None:
    day = connection.ops.adapt_datefield_value(now.date())
    rows = [(day, *key, *astuple(counts[key])) for key in sorted(counts)]
    added = ", ".join(f"{name} = api_usage.{name} + excluded.{name}" for name in COLUMNS if name != "latency_ms_max")
    _upsert(
        "api_usage",
        ["day", "service", "endpoint", *COLUMNS],
        "day, service, endpoint",
        f"{added}, latency_ms_max = CASE WHEN excluded.latency_ms_max > api_usage.latency_ms_max "
        "THEN excluded.latency_ms_max ELSE api_usage.latency_ms_max END",
        rows,
    )


def _write_states(now: datetime, states: dict[tuple[str, str], Standing]) -> None:
    since = connection.ops.adapt_datetimefield_value(now)
    rows = [
        (*key, states[key].state, states[key].sentence[:400], since, connection.ops.adapt_datetimefield_value(states[key].until))
        for key in sorted(states)
    ]
    _upsert(
        "service_states",
        ["service", "endpoint", "state", "sentence", "since", "until"],
        "service, endpoint",
        "sentence = excluded.sentence, until = excluded.until, since = CASE WHEN service_states.state = excluded.state "
        "THEN service_states.since ELSE excluded.since END, state = excluded.state",
        rows,
    )


def _upsert(table: str, columns: list[str], key: str, changes: str, rows: Sequence[tuple[Any, ...]]) -> None:
    # The ORM's bulk_create can replace on a conflict but not add, and two processes add to the same row of the day.
    one_row = f"({', '.join(['%s'] * len(columns))})"
    sql = (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([one_row] * len(rows))} "  # noqa: S608  names are ours
        f"ON CONFLICT ({key}) DO UPDATE SET {changes}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [value for row in rows for value in row])


book = Ledger()


def flush(now: datetime) -> None:
    book.flush(now)


# What the budget asks


def units_spent(service: str, now: datetime) -> tuple[int, int]:
    """Compute units of (this month, today) by the database, plus what this process has not written yet."""
    today = now.date()
    sums = ApiUsage.objects.filter(service=service, day__gte=month_start(now).date(), day__lte=today).aggregate(
        month=Sum("units", default=0), today=Sum("units", filter=Q(day=today), default=0)
    )
    fresh = book.unwritten_units(service)
    return int(sums["month"]) + fresh, int(sums["today"]) + fresh


def units_today(service: str, endpoint: str, now: datetime) -> int:
    """Compute units that one endpoint has cost today, with what this process has not written yet."""
    row = ApiUsage.objects.filter(service=service, endpoint=endpoint, day=now.date()).values_list("units", flat=True).first()
    return int(row or 0) + book.unwritten_units(service, endpoint)


def birdeye_budget(now: datetime) -> Budget:
    month, today = units_spent("birdeye", now)
    return budget_at(now, settings.BIRDEYE_MONTHLY_CU, month, today)


def stored_state(service: str, endpoint: str = "") -> ServiceState | None:
    return ServiceState.objects.filter(service=service, endpoint=endpoint).first()
