"""The days of what each tick writes: on PostgreSQL a partition for each, expired by dropping it. On SQLite nothing to do.

    token_snapshots                     by a column that only the database knows: `kept`
        token_snapshots_kept            what outlives its day, and what was there before there were days; goes row by row
        token_snapshots_flow            all other rows, by `ts`
            token_snapshots_2026_11_22  … one for each day
            token_snapshots_default     rows of days that have none, so that a write never fails for want of it

Every name that a query needs stays as it was: rows are written to and read from `token_snapshots`. Keys (`id`) and what is unique (`ts` and
whose it is) are held by each partition: a day's rows against each other, and the kept ones against each other. That no row comes to stand
beside a kept one of the same moment is held by who writes: each token says of which moment its newest row is, that is set in the same
transaction and never back (`newer` of `tokens.bulk_rows`), and whoever is not newer gets no row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime, timedelta

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Exists, Q

from tokens.parts import Cut, asked, pointed_to, quickly

DAYS_AHEAD = 3


def _begin(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


DAYS = Cut("{}_flow", "ts", "%Y_%m_%d", lambda day: (_begin(day), _begin(day + timedelta(days=1))), "(PRIMARY KEY (id))")


def in_days(table: str, using: str = DEFAULT_DB_ALIAS) -> bool:
    """Whether this table is kept in days: not on SQLite, and not before its migration or after going back behind it."""
    connection = connections[using]
    return connection.vendor == "postgresql" and bool(asked(connection, "SELECT 1 WHERE to_regclass(%s) IS NOT NULL", f"{table}_flow"))


def days_of(table: str, using: str = DEFAULT_DB_ALIAS) -> list[date]:
    """The days that have a partition, the oldest first."""
    return DAYS.there(table, using)


def make_ready(now: datetime, tables: Collection[str], using: str = DEFAULT_DB_ALIAS) -> int:
    """Partitions of today and the next days, where they are missing. Returns how many were made."""
    return sum(DAYS.make_ready(table, days_from(now), using) for table in tables if in_days(table, using))


def expire(
    model: type[models.Model],
    before: datetime,
    kept: Sequence[Q | Exists],
    go_on: Callable[[], bool] = lambda: True,
) -> tuple[int, datetime]:
    """Drop the days that lie wholly before that moment; rows of which one of the conditions is true are taken out first, and stay.

    Returns how many rows went, and before which moment rows of the other partitions are to go: the given one, or the beginning of the first
    day that is left, if that is earlier. Until all of a day is too old none of its rows goes.
    """
    table, last, dropped = model._meta.db_table, before.astimezone(UTC).date(), 0
    for day in days_of(table):
        if day < last and go_on():
            dropped += _drop(model, day, kept)
    return dropped, min([before, *map(_begin, days_of(table)[:1])])


def look_over(tables: Collection[str], using: str = DEFAULT_DB_ALIAS) -> None:
    """Tell PostgreSQL's planner how the rows lie over all days together; of its own accord it only ever looks at each of them."""
    for table in tables:
        if in_days(table, using):
            with connections[using].cursor() as cursor:
                cursor.execute(f"ANALYZE (SKIP_LOCKED) {table}")


def _drop(model: type[models.Model], day: date, kept: Sequence[Q | Exists]) -> int:
    """How many rows went with their day; 0 where others hold it: it is then dropped another time."""
    table, connection = model._meta.db_table, connections[DEFAULT_DB_ALIAS]
    for condition in kept:
        _keep(connection, model, day, condition)
    ((rows,),) = asked(connection, f"SELECT count(*) FROM {DAYS.part(table, day)}")  # noqa: S608
    touched = [*pointed_to(connection, table), f"{table}_flow", DAYS.part(table, day)]
    return int(rows) if quickly(connection, touched, [f"DROP TABLE {DAYS.part(table, day)}"]) else 0


def _keep(connection: BaseDatabaseWrapper, model: type[models.Model], day: date, condition: Q | Exists) -> None:
    """An UPDATE by which rows change their partition: only they are locked, and nobody else waits. One whose moment is kept already, which
    only somebody's own SQL can have written, stays where it is and goes with its day."""
    begin, end = _begin(day), _begin(day + timedelta(days=1))
    rows = model._default_manager.filter(condition, ts__gte=begin, ts__lt=end).order_by().values("pk")
    chosen, values = rows.query.sql_with_params()
    table, owner = model._meta.db_table, _owner(model)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} r SET kept = true WHERE NOT kept AND ts >= %s AND ts < %s AND id IN ({chosen})"  # noqa: S608
            f" AND NOT EXISTS (SELECT FROM {table}_kept k WHERE k.{owner} = r.{owner} AND k.ts = r.ts)",
            [begin, end, *values],
        )


def _owner(model: type[models.Model]) -> str:
    """Whose its rows are: what is unique together with the moment."""
    (names,) = [rule.fields for rule in model._meta.constraints if isinstance(rule, models.UniqueConstraint)]
    (name,) = {*names} - {"ts"}
    return str(model._meta.get_field(name).attname)  # type: ignore[union-attr]


def days_from(now: datetime) -> list[date]:
    today = now.astimezone(UTC).date()
    return [today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)]
