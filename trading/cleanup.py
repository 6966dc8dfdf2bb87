"""What goes when it is old. Judgements, positions, fills and skipped signals are evidence and stay; the curve of the account grows coarser,
and a token that is no longer looked at is forgotten by the filter and the gates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from tokens.models import Status
from trading.models import AssetState, EquityPoint, PaperOrder, PaperPosition

MINUTES_KEPT = timedelta(days=7)  # of the curve, point by point; older ones three an hour at most
ROWS_A_BATCH = 5_000


def thin_equity(now: datetime, go_on: Callable[[], bool] = lambda: True) -> int:
    """Of each hour that is older than MINUTES_KEPT the first point stays, and its lowest and its highest: a fall must not grow shallower
    because it is long ago. Each batch is a transaction of its own."""
    old, deleted = EquityPoint.objects.filter(ts__lt=_hour(now - MINUTES_KEPT)).order_by("ts"), 0
    after: datetime | None = None
    kept: list[tuple[datetime, float]] = []  # of the newest hour: the first, the lowest, the highest
    while True:
        points = list((old if after is None else old.filter(ts__gt=after)).values_list("ts", "equity")[:ROWS_A_BATCH])
        gone = []
        for point in points:
            if not kept or _hour(point[0]) != _hour(kept[0][0]):
                kept = [point] * 3
                continue
            place = 1 if point[1] < kept[1][1] else 2 if point[1] > kept[2][1] else None
            before, kept = kept, [point if number == place else one for number, one in enumerate(kept)]
            gone += [one[0] for one in {point, *before} if one not in kept]
        if gone:
            deleted += EquityPoint.objects.filter(ts__in=gone).delete()[0]
        if len(points) < ROWS_A_BATCH or not go_on():
            return deleted
        after = points[-1][0]


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
