"""The months of the evidence: on PostgreSQL a partition for each month of each big table, on SQLite nothing to do.

A row of a month that has no partition goes into the default one, so that a write never fails for want of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations import CreateModel

from learning.keys import range_of_month

TABLES = ("outcomes", "signals", "predictions", "feature_vectors")  # what points before what it points to
MONTHS_AHEAD = 2
_NAME = re.compile(r"_(\d{4})_(\d{2})\Z")


class PartitionedModel(CreateModel):
    """Makes the table of a model; on PostgreSQL in partitions by ranges of its key, those of the present and the next months ready."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        schema_editor.sql_create_table = f"{type(schema_editor).sql_create_table} PARTITION BY RANGE (id)"
        super().database_forwards(app_label, schema_editor, from_state, to_state)
        del schema_editor.sql_create_table
        table = to_state.apps.get_model(app_label, self.name)._meta.db_table
        schema_editor.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
        for month in months_from(datetime.now(UTC).date(), MONTHS_AHEAD):
            schema_editor.execute(_create(table, month))


def months_from(day: date, ahead: int) -> list[date]:
    """The first days of the month of `day` and of as many after it."""
    count = range(day.year * 12 + day.month - 1, day.year * 12 + day.month + ahead)
    return [date(number // 12, number % 12 + 1, 1) for number in count]


def partition(table: str, month: date) -> str:
    return f"{table}_{month:%Y_%m}"


def _create(table: str, month: date) -> str:
    first, beyond = range_of_month(month)
    return f"CREATE TABLE {partition(table, month)} PARTITION OF {table} FOR VALUES FROM ({first}) TO ({beyond})"


def months_of(table: str, using: str = DEFAULT_DB_ALIAS) -> list[date]:
    """The months that have a partition, the oldest first."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table])
        found = [_NAME.search(name) for (name,) in cursor.fetchall()]
    return sorted(date(int(match[1]), int(match[2]), 1) for match in found if match)


def plan_checks_once(using: str = DEFAULT_DB_ALIAS) -> None:
    """For the rest of this transaction. PostgreSQL checks a foreign key into a partitioned table row by row, and would plan each of these
    checks anew, which takes most of the time of writing many rows."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")


def make_ready(now: datetime, using: str = DEFAULT_DB_ALIAS) -> int:
    """Partitions of this month and the next ones, where they are missing. Returns how many were made.

    A month that already has rows in the default partition gets none: they stay there, and go from there when they are old.
    """
    connection = connections[using]
    if connection.vendor != "postgresql":
        return 0
    made = 0
    for table in reversed(TABLES):
        there = months_of(table, using)
        for month in months_from(now.astimezone(UTC).date(), MONTHS_AHEAD):
            if month not in there and not _in_default(connection, table, month):
                with transaction.atomic(using=using), connection.cursor() as cursor:
                    cursor.execute(_create(table, month))
                made += 1
    return made


def _in_default(connection: BaseDatabaseWrapper, table: str, month: date) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {table}_default WHERE id >= %s AND id < %s LIMIT 1", range_of_month(month))  # noqa: S608
        return cursor.fetchone() is not None


def drop_month(tables: Sequence[str], month: date, using: str = DEFAULT_DB_ALIAS) -> None:
    """These tables' partitions of one month, in their order, in one transaction. Whoever still points into them makes it fail."""
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        for table in tables:
            if month in months_of(table, using):
                cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {partition(table, month)}")
                cursor.execute(f"DROP TABLE {partition(table, month)}")
