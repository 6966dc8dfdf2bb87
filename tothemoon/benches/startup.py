"""What a start costs, and what the processes hold when nothing happens.

A start is `manage.py help check`: settings, all apps, all models, the list of commands, one command. Seconds are those of the processor,
of the process and its children. Memory is PSS, which counts what processes share once: web (gunicorn, two workers), listener and
scheduler, each ready and at rest on an empty database, with nothing to reach outside.
"""

from __future__ import annotations

import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.conf import settings

from tothemoon.benches.lines import IDIOMATIC, LIMIT, Subject
from tothemoon.benches.tick import Line

ROUNDS = 5
MOST_SEC, MOST_MB = 1.0, 450.0
SETTLED_SEC = 8.0
PATIENCE_SEC = 120.0
START = ["manage.py", "help", "check"]
BARE = ["-c", "import django; from django.conf import settings; settings.configure(INSTALLED_APPS=['django.contrib.auth', "
        "'django.contrib.contenttypes', 'django.contrib.admin', 'django.contrib.sessions', 'django.contrib.messages']); django.setup(); "
        "from django.core.management import call_command; import sys; from io import StringIO; "
        "from django.core.management import ManagementUtility; ManagementUtility(['manage.py', 'help', 'check']).execute()"]  # fmt: skip


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result. No database is needed: one of its own is made. `number` means nothing here."""
    with tempfile.TemporaryDirectory(prefix="ttm-bench-", ignore_cleanup_errors=True) as folder:
        environment = _environment(Path(folder))
        starts, bare, python = [], [], []
        for command in (START, BARE):  # compiles
            _processor([sys.executable, *command], environment)
        for turn in range(ROUNDS):
            say(f"startup: round {turn + 1} of {ROUNDS}")
            starts.append(_processor([sys.executable, *START], environment))
            bare.append(_processor([sys.executable, *BARE], environment))
            python.append(_processor([sys.executable, "-c", "pass"], environment))
        say("startup: memory at rest")
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=settings.BASE_DIR, env=environment, check=True)
        held = at_rest(environment)
    ours, other, least = (statistics.median(seconds) for seconds in (starts, bare, python))
    start = Subject("startup", "sqlite", "a start of manage.py")
    rest = Subject("startup", "sqlite", "web, listener and scheduler at rest")
    return [
        start.within("`manage.py help check`", "s of processor", ours, MOST_SEC),
        start.faster(IDIOMATIC, "the same of a bare Django with its admin", "s of processor", ours, other, None),
        start.faster(LIMIT, "limit: Python itself", "s of processor", ours, least, None),
        rest.within(", ".join(f"{name} {mb:.0f}" for name, mb in held.items()), "MB of PSS", sum(held.values()), MOST_MB),
    ]


def _environment(folder: Path) -> dict[str, str]:
    nowhere = {
        "PUMPPORTAL_WS_URL": "ws://127.0.0.1:9",
        "DEXSCREENER_BASE_URL": "http://127.0.0.1:9",
        "BIRDEYE_BASE_URL": "http://127.0.0.1:9",
    }
    own = {"DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite3'}", "READ_DOTENV": "0", "DEBUG": "0", "LOG_LEVEL": "CRITICAL"}
    own |= {"BINANCE_WS_URL": "ws://127.0.0.1:9", "SECRET_KEY": "k" * 60, "MODELS_DIR": str(folder)}
    own |= {"PYTHONDONTWRITEBYTECODE": ""}  # a site compiles at its first start, not at every one
    return {**os.environ, **nowhere, **own}


def _processor(command: list[str], environment: dict[str, str]) -> float:
    """Seconds of the processor that a program takes from its start to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=settings.BASE_DIR, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ourselves
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def at_rest(environment: dict[str, str]) -> dict[str, float]:
    """Megabytes of each of the three, all running."""
    web = [sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", "127.0.0.1:0", "--log-level", "critical", "tothemoon.wsgi"]
    commands = {
        "web": web,
        "listener": [sys.executable, "manage.py", "run_listener"],
        "scheduler": [sys.executable, "manage.py", "run_scheduler"],
    }
    with ExitStack() as running:
        processes = {name: running.enter_context(_running(command, environment)) for name, command in commands.items()}
        time.sleep(SETTLED_SEC)
        _until_settled(list(processes.values()))
        return {name: sum(map(_pss_mb, _family(process.pid))) for name, process in processes.items()}


def _until_settled(processes: list[subprocess.Popen[bytes]]) -> None:
    """Until a few seconds bring no more memory: then all have imported what they import."""
    give_up, last = time.monotonic() + PATIENCE_SEC, -1.0
    while time.monotonic() < give_up:
        if ended := [process.args for process in processes if process.poll() is not None]:
            raise RuntimeError(f"ended where it should rest: {ended}")
        now = sum(_pss_mb(pid) for process in processes for pid in _family(process.pid))
        if now - last < 1:
            return
        last = now
        time.sleep(3)


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stdout=silent, stderr=silent) as process:  # noqa: S603 - ourselves
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in _family(int(child)))]


def _pss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
