"""One WebSocket connection that ends by an error, never silently, and that nothing the server does can hang or swell.

websocket-client reads and writes the frames. Left alone it would follow redirects, obey proxy variables, take frames of any
size, and wait for ever for a server that drips; the socket it reads from here is ours, and so it does none of that.
"""

import re
import select
import socket
import ssl
import time
from http.cookies import CookieError
from typing import Any, Self
from urllib.parse import urlsplit

import websocket

from ingestion import strict_json
from ingestion.errors import Temporary

OPEN_SEC = 10.0  # name resolution apart, which no timeout reaches: run `connect` where nobody has to wait for it
WRITE_SEC = 5.0
MAX_HEAD_BYTES = 32_768
MAX_MESSAGE_BYTES = 262_144
READ_BYTES = 65_536

BANNED = 418
REFUSALS = {401: "the key is not accepted", 403: "banned or blocked", 404: "nothing there", BANNED: "banned", 426: "another protocol"}
REFUSALS |= {429: "too many tries"}

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})\b")
_PLAIN_HEADS = frozenset({0x81, 0x82})  # a text or a binary message, whole, no reserved bit set
_LENGTH_IN_TWO_BYTES = 126
_FAULTS = (OSError, websocket.WebSocketException, CookieError, ValueError)


class Lost(Temporary):
    """The connection is over, or never came about. Wait, connect again, subscribe again.

    `refused` when the server does not want us (401, 403, 404, 418, 426, 429, or it says so): then wait long. Its `head` may say how long.
    """

    def __init__(self, why: str, *, kind: str, refused: bool = False, head: bytes = b"") -> None:
        super().__init__(why)
        self.kind = kind
        self.refused = refused
        self.head = head

    @property
    def banned(self) -> bool:
        """By Binance's word for it, and for as long as its head says: who comes back sooner is banned for longer."""
        line = _STATUS_LINE.match(self.head)
        return line is not None and int(line[1]) == BANNED


class _Wire:
    """A socket that reads ahead and gives up at `deadline` (monotonic), whatever has come by then. Half a frame stays where it is."""

    def __init__(self, plain: socket.socket, deadline: float) -> None:
        self.socket, self.deadline = plain, deadline
        self.head = bytearray()  # what the handshake was made of
        self.in_handshake = True
        self._ahead, self._at = b"", 0

    def recv(self, size: int) -> bytes:
        left = self._left()
        if self._at == len(self._ahead):
            self.socket.settimeout(left)
            self._ahead, self._at = self.socket.recv(READ_BYTES), 0
        part = self._ahead[self._at : self._at + size]
        self._at += len(part)
        if self.in_handshake:  # what lies ahead may already be the first frames
            self.head += part
            if len(self.head) > MAX_HEAD_BYTES:
                raise ConnectionAbortedError(f"more than {MAX_HEAD_BYTES} bytes before the connection was open")
        return part

    def whole_messages(self, most: int | None = None) -> list[bytes]:
        """The next messages as far as they lie here already, each whole and in one plain frame; what follows stays as it is.

        Nearly all of what a feed sends is that, and the library takes ten times as long for it. Whatever is odd in the least (a control
        frame, a piece, a mask, a reserved bit, a length in eight bytes) is left to the library, which knows the protocol.
        """
        ahead, at, found = self._ahead, self._at, list[bytes]()
        there = len(ahead)
        while at + 4 <= there and ahead[at] in _PLAIN_HEADS and len(found) != most:
            length, begin = ahead[at + 1], at + 2
            if length == _LENGTH_IN_TWO_BYTES:
                length, begin = ahead[at + 2] << 8 | ahead[at + 3], at + 4
            elif length > _LENGTH_IN_TWO_BYTES:
                break
            end = begin + length
            if end > there or length > MAX_MESSAGE_BYTES:
                break
            found.append(ahead[begin:end])
            at = end
        self._at = at
        return found

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def drained(self) -> bool:
        """Whether all that has arrived has been read."""
        held = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0
        if held or self._at < len(self._ahead):
            return False
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return not poll.poll(0)

    def send(self, data: bytes) -> int:
        self.socket.settimeout(WRITE_SEC)
        try:
            return self.socket.send(data)
        except TimeoutError:
            raise ConnectionAbortedError(f"the server has not read for {WRITE_SEC:g} s") from None

    def gettimeout(self) -> float:
        return WRITE_SEC

    def settimeout(self, _: float | None) -> None:
        """The deadline rules."""

    def fileno(self) -> int:
        return self.socket.fileno()

    def close(self) -> None:
        self.socket.close()

    @property
    def _closed(self) -> bool:
        return self.socket.fileno() == -1


