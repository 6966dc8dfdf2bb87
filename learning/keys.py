"""The key of every row of the evidence: the second it is about, the token, and a small number that tells rows of one moment apart.

    key = seconds since 1970 << 29 | token << 5 | slot

So rows lie in the order of time, a month is a range of keys (PostgreSQL keeps each in a partition of its own), and the same fact always
has the same key: written twice, it is there once. Every function takes whole numbers or arrays of them alike.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SLOT_BITS, TOKEN_BITS = 5, 24
TS_SHIFT = SLOT_BITS + TOKEN_BITS
SLOTS, TOKENS, SECONDS = 1 << SLOT_BITS, 1 << TOKEN_BITS, 1 << 34  # the last makes 63 bits: keys are never negative
HORIZONS_MIN = (15, 60, 240, 720)
SOURCES = ("score", "stage2", "model")
PLACES = 4  # models that predict side by side
OF_SIGNAL, OF_PREDICTION = 0, 1

Whole = TypeVar("Whole", int, "NDArray[np.int64]")


class OutOfRange(ValueError):
    """A moment, token or slot that no key has room for."""


def key(ts: Any, token: Any, slot: Any) -> Any:
    """The key of whole numbers; of arrays, an array of keys."""
    if isinstance(ts, int) and isinstance(token, int) and isinstance(slot, int):
        if not (0 <= ts < SECONDS and 0 <= token < TOKENS and 0 <= slot < SLOTS):
            raise OutOfRange(f"no key for second {ts}, token {token}, slot {slot}")
        return ts << TS_SHIFT | token << SLOT_BITS | slot
    import numpy as np  # of arrays only: the models need the rest of this, and every start has the models

    seconds, tokens, slots = (np.asarray(part, dtype=np.int64) for part in (ts, token, slot))
    for name, part, limit in (("second", seconds, SECONDS), ("token", tokens, TOKENS), ("slot", slots, SLOTS)):
        if np.any((part < 0) | (part >= limit)):
            raise OutOfRange(f"no key for {name} {part[(part < 0) | (part >= limit)].flat[0]}")
    return seconds << TS_SHIFT | tokens << SLOT_BITS | slots


def ts_of(of: Whole) -> Whole:
    return of >> TS_SHIFT


def token_of(of: Whole) -> Whole:
    return of >> SLOT_BITS & TOKENS - 1


def slot_of(of: Whole) -> Whole:
    return of & SLOTS - 1


def vector_of(of: Whole) -> Whole:
    """The key of the vector that a prediction or signal with this key was made from: the same moment and token, slot 0."""
    return of - slot_of(of)


def outcome_slot(kind: int, place: int, horizon: int) -> int:
    """The slot of an outcome: of a signal or a prediction, from which source or place, for which of the horizons (its number)."""
    if not (kind in (OF_SIGNAL, OF_PREDICTION) and 0 <= place < PLACES and 0 <= horizon < len(HORIZONS_MIN)):
        raise OutOfRange(f"no outcome of kind {kind}, place {place}, horizon {horizon}")
    return kind << 4 | place << 2 | horizon


def outcome_of(of: Whole, kind: int, horizon: int) -> Whole:
    """The key of what came of the signal or prediction with this key, after this horizon (its number)."""
    outcome_slot(kind, 0, horizon)
    return vector_of(of) | kind << 4 | slot_of(of) << 2 | horizon


def subject_of(outcome: Whole) -> Whole:
    """The key of the signal or prediction that an outcome is of."""
    return vector_of(outcome) | slot_of(outcome) >> 2 & PLACES - 1


def first_of(moment: datetime) -> int:
    """The least key at or after this moment; what is less lies before it."""
    seconds = moment.timestamp()
    whole = int(seconds)
    return int(key(whole if whole == seconds else whole + 1, 0, 0))


def range_of_month(month: date) -> tuple[int, int]:
    """The keys of the month this day is in: from the first to the second, which is the next month's first."""
    following = (month.year + 1, 1) if month.month == 12 else (month.year, month.month + 1)
    return first_of(datetime(month.year, month.month, 1, tzinfo=UTC)), first_of(datetime(*following, 1, tzinfo=UTC))
