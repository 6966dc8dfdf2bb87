"""The history of a token as columns for the charts: one time axis, None where nothing is known, and the stretches without data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from django.db.models import Avg, Count, F, Max, Min, Q, Window
from django.db.models.functions import Lag

from tokens.blind_spells import blind_spells
from tokens.cells import COUNTED, METRICS, REASONS
from tokens.cleanup import LEAST_KEPT
from tokens.models import LIVING
from tokens.retold import in_words, retold
from tokens.score_lines import Slot
from tokens.templatetags.words import status_name

USUAL_SEC = 7_200
RANGES_SEC = (7_200, 21_600, 86_400)  # offered beside “all”
POINTS = 900
STEPS_SEC = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 86_400)
SNAPSHOT_COLUMNS = ("price", "volume_5m", "liquidity", "holders")
SHORTEST_OUTAGE_SEC = 90.0
OUTAGE_INTERVALS = 3.5  # a poll that comes late is no outage; three that did not come are
NEIGHBOURS = 5
MOST_MARKS = 100
LAST_MOMENT = 4_102_444_800  # the year 2100
ESTIMATED, LEFT_OUT, STALE, CONTRADICTORY = 1, 2, 4, 8  # what must be said beside a point


class Refused(ValueError):
    """The address asks for a stretch of time that cannot be; the message says what is asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which stretch of time, in seconds since 1970. None: from two hours before the end, and to the end."""

    since: int | None = None
    until: int | None = None
    after: int | None = None  # the asker has everything before this moment already


def asked(query: Mapping[str, str]) -> Asked:
    """What the address asks for."""
    said = {name: _moment(name, query[name]) for name in ("from", "to", "after") if name in query}
    since, until = said.get("from"), said.get("to")
    if since is not None and until is not None and since >= until:
        raise Refused("`from` lies before `to`")
    return Asked(since, until, said.get("after"))


def _moment(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= LAST_MOMENT):
        raise Refused(f"`{name}` is a moment in whole seconds since 1970")
    return int(text)


def history(token: Any, wanted: Asked, now: datetime) -> dict[str, Any]:
    """Everything the charts draw; eight queries and those of the blind spells. Times are seconds since 1970."""
    oldest_kept = token.snapshots.aggregate(oldest=Min("ts"))["oldest"]
    newest = token.snapshots.order_by("-ts").values("ts", *SNAPSHOT_COLUMNS).first() or dict.fromkeys(("ts", *SNAPSHOT_COLUMNS))
    end = now if token.status in LIVING else max(filter(None, (newest["ts"], token.status_changed_at)))
    kept = oldest_kept or end  # what is older has been cleaned away
    if token.status in LIVING:
        kept = min(kept, now - LEAST_KEPT)
    oldest = min(max(token.created_at, kept), end)
    until = min(end, _at(wanted.until)) if wanted.until is not None else end
    since = max(oldest, _at(wanted.since) if wanted.since is not None else until - timedelta(seconds=USUAL_SEC))
    since = min(since, until)
    step = step_sec((until - since).total_seconds())
    stretches, columns = _columns(token, since, until, step)
    outages = silent_stretches(stretches, *_neighbours(token, oldest, since, until, end))
    times, columns = interrupted([last for _, last, _ in stretches], columns, outages)
    first = next((index for index, at in enumerate(times) if at >= wanted.after), len(times)) if wanted.after is not None else 0
    return {
        "oldest": _seconds(oldest),
        "newest": _seconds(end),
        "from": _seconds(since),
        "to": _seconds(until),
        "step": step,
        "thinned": any(count > 1 for _, _, count in stretches),
        "ts": times[first:],
        **{name: values[first:] for name, values in columns.items()},
        "last": {**{name: newest[name] for name in SNAPSHOT_COLUMNS}, "score": token.last_score_value},  # a point may be a mean
        "outages": outages,
        "blind": _blind(since, until),
        "changes": _changes(token, since, until),
        "revisions": _revisions(token, since, until),
    }


def step_sec(span_sec: float) -> int:
    """The width of one point, so that there are about as many as a wide screen can show."""
    return next((step for step in STEPS_SEC if span_sec <= step * POINTS), STEPS_SEC[-1])


Stretch = tuple[float, float, int]  # the first and the last snapshot of one point, and how many there are


def _columns(token: Any, since: datetime, until: datetime, step: int) -> tuple[list[Stretch], dict[str, list[Any]]]:
    rows = list(
        token.snapshots.filter(ts__gte=since, ts__lte=until)
        .annotate(slot=Slot("ts", step))
        .values("slot")
        .annotate(
            first=Min("ts"),
            last=Max("ts"),
            count=Count("pk"),
            low=Min("price"),
            high=Max("price"),
            doubtful=Count("pk", filter=~Q(contradictions="")),
            **{f"mean_{name}": Avg(name) for name in SNAPSHOT_COLUMNS},
        )
        .order_by("slot")
    )
    scores = _scores(token, since, until, step)
    columns: dict[str, list[Any]] = {name: [_short(row[f"mean_{name}"]) for row in rows] for name in SNAPSHOT_COLUMNS}
    columns["price_low"], columns["price_high"] = [_short(row["low"]) for row in rows], [_short(row["high"]) for row in rows]
    columns["score"] = [_short(scores.get(row["slot"], (None, 0))[0]) for row in rows]
    columns["notes"] = [scores.get(row["slot"], (None, 0))[1] | (CONTRADICTORY if row["doubtful"] else 0) for row in rows]
    return [(_seconds(row["first"]), _seconds(row["last"]), row["count"]) for row in rows], columns


def _scores(token: Any, since: datetime, until: datetime, step: int) -> dict[int, tuple[float | None, int]]:
    """For each point the mean score, and whether it rests on an estimate or on fewer metrics than usual."""
    found = (
        token.scores.filter(ts__gte=since, ts__lte=until)
        .annotate(slot=Slot("ts", step))
        .values_list("slot")
        .annotate(
            Avg("score"),
            estimated=Count("pk", filter=_some_metric_is("estimated")),
            left_out=Count("pk", filter=_some_metric_is(*(REASONS.keys() - COUNTED - {"", "stale"}))),
            stale=Count("pk", filter=_some_metric_is("stale")),
        )
        .order_by()
    )
    return {
        slot: (mean, (ESTIMATED if estimated else 0) | (LEFT_OUT if left_out else 0) | (STALE if stale else 0))
        for slot, mean, estimated, left_out, stale in found
    }


def _some_metric_is(*states: str) -> Q:
    some = Q()
    for metric in METRICS:
        some |= Q(**{f"components__{metric}__state__in": sorted(states)})
    return some


def _neighbours(token: Any, oldest: datetime, since: datetime, until: datetime, end: datetime) -> tuple[float, float | None]:
    """The last snapshot before this stretch of time, or else where all begins, and the first one after it, or else the end."""
    around = token.snapshots.aggregate(before=Max("ts", filter=Q(ts__lt=since)), after=Min("ts", filter=Q(ts__gt=until)))
    after = around["after"] or (end if token.status in LIVING else None)
    return _seconds(around["before"] or oldest), None if after is None else _seconds(after)


def silent_stretches(stretches: Sequence[Stretch], before: float, after: float | None) -> list[tuple[float, float]]:
    """From when to when no snapshot came in, judged by how often they came around then."""
    ends = [last for _, last, _ in stretches]
    paces = [(later - earlier) / count for earlier, later, (_, _, count) in zip(ends, ends[1:], stretches[1:], strict=False)]
    known = [(before, before), *((first, last) for first, last, _ in stretches), *([(after, after)] if after is not None else [])]
    gaps = enumerate(((earlier[1], later[0]) for earlier, later in pairwise(known)), -1)
    return [(earlier, later) for place, (earlier, later) in gaps if later - earlier > _longest(paces, place)]


def _longest(paces: Sequence[float], place: int) -> float:
    """How long no snapshot may come in at this place: by the slower of the paces before and after, for a token may change its own."""
    before, after = paces[max(0, place - NEIGHBOURS) : max(0, place)], paces[place + 1 : place + 1 + NEIGHBOURS]
    usual = max((median(around) for around in (before, after) if around), default=0.0)
    return max(SHORTEST_OUTAGE_SEC, OUTAGE_INTERVALS * usual)


def interrupted(
    times: Sequence[float], columns: Mapping[str, Sequence[Any]], outages: Sequence[tuple[float, float]]
) -> tuple[list[float], dict[str, list[Any]]]:
    """The columns with an empty point inside each outage, so that no line is drawn across it."""
    holes = {earlier for earlier, _ in outages}
    answer: dict[str, list[Any]] = {name: [] for name in columns}
    moments: list[float] = []
    for index, at in enumerate(times):
        moments.append(at)
        for name, values in columns.items():
            answer[name].append(values[index])
        if at in holes:
            moments.append(at + 1)
            for name, values in answer.items():
                values.append(0 if name == "notes" else None)
    return moments, answer


def _blind(since: datetime, until: datetime) -> list[dict[str, Any]]:
    spells = sorted((spell for provider in blind_spells for spell in provider(since, until)), key=lambda spell: spell.since)
    return [
        {"from": _seconds(max(spell.since, since)), "to": _seconds(min(spell.until or until, until)), "why": in_words(spell.why)}
        for spell in spells
    ]


def _changes(token: Any, since: datetime, until: datetime) -> list[dict[str, Any]]:
    rows = token.status_changes.filter(ts__gte=since - timedelta(seconds=1), ts__lte=until).order_by("-ts", "-pk")[:MOST_MARKS]
    return [
        {"ts": _seconds(row.ts), "old": status_name(row.old), "new": status_name(row.new), "reason": retold(row)} for row in reversed(rows)
    ]


def _revisions(token: Any, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """When a score was made with other settings than the one before it, also back to earlier ones."""
    rows = (
        token.scores.filter(ts__gte=since, ts__lte=until)
        .annotate(before=Window(Lag("settings_id"), order_by="ts"))
        .filter(~Q(settings_id=F("before")))
        .order_by("-ts")
        .values_list("ts", "settings_id", "settings__note")[:MOST_MARKS]
    )
    return [{"ts": _seconds(ts), "revision": revision, "note": note[:80]} for ts, revision, note in reversed(rows)]


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(moment: datetime) -> float:
    return round(moment.timestamp(), 1)


def _short(value: float | None) -> float | None:
    """Seven digits draw and tell everything, and half the bytes are saved."""
    return None if value is None else float(f"{value:.7g}")
