"""One request on the wire: answered, or over at its deadline, whatever the other side does.

The time-outs of requests count from byte to byte, and none of them covers name resolution: a server that drips its answer holds
a caller as long as it likes. So each attempt runs in a thread of its own. The caller waits until the deadline and then shuts the
socket down under that thread, which ends it. A thread stuck in name resolution cannot be ended; it keeps its slot, so that
there are never more of them than slots.

Chosen on purpose: no redirects (requests would hand our key to the other host), no cookies, no proxies or credentials from
the environment, gzip only and unpacked here with a limit (1 MB of it can hold 1 GB).
"""

import contextlib
import os
import socket
import threading
import time
import zlib
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from ingestion.errors import Malformed, OutsideError, Permanent, Temporary
from ingestion.key_header import KeyHeader
from ingestion.politeness import stopping

MAX_BODY = 5_000_000  # bytes, unpacked
MAX_ERROR_BODY = 65_536
CHUNK = 65_536
CONNECT_SEC, SILENCE_SEC = 3.0, 5.0
NETWORK_TROUBLE = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer. `body` is unpacked and within its limit."""

    status: int
    body: bytes = field(repr=False)  # it may quote the key, and a traceback shows variables
    content_type: str
    retry_after: tuple[str, ...] = ()
    ratelimit_reset: str | None = None
    date: str | None = None


class _Line:
    """A second handle on the socket of one attempt, for shutting it down from another thread.

    Of its own, because a TLS handshake takes the first one away from whoever holds it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None
        self._over = False

    def take(self, sock: socket.socket | None) -> None:
        if sock is None:
            return
        with self._lock, contextlib.suppress(OSError):
            if self._handle is not None:
                self._handle.close()
            self._handle = socket.socket(fileno=os.dup(sock.fileno()))
            if self._over:
                self._handle.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._over = True
            if self._handle is not None:
                self._handle.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        with self._lock:
            self._over = True
            if self._handle is not None:
                self._handle.close()
                self._handle = None


class _Present(threading.local):
    line: _Line | None = None


_present = _Present()  # the attempt that this thread is


class _PlainConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        if _is_link_local(sock):
            sock.close()
            raise Permanent("the name leads to a link-local address, where cloud machines keep their credentials: nothing was sent")
        if _present.line is not None:
            _present.line.take(sock)
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        if _present.line is not None:
            _present.line.take(self.sock)  # a connection kept alive from an earlier attempt
        super().request(*args, **kwargs)


def _is_link_local(sock: socket.socket) -> bool:
    """None of our services lives there, whatever a name resolves to at this moment."""
    with contextlib.suppress(OSError, ValueError):
        there = ip_address(str(sock.getpeername()[0]).partition("%")[0])
        there = getattr(there, "ipv4_mapped", None) or there
        return there.is_link_local
    return False


