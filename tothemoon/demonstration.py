"""The whole product in one command: which processes, in which environment, and what happens when one of them dies."""

import fcntl
import http.client
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone

from ingestion.models import WatchedSymbol
from scoring.models import ScoringSettings
from tothemoon import environment
from tothemoon.children import Child, Died, stop_all
from tothemoon.milestones import Milestones, progress
from tothemoon.pulse import measure
from tothemoon.worker import StopFlag

KEPT = {"LOG_LEVEL", "LOG_FORMAT"}  # all else that an operator has set for the real system must not reach the demo
NORMAL_INTERVAL = 30.0
SHORTEST_INTERVAL = 5.0  # seconds: enough for a tick on a small machine that runs everything at once
PLAN = "business"  # batch endpoints, so that every token has holders and order flow
BACKLOG = 100
SERVICES = (
    *("PUMPPORTAL_WS_URL=", "BIRDEYE_BASE_URL=", "BIRDEYE_API_KEY=", "DEXSCREENER_BASE_URL="),
    *("BINANCE_BASE_URL=", "BINANCE_FUTURES_BASE_URL=", "BINANCE_WS_URL="),
)
WATCHED = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "DOGEUSDT", "PEPEUSDT", "BONKUSDT", "WIFUSDT")
# So that somebody who looks for five minutes sees judgements and paper trades. The filter, whose figures are read every quarter of an hour,
# asks for nothing; the costs are an exchange's.
EAGER = {
    "prefilter_liquidity_least": 0.0,
    "prefilter_volume_least": 0.0,
    "prefilter_turnover_least": 0.0,
    "prefilter_depth_least": 0.0,
    "trigger_volume_z": 2.0,
    "trigger_alert_least_effective": 1.0,
    "judge_round_trip_cost": 0.0,
    "judge_least_reward_risk": 0.2,
    "judge_confidence_close": 0.2,
    "judge_confidence_open": 0.25,
    "judge_low_atr_close": 0.0,
    "judge_low_atr_open": 0.0,
    "judge_impact_close": 1.0,
    "judge_impact_open": 0.9,
    "judge_short": True,
    "paper_short": True,
    "paper_least_confidence": 0.2,
    "paper_most_open": 6,
    "paper_slippage": 0.0005,
    "paper_fee": 0.001,
    "evidence_every_min": 2.0,  # a passport to look at within the first minutes
}
EAGER_NOTE = "demo: trades more often, lets every asset through, at the costs of an exchange; evidence is stored every other minute"


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for."""

    folder: Path
    port: int
    seconds: float | None
    speed: float
    seed: int
    keep: bool
    live: bool


class CannotStart(Exception):
    """Something outside stands in the way; the message says what to do."""


def demo_database(folder: Path) -> Path:
    """Beside the folder of the logs, under the same name: var/demo/ and var/demo.sqlite3."""
    return folder.with_name(f"{folder.name}.sqlite3")


def demo_environment(speed: float, folder: Path) -> dict[str, str]:
    """Intervals shrink with the market's speed as far as is sensible, so that a simulated hour is looked at as often as a real one."""
    interval = f"{min(NORMAL_INTERVAL, max(SHORTEST_INTERVAL, NORMAL_INTERVAL / speed)):g}"
    real = {"CREDENTIALS_DIRECTORY"} | {spelling for name in environment.ASKED - KEPT for spelling in (name, f"{name}_FILE")}
    kept = {name: value for name, value in os.environ.items() if name not in real}
    return kept | {
        "READ_DOTENV": "0",
        "SIMULATED": "1",
        "DATABASE_URL": f"sqlite:///{demo_database(folder)}",
        "SCHED_INTERVAL_INITIAL_SEC": interval,
        "SCHED_INTERVAL_ACTIVE_SEC": interval,
        "PUMPPORTAL_STALL_SEC": "20",
        "HTTP_DEADLINE_SEC": interval if float(interval) < 15 else "15",
        "BIRDEYE_CACHE_TTL": "1",
        "BIRDEYE_RPS": "20",
        "BIRDEYE_MONTHLY_CU": "100000000",
        "DEXSCREENER_RPS": "4",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def free_port(asked: int) -> int:
    """The port itself if it can be had, any free one for 0."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", asked))
        except (OSError, OverflowError):
            raise CannotStart(f"port {asked} on 127.0.0.1 cannot be had. Choose another with --port.") from None
        return int(probe.getsockname()[1])


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Two in one folder would take each other's database away."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotStart(f"this command is running already with the folder {folder}. Stop it first, or choose another.") from None
        yield


def make_login(demo: bool) -> tuple[str, str] | None:
    """(name, password) of a superuser: in the demo always `admin` with a new password; else a new user, and only where there is none."""
    name, password = "admin", secrets.token_urlsafe(9)
    if demo:
        User.objects.filter(username=name).delete()
    elif User.objects.filter(is_superuser=True, is_active=True).exists():
        return None
    elif User.objects.filter(username=name).exists():
        name = f"admin-{secrets.token_hex(3)}"  # somebody else's account is left as it is
    User.objects.create_superuser(name, password=password)
    return name, password


def watch_exchange_symbols() -> None:
    """The watch-list and the settings of a demo that begins anew; what an operator has made of them since is left alone."""
    if WatchedSymbol.objects.exists():
        return
    WatchedSymbol.objects.bulk_create(WatchedSymbol(symbol=symbol) for symbol in WATCHED)
    ScoringSettings.objects.revise(EAGER, None, EAGER_NOTE)


def _managed(*words: str) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *words]


def market_words(seed: int, speed: float) -> list[str]:
    words = ["--port-ws", "0", "--port-birdeye", "0", "--port-dexscreener", "0", "--plan", PLAN, "--backlog", str(BACKLOG)]
    return _managed("simulate_market", *words, "--seed", str(seed), "--speed", f"{speed:g}")


def web_words(port: int) -> list[str]:
    web = [sys.executable, "-m", "gunicorn", "tothemoon.wsgi", "--chdir", str(settings.BASE_DIR), "--bind", f"127.0.0.1:{port}"]
    web += ["--worker-class", "gthread", "--workers", "1", "--threads", "8", "--no-control-socket", "--graceful-timeout", "5"]
    return [*web, "--limit-request-line", "8190"]  # a watch-list of 100 addresses is 4,500 characters long


def _troubles() -> list[str]:
    return measure(timezone.now()).troubles


def web_answers(port: int) -> bool:
    with suppress(OSError, http.client.HTTPException), closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as client:
        client.request("GET", "/health")
        client.getresponse().read()
        return True
    return False


class Demonstration:
    """Market (unless live), listener, scheduler and web site, from the first to the last second."""

    def __init__(self, wishes: Wishes, say: Callable[[str], None], started: float) -> None:
        self.wishes, self._say, self._started = wishes, say, started
        self._environment: Mapping[str, str] = dict(os.environ)
        self._workers: list[Child] = []
        self._market: Child | None = None
        self._web = self._database_away = False

    def run(self, stop: StopFlag) -> bool:
        """Until the flag is set or the time is over; says whether a page with a scored Active token was there to see. Leaves
        nothing running, whatever happens."""
        with alone_in(self.wishes.folder):
            port = free_port(self.wishes.port)
            milestones = Milestones(self._say, self._started, f"http://127.0.0.1:{port}/")
            try:
                self._open_market()
                self._prepare(port)
                self._start_workers(port, stop)
                while not stop.is_set() and not self._time_is_over():
                    self._look(port, milestones)
                    stop.wait(0.5)
            finally:
                connection.close()
                killed = stop_all(self._workers) + stop_all([self._market] if self._market else [])
                self._say(f"stopped; the logs are in {self.wishes.folder}/")
            if killed:
                raise Died(f"had to be killed: {', '.join(killed)}")
            return milestones.shown

    def _open_market(self) -> None:
        """First, so that it gets ready while the database does."""
        if not self.wishes.live:
            words = market_words(self.wishes.seed, self.wishes.speed)
            self._market = Child("market", words, self._environment, self.wishes.folder)
            self._market.start()

    def _prepare(self, port: int) -> None:
        """The database with its tables, and somebody who can log in."""
        if not self.wishes.live and not self.wishes.keep:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{demo_database(self.wishes.folder)}{suffix}").unlink(missing_ok=True)
        try:
            call_command("migrate", verbosity=0, interactive=False)
            login = make_login(demo=not self.wishes.live)
            if not self.wishes.live:
                watch_exchange_symbols()
        except OperationalError as error:
            raise CannotStart(f"the database does not answer: {str(error).splitlines()[0]}. See DATABASE_URL.") from None
        if login:
            self._say(f"admin: http://127.0.0.1:{port}/admin/   name: {login[0]}   password: {login[1]}")

    def _start_workers(self, port: int, stop: StopFlag) -> None:
        variables = {**self._environment, **self._market_environment(stop)}
        commands = {"listener": _managed("run_listener"), "scheduler": _managed("run_scheduler"), "web": web_words(port)}
        self._workers = [Child(name, words, variables, self.wishes.folder) for name, words in commands.items()]
        if not stop.is_set():
            for child in self._workers:
                child.start()

    def _market_environment(self, stop: StopFlag, seconds: float = 30.0) -> dict[str, str]:
        """The lines that the market prints once its servers are up."""
        until = time.monotonic() + seconds
        while self._market and time.monotonic() < until and self._market.ended_with is None and not stop.wait(0.05):
            pairs = dict(line.split("=", 1) for line in self._market.log.read_text().splitlines() if line.startswith(SERVICES))
            if len(pairs) == len(SERVICES):
                return pairs
        if self._market and not stop.is_set():
            raise Died(f"the market did not open. The end of {self._market.log}:\n{self._market.last_words()}")
        return {}

    def _time_is_over(self) -> bool:
        return self.wishes.seconds is not None and time.monotonic() - self._started >= self.wishes.seconds

    def _look(self, port: int, milestones: Milestones) -> None:
        if self._market and self._market.ended_with is not None:
            raise Died(f"the market has closed unexpectedly. The end of {self._market.log}:\n{self._market.last_words()}")
        for child in self._workers:
            if child.keep_alive():
                self._say(f"{child.name} ended and was started again; see {child.log}")
        self._web = self._web or web_answers(port)
        try:
            milestones.look(progress(), self._web, _troubles)
        except OperationalError:
            if not self._database_away:
                self._say("the database does not answer")
            self._database_away = True
            connection.close()  # a new one next time
        else:
            self._database_away = False
