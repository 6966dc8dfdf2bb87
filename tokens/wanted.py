"""What a reader may ask of the list: the words of an address read, checked, and written back in one way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from tokens import filters
from tokens.bounds import Refused
from tokens.filters import Filters
from tokens.models import Status

STATUSES = (Status.ACTIVE, Status.INITIAL, Status.ARCHIVED)
SIZES = (25, 50, 100, 200)
DEEPEST_PAGE = 500  # beyond, a reader searches: counting off a hundred thousand rows serves nobody
LONGEST_SEARCH = 80
MOST_WATCHED = 100
WATCHED = re.compile(r"[A-Za-z0-9]{1,64}")

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


@dataclass(frozen=True)
class Wanted:
    """One view of the list, as its address says it. `status` is None for a watch-list, whose tokens may have any."""

    status: Status | None = Status.ACTIVE
    sort: str = "score"
    descending: bool = True
    q: str = ""
    page: int = 1
    size: int = 50
    filters: Filters = filters.NONE
    watch: tuple[str, ...] | None = None

    def said(self) -> dict[str, str]:
        """The words of the address, in their one order; what is as usual is left out."""
        said: dict[str, str] = {}
        if self.watch is not None:
            said["watch"] = ",".join(self.watch)
        if self.status is not None and (self.watch is not None or self.status != Status.ACTIVE):
            said["status"] = self.status.value
        if self.q:
            said["q"] = self.q
        said |= self.filters.said()
        if (self.sort, self.descending) != _natural(self.status):
            said["sort"] = ("-" if self.descending else "") + self.sort
        if self.size != Wanted.size:
            said["size"] = str(self.size)
        if self.page != 1:
            said["page"] = str(self.page)
        return said

    def link(self, **changes: Any) -> str:
        """The address of this view with some things changed."""
        return _address("token-list", replace(self, **changes).said())

    @property
    def csv_link(self) -> str:
        """All pages of this view as one file."""
        return _address("token-csv", replace(self, page=1, size=Wanted.size).said())

    @property
    def kept(self) -> list[tuple[str, str]]:
        """What a new search keeps."""
        return list(replace(self, q="", page=1).said().items())

    @property
    def unfiltered(self) -> list[tuple[str, str]]:
        """What new filters keep."""
        return list(replace(self, filters=filters.NONE, page=1).said().items())


@dataclass(frozen=True)
class Column:
    link: str
    order: str  # as in aria-sort; empty where the list is sorted by something else


def _address(name: str, said: Mapping[str, str]) -> str:
    return reverse(name) + ("?" + urlencode(said, safe=",") if said else "")


def _natural(status: Status | None) -> tuple[str, bool]:
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
    watch = _watch(query.get("watch", "")) if "watch" in query else None
    status = None if watch is not None and "status" not in query else _status(query.get("status", Status.ACTIVE.value))
    sort, descending = _sort(query.get("sort", ""), status)
    return Wanted(
        status=status,
        sort=sort,
        descending=descending,
        q=_search(query.get("q", "")),
        page=_page(query.get("page", "1")),
        size=_size(query),
        filters=filters.read(dict(query.lists())),
        watch=watch,
    )


def rewritten(query: QueryDict, asked: Wanted) -> bool:
    """Whether the address says its filters or its watch-list in other words than ours: it is then led to ours, so that what people share,
    and what is kept ready, is one address for one list."""
    given = [(name, value) for name, values in query.lists() for value in values if name in filters.NAMES or name == "watch"]
    ours = [(name, value) for name, value in asked.said().items() if name in filters.NAMES or name == "watch"]
    return sorted(given) != sorted(ours)


def _watch(text: str) -> tuple[str, ...]:
    addresses = {address for address in text.split(",") if address}
    if len(addresses) > MOST_WATCHED:
        raise Refused(_("A watch-list shows at most %(most)s tokens at once.") % {"most": MOST_WATCHED})
    if not all(WATCHED.fullmatch(address) for address in addresses):
        raise Refused(_("A watch-list is made of addresses of tokens with commas between them."))
    return tuple(sorted(addresses))


def _status(text: str) -> Status:
    for status in STATUSES:
        if text.casefold() == status.value.casefold():
            return status
    raise Refused(_("There are three lists: Active, Initial and Archived."))


def _sort(text: str, status: Status | None) -> tuple[str, bool]:
    if not text:
        return _natural(status)
    key = text.removeprefix("-")
    if key not in SORTS or (status == Status.ARCHIVED and key not in ARCHIVE_SORTS):
        offered = ARCHIVE_SORTS if status == Status.ARCHIVED else SORTS
        raise Refused(_("This list can be sorted by %(keys)s, with a minus in front for the highest first.") % {"keys": ", ".join(offered)})
    return key, text.startswith("-")


def _search(text: str) -> str:
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise Refused(_("A search is text: these characters are none."))
    if len(text) > LONGEST_SEARCH:
        raise Refused(_("A search has at most %(most)s characters.") % {"most": LONGEST_SEARCH})
    return text.strip()


def _page(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Refused(_("A page is a number from 1."))
    return int(text) if len(text) < 10 else DEEPEST_PAGE


def _size(query: QueryDict) -> int:
    text = query.get("size", str(Wanted.size))
    if text not in map(str, SIZES):
        raise Refused(_("A page has %(sizes)s rows.") % {"sizes": ", ".join(map(str, SIZES))})
    return int(text)


def status_link(asked: Wanted, status: Status, **changes: Any) -> str:
    """The same question to the list of another status, which may not be sorted as this one is."""
    offered = ARCHIVE_SORTS if status == Status.ARCHIVED else SORTS
    kept = (asked.sort, asked.descending)
    sort, descending = kept if asked.sort in offered and kept != _natural(asked.status) else _natural(status)
    return asked.link(status=status, sort=sort, descending=descending, page=1, watch=None, **changes)
