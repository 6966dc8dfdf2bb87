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
    chosen = ", ".join(f"coalesce({_as_float(column)}, 'NaN')" for column in columns)
    statement = f"COPY (SELECT {chosen} {rest}) TO STDOUT (FORMAT BINARY)"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        stream = b"".join(copy)
    cell = np.dtype([("length", ">i4"), ("value", ">f8")])
    row = np.dtype([("count", ">i2"), ("cells", cell, (len(columns),))])
    rows = np.frombuffer(stream[_STREAM_HEAD : len(stream) - _STREAM_END], dtype=row)
    return {column.name: rows["cells"]["value"][:, place].astype(np.float64) for place, column in enumerate(columns)}


def _as_float(column: Column) -> str:
    if column.kind == "moment":
        return f"extract(epoch FROM {column.expression})::float8"
    if column.kind == "flag":
        return f"({column.expression})::int::float8"
    if column.kind == "json":
        return f"({column.expression} #>> '{{{','.join(column.path)}}}')::float8"
    return f"({column.expression})::float8"


def _from_rows(connection: BaseDatabaseWrapper, columns: Sequence[Column], rest: str) -> dict[str, NDArray[np.float64]]:
    """SQLite gives documents and moments as text. Each document is read once, however many numbers are taken from it."""
    wanted = list(dict.fromkeys(column.expression for column in columns))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(wanted)} {rest}")
        rows = cursor.fetchall()
    answers = dict(zip(wanted, zip(*rows, strict=True) if rows else [()] * len(wanted), strict=True))
    documents = {
        column.expression: [json.loads(text) if text else {} for text in answers[column.expression]]
        for column in {column.expression: column for column in columns if column.kind == "json"}.values()
    }
    return {column.name: _as_array(column, answers[column.expression], documents) for column in columns}


def _as_array(column: Column, values: Sequence[Any], documents: dict[str, list[Any]]) -> NDArray[np.float64]:
    if column.kind == "moment":
        moments = np.array(values, dtype="datetime64[us]")
        return np.where(np.isnat(moments), np.nan, moments.astype(np.int64) / 1e6)
    if column.kind == "json":
        return np.array([_dig(document, column.path) for document in documents[column.expression]], dtype=np.float64)
    return np.array(values, dtype=np.float64)


def _dig(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document
