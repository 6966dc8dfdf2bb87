"""A small HTTP/1.1 server: connections are kept, every answer is JSON, and a rate is enforced as the services do."""

import json
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Service(Protocol):
    def answer(self, path: str, query: Mapping[str, str], headers: Message) -> Answer: ...


class Rate:
    """At most so many calls in any stretch of so many seconds of real time."""

    def __init__(self, calls: int, seconds: float) -> None:
        self.calls, self.seconds = calls, seconds
        self._taken: deque[float] = deque()
        self._lock = threading.Lock()

    def take(self) -> int | None:
        """How many calls are left after this one; None when it is one too many."""
        now = time.monotonic()
        with self._lock:
            while self._taken and self._taken[0] <= now - self.seconds:
                self._taken.popleft()
            if len(self._taken) >= self.calls:
                return None
            self._taken.append(now)
            return self.calls - len(self._taken)

    def free_at(self) -> int:
        """Unix second at which the oldest call has left the stretch."""
        with self._lock:
            wait = self._taken[0] + self.seconds - time.monotonic() if self._taken else 0.0
        return int(time.time() + max(0.0, wait)) + 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet
    timeout = 120
    server: "JsonServer"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        answer = self.server.service.answer(parts.path, query, self.headers)
        body = json.dumps(answer.body, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)


class JsonServer(ThreadingHTTPServer):
    """Serves one service on 127.0.0.1 until stopped. Port 0 picks a free one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, service: Service, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.service = service
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, name=type(service).__name__, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        level = logging.DEBUG if isinstance(sys.exception(), OSError) else logging.ERROR  # a client that went away is no news
        logger.log(level, "request from %s failed", client_address, exc_info=True)
