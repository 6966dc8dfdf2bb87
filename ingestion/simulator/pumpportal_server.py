"""PumpPortal's feed as it comes over the wire: acknowledgements, created tokens as the heartbeat, migrations. One socket at a time."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any

import numpy as np

from ingestion.simulator import identity
from ingestion.simulator.clock import MarketClock
from ingestion.simulator.market import Market, still_living
from ingestion.simulator.websocket_server import Connection, Refused, WebSocketServer

PATH = "/api/data"
CREATIONS_A_MINUTE = 23.5
BEAT = 0.05  # seconds between two looks at the market
ANNOUNCED_A_BEAT = 2
ACKNOWLEDGED = {
    "subscribeNewToken": "Successfully subscribed to token creation events.",
    "subscribeMigration": "Subscribed to 'migration' events.",
    "unsubscribeNewToken": "Successfully unsubscribed from token creation events.",
    "unsubscribeMigration": "Unsubscribed from 'migration' events.",
}
NEEDS_KEY = (
    "'subscribeTokenTrade' and 'subscribeAccountTrade' methods are only available when connecting with an API key funded with at "
    "least 0.02 SOL."
)


def migrate_frame(market: Market, row: int) -> dict[str, Any]:
    """Exactly four fields: no time, no name."""
    t = market.tokens
    return {"signature": t.signature[row], "mint": t.mint[row], "txType": "migrate", "pool": t.label[row]}


def create_frame(seed: int, number: int) -> dict[str, Any]:
    """The number-th token created since time 0: of a hundred five repeat USDC's mint without a name, eight come from bonk."""
    random = np.random.default_rng([seed, 77, number])
    variety = random.random()
    signature, trader, curve = identity.signatures(random, 1)[0], *identity.mints(random, 2, ["", ""])
    sol = round(float(random.exponential(1.2)), 9)
    title, symbol = identity.names(random, 1)[0]
    base = {"signature": signature}
    if variety < 0.05:
        return base | _on_curve(identity.USDC, trader, curve, 0.0) | {"is_mayhem_mode": False, "pool": "pump"}
    if variety < 0.13:
        return base | _on_bonk(identity.mints(random, 1, ["bonk"])[0], trader, sol, title, symbol)
    mint = identity.mints(random, 1, ["pump"])[0]
    named = {"name": title, "symbol": symbol, "uri": f"https://ipfs.io/ipfs/Qm{mint}", "is_mayhem_mode": False, "pool": "pump"}
    return base | _on_curve(mint, trader, curve, sol) | named


def _on_curve(mint: str, trader: str, curve: str, sol: float) -> dict[str, Any]:
    virtual_sol = 30 + sol
    virtual_tokens = 32_190_000_000 / virtual_sol
    bought = 1_073_000_000 - virtual_tokens
    return {
        "mint": mint,
        "traderPublicKey": trader,
        "txType": "create",
        "initialBuy": round(bought, 6) if sol else 0,
        "solAmount": sol or 0,
        "bondingCurveKey": curve,
        "vTokensInBondingCurve": virtual_tokens if sol else 1_073_000_000,
        "vSolInBondingCurve": virtual_sol if sol else 30,
        "marketCapSol": virtual_sol / virtual_tokens * 1e9,
    }


def _on_bonk(mint: str, trader: str, sol: float, title: str, symbol: str) -> dict[str, Any]:
    bought = sol * 36_400_000.0
    return {
        "traderPublicKey": trader,
        "txType": "create",
        "mint": mint,
        "solInPool": sol,
        "tokensInPool": 1e9 - bought,
        "initialBuy": bought,
        "solAmount": sol,
        "newTokenBalance": bought,
        "marketCapSol": 28.0 + 2 * sol,
        "name": title,
        "symbol": symbol,
        "uri": f"https://ipfs.io/ipfs/Qm{mint}",
        "pool": "bonk",
    }


class PumpPortal:
    """The feed of one market. What happens while nobody listens is lost, as with the real one.

    One thing differs: the first subscriber is told, two frames a beat, of up to `backlog` tokens that migrated before time 0 and
    still live. A market that begins with the program would otherwise have no tokens to look at for its first minutes.
    """

    def __init__(self, market: Market, clock: MarketClock, port: int, backlog: int = 0) -> None:
        self.market, self.clock = market, clock
        self._backlog = still_living(market, backlog)
        self._told_until = 0.0
        self._creations = 0
        self._client: Connection | None = None
        self._wants: set[str] = set()
        self._stopping = threading.Event()
        self._server = WebSocketServer(PATH, port, self._seat, self._serve)
        self._free = threading.Semaphore(1)
        self.url = self._server.url

    def start(self) -> None:
        self._server.start()
        threading.Thread(target=self._feed, name="pumpportal-feed", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        self._server.stop()

    @contextmanager
    def _seat(self) -> Iterator[None]:
        """The only seat, or 403. One who is just leaving is waited for: a quick reconnect is not a second socket."""
        if not self._free.acquire(timeout=0.5):
            raise Refused(HTTPStatus.FORBIDDEN)
        try:
            yield
        finally:
            self._free.release()

    def _serve(self, connection: Connection) -> None:
        self._wants = set()
        self._client = connection
        try:
            while True:
                connection.send(json.dumps(self._reply(connection.receive())))
        finally:
            self._client = None

    def _reply(self, text: str) -> dict[str, Any]:
        try:
            method = json.loads(text)["method"]
        except (ValueError, TypeError, KeyError):
            return {"errors": "Invalid message. It must be JSON with a method."}
        if method in ACKNOWLEDGED:
            if method.startswith("un"):
                self._wants.discard(method.removeprefix("un"))
            else:
                self._wants.add(method)
            return {"message": ACKNOWLEDGED[method]}
        return (
            {"message": NEEDS_KEY} if method in ("subscribeTokenTrade", "subscribeAccountTrade") else {"errors": f"Unknown method {method}"}
        )

    def _feed(self) -> None:
        while not self._stopping.wait(BEAT):
            client = self._client
            frames = self._news(self.clock.now(), set() if client is None else self._wants)
            if client is None:
                continue
            with suppress(OSError):
                for frame in frames:
                    client.send(json.dumps(frame))
                if "subscribeMigration" in self._wants:
                    self._announce(client)

    def _announce(self, client: Connection) -> None:
        for row in self._backlog[:ANNOUNCED_A_BEAT]:
            client.send(json.dumps(migrate_frame(self.market, row)))
        del self._backlog[:ANNOUNCED_A_BEAT]

    def _news(self, now: float, wanted: set[str]) -> list[dict[str, Any]]:
        """What has happened since the last look in the streams wanted; what nobody wanted is gone."""
        migrated = self.market.born_between(self._told_until, now)
        created = range(self._creations, int(now / 60 * CREATIONS_A_MINUTE))
        self._told_until, self._creations = now, max(self._creations, created.stop)
        news: list[dict[str, Any]] = []
        if "subscribeNewToken" in wanted:
            news += [create_frame(self.market.seed, number) for number in created]
        if "subscribeMigration" in wanted:
            news += [migrate_frame(self.market, row) for row in migrated]
        return news
