"""Whoever floods the site, or dawdles at its door, keeps nobody else waiting: nginx with our file, TLS, gunicorn with ours behind it.

ATTACKED_VISITS makes the trial long: so many visits, by the lines of the catalogue (./run soak --attacked). The short one has less of
everything, and lets pass five times as much on a machine that may be busy.
"""

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from django.conf import settings

from tokens.models import Token
from tothemoon.benches import web_market
from tothemoon.benches.web_servers import address
from tothemoon.tests.soak.victims import ROOT
from tothemoon.tests.test_attacked_through_nginx import get, headers, status
from tothemoon.tests.test_nginx import DEPLOY, NAME, WITH_SBIN, Site, answering, certificate, free_port, placed, speaking, wait_for

VISITS = int(os.environ.get("ATTACKED_VISITS", "0"))
LONG = bool(VISITS)
FLOOD, DAWDLE = (200, 500) if LONG else (60, 150)
FLOOD_ADDRESSES = 1
FLOOD_LINE_SEC, DAWDLE_LINE_SEC = 0.3, 0.5
SLACK = 1.0 if LONG else 5.0
LASTS_SEC = 12.0 if LONG else 0.0  # in which those who dawdle are sent away, come again, and are sent away again
TOKENS, TICKS = (2_000, 40) if LONG else (60, 2)
MOST_BYTES = 1_000_000
DEBIANS_OWN = "worker_connections 768;"

pytestmark = [
    pytest.mark.measured,
    pytest.mark.django_db(transaction=True),  # gunicorn reads what is committed
    pytest.mark.skipif(not settings.ON_SQLITE and not LONG, reason="the door is the same whatever lies behind it"),
    pytest.mark.skipif(not shutil.which("nginx", path=WITH_SBIN["PATH"]), reason="nginx is missing (Debian: apt install nginx)"),
    pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is missing (Debian: apt install openssl)"),
]


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Site]:
    """nginx with as many connections as Debian gives it, and gunicorn before a market, as an operator starts them."""
    web_market.make(TOKENS, TICKS)
    certificate(tmp_path)
    (tmp_path / "static").mkdir()
    site = Site(tmp_path, free_port(), free_port(), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    file = placed(tmp_path, site.plain, site.secure)
    file.write_text(file.read_text().replace("events {}", f"events {{ {DEBIANS_OWN} }}"))
    mine = {"ALLOWED_HOSTS": NAME, "HTTPS_ONLY": "true", "DATABASE_URL": address(), "WEB_BIND": f"unix:{tmp_path}/socket"}
    with site.systemd, running(["nginx", "-c", str(file)], WITH_SBIN) as nginx:
        wait_for(lambda: answering(site.secure), nginx)
        words = [sys.executable, "-m", "gunicorn", "--config", str(DEPLOY / "gunicorn.conf.py")]
        with running(words, {**os.environ, **mine, "WEB_WORKERS": "2" if LONG else "1"}) as gunicorn:
            wait_for(lambda: speaking(tmp_path / "socket"), gunicorn)
            yield site


@contextmanager
def running(words: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(words, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def attacked(site: Site, how: str, visitors: int, addresses: int) -> Iterator[dict[str, object]]:
    """While this lasts they are there; afterwards, what they were told."""
    words = ["tothemoon.tests.soak.attackers", how, str(site.secure), f"{site.folder}/cert.pem", NAME, str(visitors), str(addresses)]
    strangers = subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    told: dict[str, object] = {}
    try:
        assert strangers.stdout is not None
        assert strangers.stdout.readline() == "there\n"
        yield told
        told |= json.loads(strangers.communicate("", timeout=60)[0])
    finally:
        with suppress(ProcessLookupError):
            strangers.kill()
        strangers.wait(30)


def visits(site: Site, number: int) -> list[float]:
    """The seconds of so many visits or more, one after another, each from an address of its own: from its first packet to the last byte."""
    token = Token.objects.order_by("pk").values_list("address", flat=True)[0]
    trusting = ssl.create_default_context(cafile=str(site.folder / "cert.pem"))
    pages = ["/", f"/tokens/{token}/", "/api/tokens/?limit=50", "/?size=200&sort=-volume", "/health", "/evidence/"]
    took: list[float] = []
    ends_at = time.monotonic() + LASTS_SEC
    while (place := len(took)) < number or time.monotonic() < ends_at:
        began, answer = time.monotonic(), b""
        mine = (f"127.0.{50 + place // 200 % 50}.{place % 200 + 1}", 0)
        plain = socket.create_connection(("127.0.0.1", site.secure), 60, source_address=mine)
        with trusting.wrap_socket(plain, server_hostname=NAME) as line, suppress(ConnectionError):
            line.sendall(get(pages[place % len(pages)], NAME, "Accept-Encoding: gzip"))
            while piece := line.recv(65536):
                answer += piece
        took.append(time.monotonic() - began)
        assert status(answer) == 200, (pages[place % len(pages)], answer[:200], headers(answer))
    return took


def p95(took: list[float]) -> float:
    return sorted(took)[len(took) * 95 // 100]


def test_nobody_else_waits_for_those_who_flood_and_those_who_dawdle(door: Site, capsys: pytest.CaptureFixture[str]) -> None:
    visits(door, 6)  # the first of each page draws it
    number = VISITS or 24
    peace = p95(visits(door, number))
    with attacked(door, "flood", FLOOD, FLOOD_ADDRESSES) as flood:
        flooded = p95(visits(door, number))
    with attacked(door, "dawdle", DAWDLE, 1) as dawdling:
        dawdled = p95(visits(door, number))
    with capsys.disabled():
        beside = f"{flooded * 1000:.0f} ms beside {FLOOD} who flood, {dawdled * 1000:.0f} ms beside {DAWDLE} who dawdle"
        said = f"95 of 100 of {number} visits: {peace * 1000:.0f} ms in peace, {beside}; told: {flood}, {dawdling}\n"
        sys.stderr.write(said if LONG else "")
    assert flooded <= FLOOD_LINE_SEC * SLACK
    assert dawdled <= DAWDLE_LINE_SEC * SLACK
    assert int(str(flood["largest"])) <= MOST_BYTES
    answers = {int(code) for code in dict(flood["statuses"])}  # type: ignore[call-overload]
    assert {429, 414} <= answers <= {0, 200, 302, 400, 404, 414, 422, 429}
