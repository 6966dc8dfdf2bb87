"""A service as DexScreener's: it takes its time, allows so many requests a second, refuses the others with 429, and counts.

`python -m tothemoon.benches.slow_service RATE LATENCY_MS` prints its address and serves until its standard input ends. /counted tells how
many requests were answered and how many refused since it was asked last.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tothemoon.benches.beside import beside, until_told_to_end


class Allowance:
    """So many requests in any second, whenever it begins."""

    def __init__(self, rate: int) -> None:
        self._rate, self._lock = rate, threading.Lock()
        self._granted: deque[float] = deque()
        self.answered = self.refused = 0

    def take(self, now: float) -> bool:
        with self._lock:
            while self._granted and now - self._granted[0] >= 1:
                self._granted.popleft()
            granted = len(self._granted) < self._rate
            if granted:
                self._granted.append(now)
                self.answered += 1
            else:
                self.refused += 1
            return granted

    def counted(self) -> dict[str, int]:
        with self._lock:
            told = {"answered": self.answered, "refused": self.refused}
            self.answered = self.refused = 0
            return told


def pair(mint: str, side: str) -> dict[str, Any]:
    trades = {"buys": 21, "sells": 17}
    return {
        "chainId": "solana", "dexId": "pumpswap", "pairAddress": f"{side}{mint[1:]}", "priceNative": "0.00001", "priceUsd": "0.0017",
        "baseToken": {"address": mint, "name": "A name", "symbol": "SYM"},
        "quoteToken": {"address": "So11111111111111111111111111111111111111112", "name": "Wrapped SOL", "symbol": "SOL"},
        "txns": {"m5": trades, "h1": {"buys": 210, "sells": 170}}, "volume": {"m5": 812.5, "h1": 9012.25},
        "liquidity": {"usd": 15012.5, "base": 1e6, "quote": 51.5}, "pairCreatedAt": 1763700000000,
    }  # fmt: skip


def serve(rate: int, latency_sec: float) -> ThreadingHTTPServer:
    allowance = Allowance(rate)

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/counted":
                return self._answer(200, allowance.counted())
            granted = allowance.take(time.monotonic())
            time.sleep(latency_sec)
            if not granted:
                return self._answer(429, {"message": "Too Many Requests"})
            return self._answer(200, [pair(mint, side) for mint in self.path.rsplit("/", 1)[1].split(",") for side in "PQ"])

        def _answer(self, status: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: it is counted."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    return Server(("127.0.0.1", 0), Answering)


def slow_service(rate: int, latency_sec: float) -> AbstractContextManager[str]:
    """The address of such a service in a process of its own."""
    return beside(__name__, rate, latency_sec)


def main() -> None:
    server = serve(int(sys.argv[1]), float(sys.argv[2]))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    until_told_to_end(f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()


if __name__ == "__main__":
    main()
