"""./run soak --restore-drill N: a database with N tokens and a past, backed up by backup.sh while listener and scheduler write into it,
restored by restore.sh into an empty one, compared and timed."""

import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from tothemoon.tests.pgtemp import TemporaryPostgres, postgres_programs
from tothemoon.tests.soak.judge import DUPLICATES, HALF_TICKS, ORPHAN_SCORES, Tables, histories_that_lead_elsewhere
from tothemoon.tests.soak.trial import QUICK_TIMES
from tothemoon.tests.soak.victims import ROOT, Worker
from tothemoon.tests.soak.world import World

DEPLOY = ROOT / "tothemoon" / "deploy"
PAST = 100  # snapshots of each token, of its pool, and scores
DURABLE = "-c listen_addresses= -c max_connections=60"  # as on a server: a time without fsync would be a lie
QUIET_SEC = 3.0

# Their past is whole, so that a copy which is not of one instant shows it. Archived: nobody asks for them while the drill runs.
TOKENS = """INSERT INTO tokens (address, chain, symbol, name, status, created_at, migrated_signature, first_pool_label, status_changed_at,
    held, next_poll_at, poll_failures, units_spent, observed_sec, low_checks)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {tokens})
    SELECT 'drill-' || i, 'solana', 'S' || i, 'Name ' || i, 'Archived', '{ts}', 'signature-' || i, 'pump-amm', '{ts}', {false}, '{ts}',
    0, 0, 0, 0 FROM n"""
HISTORY = """INSERT INTO status_changes (old, new, reason, evidence, actor, ts, token_id)
    SELECT '{old}', '{new}', 'drill', '{{}}', 'drill', '{ts}', id FROM tokens WHERE address LIKE 'drill-%'"""
POOLS = """INSERT INTO pools (pool_address, dex_name, quote_symbol, first_seen, last_seen, token_id)
    SELECT 'pool-' || id, 'pumpswap', 'SOL', '{ts}', '{ts}', id FROM tokens WHERE address LIKE 'drill-%'"""
FIGURES = "(id * 7919 + {turn} * 104729) % 1000003 / 997.0, (id * 31 + {turn} * 17) % 65537 * 1.5, id % 100 + {turn}, id % 1000 + {turn}"
SNAPSHOTS = (
    "INSERT INTO token_snapshots (ts, source, price, liquidity, tx_count_5m, tx_count_1h, contradictions, token_id)"
    f" SELECT '{{ts}}', 'pools', {FIGURES}, '', id FROM tokens WHERE address LIKE 'drill-%'"
)
POOL_SNAPSHOTS = (
    "INSERT INTO pool_snapshots (ts, price, liquidity, tx_count_5m, tx_count_1h, pool_id)"
    f" SELECT '{{ts}}', {FIGURES}, id FROM pools WHERE pool_address LIKE 'pool-%'"
)
SCORES = """INSERT INTO token_scores (ts, score, components, settings_id, token_id)
    SELECT '{ts}', (id * 13 + {turn} * 7) % 1009 / 10.0, '{{"tx_accel": {{"raw": 1.25, "weight": 0.3, "state": "ok"}}}}',
    (SELECT id FROM scoring_settings WHERE active), id FROM tokens WHERE address LIKE 'drill-%'"""


@dataclass
class Drill:
    """One drill: what it measured, and what did not hold."""

    database: str
    tokens: int
    rows: int = 0
    size: int = 0
    backup_size: int = 0
    backup_sec: float = 0.0
    restore_sec: float = 0.0
    meanwhile: int = 0
    faults: list[str] = field(default_factory=list)

    def report(self) -> str:
        mb = self.size / 1e6
        lines = [
            f"{'FAILED' if self.faults else 'passed'} on {self.database}: {self.tokens:,} tokens, {self.rows:,} rows, {mb:.0f} MB",
            f"  backup {self.backup_size / 1e6:.0f} MB in {self.backup_sec:.1f} s ({mb / self.backup_sec:.0f} MB/s)"
            f" while {self.meanwhile} new tokens were stored",
            f"  restore in {self.restore_sec:.1f} s ({mb / self.restore_sec:.0f} MB/s)",
            *[f"  FAULT: {fault}" for fault in self.faults],
        ]
        return "\n".join(lines)


def run(kind: str, tokens: int, seed: int) -> Drill:
    drill = Drill(kind, tokens)
    with places(kind) as (source, target, folder), World(random.Random(seed)) as world:
        environment = {**QUICK_TIMES, **world.environment, "DATABASE_URL": source, "SECRET_KEY": "drill-" + "x" * 50}
        manage("migrate", "-v0", "--skip-checks", **environment)
        fill(source, tokens)
        drill.size = size_of(source)
        with written_to(world, environment, folder, drill.faults):
            before = number(source, "SELECT count(*) FROM tokens")
            backup = carry_out(drill, "backup", "backup.sh", DATABASE_URL=source, BACKUP_DIR=str(folder))
            after = number(source, "SELECT count(*) FROM tokens")
        if backup is None:
            return drill
        file = Path(backup.strip().splitlines()[-1])
        drill.backup_size, drill.meanwhile = file.stat().st_size, after - before
        if carry_out(drill, "restore", "restore.sh", str(file), DATABASE_URL=target) is not None:
            judge(drill, target, before, after)
            manage("migrate", "--check", "--skip-checks", **{**environment, "DATABASE_URL": target})
        lost = {mint for line in world.connections for mint, _ in line.sent} - names(source)
        if lost:
            drill.faults.append(f"{len(lost)} of what the feed sent meanwhile is not in the database that was backed up")
    return drill


