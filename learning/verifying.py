"""Is the evidence whole? What was read of the tables, held against what must be so. Pure: figures in, checks out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLOTS = 240
LEAST_FILLED = 0.99  # a token that came or went between two looks is no fault
MOST_BYTES = 1229.0  # 1.2 KB
MOST_SAVE_MS = 1000.0
PER_SLOT = "missing_share."
MOST_NAMED = 8
MOST_LATE = 0.01  # of the outcomes: those that were due when the process was away for a moment


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. `floor` is what the value is held against, a share from below and all else from above; None: it informs."""

    name: str
    value: float | None
    floor: float | None = None
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """What was read of the tables, over one stretch of time."""

    hours: float
    expected: int  # vectors that should be there: marks × tokens scored at them
    filled: int  # how many of these are
    left_half: int  # marks that were begun and not written to their end
    vectors: int  # all of the stretch, those of Stage 2 too
    wrong_lengths: int
    wrong_schemas: int
    references: Mapping[str, tuple[int, int]]  # table.column → how many, and how many lead nowhere
    predictions_expected: int
    predictions: int
    outcomes_expected: int
    outcomes: int
    early: int
    late: int
    mb_a_day: float
    mb_until_deleted: float
    bytes_a_vector: float | None
    save_ms: Sequence[float] = ()
    looked_at: int = 0  # vectors that were opened
    missing: NDArray[np.int64] = field(default_factory=lambda: np.zeros(SLOTS, dtype=np.int64))  # by slot
    without_reason: int = 0  # missing without a reason, or a reason beside a value
    names: Sequence[str] = ()


def checks(found: Found) -> list[Check]:
    """Every line, the ones that can fail first."""
    references = sum(number for number, _ in found.references.values())
    orphans = sum(lost for _, lost in found.references.values())
    return [
        _at_least("filled_share", _share(found.filled, found.expected), LEAST_FILLED),
        _at_most("marks_left_half", found.left_half if found.expected else None, 0.0),
        _at_least("valid_references_share", _share(references - orphans, references), 1.0),
        _at_most("orphans", orphans, 0.0),
        _at_most("vectors_of_wrong_length", found.wrong_lengths, 0.0),
        _at_most("vectors_of_unknown_schema", found.wrong_schemas, 0.0),
        _at_most("missing_without_reason", found.without_reason, 0.0),
        _at_least("predicted_share", _share(found.predictions, found.predictions_expected), LEAST_FILLED),
        _at_least("settled_share", _share(found.outcomes, found.outcomes_expected), LEAST_FILLED),
        _at_most("outcomes_overdue", found.outcomes_expected - found.outcomes, 0.0),
        _at_most("outcomes_early", found.early, 0.0),
        _at_most("outcomes_late", found.late, MOST_LATE * found.outcomes),
        _at_most("bytes_a_vector", found.bytes_a_vector, MOST_BYTES),
        _at_most("median_save_ms", median(found.save_ms) if found.save_ms else None, MOST_SAVE_MS),
        Check("vectors", float(found.vectors)),
        Check("growth_mb_a_day", found.mb_a_day or None),
        Check("growth_mb_until_it_is_deleted", found.mb_until_deleted or None),
        *_of_slots(found),
    ]


def _of_slots(found: Found) -> list[Check]:
    """How often each slot is missing. Nothing is wrong with a slot that nobody can know: its reason stands beside it."""
    if not found.looked_at:
        return []
    shares = found.missing / found.looked_at
    slots = [Check(f"{PER_SLOT}{name}", float(share)) for name, share in zip(found.names, shares.tolist(), strict=True)]
    for_all = Check("slots_missing_for_everybody", float(np.count_nonzero(shares == 1.0)))
    return [Check("missing_share", float(shares.mean())), for_all, *slots]


def _share(part: int, whole: int) -> float | None:
    """None where there is nothing to have a share of: not 0, and not all."""
    return part / whole if whole else None


def _at_least(name: str, value: float | None, floor: float) -> Check:
    return Check(name, value, floor, value is None or value >= floor)


def _at_most(name: str, value: float | None, limit: float) -> Check:
    return Check(name, None if value is None else float(value), limit, value is None or value <= limit)


def sentences(found: Sequence[Check]) -> list[str]:
    """The report for people: a line a check, and of the slots only those that are missing most."""
    lines = [_line(check) for check in found if not check.name.startswith(PER_SLOT)]
    slots = sorted((check for check in found if check.name.startswith(PER_SLOT)), key=lambda check: -(check.value or 0.0))
    worst = [f"{check.name.removeprefix(PER_SLOT)} {check.value:.0%}" for check in slots[:MOST_NAMED] if check.value]
    if worst:
        lines.append(f"   missing most: {', '.join(worst)}")
    wrong = sum(1 for check in found if not check.holds)
    return [*lines, "all of it holds" if not wrong else f"{wrong} of {len(found)} checks do not hold"]


def _line(check: Check) -> str:
    against = "" if check.floor is None else f" ({'at least' if check.name.endswith('_share') else 'at most'} {check.floor:g})"
    verdict = "NO" if not check.holds else "--" if check.value is None else "ok"
    return f"{verdict} {check.name.replace('_', ' ')}: {_figure(check.value)}{against}"


def _figure(value: float | None) -> str:
    if value is None:
        return "nothing to ask"
    return f"{value:,.0f}" if value % 1 == 0 or abs(value) >= 1000 else f"{value:.4g}"
