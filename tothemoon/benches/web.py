"""The web site under load: gunicorn as in production, eight connections of wrk, and beside it the barest Django and nginx with the bytes.

What is compared takes turns, so that a slow minute of the machine is everybody's; medians are compared. Where wrk or nginx is missing its
rows are left out, with a word on how to get it (Debian: apt install wrk nginx-light).
"""

from __future__ import annotations

import gzip
import http.client
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import QueryDict
from django.test import Client, RequestFactory
from django.utils import timezone

from tokens import list_page, ready, views
from tokens.models import Token
from tokens.wanted import wanted
from tothemoon.benches import plain_list, web_market
from tothemoon.benches.tick import Line, NotEmpty

TICKS = 240  # two hours at the normal pace
SIZE = 200
ROUNDS, SECONDS, CONNECTIONS = 5, 2, 8
COLD_ROUNDS = 5
clock = time.perf_counter  # of the cold pages
ASKED_AGAIN = 500
LIST = f"/?size={SIZE}"
OTHERS = ("/tokens/{address}/", "/api/tokens/", "/api/ranking.json")
WARM, COLD, P99_MS, UNCHANGED_MS = round(1 / 1.5, 3), 10.0, 50.0, 3.0
GZIP = {"Accept-Encoding": "gzip"}
FORMS: tuple[tuple[str, dict[str, str]], ...] = (("list, gzip", GZIP), ("list, not compressed", {}))
HOST = "127.0.0.1"
SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    per_second: float
    p99_ms: float


