"""Birdeye: holders, trades, dollar volumes, price and liquidity of a token. Paid in compute units out of a monthly quota.

Each refusal has its own behaviour, its own sentence for the operator, and an end: a use that rests is tried again by itself.
"""

import functools
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from ingestion import ledger
from ingestion.birdeye_account import SERVICE, Account, concerns_account
from ingestion.birdeye_answers import (
    BATCH,
    MARKET,
    MARKET_NAMES,
    OVERVIEW,
    OVERVIEW_NAMES,
    PATHS,
    PRICES,
    TRADE_NAMES,
    TRADES,
    batch_cost,
    figures,
    meaning_of,
    of_many,
    overview,
    refusal_in,
)
from ingestion.budget import Budget
from ingestion.errors import Malformed, OutsideError, Permanent
from ingestion.facts import TokenFacts
from ingestion.http import Call, Door, in_batches, shared_slots
from ingestion.key_header import KeyHeader
from ingestion.ledger import Counts, Ledger, Standing
from ingestion.models import ServiceState
from ingestion.secret import Secret
from ingestion.turns import SINGLE_RUN_SEC

logger = logging.getLogger(__name__)
State = ServiceState.State

FRAMES = "5m,1h"
SMALLEST_BATCH = 3  # for fewer, single answers cost no more
WRAPPED_SOL = "So11111111111111111111111111111111111111112"  # known to every plan: what the probe asks about
BATCH_REST, SHORT_REST = timedelta(hours=1), timedelta(minutes=1)  # after “not in the plan”, and after no clear answer
NO_BATCH = "The plan has no batch endpoints (Business and above have them): tokens are asked for one by one. Nothing is missing."


