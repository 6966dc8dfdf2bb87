"""Where a scenario plays: a database of its own, the real workers as processes, a real web site, and what the judge has to say."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from tothemoon.tests.pgtemp import TemporaryPostgres
from tothemoon.tests.soak.adversary.feed import Feed
from tothemoon.tests.soak.adversary.services import Services
from tothemoon.tests.soak.adversary.window import Window
from tothemoon.tests.soak.trial import QUICK_TIMES
from tothemoon.tests.soak.victims import ROOT, Worker

LOOK_SEC = 0.05
NEVER_SEC = 240.0  # what has not come by then does not come
STARTED = "here a process was started"
# Timers small enough that a stall is a matter of seconds; the waits of the service's own words (Retry-After …) are as they are.
QUICK = {
    **QUICK_TIMES,
    "PUMPPORTAL_PING_SEC": "1",
    "PUMPPORTAL_PING_TIMEOUT_SEC": "3",
    "PUMPPORTAL_STALL_SEC": "6",
    "PUMPPORTAL_BACKOFF_MAX_SEC": "1",
    "PUMPPORTAL_BAN_WAIT_SEC": "2",
    "HTTP_DEADLINE_SEC": "1.5",
    "BIRDEYE_RPS": "20",
    "BIRDEYE_CACHE_TTL": "0",
    "BIRDEYE_MONTHLY_CU": "0",
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "json",
    "WEB_CONCURRENCY": "1",
}
NOWHERE = "http://127.0.0.1:1"
CANARIES = {
    "BIRDEYE_API_KEY": "canary-birdeye-9c41",
    "PUMPPORTAL_API_KEY": "canary-portal-5b1d",
    "SECRET_KEY": "canary-secret-" + "x7" * 25,
}


@dataclass(frozen=True)
class Pace:
    """How long is waited for what must come (`patience`), and by how much a pass line may be missed on a machine that is busy."""

    patience: float = 60.0
    slack: float = 8.0
    rounds: int = 1  # of what is worth doing more than once
    gap_sec: float = 2.0  # by which each recorded gap may differ from the ledger's
    at_once: int = 4  # lanes


class Templates(Protocol):
    """Where a stage's database came from, and where another one may come from."""

    folder: Path
    cluster: TemporaryPostgres | None

    def copy(self, name: str, folder: Path) -> str: ...


@dataclass
class Outcome:
    """What became of one scenario: `faults` are (invariant, what was seen); none is the pass line."""

    name: str
    rows: tuple[str, ...]
    faults: list[tuple[str, str]] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    took_sec: float = 0.0


OPEN: set["Stage"] = set()


