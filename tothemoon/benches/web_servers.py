"""The servers that the bench of the web site loads: gunicorn as in production, and nginx with bytes in files."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection

from tothemoon.children import follow_parent

HOST = "127.0.0.1"
SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Server:
    """A server that is running, with its workers."""

    port: int
    pid: int

    def seconds(self) -> float:
        """What it has taken of the processor so far. Workers come and go in production; under a bench they stay."""
        workers = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sum(_seconds_of(pid) for pid in (self.pid, *map(int, workers)))


def _seconds_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def address() -> str:
    """The present database, for another process."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    head, _, query = os.environ["DATABASE_URL"].partition("?")
    return f"{head.rsplit('/', 1)[0]}/{name}?{query}"


@contextmanager
def gunicorn(log: Path, application: str, **environment: str) -> Iterator[Server]:
    """With the file of production; but no worker is replaced after so many requests, which a load like this one reaches in seconds."""
    port = _free_port()
    config = settings.BASE_DIR / "tothemoon/deploy/gunicorn.conf.py"
    words = [sys.executable, "-m", "gunicorn", "--config", str(config), "--max-requests", "0", application]
    usual = {"WEB_BIND": f"{HOST}:{port}", "READ_DOTENV": "0", "LOG_LEVEL": "ERROR", "SECRET_KEY": settings.SECRET_KEY}
    with log.open("w") as said:
        server = subprocess.Popen(  # noqa: S603 - ourselves
            words,
            cwd=settings.BASE_DIR,
            env={**os.environ, **usual, **environment},
            stdout=said,
            stderr=said,
            preexec_fn=follow_parent,
        )
    with _loaded(port, server, log) as running:
        yield running


@contextmanager
def nginx(folder: Path) -> Iterator[Server | None]:
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
    server = subprocess.Popen(words, stderr=subprocess.DEVNULL, preexec_fn=follow_parent)  # noqa: S603
    with _loaded(port, server, log) as running:
        yield running


@contextmanager
def _loaded(port: int, server: subprocess.Popen[bytes], log: Path) -> Iterator[Server]:
    """From its first answer on; ended afterwards, also where it never answered."""
    try:
        _until_it_answers(port, server, log)
        yield Server(port, server.pid)
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
            client.request("GET", "/")
            client.getresponse().read()
            return
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"a server did not start: {log.read_text(errors='replace')[-2000:] if log.exists() else ''}")
