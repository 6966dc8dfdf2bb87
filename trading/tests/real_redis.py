"""A real Redis for one test session: its own folder, its own port, gone at the end."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

REDIS = shutil.which("redis-server")


def needs_redis() -> None:
    """Where Redis is not installed the test is left out; a machine that must show everything says CI."""
    if REDIS is None and os.environ.get("CI"):
        pytest.fail("redis-server is not installed")
    if REDIS is None:
        pytest.skip("redis-server is not installed")


@contextmanager
def running(port: int | None = None) -> Iterator[str]:
    needs_redis()
    port = port or free_port()
    with tempfile.TemporaryDirectory(prefix="ttm-redis-") as folder:
        command = [str(REDIS), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _wait(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(10)


def free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


def _wait(port: int) -> None:
    ends = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.02)
