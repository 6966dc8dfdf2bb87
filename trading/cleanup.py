"""What goes when it is old. Judgements, positions, fills and skipped signals are evidence and stay; the curve of the account grows coarser,
and a token that is no longer looked at is forgotten by the filter and the gates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from tokens.models import Status
from trading.models import AssetState, EquityPoint, PaperOrder, PaperPosition

MINUTES_KEPT = timedelta(days=7)  # of the curve, point by point; older ones one an hour
ROWS_A_BATCH = 5_000


def thin_equity(now: datetime, go_on: Callable[[], bool] = lambda: True) -> int:
    """Of each hour that is older than MINUTES_KEPT the first point stays. Each batch is a transaction of its own."""
    limit = _hour(now - MINUTES_KEPT)
    old, deleted = EquityPoint.objects.filter(ts__lt=limit).order_by("ts"), 0
    kept: datetime | None = None  # the newest that has stayed
    while True:
        moments = list((old if kept is None else old.filter(ts__gt=kept)).values_list("ts", flat=True)[:ROWS_A_BATCH])
        gone = []
        for moment in moments:
            if kept is not None and _hour(moment) == _hour(kept):
                gone.append(moment)
            else:
                kept = moment
        if gone:
            deleted += EquityPoint.objects.filter(ts__in=gone).delete()[0]
        if len(moments) < ROWS_A_BATCH or not go_on():
            return deleted


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def forget_states(before: datetime, go_on: Callable[[], bool] = lambda: True) -> int:
    """Where Archived tokens stood before that moment, unless something is open in them."""
    open_now = PaperPosition.objects.filter(closed_at__isnull=True).values("token_id")
    states = AssetState.objects.filter(token__status=Status.ARCHIVED, ts__lt=before)
    states = states.exclude(pk__in=open_now).exclude(pk__in=PaperOrder.objects.values("token_id")).order_by("pk")
    deleted = 0
    while pks := list(states.values_list("pk", flat=True)[:ROWS_A_BATCH]):
        deleted += AssetState.objects.filter(pk__in=pks).delete()[0]
        if not go_on():
            break
    return deleted
