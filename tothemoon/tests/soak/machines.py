"""Several machines on one PostgreSQL, as processes: workers of a cluster, each behind a wire of its own that can be cut, and the source
they ask, which answers late and keeps a ledger of its own. The judge looks at the rows."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg

from ingestion.tests.mints import base58, mint
from tothemoon.tests.migrated import migrate
from tothemoon.tests.pgtemp import TemporaryPostgres
from tothemoon.tests.soak.victims import ROOT, Worker
from tothemoon.tests.soak.wires import HERE, Wire, own_network
from tothemoon.tests.soak.world import SOL


class Source:
    """DexScreener, late by so many seconds. Each machine asks it under a name of its own; `hold` keeps one machine's answers back."""

    def __init__(self, late_sec: float) -> None:
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()  # tokens, by machine
        self.held: dict[str, threading.Event] = {}
        self.waiting: dict[str, threading.Event] = {}
        self.late_sec, self._lock = late_sec, threading.Lock()
        self._servers: list[_Server] = []

    def address(self, machine: str, at: str = HERE) -> str:
        server = _Server((at, 0), _handler(self))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)
        return f"http://{at}:{server.server_address[1]}/{machine}"

    def hold(self, machine: str) -> None:
        self.held[machine], self.waiting[machine] = threading.Event(), threading.Event()

    def release(self, machine: str) -> None:
        """Answer it again, beginning with what it has been waiting for."""
        self.held.pop(machine).set()

    def answers(self, machine: str, mints: list[str]) -> list[dict[str, Any]]:
        with self._lock:
            self.asked.update(mints)
        held = self.held.get(machine)
        if held is not None:
            self.waiting[machine].set()
            held.wait(120)
        threading.Event().wait(self.late_sec)
        with self._lock:
            self.answered[machine] += len(mints)
        return [pair(address) for address in mints]

    def close(self) -> None:
        for event in self.held.values():
            event.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()


