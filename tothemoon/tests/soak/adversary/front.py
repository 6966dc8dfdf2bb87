"""TLS before a plain server, by a certificate that is decided from outside while clients come; or something else than TLS."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

Greets = Callable[[socket.socket], None]
PIECE = 65_536


class Front:
    """Whoever comes is greeted by `greets`; left alone, it is shown `shows` and then led to the plain server behind.

    `said` is what clients told a front that led them nowhere, after they had believed it.
    """

    def __init__(self, behind: int, shows: ssl.SSLContext) -> None:
        self._behind, self.shows = behind, shows
        self.greets: Greets = self.lets_in
        self.said: list[bytes] = []
        self.came = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._listening.accept()
                self.came += 1
                self._open.append(plain)
                threading.Thread(target=self._greet, args=(plain, self.greets), daemon=True).start()

    def _greet(self, plain: socket.socket, greets: Greets) -> None:
        with plain, contextlib.suppress(OSError):
            greets(plain)

    def lets_in(self, plain: socket.socket) -> None:
        with self.shows.wrap_socket(plain, server_side=True) as secure, socket.create_connection(("127.0.0.1", self._behind)) as behind:
            _lead(secure, behind)

    def traps(self, context: ssl.SSLContext) -> Greets:
        """A stranger who shows this certificate, and notes what he is told."""

        def greets(plain: socket.socket) -> None:
            with context.wrap_socket(plain, server_side=True) as secure:
                self.said.append(secure.recv(PIECE))

        return greets


def _lead(secure: ssl.SSLSocket, behind: socket.socket) -> None:
    """Both ways, in one thread: two of them must not use one TLS connection at the same time."""
    while True:
        ready = [secure] if secure.pending() else select.select([secure, behind], [], [])[0]
        for source, target in ((secure, behind), (behind, secure)):
            if source in ready:
                data = source.recv(PIECE)
                if not data:
                    return
                target.sendall(data)


def speaks_plainly(plain: socket.socket) -> None:
    plain.recv(PIECE)
    plain.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def speaks_an_old_protocol(plain: socket.socket) -> None:
    """Chooses TLS 1.0, whatever was offered."""
    hello = b"\x03\x01" + bytes(32) + b"\x00" + b"\x00\x2f" + b"\x00"
    plain.recv(PIECE)
    plain.sendall(b"\x16\x03\x01" + (len(hello) + 4).to_bytes(2, "big") + b"\x02" + len(hello).to_bytes(3, "big") + hello)
    plain.recv(PIECE)


def says_nothing(plain: socket.socket) -> None:
    while plain.recv(PIECE):
        pass
