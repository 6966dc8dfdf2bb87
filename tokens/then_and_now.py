"""The history of a token in a small table: its figures a while ago, and by how much they moved since. What the charts draw, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tokens.templatetags import figures

AGO_MIN = (5, 15, 60, 360, 1440)
NEAR_SHARE, NEAREST, FARTHEST = (
    0.1,
    timedelta(minutes=1),
    timedelta(minutes=10),
)  # how far off a reading may be and still speak for its moment
FIGURES: Sequence[tuple[str, Promise, Callable[[object], str]]] = (
    ("price", _("Price"), figures.money),
    ("liquidity", _("Liquidity"), figures.money),
    ("holders", _("Holders"), figures.count),
    ("volume_5m", _("Volume 5 m"), figures.money),
)


@dataclass(frozen=True)
class Then:
    """A figure as it was, by how much it changed since, and when exactly it was read."""

    text: str
    change: str
    way: str  # up, down or flat
    at: datetime | None


@dataclass(frozen=True)
class Line:
    title: Promise
    now: str
    then: Sequence[Then]


@dataclass(frozen=True)
class Table:
    heads: Sequence[str]
    lines: Sequence[Line]


def table(token: Any, newest: Any, score: float | None) -> Table | None:
    """Against the newest snapshot; None without one. Two queries."""
    if newest is None:
        return None
    moments = [newest.ts - timedelta(minutes=minutes) for minutes in AGO_MIN]
    near = [min(max(NEAREST, NEAR_SHARE * (newest.ts - moment)), FARTHEST) for moment in moments]
    around = Q()
    for moment, reach in zip(moments, near, strict=True):
        around |= Q(ts__gte=moment - reach, ts__lte=moment + reach)
    seen = {row["ts"]: row for row in token.snapshots.filter(around).values("ts", *(name for name, _title, _write in FIGURES))}
    scores = {ts: {"ts": ts, "score": value} for ts, value in token.scores.filter(around).values_list("ts", "score")}
    rows = [nearest(seen, moment, reach) for moment, reach in zip(moments, near, strict=True)]
    scored = [nearest(scores, moment, reach) for moment, reach in zip(moments, near, strict=True)]
    lines = [
        Line(title, write(getattr(newest, name)), [_then(row, name, getattr(newest, name), write) for row in rows])
        for name, title, write in FIGURES
    ]
    lines.append(Line(_("Score"), figures.number(score), [_then_score(row, score) for row in scored]))
    return Table([figures.ago(minutes * 60) for minutes in AGO_MIN], lines)


def nearest(rows: Mapping[datetime, Mapping[str, Any]], moment: datetime, reach: timedelta) -> Mapping[str, Any] | None:
    """The reading closest to a moment, if there is one within reach."""
    close = [ts for ts in rows if abs(ts - moment) <= reach]
    return rows[min(close, key=lambda ts: abs(ts - moment))] if close else None


def _then(row: Mapping[str, Any] | None, name: str, now: float | None, write: Callable[[object], str]) -> Then:
    if row is None or row[name] is None:
        return Then(figures.UNKNOWN, "", "flat", None)
    before = float(row[name])
    change = figures.percent(now / before - 1.0) if now is not None and before > 0 else ""
    return Then(write(before), change, figures.side(change), row["ts"])


def _then_score(row: Mapping[str, Any] | None, now: float | None) -> Then:
    if row is None or row["score"] is None:
        return Then(figures.UNKNOWN, "", "flat", None)
    change = figures.signed(now - row["score"]) if now is not None else ""
    return Then(figures.number(row["score"]), change, figures.side(change), row["ts"])
