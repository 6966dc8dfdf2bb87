"""The verdict: the ledger on one side, the tables on the other, read by plain SQL and not by the system's own code."""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import psycopg

from tothemoon.tests.soak.world import World, pool_address

AT_RISK_SEC = 0.250
LEGAL = {("", "Initial"), ("Initial", "Active"), ("Initial", "Archived"), ("Active", "Archived")}

DUPLICATES = {
    "tokens": "SELECT count(*) - count(DISTINCT address) FROM tokens",
    "first rows of a history": "SELECT count(*) - count(DISTINCT token_id) FROM status_changes WHERE old = ''",
    "status changes": "SELECT count(*) FROM (SELECT 1 FROM status_changes GROUP BY token_id, old, new, ts HAVING count(*) > 1) AS twice",
    "pools": "SELECT count(*) - count(DISTINCT pool_address) FROM pools",
    "token snapshots": "SELECT count(*) FROM (SELECT 1 FROM token_snapshots GROUP BY token_id, ts HAVING count(*) > 1) AS twice",
    "pool snapshots": "SELECT count(*) FROM (SELECT 1 FROM pool_snapshots GROUP BY pool_id, ts HAVING count(*) > 1) AS twice",
    "scores": "SELECT count(*) FROM (SELECT 1 FROM token_scores GROUP BY token_id, ts HAVING count(*) > 1) AS twice",
}
HALF_TICKS = """
    SELECT count(*) FROM token_snapshots AS t WHERE t.source = 'pools' AND t.price IS NOT NULL AND NOT EXISTS
    (SELECT 1 FROM pool_snapshots AS p JOIN pools ON pools.id = p.pool_id WHERE pools.token_id = t.token_id AND p.ts = t.ts)"""
ORPHAN_SCORES = """
    SELECT count(*) FROM token_scores AS s WHERE NOT EXISTS
    (SELECT 1 FROM token_snapshots AS t WHERE t.token_id = s.token_id AND t.ts = s.ts)"""


@dataclass
class Verdict:
    """What was found. `faults` empty is the pass line; the rest is told so that a person can judge the judge."""

    faults: list[str] = field(default_factory=list)
    sent: int = 0
    stored: int = 0
    at_risk: int = 0
    oldest_lost_ms: float = 0.0
    snapshots: int = 0
    scores: int = 0
    changes: int = 0
    blind_sec: float = 0.0
    gaps_sec: float = 0.0

    def expect(self, holds: bool, fault: str) -> None:
        if not holds:
            self.faults.append(fault)


class Tables:
    """The database of a trial, read by its own driver."""

    def __init__(self, url: str) -> None:
        self._sqlite = url.startswith("sqlite:///")
        self._connection: Any = sqlite3.connect(url.removeprefix("sqlite:///")) if self._sqlite else psycopg.connect(_conninfo(url))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor()
        cursor.execute(query)
        return list(cursor.fetchall())

    def number(self, query: str) -> int:
        return int(self.rows(query)[0][0])

    def execute(self, statements: Sequence[str]) -> None:
        """All of them or none."""
        cursor = self._connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        self._connection.commit()

    def gap_seconds(self) -> float:
        length = "(julianday(to_ts) - julianday(from_ts)) * 86400" if self._sqlite else "extract(epoch FROM to_ts - from_ts)"
        return float(self.rows(f"SELECT coalesce(sum({length}), 0) FROM listening_gaps WHERE to_ts IS NOT NULL")[0][0])

    def whole(self) -> bool:
        return not self._sqlite or self.rows("PRAGMA integrity_check") == [("ok",)]

    def close(self) -> None:
        self._connection.close()


def _conninfo(url: str) -> str:
    parts = re.fullmatch(r"postgresql:///(\w+)\?host=([^&]+)&user=(\w+)", url)
    if parts is None:
        raise ValueError("not the address of a temporary cluster")
    return f"dbname={parts[1]} host={parts[2]} user={parts[3]}"


