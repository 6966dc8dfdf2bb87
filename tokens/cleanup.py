"""Old rows go: on PostgreSQL whole days with their partitions; elsewhere, and what is left of those, some thousand at a time, in the order
they came. No index on the time is needed and nobody waits long for a lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, Max, Min, Model, OuterRef

from tokens import days
from tokens.models import LIVING, Bar, PoolSnapshot, Token, TokenSnapshot

ROWS_A_BATCH = 5_000
BARS_KEPT = {"1m": timedelta(0), "5m": timedelta(days=14), "1h": timedelta(days=180), "1d": timedelta(days=1095)}  # or the retention
LEAST_KEPT = timedelta(hours=2)  # less would take the hour-old holder count from the score


def kept_from(now: datetime, retention_hours: float) -> datetime:
    """Rows from this moment on are kept: the operator's retention, never less than two hours."""
    return now - max(timedelta(hours=retention_hours), LEAST_KEPT)


def delete_old_snapshots(before: datetime, go_on: Callable[[], bool] = lambda: True, but_for: Sequence[Exists] = ()) -> int:
    """Snapshots of pools and tokens from before that moment, but for the newest of each living token. Returns how many went.

    `but_for`: conditions on snapshots of tokens that something above still stands on.
    """
    of_pools = delete_old_rows(PoolSnapshot, before, go_on, owner="pool__token_id")
    return of_pools + delete_old_rows(TokenSnapshot, before, go_on, but_for=but_for)


def delete_old_rows(
    model: type[Model],
    before: datetime,
    go_on: Callable[[], bool] = lambda: True,
    owner: str = "token_id",
    newest: str = "last_snapshot_at",
    but_for: Sequence[Exists] = (),
) -> int:
    """Delete the rows of `model` with a `ts` before that moment, but for those of a living token at its `newest` moment, and those that
    one of the conditions `but_for` is true of.

    Where the table is in days (`tokens.days`), a day goes whole when all of it is that old, and none of its rows sooner.

    The walk goes by primary key, which rows get in the order they come, and ends at the first batch in which everything is young enough.
    Each batch is a transaction of its own; `go_on` is asked between two of them.
    """
    at_its_newest = Exists(Token.objects.filter(pk=OuterRef(owner), status__in=LIVING, **{newest: OuterRef("ts")}))
    deleted, before = days.expire(model, before, [at_its_newest, *but_for], go_on)
    rows = model._default_manager.all()
    after = 0
    while True:
        batch = rows.filter(pk__gt=after).order_by("pk")[:ROWS_A_BATCH].aggregate(last=Max("pk"), oldest=Min("ts"))
        if batch["last"] is None or batch["oldest"] >= before:
            return deleted
        old = rows.filter(pk__gt=after, pk__lte=batch["last"], ts__lt=before).exclude(at_its_newest)
        for kept in but_for:
            old = old.exclude(kept)
        # Straight in the database, which holds the foreign keys: Django would read every row to look for what points to it.
        deleted += old._raw_delete(old.db)
        after = batch["last"]
        if not go_on():
            return deleted


def delete_old_bars(now: datetime, before: datetime, go_on: Callable[[], bool] = lambda: True) -> int:
    """Bars of one minute go with the snapshots, longer ones stay longer. In batches, each a transaction of its own."""
    deleted = 0
    for interval, kept in BARS_KEPT.items():
        old = Bar.objects.filter(interval=interval, open_time__lt=min(before, now - kept)).order_by("open_time")
        while pks := list(old.values_list("pk", flat=True)[:ROWS_A_BATCH]):
            deleted += Bar.objects.filter(pk__in=pks).delete()[0]
            if not go_on():
                return deleted
    return deleted
