"""An HTTP server on a real socket that does, on purpose and by script, what servers must not do.

A behaviour is a function that gets one conversation (a request that has come in, on its socket) and does with it what it likes.
The server plays the script's behaviours one a request, the last one again and again, and keeps a list of all requests.
"""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

DRIP_SEC = 0.02


@dataclass
class Request:
    target: str
    headers: dict[str, str]
    at: float
    connection: int

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def params(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


@dataclass
class Conversation:
    sock: socket.socket
    request: Request
    over: threading.Event
    keep: bool = field(default=True)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes) -> None:
        for byte in data:
            if self.over.wait(DRIP_SEC):
                return
            self.send(bytes([byte]))

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.keep = False


Behaviour = Callable[[Conversation], None]


@dataclass
class MisbehavingServer:
    script: list[Behaviour]
    greeting: bytes = b""  # said before anything is asked
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "MisbehavingServer":
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(2)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._converse, args=(sock, self.connections), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _converse(self, sock: socket.socket, number: int) -> None:
        sock.settimeout(0.1)
        self._open.add(sock)
        with sock, contextlib.suppress(OSError):
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            sock.sendall(self.greeting)
            for head in self._heads(sock):
                lines = head.decode("latin-1").split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
                request = Request(lines[0].split(" ")[1], headers, time.monotonic(), number)
                with self._lock:
                    self.requests.append(request)
                    behave = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                conversation = Conversation(sock, request, self._over)
                behave(conversation)
                if not conversation.keep:
                    break
        self._open.discard(sock)

    def _heads(self, sock: socket.socket) -> Iterator[bytes]:
        """The head of each request on this connection; a GET has no body."""
        seen = b""
        while not self._over.is_set():
            try:
                data = sock.recv(65536)
            except TimeoutError:
                continue
            if not data:
                return
            seen += data
            while b"\r\n\r\n" in seen:
                head, _, seen = seen.partition(b"\r\n\r\n")
                yield head


# Behaviours


def raw(data: bytes, keep: bool = False) -> Behaviour:
    """Exactly these bytes, and then the end of the connection."""

    def behave(talk: Conversation) -> None:
        talk.keep = keep
        talk.send(data)

    return behave


def head(status: int = 200, headers: Mapping[str, str] | list[tuple[str, str]] = (), length: int | None = None) -> bytes:
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    if not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.append(("Content-Type", "application/json"))
    if length is not None:
        pairs.append(("Content-Length", str(length)))
    return (f"HTTP/1.1 {status} Whatever\r\n" + "".join(f"{name}: {value}\r\n" for name, value in pairs) + "\r\n").encode("latin-1")


def answer(body: Any = b"{}", status: int = 200, headers: Mapping[str, str] | list[tuple[str, str]] = ()) -> Behaviour:
    """A well-formed answer: `body` as it is when it is bytes, else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return raw(head(status, headers, len(data)) + data, keep=True)


def by_request(chosen: Callable[[Request], Behaviour]) -> Behaviour:
    return lambda talk: chosen(talk.request)(talk)


def silence(talk: Conversation) -> None:
    talk.over.wait(5)
    talk.keep = False


def drip_headers(talk: Conversation) -> None:
    talk.keep = False
    talk.drip(head(200, {"X-Slow": "x" * 500}, 2) + b"{}")


def drip_body(talk: Conversation) -> None:
    talk.keep = False
    talk.send(head(200, length=500))
    talk.drip(b'"' + b"x" * 498 + b'"')


def endless_continue(talk: Conversation) -> None:
    talk.keep = False
    while not talk.over.wait(DRIP_SEC / 4):
        talk.send(b"HTTP/1.1 100 Continue\r\n\r\n")


def reset_in_body(talk: Conversation) -> None:
    talk.send(head(200, length=1000) + b'{"half":')
    talk.reset()


def close_without_answer(talk: Conversation) -> None:
    talk.keep = False


short_body = raw(head(200, length=1000) + b'{"half":1}')
cut_chunked = raw(head(200, {"Transfer-Encoding": "chunked"}) + b'20\r\n{"half":')
bad_status_line = raw(b"ICY 999 no\r\n\r\n")
long_header = raw(head(200, {"X-Long": "x" * 70_000}, 2) + b"{}")
many_headers = raw(head(200, [(f"X-{number}", "x") for number in range(300)], 2) + b"{}")
cookie_flood = answer(b"{}", headers=[("Set-Cookie", f"a{number}=b; Path=/") for number in range(60)])
early_hints = raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + head(200, length=2) + b"{}")


def zipped(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def bomb() -> bytes:
    """One megabyte that unpacks to one gigabyte: a block of zeros, flushed whole, over and over."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    header = packer.compress(b"") or b""
    block = packer.compress(b"0" * 16_000_000) + packer.flush(zlib.Z_FULL_FLUSH)
    again = zlib.compressobj(9, zlib.DEFLATED, -15)
    bare = again.compress(b"0" * 16_000_000) + again.flush(zlib.Z_FULL_FLUSH)
    return header + block + bare * 64


def gzipped(data: bytes) -> Behaviour:
    return raw(head(200, {"Content-Encoding": "gzip"}, len(data)) + data, keep=True)
