"""A query's answer as numpy columns, for work on all tokens at once: no Python value is made for a number that only numpy reads.

Every column is float64: null is NaN, a moment is seconds since 1970 (exact to the microsecond), a flag is 0 or 1. The expressions are
written by us, never by a user: they go into the statement as they stand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import Error, OperationalError
from psycopg.errors import error_from_result

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STREAM_HEAD = 19  # bytes before the first row of PostgreSQL's binary COPY
_STREAM_END = 2
_LAST = (_STREAM_END, _STREAM_HEAD + _STREAM_END)  # lengths of the message that ends the stream: no row is so short
_YEAR_2000_US = 946_684_800_000_000
_ROWS_A_BLOCK = 500
_MOMENT_TEXT = "S26"  # to the microsecond, as Django writes it


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the answer. A `json` column is the number at `path` inside a JSON document."""

    name: str
    expression: str
    kind: Literal["number", "moment", "flag", "json"] = "number"
    path: tuple[str, ...] = ()


def read_columns(columns: Sequence[Column], rest: str, using: str = DEFAULT_DB_ALIAS) -> dict[str, NDArray[np.float64]]:
    """Select `columns` with `rest` (FROM and what follows it, without parameters) in one statement."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        return _from_copy(connection, columns, rest)
    return _from_rows(connection, columns, rest)


def moments(seconds: NDArray[np.float64]) -> list[datetime | None]:
    """The way back, for what is written: None where there is no moment. Equal ones are made once."""
    known: dict[float, datetime] = {}
    return [None if at != at else known.get(at) or known.setdefault(at, datetime.fromtimestamp(at, UTC)) for at in seconds.tolist()]


def _from_copy(connection: BaseDatabaseWrapper, columns: Sequence[Column], rest: str) -> dict[str, NDArray[np.float64]]:
    """Binary COPY: rows of one fixed width, read by numpy as they come."""
    chosen = ", ".join(_in_eight_bytes(column) for column in columns)
    statement = f"COPY (SELECT {chosen} {rest}) TO STDOUT (FORMAT BINARY)"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        stream = b"".join(_blocks(copy))
    cell = np.dtype([("length", ">i4"), ("value", ">i8")])
    row = np.dtype([("count", ">i2"), ("cells", cell, (len(columns),))])
    rows = np.frombuffer(stream[_STREAM_HEAD : len(stream) - _STREAM_END], dtype=row)
    cells = rows["cells"]["value"]
    return {column.name: _decoded(column, cells[:, place]) for place, column in enumerate(columns)}


def _blocks(copy: Any) -> Iterator[bytes]:
    """Row after row as they come. What has arrived already is taken straight from libpq, which is several times faster than asking the
    driver for each row; the driver does what is left: it waits, and it ends the COPY."""
    pgconn = copy.connection.pgconn
    while row := copy.read():
        yield bytes(row)
        size = len(row)
        while size not in _LAST:  # beyond the last message only the driver may ask
            size, found = pgconn.get_copy_data(1)
            if size < 0:
                raise _failure(pgconn)
            if not size:
                break
            yield bytes(found)


def _failure(pgconn: Any) -> Error:
    """Why the stream has broken off. The connection is free for the next statement then."""
    results = list(iter(pgconn.get_result, None))
    return error_from_result(results[0]) if results else OperationalError("the answer broke off")


def _in_eight_bytes(column: Column) -> str:
    """A moment as PostgreSQL keeps it, for its own conversion is the slowest part of the statement; everything else as a float."""
    if column.kind == "moment":
        return f"coalesce(({column.expression})::timestamptz, '-infinity')"
    if column.kind == "flag":
        return f"coalesce(({column.expression})::int::float8, 'NaN')"
    if column.kind == "json":
        return f"coalesce(({column.expression} #>> '{{{','.join(column.path)}}}')::float8, 'NaN')"
    return f"coalesce(({column.expression})::float8, 'NaN')"


def _decoded(column: Column, cells: NDArray[np.int64]) -> NDArray[np.float64]:
    if column.kind != "moment":
        return cells.view(">f8").astype(np.float64)
    microseconds = cells.astype(np.int64)
    known = microseconds != np.iinfo(np.int64).min
    return np.where(known, (np.where(known, microseconds, 0) + _YEAR_2000_US) / 1e6, np.nan)


def _from_rows(connection: BaseDatabaseWrapper, columns: Sequence[Column], rest: str) -> dict[str, NDArray[np.float64]]:
    """SQLite gives rows: some hundred at a time become arrays, so that what they were made of is free again before the next ones come."""
    wanted = list(dict.fromkeys(_for_sqlite(column) for column in columns))
    blocks: dict[str, list[NDArray[Any]]] = {column.name: [] for column in columns}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(wanted)} {rest}")
        while rows := cursor.fetchmany(_ROWS_A_BLOCK):
            answers = dict(zip(wanted, zip(*rows, strict=True), strict=True))
            documents = _documents(columns, answers)
            for column in columns:
                blocks[column.name].append(_as_array(column, answers[_for_sqlite(column)], documents))
    nothing = np.empty(0, dtype=np.float64)
    return {column.name: _joined(column, blocks[column.name]) if blocks[column.name] else nothing for column in columns}


def _for_sqlite(column: Column) -> str:
    """The sign hides from Django's driver that it is a moment: left alone, it would make an object of each."""
    return f"+({column.expression})" if column.kind == "moment" else column.expression


def _documents(columns: Sequence[Column], answers: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Each document is read once, however many numbers are taken from it."""
    expressions = dict.fromkeys(column.expression for column in columns if column.kind == "json")
    return {expression: [json.loads(text) if text else {} for text in answers[expression]] for expression in expressions}


def _as_array(column: Column, values: Sequence[Any], documents: dict[str, list[Any]]) -> NDArray[Any]:
    if column.kind == "json":
        return np.array([_dig(document, column.path) for document in documents[column.expression]], dtype=np.float64)
    return np.array(values, dtype=_MOMENT_TEXT if column.kind == "moment" else np.float64)


def _joined(column: Column, blocks: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """numpy reads the text of moments, all at once."""
    values = np.concatenate(blocks)
    if column.kind != "moment":
        return values
    known = values != b"None"
    microseconds = np.where(known, values, b"1970-01-01").astype("M8[us]").astype(np.int64)
    return np.where(known, microseconds / 1e6, np.nan)


def _dig(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document