def judge(world: World, url: str) -> Verdict:
    """Everything that can be said after the last process has ended in peace."""
    tables = Tables(url)
    try:
        verdict = Verdict()
        _migrations(world, tables, verdict)
        _figures(world, tables, verdict)
        _histories(tables, verdict)
        _blindness(world, tables, verdict)
        for what, query in DUPLICATES.items():
            verdict.expect((number := tables.number(query)) == 0, f"{number} duplicate {what}")
        verdict.expect(tables.whole(), "the database file is damaged")
        return verdict
    finally:
        tables.close()


def _migrations(world: World, tables: Tables, verdict: Verdict) -> None:
    stored = {address for (address,) in tables.rows("SELECT address FROM tokens")}
    verdict.stored = len(stored)
    verdict.expect(not stored - world.sent_mints, f"{len(stored - world.sent_mints)} foreign tokens")
    lost = 0
    for connection in world.connections:
        verdict.sent += len(connection.sent)
        for address, moment in connection.sent:
            if address not in stored:
                age = connection.ended_at - moment
                verdict.oldest_lost_ms = max(verdict.oldest_lost_ms, age * 1000)
                verdict.at_risk += age <= AT_RISK_SEC
                lost += age > AT_RISK_SEC
    verdict.expect(lost == 0, f"{lost} migrations lost that were older than {AT_RISK_SEC * 1000:.0f} ms")
    verdict.expect(world.most_at_once <= 1, f"{world.most_at_once} connections to the feed at once")


def _figures(world: World, tables: Tables, verdict: Verdict) -> None:
    snapshots = tables.rows("SELECT tokens.address, s.price FROM token_snapshots AS s JOIN tokens ON tokens.id = s.token_id")
    foreign = sum(1 for address, price in snapshots if price is not None and price not in world.told_prices[address])
    verdict.snapshots, verdict.scores = len(snapshots), tables.number("SELECT count(*) FROM token_scores")
    verdict.expect(foreign == 0, f"{foreign} snapshots with a figure that nobody sent")
    pools = tables.rows("SELECT tokens.address, pools.pool_address FROM pools JOIN tokens ON tokens.id = pools.token_id")
    strange = sum(1 for address, pool in pools if pool not in (pool_address(address, 1), pool_address(address, 2)))
    verdict.expect(strange == 0, f"{strange} foreign pools")
    verdict.expect((halves := tables.number(HALF_TICKS)) == 0, f"{halves} token snapshots without the pool snapshots they came with")
    verdict.expect((orphans := tables.number(ORPHAN_SCORES)) == 0, f"{orphans} scores of a snapshot that is not there")


def _histories(tables: Tables, verdict: Verdict) -> None:
    verdict.changes = tables.number("SELECT count(*) FROM status_changes")
    broken = histories_that_lead_elsewhere(tables)
    verdict.expect(broken == 0, f"{broken} tokens whose history does not lead to their status")


def histories_that_lead_elsewhere(tables: Tables) -> int:
    """Tokens whose changes, one after the other and each a legal one, do not end at the status they have."""
    histories: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for token, old, new in tables.rows("SELECT token_id, old, new FROM status_changes ORDER BY token_id, ts, id"):
        histories[token].append((old, new))
    broken = 0
    for token, status in tables.rows("SELECT id, status FROM tokens"):
        steps = histories[token]
        follow = all(before[1] == after[0] for before, after in pairwise(steps))
        broken += not (steps and follow and steps[0][0] == "" and steps[-1][1] == status and set(steps) <= LEGAL)
    return broken


def _blindness(world: World, tables: Tables, verdict: Verdict) -> None:
    between = pairwise(world.connections)
    verdict.blind_sec = sum(later.subscribed_at - earlier.ended_at for earlier, later in between)
    verdict.gaps_sec = tables.gap_seconds()
    allowed = 2.0 * max(1, len(world.connections))
    verdict.expect(
        abs(verdict.gaps_sec - verdict.blind_sec) <= allowed, f"gaps of {verdict.gaps_sec:.1f} s for {verdict.blind_sec:.1f} s of deafness"
    )
