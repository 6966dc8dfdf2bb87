"""I1 to I12: what must hold whatever the services did. Judged from the ledgers and from the tables, by plain SQL."""

import json
import math
import re
from collections import defaultdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from tothemoon.tests.soak.adversary.stage import CANARIES, STARTED, Stage
from tothemoon.tests.soak.judge import DUPLICATES, HALF_TICKS, LEGAL, ORPHAN_SCORES
from tothemoon.tests.soak.world import pool_address

METHODS = ["subscribeNewToken", "subscribeMigration"]
APART_SEC = 0.6  # a second is promised; the accepting thread of the ledger may itself have been late by a part of it
MORE_MB = 128.0
LOG_SEC = 9.0  # of ten: the ledger of a log is its own timestamps, but the clock of a process may be read late
LONGEST_TEXT = 4096
TABLES = [
    "tokens",
    "pools",
    "token_snapshots",
    "pool_snapshots",
    "token_scores",
    "status_changes",
    "listening_gaps",
    "quarantined_frames",
    "service_states",
    "heartbeats",
    "bars",
]
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def standing(stage: Stage) -> None:
    """What must hold at any moment; asked after each scenario."""
    for name, worker in stage.workers.items():
        stage.expect(worker.running, "I1", f"{name} is not running any more:\n{worker.said()[-1500:]}")
    no_duplicates(stage)
    nothing_foreign(stage)
    polite(stage)
    stage.weigh()


def closing(stage: Stage) -> None:
    """What can be said when the last process has ended in peace."""
    no_duplicates(stage)
    nothing_foreign(stage)
    nothing_lost(stage)
    blindness_is_on_record(stage)
    polite(stage)
    whole_histories(stage)
    same_as_in_peace(stage)
    no_poison_and_no_secrets(stage)
    quiet_logs(stage)
    stage.expect(stage.tables.whole(), "I2", "the database file is damaged")


def no_duplicates(stage: Stage) -> None:
    """I2."""
    for what, query in DUPLICATES.items():
        stage.expect((number := stage.tables.number(query)) == 0, "I2", f"{number} duplicate {what}")


def nothing_foreign(stage: Stage) -> None:
    """I3: no token, figure or pool that the ledgers do not know."""
    strange = stage.stored() - set(stage.feed.expected) - stage.given - stage.ghosts
    stage.expect(not strange, "I3", f"{len(strange)} foreign tokens: {sorted(strange)[:3]}")
    snapshots = stage.tables.rows(
        "SELECT tokens.address, s.price FROM token_snapshots AS s JOIN tokens ON tokens.id = s.token_id WHERE s.source <> 'binance'"
    )
    told = stage.services.told
    untold = [(address, price) for address, price in snapshots if price is not None and price not in told.get(address, ())]
    stage.expect(not untold, "I3", f"{len(untold)} snapshots with a price that nobody told: {untold[:3]}")
    pools = stage.tables.rows("SELECT tokens.address, pools.pool_address FROM pools JOIN tokens ON tokens.id = pools.token_id")
    odd = [pool for address, pool in pools if pool not in {pool_address(address, 1), pool_address(address, 2), f"binance:{address}"}]
    stage.expect(not odd, "I3", f"{len(odd)} foreign pools: {odd[:3]}")
    stage.expect((halves := stage.tables.number(HALF_TICKS)) == 0, "I3", f"{halves} half ticks")
    stage.expect((orphans := stage.tables.number(ORPHAN_SCORES)) == 0, "I3", f"{orphans} scores of a snapshot that is not there")


def nothing_lost(stage: Stage) -> None:
    """I4: what was written to an open connection is stored, but for the last moments before a kill."""
    stored = stage.stored()
    lost = [address for address, moment, line in stage.feed.sent if address not in stored and not line.may_miss(moment)]
    stage.expect(not lost, "I4", f"{len(lost)} migrations lost: {lost[:3]}")


def blindness_is_on_record(stage: Stage) -> None:
    """I5: the recorded gaps are as long as the time in which nothing could be heard."""
    if len(stage.feed.lines) < 2:
        return
    blind, gaps = stage.feed.blind_sec, stage.tables.gap_seconds()
    first = stage.tables.rows("SELECT from_ts, to_ts FROM listening_gaps WHERE source = 'pumpportal' ORDER BY from_ts LIMIT 1")
    before = _seconds(*first[0]) if first and stage.feed.began_with_a_gap else 0.0
    allowed = stage.pace.gap_sec * len(stage.feed.lines)
    stage.expect(abs(gaps - before - blind) <= allowed, "I5", f"gaps of {gaps - before:.1f} s for {blind:.1f} s of deafness")


def _seconds(start: Any, end: Any) -> float:
    if end is None:
        return 0.0
    first, last = (datetime.fromisoformat(value) if isinstance(value, str) else value for value in (start, end))
    return float((last - first).total_seconds())


