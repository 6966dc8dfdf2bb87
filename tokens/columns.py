"""A query's answer as numpy columns, for work on all tokens at once: no Python value is made for a number that only numpy reads.

Every column is float64: null is NaN, a moment is seconds since 1970 (exact to the microsecond), a flag is 0 or 1. The expressions are
written by us, never by a user: they go into the statement as they stand.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STREAM_HEAD = 19  # bytes before the first row of PostgreSQL's binary COPY
_STREAM_END = 2
_YEAR_2000_US = 946_684_800_000_000


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


def _from_copy(connection: BaseDatabaseWrapper, columns: Sequence[Column], rest: str) -> dict[str, NDArray[np.float64]]:
    """Binary COPY: rows of one fixed width, read by numpy as they come."""
    chosen = ", ".join(_in_eight_bytes(column) for column in columns)
    statement = f"COPY (SELECT {chosen} {rest}) TO STDOUT (FORMAT BINARY)"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        stream = b"".join(copy)
    cell = np.dtype([("length", ">i4"), ("value", ">i8")])
    row = np.dtype([("count", ">i2"), ("cells", cell, (len(columns),))])
    rows = np.frombuffer(stream[_STREAM_HEAD : len(stream) - _STREAM_END], dtype=row)
    cells = rows["cells"]["value"]
    return {column.name: _decoded(column, cells[:, place]) for place, column in enumerate(columns)}


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
    """SQLite gives documents as text. Each document is read once, however many numbers are taken from it."""
    wanted = list(dict.fromkeys(_for_sqlite(column) for column in columns))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(wanted)} {rest}")
        rows = cursor.fetchall()
    answers = dict(zip(wanted, zip(*rows, strict=True) if rows else [()] * len(wanted), strict=True))
    documents = {
        column.expression: [json.loads(text) if text else {} for text in answers[column.expression]]
        for column in {column.expression: column for column in columns if column.kind == "json"}.values()
    }
    return {column.name: _as_array(column, answers[_for_sqlite(column)], documents) for column in columns}


def _for_sqlite(column: Column) -> str:
    """A moment, which is text there, as a number; six digits of microseconds follow the second where there are any."""
    if column.kind != "moment":
        return column.expression
    text = column.expression
    return f"(strftime('%s', {text}) * 1000000 + CAST(substr({text}, 21, 6) AS INTEGER)) / 1e6"


def _as_array(column: Column, values: Sequence[Any], documents: dict[str, list[Any]]) -> NDArray[np.float64]:
    if column.kind == "json":
        return np.array([_dig(document, column.path) for document in documents[column.expression]], dtype=np.float64)
    return np.array(values, dtype=np.float64)


def _dig(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document
