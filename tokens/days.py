"""The days of what each tick writes: on PostgreSQL a partition for each, expired by dropping it. On SQLite nothing to do.

    token_snapshots                     by a column that only the database knows: `kept`
        token_snapshots_kept            what outlives its day, and what was there before there were days; goes row by row
        token_snapshots_flow            all other rows, by `ts`
            token_snapshots_2026_11_22  … one for each day
            token_snapshots_default     rows of days that have none, so that a write never fails for want of it

Every name that a query needs stays as it was: rows are written to and read from `token_snapshots`. Keys (`id`) and what is unique (`ts` and
whose it is) are held by each partition: a day's rows against each other, and the kept ones against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Exists, Q

DAYS_AHEAD = 3
LOCK_WAIT = "300ms"  # less than after which PostgreSQL looks for a deadlock: of two that wait for each other, it is this one that gives up
VACUUM_WAIT = "3s"  # more than that: only then does PostgreSQL tell its automatic vacuum to make room
ATTEMPTS = 20
LOCK_NOT_AVAILABLE = "55P03"
_NAME = re.compile(r"_(\d{4})_(\d{2})_(\d{2})\Z")


def in_days(table: str, using: str = DEFAULT_DB_ALIAS) -> bool:
    """Whether this table is kept in days: not on SQLite, and not before its migration or after going back behind it."""
    connection = connections[using]
    return connection.vendor == "postgresql" and bool(asked(connection, "SELECT 1 WHERE to_regclass(%s) IS NOT NULL", f"{table}_flow"))


def days_of(table: str, using: str = DEFAULT_DB_ALIAS) -> list[date]:
    """The days that have a partition, the oldest first."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return []
    names = asked(connection, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(%s)", f"{table}_flow")
    found = [_NAME.search(name) for (name,) in names]
    return sorted(date(int(match[1]), int(match[2]), int(match[3])) for match in found if match)


def partition(table: str, day: date) -> str:
    return f"{table}_{day:%Y_%m_%d}"


def make_ready(now: datetime, tables: Collection[str], using: str = DEFAULT_DB_ALIAS) -> int:
    """Partitions of today and the next days, where they are missing. Returns how many were made.

    A day that already has rows in the default partition gets none: they stay there, and go from there when they are old. A day that cannot
    be made because others hold the table is left for the next time, which is why there are several ahead.
    """
    connection, made = connections[using], 0
    for table in tables:
        if in_days(table, using):
            there = days_of(table, using)
            wanted = [day for day in days_from(now) if day not in there and not _in_default(connection, table, day)]
            touched = [*pointed_to(connection, table), f"{table}_flow", f"{table}_default"]
            made += sum(quickly(connection, touched, [create(table, day)]) for day in wanted)
    return made


def expire(
    model: type[models.Model],
    before: datetime,
    kept: Sequence[Q | Exists],
    go_on: Callable[[], bool] = lambda: True,
) -> tuple[int, datetime]:
    """Drop the days that lie wholly before that moment; rows of which one of the conditions is true are taken out first, and stay.

    Returns how many rows went, and before which moment rows of the other partitions are to go: the given one, or the beginning of the first
    day that is left, if that is earlier. Until all of a day is too old none of its rows goes.
    """
    table, last, dropped = model._meta.db_table, before.astimezone(UTC).date(), 0
    for day in days_of(table):
        if day < last and go_on():
            dropped += _drop(model, day, kept)
    return dropped, min([before, *map(_begin, days_of(table)[:1])])


def look_over(tables: Collection[str], using: str = DEFAULT_DB_ALIAS) -> None:
    """Tell PostgreSQL's planner how the rows lie over all days together; of its own accord it only ever looks at each of them."""
    for table in tables:
        if in_days(table, using):
            with connections[using].cursor() as cursor:
                cursor.execute(f"ANALYZE (SKIP_LOCKED) {table}")


def _drop(model: type[models.Model], day: date, kept: Sequence[Q | Exists]) -> int:
    """How many rows went with their day; 0 where others hold it: it is then dropped another time."""
    table, connection = model._meta.db_table, connections[DEFAULT_DB_ALIAS]
    for condition in kept:
        _keep(connection, model, day, condition)
    ((rows,),) = asked(connection, f"SELECT count(*) FROM {partition(table, day)}")  # noqa: S608
    touched = [*pointed_to(connection, table), f"{table}_flow", partition(table, day)]
    return int(rows) if quickly(connection, touched, [f"DROP TABLE {partition(table, day)}"]) else 0


def _keep(connection: BaseDatabaseWrapper, model: type[models.Model], day: date, condition: Q | Exists) -> None:
    """An UPDATE by which rows change their partition: only they are locked, and nobody else waits."""
    begin, end = _begin(day), _begin(day + timedelta(days=1))
    rows = model._default_manager.filter(condition, ts__gte=begin, ts__lt=end).order_by().values("pk")
    chosen, values = rows.query.sql_with_params()
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET kept = true WHERE NOT kept AND ts >= %s AND ts < %s AND id IN ({chosen})",  # noqa: S608
            [begin, end, *values],
        )


def quickly(connection: BaseDatabaseWrapper, touched: Sequence[str], statements: Sequence[str]) -> bool:
    """All of them in one transaction that waits for its locks so shortly that those who queue up behind it hardly do. Tried several times;
    False where none of them got its locks.

    `touched` are the tables it needs for itself, in the order in which readers and writers come to them: so it never has one for which
    somebody waits who holds another. The automatic vacuum is sent away first, by a lock that no reader or writer minds.
    """
    tables = ", ONLY ".join(touched)
    free, alone = (f"LOCK TABLE ONLY {tables} IN {mode} MODE" for mode in ("SHARE UPDATE EXCLUSIVE", "ACCESS EXCLUSIVE"))
    limits = [f"SET LOCAL lock_timeout = '{wait}'" for wait in (VACUUM_WAIT, LOCK_WAIT)]
    for _ in range(ATTEMPTS):
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                connection.check_constraints()  # of a transaction around this one: no table comes or goes while a row of it waits for that
                for statement in (limits[0], free, limits[1], alone, *statements):
                    cursor.execute(statement)
            return True
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
    return False


def pointed_to(connection: BaseDatabaseWrapper, table: str) -> list[str]:
    """A partition that comes or goes locks them too, as its foreign keys do."""
    keys = "SELECT DISTINCT confrelid::regclass::text FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f' ORDER BY 1"
    return [name for (name,) in asked(connection, keys, table)]


def asked(connection: BaseDatabaseWrapper, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _begin(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def days_from(now: datetime) -> list[date]:
    today = now.astimezone(UTC).date()
    return [today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)]


def create(table: str, day: date) -> str:
    first, beyond = _begin(day), _begin(day + timedelta(days=1))
    values = f"FOR VALUES FROM ('{first.isoformat()}') TO ('{beyond.isoformat()}')"
    return f"CREATE TABLE {partition(table, day)} PARTITION OF {table}_flow (PRIMARY KEY (id)) {values}"


def _in_default(connection: BaseDatabaseWrapper, table: str, day: date) -> bool:
    first, beyond = _begin(day), _begin(day + timedelta(days=1))
    return bool(asked(connection, f"SELECT 1 FROM {table}_default WHERE ts >= %s AND ts < %s LIMIT 1", first, beyond))  # noqa: S608
