"""Visitors of a site behind nginx: they go from page to page without hurry, and remember every answer."""

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

PATIENCE_SEC = 30.0


class Line(http.client.HTTPSConnection):
    """To this machine, under the name of the site. The certificate is one that the operator has signed himself."""

    def __init__(self, name: str) -> None:
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        super().__init__("127.0.0.1", 443, timeout=PATIENCE_SEC, context=trusting)
        self._name, self._trusting = name, trusting

    def connect(self) -> None:
        bare = socket.create_connection(("127.0.0.1", 443), PATIENCE_SEC)
        self.sock = self._trusting.wrap_socket(bare, server_hostname=self._name)

    def ask(self, path: str) -> tuple[int, bytes]:
        self.request("GET", path, headers={"Host": self._name, "Accept-Encoding": "identity"})
        answer = self.getresponse()
        return answer.status, answer.read()


def ask(name: str, path: str) -> tuple[int, bytes]:
    line = Line(name)
    try:
        return line.ask(path)
    finally:
        line.close()


def ask_json(name: str, path: str) -> Any:
    """What the site says there; nothing while it does not answer."""
    with suppress(OSError, http.client.HTTPException, ValueError):
        return json.loads(ask(name, path)[1])
    return None


@dataclass(frozen=True)
class Visit:
    at: float
    path: str
    status: int  # 0: no answer
    took_sec: float
    body: bytes
    why: str = ""

    @property
    def well(self) -> bool:
        return self.status in (200, 304)


class Crowd:
    """Each in a thread of its own, from the beginning to the end of what they watch; `over` tells them of the end."""

    def __init__(self, walks: Sequence[Callable[[], None]]) -> None:
        self.over = threading.Event()
        self._threads = [threading.Thread(target=walk) for walk in walks]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()


class Visitors(Crowd):
    """`number` of them, each asking `rate` times a second at most, with a connection of its own that is kept."""

    def __init__(self, name: str, paths: Sequence[str], number: int = 4, rate: float = 4.0, keep: bytes = b"") -> None:
        self._name, self._paths, self._pause, self._keep = name, paths, 1 / rate, keep
        self.visits: list[Visit] = []
        super().__init__([partial(self._walk, first) for first in range(number)])

    def _walk(self, number: int) -> None:
        line = Line(self._name)
        while not self.over.wait(self._pause):
            path = self._paths[number % len(self._paths)]
            number += 1
            visit = self._visit(line, path)
            self.visits.append(visit)
            if not visit.status:
                line.close()
                line = Line(self._name)
        line.close()

    def _visit(self, line: Line, path: str) -> Visit:
        began, why, status, body = time.monotonic(), "", 0, b""
        try:
            status, body = line.ask(path)
        except (OSError, http.client.HTTPException) as error:
            why = repr(error)
        kept = self._keep if self._keep and self._keep in body else b""  # pages by the thousand need not be remembered whole
        return Visit(
            began, path, status, time.monotonic() - began, kept, why or (body[:200].decode(errors="replace") if status >= 400 else "")
        )