def polite(stage: Stage) -> None:
    """I7: one connection at a time, each subscribed once, none too soon."""
    feed = stage.feed
    stage.expect(feed.most_at_once <= 1, "I7", f"{feed.most_at_once} connections to the feed at once")
    shortest = min((later - earlier for earlier, later in pairwise(feed.tried_at)), default=APART_SEC)
    stage.expect(shortest >= APART_SEC, "I7", f"two connections within {shortest:.2f} s")
    for line in feed.lines[:-1]:
        stage.expect(line.methods[:2] == METHODS, "I7", f"a connection was subscribed with {line.methods}")
        stage.expect(len(line.methods) == 2 or not feed.acknowledges, "I7", f"{len(line.methods)} subscriptions on one connection")
    for ended_at, seconds in feed.refusals:
        early = [moment for moment in feed.tried_at if ended_at < moment < ended_at + seconds]
        stage.expect(not early, "I7", f"asked to stay away for {seconds:g} s, back {early[0] - ended_at if early else 0:.1f} s later")
    for until, service, since in stage.services.pauses:
        early = [request.at for request in stage.services.asked(service, since) if request.at < until]
        stage.expect(not early, "I7", f"{service} was asked {len(early)} times in a pause that it had asked for")


def whole_histories(stage: Stage) -> None:
    """I2 and I3 of the statuses: each history begins once, goes on where it stopped, by legal steps, and leads to the status."""
    histories: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for token, old, new in stage.tables.rows("SELECT token_id, old, new FROM status_changes ORDER BY token_id, ts, id"):
        histories[token].append((old, new))
    broken = 0
    for token, status in stage.tables.rows("SELECT id, status FROM tokens"):
        steps = histories[token]
        follow = all(before[1] == after[0] for before, after in pairwise(steps))
        broken += not (steps and follow and steps[0][0] == "" and steps[-1][1] == status and set(steps) <= LEGAL | {("", "Active")})
    stage.expect(broken == 0, "I2", f"{broken} tokens whose history does not lead to their status")


def same_as_in_peace(stage: Stage) -> None:
    """I12: each token is what the first event of its mint said, whatever else was said, in whatever order, how often ever."""
    rows = stage.tables.rows("SELECT address, migrated_signature, first_pool_label FROM tokens")
    expected = stage.feed.expected
    other = [address for address, *told in rows if address in expected and tuple(told) != expected[address]]
    stage.expect(not other, "I12", f"{len(other)} tokens are not what the first event said: {other[:3]}")


def no_poison_and_no_secrets(stage: Stage) -> None:
    """I9 over every value of every table; I11 over the tables, the logs and the arguments of the processes."""
    poison: list[str] = []
    texts: list[str] = [stage.logs()]
    for table in TABLES:
        for row in stage.tables.rows(f"SELECT * FROM {table}"):  # names are ours
            for value in row:
                spoken = value if isinstance(value, str) else json.dumps(value) if isinstance(value, dict | list) else ""
                texts.append(spoken)
                if isinstance(value, float) and not math.isfinite(value):
                    poison.append(f"{value} in {table}")
                elif _CONTROL.search(spoken) or len(spoken) > LONGEST_TEXT:
                    poison.append(f"{spoken[:60]!r} in {table}")
    stage.expect(not poison, "I9", f"{len(poison)} poisoned values: {poison[:3]}")
    negative = sum(
        stage.tables.number(f"SELECT count(*) FROM {table} WHERE {name} < 0 OR {name} > 1e18")
        for table in ("token_snapshots", "pool_snapshots")
        for name in ("price", "liquidity", "volume_5m", "tx_count_5m")
    )
    stage.expect(negative == 0, "I9", f"{negative} figures that cannot be")
    everything = "\n".join(texts)
    told = [name for name, value in CANARIES.items() if value in everything]
    stage.expect(not told, "I11", f"told in logs or tables: {told}")


def no_secret_in_arguments(stage: Stage) -> None:
    """I11: nothing that another user of the machine can read from the list of processes."""
    lines = b"\n".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in stage.pids())
    stage.expect(not any(value.encode() in lines for value in CANARIES.values()), "I11", "a secret stands in the arguments of a process")


def quiet_logs(stage: Stage) -> None:
    """I8: of each process, the same trouble is one line in ten seconds."""
    for path in stage.folder.glob("*/run_*.log"):
        said: dict[tuple[str, str], float] = {}
        for line in path.read_text(errors="replace").splitlines():
            entry = _entry(line)
            if entry.get("msg") == STARTED:
                said = {}
            if entry.get("level") not in ("WARNING", "ERROR", "CRITICAL"):
                continue
            kind = (entry["logger"], re.sub(r"\b(?![0-9]{3}\b)[0-9]+", "#", entry["msg"].split(" (and ")[0]))
            moment = datetime.fromisoformat(entry["ts"]).timestamp()
            again = moment - said.get(kind, -math.inf)
            stage.expect(again >= LOG_SEC or again < 0, "I8", f"said twice within {again:.1f} s: {kind}"[:300])
            said[kind] = moment


def _entry(line: str) -> dict[str, str]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return {name: str(value) for name, value in entry.items()} if isinstance(entry, dict) else {}


def within_memory(stage: Stage, baseline_mb: float) -> None:
    """I8."""
    stage.weigh()
    stage.expect(stage.heaviest_mb <= baseline_mb + MORE_MB, "I8", f"{stage.heaviest_mb:.0f} MB, {baseline_mb:.0f} MB at first")
