"""A server of a bench in a process of its own: what it costs is not counted against what is measured. It ends with its standard input."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def beside(module: str, *words: object) -> Iterator[str]:
    """The address that the module's server prints."""
    command = [sys.executable, "-m", module, *map(str, words)]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ourselves
    try:
        yield server.stdout.readline().strip() if server.stdout else ""
    finally:
        server.communicate()


def until_told_to_end(address: str) -> None:
    """The server's side: says where it is, and waits."""
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()
    sys.stdin.read()