class _Frames(websocket.frame_buffer):
    """Refuses a frame by its head, before a byte of its body is taken."""

    def recv_header(self) -> None:
        super().recv_header()
        if self.has_mask():
            raise websocket.WebSocketProtocolException("a masked frame")

    def recv_length(self) -> None:
        super().recv_length()
        if self.length is not None and self.length > MAX_MESSAGE_BYTES:
            raise websocket.WebSocketProtocolException(f"a frame of {self.length} bytes, more than {MAX_MESSAGE_BYTES}")


class _Messages(websocket.continuous_frame):
    """Puts a message together from its pieces, up to the same size as one frame."""

    def add(self, frame: Any) -> None:
        super().add(frame)
        if self.cont_data is not None and len(self.cont_data[1]) > MAX_MESSAGE_BYTES:
            raise websocket.WebSocketProtocolException(f"a message in pieces of more than {MAX_MESSAGE_BYTES} bytes")


class OneSocket:
    """An open connection: `receive` until it raises Lost. All its timers run on the monotonic clock.

    It pings every `ping_sec` and expects the pong within `ping_timeout_sec`; `stall_sec` without a *message* is the end as well,
    because a server can answer pings for hours and say nothing.
    """

    def __init__(self, opened: websocket.WebSocket, wire: _Wire, ping_sec: float, ping_timeout_sec: float, stall_sec: float) -> None:
        self._ws, self._wire = opened, wire
        self._ping_sec, self._ping_timeout_sec, self._stall_sec = ping_sec, ping_timeout_sec, stall_sec
        self.opened_at = self.last_message_at = self.last_sign_at = self._pinged_at = self._checked_at = time.monotonic()
        self.messages = 0
        self._pings = 0
        self._pong_awaited = False

    @classmethod
    def connect(
        cls,
        address: str,
        query: str = "",
        *,
        ping_sec: float,
        ping_timeout_sec: float,
        stall_sec: float,
        open_sec: float = OPEN_SEC,
        tls: ssl.SSLContext | None = None,
    ) -> Self:
        """Open a connection to `address`. `query` may hold a key: it is sent and never appears in any message.

        No redirect is followed, no proxy is used whatever the environment says, no compression is offered.
        """
        deadline = time.monotonic() + open_sec
        parts = urlsplit(address)
        host = parts.hostname or ""
        secure = parts.scheme == "wss"
        try:
            plain = _reach(host, parts.port or (443 if secure else 80), deadline)
            wire = _Wire(_secured(plain, host, deadline, tls) if secure else plain, deadline)
        except OSError as error:
            raise _not_reached(host, error) from None
        opened = websocket.WebSocket(skip_utf8_validation=True, enable_multithread=False)
        opened.frame_buffer, opened.cont_frame = _Frames(opened._recv, True), _Messages(False, True)
        try:
            opened.connect(  # type: ignore[no-untyped-call]
                f"{address}{'&' if parts.query else '?'}{query}" if query else address,
                socket=wire,
                redirect_limit=0,
                suppress_origin=True,
                header=["User-Agent: ToTheMoon"],
            )
        except _FAULTS as error:
            wire.close()
            raise _not_opened(bytes(wire.head), error) from None
        wire.in_handshake = False
        return cls(opened, wire, ping_sec, ping_timeout_sec, stall_sec)

    def send(self, text: str) -> None:
        try:
            self._ws.send(text)
        except _FAULTS as error:
            raise Lost(f"could not send: {_words(error)}", kind="lost") from None

    def receive(self, seconds: float) -> bytes | None:
        """The next message; None after so many seconds, or after a ping or pong, so that the caller can look around."""
        return next(iter(self.receive_all(seconds, 1)), None)

    def receive_all(self, seconds: float, most: int | None = None) -> list[bytes]:
        """All messages that have been read from the socket already, or else the next one, waited for; none where `receive` says None."""
        now = time.monotonic()
        self._check_timers(now, seconds)
        if not self._is_within_a_message() and (messages := self._wire.whole_messages(most)):
            self.last_sign_at = self.last_message_at = now
            self.messages += len(messages)
            return messages
        message = self._waited_for(seconds)
        return [] if message is None else [message]

    def _waited_for(self, seconds: float) -> bytes | None:
        self._wire.deadline = time.monotonic() + seconds
        try:
            opcode, frame = self._ws.recv_data_frame(control_frame=True)
        except websocket.WebSocketTimeoutException:
            return None
        except websocket.WebSocketConnectionClosedException:
            raise Lost("the connection was cut without a word", kind="cut") from None
        except websocket.WebSocketException as error:
            raise Lost(f"the server broke the protocol: {_words(error)}", kind="protocol") from None
        except (OSError, ValueError) as error:
            raise Lost(f"the connection was cut: {_words(error)}", kind="cut") from None
        self.last_sign_at = time.monotonic()
        return self._understand(opcode, frame.data)

    def _is_within_a_message(self) -> bool:
        """Whether the library has taken a part of something: the rest is for it as well."""
        frames = self._ws.frame_buffer
        return frames.header is not None or bool(frames.recv_buffer) or self._ws.cont_frame.cont_data is not None

    def _understand(self, opcode: int, data: bytes | str) -> bytes | None:
        raw = data if isinstance(data, bytes) else data.encode()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise _closed(raw)
        if opcode == websocket.ABNF.OPCODE_PONG and raw == self._payload():
            self._pong_awaited = False
        if opcode not in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY):
            return None
        self.last_message_at = self.last_sign_at
        self.messages += 1
        return raw

    def _payload(self) -> bytes:
        return b"%d" % self._pings

    def _check_timers(self, now: float, tick: float) -> None:
        frozen = now - self._checked_at - tick
        if frozen > 1:  # we slept (a stopped process, a starved machine): what came meanwhile is still to be read
            self._pinged_at += frozen
            self.last_message_at += frozen
        self._checked_at = now
        if now - self.last_message_at > self._stall_sec:
            raise Lost(f"no message for {self._stall_sec:g} s", kind="stalled")
        if self._pong_awaited:
            # While there is still something to read, the pong may be in it: a reader that is behind must not hang up on itself.
            if now - self._pinged_at > self._ping_timeout_sec and self._wire.drained():
                raise Lost(f"no answer to a ping for {self._ping_timeout_sec:g} s", kind="no_pong")
        elif now - self._pinged_at >= self._ping_sec:
            self._pings += 1
            self._pinged_at, self._pong_awaited = now, True
            try:
                self._ws.ping(self._payload())
            except _FAULTS as error:
                raise Lost(f"could not send a ping: {_words(error)}", kind="lost") from None

    def close(self) -> None:
        """Say goodbye if that takes no time, and hang up."""
        try:
            self._wire.socket.settimeout(0.2)
            self._wire.socket.send(websocket.ABNF.create_frame(b"\x03\xe8", websocket.ABNF.OPCODE_CLOSE).format())
        except (OSError, ValueError):
            pass  # it is gone already
        finally:
            self._wire.close()


