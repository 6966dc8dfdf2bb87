"""What was stored beside what comes out when it is worked out again: the same numbers, or the first place where they part. Pure.

Numbers are compared by their bits: a last digit that moved is a difference. Unknown equals unknown and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Difference:
    """One number, by its name; None is unknown. `stored_why` and `again_why` are reasons' codes where those differ."""

    name: str
    stored: float | str | None
    again: float | str | None
    stored_why: int = 0
    again_why: int = 0


def vectors(
    names: Sequence[str],
    stored: NDArray[np.float32],
    again: NDArray[np.float32],
    stored_why: NDArray[np.uint8],
    again_why: NDArray[np.uint8],
) -> list[Difference]:
    """Every slot that differs in its bits, in whether it is known, or in why it is not; in the order of the slots."""
    unknown = np.isnan(stored) & np.isnan(again)
    other_bits = stored.astype("<f4").view("<u4") != again.astype("<f4").view("<u4")
    differing = (other_bits & ~unknown) | (stored_why != again_why)
    return [
        Difference(names[place], _number(stored[place]), _number(again[place]), int(stored_why[place]), int(again_why[place]))
        for place in np.flatnonzero(differing).tolist()
    ]


def documents(stored: Mapping[str, Any], again: Mapping[str, Any]) -> list[Difference]:
    """Every leaf of two JSON documents that differs, named by its path. The order is that of what was worked out now; a database may
    keep its documents in another."""
    left, right = dict(_leaves(stored)), dict(_leaves(again))
    names = [*right, *(name for name in left if name not in right)]
    return [Difference(name, left.get(name), right.get(name)) for name in names if not same(left.get(name), right.get(name))]


def columns(names: Sequence[str], stored: Mapping[str, Any], again: Mapping[str, Any]) -> list[Difference]:
    """The named values of two rows that differ."""
    return [Difference(name, stored[name], again[name]) for name in names if not same(stored[name], again[name])]


def same(stored: Any, again: Any) -> bool:
    """Whole numbers equal the floats that say the same, as JSON has it; −0 is not 0."""
    if isinstance(stored, bool) or isinstance(again, bool) or not (_is_number(stored) and _is_number(again)):
        return bool(stored == again) and type(stored) is type(again)
    left, right = float(stored), float(again)
    return (math.isnan(left) and math.isnan(right)) or (left == right and math.copysign(1.0, left) == math.copysign(1.0, right))


def count_of(document: Mapping[str, Any]) -> int:
    """How many leaves there are to compare."""
    return sum(1 for _ in _leaves(document))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _number(value: np.float32) -> float | None:
    known = float(value)
    return None if math.isnan(known) else known


def _leaves(document: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        name = f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping):
            yield from _leaves(value, name)
        else:
            yield name, value
