"""DexScreener, Birdeye and Binance as one server whose behaviour is decided from outside, and the ledger of what was asked and told.

Every price is a number that was never told before: a stored row can be traced to its answer, and one that comes from an answer which
must not be believed is seen at once.
"""

import itertools
import json
import random
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self

from ingestion.tests.misbehaving_http import Behaviour, Conversation, MisbehavingServer, Request, answer
from tothemoon.tests.soak.world import pair

# What an answer becomes instead: given the request and the answer that would have been right.
Misdeed = Callable[[Request, Any], Behaviour]

TOKENS, PAIRS = "/tokens/v1/solana/", "/token-pairs/v1/solana/"
OVERVIEW, MULTIPLE = "/defi/token_overview", "/multiple"
NOT_IN_PLAN = {"success": False, "message": "Your API key lacks sufficient permissions to access this resource. Please upgrade."}
HELD_SEC = 20.0


class Services:
    """`rules` say what becomes of a service's answers until they are taken away again; `next_up` of its next answers, one each.

    `told` are the prices of honest answers by address; whatever else is stored was told by nobody, or by an answer that must not count.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.newest_price = 1_000.0
        self._poisons = itertools.count(600_000_001)
        self.told: dict[str, set[float]] = defaultdict(set)
        self.poisoned: set[float] = set()
        self.rules: dict[str, Misdeed] = {}
        self.next_up: dict[str, deque[Misdeed]] = defaultdict(deque)
        self.elsewhere: Callable[[Request], Any] | None = None  # who answers honestly for Binance: a status, a body, headers
        self.unknown: set[str] = set()  # mints that no service has ever heard of
        self.pauses: list[tuple[float, str, float]] = []  # until when nothing may be asked, of whom, and since when
        self.strangers: list[str] = []  # requests for what no service has
        self.server = MisbehavingServer([self._converse])
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__(None, None, None)

    @property
    def environment(self) -> dict[str, str]:
        names = ("DEXSCREENER_BASE_URL", "BIRDEYE_BASE_URL", "BINANCE_BASE_URL", "BINANCE_FUTURES_BASE_URL")
        return dict.fromkeys(names, self.server.url)

    def asked(self, service: str, since: float = 0.0) -> list[Request]:
        """The requests that a service got, by the ledger's clock."""
        return [request for request in list(self.server.requests) if request.at >= since and service_of(request) == service]

    def poison(self) -> float:
        """A price that must never be stored."""
        price = float(next(self._poisons))
        self.poisoned.add(price)
        return price

    def _new_price(self) -> float:
        self.newest_price += 1.0
        return self.newest_price

    # Answers

    def _converse(self, talk: Conversation) -> None:
        service = service_of(talk.request)
        with self._lock:
            misdeed = self.next_up[service].popleft() if self.next_up[service] else self.rules.get(service)
            honest, prices = self._honest(talk.request)
            if misdeed is None:
                for address, price in prices:
                    self.told[address].add(price)
        if misdeed is not None:
            misdeed(talk.request, honest)(talk)
        elif service == "binance" and not isinstance(honest, dict):
            answer(honest.body, honest.status, dict(honest.headers))(talk)
        elif isinstance(honest, int):
            answer(NOT_IN_PLAN, honest)(talk)
        else:
            answer(honest, headers={"Date": http_date(time.time())})(talk)

    def _honest(self, request: Request) -> tuple[Any, list[tuple[str, float]]]:
        """The right answer (a number: that refusal), and the prices it tells."""
        path = request.path
        if path.startswith((TOKENS, PAIRS)):
            named = [(mint, self._new_price()) for mint in path.rsplit("/", 1)[1].split(",")]
            named = [(mint, price) for mint, price in named if mint not in self.unknown]
            return [pair(mint, number, price) for mint, price in named for number in (1, 2)], named
        if path == OVERVIEW:
            mint, price = request.params.get("address", ""), self._new_price()
            return {"success": True, "data": overview(mint, price)}, [(mint, price)]
        if path.endswith(MULTIPLE):
            return 401, []
        if self.elsewhere is not None and service_of(request) == "binance":
            return self.elsewhere(request), []
        self.strangers.append(request.target)
        return {}, []


def service_of(request: Request) -> str:
    if request.path.startswith((TOKENS, PAIRS)):
        return "dexscreener"
    if request.path.startswith("/defi/"):
        return "birdeye"
    return "binance" if request.path.startswith(("/api/v3/", "/fapi/")) else "nobody"


def overview(token: str, price: float, **changes: Any) -> dict[str, Any]:
    """What Birdeye says of one token."""
    return {
        "address": token,
        "symbol": "SOAK",
        "name": "soak",
        "price": price,
        "liquidity": 150_000.0,
        "holder": 321,
        "trade5m": 90,
        "trade1h": 600,
        "v5mUSD": 3000.0,
        "v1hUSD": 18_000.0,
        "buy5m": 60,
        "sell5m": 30,
        "vBuy5mUSD": 2000.0,
        "vSell5mUSD": 1000.0,
        "uniqueWallet5m": 40,
        "lastTradeUnixTime": int(time.time()) - 5,
        **changes,
    }


def http_date(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%a, %d %b %Y %H:%M:%S} GMT"


def changed(honest: Any, change: Callable[[Any], Any]) -> Any:
    """The honest answer, changed in a copy of its own."""
    return change(json.loads(json.dumps(honest)))