def pair(token: str) -> dict[str, Any]:
    return {
        "chainId": "solana",
        "dexId": "pumpswap",
        "pairAddress": base58(hashlib.sha256(token.encode()).digest()),
        "baseToken": {"address": token, "name": "trial", "symbol": "TRIAL"},
        "quoteToken": {"address": SOL, "name": "Wrapped SOL", "symbol": "SOL"},
        "priceUsd": "1.0",
        "priceNative": "0.01",
        "txns": {"m5": {"buys": 20, "sells": 10}, "h1": {"buys": 200, "sells": 100}},
        "volume": {"m5": 1000.0, "h1": 9000.0},
        "liquidity": {"usd": 50_000.0},
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients are killed here in the middle of their requests."""


def _handler(source: Source) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            _, machine, *rest = self.path.split("?")[0].split("/")
            body = json.dumps(source.answers(machine, rest[-1].split(","))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The ledger is the log."""

    return Answer


class Cluster:
    """One PostgreSQL, one leader, and as many machines as are started."""

    def __init__(
        self,
        folder: Path,
        postgres: TemporaryPostgres,
        source: Source,
        share: int = 60,
        lease_sec: float = 4.0,
        interval_sec: float = 3600,  # one tick, unless the trial makes another
        redis_port: int | None = None,
    ) -> None:
        self.folder, self.source = folder, source
        self._socket = postgres.folder / ".s.PGSQL.5432"
        self.rows = psycopg.connect(host=str(postgres.folder), user="ttm", dbname="postgres", autocommit=True)
        self._stack = ExitStack()
        self._stack.callback(self.rows.close)
        self._environment = {
            "DATABASE_URL": postgres.url(),
            "READ_DOTENV": "0",
            "CLUSTER": "true",
            "CLUSTER_SHARE": str(share),
            "CLUSTER_LEASE_SEC": str(lease_sec),
            "SCHED_INTERVAL_INITIAL_SEC": str(interval_sec),
            "SCHED_INTERVAL_ACTIVE_SEC": str(interval_sec),
            "DEXSCREENER_RPS": "1000",
            "EXT_MAX_CONCURRENCY": "1",
            "BINANCE_BASE_URL": source.address("nobody"),
            "BIRDEYE_API_KEY": "",
            "LOG_LEVEL": "WARNING",
            "SECRET_KEY": "only-for-tests-" + "x" * 50,
        }
        self.machines: dict[str, Worker] = {}
        self.wires: dict[str, Wire] = {}
        self._redis = ("127.0.0.1", redis_port) if redis_port else None
        self.apart = 0  # how many of the machines are in a network of their own

    def __enter__(self) -> "Cluster":
        if "MIGRATED_FOLDER" in os.environ:
            migrate(self._environment["DATABASE_URL"])
        manage = [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0"]
        subprocess.run(manage, cwd=ROOT, env={**os.environ, **self._environment, "LOG_LEVEL": "ERROR"}, check=True)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.machines.values():
            worker.end()
        for wire in self.wires.values():
            wire.close()
        self._stack.close()

    def start_machine(self, name: str, *arguments: str) -> Worker:
        """A worker on a machine of its own: all that it has of the others is a wire to PostgreSQL, and one to the Redis of the quotas."""
        network = own_network()
        at = network.address if network else HERE
        if network:
            self._stack.callback(network.close)
            self.apart += 1
        wire = self.wires[name] = Wire(self._socket, at)
        address = {
            "DATABASE_URL": f"postgresql://ttm@{at}:{wire.port}/postgres",
            "DEXSCREENER_BASE_URL": self.source.address(name, at),
        }
        if self._redis:
            to_redis = Wire(self._redis, at)
            self._stack.callback(to_redis.close)
            address["REDIS_URL"] = f"redis://{at}:{to_redis.port}/0"
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        through = network.through if network else ()
        self.machines[name] = Worker("procrastinate", {**self._environment, **address}, folder, "worker", *arguments, through=through)
        return self.machines[name]

    def start_leader(self) -> Worker:
        self.machines["leader"] = Worker("run_scheduler", self._environment, self.folder, "--enqueue")
        return self.machines["leader"]

    # The market, and what came of it

    def add_tokens(self, number: int) -> None:
        with self.rows.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO tokens (address, chain, symbol, name, status, created_at, migrated_signature, first_pool_label,"
                " status_changed_at,"
                " held, next_poll_at, poll_failures, units_spent, observed_sec, low_checks)"
                " VALUES (%s, 'solana', 'T', 'T', 'Active', now(), '', '', now(), false, now(), 0, 0, 0, 0)",
                [(mint(n),) for n in range(number)],
            )

    def one(self, question: str) -> Any:
        row = self.rows.execute(question).fetchone()  # type: ignore[call-overload]
        return row[0] if row else None

    def polled(self) -> int:
        return int(self.one("SELECT count(*) FROM token_snapshots"))

    def said(self) -> str:
        """All that is known, for who wonders why it did not go on."""
        questions = {
            "tokens": "SELECT count(*), count(lease), count(*) FILTER (WHERE leased_until < now()), min(next_poll_at) FROM tokens",
            "snapshots": "SELECT count(*), max(ts) FROM token_snapshots",
            "jobs": "SELECT task_name, status::text, worker_id, count(*) FROM procrastinate_jobs GROUP BY 1, 2, 3",
            "workers": "SELECT id, now() - last_heartbeat FROM procrastinate_workers",
            "sessions": "SELECT state, now() - state_change, wait_event, left(query, 90) FROM pg_stat_activity WHERE datname IS NOT NULL",
            "polls": "SELECT ts, detail FROM heartbeats WHERE component LIKE '%rescue' OR component = 'job:poll_active'",
        }
        known = [f"── {name}\n" + "\n".join(map(str, self.rows.execute(asked).fetchall())) for name, asked in questions.items()]
        return "\n".join([*known, *(f"── {name}\n{worker.said()[-3000:]}" for name, worker in self.machines.items())])

    def faults(self, tokens: int, ticks: int = 1) -> list[str]:
        """What is wrong with the rows: every token was due once a tick, and is to have one snapshot a tick, with its pool, and no other."""
        found = {
            f"{tokens} tokens, {ticks} snapshots each": "SELECT count(*) FROM (SELECT token_id FROM token_snapshots"
            f" GROUP BY token_id HAVING count(*) = {ticks}) whole",
            f"{tokens * ticks} snapshots in all": f"SELECT count(*) / {ticks} FROM token_snapshots",
            f"{tokens * ticks} of pools": f"SELECT count(*) / {ticks} FROM pool_snapshots",
            "as many turns moved on": "SELECT count(*) FROM tokens WHERE next_poll_at > now() + interval '30 minutes'",
            "as many without a lease": "SELECT count(*) FROM tokens WHERE lease IS NULL",
        }
        counts = {what: int(self.one(question)) for what, question in found.items()}
        return [f"{what}: {count}" for what, count in counts.items() if count != tokens]


def within(seconds: float, what: Callable[[], bool], why: Callable[[], str]) -> float:
    """How long it took; an error with what is known when it did not happen in time."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not within {seconds:g} s\n{why()}")
        threading.Event().wait(0.05)
    return time.monotonic() - began


@contextmanager
def cluster(folder: Path, late_sec: float, **terms: Any) -> Iterator[Cluster]:
    postgres = TemporaryPostgres()
    source = Source(late_sec)
    try:
        with Cluster(folder, postgres, source, **terms) as made:
            yield made
    finally:
        source.close()
        postgres.remove()