@dataclass(frozen=True)
class Asked:
    """One question in one form, and who answers it: our site and, with the same bytes, the barest Django and nginx."""

    name: str
    path: str
    headers: dict[str, str]
    file: str


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result, measured on the present database, which must be empty."""
    if Token.objects.exists():
        raise NotEmpty("this database holds tokens: a bench writes, and writes only where nothing is")
    web_market.make(number, TICKS, say)
    say(f"{database}: drawing pages")
    lines = _cold(database)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ttm-web-")))
        ours = stack.enter_context(_gunicorn(folder / "ours.log", "tothemoon.wsgi:application", DATABASE_URL=_address()))
        lines += _unchanged(database, ours)
        if wrk := shutil.which("wrk"):
            asked = _questions(ours, folder)
            barest = stack.enter_context(
                _gunicorn(folder / "barest.log", "tothemoon.benches.barest:application", BAREST_FOLDER=str(folder / "held"))
            )
            lines += _loaded(database, wrk, asked, ours, barest, stack.enter_context(_nginx(folder)), say)
        else:
            sys.stderr.write("Requests a second were not measured: wrk is not on this machine (Debian: apt install wrk)\n")
    return lines


# Cold: a page that has to be drawn


def _cold(database: str) -> list[Line]:
    """The first page after a tick, and the first one of a process, both compressed as browsers take them; and the page of the plain way,
    which is not. All show the same."""
    client, request = Client(SERVER_NAME="localhost"), RequestFactory(SERVER_NAME="localhost").get(LIST)
    asked = wanted(QueryDict(f"size={SIZE}"))
    context = {**list_page.context(asked, timezone.now(), views.REFRESH_SEC), "etag": "-"}  # given to the plain way for nothing
    first, after_a_tick, plain = [], [], []
    for _ in range(COLD_ROUNDS):
        cache.clear()
        first.append(_drawn(client)[0])
        cache.delete("pulse")
        took, drawn = _drawn(client)
        after_a_tick.append(took)
        began = clock()
        other = plain_list.page(request, context, SIZE, timezone.now())
        plain.append(clock() - began)
        if _letters(drawn) != _letters(other):
            raise RuntimeError(f"the pages are not the same: {len(drawn)} and {len(other)} letters")
    rows = f"{other.count('<tbody')} rows by the template engine, a few queries a row"
    return [
        _times(database, f"cold, after a tick: the plain way, {rows}", after_a_tick, plain, COLD),
        _times(database, f"cold, a process's first page: the plain way, {rows}", first, plain, None),
    ]


def _drawn(client: Client) -> tuple[float, str]:
    ready.forget()
    began = clock()
    answer = client.get(LIST, headers=GZIP)
    took = clock() - began
    if answer.status_code != 200:
        raise RuntimeError(f"the list answered {answer.status_code}")
    return took, gzip.decompress(answer.content).decode()


def _times(database: str, against: str, mine: list[float], theirs: list[float], floor: float | None) -> Line:
    ours, other = statistics.median(mine) * 1000, statistics.median(theirs) * 1000
    holds = floor is None or other / ours >= floor
    return Line("web", database, against, "ms", round(ours, 1), round(other, 1), round(other / ours, 2), floor, holds)


def _letters(page: str) -> str:
    """A page without what depends on the moment it was drawn at: digits, its tag, and the lines, whose first step is leaving the window."""
    return re.sub(r'(?s)<td class="spark.*?</td>|data-etag="[^"]*"|\d', "", page)


# Unchanged: who has the page already


def _unchanged(database: str, port: int) -> list[Line]:
    """One client on one connection, its own time included: what the server takes is less."""
    with closing(http.client.HTTPConnection(HOST, port, timeout=60)) as client:
        rounds = [_asked_again(client) for _ in range(ROUNDS)]
    return [
        _limit(database, "limit: 304, median", statistics.median(statistics.median(took) for took in rounds), UNCHANGED_MS),
        _limit(database, "limit: 304, 99 of 100", statistics.median(took[len(took) * 99 // 100] for took in rounds), UNCHANGED_MS),
    ]


def _asked_again(client: http.client.HTTPConnection) -> list[float]:
    took: list[float] = []
    tag = _answer(client, LIST, GZIP)[1]["ETag"]
    while len(took) < ASKED_AGAIN:
        began = time.perf_counter()
        status, headers, _ = _answer(client, LIST, {**GZIP, "If-None-Match": tag})
        if status == 304:
            took.append((time.perf_counter() - began) * 1000)
        tag = headers["ETag"]  # a new minute may have begun, and the page is another one
    return sorted(took)


def _answer(client: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    client.request("GET", path, headers=headers)
    response = client.getresponse()
    return response.status, dict(response.getheaders()), response.read()


def _limit(database: str, against: str, ours: float, most: float) -> Line:
    return Line("web", database, against, "ms", round(ours, 2), most, round(ours / most, 2), 1.0, ours <= most)


# Warm: pages that are ready


def _questions(port: int, folder: Path) -> list[Asked]:
    """Each in the form that clients take, with its bytes kept for those who serve nothing but bytes."""
    held = folder / "held"
    held.mkdir()
    address = Token.objects.ranked().values_list("address", flat=True)[0]
    asked = [(name, LIST, headers) for name, headers in FORMS]
    asked += [(path, path.format(address=address), GZIP) for path in OTHERS]
    found = []
    with closing(http.client.HTTPConnection(HOST, port, timeout=60)) as client:
        for place, (name, path, headers) in enumerate(asked):
            status, _, content = _answer(client, path, headers)
            if status == 200:
                (held / f"{place}.html").write_bytes(content)
                found.append(Asked(f"{name} ({len(content) / 1000:.0f} kB)", path, headers, f"{place}.html"))
    held.chmod(0o755)
    folder.chmod(0o755)
    return found


def _loaded(
    database: str, wrk: str, asked: list[Asked], ours: int, barest: int, nginx: int | None, say: Callable[[str], None]
) -> list[Line]:
    lines = []
    for question in asked:
        is_list = question.path == LIST
        turns: dict[int, list[Load]] = {port: [] for port in (ours, barest, *([nginx] if nginx else []))}
        for turn in range(1 + (ROUNDS if is_list else 1)):
            say(f"{database}: {question.name}, round {turn}")
            for port, seen in turns.items():
                load = _load(wrk, port, question.path if port == ours else f"/{question.file}", question.headers)
                if turn:  # in the first one each process draws its own first page
                    seen.append(load)
        mine = statistics.median(load.per_second for load in turns[ours])
        lines.append(
            _rate(database, f"{question.name}: the barest Django view, same bytes", mine, turns[barest], WARM if is_list else None)
        )
        if nginx and is_list:
            lines.append(_rate(database, f"{question.name}: nginx, same bytes as a file", mine, turns[nginx], None))
        if is_list:
            p99 = statistics.median(load.p99_ms for load in turns[ours])
            lines.append(_limit(database, f"limit: {question.name}, {CONNECTIONS} connections, 99 of 100", p99, P99_MS))
    return lines


def _rate(database: str, against: str, mine: float, theirs: list[Load], floor: float | None) -> Line:
    other = statistics.median(load.per_second for load in theirs)
    ratio = round(mine / other, 2)
    return Line("web", database, against, "requests/s", round(mine), round(other), ratio, floor, floor is None or mine / other >= floor)


def _load(wrk: str, port: int, path: str, headers: dict[str, str]) -> Load:
    words = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "--timeout", "10s"]
    words += [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    said = subprocess.run([*words, f"http://{HOST}:{port}{path}"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    if refused := re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", said):
        raise RuntimeError(f"{path} on port {port}: {refused[0]}")
    rate, p99 = re.search(r"Requests/sec:\s+([\d.]+)", said), re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    if rate is None or p99 is None:
        raise RuntimeError(f"wrk said what nobody can read: {said}")
    return Load(float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[p99[2]])


# The servers


def _address() -> str:
    """The present database, for another process."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    head, _, query = os.environ["DATABASE_URL"].partition("?")
    return f"{head.rsplit('/', 1)[0]}/{name}?{query}"


