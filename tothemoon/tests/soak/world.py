"""The outside services of a trial, and their ledger: what was sent to whom and when. It shares nothing with the system but sockets."""

import json
import random
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from ingestion.tests.mints import create_frame, migrate_frame, mint
from ingestion.tests.misbehaving_websocket import Peer, Server

BAD_FRAMES = ("{", '{"txType":"migrate","mint":"0x1"}', "[" * 100, "NaN", '{"txType":"migrate"}')
EARLIER, BAD, LAUNCH, BURST = 0.05, 0.02, 0.3, 0.01
SOL = "So11111111111111111111111111111111111111112"


@dataclass
class Connection:
    """One connection of the listener, on the monotonic clock."""

    subscribed_at: float = 0.0
    ended_at: float = 0.0  # by whom ever: set by the trial at a kill, else by the server when the client is gone
    sent: list[tuple[str, float]] = field(default_factory=list)  # mint, moment at which the frame was written whole


class World:
    """A PumpPortal that sends about `rate` migrations a second, with bursts, repetitions and rubbish, and a DexScreener."""

    def __init__(self, chance: random.Random, rate: float = 150.0) -> None:
        self._chance, self._rate = chance, rate
        self._next = 0
        self._lock = threading.Lock()
        self.quiet = threading.Event()
        self.connections: list[Connection] = []
        self.sent_mints: set[str] = set()
        self.repeated = 0
        self.requests = 0
        self.told_prices: dict[str, set[float]] = defaultdict(set)
        self._feed = Server([self._play])
        self._rest = _Rest(("127.0.0.1", 0), _handler(self))

    def __enter__(self) -> Self:
        self._feed.__enter__()
        threading.Thread(target=self._rest.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._feed.__exit__(None, None, None)
        self._rest.shutdown()
        self._rest.server_close()

    @property
    def environment(self) -> dict[str, str]:
        rest = f"http://127.0.0.1:{self._rest.server_address[1]}"
        return {"PUMPPORTAL_WS_URL": self._feed.url, "DEXSCREENER_BASE_URL": rest, "BIRDEYE_BASE_URL": rest}

    @property
    def most_at_once(self) -> int:
        return self._feed.most_at_once

    @property
    def subscriptions(self) -> int:
        return len(self.connections)

    # PumpPortal

    def _play(self, peer: Peer) -> None:
        peer.welcome_and_acknowledge()
        connection = Connection(subscribed_at=peer.methods[1][1])
        with self._lock:
            self.connections.append(connection)
        try:
            while not peer.gone.wait(self._chance.expovariate(self._rate)):
                if not self.quiet.is_set():
                    self._send_some(peer, connection)
        finally:
            connection.ended_at = connection.ended_at or time.monotonic()

    def _send_some(self, peer: Peer, connection: Connection) -> None:
        for _ in range(200 if self._chance.random() < BURST else 1):
            peer.text(self._frame())
            self._note(connection)
        dice = self._chance.random()
        if dice < BAD:
            peer.text(self._chance.choice(BAD_FRAMES))
        elif dice < LAUNCH:
            peer.text(create_frame(self._next))
        elif dice < LAUNCH + EARLIER and self._next:
            self.repeated += 1
            peer.text(migrate_frame(self._chance.randrange(self._next)))

    def _frame(self) -> str:
        self.sent_mints.add(mint(self._next))  # before it is sent: whatever arrives of it was ours
        return migrate_frame(self._next)

    def _note(self, connection: Connection) -> None:
        connection.sent.append((mint(self._next), time.monotonic()))
        self._next += 1

    # DexScreener

    def pairs(self, mints: list[str]) -> list[dict[str, Any]]:
        """Two pools a mint; the price is a number that was never told before, so that every stored row can be traced."""
        told = []
        for address in mints:
            with self._lock:
                self.requests += 1
                price = float(self.requests)
                self.told_prices[address].add(price)
            told += [pair(address, number, price) for number in (1, 2)]
        return told


def pool_address(token: str, number: int) -> str:
    return f"{'PQ'[number - 1]}{token[1:]}"


def pair(token: str, number: int, price: float, **changes: Any) -> dict[str, Any]:
    """One pool of a token, of which it has two."""
    return {
        "chainId": "solana",
        "dexId": "pumpswap",
        "pairAddress": pool_address(token, number),
        "baseToken": {"address": token, "name": "soak", "symbol": "SOAK"},
        "quoteToken": {"address": SOL, "name": "Wrapped SOL", "symbol": "SOL"},
        "priceUsd": str(price),
        "priceNative": str(price / 100),
        "txns": {"m5": {"buys": 20 * number, "sells": 10}, "h1": {"buys": 200, "sells": 100}},
        "volume": {"m5": 1000.0, "h1": 9000.0},
        "liquidity": {"usd": 50_000.0 * number},
        **changes,
    }


class _Rest(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed in the middle of a request is what the trial is about, anything else is not."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _handler(world: World) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            known = self.path.startswith(("/tokens/v1/solana/", "/token-pairs/v1/solana/"))
            body = json.dumps(world.pairs(self.path.split("?")[0].rsplit("/", 1)[1].split(",")) if known else {}).encode()
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The ledger is the log."""

    return Answer
