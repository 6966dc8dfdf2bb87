"""A look of a duel as bytes: every living token's price, and what each side thought of it. Compact, for a duel leaves thousands of them.

    1 byte    the layout, 1
    zlib of   count, sides             two little-endian int64
              token                    int64 × count, ascending
              price                    float64 × count, NaN where unknown
              score                    float64 × count, for each side; NaN where unknown
              active                   uint8 × count, for each side: 1 where the side has the token in its list

Side 0 is what was in force. At 1,000 tokens and four sides a look takes some 35 kB.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAYOUT = b"\x01"


class Unreadable(ValueError):
    """These bytes are no look that this version wrote."""


@dataclass(frozen=True, eq=False)
class Look:
    """`score` and `active` have one row a side."""

    token: NDArray[np.int64]
    price: NDArray[np.float64]
    score: NDArray[np.float64]
    active: NDArray[np.bool_]


def pack(look: Look) -> bytes:
    head = np.array([look.token.size, look.score.shape[0]], dtype="<i8")
    parts = (head, look.token.astype("<i8"), look.price.astype("<f8"), look.score.astype("<f8"), look.active.astype(np.uint8))
    return LAYOUT + zlib.compress(b"".join(part.tobytes() for part in parts), 1)


def unpack(data: bytes) -> Look:
    """The same numbers, bit for bit. Raises Unreadable."""
    if data[:1] != LAYOUT:
        raise Unreadable(f"layout {data[:1]!r}")
    try:
        plain = zlib.decompress(data[1:])
        count, sides = np.frombuffer(plain, dtype="<i8", count=2).tolist()
        if len(plain) != 16 + count * (8 * (2 + sides) + sides):
            raise Unreadable(f"{len(plain)} bytes for {count} tokens and {sides} sides")
        numbers = np.frombuffer(plain, dtype="<f8", count=count * (1 + sides), offset=16 + 8 * count)
        flags = np.frombuffer(plain, dtype=np.uint8, count=count * sides, offset=16 + 8 * count * (2 + sides))
        token = np.frombuffer(plain, dtype="<i8", count=count, offset=16)
    except (zlib.error, ValueError) as error:
        raise Unreadable(str(error)) from error
    return Look(
        token.astype(np.int64), numbers[:count].astype(np.float64), numbers[count:].reshape(sides, count), flags.reshape(sides, count) == 1
    )