@contextmanager
def _gunicorn(log: Path, application: str, **environment: str) -> Iterator[int]:
    """With the file of production; but no worker is replaced after so many requests, which a load like this one reaches in seconds."""
    port = _free_port()
    config = settings.BASE_DIR / "tothemoon/deploy/gunicorn.conf.py"
    words = [sys.executable, "-m", "gunicorn", "--config", str(config), "--max-requests", "0", application]
    usual = {"WEB_BIND": f"{HOST}:{port}", "READ_DOTENV": "0", "LOG_LEVEL": "ERROR", "SECRET_KEY": settings.SECRET_KEY}
    with log.open("w") as said:
        server = subprocess.Popen(  # noqa: S603 - ourselves
            words, cwd=settings.BASE_DIR, env={**os.environ, **usual, **environment}, stdout=said, stderr=said
        )
    try:
        _until_it_answers(port, server, log)
        yield port
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def _nginx(folder: Path) -> Iterator[int | None]:
    program = shutil.which("nginx", path=SBIN)
    if program is None:
        sys.stderr.write("nginx was not measured: it is not on this machine (Debian: apt install nginx-light)\n")
        yield None
        return
    port = _free_port()
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; worker_processes 1; error_log {folder}/nginx.log;\n"
        f"events {{ worker_connections 64; }}\nhttp {{ access_log off; sendfile on; keepalive_requests 1000000;\n"
        f"client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;\n"
        f"uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; server {{ listen {HOST}:{port}; root {folder}/held; }} }}\n"
    )
    log = folder / "nginx.log"
    words = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(log)]
    server = subprocess.Popen(words, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        _until_it_answers(port, server, log)
        yield port
    finally:
        server.terminate()
        server.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _until_it_answers(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    """Listening is not answering: gunicorn listens before its workers have read the site."""
    for _ in range(600):
        with suppress(OSError, http.client.HTTPException), closing(http.client.HTTPConnection(HOST, port, timeout=60)) as client:
            _answer(client, "/", {})
            return
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"a server did not start: {log.read_text(errors='replace')[-2000:] if log.exists() else ''}")
