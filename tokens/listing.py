"""The public list: the few queries that answer what a reader asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F
from django.db.models.expressions import OrderBy

from tokens import filters
from tokens.filters import Counted
from tokens.models import Token
from tokens.wanted import DEEPEST_PAGE, SIZES, SORTS, STATUSES, Wanted, status_link


@dataclass(frozen=True)
class Found:
    """The tokens of one page, with their newest figures as attributes."""

    tokens: Sequence[Any]
    counted: filters.Counted
    page: int
    pages: int
    first_place: int

    @property
    def total(self) -> int:
        return self.counted.total


def find(asked: Wanted, now: datetime) -> Found:
    """Two queries: how many there are, and the rows of one page."""
    matching = _matching(asked)
    counted = filters.counted(matching.with_newest_snapshot(), asked.filters, now) if asked.filters else Counted(matching.count())
    pages = max(1, min(-(-counted.total // asked.size), DEEPEST_PAGE))
    page = min(max(asked.page, 1), pages)
    start = (page - 1) * asked.size
    return Found(list(rows(asked, now)[start : start + asked.size]), counted, page, pages, start + 1)


def rows(asked: Wanted, now: datetime) -> Any:
    """All rows of a view in its order, with their newest figures."""
    return _matching(asked).with_newest_figures().filter(asked.filters.passing(now)).order_by(_order(asked), "pk")


def _matching(asked: Wanted) -> Any:
    """Before the filters, the tokens of the list and of the search."""
    found = Token.objects.of_pump_fun().search(asked.q)
    if asked.watch is not None:
        found = found.filter(address__in=asked.watch)
    return found if asked.status is None else found.filter(status=asked.status)


def not_known(asked: Wanted) -> list[str]:
    """The watched addresses that no token here has."""
    known = set(Token.objects.of_pump_fun().filter(address__in=asked.watch or ()).values_list("address", flat=True))
    return [address for address in asked.watch or () if address not in known]


def _order(asked: Wanted) -> OrderBy:
    column = F(SORTS[asked.sort][0])
    if asked.sort in {"age", "since"}:  # the longest time is the earliest moment; never null, so that the index can serve
        return column.asc() if asked.descending else column.desc()
    if asked.sort == "name":
        return column.desc() if asked.descending else column.asc()
    return column.desc(nulls_last=True) if asked.descending else column.asc(nulls_last=True)


@dataclass(frozen=True)
class Elsewhere:
    status: str
    total: int
    link: str


def elsewhere(asked: Wanted) -> list[Elsewhere]:
    """The other lists in which this search would find something."""
    found = Token.objects.search(asked.q).counts_per_status()
    return [
        Elsewhere(status.value, found[status.value], status_link(asked, status, filters=filters.NONE))
        for status in STATUSES
        if status != asked.status and found[status.value]
    ]


@dataclass(frozen=True)
class Pager:
    first: str
    previous: str
    next: str
    last: str
    sizes: Sequence[tuple[int, str, bool]]


def pager(asked: Wanted, found: Found) -> Pager:
    """Where the page can be turned to; empty where it cannot."""

    def to(page: int) -> str:
        return asked.link(page=page) if 1 <= page <= found.pages and page != found.page else ""

    return Pager(
        first=to(1),
        previous=to(found.page - 1),
        next=to(found.page + 1),
        last=to(found.pages),
        sizes=[(size, asked.link(size=size, page=1), size == asked.size) for size in SIZES],
    )


def version() -> str:
    """Changes whenever a row of the list may have changed: every figure, score and change of status is a new row. One tiny query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT MAX(id) FROM status_changes), (SELECT MAX(id) FROM token_snapshots), (SELECT MAX(id) FROM token_scores)"
        )
        return " ".join(map(str, cursor.fetchone()))
