"""Many rows in one statement: what the ORM's bulk methods do, at a tenth of their time. Plain SQLite and PostgreSQL, no other database.

Values are what the model's fields hold: numbers, text, aware datetimes, None, and for JSON columns ready-made text. A number that is
not finite is unknown and is written as null on both databases; left alone, SQLite would do so and PostgreSQL would keep the NaN.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import Cursor
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types.datetime import TimestamptzLoader

from tokens.binary_rows import (
    FLOATING,
    STREAM_END,
    STREAM_HEAD,
    TIMESTAMPTZ,
    Column,
    Kind,
    Row,
    array_bytes,
    field_of,
    kind_of,
    stream_blocks,
)


def insert_rows(model: type[models.Model], fields: Sequence[str], rows: Sequence[Row], using: str = DEFAULT_DB_ALIAS) -> int:
    """Insert `rows`, whose values stand in the order of `fields`; a row that a unique constraint knows already is passed over.

    Everything or nothing: any other refusal of the database leaves the table as it was. Returns how many rows were new.
    """
    return insert_columns(model, fields, _columns(fields, rows), using) if rows else 0


def insert_columns(model: type[models.Model], fields: Sequence[str], columns: Sequence[Column], using: str = DEFAULT_DB_ALIAS) -> int:
    """The same for values that stand in columns, one for each of `fields`. A column may be an array of floats, NaN where unknown."""
    if not len(columns[0]):
        return 0
    connection = connections[using]
    if connection.vendor == "postgresql":
        return _copy_or_merge(connection, model, fields, columns)
    with transaction.atomic(using=using, savepoint=False):
        return _insert_each(connection, model, fields, columns)


def update_rows(
    model: type[models.Model],
    key: str,
    fields: Sequence[str],
    rows: Sequence[Row],
    newer: str | None = None,
    added: Collection[str] = (),
    using: str = DEFAULT_DB_ALIAS,
) -> int:
    """Set `fields` in the rows found by `key`; each of `rows` is the key's value, then one value a field. Returns how many were set.

    A key that is not in the table changes nothing. With `newer`, one of the fields, only rows whose present value of it is null or less
    than the new one are set: what is older never overwrites what is newer, whoever comes late.
    """
    if not rows:
        return 0
    connection = connections[using]
    columns = _columns([key, *fields], rows)
    if connection.vendor == "postgresql":
        return _update_from_arrays(connection, model, key, fields, columns, newer, added)
    with transaction.atomic(using=using, savepoint=False):
        return _update_each(connection, model, key, fields, columns, newer, added)


def find_rows(
    model: type[models.Model], key: str, fields: Sequence[str], values: Sequence[str] | Sequence[int], using: str = DEFAULT_DB_ALIAS
) -> list[Row]:
    """`fields` of the rows whose `key` is among `values`, in one statement however many these are, in no particular order."""
    if not values:
        return []
    connection = connections[using]
    by, *names = _column_names(connection, model, [key, *fields])
    select = f"SELECT {', '.join(names)} FROM {connection.ops.quote_name(model._meta.db_table)} WHERE {by}"  # noqa: S608
    if connection.vendor == "postgresql":
        kind = kind_of(model, key)
        return _run(connection, f"{select} = ANY(%b::{kind.name}[])", [_Array(kind, values)]).fetchall()
    with connection.cursor() as cursor:
        cursor.execute(f"{select} IN (SELECT value FROM json_each(%s))", [json.dumps(list(values))])  # noqa: S608
        columns = zip(*cursor.fetchall(), strict=True)
        return list(zip(*(_read(kind_of(model, name), column) for name, column in zip(fields, columns, strict=False)), strict=True))


def _columns(fields: Sequence[str], rows: Sequence[Row]) -> Sequence[Column]:
    columns = list(zip(*rows, strict=True))
    if len(columns) != len(fields):
        raise ValueError(f"rows of {len(columns)} values for {len(fields)} fields")
    return columns


def _column_names(connection: BaseDatabaseWrapper, model: type[models.Model], fields: Sequence[str]) -> list[str]:
    return [connection.ops.quote_name(str(field_of(model, name).column)) for name in fields]


# PostgreSQL


def _copy_or_merge(connection: BaseDatabaseWrapper, model: type[models.Model], fields: Sequence[str], columns: Sequence[Column]) -> int:
    """COPY straight into the table; only where a row is there already, take the way over a temporary table."""
    table = connection.ops.quote_name(model._meta.db_table)
    names = ", ".join(_column_names(connection, model, fields))
    kinds = [kind_of(model, name) for name in fields]
    try:
        with transaction.atomic(using=connection.alias):
            return _copy(connection, f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)", kinds, columns)
    except IntegrityError as error:
        if not _is_unique_violation(error):
            raise
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE rows_to_merge ON COMMIT DROP AS SELECT {names} FROM {table} WITH NO DATA")  # noqa: S608
        _copy(connection, f"COPY rows_to_merge ({names}) FROM STDIN (FORMAT BINARY)", kinds, columns)
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM rows_to_merge ON CONFLICT DO NOTHING")  # noqa: S608
        inserted = int(cursor.rowcount)
        cursor.execute("DROP TABLE rows_to_merge")
    return inserted


def _is_unique_violation(error: IntegrityError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) == "23505"


def _copy(connection: BaseDatabaseWrapper, statement: str, kinds: Sequence[Kind], columns: Sequence[Column]) -> int:
    with connection.cursor() as cursor:
        with connection.wrap_database_errors, cursor.copy(statement) as copy:
            copy.write(STREAM_HEAD)
            for block in stream_blocks(kinds, columns):
                copy.write(block)
            copy.write(STREAM_END)
        return int(cursor.rowcount)


def _logged(cursor: Any, statement: str) -> AbstractContextManager[None]:
    """Where Django keeps its list of queries (tests that count statements), these statements stand in it too."""
    logged: AbstractContextManager[None] = cursor.debug_sql(statement, ()) if hasattr(cursor, "debug_sql") else nullcontext()
    return logged


@dataclass(frozen=True, slots=True)
class _Array:
    """A column as one parameter: PostgreSQL's binary form of a one-dimensional array."""

    kind: Kind
    values: Column