def _reach(host: str, port: int, deadline: float) -> socket.socket:
    """A TCP connection to the first of the host's addresses that answers; each has an equal part of the time that is left."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    trouble: OSError = TimeoutError("no address answered in time")
    for tried, (family, kind, protocol, _, where) in enumerate(addresses):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            return _connected(socket.socket(family, kind, protocol), where, left / (len(addresses) - tried))
        except OSError as error:  # of a family, too, that this machine does not have
            trouble = error
    raise trouble


def _connected(plain: socket.socket, where: Any, seconds: float) -> socket.socket:
    try:
        plain.settimeout(seconds)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.connect(where)
    except OSError:
        plain.close()
        raise
    return plain


def _secured(plain: socket.socket, host: str, deadline: float, tls: ssl.SSLContext | None) -> ssl.SSLSocket:
    context = tls or ssl.create_default_context()
    secure = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
    try:
        secure.settimeout(max(0.01, deadline - time.monotonic()))
        secure.do_handshake()  # its timeout is a deadline for the whole of it
    except (OSError, ValueError):
        secure.close()
        raise
    return secure


def _not_reached(host: str, error: OSError) -> Lost:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Lost(f"the certificate of {host} is not to be trusted: {error.verify_message}", kind="certificate")
    if isinstance(error, ssl.SSLError):
        return Lost(f"no secure connection to {host}: {error.reason or 'handshake failed'}", kind="tls")
    if isinstance(error, socket.gaierror):
        return Lost(f"the name {host} cannot be resolved: {error.strerror}", kind="name")
    if isinstance(error, TimeoutError):
        return Lost(f"{host} does not answer", kind="unreachable")
    return Lost(f"{host} cannot be reached: {_words(error)}", kind="unreachable")


def _not_opened(head: bytes, error: Exception) -> Lost:
    """The library's own words are not used: they quote the server's headers and body."""
    line = _STATUS_LINE.match(head)
    status = int(line[1]) if line else 0
    if status in REFUSALS:
        return Lost(f"refused with HTTP {status} ({REFUSALS[status]})", kind="refused", refused=True, head=head)
    if 300 <= status < 400:
        return Lost(f"answered with a redirect (HTTP {status}), which is not followed", kind="redirect", head=head)
    if status and status != 101:
        return Lost(f"answered with HTTP {status}", kind="status", head=head)
    if isinstance(error, TimeoutError | websocket.WebSocketTimeoutException):
        return Lost("the handshake was not finished in time", kind="handshake")
    return Lost("the handshake failed: not an answer of a WebSocket server", kind="handshake")


def _closed(payload: bytes) -> Lost:
    code = str(int.from_bytes(payload[:2], "big")) if len(payload) >= 2 else "no code"
    reason = strict_json.text(payload[2:].decode("utf-8", "replace"), 123)
    return Lost(f"closed by the server ({code}{': ' + reason if reason else ''})", kind="closed")


def _words(error: Exception) -> str:
    return strict_json.text(str(getattr(error, "strerror", None) or error), 120) or type(error).__name__
