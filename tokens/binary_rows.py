"""PostgreSQL's binary formats, made from columns by numpy: the stream of a COPY, and an array as a parameter."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from django.db import DataError, models

if TYPE_CHECKING:
    from numpy.typing import NDArray

Row = tuple[Any, ...]
Column = Union[Sequence[Any], "NDArray[np.float64]", "NDArray[np.int64]"]  # an array of floats: NaN is unknown

ROWS_A_BLOCK = 2_000  # keeps a block of the stream inside the processor's cache, and long texts within some megabytes
STREAM_HEAD = b"PGCOPY\n\xff\r\n\x00" + struct.pack("!ii", 0, 0)
STREAM_END = struct.pack("!h", -1)
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
REAL = Kind(700, "real", ">f4", 4)
DOUBLE = Kind(701, "double precision", ">f8", 8)
BOOLEAN = Kind(16, "boolean", "?", 1)
TIMESTAMPTZ = Kind(1184, "timestamptz", ">i8", 8)
TEXT = Kind(25, "text")
BYTEA = Kind(17, "bytea")
JSONB = Kind(3802, "jsonb", prefix=b"\x01")
FLOATING = (DOUBLE, REAL)

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
    "RealField": REAL,
    "BooleanField": BOOLEAN,
    "DateTimeField": TIMESTAMPTZ,
    "CharField": TEXT,
    "TextField": TEXT,
    "JSONField": JSONB,
    "BinaryField": BYTEA,
}


def field_of(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    field = model._meta.get_field(name)
    if not isinstance(field, models.Field):
        raise TypeError(f"{model.__name__}.{name} has no column of its own")
    return field


def kind_of(model: type[models.Model], name: str) -> Kind:
    field = field_of(model, name)
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return KINDS[field.get_internal_type()]


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
    if kind in FLOATING:
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
    if kind is BYTEA:
        encoded = [value or b"" for value in values]
    else:
        encoded = [b"" if value is None else kind.prefix + value.encode() for value in values]
    known = np.array([value is not None for value in values], dtype=bool)
    lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=rows)
    width = max(1, int(lengths.max()))
    return np.array(encoded, dtype=f"S{width}").view(np.uint8).reshape(rows, width), known, lengths


def array_bytes(kind: Kind, values: Column) -> bytes:
    """A one-dimensional array; whoever reads it must be told its type, as in `%b::bigint[]`."""
    cells, kept = _cells(kind, values)
    return struct.pack("!iiIii", 1, 1, kind.oid, len(values), 1) + cells[kept].tobytes()
