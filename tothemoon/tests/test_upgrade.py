"""What an upgrade rests on: the site's first process goes on over a reload, and its workers come from the release that the link names."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tothemoon.tests.soak.visitors import Crowd

HERE = Path(settings.BASE_DIR)
CONFIG = "tothemoon/deploy/gunicorn.conf.py"
PATIENCE_SEC = 60

says_nothing_about_the_database = pytest.mark.skipif(not settings.ON_SQLITE, reason="says nothing about the database")
READ_LIMIT = "from django.db import connection as c; q = c.cursor(); q.execute('SHOW lock_timeout'); print(q.fetchone()[0])"


def release(folder: Path, name: str) -> Path:
    """A release as small as can be, with our settings of gunicorn: it answers with its name, which it looks up when it is asked."""
    made = folder / name
    (made / "tothemoon/deploy").mkdir(parents=True)
    for ours in (CONFIG, "tothemoon/worker.py"):
        shutil.copy(HERE / ours, made / ours)
    (made / "tothemoon/__init__.py").touch()
    (made / "tothemoon/looked_up_late.py").write_text(f"NAME = {name.encode()!r}\n")
    (made / "tothemoon/wsgi.py").write_text(
        "from tothemoon import worker\n"
        "def application(environ, start_response):\n"
        "    from tothemoon.looked_up_late import NAME\n"
        "    start_response('200 OK', [('Content-Length', str(len(NAME)))])\n"
        "    return [NAME]\n"
    )
    return made


def turn(link: Path, to: Path) -> None:
    """In one step, as install.sh turns it."""
    following = link.with_suffix(".next")
    following.symlink_to(to)
    following.rename(link)


class Line(http.client.HTTPConnection):
    """A new one for every question, as nginx has it."""

    def __init__(self, place: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_SEC)
        self._place = place

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_SEC)
        self.sock.connect(str(self._place))


def ask(place: Path) -> str:
    line = Line(place)
    try:
        line.request("GET", "/")
        answer = line.getresponse()
        return answer.read().decode() if answer.status == 200 else str(answer.status)
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    finally:
        line.close()


class Visitors(Crowd):
    """They ask without a pause, and remember every answer."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.answers: list[str] = []
        super().__init__([self._ask_on] * 2)

    def _ask_on(self) -> None:
        while not self.over.is_set():
            self.answers.append(ask(self.place))


def wait_until(there: Callable[[], bool], gunicorn: subprocess.Popen[bytes]) -> None:
    until, pause = time.monotonic() + PATIENCE_SEC, threading.Event()
    while not there():
        assert gunicorn.poll() is None, "gunicorn has ended"
        assert time.monotonic() < until
        pause.wait(0.02)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short name: the address of a Unix socket has little room."""
    made = Path(tempfile.mkdtemp(prefix="ttm-up-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def gunicorn(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    for name in ("first", "second"):
        release(folder, name)
    turn(folder / "current", folder / "first")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"WEB_BIND": f"unix:{folder}/socket", "WEB_WORKERS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    line = [sys.executable, "-m", "gunicorn", "--config", str(folder / "current" / CONFIG)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(line, cwd=folder / "current", env=environment, stdout=log, stderr=log)
    try:
        wait_until((folder / "socket").exists, process)
        yield process
    finally:
        process.terminate()
        process.wait(30)


@says_nothing_about_the_database
def test_a_reload_brings_the_release_that_the_link_names_and_refuses_nobody(folder: Path, gunicorn: subprocess.Popen[bytes]) -> None:
    place = folder / "socket"
    with Visitors(place) as visitors:
        wait_until(lambda: len(visitors.answers) > 20, gunicorn)
        for name in ("second", "first"):  # forward, and back to one that has been on its path before
            turn(folder / "current", folder / name)
            gunicorn.send_signal(signal.SIGHUP)
            wait_until(lambda name=name: visitors.answers[-20:] == [name] * 20, gunicorn)  # type: ignore[misc]
    assert set(visitors.answers) == {"first", "second"}


@pytest.mark.postgres
@pytest.mark.own_database
@pytest.mark.skipif(settings.ON_SQLITE, reason="a limit that SQLite does not know")
def test_a_migration_waits_for_a_lock_no_longer_than_the_script_says() -> None:
    limit = re.search(r"lock_timeout=(\w+)", (HERE / "tothemoon/deploy/manage").read_text())
    assert limit
    environment = {**os.environ, "PGOPTIONS": f"-c {limit[0]}"}
    line = [sys.executable, "-W", "error", "manage.py", "shell", "--verbosity", "0", "--no-imports", "--command", READ_LIMIT]
    said = subprocess.run(line, cwd=HERE, env=environment, capture_output=True, text=True, check=True).stdout
    assert said.strip() == limit[1]
