"""The watch-list of exchange symbols: their bars filled back, their snapshots tick by tick, their daily figures now and then.

What the stream has heard meanwhile is in the table already; this asks for what is missing, so a stream that is away costs seconds of
freshness and nothing else.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from django.db import transaction

from ingestion.binance import Day, Kline
from ingestion.errors import Permanent
from ingestion.exchange_bars import Seen, record_exchange, snapshot, write_klines
from ingestion.models import OpenInterest, WatchedSymbol
from tokens.bars import lengthen
from tokens.lifecycle import change_status
from tokens.models import LARGEST_AMOUNT, Bar, Chain, Pool, Status, StatusChange, Token

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(hours=24)  # of bars of one minute, for a symbol that is new
DAILY_LOOK_BACK = timedelta(days=120)
WINDOW = timedelta(minutes=62)  # what a snapshot needs
MOST_MISSED = timedelta(minutes=990)  # as much as one request brings
FIGURES_EVERY = timedelta(minutes=5)
DEPTH_COUNTS_FOR = timedelta(minutes=15)  # two readings may be missed
FILLED_A_TICK = 10  # new symbols; each is two requests more for every thousand minutes


class ExchangeSource(Protocol):
    """Binance, as far as polling needs it."""

    def klines(
        self, since: Mapping[str, datetime], now: datetime, interval: str = "1m", most: int = 1000
    ) -> dict[str, tuple[list[Kline], Kline | None] | Permanent]: ...
    def days(self, symbols: Sequence[str]) -> dict[str, Day]: ...
    def depths(self, symbols: Sequence[str]) -> dict[str, float]: ...
    def tick_sizes(self, symbols: Sequence[str]) -> dict[str, float]: ...
    def open_interest(self, symbols: Sequence[str]) -> dict[str, float]: ...


@dataclass(frozen=True, slots=True)
class ExchangeReport:
    """What one look at the watch-list did."""

    watched: int = 0
    answered: int = 0
    refused: int = 0
    bars: int = 0
    filled: int = 0


def poll_exchange(
    now: datetime, interval_sec: float, binance: ExchangeSource, writing: Callable[[], AbstractContextManager[None]] = nullcontext
) -> ExchangeReport:
    """Ask about every watched symbol and store what was answered, inside `writing()`: it may refuse by raising."""
    symbols = list(WatchedSymbol.objects.select_related("token").order_by("symbol"))
    watched = [symbol for symbol in symbols if symbol.watched]
    back = {symbol.symbol: _back(symbol, now) for symbol in watched}  # asked before the list is kept, which gives turns anew
    _keep_to_the_list(symbols, now, writing)
    if not watched:
        return ExchangeReport()
    report = _fill(watched, binance, now, writing)
    _figures([symbol for symbol in watched if _figures_are_due(symbol, now)], binance, now, writing)
    began = time.monotonic()
    most = int(max(back.values()).total_seconds() // 60) + 1
    answers = binance.klines({name: now - missed for name, missed in back.items()}, now, most=most)
    with writing():
        told_at = now + timedelta(seconds=time.monotonic() - began)
        report = _record(watched, answers, now, told_at, interval_sec, report)
        return replace(report, bars=report.bars + _lengthen(watched, back, now, told_at))


def _back(symbol: WatchedSymbol, now: datetime) -> timedelta:
    """How far back to ask: what a snapshot needs, and more where nobody has asked for a while (an outage, a time off the list)."""
    late = now - symbol.token.next_poll_at if symbol.token is not None else timedelta(0)
    return WINDOW if late <= WINDOW / 2 else min(late + WINDOW, MOST_MISSED)


def _lengthen(watched: Sequence[WatchedSymbol], back: Mapping[str, timedelta], now: datetime, told_at: datetime) -> int:
    """The longer bars of the minutes that had been missed."""
    missed = {symbol.token_id: back[symbol.symbol] for symbol in watched if back[symbol.symbol] > WINDOW and symbol.token_id is not None}
    return lengthen(now - max(missed.values()), now, told_at, list(missed)) if missed else 0


def _keep_to_the_list(symbols: Sequence[WatchedSymbol], now: datetime, writing: Callable[[], AbstractContextManager[None]]) -> None:
    """New symbols get their token; those taken off the list are archived, and come back when they are put on it again."""
    changed = [symbol for symbol in symbols if symbol.token is None or (symbol.token.status == Status.ACTIVE) != symbol.watched]
    if not changed:
        return
    with writing():
        for symbol in changed:
            if symbol.token is None:
                if symbol.watched:
                    begin(symbol, now)
                continue
            new, done = (Status.ACTIVE, "put on") if symbol.watched else (Status.ARCHIVED, "taken off")
            change_status(symbol.token, new, f"{done} the watch-list of exchange symbols", "watch-list", now)


def begin(symbol: WatchedSymbol, now: datetime) -> Token:
    """The token of a symbol that is new: Active from the start, because an operator wants it watched."""
    with transaction.atomic():
        token, new = Token.objects.get_or_create(
            address=symbol.symbol,
            defaults={
                "chain": Chain.BINANCE,
                "symbol": symbol.symbol,
                "name": "on Binance",
                "status": Status.ACTIVE,
                "held": True,
                "created_at": now,
                "activated_at": now,
                "status_changed_at": now,
                "next_poll_at": now,
            },
        )
        if new:
            reason = "put on the watch-list of exchange symbols"
            StatusChange.objects.create(token=token, old="", new=Status.ACTIVE, reason=reason, actor="watch-list", ts=now)
            Pool.objects.create(
                token=token, pool_address=f"binance:{symbol.symbol}", dex_name="binance", quote_symbol="USDT", first_seen=now, last_seen=now
            )
        symbol.token = token
        symbol.save(update_fields=["token"])
    return token


def _fill(
    watched: Sequence[WatchedSymbol], binance: ExchangeSource, now: datetime, writing: Callable[[], AbstractContextManager[None]]
) -> ExchangeReport:
    """Bars of the last day and daily ones of the last months, for symbols that have none yet; a few a tick."""
    new = [symbol for symbol in watched if symbol.filled_from is None][:FILLED_A_TICK]
    if not new:
        return ExchangeReport(watched=len(watched))
    names = {symbol.symbol: symbol for symbol in new}
    began = time.monotonic()
    minute, half = now.replace(second=0, microsecond=0), LOOK_BACK / 2  # one request brings at most a thousand minutes
    earlier = binance.klines(dict.fromkeys(names, minute - LOOK_BACK), now, most=int(half.total_seconds() // 60))
    later = binance.klines(dict.fromkeys(names, minute - half), now)
    daily = binance.klines(dict.fromkeys(names, now - DAILY_LOOK_BACK), now, "1d")
    ticks = binance.tick_sizes(list(names))
    written, filled = 0, set()
    with writing():
        told_at = now + timedelta(seconds=time.monotonic() - began)  # nobody knew a bar while it was still being asked for
        for name, symbol in names.items():
            found = [answers.get(name) for answers in (earlier, later, daily)]
            rows = [(symbol.token_id, kline) for answer in found if isinstance(answer, tuple) for kline in answer[0]]
            written += write_klines([(pk, kline) for pk, kline in rows if pk is not None], told_at)
            if all(isinstance(answer, tuple) for answer in found):
                filled.add(symbol.token_id)
                symbol.filled_from = min((kline.open_time for _, kline in rows if kline.interval == "1m"), default=now)
                symbol.tick_size = ticks.get(name) or None
                symbol.save(update_fields=["filled_from", "tick_size"])
                if symbol.token is not None:
                    Token.objects.filter(pk=symbol.token.pk).update(created_at=min((kline.open_time for _, kline in rows), default=now))
        written += lengthen(minute - LOOK_BACK, minute, told_at, [pk for pk in filled if pk is not None]) if filled else 0
    done = sum(1 for symbol in watched if symbol.filled_from is not None)
    log.info("bars filled back: %d of %d symbols of the watch-list, %d new bars", done, len(watched), written)
    return ExchangeReport(watched=len(watched), bars=written, filled=len(filled))


def _figures_are_due(symbol: WatchedSymbol, now: datetime) -> bool:
    return symbol.figures_at is None or now - symbol.figures_at >= FIGURES_EVERY


def _figures(
    due: Sequence[WatchedSymbol], binance: ExchangeSource, now: datetime, writing: Callable[[], AbstractContextManager[None]]
) -> None:
    """What the filter of Stage 1 asks for. A figure that was not answered keeps its place; one that does not exist stays blank. Open
    interest is written down with its time too: the price and the depth of a moment stand in its snapshots, this nowhere else."""
    names = [symbol.symbol for symbol in due if not symbol.obstacle]
    if not names:
        return
    began = time.monotonic()
    days, depths, contracts = binance.days(names), binance.depths(names), binance.open_interest(names)
    told_at = now + timedelta(seconds=time.monotonic() - began)
    changed, read = [], []
    for symbol in due:
        day = days.get(symbol.symbol)
        if day is None:
            continue
        symbol.volume_24h, symbol.change_24h, symbol.figures_at = day.volume, day.change, now
        if symbol.symbol in depths:
            symbol.depth, symbol.depth_at = depths[symbol.symbol], now
        interest = contracts.get(symbol.symbol, math.inf) * day.last_price
        if interest <= LARGEST_AMOUNT and symbol.token is not None:
            symbol.open_interest = interest
            read.append(OpenInterest(token=symbol.token, ts=told_at, usd=interest))
        changed.append(symbol)
    with writing():
        OpenInterest.objects.bulk_create(read, ignore_conflicts=True)
        WatchedSymbol.objects.bulk_update(changed, ["volume_24h", "change_24h", "figures_at", "depth", "depth_at", "open_interest"])


def _liquidity(symbol: WatchedSymbol, now: datetime) -> float | None:
    """The depth of its book, unless that was read too long ago to be the depth of now."""
    read_at = symbol.depth_at or symbol.figures_at
    return symbol.depth if read_at is not None and now - read_at <= DEPTH_COUNTS_FOR else None


def _record(
    watched: Sequence[WatchedSymbol],
    answers: Mapping[str, tuple[list[Kline], Kline | None] | Permanent],
    now: datetime,
    told_at: datetime,
    interval_sec: float,
    report: ExchangeReport,
) -> ExchangeReport:
    refused = {name: str(answer)[:200] for name, answer in answers.items() if isinstance(answer, Permanent)}
    told = [symbol for symbol in watched if symbol.obstacle != refused.get(symbol.symbol, "") and symbol.symbol in answers]
    for symbol in told:
        symbol.obstacle = refused.get(symbol.symbol, "")
    WatchedSymbol.objects.bulk_update(told, ["obstacle"])
    ids = [symbol.token_id for symbol in watched if symbol.token_id is not None]
    rows, klines = [], []
    known = set(Bar.objects.filter(interval="1m", open_time__gte=now - 2 * WINDOW, token__in=ids).values_list("token_id", "open_time"))
    for symbol in watched:
        answer = answers.get(symbol.symbol)
        if not isinstance(answer, tuple) or symbol.token_id is None:
            continue
        klines += [(symbol.token_id, kline) for kline in answer[0] if (symbol.token_id, kline.open_time) not in known]
        row = snapshot(Seen(symbol.token_id, answer[0], answer[1], _liquidity(symbol, now)), now)
        rows += [row] if row is not None else []
    written = write_klines(klines, told_at)
    record_exchange(rows, dict.fromkeys(ids, now + timedelta(seconds=interval_sec)), now)
    return replace(report, answered=len(rows), refused=len(refused), bars=report.bars + written)
