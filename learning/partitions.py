"""The months of the evidence: on PostgreSQL a partition for each month of each big table, on SQLite nothing to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.operations import CreateModel

from learning.keys import range_of_month
from tokens.parts import Cut, pointed_to, pointing_at, quickly

TABLES = ("outcomes", "signals", "predictions", "feature_vectors")  # what points before what it points to
MONTHS_AHEAD = 2
MONTHS = Cut("{}", "id", "%Y_%m", range_of_month)


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
            schema_editor.execute(MONTHS.create(table, month))


def months_from(day: date, ahead: int) -> list[date]:
    """The first days of the month of `day` and of as many after it."""
    count = range(day.year * 12 + day.month - 1, day.year * 12 + day.month + ahead)
    return [date(number // 12, number % 12 + 1, 1) for number in count]


def months_of(table: str, using: str = DEFAULT_DB_ALIAS) -> list[date]:
    """The months that have a partition, the oldest first."""
    return MONTHS.there(table, using)


def plan_checks_once(using: str = DEFAULT_DB_ALIAS) -> None:
    """For the rest of this transaction. PostgreSQL checks a foreign key into a partitioned table row by row, and would plan each of these
    checks anew, which takes most of the time of writing many rows."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")


def make_ready(now: datetime, tables: Sequence[str] = TABLES, using: str = DEFAULT_DB_ALIAS) -> int:
    """Partitions of this month and the next ones, where they are missing. Returns how many were made."""
    if connections[using].vendor != "postgresql":
        return 0
    wanted = months_from(now.astimezone(UTC).date(), MONTHS_AHEAD)
    return sum(MONTHS.make_ready(table, wanted, using) for table in reversed(tables))


def drop_month(tables: Sequence[str], month: date, using: str = DEFAULT_DB_ALIAS) -> bool:
    """These tables' partitions of one month, in their order, all or none: False where others hold them, and another time it is.
    Whoever still points into them makes it fail."""
    connection = connections[using]
    parts = {table: MONTHS.part(table, month) for table in tables if month in months_of(table, using)}
    others = dict.fromkeys([*pointed_to(connection, *tables), *pointing_at(connection, *tables)])
    touched = [*others, *reversed(tables), *(f"{table}_default" for table in reversed(tables)), *parts.values()]
    steps = [(f"ALTER TABLE {table} DETACH PARTITION {part}", f"DROP TABLE {part}") for table, part in parts.items()]
    return quickly(connection, touched, [statement for both in steps for statement in both])
