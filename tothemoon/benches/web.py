"""The web site under load: gunicorn as in production, eight connections of wrk, and beside it the barest Django and nginx with the bytes.

What is compared takes turns, so that a slow minute of the machine is everybody's; medians are compared. Where wrk or nginx is missing its
rows are left out, with a word on how to get it (Debian: apt install wrk nginx-light).
"""

from __future__ import annotations

import gzip
import http.client
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from django.core.cache import cache
from django.http import QueryDict
from django.test import Client, RequestFactory
from django.utils import timezone

from tokens import list_page, ready, views
from tokens.models import Token
from tokens.wanted import wanted
from tothemoon.benches import plain_list, web_market
from tothemoon.benches.tick import Line, NotEmpty
from tothemoon.benches.web_servers import HOST, Server, address, gunicorn, nginx

TICKS = 240  # two hours at the normal pace
SIZE = 200
ROUNDS, SECONDS, CONNECTIONS = 12, 1, 8  # many short turns: a slow moment falls on both neighbours, and the median passes over it
ROUNDS_OF_OTHERS = 3
COLD_ROUNDS = 7
ASKED_AGAIN = 500
LIST = f"/?size={SIZE}"
OTHERS = ("/tokens/{address}/", "/api/tokens/", "/api/ranking.json")
WARM, COLD, P99_MS, UNCHANGED_MS = round(1 / 1.5, 3), 10.0, 50.0, 3.0
WARM_BY_THE_CLOCK = WARM
GZIP = {"Accept-Encoding": "gzip"}
FORMS: tuple[tuple[str, dict[str, str]], ...] = (("list, gzip", GZIP), ("list, not compressed", {}))


@dataclass(frozen=True)
class Load:
    """What wrk saw, and how many requests the server answered with a second of the processor."""

    per_second: float
    p99_ms: float
    per_processor_second: float


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
        ours = stack.enter_context(gunicorn(folder / "ours.log", "tothemoon.wsgi:application", DATABASE_URL=address()))
        lines += _unchanged(database, ours.port)
        if wrk := shutil.which("wrk"):
            asked = _questions(ours.port, folder)
            barest = stack.enter_context(
                gunicorn(folder / "barest.log", "tothemoon.benches.barest:application", BAREST_FOLDER=str(folder / "held"))
            )
            lines += _loaded(database, wrk, asked, ours, barest, stack.enter_context(nginx(folder)), say)
        else:
            sys.stderr.write("Requests a second were not measured: wrk is not on this machine (Debian: apt install wrk)\n")
    return lines


# Cold: a page that has to be drawn


def _cold(database: str) -> list[Line]:
    """The first page after a tick, and the first one of a process, both compressed as browsers take them; and the page of the plain way,
    which is not. All show the same.

    SQLite works in this process: what counts there is its processor time, which nobody beside it disturbs. PostgreSQL works in another, so
    that the clock on the wall counts."""
    clock = time.process_time if database == "sqlite" else time.perf_counter
    client, request = Client(SERVER_NAME="localhost"), RequestFactory(SERVER_NAME="localhost").get(LIST)
    asked = wanted(QueryDict(f"size={SIZE}"))
    context = {**list_page.context(asked, timezone.now(), views.REFRESH_SEC), "etag": "-"}  # given to the plain way for nothing
    first, after_a_tick, plain = [], [], []
    for _ in range(COLD_ROUNDS):
        cache.clear()
        first.append(_drawn(client, clock)[0])
        cache.delete("pulse")
        took, drawn = _drawn(client, clock)
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


def _drawn(client: Client, clock: Callable[[], float]) -> tuple[float, str]:
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
    database: str, wrk: str, asked: list[Asked], ours: Server, barest: Server, nginx: Server | None, say: Callable[[str], None]
) -> list[Line]:
    lines = []
    for question in asked:
        is_list = question.path == LIST
        mine, theirs, files = _turns(wrk, question, [ours, barest, nginx], ROUNDS if is_list else ROUNDS_OF_OTHERS, say)
        floor, floor_by_the_clock = (WARM, WARM_BY_THE_CLOCK) if is_list else (None, None)
        against = f"{question.name}: the barest Django view, same bytes"
        lines.append(_rate(database, against, mine, theirs, floor_by_the_clock))
        lines.append(_rate(database, f"{against}, a processor second", mine, theirs, floor, "per_processor_second"))
        if files and is_list:
            lines.append(_rate(database, f"{question.name}: nginx, same bytes as a file", mine, files, None))
        if is_list:
            p99 = statistics.median(load.p99_ms for load in mine)
            lines.append(_limit(database, f"limit: {question.name}, {CONNECTIONS} connections, 99 of 100", p99, P99_MS))
    return lines


def _turns(wrk: str, question: Asked, servers: list[Server | None], rounds: int, say: Callable[[str], None]) -> list[list[Load]]:
    """The loads of each server, in turns; who begins in one round ends the next."""
    seen: list[list[Load]] = [[] for _ in servers]
    order = list(enumerate(servers))
    for turn in range(1 + rounds):
        say(f"{question.name}, round {turn}")
        for place, server in order:
            if server is not None:
                load = _load(wrk, server, question.path if not place else f"/{question.file}", question.headers)
                seen[place] += [load] if turn else []  # in the first one each process draws its own first page
        order.reverse()
    return seen


def _rate(database: str, against: str, mine: list[Load], theirs: list[Load], floor: float | None, of: str = "per_second") -> Line:
    """Medians; the ratio is that of the pairs that ran one beside the other."""
    ours, others = ([getattr(load, of) for load in loads] for loads in (mine, theirs))
    ratio = statistics.median(my / their for my, their in zip(ours, others, strict=True))
    rates = round(statistics.median(ours)), round(statistics.median(others))
    return Line("web", database, against, "requests/s", *rates, round(ratio, 2), floor, floor is None or ratio >= floor)


def _load(wrk: str, server: Server, path: str, headers: dict[str, str]) -> Load:
    words = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "--timeout", "10s"]
    words += [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    before = server.seconds()
    said = subprocess.run([*words, f"http://{HOST}:{server.port}{path}"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    took = max(server.seconds() - before, 0.01)
    if refused := re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", said):
        raise RuntimeError(f"{path} on port {server.port}: {refused[0]}")
    rate, p99 = re.search(r"Requests/sec:\s+([\d.]+)", said), re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    answered = re.search(r"(\d+) requests in", said)
    if rate is None or p99 is None or answered is None:
        raise RuntimeError(f"wrk said what nobody can read: {said}")
    return Load(float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[p99[2]], int(answered[1]) / took)
