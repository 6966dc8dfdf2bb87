"""A WebSocket server over real sockets that does to its clients whatever a script says, and keeps a ledger of what they did.

A script is a function of one Peer; it runs in a thread for each connection. `Server([script_1, script_2])` plays script_1 to the
first connection, script_2 to the second and to all that follow.
"""

import base64
import contextlib
import hashlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
ACKS = ("Successfully subscribed to token creation events.", "Subscribed to 'migration' events.")


class Peer:
    """One client, seen from the server."""

    def __init__(self, plain: socket.socket, server: "Server") -> None:
        self.socket, self.server = plain, server
        self.head = b""
        self.methods: list[tuple[str, float]] = []
        self.pings: list[bytes] = []
        self.pongs: list[tuple[bytes, float]] = []
        self.closed_with: bytes | None = None
        self.gone = threading.Event()
        self.answers_pings = True
        self._changed = threading.Condition()

    # What a script may do

    def read_request(self) -> None:
        while b"\r\n\r\n" not in self.head:
            part = self.socket.recv(4096)
            if not part:
                raise ConnectionError("gone")
            self.head += part

    def shake_hands(self) -> None:
        """The opening handshake; from then on what the client sends is read and noted, and its pings are answered."""
        self.read_request()
        self.socket.sendall(self.welcome())
        self.listen()

    def welcome(self) -> bytes:
        key = next(line.split(b":")[1].strip() for line in self.head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + accept
            + b"\r\n\r\n"
        )

    def listen(self) -> None:
        threading.Thread(target=self._note, daemon=True).start()

    def welcome_and_acknowledge(self) -> None:
        self.shake_hands()
        self.wait_for_methods(2)
        for ack in ACKS:
            self.text(json.dumps({"message": ack}))

    def wait_for_methods(self, number: int, seconds: float = 5) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.methods) >= number or self.gone.is_set(), seconds)

    def text(self, *messages: str | bytes) -> None:
        self.raw(b"".join(frame(TEXT, message) for message in messages))

    def send(self, opcode: int, payload: bytes | str = b"", fin: bool = True) -> None:
        self.raw(frame(opcode, payload, fin))

    def raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def close(self, code: int | None = 1000, reason: bytes = b"") -> None:
        self.send(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)

    def reset(self) -> None:
        """RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.shutdown(socket.SHUT_RD)  # while another thread reads, the system keeps a closed socket open
        self.socket.close()

    def stay(self, seconds: float = 30) -> None:
        """Until the client is gone."""
        self.gone.wait(seconds)

    # What the server notes

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionError("gone")
            data += part
        return data

    def _note(self) -> None:
        try:
            while True:
                first, second = self._exactly(2)
                size = second & 0x7F
                size = struct.unpack("!H", self._exactly(2))[0] if size == 126 else size
                mask = self._exactly(4)
                self._noted(first & 0xF, bytes(byte ^ mask[i % 4] for i, byte in enumerate(self._exactly(size))))
        except (OSError, ValueError):
            pass
        finally:
            self.gone.set()
            with self._changed:
                self._changed.notify_all()

    def _noted(self, opcode: int, payload: bytes) -> None:
        with self._changed:
            if opcode == TEXT:
                self.methods.append((json.loads(payload)["method"], time.monotonic()))
            elif opcode == PING:
                self.pings.append(payload)
                if self.answers_pings:
                    self.send(PONG, payload)
            elif opcode == PONG:
                self.pongs.append((payload, time.monotonic()))
            elif opcode == CLOSE:
                self.closed_with = payload
            self._changed.notify_all()


Script = Callable[[Peer], None]


def frame(opcode: int, payload: bytes | str = b"", fin: bool = True) -> bytes:
    data = payload.encode() if isinstance(payload, str) else payload
    if len(data) < 126:
        size = bytes([len(data)])
    elif len(data) < 65536:
        size = b"\x7e" + struct.pack("!H", len(data))
    else:
        size = b"\x7f" + struct.pack("!Q", len(data))
    return bytes([(0x80 if fin else 0) | opcode]) + size + data


class Server:
    """`peers` and `connected_at` are the ledger; `most_at_once` is how many connections were open at the same time."""

    def __init__(self, scripts: Sequence[Script], tls: ssl.SSLContext | None = None) -> None:
        self._scripts, self._tls = scripts, tls
        self.peers: list[Peer] = []
        self.connected_at: list[float] = []
        self.most_at_once = self._open_now = 0
        self._changed = threading.Condition()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{self.port}/api/data"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listening.close()
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.socket.close()

    def wait_for_connections(self, number: int, seconds: float = 10) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.peers) >= number, seconds)

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._play, args=(plain,), daemon=True).start()

    def _play(self, plain: socket.socket) -> None:
        try:
            peer = Peer(self._tls.wrap_socket(plain, server_side=True) if self._tls else plain, self)
        except OSError:
            return
        with self._changed:
            script = self._scripts[min(len(self.peers), len(self._scripts) - 1)]
            self.peers.append(peer)
            self.connected_at.append(time.monotonic())
            self._open_now += 1
            self.most_at_once = max(self.most_at_once, self._open_now)
            self._changed.notify_all()
        try:
            script(peer)
        except OSError:
            pass  # the client has left; the ledger knows
        finally:
            with self._changed:
                self._open_now -= 1
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                peer.socket.close()


def acknowledged_then(*messages: str | bytes) -> Script:
    """A well-behaved server: takes the subscriptions, acknowledges, sends the messages, and stays."""

    def script(peer: Peer) -> None:
        peer.welcome_and_acknowledge()
        peer.text(*messages)
        peer.stay()

    return script
