"""Keys that sing: the whole system runs with them, in peace and in trouble, and nothing that it says or keeps may hold one."""

import base64
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from django.conf import settings

from tothemoon.tests.test_nginx import free_port, speaking, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not settings.ON_SQLITE, reason="reads the whole database as one text, which is easy only with SQLite"),
]
MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]
CANARIES = {
    "BIRDEYE_API_KEY": "canary+birdeye/5f1e0c77a9",
    "PUMPPORTAL_API_KEY": "canary+pump/88c1d02b64",
    "SECRET_KEY": "canary+secret/" + "7d41aa90" * 7,
    "REDIS_URL": "redis://:canary-redis-31cc07be@127.0.0.1:1/0",
}
SONGS = ["5f1e0c77a9", "88c1d02b64", "7d41aa90" * 3, "31cc07be"]
ASKED = [
    "/",
    "/trading/",
    "/evidence/",
    "/api/",
    "/api/tokens/",
    "/api/openapi.json",
    "/health",
    "/metrics",
    "/admin/login/",
    "/no/such/page",
]
ASKED += [f"/?q={quote('canary+birdeye/')}", "/%00", "/api/tokens/?limit=x", "/tokens/x/", "/?sort=x", "/static/none.css"]


@dataclass
class World:
    folder: Path
    environment: dict[str, str]
    said: dict[str, bytes] = field(default_factory=dict)  # by where it was found
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, name: str, *words: str, **more: str) -> subprocess.Popen[bytes]:
        """A process whose words go to a file, under the keys."""
        with (self.folder / f"{name}.log").open("wb") as log:
            started = subprocess.Popen(words, env=self.environment | more, stdout=log, stderr=subprocess.STDOUT, cwd=settings.BASE_DIR)
        self.running.append(started)
        return started

    def look_at_arguments(self) -> None:
        """What everybody on the machine may read of a process."""
        for process in self.running:
            there = Path(f"/proc/{process.pid}/cmdline")
            if there.exists():
                self.said[f"arguments of {process.args!r}"[:60]] = there.read_bytes()


def rows_of(database: Path) -> bytes:
    with sqlite3.connect(database) as connection:
        return "\n".join(connection.iterdump()).encode()


def answer(url: str) -> bytes:
    """Headers and body, whatever the status."""
    try:
        with urlopen(Request(url), timeout=60) as got:
            return bytes(got.headers) + got.read()
    except OSError as error:  # an HTTPError is one, and an answer
        return str(getattr(error, "headers", "")).encode() + (error.read() if hasattr(error, "read") else b"")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("canary")
    quick = {"SCHED_INTERVAL_INITIAL_SEC": "1", "SCHED_INTERVAL_ACTIVE_SEC": "1", "BIRDEYE_CACHE_TTL": "0", "BIRDEYE_RPS": "50"}
    own = {"DATABASE_URL": f"sqlite:///{folder}/db.sqlite3", "SPOOL_DIR": str(folder), "LOG_LEVEL": "DEBUG", "BIRDEYE_MONTHLY_CU": "0"}
    world = World(folder, os.environ | quick | own | {"ALLOWED_HOSTS": "127.0.0.1", "LOG_FILE": str(folder / "all.log"), "DEBUG": "0"})
    with ExitStack() as ends:
        ends.callback(lambda: [(process.kill(), process.wait()) for process in world.running])
        words = [
            "simulate_market",
            "--port-ws",
            "0",
            "--port-birdeye",
            "0",
            "--port-dexscreener",
            "0",
            "--plan",
            "business",
            "--speed",
            "60",
        ]
        market = ends.enter_context(subprocess.Popen([*MANAGE, *words], env=world.environment, stdout=subprocess.PIPE, text=True))
        ends.callback(market.terminate)
        assert market.stdout
        world.environment |= dict(market.stdout.readline().strip().split("=", 1) for _ in range(4)) | CANARIES
        _live(world)
        yield world


def _live(world: World) -> None:
    """In peace, with services that are away, with a database that is broken; and the site asked all the while."""
    assert world.start("migrate", *MANAGE, "migrate", "--verbosity", "0").wait(600) == 0
    world.start("listener", *MANAGE, "run_listener", "--max-seconds", "600")
    assert world.start("scheduler", *MANAGE, "run_scheduler", "--once").wait(600) == 0
    away = {"BIRDEYE_BASE_URL": "http://127.0.0.1:1", "DEXSCREENER_BASE_URL": "http://127.0.0.1:1", "PUMPPORTAL_WS_URL": "ws://127.0.0.1:1"}
    world.start("scheduler-alone", *MANAGE, "run_scheduler", "--once", **away).wait(600)
    world.start("wrong-setting", *MANAGE, "check", BIRDEYE_BASE_URL="ftp://x", REDIS_URL="nonsense:canary-31cc07be").wait(600)
    port = free_port()
    site = world.start("web", sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "4", "tothemoon.wsgi")
    wait_for(lambda: speaking(port), site)
    for path in ASKED:
        world.said[f"answer {path}"] = answer(f"http://127.0.0.1:{port}{path}")
    world.look_at_arguments()
    for process in world.running:
        process.terminate()
        process.wait(120)
    world.said["database"] = rows_of(world.folder / "db.sqlite3")
    world.said |= {path.name: path.read_bytes() for path in world.folder.iterdir() if path.is_file()}


def test_the_world_has_lived(world: World) -> None:
    assert world.said["database"].count(b'INSERT INTO "tokens"') >= 10
    assert b"tothemoon_database_up 1.0" in world.said["answer /metrics"]
    assert b"components" in world.said["answer /health"]
    assert len([name for name in world.said if name.startswith("arguments")]) >= 2
    assert len(world.said["all.log"].splitlines()) >= 5


def test_no_key_is_in_any_log_answer_figure_row_or_argument(world: World) -> None:
    spelled = [
        form for song in SONGS for form in (song, quote(song), base64.b64encode(song.encode()).decode().rstrip("=")[:-2], song[::-1])
    ]
    assert [(where, form) for where, text in world.said.items() for form in spelled if form.encode() in text] == []


def test_no_key_is_in_the_repository() -> None:
    """But in this file."""
    found = subprocess.run(["git", "grep", "-lF", SONGS[0]], cwd=settings.BASE_DIR, capture_output=True, text=True).stdout.split()
    assert set(found) <= {"tothemoon/tests/test_key_canary.py"}


def test_every_event_of_the_processes_is_one_line_of_the_log(world: World) -> None:
    for line in world.said["all.log"].decode().splitlines():
        assert line[:4].isdigit(), line[:200]
        assert line.isprintable(), line[:200]
