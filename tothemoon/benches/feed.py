"""A feed that says all it has to say at once: a WebSocket server in a process of its own, which the listener's bench reads from.

`python -m tothemoon.benches.feed FRAMES EVERY FIRST` prints its address. Each connection is sent FRAMES frames, every EVERY-th of them a
migration of a token that no connection before it was told of, the others launches as PumpPortal sends them. Mints count from FIRST on.
"""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager, nullcontext

from ingestion.simulator.pumpportal_server import ACKNOWLEDGED, PATH, create_frame
from ingestion.simulator.websocket_server import Connection, WebSocketServer
from tothemoon.benches.beside import beside, until_told_to_end

LAUNCHES = 500  # different ones; then they come again
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def mint(number: int) -> str:
    """An address that looks like one of Solana's, another for each number."""
    letters = ""
    while number:
        number, place = divmod(number, len(ALPHABET))
        letters = ALPHABET[place] + letters
    return f"{letters:1>40}pump"


def on_the_wire(text: str) -> bytes:
    """A frame of a server. None of ours is so long that its length takes eight bytes."""
    body = text.encode()
    return (bytes([0x81, len(body)]) if len(body) < 126 else b"\x81\x7e" + len(body).to_bytes(2, "big")) + body


def launches(number: int) -> list[bytes]:
    return [on_the_wire(json.dumps(create_frame(7, place))) for place in range(number)]


def migration(number: int) -> bytes:
    return on_the_wire(json.dumps({"signature": mint(number) * 2, "mint": mint(number), "txType": "migrate", "pool": "pump-amm"}))


class Feed:
    """One connection after the other; what the next one will be told is made before it comes."""

    def __init__(self, number: int, every: int, first: int) -> None:
        self._number, self._every, self._told = number, every, first
        self._launches = launches(LAUNCHES if every > 1 else 0)
        self._ready = self._next()
        self._server = WebSocketServer(PATH, 0, nullcontext, self._serve)
        self.url = self._server.url
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def _next(self) -> bytes:
        wire = []
        for place in range(self._number):
            if place % self._every:
                wire.append(self._launches[place % LAUNCHES])
            else:
                wire.append(migration(self._told))
                self._told += 1
        return b"".join(wire)

    def _serve(self, connection: Connection) -> None:
        for _ in range(2):
            words = ACKNOWLEDGED[json.loads(connection.receive())["method"]]
            connection.send(json.dumps({"message": words, "bytes": len(self._ready)}))
        connection.send_frames(self._ready)
        self._ready = self._next()
        while True:  # until the client goes
            connection.receive()


def feed(number: int, every: int, first: int) -> AbstractContextManager[str]:
    """The address of such a feed in another process."""
    return beside(__name__, number, every, first)


def main() -> None:
    serving = Feed(*map(int, sys.argv[1:]))
    until_told_to_end(serving.url)
    serving.stop()


if __name__ == "__main__":
    main()
