"""How much the evidence grows: megabytes a day of each table, measured on what the last day has brought, and what that comes to.

Evidence that is younger than a day is reckoned up to a whole one, from the mark before its first rows on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models

from learning import keys
from learning.models import FeatureVector, Outcome, Prediction, Signal

TABLES: tuple[type[models.Model], ...] = (FeatureVector, Prediction, Signal, Outcome)
DAY, MARK = timedelta(days=1), timedelta(minutes=15)
MEGABYTE = 1e6
SAMPLE = 1_000
ROW_AND_PAGE, INDEX_ENTRY = 12, 20  # bytes that SQLite spends beside the values, on a row and on an entry of an index


@dataclass(frozen=True, slots=True)
class Growth:
    """One table. `bytes_a_row` counts its indexes too; None while it is empty."""

    table: str
    rows_a_day: int
    bytes_a_row: float | None

    @property
    def mb_a_day(self) -> float:
        return self.rows_a_day * (self.bytes_a_row or 0.0) / MEGABYTE

    def mb_after(self, days: float) -> float:
        """What it comes to when it goes on like this, with nothing deleted before."""
        return self.mb_a_day * days


def growth(now: datetime) -> list[Growth]:
    """The four big tables, by the rows of the day before `now`. Three statements a table, however much is stored."""
    keys_of_all = [model._default_manager.order_by("pk").values_list("pk", flat=True).first() for model in TABLES]
    oldest = min((key for key in keys_of_all if key is not None), default=None)
    share = 1.0 if oldest is None else _share_of_a_day(now, int(keys.ts_of(oldest)))
    return [_of(model, now, share) for model in TABLES]


def _share_of_a_day(now: datetime, oldest: int) -> float:
    """How much of the last day there has been evidence at all."""
    seconds = max(now.timestamp() - oldest, 0) + MARK.total_seconds()
    return min(seconds / DAY.total_seconds(), 1.0)


def _of(model: type[models.Model], now: datetime, share: float) -> Growth:
    rows = model._default_manager.filter(pk__gte=keys.first_of(now - DAY), pk__lt=keys.first_of(now)).count()
    a_row = _on_postgresql(model) if connection.vendor == "postgresql" else _on_sqlite(model)
    return Growth(model._meta.db_table, round(rows / share), a_row)


def _on_postgresql(model: type[models.Model]) -> float | None:
    """The newest rows as they stand in their pages, with the line pointer, and the share of the indexes that such a row has."""
    table = model._meta.db_table
    row: Any = _one(
        f"SELECT avg(pg_column_size(n.*)) + 4 FROM (SELECT * FROM {table} ORDER BY id DESC LIMIT {SAMPLE}) n"  # noqa: S608
    )
    return None if row is None else float(row) + _indexes(model) * INDEX_ENTRY


def _on_sqlite(model: type[models.Model]) -> float | None:
    """SQLite does not tell the size of a row: the lengths of its values are added up."""
    columns = " + ".join(f'coalesce(length("{field.column}"), 0)' for field in model._meta.concrete_fields)
    row = _one(f"SELECT avg({columns}) FROM (SELECT * FROM {model._meta.db_table} ORDER BY id DESC LIMIT {SAMPLE}) n")  # noqa: S608
    return None if row is None else float(row) + ROW_AND_PAGE + _indexes(model) * INDEX_ENTRY


def _indexes(model: type[models.Model]) -> int:
    """The primary key, and each foreign key that has one."""
    return 1 + sum(1 for field in model._meta.concrete_fields if getattr(field, "db_index", False))


def _one(question: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()[0]
