"""Evidence that is beyond its retention goes: on PostgreSQL whole months with their partitions, elsewhere in bounded batches. What points
goes before what it points to. And what other tables may not lose while evidence stands on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from django.db import connection, models, transaction
from django.db.models import Exists, OuterRef

from learning import keys, partitions
from learning.models import FeatureVector, Outcome, Prediction, Signal
from learning.settle_run import PATIENCE, oldest_unsettled

ROWS_A_BATCH = 5_000
LONGEST = timedelta(minutes=max(keys.HORIZONS_MIN))
TABLES: tuple[type[models.Model], ...] = (Outcome, Signal, Prediction, FeatureVector)


def needed_from(now: datetime) -> datetime | None:
    """Snapshots and bars from this moment on are still needed by outcomes that are to come; None where none are."""
    since = oldest_unsettled(now)
    return since if Signal.objects.filter(pk__gte=keys.first_of(since)).exists() else None


def scores_kept() -> list[Exists]:
    """Scores that a signal points to, in a query of scores."""
    return [Exists(Signal.objects.filter(token_score=OuterRef("pk")))]


def snapshots_kept() -> list[Exists]:
    """Snapshots that such a score was made from, in a query of snapshots: they have the price of the decision."""
    return [Exists(Signal.objects.filter(token_score__token=OuterRef("token_id"), token_score__ts=OuterRef("ts")))]


def delete_old(now: datetime, retention_days: float, go_on: Callable[[], bool] = lambda: True) -> int:
    """Delete what is older, never what an outcome still needs. Returns how many rows went."""
    limit = keys.first_of(now - max(timedelta(days=retention_days), LONGEST + PATIENCE))
    deleted = 0
    for month in partitions.months_of(Signal._meta.db_table):
        if keys.range_of_month(month)[1] <= limit and go_on():
            deleted += _drop(month, go_on)
    tables = [model._meta.db_table + ("_default" if connection.vendor == "postgresql" else "") for model in TABLES]
    if connection.vendor != "postgresql" or _any_before(tables[-1], limit):
        _forget(0, limit, go_on)
    for table in tables:
        while gone := _delete_some(table, limit):
            deleted += gone
            if not go_on():
                return deleted
    return deleted


def _drop(month: date, go_on: Callable[[], bool]) -> int:
    """How many rows went with their month; 0 where others hold it: it is then dropped another time."""
    first, beyond = keys.range_of_month(month)
    rows = sum(model._default_manager.filter(pk__gte=first, pk__lt=beyond).count() for model in TABLES)
    _forget(first, beyond, go_on)
    return rows if partitions.drop_month(partitions.TABLES, month) else 0


def _forget(first: int, beyond: int, go_on: Callable[[], bool]) -> None:
    """Rows above the evidence stay, without their link to what goes."""
    for model in TABLES:
        for relation in model._meta.related_objects:
            if relation.on_delete is not models.SET_NULL:
                continue
            column, above = relation.field.name, relation.related_model._default_manager
            rows = above.filter(**{f"{column}__gte": first, f"{column}__lt": beyond}).order_by(column)
            while pks := list(rows.values_list("pk", flat=True)[:ROWS_A_BATCH]):
                above.filter(pk__in=pks).update(**{column: None})
                if not go_on():
                    return


def _any_before(table: str, limit: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {table} WHERE id < %s LIMIT 1", [limit])  # noqa: S608
        return cursor.fetchone() is not None


def _delete_some(table: str, limit: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE id < %s ORDER BY id LIMIT %s)",  # noqa: S608
            [limit, ROWS_A_BATCH],
        )
        return int(cursor.rowcount)
