"""One tick of N tokens with two pools each: store, score, review. Ours, the same through the ORM's bulk methods, and the bare writing."""

from __future__ import annotations

import json
import random
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext

from ingestion.due import due_tokens
from ingestion.facts import PoolFacts, TokenFacts
from ingestion.intake import record_snapshots
from ingestion.snapshot_rows import Answer, Freshness
from scoring.models import TokenScore
from scoring.run import score_tokens
from scoring.settings_in_force import active_settings, status_rule
from tokens.binary_rows import STREAM_END, STREAM_HEAD, kind_of, stream_blocks
from tokens.bulk_rows import insert_rows
from tokens.lifecycle import review
from tokens.models import PoolSnapshot, Status, Token, TokenSnapshot
from tothemoon.benches.orm_way import OrmWay, SaveWay

INTERVAL = timedelta(seconds=30)
ROUNDS = 3
STATEMENTS = 40
FLOORS = {"postgresql": 8.0, "sqlite": 5.0}  # times faster than the bulk methods
TIMES_SAVE = {"postgresql": 45.0, "sqlite": None}
MOST_TIMES_LIMIT = {"postgresql": 2.5, "sqlite": None}
MEMORY_MB = 400.0
SAVED_SHARE = 10  # who saves row by row is given a tenth of the tokens, and counted ten times
FRESHNESS = Freshness(180, 1800)


@dataclass(frozen=True)
class Line:
    """One line of the result. `ratio` is how many times better ours is; against a limit, how many times its cost."""

    bench: str
    database: str
    against: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    floor: float | None
    holds: bool
    what: str = ""  # what is measured, where the name of the bench does not say it
    role: str = ""  # of the other: one of tothemoon.benches.table.ROLES


class NotEmpty(RuntimeError):
    """The database holds tokens: a bench writes, and may only write where nothing is."""


class Market:
    """Tokens that live: figures that walk at random, the same for every run of the bench."""

    def __init__(self, number: int) -> None:
        self.chance = random.Random(7)  # noqa: S311 - a market, not a secret
        self.now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
        self.liquidity = [self.chance.uniform(600, 60_000) for _ in range(number)]
        newborn(number, self.now)

    def answers(self) -> list[Answer]:
        """What a poll brings: every token's pools, and for one in ten Birdeye's figures."""
        self.now += INTERVAL
        tokens = due_tokens(Status.INITIAL, self.now, 1e6) + due_tokens(Status.ACTIVE, self.now, 1e6)
        return [
            Answer(
                token_id=token.pk,
                next_poll_at=self.now + INTERVAL,
                last=token.last,
                facts=self._facts(token.address, place) if self.chance.random() < 0.1 else None,
                pools=[self._pool(token.address, place, side) for side in "PQ"],
            )
            for place, token in enumerate(tokens)
        ]

    def _facts(self, address: str, place: int) -> TokenFacts:
        trades, volume = self.chance.randrange(30, 200), self.chance.uniform(10, 5_000)
        return TokenFacts(
            address, price=0.001, liquidity=self.liquidity[place], holders=self.chance.randrange(50, 5_000), tx_count_5m=trades,
            tx_count_1h=trades * 9, volume_5m=volume, volume_1h=volume * 9, buys_5m=trades // 2, sells_5m=trades - trades // 2,
            buys_volume_5m=volume * 0.6, sells_volume_5m=volume * 0.4, unique_wallets_5m=trades // 2, last_trade_at=self.now,
        )  # fmt: skip

    def _pool(self, address: str, place: int, side: str) -> PoolFacts:
        trades, volume = self.chance.randrange(15, 100), self.chance.uniform(5, 2_500)
        return PoolFacts(
            address, f"{side}{address[1:]}", "pumpswap", "SOL", price=0.001, liquidity=self.liquidity[place] / 2, tx_count_5m=trades,
            tx_count_1h=trades * 9, volume_5m=volume, volume_1h=volume * 9, buys_5m=trades // 2, sells_5m=trades - trades // 2,
        )  # fmt: skip


def newborn(number: int, now: datetime) -> None:
    fields = ("address", "chain", "status", "symbol", "name", "created_at", "migrated_signature", "first_pool_label", "status_changed_at")
    rest = ("held", "next_poll_at", "poll_failures", "units_spent", "observed_sec", "low_checks")
    rows = [(f"T{n:043}", "solana", "Initial", "SYM", "name", now, "s", "pump-amm", now, False, now, 0, 0, 0.0, 0) for n in range(number)]
    insert_rows(Token, [*fields, *rest], rows)


