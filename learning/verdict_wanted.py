"""What the address of the verdict asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from learning.verdict.samples import HORIZONS
from learning.verdict_report import View

USUAL_HORIZON = 60
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Wanted:
    """A view of the verdict. What the address says wrongly is read as nothing said."""

    predictor: str = "score"
    horizon: int = USUAL_HORIZON
    revision: int = 0
    day: str = ""

    def link(self, **changes: Any) -> str:
        """Relative to the page: only what is not usual is written."""
        other, usual = replace(self, **changes), Wanted()
        said = {name: getattr(other, name) for name in usual.__slots__ if getattr(other, name) != getattr(usual, name)}
        return f"?{urlencode(said)}" if said else "?"

    @property
    def view(self) -> View:
        day = (date.fromisoformat(self.day) - date(1970, 1, 1)).days if self.day else None
        return View(self.revision or None, day)


def wanted(query: Mapping[str, str]) -> Wanted:
    predictor, horizon, revision = query.get("predictor", "score")[:LONGEST_NAME], query.get("horizon", ""), query.get("revision", "")
    return Wanted(
        predictor,
        int(horizon) if horizon in {str(minutes) for minutes in HORIZONS} else USUAL_HORIZON,
        int(revision) if revision.isascii() and revision.isdecimal() and len(revision) < 10 else 0,
        _day(query.get("day", "")),
    )


def _day(text: str) -> str:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
    except ValueError:
        return ""
