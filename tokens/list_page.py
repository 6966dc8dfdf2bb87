"""The list as a page prints it: its rows, and the bar above them. Everything ready-made, nothing of who is asking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db.models import Count
from django.db.models.functions import Lower

from tokens import filter_words, filters, listing, score_lines
from tokens.models import Chain, Pool, Status
from tokens.one_language import one_language
from tokens.rows import row
from tokens.templatetags.figures import short
from tokens.wanted import STATUSES, Wanted, columns, status_link

DEXES_KEPT_SEC = 60
MOST_DEXES = 16


@dataclass(frozen=True)
class Tab:
    status: Status
    link: str
    current: bool


@dataclass(frozen=True)
class ChipLink:
    text: str
    link: str


def context(asked: Wanted, now: datetime, refresh_sec: float) -> dict[str, Any]:
    found = listing.find(asked, now)
    lines = score_lines.score_lines(found.tokens, now)
    with one_language():
        rows = [row(token, found.first_place + index, lines[token.pk], now) for index, token in enumerate(found.tokens)]
    return {
        "asked": asked,
        "found": found,
        "rows": rows,
        "columns": columns(asked),
        "pager": listing.pager(asked, found),
        "elsewhere": listing.elsewhere(asked) if asked.q and not rows else [],
        "everything": asked.link(q="", filters=filters.NONE, page=1),
        "line_ends": score_lines.ends(now),
        "now": now,
        "refresh_sec": refresh_sec,
        **bar(asked, found),
    }


def bar(asked: Wanted, found: listing.Found) -> dict[str, Any]:
    """What stands above the rows: the filters, who they leave out, and the lists of the other statuses."""
    not_known = listing.not_known(asked) if asked.watch else []
    return {
        "tabs": [Tab(status, status_link(asked, status), status == asked.status and asked.watch is None) for status in STATUSES],
        "chips": [ChipLink(chip.text, asked.link(filters=chip.rest, page=1)) for chip in filter_words.chips(asked.filters)],
        "clear": asked.link(filters=filters.NONE, page=1),
        "ranges": filter_words.ranges(asked.filters),
        "dexes": [(name, name in asked.filters.dex) for name in dexes(asked.filters.dex)],
        "left_out": filter_words.left_out(found.counted) if asked.filters.figures() else None,
        "not_known": [short(address) for address in not_known],
    }


def dexes(chosen: Sequence[str] = ()) -> list[str]:
    """The exchanges to choose from, those with the most pools; the chosen ones are always among them."""
    names: list[str] | None = cache.get("dexes")
    if names is None:
        listed = Pool.objects.filter(token__chain=Chain.SOLANA).order_by()
        pools = listed.values_list(Lower("dex_name")).annotate(number=Count("pk")).order_by("-number")
        names = [name for name, _ in pools[:MOST_DEXES] if filters.DEX_NAME.fullmatch(name)]
        cache.set("dexes", names, DEXES_KEPT_SEC if names else 1)
    return sorted({*names, *chosen})
