"""What happened, was heard or was paid for while the clock was ahead, did so: it stays, and is dated now, the latest it can have been."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import F, Model, QuerySet
from django.db.models.functions import Greatest

from ingestion.ledger import COLUMNS
from ingestion.models import ApiUsage, Heartbeat, ListeningGap, ServiceState, WatchedSymbol
from scoring import duels
from scoring.models import Duel, DuelLook, ShadowScore
from tokens.models import StatusChange
from tothemoon.wrong_clock.figures import ROWS_A_BITE, Pause, forget_rows
from tothemoon.wrong_clock.found import NOTES, Dated, Fate

MARK = " [dated {} by a clock that was ahead]"
EXCHANGE_FIGURES = ("volume_24h", "change_24h", "depth", "open_interest", "figures_at", "depth_at")


def put_right(now: datetime, limit: datetime, go_on: Pause) -> int:
    """Returns how many rows were put right."""
    changed = _mark_history(now, limit, go_on) + _mark_gaps(now, limit) + _keep_waits(now, limit) + _beats(now, limit)
    changed += _end_duels(now, limit, go_on) + _count_today(now, limit)
    changed += WatchedSymbol.objects.filter(figures_at__gt=limit).update(**dict.fromkeys(EXCHANGE_FIGURES))
    for dated in NOTES:
        if dated.fate == Fate.NOW:
            changed += _date(dated, now, limit, go_on)
    return changed


def _date(dated: Dated, now: datetime, limit: datetime, go_on: Pause) -> int:
    changed, rows = 0, dated.model._default_manager.filter(dated.ahead(limit)).order_by("-pk")
    while pks := list(rows.values_list("pk", flat=True)[:ROWS_A_BITE]):
        changed += rows.filter(pk__in=pks).update(**{dated.column: now})
        if not go_on():
            break
    return changed


def _mark_history(now: datetime, limit: datetime, go_on: Pause) -> int:
    """A change of status is evidence: what it says it was dated stands in its own evidence from now on."""
    changed, rows = 0, StatusChange.objects.filter(ts__gt=limit).order_by("-pk")
    while batch := list(rows[:ROWS_A_BITE]):
        for row in batch:
            row.evidence = {**row.evidence, "dated_by_a_clock_that_was_ahead": row.ts.isoformat()}
            row.ts = now
        changed += StatusChange.objects.bulk_update(batch, ["evidence", "ts"], batch_size=500)
        if not go_on():
            break
    return changed


def _mark_gaps(now: datetime, limit: datetime) -> int:
    """How long nobody listened is not known any more: the reason says by which clock it began."""
    gaps = list(ListeningGap.objects.filter(from_ts__gt=limit))
    for gap in gaps:
        gap.why = gap.why[: 300 - len(MARK) - 20] + MARK.format(f"{gap.from_ts:%Y-%m-%d %H:%M:%S}")
        gap.from_ts = now
    return ListeningGap.objects.bulk_update(gaps, ["why", "from_ts"])


def _keep_waits(now: datetime, limit: datetime) -> int:
    """A service that wants to be left alone is left alone for as long as it said, from now on: asked too early it says so for longer."""
    waiting = list(ServiceState.objects.filter(since__gt=limit, until__isnull=False))
    for state in waiting:
        if state.until is not None:
            state.since, state.until = now, now + (state.until - state.since)
    return ServiceState.objects.bulk_update(waiting, ["since", "until"])


def _beats(now: datetime, limit: datetime) -> int:
    """A sign of life says until when there are figures, and when the last message came. One that is renewed meanwhile is left alone."""
    changed = 0
    for beat in Heartbeat.objects.filter(component__in=("listener", "scheduler")):
        told = {name: value for name, value in beat.detail.items() if name != "figures_until"}
        if str(told.get("last_message_at") or "") > limit.isoformat():
            told["last_message_at"] = now.isoformat()
        if told != beat.detail:
            changed += Heartbeat.objects.filter(pk=beat.pk, ts=beat.ts).update(detail=told)
    return changed


def _end_duels(now: datetime, limit: datetime, go_on: Pause) -> int:
    """What a side remembers it remembers nowhere else, so it cannot be put back, and a duel that goes on with it would not be fair. It
    ends; what it found before stays."""
    ahead = ShadowScore.objects.filter(ts__gt=limit, side__duel__running=True).exists()
    ahead = ahead or DuelLook.objects.filter(ts__gt=limit, duel__running=True).exists()
    ended = 0
    if ahead and (running := Duel.objects.filter(running=True).first()) is not None:
        ended = int(duels.stop(running, "the clock was ahead, and what it wrote then was forgotten (forget_ahead)", now))
    rows: QuerySet[Model] = DuelLook.objects.filter(ts__gt=limit)
    for column in ("ts", "last_check_at", "low_since", "activated_at", "archived_at"):
        ShadowScore.objects.filter(**{f"{column}__gt": limit}).update(**{column: now})
    return ended + forget_rows(rows, go_on)


def _count_today(now: datetime, limit: datetime) -> int:
    """What was asked was asked, and paid for: it counts for today, and so for this month's budget."""
    ahead = list(ApiUsage.objects.filter(day__gt=limit.date()).order_by("pk"))
    for row in ahead:
        with transaction.atomic():
            today, _ = ApiUsage.objects.get_or_create(day=now.date(), service=row.service, endpoint=row.endpoint)
            _add(today, row, [name for name in COLUMNS if name != "latency_ms_max"])
            row.delete()
    return len(ahead)


def _add(today: ApiUsage, row: ApiUsage, names: Sequence[str]) -> None:
    sums = {name: F(name) + getattr(row, name) for name in names}
    ApiUsage.objects.filter(pk=today.pk).update(**sums, latency_ms_max=Greatest("latency_ms_max", row.latency_ms_max))
