"""The assets as the page lists them: what the address asks for, and the rows of one page of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from trading.models import AssetState

SHOWN = {"alerts": _("Alerts"), "kept": _("Let through"), "all": _("All")}
SORTS = {
    "state": _("State"),
    "name": _("Name"),
    "judged": _("Judged last"),
    "confidence": _("Confidence"),
    "reward": _("Reward : risk"),
}
ROWS = 50
DEEPEST = 200
LONGEST_SEARCH = 80
ORDERS: Mapping[str, tuple[Any, ...]] = {
    "state": (F("alert").desc(), F("kept").desc(), F("judgement__ts").desc(nulls_last=True), "token__address"),
    "name": ("token__symbol", "token__address"),
    "judged": (F("judgement__ts").desc(nulls_last=True), "token__address"),
    "confidence": (F("judgement__confidence").desc(nulls_last=True), "token__address"),
    "reward": (F("judgement__reward_risk").desc(nulls_last=True), "token__address"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A view of the assets. What the address says wrongly is read as nothing said."""

    show: str = "kept"
    sort: str = "state"
    q: str = ""
    page: int = 1

    def link(self, **changes: Any) -> str:
        """Relative to the page: only what is not usual is written."""
        other, usual = replace(self, **changes), Wanted()
        said = {name: getattr(other, name) for name in ("show", "sort", "q", "page") if getattr(other, name) != getattr(usual, name)}
        return f"?{urlencode(said)}" if said else "?"


def wanted(query: Mapping[str, str]) -> Wanted:
    show, sort, page = query.get("show", ""), query.get("sort", ""), query.get("page", "")
    text = "".join(letter for letter in query.get("q", "")[:LONGEST_SEARCH].strip() if letter.isprintable())
    return Wanted(
        show if show in SHOWN else "kept",
        sort if sort in SORTS else "state",
        text,
        min(int(page), DEEPEST) if page.isascii() and page.isdecimal() and len(page) < 6 and int(page) else 1,
    )


@dataclass(frozen=True, slots=True)
class Found:
    states: Sequence[Any]
    total: int
    page: int
    pages: int


def find(asked: Wanted) -> Found:
    """Two queries: how many there are, and the rows of one page."""
    rows = _matching(asked)
    total = rows.count()
    pages = max(1, -(-total // ROWS))
    page = min(asked.page, pages)
    start = (page - 1) * ROWS
    return Found(list(rows.order_by(*ORDERS[asked.sort])[start : start + ROWS]), total, page, pages)


def _matching(asked: Wanted) -> Any:
    rows = AssetState.objects.select_related("token", "judgement")
    if asked.show != "all":
        rows = rows.filter(alert=True) if asked.show == "alerts" else rows.filter(Q(alert=True) | Q(kept=True))
    if asked.q:
        rows = rows.filter(Q(token__symbol__icontains=asked.q) | Q(token__name__icontains=asked.q) | Q(token__address__istartswith=asked.q))
    return rows
