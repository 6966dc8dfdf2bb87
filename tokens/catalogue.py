"""The tokens as programs page through them: filters, an order, and a cursor that stays right while rows come and go."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Q
from django.utils.dateparse import parse_datetime

from tokens.filters import NONE, Filters
from tokens.models import Chain, Token
from tokens.templatetags.figures import finite

# Sort key → the column. With a minus in front: the highest first. Nothing else is ever sorted by.
SORTS = {
    "score": "last_score_value",
    "liquidity": "liquidity",
    "volume": "volume_5m",
    "tx": "tx_count_5m",
    "holders": "holders",
    "price": "price",
    "created": "created_at",
    "changed": "status_changed_at",
}
MOMENTS = {"created", "changed"}
MOST = 200
LONGEST_CURSOR = 200
LARGEST_KEY = 2**63 - 1


class NoCursor(ValueError):
    """The cursor is none of ours, or belongs to another order."""


@dataclass(frozen=True)
class Asked:
    sort: str = "score"
    descending: bool = True
    status: str | None = None
    chain: str = Chain.SOLANA
    filters: Filters = NONE
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True)
class Place:
    """Where a page ended: the sorted value of its last row (None: unknown, those come last) and its key."""

    value: float | datetime | None
    pk: int


def page(asked: Asked, now: datetime) -> tuple[Sequence[Any], str | None]:
    """One page and the cursor of the next, in one query. Raises NoCursor."""
    rows = _matching(asked, now)
    column = SORTS[asked.sort]
    if asked.cursor is not None:
        rows = rows.filter(_after(column, read_cursor(asked.cursor, asked), asked.descending))
    order = F(column).desc(nulls_last=True) if asked.descending else F(column).asc(nulls_last=True)
    if asked.sort in MOMENTS:  # never null, and without the words an index serves
        order = F(column).desc() if asked.descending else F(column).asc()
    found = list(rows.order_by(order, "pk")[: asked.limit + 1])
    if len(found) <= asked.limit:
        return found, None
    last = found[asked.limit - 1]
    return found[: asked.limit], write_cursor(asked, Place(getattr(last, column), last.pk))


def _matching(asked: Asked, now: datetime) -> Any:
    rows = Token.objects.filter(chain=asked.chain).with_newest_figures().filter(asked.filters.passing(now))
    return rows if asked.status is None else rows.filter(status=asked.status)


def _after(column: str, place: Place, descending: bool) -> Q:
    if place.value is None:
        return Q(**{f"{column}__isnull": True}, pk__gt=place.pk)
    beyond = Q(**{f"{column}__{'lt' if descending else 'gt'}": place.value})
    return beyond | Q(**{column: place.value}, pk__gt=place.pk) | Q(**{f"{column}__isnull": True})


def write_cursor(asked: Asked, place: Place) -> str:
    value = place.value.isoformat() if isinstance(place.value, datetime) else place.value
    text = json.dumps([_order_of(asked), value, place.pk], separators=(",", ":"), allow_nan=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, asked: Asked) -> Place:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        order, value, pk = json.loads(text)
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise NoCursor("This cursor is not one that a page of this list gave.") from error
    if order != _order_of(asked):
        raise NoCursor("This cursor belongs to another order of the list.")
    if isinstance(pk, bool) or not isinstance(pk, int) or not 0 <= pk <= LARGEST_KEY:
        raise NoCursor("This cursor is not one that a page of this list gave.")
    return Place(_cursor_value(value, asked.sort), pk)


def _cursor_value(value: object, sort: str) -> float | datetime | None:
    if value is None and sort not in MOMENTS:
        return None
    try:
        known = parse_datetime(value) if sort in MOMENTS and isinstance(value, str) else _number(value, sort)
    except ValueError:
        known = None
    if known is None or (isinstance(known, datetime) and (known.tzinfo is None or not 1970 < known.year < 3000)):
        raise NoCursor("This cursor is not one that a page of this list gave.")
    return known


def _number(value: object, sort: str) -> float | None:
    if sort in MOMENTS or (isinstance(value, int) and abs(value) > LARGEST_KEY):
        return None
    return finite(value)


def _order_of(asked: Asked) -> str:
    return ("-" if asked.descending else "") + asked.sort
