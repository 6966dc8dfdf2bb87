"""Binance's public market data: klines, the last day's figures, the order book, tick sizes, open interest. Free, no key.

What bites: prices and volumes are strings; the last kline is still growing; every request has a weight, and who goes on after a 429 is
banned with a 418, for longer each time. The rates below add up to less than two thirds of the weight that is allowed in a minute, so that
neither comes about; if one does, it is stored, and a process that starts meanwhile waits for its end.
"""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from ingestion.errors import Malformed, OutsideError, Permanent
from ingestion.http import Call, Door, shared_slots
from ingestion.ledger import Counts, stored_state
from ingestion.strict_json import amount, count, moment

SERVICE, FUTURES = "binance", "binance-futures"
KLINES, DEPTH, TICKER, RULES, OPEN_INTEREST = "klines", "depth", "ticker/24hr", "exchangeInfo", "openInterest"
WEIGHT_A_MINUTE, FUTURES_WEIGHT_A_MINUTE = 6000, 2400
WEIGHTS = {KLINES: 2, DEPTH: 5, TICKER: 40, RULES: 20}
RATES = {KLINES: 15.0, DEPTH: 4.0, TICKER: 0.2, RULES: 0.2, "": 0.2}  # requests a second
FUTURES_RATES = {OPEN_INTEREST: 10.0, "": 1.0}
MOST_KLINES = 1000
MOST_SYMBOLS = 100  # of one 24-hour ticker, at the weight above
BOOK_ROWS = 100
NEAR_THE_PRICE = 0.02  # how far from the middle an order still counts as depth
MINUTE = timedelta(minutes=1)
LENGTHS = {"1m": MINUTE, "1d": timedelta(days=1)}