class _ArrayDumper(Dumper):
    """Leaves the type unnamed: the statement casts each array, and PostgreSQL reads the bytes by that."""

    format = Format.BINARY

    def dump(self, obj: _Array) -> bytes:
        return array_bytes(obj.kind, obj.values)


class _MomentLoader(TimestamptzLoader):
    """Most rows of a tick say one of a few moments: each is read once. A cursor has a loader of its own."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._known: dict[bytes, datetime] = {}

    def load(self, data: Buffer) -> datetime:
        text = bytes(data)
        return self._known.get(text) or self._known.setdefault(text, super().load(text).astimezone(UTC))


def _update_from_arrays(
    connection: BaseDatabaseWrapper,
    model: type[models.Model],
    key: str,
    fields: Sequence[str],
    columns: Sequence[Column],
    newer: str | None,
    added: Collection[str],
) -> int:
    table = connection.ops.quote_name(model._meta.db_table)
    by, *names = _column_names(connection, model, [key, *fields])
    arrays = [_Array(kind_of(model, name), column) for name, column in zip([key, *fields], columns, strict=True)]
    sets = [
        f"{name} = {table}.{name} + given.{name}" if field in added else f"{name} = given.{name}"
        for field, name in zip(fields, names, strict=True)
    ]
    statement = (
        f"UPDATE {table} SET {', '.join(sets)} "  # noqa: S608
        f"FROM unnest({', '.join(f'%b::{array.kind.name}[]' for array in arrays)}) AS given({', '.join([by, *names])}) "
        f"WHERE {table}.{by} = given.{by}" + _only_newer(connection, model, newer, table)
    )
    return _run(connection, statement, arrays).rowcount


def _run(connection: BaseDatabaseWrapper, statement: str, arrays: Sequence[_Array]) -> Cursor[Row]:
    with connection.cursor() as logging, _logged(logging, statement), connection.wrap_database_errors:
        plain = Cursor(connection.connection)  # Django's own cursor would write every value into the statement's text
        plain.adapters.register_dumper(_Array, _ArrayDumper)
        plain.adapters.register_loader("timestamptz", _MomentLoader)
        return plain.execute(statement, arrays)


def _only_newer(connection: BaseDatabaseWrapper, model: type[models.Model], newer: str | None, table: str) -> str:
    if newer is None:
        return ""
    (name,) = _column_names(connection, model, [newer])
    return f" AND ({table}.{name} IS NULL OR {table}.{name} < given.{name})"


# SQLite


def _insert_each(connection: BaseDatabaseWrapper, model: type[models.Model], fields: Sequence[str], columns: Sequence[Column]) -> int:
    """ON CONFLICT, not OR IGNORE: the latter would also swallow nulls and values that a check refuses."""
    table = connection.ops.quote_name(model._meta.db_table)
    names = _column_names(connection, model, fields)
    values = ", ".join(["%s"] * len(names))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values}) ON CONFLICT DO NOTHING",  # noqa: S608
            _adapted(connection, model, fields, columns),
        )
        return int(cursor.rowcount)


def _update_each(
    connection: BaseDatabaseWrapper,
    model: type[models.Model],
    key: str,
    fields: Sequence[str],
    columns: Sequence[Column],
    newer: str | None,
    added: Collection[str],
) -> int:
    table = connection.ops.quote_name(model._meta.db_table)
    by, *names = _column_names(connection, model, [key, *fields])
    order, adapted = [*fields, key], [*columns[1:], columns[0]]
    guard = ""
    if newer is not None:
        (name,) = _column_names(connection, model, [newer])
        guard = f" AND ({name} IS NULL OR {name} < %s)"
        order, adapted = [*order, newer], [*adapted, columns[1 + list(fields).index(newer)]]
    sets = [f"{name} = {name} + %s" if field in added else f"{name} = %s" for field, name in zip(fields, names, strict=True)]
    statement = f"UPDATE {table} SET {', '.join(sets)} WHERE {by} = %s{guard}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(statement, _adapted(connection, model, order, adapted))
        return int(cursor.rowcount)


def _adapted(connection: BaseDatabaseWrapper, model: type[models.Model], fields: Sequence[str], columns: Sequence[Column]) -> list[Row]:
    kinds = [kind_of(model, name) for name in fields]
    return list(zip(*(_written(connection, kind, column) for kind, column in zip(kinds, columns, strict=True)), strict=True))


def _written(connection: BaseDatabaseWrapper, kind: Kind, values: Column) -> Sequence[Any]:
    """As SQLite keeps it: moments as text, and no number that is not finite."""
    if kind is TIMESTAMPTZ and not isinstance(values, np.ndarray):
        texts = {moment: connection.ops.adapt_datetimefield_value(moment) for moment in set(values)}
        return [texts[value] for value in values]
    if isinstance(values, np.ndarray) and values.dtype.kind == "i":
        whole: list[Any] = values.tolist()  # not by way of floats: the largest would not come through whole
        return whole
    if kind not in FLOATING and not isinstance(values, np.ndarray):
        return values
    array = np.array(values, dtype=np.float64)
    finite = np.isfinite(array)
    numbers: list[Any] = (array if kind in FLOATING else np.where(finite, array, 0).astype(np.int64)).tolist()
    return numbers if finite.all() else [number if known else None for number, known in zip(numbers, finite.tolist(), strict=True)]


def _read(kind: Kind, values: Sequence[Any]) -> Sequence[Any]:
    """Django's driver has parsed moments already, but leaves out that they are UTC."""
    return [None if value is None else value.replace(tzinfo=UTC) for value in values] if kind is TIMESTAMPTZ else values