class Birdeye:
    """The client. One for a process: two jobs that share it share its rate, its pauses and what it knows about the plan."""

    def __init__(
        self,
        door: Door,
        key: Secret,
        *,
        rps: float = 1.0,
        tick_sec: float = 30.0,
        cache_sec: float = 0.0,
        budget: Callable[[datetime], Budget] | None = None,
        stored_state: Callable[[str, str], ServiceState | None] = lambda service, endpoint: None,
    ) -> None:
        self._door, self._key = door, key
        door.on_charge = self._note_spend
        self._rps, self._tick_sec, self._cache_sec = rps, tick_sec, cache_sec
        self._budget = budget
        self._ledger: Ledger = door.ledger
        self._account = Account(key, door.ledger, stored_state)
        self._batches = False
        self._ask_for_batches_at: datetime | None = None
        self._lock = threading.Lock()
        self._spend: dict[str, int] = {}
        self._requests_left, self._counted_at = max(1.0, rps * tick_sec * 0.8), time.monotonic()
        self._probed = False

    # What may be asked

    def usable(self, now: datetime) -> bool:
        """False without a key, and while a refusal of the whole account rests."""
        return self._account.usable(now)

    def affordable(self, now: datetime) -> int:
        """How many tokens may be asked for now: by rate within one tick, and by what the budget allows at this moment."""
        if not self.usable(now):
            return 0
        if self._account.in_trouble():
            return 1  # one to see whether it works again
        with self._lock:
            requests = int(self._requests_there())
        tokens = requests // 2 * BATCH if self._batches and requests >= 2 else requests
        return max(0, min(tokens, self._affordable_units(now)))

    def _requests_there(self) -> float:
        """A bucket that fills at the permitted rate and holds four fifths of a tick: a tick must end before the next begins."""
        now = time.monotonic()
        full = max(1.0, self._rps * self._tick_sec * 0.8)
        self._requests_left = min(full, self._requests_left + (now - self._counted_at) * self._rps)
        self._counted_at = now
        return self._requests_left

    def _affordable_units(self, now: datetime) -> int:
        """Tokens that the budget pays for."""
        if self._budget is None:
            return 1_000_000
        budget = self._budget(now)
        if budget.limit <= 0:
            return 1_000_000
        if budget.used_up:
            sentence = (
                f"The month's own budget of {budget.limit:,} compute units (BIRDEYE_MONTHLY_CU) is spent. "
                f"Birdeye is asked again from {budget.month_ends_at:%Y-%m-%d} on."
            )
            self._account.say(State.BUDGET_USED_UP, sentence, budget.month_ends_at)
            return 0
        price = (batch_cost(TRADES, BATCH) + batch_cost(MARKET, BATCH)) / BATCH if self._batches else PRICES[OVERVIEW]
        return int(budget.left_today / price)

    @property
    def has_key(self) -> bool:
        return bool(self._key)

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    def budget_at(self, now: datetime) -> Budget | None:
        """What the month's own budget says; None where there is none."""
        return self._budget(now) if self._budget is not None else None

    def in_trouble(self, now: datetime) -> bool:
        """The account is refused, or was and has not been tried again."""
        return not self.usable(now) or self._account.in_trouble()

    def requests_to_spare(self) -> int:
        """How many requests about something else than figures may be made now: a quarter of what the rate allows."""
        with self._lock:
            return min(int(self._requests_there()), max(1, int(self._rps * self._tick_sec / 5)))

    def take_spend(self) -> dict[str, int]:
        """Compute units spent on each token since the last call of this, for Token.units_spent."""
        with self._lock:
            spend, self._spend = self._spend, {}
        return spend

    # Asking

    def probe(self, now: datetime) -> None:
        """Finds out at start whether the plan has the batch endpoints. A refusal stored by an earlier process still rests."""
        self._probed, self._ask_for_batches_at = True, now
        if self._key:
            self._account.remember(now)
        if self.usable(now) and self._affordable_units(now) > 0:
            self._probe_batches(now)

    def overviews(self, addresses: Sequence[str], now: datetime) -> dict[str, TokenFacts]:
        """The facts of those tokens that Birdeye answered for. Never raises one of the three errors: they are counted, said once
        in the log, and kept as a sentence in the table of service states."""
        if not self._probed:
            self.probe(now)
        if not addresses or not self.usable(now):
            return {}
        wanted = list(dict.fromkeys(addresses))
        if self._account.in_trouble():
            return self._after_trial(wanted, now)
        if not self._batches and self._ask_for_batches_at is not None and now >= self._ask_for_batches_at:
            self._probe_batches(now)
        return self._round(wanted, now)

    def _after_trial(self, wanted: Sequence[str], now: datetime) -> dict[str, TokenFacts]:
        """One request to see whether the account works again, and only then the others."""
        if not self._account.may_try(now):
            return {}
        found = self._singles(wanted[:1], now)
        if self._account.in_trouble():
            return found
        self._probe_batches(now)
        return found | self._round(wanted[1:], now)

    def _round(self, wanted: Sequence[str], now: datetime) -> dict[str, TokenFacts]:
        found: dict[str, TokenFacts] = {}
        if self._asks_in_batches() and len(wanted) >= SMALLEST_BATCH:
            found = self._in_batches(wanted, now)
            if self._asks_in_batches() or self._account.in_trouble():
                return found
        left = [address for address in wanted if address not in found]
        return found | self._singles(left, now)

    def _singles(self, wanted: Sequence[str], now: datetime) -> dict[str, TokenFacts]:
        calls = [self._call(OVERVIEW, {"address": address, "frames": FRAMES}, (address,)) for address in wanted]
        found, items = {}, []
        for address, answer in zip(wanted, self._ask(calls, now), strict=True):
            facts = self._understood(OVERVIEW, overview, answer, address, now)
            if facts is not None:
                found[address] = facts
                items.append(answer["data"])
        self._watch_fields(OVERVIEW, items, OVERVIEW_NAMES)
        return found

    def _in_batches(self, wanted: Sequence[str], now: datetime) -> dict[str, TokenFacts]:
        groups = list(in_batches(wanted, BATCH))
        calls = [self._batch_call(endpoint, group) for group in groups for endpoint in (TRADES, MARKET)]
        answers = self._ask(calls, now)
        found: dict[str, TokenFacts] = {}
        traded: list[dict[str, Any]] = []
        for number, group in enumerate(groups):
            trades = self._understood(TRADES, of_many, answers[2 * number], group) or {}
            markets = self._understood(MARKET, of_many, answers[2 * number + 1], group) or {}
            traded += trades.values()
            for address in group:
                known = figures(markets.get(address, {}), MARKET_NAMES, now) | figures(trades.get(address, {}), TRADE_NAMES, now)
                if known:
                    found[address] = TokenFacts(address, **known)
        self._watch_fields(TRADES, traded, TRADE_NAMES)
        return found

    def _ask(self, calls: Sequence[Call], now: datetime) -> list[Any]:
        """Each call's value or error. Once one of them says that the whole account is refused, the rest is not sent."""
        with self._lock:
            self._requests_there()
            self._requests_left -= len(calls)
        answers = self._door.fetch_all(calls, patience=self._tick_sec * 0.9, stop_after=concerns_account)
        answers = [refusal_in(answer) or answer for answer in answers]
        refusals = [answer for answer in answers if isinstance(answer, Permanent) and concerns_account(answer)]
        if refusals:
            self._refused(refusals[0], now)
        elif any(not isinstance(answer, OutsideError) or isinstance(answer, Permanent) for answer in answers):
            self._account.served(any(not isinstance(answer, OutsideError) for answer in answers))
        return answers

    def ask_aside(self, call: Call, now: datetime) -> Any:
        """One request about something else than figures: its value or error. A refusal says nothing about the account, whose figures
        may be had all the same, unless the quota is used up."""
        with self._lock:
            self._requests_there()
            self._requests_left -= 1
        answer = self._door.fetch_all([call], patience=self._tick_sec * 0.9)[0]
        answer = refusal_in(answer) or answer
        if isinstance(answer, Permanent) and answer.kind == Permanent.QUOTA_USED_UP:
            self._account.refused(answer, now)
        return answer

    def _asks_in_batches(self) -> bool:
        return self._batches

    def _understood(self, endpoint: str, read: Callable[..., Any], answer: Any, *args: Any) -> Any:
        """What `read` makes of an answer; None, and a count, when it can make nothing of it."""
        if isinstance(answer, OutsideError):
            return None
        try:
            return read(answer, *args)
        except Malformed:
            self._ledger.count(SERVICE, endpoint, Counts(malformed=1))
            return None

    def _call(self, endpoint: str, params: dict[str, str], about: tuple[str, ...]) -> Call:
        units = PRICES[endpoint] if endpoint == OVERVIEW else batch_cost(endpoint, len(about))
        return Call(endpoint, PATHS[endpoint], params, about, units, self._cache_sec)

    def _batch_call(self, endpoint: str, addresses: Sequence[str]) -> Call:
        params = {"list_address": ",".join(addresses)} | ({"frames": FRAMES} if endpoint == TRADES else {})
        return self._call(endpoint, params, tuple(addresses))

    # What is known about the plan

    def _probe_batches(self, now: datetime) -> None:
        self._batches = False
        self._ask_for_batches_at = now + BATCH_REST
        for endpoint in (TRADES, MARKET):
            answer = self._door.fetch_all([self._batch_call(endpoint, [WRAPPED_SOL])], patience=self._tick_sec * 0.9)[0]
            answer = refusal_in(answer) or answer
            if isinstance(answer, Permanent):
                if answer.kind == Permanent.QUOTA_USED_UP:
                    self._account.refused(answer, now)
                else:  # whatever else is refused here: what it means for the account, the next token_overview will say
                    self._no_batches(now)
                return
            if not self._understood(endpoint, of_many, answer, [WRAPPED_SOL]):
                # No answer, or one that is not the batch that was asked for: that one would be no other in a minute.
                self._ask_for_batches_at = now + (SHORT_REST if isinstance(answer, OutsideError) else BATCH_REST)
                return
        self._batches = True
        self._ledger.set_state(SERVICE, "batch", Standing(State.OK))

    def _no_batches(self, now: datetime) -> None:
        self._batches, self._ask_for_batches_at = False, now + BATCH_REST
        self._ledger.set_state(SERVICE, "batch", Standing(State.PLAN_LACKS, NO_BATCH, self._ask_for_batches_at))

    def _refused(self, error: Permanent, now: datetime) -> None:
        if error.kind == Permanent.PLAN_LACKS and self._batches:
            self._no_batches(now)
        else:
            self._account.refused(error, now)

    def _watch_fields(self, endpoint: str, items: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> None:
        """A field that no answer of a whole round has was renamed or dropped: its figures are unknown, and the operator is told."""
        if not items:
            return
        gone = [name for name in names.values() if not any(name in item for item in items)]
        if not gone:
            self._ledger.set_state(SERVICE, f"{endpoint} fields", Standing(State.OK))
            return
        sentence = f"Birdeye's {endpoint} no longer has {', '.join(gone)}: these figures are unknown until the reader is adapted."
        if self._ledger.set_state(SERVICE, f"{endpoint} fields", Standing(State.FAILING, sentence)):
            logger.error("%s", sentence)

    def _note_spend(self, call: Call) -> None:
        """Shares the units of one charged answer among the tokens it was asked for, to the last one."""
        share, rest = divmod(call.units, len(call.about))
        with self._lock:
            for number, address in enumerate(call.about):
                self._spend[address] = self._spend.get(address, 0) + share + (number < rest)


def from_settings(once: bool = False) -> Birdeye:
    """The process's one client for the present settings. For a single run (`once`) one that has time, and asks anew what it asked
    before: who starts two runs in a row wants to see two answers, not one of them twice."""
    tick_sec = min(settings.SCHED_INTERVAL_INITIAL_SEC, settings.SCHED_INTERVAL_ACTIVE_SEC)
    return _client(
        settings.BIRDEYE_BASE_URL,
        settings.BIRDEYE_API_KEY,
        settings.BIRDEYE_RPS,
        max(tick_sec, SINGLE_RUN_SEC) if once else tick_sec,
        0.0 if once else settings.BIRDEYE_CACHE_TTL,
        settings.HTTP_DEADLINE_SEC,
        settings.EXT_MAX_CONCURRENCY,
    )


@functools.lru_cache(maxsize=4)
def _client(base_url: str, key: str, rps: float, tick_sec: float, cache_ttl: float, deadline_sec: float, concurrency: int) -> Birdeye:
    secret = Secret(key)
    door = Door(
        SERVICE,
        base_url,
        {"": rps},
        deadline_sec,
        concurrency,
        auth=KeyHeader("X-API-KEY", secret),
        headers={"x-chain": "solana"},
        meaning_of=meaning_of,
        slots=shared_slots(concurrency),
    )
    return Birdeye(
        door,
        secret,
        rps=rps,
        tick_sec=tick_sec,
        cache_sec=min(cache_ttl, tick_sec / 2),  # a tick must never be fed with the answer of the tick before
        budget=ledger.birdeye_budget,
        stored_state=ledger.stored_state,
    )
