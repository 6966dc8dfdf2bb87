"""The whole product in one command: which processes, in which environment, and how far they have come."""

import http.client
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models import Count, Q

from tokens.models import Status, Token
from tothemoon.children import Child
from tothemoon.worker import StopFlag

# The demo is the same on every machine: what an operator has set for the real system must not reach it.
LEFT_OUT = (
    *("ALLOWED_HOSTS", "CACHE_URL", "CSRF_TRUSTED_ORIGINS", "DEBUG", "HTTPS_ONLY", "LOG_FILE"),
    *("METRICS_PORT_LISTENER", "METRICS_PORT_SCHEDULER", "PUMPPORTAL_API_KEY", "REDIS_URL", "STATIC_ROOT"),
)
NORMAL_INTERVAL = 30.0
SHORTEST_INTERVAL = 5.0  # seconds: enough for a tick on a small machine that runs everything at once
PLAN = "business"  # batch endpoints, so that every token has holders and order flow
BACKLOG = 100
SERVICES = ("PUMPPORTAL_WS_URL=", "BIRDEYE_BASE_URL=", "BIRDEYE_API_KEY=", "DEXSCREENER_BASE_URL=")


def demo_database(folder: Path) -> Path:
    """Beside the folder of the logs, under the same name: var/demo/ and var/demo.sqlite3."""
    return folder.with_name(f"{folder.name}.sqlite3")


def demo_environment(speed: float, folder: Path) -> dict[str, str]:
    """Intervals shrink with the market's speed as far as is sensible, so that a simulated hour is looked at as often as a real one."""
    interval = f"{min(NORMAL_INTERVAL, max(SHORTEST_INTERVAL, NORMAL_INTERVAL / speed)):g}"
    kept = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    return kept | {
        "READ_DOTENV": "0",
        "SIMULATED": "1",
        "DATABASE_URL": f"sqlite:///{demo_database(folder)}",
        "SCHED_INTERVAL_INITIAL_SEC": interval,
        "SCHED_INTERVAL_ACTIVE_SEC": interval,
        "PUMPPORTAL_STALL_SEC": "20",
        "BIRDEYE_CACHE_TTL": "1",
        "BIRDEYE_RPS": "20",
        "BIRDEYE_MONTHLY_CU": "100000000",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def free_port(asked: int) -> int:
    """The port itself if it can be had, any free one for 0; OSError otherwise."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", asked))
        return int(probe.getsockname()[1])


def forget_database(folder: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{demo_database(folder)}{suffix}").unlink(missing_ok=True)


def prepare_database() -> None:
    call_command("migrate", verbosity=0, interactive=False)


def make_login(always: bool) -> tuple[str, str] | None:
    """(name, password) of a new superuser; without `always`, None where somebody can log in already."""
    if not always and User.objects.filter(is_superuser=True, is_active=True).exists():
        return None
    name, password = "admin", secrets.token_urlsafe(9)
    user, _ = User.objects.get_or_create(username=name, defaults={"is_staff": True, "is_superuser": True})
    user.is_staff = user.is_superuser = user.is_active = True
    user.set_password(password)
    user.save()
    return name, password


def _managed(*words: str) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *words]


def market(seed: int, speed: float, environment: Mapping[str, str], folder: Path) -> Child:
    words = ["--port-ws", "0", "--port-birdeye", "0", "--port-dexscreener", "0", "--plan", PLAN, "--backlog", str(BACKLOG)]
    return Child("market", _managed("simulate_market", *words, "--seed", str(seed), "--speed", f"{speed:g}"), environment, folder)


def market_environment(child: Child, stop: StopFlag, seconds: float = 30.0) -> dict[str, str]:
    """The lines that the market prints once its servers are up. Empty when it ended, or was stopped, before that."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and child.ended_with is None and not stop.wait(0.05):
        pairs = dict(line.split("=", 1) for line in child.log.read_text().splitlines() if line.startswith(SERVICES))
        if len(pairs) == len(SERVICES):
            return pairs
    return {}


def workers(port: int, environment: Mapping[str, str], folder: Path) -> list[Child]:
    web = [sys.executable, "-m", "gunicorn", "tothemoon.wsgi", "--chdir", str(settings.BASE_DIR), "--bind", f"127.0.0.1:{port}"]
    web += ["--worker-class", "gthread", "--workers", "1", "--threads", "8", "--no-control-socket", "--graceful-timeout", "5"]
    return [
        Child("listener", _managed("run_listener"), environment, folder),
        Child("scheduler", _managed("run_scheduler"), environment, folder),
        Child("web", web, environment, folder),
    ]


def web_answers(port: int) -> bool:
    with suppress(OSError, http.client.HTTPException), closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", "/health")
        connection.getresponse().read()
        return True
    return False


@dataclass(frozen=True)
class Progress:
    """How far the database has come."""

    tokens: int
    initial: int
    active: int
    archived: int
    scored: int
    scored_active: int
    best: str

    def __str__(self) -> str:
        parts = f"{self.initial} Initial, {self.active} Active, {self.archived} Archived"
        return f"{self.tokens} tokens: {parts}; {self.scored} scored" + (f"; best: {self.best}" if self.best else "")


def progress() -> Progress:
    scored = Q(last_score_value__isnull=False)
    counts = Token.objects.aggregate(
        tokens=Count("pk"),
        initial=Count("pk", filter=Q(status=Status.INITIAL)),
        active=Count("pk", filter=Q(status=Status.ACTIVE)),
        archived=Count("pk", filter=Q(status=Status.ARCHIVED)),
        scored=Count("pk", filter=scored),
        scored_active=Count("pk", filter=scored & Q(status=Status.ACTIVE)),
    )
    best = Token.objects.filter(scored, status=Status.ACTIVE).order_by("-last_score_value").first()
    return Progress(**counts, best=f"{_printable(best.symbol) or best.address[:6]} {best.last_score_value:.2f}" if best else "")


def _printable(text: str) -> str:
    """A symbol is whatever a stranger typed: nothing of it may steer the terminal."""
    return "".join(character for character in text if character.isprintable())[:16]


class Milestones:
    """Says each step once, with the seconds since the start."""

    def __init__(self, say: Callable[[str], None], started: float, address: str) -> None:
        self._say, self._started, self._address = say, started, address
        self._said: set[str] = set()
        self._next_summary = 30.0
        self.shown = False  # whether a scored Active token was there while the web site answered

    def at(self, seconds: float, sentence: str) -> None:
        self._say(f"{seconds:6.1f} s  {sentence}")

    def _once(self, name: str, true: bool, sentence: str) -> None:
        if true and name not in self._said:
            self._said.add(name)
            self.at(time.monotonic() - self._started, sentence)

    def look(self, now: Progress, web: bool) -> None:
        self._once("web", web, f"the web site answers at {self._address}")
        self._once("tokens", now.tokens > 0, f"the first {now.tokens} tokens found")
        self._once("score", now.scored > 0, "the first score")
        self._once("active", now.scored_active > 0, f"the first scored Active token ({now.best})")
        self.shown = self.shown or (now.scored_active > 0 and web)
        self._once("open", self.shown, f"open {self._address}")
        elapsed = time.monotonic() - self._started
        if elapsed >= self._next_summary:
            self._next_summary = elapsed + 30 if elapsed < 120 else elapsed + 300
            self.at(elapsed, str(now))
