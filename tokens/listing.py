"""The public list: what a reader may ask of it, and the few queries that answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.db.models import Avg, F, IntegerField
from django.db.models.expressions import Func, OrderBy
from django.http import QueryDict
from django.urls import reverse

from tokens.models import Status, Token

STATUSES = (Status.ACTIVE, Status.INITIAL, Status.ARCHIVED)
SIZES = (25, 50, 100, 200)
DEEPEST_PAGE = 500  # beyond, a reader searches: counting off a hundred thousand rows serves nobody
LONGEST_SEARCH = 80
SPARK_HOURS = 2
SPARK_POINTS = 61
SPARK_STEP_SEC = SPARK_HOURS * 3600 // (SPARK_POINTS - 1)

# Sort key → the column it sorts by, and whether its natural order is descending. Nothing else is ever sorted by.
SORTS: dict[str, tuple[str, bool]] = {
    "score": ("last_score_value", True),
    "name": ("symbol", False),
    "tx": ("tx_count_5m", True),
    "volume": ("volume_5m", True),
    "holders": ("holders", True),
    "flow": ("net_flow", True),
    "price": ("price", True),
    "liquidity": ("liquidity", True),
    "pools": ("pool_count", True),
    "age": ("created_at", False),
    "since": ("status_changed_at", False),
}
# The archive grows for ever and its figures are cleaned away: it is sorted only by what has an index.
ARCHIVE_SORTS = ("since", "age")


class Refused(ValueError):
    """The address asks for something that is not offered; the message says what."""


@dataclass(frozen=True)
class Wanted:
    """One view of the list, as its address says it."""

    status: Status = Status.ACTIVE
    sort: str = "score"
    descending: bool = True
    q: str = ""
    page: int = 1
    size: int = 50

    def link(self, **changes: Any) -> str:
        """The address of this view with some things changed; what is as usual is left out."""
        other = replace(self, **changes)
        said: dict[str, Any] = {}
        if other.status != Status.ACTIVE:
            said["status"] = other.status.value
        if other.q:
            said["q"] = other.q
        if (other.sort, other.descending) != _natural(other.status):
            said["sort"] = ("-" if other.descending else "") + other.sort
        if other.size != Wanted.size:
            said["size"] = other.size
        if other.page != 1:
            said["page"] = other.page
        return reverse("token-list") + ("?" + urlencode(said) if said else "")


@dataclass(frozen=True)
class Column:
    link: str
    order: str  # as in aria-sort; empty where the list is sorted by something else


def _natural(status: Status) -> tuple[str, bool]:
    return ("since", False) if status == Status.ARCHIVED else ("score", True)


def columns(asked: Wanted) -> dict[str, Column]:
    """What the head of each column leads to: another order by the same key, or the key's natural order."""
    offered = ARCHIVE_SORTS if asked.status == Status.ARCHIVED else SORTS
    found: dict[str, Column] = {}
    for key in offered:
        mine = key == asked.sort
        descending = not asked.descending if mine else SORTS[key][1]
        order = ("descending" if asked.descending else "ascending") if mine else ""
        found[key] = Column(asked.link(sort=key, descending=descending, page=1), order)
    return found


def wanted(query: QueryDict) -> Wanted:
    """Read an address. What it names must exist; a number beyond the end means the last page."""
    status = _status(query.get("status", Status.ACTIVE.value))
    sort, descending = _sort(query.get("sort", ""), status)
    return Wanted(
        status=status,
        sort=sort,
        descending=descending,
        q=_search(query.get("q", "")),
        page=_page(query.get("page", "1")),
        size=_size(query),
    )


def _status(text: str) -> Status:
    for status in STATUSES:
        if text.casefold() == status.value.casefold():
            return status
    raise Refused("There are three lists: Active, Initial and Archived.")


def _sort(text: str, status: Status) -> tuple[str, bool]:
    if not text:
        return _natural(status)
    key = text.removeprefix("-")
    if key not in SORTS or (status == Status.ARCHIVED and key not in ARCHIVE_SORTS):
        offered = ARCHIVE_SORTS if status == Status.ARCHIVED else SORTS
        raise Refused(f"This list can be sorted by {', '.join(offered)}, with a minus in front for the highest first.")
    return key, text.startswith("-")


def _search(text: str) -> str:
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise Refused("A search is text: these characters are none.")
    if len(text) > LONGEST_SEARCH:
        raise Refused(f"A search has at most {LONGEST_SEARCH} characters.")
    return text.strip()


def _page(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Refused("A page is a number from 1.")
    return int(text) if len(text) < 10 else DEEPEST_PAGE


def _size(query: QueryDict) -> int:
    text = query.get("size", str(Wanted.size))
    if text not in map(str, SIZES):
        raise Refused(f"A page has {', '.join(map(str, SIZES))} rows.")
    return int(text)


@dataclass(frozen=True)
class Found:
    """The tokens of one page, with their newest figures as attributes."""

    tokens: Sequence[Any]
    total: int
    page: int
    pages: int
    first_place: int


def find(asked: Wanted) -> Found:
    """Two queries: how many there are, and the rows of one page."""
    matching = Token.objects.filter(status=asked.status).search(asked.q)
    total = matching.count()
    pages = max(1, min(-(-total // asked.size), DEEPEST_PAGE))
    page = min(max(asked.page, 1), pages)
    start = (page - 1) * asked.size
    rows = matching.with_newest_figures().order_by(_order(asked), "pk")[start : start + asked.size]
    return Found(list(rows), total, page, pages, start + 1)


def _order(asked: Wanted) -> OrderBy:
    column = F(SORTS[asked.sort][0])
    if asked.sort in {"age", "since"}:  # the longest time is the earliest moment; never null, so that the index can serve
        return column.asc() if asked.descending else column.desc()
    if asked.sort == "name":
        return column.desc() if asked.descending else column.asc()
    return column.desc(nulls_last=True) if asked.descending else column.asc(nulls_last=True)


class Slot(Func):
    """Which step of so many seconds since 1970 a moment lies in."""

    output_field = IntegerField()

    def __init__(self, moment: str, seconds: int) -> None:
        super().__init__(F(moment), seconds=int(seconds))

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return super().as_sql(compiler, connection, template="FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / %(seconds)s)::bigint", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return super().as_sql(compiler, connection, template="CAST(strftime('%%%%s', %(expressions)s) AS INTEGER) / %(seconds)s", **context)


def score_lines(tokens: Sequence[Any], now: datetime) -> dict[int, list[float | None]]:
    """The scores of the last two hours in equal steps, for all these tokens in one query."""
    newest = int(now.timestamp()) // SPARK_STEP_SEC
    oldest = newest - SPARK_POINTS + 1
    lines: dict[int, list[float | None]] = {token.pk: [None] * SPARK_POINTS for token in tokens}
    found = (
        Token.objects.filter(pk__in=lines, scores__ts__gte=now - timedelta(hours=SPARK_HOURS), scores__ts__lte=now)
        .annotate(slot=Slot("scores__ts", SPARK_STEP_SEC))
        .values_list("pk", "slot")
        .annotate(mean=Avg("scores__score"))
        .order_by()
    )
    for pk, slot, mean in found:
        if oldest <= slot <= newest:
            lines[pk][slot - oldest] = mean
    return lines


@dataclass(frozen=True)
class Elsewhere:
    status: str
    total: int
    link: str


def elsewhere(asked: Wanted) -> list[Elsewhere]:
    """The other lists in which this search would find something."""
    found = Token.objects.search(asked.q).counts_per_status()
    return [
        Elsewhere(status.value, found[status.value], Wanted(status, *_natural(status), q=asked.q).link())
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
