"""The stored signals as their list shows them: what the address asks for, and the rows of one page of it, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext_lazy as _

from learning import keys
from learning.models import Outcome, Signal
from tokens.models import Token

SOURCES = {"": _("All sources"), "score": _("Score"), "stage2": _("Stage 2"), "model": _("Model")}
DIRECTIONS = {"": _("All directions"), "up": _("Up"), "down": _("Down"), "none": _("No direction")}
AGES = {"": _("Settled or not"), "waiting": _("Still waiting"), "settled": _("Settled")}
HORIZONS = {15: "15 m", 60: "1 h", 240: "4 h", 720: "12 h"}
LONGEST = timedelta(minutes=max(HORIZONS))
ROWS = 50
LONGEST_ADDRESS = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """A view of the signals. What the address says wrongly is read as nothing said. `before` is the key that the page begins under."""

    source: str = ""
    direction: str = ""
    state: str = ""
    token: str = ""
    before: int = 0

    def link(self, **changes: Any) -> str:
        """Relative to the page: only what is not usual is written."""
        other, usual = replace(self, **changes), Wanted()
        said = {name: getattr(other, name) for name in usual.__slots__ if getattr(other, name) != getattr(usual, name)}
        return f"?{urlencode(said)}" if said else "?"


def wanted(query: Mapping[str, str]) -> Wanted:
    source, direction, state, before = (query.get(name, "") for name in ("source", "direction", "state", "before"))
    token = query.get("token", "").strip()[:LONGEST_ADDRESS]
    return Wanted(
        source if source in SOURCES else "",
        direction if direction in DIRECTIONS else "",
        state if state in AGES else "",
        token if token.isascii() and token.isalnum() else "",
        int(before) if before.isascii() and before.isdecimal() and len(before) <= 18 else 0,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One signal and what became of it, by horizon: None where nothing is settled yet."""

    signal: Any
    outcomes: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Found:
    rows: Sequence[Row]
    next: int  # the key to go on under; 0 on the last page
    unknown_token: bool = False


def find(asked: Wanted, now: datetime) -> Found:
    """Two queries, three where a token is named; none of them counts a table."""
    rows: Any = Signal.objects.select_related("token", "prediction__model").order_by("-pk")
    if asked.token:
        token = Token.objects.filter(address=asked.token).values_list("pk", flat=True).first()
        if token is None:
            return Found([], 0, unknown_token=True)
        rows = rows.filter(token_id=token)
    for name in ("source", "direction"):
        if chosen := getattr(asked, name):
            rows = rows.filter(**{name: chosen})
    if asked.state:
        border = keys.key(int((now - LONGEST).timestamp()), 0, 0)
        rows = rows.filter(pk__gte=border) if asked.state == "waiting" else rows.filter(pk__lt=border)
    if asked.before:
        rows = rows.filter(pk__lt=asked.before)
    found = list(rows[: ROWS + 1])
    shown = found[:ROWS]
    return Found(_with_outcomes(shown), shown[-1].pk if len(found) > ROWS else 0)


def _with_outcomes(signals: Sequence[Any]) -> list[Row]:
    known = {(row.signal_id, row.horizon_min): row for row in Outcome.objects.filter(signal__in=[signal.pk for signal in signals])}
    return [Row(signal, [known.get((signal.pk, horizon)) for horizon in HORIZONS]) for signal in signals]


def context(asked: Wanted, now: datetime) -> dict[str, Any]:
    """All that the list prints."""
    found = find(asked, now)
    return {
        "now": now,
        "wanted": asked,
        "asked": {},  # the search of the header is another one
        "found": found,
        "horizons": list(HORIZONS.values()),
        "choices": [
            (name, [(value, words, value == getattr(asked, name)) for value, words in offered.items()])
            for name, offered in (("source", SOURCES), ("direction", DIRECTIONS), ("state", AGES))
        ],
        "first": asked.link(before=0) if asked.before else "",
        "next": asked.link(before=found.next) if found.next else "",
    }
