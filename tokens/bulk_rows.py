"""Many rows in one statement: what the ORM's bulk methods do, at a tenth of their time. Plain SQLite and PostgreSQL, no other database.

Values are what the model's fields hold: numbers, text, aware datetimes, None, and for JSON columns ready-made text. A number that is
not finite is unknown and is written as null on both databases; left alone, SQLite would do so and PostgreSQL would keep the NaN.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from django.db import DEFAULT_DB_ALIAS, DataError, IntegrityError, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import Cursor
from psycopg.adapt import Dumper
from psycopg.pq import Format

if TYPE_CHECKING:
    from numpy.typing import NDArray

Row = tuple[Any, ...]
Column = Union[Sequence[Any], "NDArray[np.float64]"]  # an array: NaN is unknown

ROWS_A_BLOCK = 2_000  # keeps a block of the stream inside the processor's cache, and long texts within some megabytes
_STREAM_HEAD = b"PGCOPY\n\xff\r\n\x00" + struct.pack("!ii", 0, 0)
_STREAM_END = struct.pack("!h", -1)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL counts its microseconds from here


@dataclass(frozen=True, slots=True)
class Kind:
    """How PostgreSQL takes a value in its binary format; `width` 0 is text of any length."""

    oid: int
    name: str
    dtype: str = ""
    width: int = 0
    prefix: bytes = b""


BIGINT = Kind(20, "bigint", ">i8", 8)
INTEGER = Kind(23, "integer", ">i4", 4)
SMALLINT = Kind(21, "smallint", ">i2", 2)
DOUBLE = Kind(701, "double precision", ">f8", 8)
BOOLEAN = Kind(16, "boolean", "?", 1)
TIMESTAMPTZ = Kind(1184, "timestamptz", ">i8", 8)
TEXT = Kind(25, "text")
JSONB = Kind(3802, "jsonb", prefix=b"\x01")

KINDS: dict[str, Kind] = {
    "AutoField": INTEGER,
    "BigAutoField": BIGINT,
    "BigIntegerField": BIGINT,
    "PositiveBigIntegerField": BIGINT,
    "IntegerField": INTEGER,
    "PositiveIntegerField": INTEGER,
    "SmallIntegerField": SMALLINT,
    "PositiveSmallIntegerField": SMALLINT,
    "FloatField": DOUBLE,
    "BooleanField": BOOLEAN,
    "DateTimeField": TIMESTAMPTZ,
    "CharField": TEXT,
    "TextField": TEXT,
    "JSONField": JSONB,
}


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
        kind = _kind(model, key)
        return _run(connection, f"{select} = ANY(%b::{kind.name}[])", [_Array(kind, values)]).fetchall()
    with connection.cursor() as cursor:
        cursor.execute(f"{select} IN (SELECT value FROM json_each(%s))", [json.dumps(list(values))])  # noqa: S608
        columns = zip(*cursor.fetchall(), strict=True)
        return list(zip(*(_read(_kind(model, name), column) for name, column in zip(fields, columns, strict=False)), strict=True))


def _columns(fields: Sequence[str], rows: Sequence[Row]) -> Sequence[Column]:
    columns = list(zip(*rows, strict=True))
    if len(columns) != len(fields):
        raise ValueError(f"rows of {len(columns)} values for {len(fields)} fields")
    return columns


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    field = model._meta.get_field(name)
    if not isinstance(field, models.Field):
        raise TypeError(f"{model.__name__}.{name} has no column of its own")
    return field


def _column_names(connection: BaseDatabaseWrapper, model: type[models.Model], fields: Sequence[str]) -> list[str]:
    return [connection.ops.quote_name(str(_field(model, name).column)) for name in fields]


def _kind(model: type[models.Model], name: str) -> Kind:
    field = _field(model, name)
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return KINDS[field.get_internal_type()]


# PostgreSQL


def _copy_or_merge(connection: BaseDatabaseWrapper, model: type[models.Model], fields: Sequence[str], columns: Sequence[Column]) -> int:
    """COPY straight into the table; only where a row is there already, take the way over a temporary table."""
    table = connection.ops.quote_name(model._meta.db_table)
    names = ", ".join(_column_names(connection, model, fields))
    kinds = [_kind(model, name) for name in fields]
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
            copy.write(_STREAM_HEAD)
            for block in stream_blocks(kinds, columns):
                copy.write(block)
            copy.write(_STREAM_END)
        return int(cursor.rowcount)


def _logged(cursor: Any, statement: str) -> AbstractContextManager[None]:
    """Where Django keeps its list of queries (tests that count statements), these statements stand in it too."""
    logged: AbstractContextManager[None] = cursor.debug_sql(statement, ()) if hasattr(cursor, "debug_sql") else nullcontext()
    return logged


def stream_blocks(kinds: Sequence[Kind], columns: Sequence[Column]) -> Iterator[bytes]:
    """The rows in PostgreSQL's binary COPY format, some thousand rows at a time, without head and end of the stream."""
    for start in range(0, len(columns[0]), ROWS_A_BLOCK):
        parts = [_cells(kind, column[start : start + ROWS_A_BLOCK]) for kind, column in zip(kinds, columns, strict=True)]
        rows = len(parts[0][0])
        count = np.tile(np.frombuffer(struct.pack("!h", len(kinds)), dtype=np.uint8), (rows, 1))
        cells = np.hstack([count, *(cell for cell, _ in parts)])
        kept = np.hstack([np.ones_like(count, dtype=bool), *(keep for _, keep in parts)])
        yield cells[kept].tobytes()


