"""The site as the world meets it: nginx with our file, TLS, and gunicorn with our file behind it on a Unix socket."""

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

DEPLOY = Path(settings.BASE_DIR) / "tothemoon/deploy"
NAME = "moon.example.org"
ON_EVERY_ANSWER = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}

WITH_SBIN = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}  # where Debian keeps nginx

pytestmark = [
    pytest.mark.django_db,  # for the tables alone: the site under trial is another process
    pytest.mark.skipif(not settings.ON_SQLITE, reason="says nothing about the database"),
    pytest.mark.skipif(not shutil.which("nginx", path=WITH_SBIN["PATH"]), reason="nginx is missing (Debian: apt install nginx)"),
    pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is missing (Debian: apt install openssl)"),
]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Site:
    folder: Path
    plain: int
    secure: int
    systemd: socket.socket

    def ask(self, path: str, method: str = "GET", host: str = NAME, body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
        context = ssl.create_default_context(cafile=str(self.folder / "cert.pem"))
        line = http.client.HTTPSConnection("127.0.0.1", self.secure, timeout=60, context=context)
        line.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", self.secure), 60), server_hostname=NAME)
        line.request(
            method, path, body=body or None, headers={"Host": host, **{key.replace("_", "-"): value for key, value in headers.items()}}
        )
        answer = line.getresponse()
        answer.read()
        return answer


def certificate(folder: Path) -> None:
    key = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    line = f"{key} -subj /CN={NAME} -addext subjectAltName=DNS:{NAME} -keyout {folder}/key.pem -out {folder}/cert.pem"
    subprocess.run(line.split(), check=True, capture_output=True)


def placed(folder: Path, plain: int, secure: int) -> Path:
    """Our site file with this machine's places, inside the smallest nginx.conf; only addresses and paths are changed."""
    site = (DEPLOY / "nginx/tothemoon.conf").read_text()
    for there, here in {
        "listen [::]:80": f"listen [::1]:{plain}",
        "listen 80": f"listen 127.0.0.1:{plain}",
        "listen [::]:443": f"listen [::1]:{secure}",
        "listen 443": f"listen 127.0.0.1:{secure}",
        "/etc/tothemoon/tls/fullchain.pem": f"{folder}/cert.pem",
        "/etc/tothemoon/tls/privkey.pem": f"{folder}/key.pem",
        "/run/tothemoon-web/socket": f"{folder}/socket",
        "/var/lib/tothemoon/static/": f"{folder}/static/",
        "/opt/tothemoon/": f"{settings.BASE_DIR}/",
    }.items():
        assert there in site
        site = site.replace(there, here)
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        site = "\n".join(line for line in site.splitlines() if "[::1]" not in line)
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ include /etc/nginx/mime.types; access_log off; {temporary}\n{site}\n}}\n"
    )
    return folder / "nginx.conf"


def answering(port_or_socket: int | Path) -> bool:
    family = socket.AF_INET if isinstance(port_or_socket, int) else socket.AF_UNIX
    with socket.socket(family) as probe:
        probe.settimeout(1)
        try:
            probe.connect(("127.0.0.1", port_or_socket) if isinstance(port_or_socket, int) else str(port_or_socket))
        except OSError:
            return False
    return True


def speaking(port_or_socket: int | Path) -> bool:
    """Whether a worker of gunicorn answers: its master listens while they are still beginning, which takes long on a busy machine."""
    with socket.socket(socket.AF_INET if isinstance(port_or_socket, int) else socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(("127.0.0.1", port_or_socket) if isinstance(port_or_socket, int) else str(port_or_socket))
            probe.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            return probe.recv(5) == b"HTTP/"
        except OSError:
            return False


def wait_for(there: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline, pause = time.monotonic() + 60, threading.Event()
    while not there():
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        assert time.monotonic() < deadline
        pause.wait(0.05)


@pytest.fixture(scope="module")
def nginx_files() -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="ttm-nginx-"))
    certificate(folder)
    (folder / "static").mkdir()
    (folder / "static/site.css").write_text("body { color: green }")
    (folder / "secret.txt").write_text("outside of static")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(folder / "notify"))
        systemd.settimeout(60)
        site = Site(folder, free_port(), free_port(), systemd)
        placed(folder, site.plain, site.secure)
        yield site
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def front(nginx_files: Site) -> Iterator[Site]:
    """nginx alone, as while the web service restarts."""
    folder = nginx_files.folder
    nginx = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")], env=WITH_SBIN, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: answering(nginx_files.secure), nginx)
        yield nginx_files
    finally:
        nginx.terminate()
        nginx.wait(15)


