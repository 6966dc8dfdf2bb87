"""Birdeye's OHLCV: the minutes of a token from before we first saw it. Paid like everything there, so it may take a share of a day only.

What bites: `v` is in tokens and only `v_usd` in dollars; the length of a candle is case-sensitive; minutes without a trade are left out,
or come as candles without volume where somebody pads them. Neither is a bar.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ingestion import birdeye, ledger
from ingestion.birdeye import Birdeye
from ingestion.birdeye_account import SERVICE
from ingestion.birdeye_answers import data_in
from ingestion.errors import Malformed, OutsideError, Permanent
from ingestion.http import Call
from ingestion.ledger import Counts, Standing
from ingestion.models import ServiceState
from ingestion.strict_json import amount, moment

logger = logging.getLogger(__name__)

OHLCV, PATH = "ohlcv", "/defi/v3/ohlcv"
UNITS = 60  # of an answer with fewer than a thousand candles
MOST_MINUTES = 960
SHARE = 0.2  # of a day's compute units: the figures of the tokens that are watched come first
REST = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NO_KEY = "without BIRDEYE_API_KEY they begin when a token is first seen"
ACCOUNT_RESTS = "Birdeye refuses the account at present"
NO_ENDPOINT = "Birdeye's plan has no OHLCV, or refuses it: the bars of a token begin when it is first seen. All else works."


@dataclass(frozen=True, slots=True)
class Candle:
    """One minute in which something was traded, in US dollars."""

    open_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float | None


def candles(answer: Any, address: str, since: datetime, until: datetime) -> list[Candle]:
    """The minutes from `since` on that were over by `until`, oldest first. One that contradicts itself is left out."""
    items = data_in(answer).get("items", [])
    if not isinstance(items, list):
        raise Malformed("the answer has no list of candles")
    read = {candle.open_time: candle for item in items if (candle := _candle(item, address)) is not None}
    return [read[at] for at in sorted(read) if since <= at and at + MINUTE <= until]


def _candle(item: Any, address: str) -> Candle | None:
    if not isinstance(item, dict) or item.get("type") != "1m" or item.get("address") != address or item.get("currency", "usd") != "usd":
        return None
    at, volume = moment(item.get("unix_time")), amount(item.get("v_usd"))
    first, high, low, last = (amount(item.get(name)) for name in ("o", "h", "l", "c"))
    if at is None or at.timestamp() % 60 or not first or not high or not low or not last:
        return None
    if not low <= min(first, last) <= max(first, last) <= high or volume == 0 or (volume is None and not amount(item.get("v"))):
        return None
    return Candle(at, first, high, low, last, volume)


@dataclass(frozen=True, slots=True)
class Room:
    """How many tokens may be asked for now, and where that is none, why."""

    tokens: int
    why: str = ""


class BirdeyeBars:
    """The same account as the figures' (`ingestion.birdeye`), with a rest of its own: a plan may lack this and have the other."""

    def __init__(
        self, account: Birdeye, spent_today: Callable[[datetime], int], stored_state: Callable[[str, str], ServiceState | None]
    ) -> None:
        self._account, self._spent_today, self._stored_state = account, spent_today, stored_state
        self._rest_until: datetime | None = None
        self._remembered = False

    def room(self, now: datetime) -> Room:
        self._remember(now)
        if not self._account.has_key:
            return Room(0, NO_KEY)
        if self._rest_until is not None and now < self._rest_until:
            return Room(0, f"Birdeye refuses them; they are asked for again at {self._rest_until:%H:%M} UTC")
        if self._account.in_trouble(now):
            return Room(0, ACCOUNT_RESTS)
        requests, budget = self._account.requests_to_spare(), self._account.budget_at(now)
        if budget is None or budget.limit <= 0:
            return Room(requests)
        ours = min(int(budget.share_today * SHARE) - self._spent_today(now), budget.left_today)
        if ours < UNITS:
            return Room(0, f"of the day's compute units bars may take {budget.share_today * SHARE:,.0f}, and these are spent")
        return Room(min(requests, ours // UNITS))

    def minutes(self, address: str, since: datetime, until: datetime, now: datetime) -> list[Candle] | OutsideError:
        """The candles of one token; the error where it was refused, did not answer, or gave what nobody can read."""
        params = {
            "address": address,
            "type": "1m",
            "currency": "usd",
            "time_from": f"{since.timestamp():.0f}",
            "time_to": f"{until.timestamp():.0f}",
        }
        answer = self._account.ask_aside(Call(OHLCV, PATH, params, (address,), UNITS), now)
        if isinstance(answer, Permanent) and answer.kind not in (Permanent.BAD_REQUEST, Permanent.QUOTA_USED_UP):
            self._rest_until = now + REST
            if self._account.ledger.set_state(SERVICE, OHLCV, Standing(answer.kind, NO_ENDPOINT, self._rest_until)):
                logger.warning("%s", NO_ENDPOINT)
        if isinstance(answer, OutsideError):
            return answer
        try:
            found = candles(answer, address, since, until)
        except Malformed as error:
            self._account.ledger.count(SERVICE, OHLCV, Counts(malformed=1))
            return error
        self._account.ledger.set_state(SERVICE, OHLCV, Standing(ServiceState.State.OK))
        return found

    def _remember(self, now: datetime) -> None:
        """A refusal that an earlier process stored still rests."""
        if self._remembered:
            return
        self._remembered = True
        kept = self._stored_state(SERVICE, OHLCV)
        if kept is not None and kept.state != ServiceState.State.OK and kept.until is not None and kept.until > now:
            self._rest_until = kept.until


def from_settings(once: bool = False) -> BirdeyeBars:
    """Over the process's one client of Birdeye."""
    return _over(birdeye.from_settings(once))


@functools.lru_cache(maxsize=4)
def _over(account: Birdeye) -> BirdeyeBars:
    return BirdeyeBars(account, lambda now: ledger.units_today(SERVICE, OHLCV, now), ledger.stored_state)
