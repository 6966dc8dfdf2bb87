"""How a table with rows in it, read and written meanwhile, is put into days (`tokens.days`) by a migration, and taken out again.

Forward, not one row is copied: the table as it is becomes the part with the kept rows, and new rows go into the days. Only catalogues are
written while others have to wait. Back, what the days hold is first moved, day by day, while work goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations.base import Operation

from tokens.days import DAYS, days_from, in_days
from tokens.parts import asked, pointed_to, quickly

FOREIGN_KEYS = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f' ORDER BY 1"
POINTING_AT = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE confrelid = %s::regclass AND contype = 'f' AND conparentid = 0 ORDER BY 1, 2"""
INDEXES = """
    SELECT c.relname, pg_get_indexdef(c.oid), k.contype::text, pg_get_constraintdef(k.oid)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')
    WHERE i.indrelid = %s::regclass ORDER BY 1"""


class IntoDays(Operation):
    """On PostgreSQL the table in days; to the models, and on SQLite, nothing. Its migration must not be atomic: it would hold its locks
    for as long as the longest of its steps takes."""

    atomic = False
    reversible = True

    def __init__(self, table: str) -> None:
        self.table = table

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The models stay as they are."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        connection = schema_editor.connection
        if connection.vendor == "postgresql" and not in_days(self.table, connection.alias):
            _split(connection, self.table)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if in_days(self.table, schema_editor.connection.alias):
            _unite(schema_editor.connection, self.table)

    def describe(self) -> str:
        return f"Put {self.table} into days"


def _split(connection: BaseDatabaseWrapper, table: str) -> None:
    """What takes long, to see that all rows there are kept ones, is done first, beside others' work. May be done again when it failed."""
    check = f"{table}_all_kept"
    _surely(connection, table, [
        f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS kept boolean NOT NULL DEFAULT true",
        f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {check}",
        f"ALTER TABLE {table} ADD CONSTRAINT {check} CHECK (kept) NOT VALID",
    ])  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {check}")
    indexes = asked(connection, INDEXES, table)
    _surely(connection, table, [
        *_renamed(connection, table, f"{table}_kept", indexes),
        f"CREATE TABLE {table} (LIKE {table}_kept INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY LIST (kept)",
        f"ALTER TABLE {table} DROP CONSTRAINT {check}",
        f"ALTER TABLE {table} ALTER kept SET DEFAULT false",
        *_numbered_on(f"{table}_kept", table),
        f"ALTER TABLE {table}_kept ALTER id DROP IDENTITY",
        *(f"ALTER TABLE {table} ADD CONSTRAINT {name} {what}" for name, what in asked(connection, FOREIGN_KEYS, table)),
        f"CREATE TABLE {table}_flow PARTITION OF {table} FOR VALUES IN (false) PARTITION BY RANGE (ts)",
        *_indexes_of_the_flow(table, indexes),
        f"ALTER TABLE {table} ATTACH PARTITION {table}_kept FOR VALUES IN (true)",
        f"ALTER TABLE {table}_kept DROP CONSTRAINT {check}",
        f"CREATE TABLE {table}_default PARTITION OF {table}_flow (PRIMARY KEY (id)) DEFAULT",
        *(DAYS.create(table, day) for day in days_from(datetime.now(UTC))),
    ])  # fmt: skip


def _unite(connection: BaseDatabaseWrapper, table: str) -> None:
    """Most rows move beside the others' work; those that came meanwhile, in the transaction in which the others wait."""
    with connection.cursor() as cursor:
        for part in [*(DAYS.part(table, day) for day in DAYS.there(table, connection.alias)), f"{table}_default"]:
            cursor.execute(_moved(connection, table, part))
    kept, indexes = f"{table}_kept", asked(connection, INDEXES, f"{table}_kept")
    pointing = asked(connection, POINTING_AT, kept)
    _surely(connection, table, [
        f"LOCK TABLE {', '.join([table, *(other for other, *_ in pointing)])} IN ACCESS EXCLUSIVE MODE",
        _moved(connection, table, f"{table}_flow"),
        "SET CONSTRAINTS ALL IMMEDIATE",
        # PostgreSQL takes out no partition that is pointed into, though this one would stay: who points is checked anew.
        *(f"ALTER TABLE {other} DROP CONSTRAINT {name}" for other, name, _ in pointing),
        f"ALTER TABLE {table} DETACH PARTITION {kept}",
        *_numbered_on(table, kept),
        f"DROP TABLE {table}",
        *(f"ALTER TABLE {other} ADD CONSTRAINT {name} {what}" for other, name, what in pointing),
        *_renamed(connection, kept, table, indexes),
        f"ALTER TABLE {table} DROP COLUMN kept",
    ])  # fmt: skip


def _surely(connection: BaseDatabaseWrapper, table: str, statements: Sequence[str]) -> None:
    if not quickly(connection, [*pointed_to(connection, table), table], statements):
        raise OperationalError("lock timeout: others held the tables all the time; nothing was changed by this step, try again")


def _moved(connection: BaseDatabaseWrapper, table: str, part: str) -> str:
    """The rows of this part, kept from now on. A row that is there already, by the key of what it is about, is not kept twice."""
    with connection.cursor() as cursor:
        names = [column.name for column in connection.introspection.get_table_description(cursor, table) if column.name != "kept"]
    columns = ", ".join(f'"{name}"' for name in names)
    gone = f"WITH gone AS (DELETE FROM {part} RETURNING {columns})"  # noqa: S608
    return f"{gone} INSERT INTO {table}_kept ({columns}, kept) SELECT {columns}, true FROM gone ON CONFLICT DO NOTHING"  # noqa: S608


def _renamed(connection: BaseDatabaseWrapper, table: str, to: str, indexes: Sequence[tuple[Any, ...]]) -> list[str]:
    """The table and all that has a name of its own in the whole database: its indexes and its sequence."""
    statements = [f"ALTER TABLE {table} RENAME TO {to}", f"ALTER SEQUENCE {table}_id_seq RENAME TO {to}_id_seq"]
    return statements + [f"ALTER INDEX {name} RENAME TO {to}{name.removeprefix(table)}" for name, *_ in indexes]


def _numbered_on(table: str, other: str) -> list[str]:
    """The other table gives out the keys from now on, beginning with the next."""
    begun = f"SELECT setval('{other}_id_seq', last_value, is_called) FROM {table}_id_seq"  # noqa: S608
    return [f"ALTER TABLE {other} ALTER id ADD GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME {other}_id_seq)", begun]


def _indexes_of_the_flow(table: str, indexes: Sequence[tuple[Any, ...]]) -> list[str]:
    """All but the primary key, which each day has for itself."""
    statements = []
    for name, definition, kind, constraint in indexes:
        if kind == "u":
            statements.append(f"ALTER TABLE {table}_flow ADD CONSTRAINT {name} {constraint}")
        elif kind != "p":
            how, _, of = definition.partition(" ON ")
            statements.append(f"{how} ON {table}_flow USING {of.partition(' USING ')[2]}")
    return statements
