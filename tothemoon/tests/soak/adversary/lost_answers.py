"""A way to PostgreSQL on which, when armed, a COMMIT arrives and is carried out, and its answer is lost together with the connection."""

import contextlib
import select
import socket
import threading
from pathlib import Path
from typing import Self

NAME = ".s.PGSQL.5432"


class LosesAnswers:
    """`cuts` is how many answers to a COMMIT are still to be lost; `lost` how many were."""

    def __init__(self, there: Path, here: Path) -> None:
        self._there = str(there / NAME)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(here / NAME))
        self._listening.listen()
        self._lock = threading.Lock()
        self.cuts = self.lost = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._between, args=(client,), daemon=True).start()

    def _between(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server, contextlib.suppress(OSError):
            server.connect(self._there)
            while True:
                for side in select.select([client, server], [], [])[0]:
                    data = side.recv(65536)
                    if not data:
                        return
                    (server if side is client else client).sendall(data)
                    if side is client and b"COMMIT" in data and self._is_to_be_cut():
                        server.recv(65536)  # it is done by now
                        return

    def _is_to_be_cut(self) -> bool:
        with self._lock:
            if not self.cuts:
                return False
            self.cuts -= 1
            self.lost += 1
            return True
