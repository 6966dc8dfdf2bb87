"""The history of a token as columns for the charts: one time axis, None where nothing is known, and the stretches without data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from django.db.models import Avg, Max, Min

from tokens.listing import Slot
from tokens.models import Token

HOURS = (2, 6, 24, 72)
POINTS = 720
SNAPSHOT_COLUMNS = ("price", "volume_5m", "liquidity", "holders", "tx_count_5m")
SHORTEST_OUTAGE_SEC = 90.0
OUTAGE_INTERVALS = 3.5  # a poll that comes late is no outage; three that did not come are


def history(token: Any, hours: int, now: datetime) -> dict[str, Any]:
    """Everything the charts draw; four queries. Times are seconds since 1970."""
    since = now - timedelta(hours=hours)
    step = hours * 3600 // POINTS
    rows = list(
        token.snapshots.filter(ts__gte=since, ts__lte=now)
        .annotate(slot=Slot("ts", step))
        .values("slot")
        .annotate(at=Max("ts"), **{f"mean_{name}": Avg(name) for name in SNAPSHOT_COLUMNS})
        .order_by("slot")
    )
    scores = dict(
        token.scores.filter(ts__gte=since, ts__lte=now)
        .annotate(slot=Slot("ts", step))
        .values_list("slot")
        .annotate(Avg("score"))
        .order_by()
    )
    times = [row["at"].timestamp() for row in rows]
    columns: dict[str, list[float | None]] = {name: [row[f"mean_{name}"] for row in rows] for name in SNAPSHOT_COLUMNS}
    columns["score"] = [scores.get(row["slot"]) for row in rows]
    outages = silent_stretches(times, now.timestamp())
    return {
        "from": max(since, token.created_at).timestamp(),
        "to": now.timestamp(),
        **interrupted(times, columns, outages),
        "outages": outages,
        "changes": _changes(token, since),
        "revisions": _revisions(token, since),
    }


def silent_stretches(times: Sequence[float], now: float) -> list[tuple[float, float]]:
    """From when to when no snapshot came in, judged by how often they usually come."""
    if not times:
        return []
    steps = [later - earlier for earlier, later in pairwise(times)]
    longest = max(SHORTEST_OUTAGE_SEC, OUTAGE_INTERVALS * median(steps)) if steps else SHORTEST_OUTAGE_SEC
    return [(earlier, later) for earlier, later in pairwise([*times, now]) if later - earlier > longest]


def interrupted(
    times: Sequence[float], columns: dict[str, list[float | None]], outages: Sequence[tuple[float, float]]
) -> dict[str, list[Any]]:
    """The columns with an empty point inside each outage, so that no line is drawn across it."""
    holes = {earlier for earlier, _ in outages}
    answer: dict[str, list[Any]] = {"ts": [], **{name: [] for name in columns}}
    for index, at in enumerate(times):
        answer["ts"].append(at)
        for name, values in columns.items():
            answer[name].append(values[index])
        if at in holes:
            answer["ts"].append(at + 1)
            for name in columns:
                answer[name].append(None)
    return answer


def _changes(token: Any, since: datetime) -> list[dict[str, Any]]:
    rows = token.status_changes.filter(ts__gte=since).order_by("ts")[:100]
    return [{"ts": row.ts.timestamp(), "old": row.old, "new": row.new} for row in rows]


def _revisions(token: Any, since: datetime) -> list[dict[str, Any]]:
    """When a score was first made with other settings than the one before."""
    found = Token.objects.filter(pk=token.pk, scores__ts__gte=since).values_list("scores__settings").annotate(first=Min("scores__ts"))
    return [{"ts": first.timestamp(), "revision": revision} for revision, first in sorted(found, key=lambda pair: pair[1])[1:]]