class Stage:
    """`expect` and `within` collect faults and never raise, so that one fault does not hide the next."""

    def __init__(self, name: str, url: str, folder: Path, seed: int, pace: Pace, changes: Mapping[str, str]) -> None:
        self.name, self.url, self.folder, self.pace = name, url, folder, pace
        self.seed = seed
        self.chance = random.Random(f"{name} {seed}")
        self.changes = dict(changes)
        self.feed, self.services = Feed(seed), Services(random.Random(f"services {name} {seed}"))
        self.workers: dict[str, Worker] = {}
        self.outcome = Outcome(name, ())
        self.made: Templates | None = None
        self.stream: Any = None  # of the exchange, in the lane that has one
        self.place: Any = None  # of the feed, in the lane where it moves
        self._site: subprocess.Popen[bytes] | None = None
        self._site_at = ""
        self._ends = contextlib.ExitStack()
        self.given: set[str] = set()  # tokens that were there before any service spoke, and of which prices are told
        self.ghosts: set[str] = set()  # and those of which none is
        self.heaviest_mb = 0.0

    def __enter__(self) -> Self:
        self._ends.enter_context(self.feed)
        self._ends.enter_context(self.services)
        self.tables = Window(self.url)
        self._ends.callback(self.tables.close)
        self._ends.callback(self.end_workers)
        OPEN.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        OPEN.discard(self)
        self._ends.close()

    def opens(self, server: AbstractContextManager[Any]) -> None:
        """One more server, for as long as the stage stands."""
        self._ends.enter_context(server)

    # Processes

    @property
    def environment(self) -> dict[str, str]:
        return {
            **QUICK,
            **CANARIES,
            **self.services.environment,
            "PUMPPORTAL_WS_URL": self.feed.url,
            "DATABASE_URL": self.url,
            "SPOOL_DIR": str(self.folder),
            "MODELS_DIR": str(self.folder),
            **self.changes,
        }

    def start(self, command: str, name: str = "", **changes: str) -> Worker:
        name = name or command
        self._begin_log(command, name)
        self.workers[name] = Worker(command, {**self.environment, **changes}, self.folder / name)
        return self.workers[name]

    def _begin_log(self, command: str, name: str) -> None:
        (self.folder / name).mkdir(exist_ok=True)
        with (self.folder / name / f"{command}.log").open("a") as log:
            log.write(json.dumps({"msg": STARTED}) + "\n")

    def start_module(self, module: str, command: str, *arguments: str) -> Worker:
        """The command as another program of the tests runs it."""
        self._begin_log(command, command)
        self.workers[command] = Worker(command, self.environment, self.folder / command, *arguments, program=["-m", module])
        return self.workers[command]

    def again(self, command: str, **changes: str) -> Worker:
        """A polite end and a new start."""
        code, took = self.workers[command].stop()
        self.expect(code == 0, "I1", f"{command} ended with {code} after {took:.1f} s")
        return self.start(command, **changes)

    def run_in_django(self, module: str, *arguments: str) -> None:
        """A module of the tests as a process on the database of this stage."""
        line = [sys.executable, "-m", module, *arguments]
        subprocess.run(line, cwd=ROOT, env={**os.environ, **self.environment}, check=True, stdin=subprocess.DEVNULL)

    def end_workers(self) -> None:
        for worker in list(self.workers.values()):
            worker.end()
        if self._site is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._site.pid, signal.SIGKILL)
            self._site.wait()
            self._site = None

    def logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*/*.log")))

    def pids(self) -> list[int]:
        return [worker.pid for worker in self.workers.values() if worker.running] + ([self._site.pid] if self._site else [])

    def weigh(self) -> None:
        """The most memory that any worker has ever had."""
        for worker in self.workers.values():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{worker.pid}/status").read_text().splitlines()
                self.heaviest_mb = max([self.heaviest_mb, *(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))])

    # The site

    def health(self, path: str = "/health") -> tuple[int, dict[str, Any], float]:
        """Status, answer, seconds: of the real site, started when it is asked for the first time."""
        if self._site is None:
            self._start_site()
        began = time.monotonic()
        status, body = _asked(self._site_at + path, 10.0)
        return status, _object(body), time.monotonic() - began

    def page(self, path: str) -> tuple[int, bytes]:
        if self._site is None:
            self._start_site()
        return _asked(self._site_at + path, 30.0)

    def _start_site(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._site_at = f"http://127.0.0.1:{port}"
        (self.folder / "site").mkdir(exist_ok=True)
        with (self.folder / "site" / "site.log").open("ab") as output:
            self._site = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "--threads", "4", "tothemoon.wsgi"],
                env={**os.environ, **self.environment},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.comes(lambda: _asked(f"{self._site_at}/health?probe=live", 5.0)[0] == 200)

    # Words of the judge

    def expect(self, holds: bool, invariant: str, fault: str) -> bool:
        if not holds:
            self.outcome.faults.append((invariant, fault))
        return holds

    def comes(self, condition: Callable[[], object], seconds: float = 0.0) -> bool:
        until = time.monotonic() + (seconds or self.pace.patience)
        while time.monotonic() < until:
            if condition():
                return True
            time.sleep(LOOK_SEC)
        return False

    def within(self, line_sec: float, condition: Callable[[], object], invariant: str, what: str, since: float = 0.0) -> bool:
        """Whether it comes true: at all, and not later than the pass line times the slack of this pace. The figure is kept."""
        began = since or time.monotonic()
        if not self.expect(
            self.comes(condition, min(max(self.pace.patience, line_sec * self.pace.slack), NEVER_SEC)), invariant, f"{what}: never"
        ):
            return False
        took = time.monotonic() - began
        self.outcome.figures[what] = max(took, self.outcome.figures.get(what, 0.0))
        return self.expect(took <= line_sec * self.pace.slack, invariant, f"{what}: after {took:.1f} s, {line_sec:g} s are allowed")

    def stored(self) -> set[str]:
        return {address for (address,) in self.tables.rows("SELECT address FROM tokens")}

    def missing(self) -> set[str]:
        return {address for address, moment, line in self.feed.sent if not line.may_miss(moment)} - self.stored()

    def all_stored(self, line_sec: float = 5.0, what: str = "all that was sent is stored") -> bool:
        return self.within(line_sec, lambda: not self.missing(), "I4", what)

    def listener_says(self) -> dict[str, Any]:
        rows = self.tables.rows("SELECT detail FROM heartbeats WHERE component = 'listener'")
        return dict(json.loads(rows[0][0]) if rows and isinstance(rows[0][0], str) else rows[0][0] if rows else {})


@dataclass(frozen=True)
class Setting:
    """What a lane starts with and ends with, and how its processes are told to behave."""

    open: Callable[[Stage], None]
    close: Callable[[Stage], None]
    changes: Mapping[str, str] = field(default_factory=dict)


def _asked(url: str, seconds: float) -> tuple[int, bytes]:
    try:
        with urlopen(url, timeout=seconds) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()
    except (URLError, OSError):
        return 0, b""


def _refused(word: str) -> float:
    raise ValueError(f"{word} is not strict JSON")


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body, parse_constant=_refused)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
