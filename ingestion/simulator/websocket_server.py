"""The server's side of RFC 6455, as much of it as a text feed needs: handshake, text frames, ping and pong, close.

Written here because the demo runs with the runtime dependencies alone, and those hold a WebSocket client but no server.
"""

import base64
import hashlib
import logging
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from http import HTTPStatus

logger = logging.getLogger(__name__)

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
LONGEST_HEAD = 16_384
LONGEST_MESSAGE = 65_536


class Refused(Exception):
    """The handshake is answered with this HTTP status instead of 101."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Ended(Exception):
    """The connection is over; `code` is what a close frame should say, None where none can be sent."""

    def __init__(self, code: int | None = 1000) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


@dataclass(frozen=True)
class Frame:
    opcode: int
    final: bool
    payload: bytes


class Connection:
    """One client. `send` may be called from any thread; `receive` from one only."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._input = sock.makefile("rb")
        self._sending = threading.Lock()
        self.open = True

    def asked(self, path: str) -> str:
        """Read the request for an upgrade and return its key."""
        target, headers = self._request()
        key = headers.get("sec-websocket-key", "")
        if target.partition("?")[0] != path:
            raise Refused(HTTPStatus.NOT_FOUND)
        if "websocket" not in headers.get("upgrade", "").lower() or not key:
            raise Refused(HTTPStatus.UPGRADE_REQUIRED)
        return key

    def accept(self, key: str) -> None:
        accept = base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()
        head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}"
        self._write(f"{head}\r\n\r\n".encode())

    def refuse(self, status: HTTPStatus) -> None:
        body = f"{status.phrase}\n".encode()
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close"
        with suppress(OSError):
            self._write(f"{head}\r\n\r\n".encode() + body)

    def _request(self) -> tuple[str, dict[str, str]]:
        lines: list[str] = []
        size = 0
        while line := self._input.readline(LONGEST_HEAD):
            size += len(line)
            if size > LONGEST_HEAD:
                raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            if line in (b"\r\n", b"\n"):
                break
            lines.append(line.decode("latin-1").rstrip("\r\n"))
        first = lines[0].split() if lines else []
        if len(first) != 3 or first[0] != "GET":
            raise Refused(HTTPStatus.BAD_REQUEST)
        pairs = (line.partition(":") for line in lines[1:])
        return first[1], {name.strip().lower(): value.strip() for name, _, value in pairs}

    def send(self, text: str) -> None:
        self._frame(_TEXT, text.encode())

    def send_frames(self, wire: bytes) -> None:
        """Frames that are made already, many of them at once."""
        self._write(wire)

    def receive(self) -> str:
        """The next text message. Pings are answered here; raises Ended when the client goes away or breaks the protocol."""
        parts: list[bytes] = []
        while True:
            frame = self._read_frame()
            if frame.opcode == _CLOSE:
                raise Ended(1000)
            if frame.opcode == _PING:
                self._frame(_PONG, frame.payload)
            elif frame.opcode in (0x0, _TEXT):
                if (frame.opcode == _TEXT) == bool(parts):
                    raise Ended(1002)
                parts.append(frame.payload)
                if sum(map(len, parts)) > LONGEST_MESSAGE:
                    raise Ended(1009)
                if frame.final:
                    return self._decoded(b"".join(parts))
            elif frame.opcode != _PONG:
                raise Ended(1003)

    @staticmethod
    def _decoded(payload: bytes) -> str:
        try:
            return payload.decode()
        except UnicodeDecodeError:
            raise Ended(1007) from None

    def _read_frame(self) -> Frame:
        first, second = self._exactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._exactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._exactly(8))
        opcode, final = first & 0x0F, bool(first & 0x80)
        if first & 0x70 or not second & 0x80:  # reserved bits set, or a client's frame without a mask
            raise Ended(1002)
        if opcode >= 0x8 and (length > 125 or not final):
            raise Ended(1002)
        if length > LONGEST_MESSAGE:
            raise Ended(1009)
        mask = self._exactly(4)
        payload = self._exactly(length)
        pattern = (mask * (length // 4 + 1))[:length]
        unmasked = (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(length, "big")
        return Frame(opcode, final, unmasked)

    def _exactly(self, count: int) -> bytes:
        try:
            data = self._input.read(count)
        except (OSError, ValueError):
            raise Ended(None) from None
        if len(data) < count:
            raise Ended(None)
        return data

    def _frame(self, opcode: int, payload: bytes) -> None:
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", 0x80 | opcode, length)
        elif length < 65_536:
            head = struct.pack("!BBH", 0x80 | opcode, 126, length)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 127, length)
        self._write(head + payload)

    def _write(self, data: bytes) -> None:
        with self._sending:
            self._socket.sendall(data)

    def close(self, code: int | None = 1000) -> None:
        """Say goodbye if that is possible, then let go. Safe to call twice and from any thread."""
        if not self.open:
            return
        self.open = False
        with suppress(OSError):
            if code is not None:
                self._frame(_CLOSE, struct.pack("!H", code))
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class WebSocketServer:
    """Accepts connections on 127.0.0.1. Each is served by `serve(connection)` in a thread of its own, inside `seat()`, which may
    raise Refused."""

    def __init__(self, path: str, port: int, seat: Callable[[], AbstractContextManager[None]], serve: Callable[[Connection], None]) -> None:
        self._path, self._seat, self._serve = path, seat, serve
        self._listening = socket.create_server(("127.0.0.1", port))
        self.url = f"ws://127.0.0.1:{self._listening.getsockname()[1]}{path}"
        self._connections: set[Connection] = set()
        self._stopping = False

    def start(self) -> None:
        threading.Thread(target=self._accept, name="websocket-accept", daemon=True).start()

    def stop(self) -> None:
        self._stopping = True
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in list(self._connections):
            connection.close(1001)

    def _accept(self) -> None:
        while not self._stopping:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A client that takes nothing for so long is gone; reading has no limit, a quiet client is a good one.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 10, 0))
            threading.Thread(target=self._run, args=(Connection(sock),), name="websocket", daemon=True).start()

    def _run(self, connection: Connection) -> None:
        self._connections.add(connection)
        code: int | None = 1000
        try:
            key = connection.asked(self._path)
            with self._seat():
                connection.accept(key)
                self._serve(connection)
        except Refused as refusal:
            connection.refuse(refusal.status)
            code = None
        except Ended as end:
            code = end.code
        except OSError:
            code = None
        finally:
            connection.close(code)
            self._connections.discard(connection)
