"""One trial: the workers run under load and are killed at random moments; then they end in peace, and the judge looks."""

import contextlib
import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tothemoon.tests.migrated import migrate
from tothemoon.tests.pgtemp import QUICK, TemporaryPostgres
from tothemoon.tests.soak.judge import Verdict, judge
from tothemoon.tests.soak.victims import Worker
from tothemoon.tests.soak.world import World

START_SEC = 60.0
LAST_LOOK_SEC = 3.0  # after a crash a worker may be in the longest of its waits for the database
QUICK_TIMES = {
    "PUMPPORTAL_STALL_SEC": "5",
    "PUMPPORTAL_PING_SEC": "3",
    "PUMPPORTAL_PING_TIMEOUT_SEC": "2",
    "PUMPPORTAL_BACKOFF_MAX_SEC": "1",
    "SCHED_INTERVAL_INITIAL_SEC": "1",
    "SCHED_INTERVAL_ACTIVE_SEC": "1",
    "DEXSCREENER_RPS": "30",
    "DEXSCREENER_PAIRS_RPS": "30",
    "LOG_LEVEL": "WARNING",
    "READ_DOTENV": "0",
}


@dataclass
class Plan:
    """`kills` of each worker, or as many as fit into `minutes`; afterwards `restarts`: immediate stops of PostgreSQL under both.

    Not both at once: what waits in memory while the database is away is lost with its process, and is not promised.
    """

    database: str
    seed: int
    kills: int = 0
    minutes: float = 0.0
    restarts: int = 0
    longest_life_sec: float = 2.5
    rate: float = 150.0


@dataclass
class Outcome:
    plan: Plan
    verdict: Verdict
    killed: dict[str, int] = field(default_factory=dict)
    exits: dict[str, tuple[int, float]] = field(default_factory=dict)
    took_sec: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.verdict.faults


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[tuple[str, TemporaryPostgres | None]]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'soak.sqlite3'}", None
        return
    # A commit must be a commit here, as in production; fsync matters only when the whole machine dies.
    cluster = TemporaryPostgres(QUICK.replace("synchronous_commit=off", "synchronous_commit=on"))
    try:
        yield cluster.url(), cluster
    finally:
        cluster.remove()


def comes_true(condition: Callable[[], bool], worker: Worker) -> bool:
    """Whether it does in time, and before the worker ends."""
    until = time.monotonic() + START_SEC
    while time.monotonic() < until and worker.running:
        if condition():
            return True
        time.sleep(0.01)
    return False


class Hunt:
    """Starts one worker again and again, waits until its work is seen outside, lets it live for a random while, and kills it.

    `work_seen` counts what the world has seen of this kind of worker.
    """

    def __init__(
        self, start: Callable[[], Worker], work_seen: Callable[[], int], killed: Callable[[float], None], chance: random.Random
    ) -> None:
        self._start, self._work_seen, self._killed, self._chance = start, work_seen, killed, chance
        self.kills = 0
        self.trouble = ""

    def run(self, plan: Plan, ends_at: float, progress: Callable[[], None]) -> None:
        while not self.trouble and (self.kills < plan.kills if plan.kills else time.monotonic() < ends_at):
            before = self._work_seen()
            worker = self._start()
            try:
                if not comes_true(lambda before=before: self._work_seen() > before, worker):  # type: ignore[misc]
                    self.trouble = f"did not get to work:\n{worker.said()[-2000:]}"
                    return
                time.sleep(self._chance.uniform(0, plan.longest_life_sec))
                if not worker.running:
                    self.trouble = f"ended by itself with {worker.wait()}:\n{worker.said()[-2000:]}"
                    return
            finally:
                if worker.running:
                    self._killed(worker.kill())
            self.kills += 1
            progress()


def run(plan: Plan, progress: Callable[[str], None] = lambda _: None) -> Outcome:
    """Carry out the plan and judge it."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="ttm-soak-", dir=quick_folder()) as name,
        database(plan.database, Path(name)) as (url, cluster),
    ):
        folder = Path(name)
        with World(random.Random(plan.seed), plan.rate) as world:
            environment = {**QUICK_TIMES, **world.environment, "DATABASE_URL": url, "SECRET_KEY": "soak-" + "x" * 50}
            migrate(url)
            killed, troubles = _hunt(plan, world, environment, folder, progress)
            exits, more = _end_in_peace(world, environment, folder, lambda: _restart_database(plan, cluster, progress))
            outcome = Outcome(plan, judge(world, url), killed, exits)
        outcome.verdict.faults += troubles + more
    outcome.took_sec = time.monotonic() - began
    return outcome


def quick_folder() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _hunt(
    plan: Plan, world: World, environment: dict[str, str], folder: Path, progress: Callable[[str], None]
) -> tuple[dict[str, int], list[str]]:
    def listener_killed(moment: float) -> None:
        world.connections[-1].ended_at = moment

    hunts = {
        "listener": Hunt(
            lambda: Worker("run_listener", environment, folder), lambda: world.subscriptions, listener_killed, random.Random(plan.seed + 1)
        ),
        "scheduler": Hunt(
            lambda: Worker("run_scheduler", environment, folder), lambda: world.requests, lambda _: None, random.Random(plan.seed + 2)
        ),
    }

    def told() -> None:
        progress(", ".join(f"{name} killed {hunt.kills}" for name, hunt in hunts.items()) + f", {len(world.sent_mints)} migrations sent")

    ends_at = time.monotonic() + plan.minutes * 60
    threads = [threading.Thread(target=hunt.run, args=(plan, ends_at, told)) for hunt in hunts.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {name: hunt.kills for name, hunt in hunts.items()}, [f"{name} {hunt.trouble}" for name, hunt in hunts.items() if hunt.trouble]


def _restart_database(plan: Plan, cluster: TemporaryPostgres | None, progress: Callable[[str], None]) -> None:
    chance = random.Random(plan.seed + 3)
    for done in range(plan.restarts if cluster else 0):
        time.sleep(chance.uniform(0.5, 2))
        if cluster:
            cluster.stop("immediate")
            time.sleep(chance.uniform(0, 1))
            cluster.start()
        progress(f"PostgreSQL crashed {done + 1} times")


def _end_in_peace(
    world: World, environment: dict[str, str], folder: Path, meanwhile: Callable[[], None]
) -> tuple[dict[str, tuple[int, float]], list[str]]:
    """Both run once more, unkilled; then the feed falls silent, and a polite stop must end them with everything stored."""
    connections, asked = world.subscriptions, world.requests
    listener, scheduler = Worker("run_listener", environment, folder), Worker("run_scheduler", environment, folder)
    faults = []
    try:
        both = comes_true(lambda: world.subscriptions > connections, listener) and comes_true(lambda: world.requests > asked, scheduler)
        if not both:
            return {}, [f"the last run did not get to work:\n{listener.said()[-1000:]}\n{scheduler.said()[-1000:]}"]
        time.sleep(1.5)
        meanwhile()
        time.sleep(1.5)
        world.quiet.set()
        time.sleep(LAST_LOOK_SEC)
        exits = {"listener": listener.stop(signal.SIGTERM), "scheduler": scheduler.stop(signal.SIGTERM)}
        for (name, (code, took)), limit in zip(exits.items(), (3.0, 30.0), strict=True):
            if code != 0 or took > limit:
                worker = listener if name == "listener" else scheduler
                faults.append(f"{name} ended with {code} after {took:.1f} s:\n{worker.said()[-1500:]}")
        return exits, faults
    finally:
        listener.end()
        scheduler.end()
