"""Asking a service that answers after 100 ms and allows 15 requests a second: a real server on this machine that counts and answers 429.

The limit is arithmetic: the first answer of the last second in which a request is allowed. Waiting is no computing: here the clock counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import requests

from ingestion import dexscreener
from ingestion.dexscreener import BATCH, PAIRS, TOKENS, DexScreener
from ingestion.facts import TokenFacts
from ingestion.http import Call, Door
from ingestion.polling import poll
from scoring.settings_in_force import active_settings, pace
from tokens.models import PoolSnapshot, Status, Token, TokenSnapshot
from tothemoon.benches.lines import IDIOMATIC, PEER, Subject
from tothemoon.benches.slow_service import slow_service
from tothemoon.benches.tick import Line, NotEmpty, newborn

RATE, LATENCY_SEC = 15, 0.1
ASKED_FOR, PART = 200, 20  # who asks one by one and waits each time is given a part
TICK_SEC = 30.0
MOST_TIMES = 1.6
HEADROOM = 0.93  # of the rate: requests arrive a little closer together than they left


class WithoutKey:
    """Birdeye, where no key is given."""

    def usable(self, now: datetime) -> bool:
        return False

    def affordable(self, now: datetime) -> int:
        return 0

    def overviews(self, addresses: Sequence[str], now: datetime) -> dict[str, TokenFacts]:
        return {}

    def take_spend(self) -> dict[str, int]:
        return {}


class Refused(RuntimeError):
    """The service has said 429, or not everything was answered."""


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result, measured on the present database, which must be empty. `number` is of tokens in one whole poll."""
    if Token.objects.exists():
        raise NotEmpty("this database holds tokens: a bench writes, and writes only where nothing is")
    with slow_service(RATE, LATENCY_SEC) as address:
        say(f"{database}: {ASKED_FOR} tokens, a request each")
        single, single_refused = _timed(address, lambda: _one_by_one(address, ASKED_FOR))
        batched, batched_refused = _timed(address, lambda: _in_batches(address, ASKED_FOR))
        say(f"{database}: {ASKED_FOR} tokens as one begins")
        naive, _ = _timed(address, lambda: _begun(address, PART))
        eager, refused = _timed(address, lambda: _eager(address, ASKED_FOR))
        say(f"{database}: {number} tokens in one tick")
        whole, whole_refused = _timed(address, lambda: _whole_poll(address, number))
    few = -(-ASKED_FOR // BATCH)
    ours = Subject("polling", database, f"{ASKED_FOR} tokens, a request each")
    batches = Subject("polling", database, f"{ASKED_FOR} tokens in batches of {BATCH}")
    tick = Subject("polling", database, f"{number:,} tokens polled and stored in one tick")
    return [
        ours.times_limit(f"arithmetic of {ASKED_FOR} requests", "s", single, limit(ASKED_FOR), MOST_TIMES),
        ours.faster(IDIOMATIC, "requests.get, one after the other", "s", single, naive * ASKED_FOR / PART, None),
        ours.faster(PEER, f"a session in 8 threads without a limiter ({refused} × 429)", "s", single, eager, None),
        batches.times_limit(f"arithmetic of {few} requests, evenly spaced", "s", batched, spaced(few), MOST_TIMES),
        tick.within("a tick", "s", whole, TICK_SEC),
        tick.within("429 in all of ours", "answers", single_refused + batched_refused + whole_refused, 0),
    ]


def limit(requests_made: int) -> float:
    """The fewest seconds that a service with this rate allows: its last whole second begins, and an answer comes."""
    return (requests_made - 1) // RATE + LATENCY_SEC


def spaced(requests_made: int) -> float:
    """The same for who never asks faster than the rate, not in its first second either: a burst is what services punish."""
    return (requests_made - 1) / RATE + LATENCY_SEC


def _timed(address: str, way: Callable[[], None]) -> tuple[float, int]:
    """Seconds, and how often the service refused."""
    time.sleep(1)  # the second of the one before is over
    requests.get(f"{address}/counted", timeout=10)
    began = time.perf_counter()
    way()
    seconds = time.perf_counter() - began
    return seconds, int(requests.get(f"{address}/counted", timeout=10).json()["refused"])


def _mints(number: int) -> list[str]:
    return [f"T{n:043}" for n in range(number)]


def _door(address: str) -> Door:
    rate = RATE * HEADROOM
    return Door(dexscreener.SERVICE, address, {TOKENS: rate, PAIRS: rate}, deadline_sec=15, concurrency=8)


def _one_by_one(address: str, number: int) -> None:
    calls = [Call(PAIRS, f"/token-pairs/v1/solana/{mint}", about=(mint,)) for mint in _mints(number)]
    _all_there(_door(address).fetch_all(calls, patience=10 * number / RATE), number)


def _in_batches(address: str, number: int) -> None:
    found = DexScreener(_door(address), tick_sec=TICK_SEC).pools(_mints(number), datetime.now(UTC))
    _all_there(list(found.values()), number)


def _all_there(answers: Sequence[Any], number: int) -> None:
    known = sum(isinstance(answer, list) and len(answer) == 2 for answer in answers)
    if known < 0.95 * number:  # a single refusal is told in a line of its own
        raise Refused(f"{known} of {number} tokens were answered for")


def _begun(address: str, number: int) -> None:
    for mint in _mints(number):
        _all_there([requests.get(f"{address}/token-pairs/v1/solana/{mint}", timeout=15).json()], 1)


def _eager(address: str, number: int) -> None:
    """Threads as fast as they can; who is refused waits a second and asks again."""
    session = requests.Session()

    def ask(mint: str) -> Any:
        while (answer := session.get(f"{address}/token-pairs/v1/solana/{mint}", timeout=15)).status_code == 429:
            time.sleep(1)
        return answer.json()

    with ThreadPoolExecutor(8) as threads:
        _all_there(list(threads.map(ask, _mints(number))), number)


def _whole_poll(address: str, number: int) -> None:
    """What the scheduler's job does, with its own limits on time: whoever does not fit in is left for the next tick."""
    now = datetime.now(UTC).replace(microsecond=0)
    newborn(number, now)
    report = poll(
        Status.INITIAL, now, pace(active_settings(), Status.INITIAL), WithoutKey(), DexScreener(_door(address), tick_sec=TICK_SEC)
    )
    rows = TokenSnapshot.objects.count(), PoolSnapshot.objects.count()
    if (report.answered, *rows) != (number, number, 2 * number):
        raise Refused(f"{report.answered} of {number} tokens were answered for, {report.left} left for the next tick, rows {rows}")