def _cells(kind: Kind, values: Column) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """One column as (rows × bytes) of length-prefixed values, and which of the bytes count: a null has none, a short text fewer."""
    try:
        body, known, lengths = _text(kind, values) if not kind.width else _numbers(kind, values)
    except (OverflowError, TypeError, ValueError) as error:
        raise DataError(f"a value does not fit its column: {error}") from error
    rows, width = body.shape
    cells = np.empty((rows, 4 + width), dtype=np.uint8)
    cells[:, :4] = np.where(known, lengths, -1).astype(">i4").view(np.uint8).reshape(rows, 4)
    cells[:, 4:] = body
    kept = np.empty((rows, 4 + width), dtype=bool)
    kept[:, :4] = True
    if kind.width:
        kept[:, 4:] = known[:, np.newaxis]
    else:
        kept[:, 4:] = np.arange(width) < np.where(known, lengths, 0)[:, np.newaxis]
    return cells, kept


def _numbers(kind: Kind, values: Column) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.int64]]:
    rows = len(values)
    if kind is DOUBLE:
        array = np.array(values, dtype=np.float64)  # None becomes NaN by itself
        known = np.isfinite(array)
    else:
        known, array = _whole(kind, values)
    body = array.astype(kind.dtype).view(np.uint8).reshape(rows, kind.width)
    return body, known, np.full(rows, kind.width)


def _whole(kind: Kind, values: Column) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    if isinstance(values, np.ndarray):
        known = np.isfinite(values)
        return known, _fitting(kind, np.where(known, values, 0))
    if kind is TIMESTAMPTZ:
        values = _microseconds(values)
    known = np.array([value is not None for value in values], dtype=bool)
    if not known.all():
        values = [0 if value is None else value for value in values]
    return known, np.array(values, dtype=kind.dtype)


def _fitting(kind: Kind, numbers: NDArray[np.float64]) -> NDArray[Any]:
    """A cast of floats would wrap around in silence where a list of whole numbers is refused."""
    limit = 2.0 ** (8 * kind.width - 1)
    if np.any((numbers < -limit) | (numbers >= limit)):
        raise OverflowError(f"{numbers[np.abs(numbers).argmax()]:g} in a column of {kind.width} bytes")
    return numbers.astype(kind.dtype)


def _microseconds(values: Column) -> list[int | None]:
    """Microseconds since 2000. A tick has few different moments, so each is worked out once."""
    moments: dict[datetime | None, int | None] = {None: None}
    for moment in set(values) - {None}:
        since = moment - _EPOCH
        moments[moment] = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return [moments[value] for value in values]


def _text(kind: Kind, values: Column) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.int64]]:
    rows = len(values)
    encoded = [b"" if value is None else kind.prefix + value.encode() for value in values]
    known = np.array([value is not None for value in values], dtype=bool)
    lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=rows)
    width = max(1, int(lengths.max()))
    return np.array(encoded, dtype=f"S{width}").view(np.uint8).reshape(rows, width), known, lengths


@dataclass(frozen=True, slots=True)
class _Array:
    """A column as one parameter: PostgreSQL's binary form of a one-dimensional array."""

    kind: Kind
    values: Column


class _ArrayDumper(Dumper):
    """Leaves the type unnamed: the statement casts each array, and PostgreSQL reads the bytes by that."""

    format = Format.BINARY

    def dump(self, obj: _Array) -> bytes:
        cells, kept = _cells(obj.kind, obj.values)
        return struct.pack("!iiIii", 1, 1, obj.kind.oid, len(obj.values), 1) + cells[kept].tobytes()


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
    arrays = [_Array(_kind(model, name), column) for name, column in zip([key, *fields], columns, strict=True)]
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
    kinds = [_kind(model, name) for name in fields]
    return list(zip(*(_written(connection, kind, column) for kind, column in zip(kinds, columns, strict=True)), strict=True))


def _written(connection: BaseDatabaseWrapper, kind: Kind, values: Column) -> Sequence[Any]:
    """As SQLite keeps it: moments as text, and no number that is not finite."""
    if kind is TIMESTAMPTZ and not isinstance(values, np.ndarray):
        texts = {moment: connection.ops.adapt_datetimefield_value(moment) for moment in set(values)}
        return [texts[value] for value in values]
    if kind is not DOUBLE and not isinstance(values, np.ndarray):
        return values
    array = np.array(values, dtype=np.float64)
    finite = np.isfinite(array)
    numbers: list[Any] = (array if kind is DOUBLE else np.where(finite, array, 0).astype(np.int64)).tolist()
    return numbers if finite.all() else [number if known else None for number, known in zip(numbers, finite.tolist(), strict=True)]


def _read(kind: Kind, values: Sequence[Any]) -> Sequence[Any]:
    """Django's driver has parsed moments already, but leaves out that they are UTC."""
    return [None if value is None else value.replace(tzinfo=UTC) for value in values] if kind is TIMESTAMPTZ else values