_SYMBOL = re.compile(r"[A-Z0-9]{2,30}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Kline:
    """One finished interval. Volumes are in the quote currency, which is worth a US dollar for the symbols watched here."""

    symbol: str
    interval: str
    open_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    buy_volume: float


@dataclass(frozen=True, slots=True)
class Day:
    """The last 24 hours of one symbol."""

    symbol: str
    last_price: float
    change: float  # 0.03 is +3 %
    volume: float
    trades: int | None


def is_symbol(word: str) -> bool:
    return bool(_SYMBOL.fullmatch(word))


# Reading answers: pure


def klines(answer: Any, symbol: str, interval: str, now: datetime) -> tuple[list[Kline], Kline | None]:
    """The finished klines, oldest first, and the one that is still growing. A row that contradicts itself is left out."""
    if not isinstance(answer, list) or len(answer) > MOST_KLINES:
        raise Malformed("the answer is not a list of klines")
    read = [kline for row in answer if (kline := _kline(row, symbol, interval)) is not None]
    read.sort(key=lambda kline: kline.open_time)
    length = LENGTHS[interval]
    growing = [kline for kline in read if kline.open_time <= now < kline.open_time + length]
    return [kline for kline in read if kline.open_time + length <= now], growing[-1] if growing else None


def _kline(row: Any, symbol: str, interval: str) -> Kline | None:
    if not isinstance(row, list) or len(row) < 11:
        return None
    return kline_of(symbol, interval, row[0], row[1:6], row[7], row[8], row[10])


def kline_of(symbol: str, interval: str, opened: Any, prices: Sequence[Any], quote: Any, trades: Any, bought: Any) -> Kline | None:
    """A kline out of its parts; `prices` begins with open, high, low, close. None where they cannot be true."""
    at, length = moment(opened), int(LENGTHS[interval].total_seconds())
    first, high, low, last = (amount(price) for price in prices[:4])
    volume, number, buy_volume = amount(quote), count(trades), amount(bought)
    if at is None or at.timestamp() % length or not first or not high or not low or not last:
        return None
    if volume is None or number is None or buy_volume is None or buy_volume > volume * (1 + 1e-9):
        return None
    if not low <= min(first, last) <= max(first, last) <= high:
        return None
    return Kline(symbol, interval, at, first, high, low, last, volume, number, min(buy_volume, volume))


def days(answer: Any) -> dict[str, Day]:
    if not isinstance(answer, list):
        raise Malformed("the answer is not a list of symbols")
    found = {}
    for row in answer:
        if not isinstance(row, dict) or not isinstance(row.get("symbol"), str):
            continue
        last, first, volume = amount(row.get("lastPrice")), amount(row.get("openPrice")), amount(row.get("quoteVolume"))
        if last and first and volume is not None:
            found[row["symbol"]] = Day(row["symbol"], last, last / first - 1, volume, count(row.get("count")))
    return found


def depth_usd(answer: Any) -> float:
    """What lies within 2 % of the middle price, in the quote currency: the thinner of the two sides."""
    if not isinstance(answer, dict):
        raise Malformed("the answer is not an order book")
    bids, asks = (_orders(answer.get(side)) for side in ("bids", "asks"))
    if not bids or not asks or bids[0][0] >= asks[0][0]:
        raise Malformed("an order book with a side missing, or crossed")
    middle = (bids[0][0] + asks[0][0]) / 2
    return min(sum(price * size for price, size in side if abs(price / middle - 1) <= NEAR_THE_PRICE) for side in (bids, asks))


def _orders(rows: Any) -> list[tuple[float, float]]:
    """Price and quantity, the best first."""
    if not isinstance(rows, list):
        return []
    read = [(amount(row[0]), amount(row[1])) for row in rows if isinstance(row, list) and len(row) >= 2]
    return [(price, size) for price, size in read if price and size is not None]


def tick_sizes(answer: Any) -> dict[str, float]:
    """Symbol → the smallest step of its price; what is not traded now is left out."""
    if not isinstance(answer, dict) or not isinstance(answer.get("symbols"), list):
        raise Malformed("the answer has no symbols")
    found = {}
    for row in answer["symbols"]:
        if not isinstance(row, dict) or row.get("status") != "TRADING" or not isinstance(row.get("symbol"), str):
            continue
        filters: Any = row.get("filters")
        filters = filters if isinstance(filters, list) else []
        sizes = [amount(one.get("tickSize")) for one in filters if isinstance(one, dict) and one.get("filterType") == "PRICE_FILTER"]
        found[row["symbol"]] = next((size for size in sizes if size), 0.0)
    return found


def meaning_of(status: int, message: str) -> OutsideError:
    """403 is the firewall, 451 the law of a country: a person has to act. Other refusals concern the one thing asked for."""
    if status == 403:
        return Permanent("HTTP 403: the firewall of Binance has blocked this address", Permanent.BLOCKED)
    if status == 451:
        return Permanent("HTTP 451: Binance does not serve this country", Permanent.BLOCKED)
    return Permanent(f"HTTP {status} {message}".strip(), Permanent.BAD_REQUEST)


# Asking


class Binance:
    """The client. One for a process, so that all jobs keep its weights together."""

    def __init__(self, spot: Door, futures: Door | None, patience_sec: float) -> None:
        self._spot, self._futures, self._patience_sec = spot, futures, patience_sec

    def klines(
        self, since: Mapping[str, datetime], now: datetime, interval: str = "1m", most: int = MOST_KLINES
    ) -> dict[str, tuple[list[Kline], Kline | None] | Permanent]:
        """Of each symbol up to `most` klines from a moment on. No key where the request failed; the refusal where a symbol is refused."""
        calls = [
            Call(
                KLINES,
                "/api/v3/klines",
                {"symbol": symbol, "interval": interval, "startTime": str(int(start.timestamp() * 1000)), "limit": str(most)},
                about=(symbol,),
            )
            for symbol, start in since.items()
            if is_symbol(symbol)
        ]
        found: dict[str, tuple[list[Kline], Kline | None] | Permanent] = {}
        for call, answer in zip(calls, self._spot.fetch_all(calls, patience=self._patience_sec), strict=True):
            symbol = call.about[0]
            if isinstance(answer, Permanent) and answer.kind == Permanent.BAD_REQUEST:
                found[symbol] = answer
                continue
            read = self._understood(KLINES, answer, functools.partial(klines, symbol=symbol, interval=interval, now=now))
            if read is not None:
                found[symbol] = read
        return found

    def days(self, symbols: Sequence[str]) -> dict[str, Day]:
        known = [symbol for symbol in symbols if is_symbol(symbol)]
        groups = [known[start : start + MOST_SYMBOLS] for start in range(0, len(known), MOST_SYMBOLS)]
        calls = [
            Call(TICKER, "/api/v3/ticker/24hr", {"symbols": json.dumps(group, separators=(",", ":"))}, about=tuple(group))
            for group in groups
        ]
        answers = self._spot.fetch_all(calls, patience=self._patience_sec)
        return {name: day for answer in answers for name, day in (self._understood(TICKER, answer, days) or {}).items()}

    def depths(self, symbols: Sequence[str]) -> dict[str, float]:
        calls = [
            Call(DEPTH, "/api/v3/depth", {"symbol": symbol, "limit": str(BOOK_ROWS)}, about=(symbol,))
            for symbol in symbols
            if is_symbol(symbol)
        ]
        answers = self._spot.fetch_all(calls, patience=self._patience_sec)
        read = {call.about[0]: self._understood(DEPTH, answer, depth_usd) for call, answer in zip(calls, answers, strict=True)}
        return {symbol: depth for symbol, depth in read.items() if depth is not None}

    def tick_sizes(self, symbols: Sequence[str]) -> dict[str, float]:
        """Only of those that are traded now."""
        known = [symbol for symbol in symbols if is_symbol(symbol)]
        if not known:
            return {}
        call = Call(RULES, "/api/v3/exchangeInfo", {"symbols": json.dumps(known, separators=(",", ":"))}, about=tuple(known))
        return self._understood(RULES, self._spot.fetch_all([call], patience=self._patience_sec)[0], tick_sizes) or {}

    def open_interest(self, symbols: Sequence[str]) -> dict[str, float]:
        """Contracts open on the futures market, in units of the base currency; a symbol that has no futures is left out."""
        if self._futures is None:
            return {}
        calls = [
            Call(OPEN_INTEREST, "/fapi/v1/openInterest", {"symbol": symbol}, about=(symbol,)) for symbol in symbols if is_symbol(symbol)
        ]
        answers = self._futures.fetch_all(calls, patience=self._patience_sec)
        read = {
            call.about[0]: amount(answer.get("openInterest")) if isinstance(answer, dict) else None
            for call, answer in zip(calls, answers, strict=True)
        }
        return {symbol: contracts for symbol, contracts in read.items() if contracts is not None}

    def _understood(self, endpoint: str, answer: Any, reading: Any) -> Any:
        if isinstance(answer, OutsideError):
            return None
        try:
            return reading(answer)
        except Malformed:
            self._spot.ledger.count(SERVICE, endpoint, Counts(malformed=1))
            return None


def from_settings(once: bool = False) -> Binance:
    """The process's one client for the present settings."""
    return _client(
        settings.BINANCE_BASE_URL,
        settings.BINANCE_FUTURES_BASE_URL,
        60.0 if once else settings.SCHED_INTERVAL_ACTIVE_SEC * 0.8,
        settings.HTTP_DEADLINE_SEC,
        settings.EXT_MAX_CONCURRENCY,
    )


@functools.lru_cache(maxsize=4)
def _client(base_url: str, futures_url: str, patience_sec: float, deadline_sec: float, concurrency: int) -> Binance:
    slots = shared_slots(concurrency)
    spot, futures = (
        Door(service, url, rates, deadline_sec, concurrency, meaning_of=meaning_of, slots=slots, stored_state=stored_state)
        for service, url, rates in ((SERVICE, base_url, RATES), (FUTURES, futures_url, FUTURES_RATES))
    )
    return Binance(spot, futures if futures_url else None, patience_sec)
