"""Tables in parts by time, on PostgreSQL: which parts there are, made ready ahead and dropped, without others having to wait for it.

A row of a time that has no part goes into the default one, so that a write never fails for want of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

LOCK_WAIT = "300ms"  # less than after which PostgreSQL looks for a deadlock: of two that wait for each other, it is this one that gives up
VACUUM_WAIT = "3s"  # more than that: only then does PostgreSQL tell its automatic vacuum to make room
ATTEMPTS = 20
LOCK_NOT_AVAILABLE = "55P03"
_TIME = re.compile(r"_(\d{4}(?:_\d{2})+)\Z")


@dataclass(frozen=True)
class Cut:
    """How tables are cut: what the parts are parts of, by which column, what each is called after, and from where to where it goes."""

    of: str
    column: str
    name: str
    bounds: Callable[[date], tuple[Any, Any]]
    own: str = ""  # what each part has for itself

    def part(self, table: str, first: date) -> str:
        return f"{table}_{first:{self.name}}"

    def create(self, table: str, first: date) -> str:
        begin, beyond = self.bounds(first)
        whole = self.of.format(table)
        return f"CREATE TABLE {self.part(table, first)} PARTITION OF {whole} {self.own} FOR VALUES FROM ('{begin}') TO ('{beyond}')"

    def there(self, table: str, using: str = DEFAULT_DB_ALIAS) -> list[date]:
        """The first days of the parts that there are, the oldest first. None where the table is not cut, as on SQLite."""
        connection = connections[using]
        if connection.vendor != "postgresql":
            return []
        children = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(%s)"
        found = [_TIME.search(name) for (name,) in asked(connection, children, self.of.format(table))]
        return sorted(datetime.strptime(match[1], self.name).date() for match in found if match)  # noqa: DTZ007 - a day, and no moment

    def make_ready(self, table: str, wanted: Sequence[date], using: str = DEFAULT_DB_ALIAS) -> int:
        """The wanted parts, where they are missing. Returns how many were made.

        A part whose rows the default one has is not made: they stay there, and go from there when they are old. One that cannot be made
        because others hold the table is left for the next time, which is why there are several ahead.
        """
        connection, there = connections[using], self.there(table, using)
        missing = [first for first in wanted if first not in there and not self._in_default(connection, table, first)]
        touched = [*pointed_to(connection, table), *pointing_at(connection, table), self.of.format(table), f"{table}_default"]
        return sum(quickly(connection, touched, [self.create(table, first)]) for first in missing)

    def _in_default(self, connection: BaseDatabaseWrapper, table: str, first: date) -> bool:
        rows = f"SELECT 1 FROM {table}_default WHERE {self.column} >= %s AND {self.column} < %s LIMIT 1"  # noqa: S608
        return bool(asked(connection, rows, *self.bounds(first)))


def pointed_to(connection: BaseDatabaseWrapper, *tables: str) -> list[str]:
    """A part that comes or goes locks them too, as its table's foreign keys do."""
    return _others(connection, "confrelid", "conrelid", tables)


def pointing_at(connection: BaseDatabaseWrapper, *tables: str) -> list[str]:
    """And these, whose foreign keys it may be pointed to by."""
    return _others(connection, "conrelid", "confrelid", tables)


def _others(connection: BaseDatabaseWrapper, wanted: str, by: str, tables: Sequence[str]) -> list[str]:
    keys = f"SELECT {wanted}::regclass::text FROM pg_constraint WHERE {by} = %s::regclass AND contype = 'f' AND conparentid = 0 ORDER BY 1"  # noqa: S608
    found = dict.fromkeys(name for table in tables for (name,) in asked(connection, keys, table))
    return [name for name in found if name not in tables]


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


def asked(connection: BaseDatabaseWrapper, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
