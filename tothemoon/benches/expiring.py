"""A day of N snapshots that is too old: dropped with its partition, and deleted row by row as where there are no partitions.

Both by the daily cleanup itself, in turns, and both with what takes most of it: to see which of the rows have to stay. PostgreSQL only.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection

from tokens import days
from tokens.cleanup import delete_old_rows
from tokens.models import Token, TokenSnapshot
from tothemoon.benches.lines import IDIOMATIC, Subject
from tothemoon.benches.tick import Line, NotEmpty

ROUNDS = 3
TOKENS = 1_000
TIMES_DELETE = 4.0
MOST_LEFT = 0.01  # of the bytes
TABLE = TokenSnapshot._meta.db_table
FIRST = datetime(2031, 5, 5, tzinfo=UTC)  # no day of that time is there
FILL = f"""
    INSERT INTO {TABLE} (token_id, ts, source, price, liquidity, tx_count_5m, tx_count_1h, volume_5m, volume_1h, holders, contradictions)
    SELECT t.id, %s + n * interval '1 ms', 'pools', 0.001, 40000, 60, 480, 900, 9000, 200, ''
    FROM generate_series(1, %s) n, tokens t
"""  # noqa: S608 - a name of ours


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result, measured on the present database, which must be empty."""
    if Token.objects.exists():
        raise NotEmpty("this database holds tokens: a bench writes, and writes only where nothing is")
    Token.objects.bulk_create(
        [Token(address=f"{place:044}", status="Active", last_snapshot_at=FIRST) for place in range(min(TOKENS, number))]
    )
    dropped: list[float] = []
    deleted: list[float] = []
    left = whole = 0.0
    for turn in range(ROUNDS):
        say(f"{database}: round {turn + 1} of {ROUNDS}")
        day = FIRST + timedelta(days=2 * turn)
        days.DAYS.make_ready(TABLE, [day.date()])
        _fill(day, number)
        whole = _megabytes()
        dropped.append(_expired(day, number))
        left = _megabytes()
        _fill(day, number)  # the day has no partition any more
        deleted.append(_expired(day, number))
        _clear()
    subject = Subject("expiring", database, f"a day of {number} snapshots that is too old")
    ours, theirs = statistics.median(dropped), statistics.median(deleted)
    return [
        subject.faster(IDIOMATIC, "the same rows deleted, 5,000 at a time", "ms", ours, theirs, TIMES_DELETE),
        subject.within(f"of {whole:.0f} MB on the disk, still taken when the day is dropped", "MB", left, max(whole * MOST_LEFT, 1.0)),
    ]


def _fill(day: datetime, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL, [day, number // min(TOKENS, number)])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ANALYZE {TABLE}")


def _expired(day: datetime, number: int) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    gone = delete_old_rows(TokenSnapshot, day + timedelta(days=1))
    took = (time.perf_counter() - began) * 1000
    if gone != number // min(TOKENS, number) * min(TOKENS, number):
        raise RuntimeError(f"{gone} rows of {number} went")
    return took


def _megabytes() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(%s)", [TABLE])
        return int(cursor.fetchone()[0]) / 1e6


def _clear() -> None:
    """So that no round finds what the one before has left on the disk."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {TABLE}")
