"""The assets as the page lists them: what the address asks for, and the rows of one page of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils.translation import gettext_lazy as _

from trading.models import AssetState

SHOWN = {"alerts": _("Alerts"), "kept": _("Let through"), "all": _("All")}
ROWS = 50
DEEPEST = 200
LONGEST_SEARCH = 80
# Sort key → the columns it sorts by, and whether its natural order is descending. Nothing else is ever sorted by; unknown comes last.
SORTS: Mapping[str, tuple[tuple[str, ...], bool]] = {
    "name": (("called",), False),
    "state": (("alert", "kept", "judgement__ts"), True),
    "price": (("price",), True),
    "market": (("market_state",), False),
    "reasons": (("effective_reasons",), True),
    "judged": (("judgement__ts",), True),
    "confidence": (("judgement__confidence",), True),
    "reward": (("judgement__reward_risk",), True),
}
USUAL = "state"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A view of the assets. What the address says wrongly is read as nothing said."""

    show: str = "kept"
    sort: str = USUAL
    descending: bool = True
    q: str = ""
    page: int = 1

    @property
    def order(self) -> str:
        """As the address says it: a minus in front for the highest first."""
        return ("-" if self.descending else "") + self.sort

    def link(self, **changes: Any) -> str:
        """Relative to the page: only what is not usual is written."""
        other = replace(self, **changes)
        said = {"show": other.show, "sort": other.order, "q": other.q, "page": other.page}
        usual = {"show": "kept", "sort": f"-{USUAL}", "q": "", "page": 1}
        said = {name: value for name, value in said.items() if value != usual[name]}
        return f"?{urlencode(said)}" if said else "?"


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of a column leads to: another order by the same key, or the key's natural order."""

    link: str
    order: str  # as in aria-sort; empty where the table is sorted by something else


def heads(asked: Wanted) -> dict[str, Head]:
    found = {}
    for key, (_columns, natural) in SORTS.items():
        mine = key == asked.sort
        order = ("descending" if asked.descending else "ascending") if mine else ""
        found[key] = Head(asked.link(sort=key, descending=not asked.descending if mine else natural, page=1), order)
    return found


def wanted(query: Mapping[str, str]) -> Wanted:
    show, sort, page = query.get("show", ""), query.get("sort", ""), query.get("page", "")
    text = "".join(letter for letter in query.get("q", "")[:LONGEST_SEARCH].strip() if letter.isprintable())
    known = sort.removeprefix("-") in SORTS
    return Wanted(
        show if show in SHOWN else "kept",
        sort.removeprefix("-") if known else USUAL,
        sort.startswith("-") or not known,
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
    rows = rows.annotate(called=Coalesce(NullIf("token__symbol", Value("")), "token__address"))
    return Found(list(rows.order_by(*_order(asked))[start : start + ROWS]), total, page, pages)


def _order(asked: Wanted) -> list[Any]:
    way = "desc" if asked.descending else "asc"
    return [*(getattr(F(column), way)(nulls_last=True) for column in SORTS[asked.sort][0]), "called", "token__address"]


def _matching(asked: Wanted) -> Any:
    rows = AssetState.objects.select_related("token", "judgement")
    if asked.show != "all":  # which also has those that are looked at no longer, as they stood last
        rows = rows.filter(pk__in=AssetState.objects.current().values("pk"))
        rows = rows.filter(alert=True) if asked.show == "alerts" else rows.filter(Q(alert=True) | Q(kept=True))
    if asked.q:
        rows = rows.filter(Q(token__symbol__icontains=asked.q) | Q(token__name__icontains=asked.q) | Q(token__address__istartswith=asked.q))
    return rows