@pytest.fixture(scope="module")
def site(front: Site, django_db_setup: None) -> Iterator[Site]:
    """nginx and gunicorn, both with the files an operator copies."""
    folder = front.folder
    environment = {
        **os.environ,
        "ALLOWED_HOSTS": NAME,
        "HTTPS_ONLY": "true",
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "WEB_BIND": f"unix:{folder}/socket",
        "WEB_WORKERS": "1",
        "NOTIFY_SOCKET": str(folder / "notify"),
    }
    line = [sys.executable, "-m", "gunicorn", "--config", str(DEPLOY / "gunicorn.conf.py")]
    gunicorn = subprocess.Popen(line, cwd=settings.BASE_DIR, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: speaking(folder / "socket"), gunicorn)
        yield front
    finally:
        gunicorn.terminate()
        gunicorn.wait(15)


def test_nginx_accepts_the_file(nginx_files: Site) -> None:
    done = subprocess.run(["nginx", "-t", "-c", str(nginx_files.folder / "nginx.conf")], capture_output=True, text=True, env=WITH_SBIN)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_while_the_site_restarts_people_read_that_it_does(front: Site) -> None:
    answer = front.ask("/")
    assert answer.status == 502
    assert answer.headers.get_all("x-content-type-options") == ["nosniff"]


def test_every_answer_carries_the_headers_once_whatever_its_status(site: Site) -> None:
    asked = {
        "a static file": (site.ask("/static/site.css"), 200),
        "a static file that is not there": (site.ask("/static/none.css"), 404),
        "a page that is not there": (site.ask("/nothing/here/"), 404),
        "a redirect": (site.ask("/admin/"), 302),
        "a body too large": (site.ask("/admin/login/", "POST", body=b"x" * 70_000), 413),
        "a method nobody needs": (site.ask("/", "DELETE"), 405),
        "a file outside of static": (site.ask("/static../secret.txt"), 404),
        "this machine asking for metrics": (site.ask("/metrics"), None),
    }
    for what, (answer, status) in asked.items():
        assert status in (None, answer.status), f"{what}: {answer.status}"
        for name, value in ON_EVERY_ANSWER.items():
            assert answer.headers.get_all(name) == [value], f"{what}: {name}"
        assert len(answer.headers.get_all("content-security-policy") or []) == 1, what
        (hsts,) = answer.headers.get_all("strict-transport-security") or [""]
        assert "max-age=31536000" in hsts, what
        assert answer.headers["server"] == "nginx", what


def test_attempts_to_log_in_are_slowed_down_and_looking_at_the_form_is_not(site: Site) -> None:
    assert [site.ask("/admin/login/", "POST", body=b"a=b").status for _ in range(12)].count(429) >= 6
    assert site.ask("/admin/login/").status == 200


def test_the_web_service_tells_systemd_that_it_is_ready_and_goes_on_telling(site: Site) -> None:
    said: set[bytes] = set()
    while not {b"READY=1", b"WATCHDOG=1"} <= said:
        said.update(site.systemd.recv(4096).split(b"\n"))  # a time-out ends it


def test_another_name_gets_no_answer(front: Site) -> None:
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        front.ask("/", host="evil.example.com")


def test_plain_http_is_sent_to_https(front: Site) -> None:
    line = http.client.HTTPConnection("127.0.0.1", front.plain, timeout=5)
    line.request("GET", "/tokens/?q=1", headers={"Host": NAME})
    answer = line.getresponse()
    assert (answer.status, answer.headers["location"]) == (301, f"https://{NAME}/tokens/?q=1")
