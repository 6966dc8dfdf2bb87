"""Vectors as bytes: 960 for 240 values, and half a byte a slot for why one is missing. Many rows at once; arrays in, bytes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOAT = np.dtype("<f4")
REASONS = 16


class NotAVector(ValueError):
    """Values and reasons that contradict each other, or numbers that are none."""


def pack(values: NDArray[np.float32], reasons: NDArray[np.uint8]) -> tuple[list[bytes], list[bytes]]:
    """The rows of values and of reasons (rows × slots) as two lists of bytes. A value is missing exactly where there is a reason."""
    missing = np.isnan(values)
    if values.shape != reasons.shape or not np.array_equal(missing, reasons != 0):
        raise NotAVector("a value without a reason for missing, or a reason beside a value")
    if np.isinf(values).any() or (reasons >= REASONS).any():
        raise NotAVector("a value without an end, or a reason that nobody knows")
    return pack_values(values), pack_reasons(reasons)


def pack_values(values: NDArray[np.float32]) -> list[bytes]:
    """One NaN for all: the same vector has the same bytes, whatever arithmetic its missing values came from."""
    rows = np.where(np.isnan(values), np.float32(np.nan), values).astype(FLOAT)
    return [row.tobytes() for row in rows]


def pack_reasons(reasons: NDArray[np.uint8]) -> list[bytes]:
    """Empty where nothing is missing. The even slot of each pair has the lower half of the byte."""
    slots = reasons.shape[1]
    even = np.zeros((len(reasons), slots + slots % 2), dtype=np.uint8)
    even[:, :slots] = reasons
    halves = even[:, ::2] | even[:, 1::2] << 4
    return [row.tobytes() if row.any() else b"" for row in halves]


def unpack_values(rows: Sequence[bytes]) -> NDArray[np.float32]:
    """Rows × slots, NaN where one is missing."""
    if not rows:
        return np.zeros((0, 0), dtype=FLOAT)
    return np.frombuffer(b"".join(rows), dtype=FLOAT).reshape(len(rows), -1)


def unpack_reasons(rows: Sequence[bytes], slots: int) -> NDArray[np.uint8]:
    """Rows × slots, 0 where there is a value."""
    width = (slots + 1) // 2
    halves = np.frombuffer(b"".join(bytes(row) or bytes(width) for row in rows), dtype=np.uint8).reshape(len(rows), width)
    found = np.empty((len(rows), 2 * width), dtype=np.uint8)
    found[:, ::2], found[:, 1::2] = halves & REASONS - 1, halves >> 4
    return found[:, :slots]
