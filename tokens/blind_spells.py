"""When something upstream saw nothing: who knows of it puts his question in here at the start, where no chart is loaded yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class BlindSpell:
    """A stretch of time in which something upstream saw nothing, and why. `until` is None while it lasts."""

    since: datetime
    until: datetime | None
    why: str


# Filled by whoever knows of such spells: apps above this one, which this one does not import.
blind_spells: list[Callable[[datetime, datetime], Sequence[BlindSpell]]] = []
