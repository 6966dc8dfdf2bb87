"""A token as one row of a list: everything the partial prints, ready-made. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tokens import cells, sparkline
from tokens.freshness import age_at, is_fresh
from tokens.one_language import gettext as _
from tokens.templatetags import figures


@dataclass(frozen=True)
class Row:
    token: Any
    place: int
    symbol: str
    name: str
    metrics: Sequence[cells.Cell]
    spark: str
    points: str
    trend: float
    why: str
    fresh: bool
    seen: str
    price_why: str
    liquidity_why: str
    young: bool
    flags: str
    age: float
    in_status: float
    seen_ago: float


def row(token: Any, place: int, line: Sequence[float | None], now: datetime) -> Row:
    """`token` carries its newest figures (TokenQuerySet.with_newest_figures)."""
    symbol, name = figures.tame(token.symbol), figures.tame(token.name)
    fresh = is_fresh(token, now)
    flags = cells.contradictions(token.contradictions or "")
    said, components = seen(token), cells.parts(token.components)
    at_figures, at_score = age_at(token, token.last_snapshot_at), age_at(token, token.last_scored_at)
    return Row(
        token=token,
        place=place,
        symbol=symbol or figures.short(token.address),
        name=name if name != symbol else "",
        metrics=cells.cells_of(token, components, at_figures),
        spark=sparkline.path(line),
        points=sparkline.points(line),
        trend=sparkline.trend(line),
        why=cells.why_of(token.last_score_value, components, not fresh, at_score),
        fresh=fresh,
        seen=said,
        price_why=f"{about(token.price, token, said)} {contradicting(flags)}".strip(),
        liquidity_why=about(token.liquidity, token, said),
        young=bool(cells.hour_not_full(at_score)),
        flags=flags,
        age=token.age(now),
        in_status=(now - token.status_changed_at).total_seconds(),
        seen_ago=(now - (token.last_snapshot_at or now)).total_seconds(),
    )


def seen(token: Any) -> str:
    """How old the figures are and where they come from, for every cell of the row."""
    if token.last_snapshot_at is None:
        return _("No figures yet.")
    at, source = figures.clock(token.last_snapshot_at), token.source or ""
    if source not in cells.SOURCES:
        return _("Read at %(at)s UTC.") % {"at": at}
    return _("Read at %(at)s UTC from %(source)s.") % {"at": at, "source": cells.source_of(source)}


def contradicting(flags: str) -> str:
    """What contradicts itself in the figures, as a sentence; empty where nothing does."""
    return _("These figures contradict each other: %(flags)s.") % {"flags": flags} if flags else ""


def about(figure: float | None, token: Any, said: str) -> str:
    """What stands behind a figure: when and where it was read, which `said` tells, or why it is not known."""
    if figure is not None or token.last_snapshot_at is None:
        return said
    return _("Not known: the source did not say. %(seen)s") % {"seen": said}