def tick(answers: list[Answer], now: datetime) -> None:
    """The same calls as the scheduler's jobs make, without the network."""
    record_snapshots(answers, now, FRESHNESS)
    revision = active_settings()
    score_tokens(now, revision)
    review(now, status_rule(revision))


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result, measured on the present database, which must be empty. The contenders take turns; medians are compared."""
    if Token.objects.exists():
        raise NotEmpty("this database holds tokens: a bench writes, and writes only where nothing is")
    market, orm = Market(number), OrmWay()
    for _ in range(2):  # the first tick makes the pools and most of the changes of status
        tick(market.answers(), market.now)
    ours, theirs, saved, limit = [], [], [], []
    for turn in range(ROUNDS):
        say(f"{database}: round {turn + 1} of {ROUNDS}")
        ours.append(_one_tick(market))
        with orm.in_place():
            orm.not_theirs = 0.0
            theirs.append(_one_tick(market) - orm.not_theirs)
        with SaveWay().in_place():
            saved.append(_one_tick(market, SAVED_SHARE) * SAVED_SHARE)
        tick(market.answers(), market.now)  # the newest tick is a whole one again
        limit.append(_bare_writing(market.now + INTERVAL / 2))
    return [
        _better(database, "bulk_create + bulk_update", ours, theirs, FLOORS[database]),
        _better(database, f"save() a row, measured on 1/{SAVED_SHARE}", ours, saved, TIMES_SAVE[database]),
        _limit(database, "limit: prebuilt rows, written and nothing else", ours, limit),
        _statements(database, market),
        _memory(database),
    ]


def _one_tick(market: Market, share: int = 1) -> float:
    """Seconds of a tick in which one token in `share` was answered for."""
    answers = market.answers()[::share]
    began = time.perf_counter()
    tick(answers, market.now)
    seconds = time.perf_counter() - began
    written = (TokenSnapshot.objects.filter(ts=market.now).count(), TokenScore.objects.filter(ts=market.now).count())
    if written != (len(answers), len(answers)):
        raise RuntimeError(f"{written} rows where {len(answers)} tokens were answered for: the ways do not do the same work")
    return seconds


def _better(database: str, against: str, ours: list[float], theirs: list[float], floor: float | None) -> Line:
    mine, other = statistics.median(ours) * 1000, statistics.median(theirs) * 1000
    holds = floor is None or other / mine >= floor
    return Line("tick", database, against, "ms", round(mine, 1), round(other, 1), round(other / mine, 2), floor, holds)


def _limit(database: str, against: str, ours: list[float], limit: list[float]) -> Line:
    mine, least = statistics.median(ours) * 1000, statistics.median(limit) * 1000
    most = MOST_TIMES_LIMIT[database]
    holds = most is None or mine / least <= most
    return Line("tick", database, against, "ms", round(mine, 1), round(least, 1), round(mine / least, 2), most, holds)


def _memory(database: str) -> Line:
    """The most that this whole process has ever held, the comparisons with the ORM in it."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    against = "limit: the memory of the whole process"
    return Line("tick", database, against, "MB", round(held), MEMORY_MB, round(held / MEMORY_MB, 2), 1.0, held <= MEMORY_MB)


def _statements(database: str, market: Market) -> Line:
    answers = market.answers()
    with CaptureQueriesContext(connection) as captured:
        tick(answers, market.now)
    ours, most = len(captured), STATEMENTS
    return Line(
        "tick", database, "limit: the statements a tick may take", "statements", ours, most, round(ours / most, 2), 1.0, ours <= most
    )


def _bare_writing(ts: datetime) -> float:
    """The rows of the newest tick once more, at another moment: made ready beforehand, then written and nothing else."""
    ready = [_prepared(model, ts) for model in (PoolSnapshot, TokenSnapshot, TokenScore)]
    began = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        for write in ready:
            write(cursor)
    return time.perf_counter() - began


def _prepared(model: type[models.Model], ts: datetime) -> Callable[[Any], None]:
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    names = ", ".join(str(field.column) for field in fields)
    newest = model._default_manager.order_by("-pk").values_list("ts", flat=True)[0]
    rows = model._default_manager.filter(ts=newest).order_by("pk").values_list(*(field.name for field in fields))
    columns = [
        [ts] * len(column)
        if field.name == "ts"
        else [json.dumps(value) for value in column]
        if isinstance(field, models.JSONField)
        else column
        for field, column in zip(fields, zip(*rows, strict=True), strict=True)
    ]
    if connection.vendor == "postgresql":
        kinds = [kind_of(model, field.name) for field in fields]
        stream = b"".join([STREAM_HEAD, *stream_blocks(kinds, columns), STREAM_END])
        return partial(_copy, f"COPY {model._meta.db_table} ({names}) FROM STDIN (FORMAT BINARY)", stream)
    statement = f"INSERT INTO {model._meta.db_table} ({names}) VALUES ({', '.join(['%s'] * len(fields))})"  # noqa: S608
    return partial(_insert, statement, [tuple(map(_as_sqlite_keeps_it, row)) for row in zip(*columns, strict=True)])


def _copy(statement: str, stream: bytes, cursor: Any) -> None:
    with cursor.copy(statement) as copy:
        copy.write(stream)


def _insert(statement: str, rows: list[tuple[Any, ...]], cursor: Any) -> None:
    cursor.executemany(statement, rows)


def _as_sqlite_keeps_it(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