@contextmanager
def places(kind: str) -> Iterator[tuple[str, str, Path]]:
    """A database, an empty one, and a folder; on a disk, because seconds are measured."""
    with tempfile.TemporaryDirectory(prefix="ttm-drill-", dir="/var/tmp") as name:
        if kind == "sqlite":
            yield f"sqlite:///{name}/full.sqlite3", f"sqlite:///{name}/restored.sqlite3", Path(name)
            return
        cluster = TemporaryPostgres(DURABLE)
        try:
            with psycopg.connect(host=str(cluster.folder), user="ttm", dbname="postgres", autocommit=True) as server:
                server.execute("CREATE DATABASE restored")
            yield cluster.url(), cluster.url("restored"), Path(name)
        finally:
            cluster.remove()


def manage(*words: str, **environment: str) -> None:
    subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env={**os.environ, **environment}, check=True)


def fill(url: str, tokens: int) -> None:
    began = datetime.now(UTC) - timedelta(hours=2)
    false = "0" if url.startswith("sqlite") else "false"
    moments = [(began + timedelta(seconds=30 * turn)).strftime("%Y-%m-%d %H:%M:%S+00:00") for turn in range(PAST + 1)]
    statements = [
        TOKENS.format(tokens=tokens, ts=moments[0], false=false),
        HISTORY.format(old="", new="Initial", ts=moments[0]),
        HISTORY.format(old="Initial", new="Archived", ts=moments[1]),
        POOLS.format(ts=moments[0]),
    ]
    for turn, moment in enumerate(moments[1:]):
        statements += [statement.format(ts=moment, turn=turn) for statement in (SNAPSHOTS, POOL_SNAPSHOTS, SCORES)]
    tables = Tables(url)
    try:
        tables.execute(statements)
    finally:
        tables.close()


def number(url: str, question: str) -> int:
    tables = Tables(url)
    try:
        return tables.number(question)
    finally:
        tables.close()


def names(url: str) -> set[str]:
    tables = Tables(url)
    try:
        return {address for (address,) in tables.rows("SELECT address FROM tokens")}
    finally:
        tables.close()


def size_of(url: str) -> int:
    if url.startswith("sqlite:///"):
        file = Path(url.removeprefix("sqlite:///"))
        return sum(part.stat().st_size for part in (file, file.with_name(f"{file.name}-wal")) if part.exists())
    return number(url, "SELECT pg_database_size(current_database())")


@contextmanager
def written_to(world: World, environment: dict[str, str], folder: Path, faults: list[str]) -> Iterator[None]:
    """Listener and scheduler at work from the first to the last moment; then the feed falls silent and they end in peace."""
    workers = [Worker(command, environment, folder) for command in ("run_listener", "run_scheduler")]
    try:
        until = time.monotonic() + 60
        while not (world.subscriptions and world.requests):
            if time.monotonic() > until or not all(worker.running for worker in workers):
                raise RuntimeError("the workers did not get to work:\n" + "\n".join(worker.said()[-1500:] for worker in workers))
            time.sleep(0.05)
        yield
        world.quiet.set()
        threading.Event().wait(QUIET_SEC)
        faults += [f"{worker.log.stem} ended with {code}" for worker in workers if (code := worker.stop()[0])]
    finally:
        for worker in workers:
            worker.end()


def carry_out(drill: Drill, what: str, script: str, *arguments: str, **environment: str) -> str | None:
    """What the script printed; none where it failed."""
    path = f"{postgres_programs()}:{os.environ['PATH']}"
    began = time.monotonic()
    line = [str(DEPLOY / script), *arguments]
    done = subprocess.run(line, env={**os.environ, "PATH": path, **environment}, capture_output=True, text=True, check=False)
    setattr(drill, f"{what}_sec", time.monotonic() - began)
    if done.returncode:
        drill.faults.append(f"{script}: {done.stderr[-500:]}")
        return None
    if found := re.search(r"(\d+) rows", done.stderr):
        drill.rows = int(found[1])
    return done.stdout


def judge(drill: Drill, url: str, before: int, after: int) -> None:
    """The copy is of one instant between the two counts, and whole in itself."""
    tables = Tables(url)
    try:
        restored = tables.number("SELECT count(*) FROM tokens")
        questions = {f"duplicate {what}": question for what, question in DUPLICATES.items()}
        questions |= {"half ticks": HALF_TICKS, "scores without their snapshot": ORPHAN_SCORES}
        found = {what: tables.number(question) for what, question in questions.items()}
        found["tokens whose history leads elsewhere"] = histories_that_lead_elsewhere(tables)
        drill.faults += [f"{count} {what}" for what, count in found.items() if count]
        if not before <= restored <= after:
            drill.faults.append(f"{restored} tokens; {before} before the backup, {after} after it")
        past = tables.number("SELECT count(*) FROM token_snapshots WHERE token_id IN (SELECT id FROM tokens WHERE address LIKE 'drill-%')")
        if past != drill.tokens * PAST:
            drill.faults.append(f"{past} snapshots of the {drill.tokens * PAST} that stood there before")
    finally:
        tables.close()