class _SecureConnection(_PlainConnection, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


def new_session(connections: int) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": "ToTheMoon/0.1", "Accept": "application/json", "Accept-Encoding": "gzip"})
    adapter = _Adapter(pool_connections=2, pool_maxsize=connections, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class Busy(Temporary):
    """Nothing was sent, for want of a free connection: that says nothing about the service."""


class Slots:
    """How many connections may be at work: of one service, and of all together.

    One service never takes the last one, so that while it hangs the others go on.
    """

    def __init__(self, shared: threading.Semaphore, number: int) -> None:
        self._shared, self._own = shared, threading.BoundedSemaphore(max(1, number - 1))

    def acquire(self, timeout: float) -> bool:
        give_up = time.monotonic() + timeout
        if not self._own.acquire(timeout=timeout):
            return False
        if self._shared.acquire(timeout=max(0.0, give_up - time.monotonic())):
            return True
        self._own.release()
        return False

    def release(self) -> None:
        self._shared.release()
        self._own.release()


@dataclass
class Attempt:
    """`run` returns a Reply or raises Temporary or Malformed, at `give_up` (monotonic) at the latest."""

    session: requests.Session
    url: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    auth: KeyHeader | None
    slots: Slots
    give_up: float
    sent: bytes | None = field(default=None, repr=False)  # the body of a POST; None is a GET
    answered: bool = False  # with 200, complete or not: the service will have counted it
    _line: _Line = field(default_factory=_Line)
    _future: "Future[Reply]" = field(default_factory=Future)

    def run(self) -> Reply:
        if not self.slots.acquire(timeout=max(0.0, self.give_up - time.monotonic())):
            raise Busy("every connection is busy")
        try:
            threading.Thread(target=self._work, name="http-attempt", daemon=True).start()
        except RuntimeError:
            self.slots.release()
            raise Busy("no thread to be had") from None
        while (left := self.give_up - time.monotonic()) > 0 and not stopping.is_set():
            with contextlib.suppress(NotYet):
                return self._future.result(timeout=min(left, 0.2))
        self._line.cut()  # only now: after an answer the same socket may already carry the next request
        raise Temporary("no complete answer within the deadline")

    def _work(self) -> None:
        _present.line = self._line
        try:
            self._future.set_result(self._exchange())
        except OutsideError as error:
            self._future.set_exception(error)
        except NETWORK_TROUBLE as error:
            self._future.set_exception(Temporary(_in_words(error)))  # its own text holds the whole address
        finally:
            _present.line = None
            self._line.let_go()
            self.slots.release()
            if not self._future.done():  # a fault of ours: threading.excepthook shows it, the caller still gets its answer
                self._future.set_exception(Temporary("the request failed in an unforeseen way"))

    def _exchange(self) -> Reply:
        left = max(0.01, self.give_up - time.monotonic())
        response = self.session.request(
            "GET" if self.sent is None else "POST",
            self.url,
            params=self.params,
            data=self.sent,
            headers=self.headers,
            auth=self.auth,
            stream=True,
            allow_redirects=False,
            timeout=(min(CONNECT_SEC, left), min(SILENCE_SEC, left)),
        )
        self.answered = response.status_code == 200
        try:
            if response.status_code < 200:
                response.raw.close()  # the true answer may still follow, and must not be taken for that of the next request
                raise Malformed(f"HTTP {response.status_code} for an answer")
            headers = response.raw.headers
            body = b""
            needed = response.status_code == 200 and self.sent is None
            with contextlib.suppress(*(() if needed else (OutsideError, *NETWORK_TROUBLE))):
                body = _body(response)  # a refusal or a receipt counts even when its explanation cannot be read
            return Reply(
                status=response.status_code,
                body=body,
                content_type=headers.get("Content-Type", "").partition(";")[0].strip().lower(),
                retry_after=tuple(headers.getlist("Retry-After")),
                ratelimit_reset=headers.get("x-ratelimit-reset"),
                date=headers.get("Date"),
            )
        finally:
            response.close()


def _body(response: requests.Response) -> bytes:
    """The unpacked body. Of an error's only the beginning: nothing but its message is of use."""
    fine = response.status_code == 200
    limit = MAX_BODY if fine else MAX_ERROR_BODY
    packing = response.raw.headers.get("Content-Encoding", "").strip().lower()
    if packing not in {"", "identity", "gzip"}:
        raise Malformed("packed in a way that was not asked for")
    unpacker = zlib.decompressobj(wbits=31) if packing == "gzip" else None
    parts, size = [], 0
    for chunk in response.raw.stream(CHUNK, decode_content=False):
        part = _unpacked(unpacker, chunk, limit - size + 1) if unpacker else chunk
        parts.append(part)
        size += len(part)
        if size > limit:
            if fine:
                raise Malformed(f"more than {limit} bytes")
            break
    if fine and unpacker and not unpacker.eof and size:
        raise Malformed("gzip cut short")
    return b"".join(parts)[:limit]


def _unpacked(unpacker: Any, chunk: bytes, most: int) -> bytes:
    if unpacker.eof:
        raise Malformed("bytes after the end of gzip")
    try:
        part: bytes = unpacker.decompress(chunk, most)
    except zlib.error:
        raise Malformed("not gzip, though it says so") from None
    if unpacker.unused_data:
        raise Malformed("bytes after the end of gzip")
    return part


def _in_words(error: Exception) -> str:
    """What happened, without the address: some of these errors carry the whole of it in their text."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its TLS certificate or handshake was refused"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.exceptions.Timeout):
        return "it fell silent"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "the connection failed or broke"
    return f"the answer broke off ({type(error).__name__})"
