"""The bars from before a token was watched, asked for when it becomes Active: its judgement would wait hours for a past otherwise.

Asked are the minutes of the last sixteen hours, once, within a quarter of an hour of its becoming Active. Whoever had no turn by then has
none: the token has been judged on what was known, and a back-test of that time must not know more. For the same reason the newest minutes
are left to our own snapshots. Longer bars are made from these; daily ones are not asked for, because such a token is hours old.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import numpy as np
from django.db.models import Count, QuerySet, Sum

from ingestion.birdeye_bars import MINUTE, MOST_MINUTES, Candle, Room
from ingestion.errors import Malformed, OutsideError, Permanent
from ingestion.models import BarFill
from tokens.bars import lengthen, write
from tokens.models import BarSource, Chain, Status, StatusChange, Token

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

NEWEST = timedelta(minutes=5)  # before now; longer than a bar may take to count as known in time
WITHIN = timedelta(minutes=15)  # of becoming Active
A_RUN = 30
DAY = timedelta(hours=24)


class BarsSource(Protocol):
    """Birdeye, as far as this needs it."""

    def room(self, now: datetime) -> Room: ...
    def minutes(self, address: str, since: datetime, until: datetime, now: datetime) -> list[Candle] | OutsideError: ...


@dataclass(frozen=True, slots=True)
class FillReport:
    """What one run did. `says` is the line for the log and for the operator."""

    filled: int = 0
    refused: int = 0
    bars: int = 0
    waiting: int = 0
    says: str = ""


def fill_bars(now: datetime, source: BarsSource, writing: Callable[[], AbstractContextManager[None]] = nullcontext) -> FillReport:
    """Ask about the tokens that became Active, the newest first, as many as there is room for; store inside `writing()`."""
    waiting = list(_waiting(now))
    room = source.room(now) if waiting else Room(0)
    asked = waiting[: min(room.tokens, A_RUN)]
    began = time.monotonic()
    until = now.replace(second=0, microsecond=0) - NEWEST
    since = until - MOST_MINUTES * MINUTE
    settled: list[tuple[Token, list[Candle] | OutsideError]] = []
    for token in asked:
        answer = source.minutes(token.address, since, until, now)
        if isinstance(answer, OutsideError) and not _is_final(answer):
            break  # who is in trouble now is not asked thirty times
        settled.append((token, answer))
    bars = 0
    if settled:
        with writing():
            bars = _store(settled, since, until, now, now + timedelta(seconds=time.monotonic() - began))
    left = len(waiting) - len(settled)
    refused = sum(1 for _, answer in settled if isinstance(answer, OutsideError))
    says = _says(now, left, room.why if left and not asked else "")
    if settled:
        log.info("%s", says)
    return FillReport(len(settled) - refused, refused, bars, left, says)


def _waiting(now: datetime) -> QuerySet[Token]:
    """Who became Active just now has the most of it; `held` by an operator or not."""
    recent = Token.objects.filter(status=Status.ACTIVE, chain=Chain.SOLANA, activated_at__gt=now - WITHIN, bar_fill__isnull=True)
    return recent.only("pk", "address").order_by("-activated_at", "pk")


def _is_final(error: OutsideError) -> bool:
    """Asking again about this token would bring the same, and cost the same."""
    return isinstance(error, Malformed) or (isinstance(error, Permanent) and error.kind == Permanent.BAD_REQUEST)


def _store(
    settled: Sequence[tuple[Token, list[Candle] | OutsideError]], since: datetime, until: datetime, now: datetime, told_at: datetime
) -> int:
    """How many bars were new; statements do not depend on the number of tokens. Nobody knew a bar while it was still being asked for."""
    told = [(token, answer) for token, answer in settled if not isinstance(answer, OutsideError) and answer]
    rows = [_row(token, answer, now) for token, answer in settled]
    BarFill.objects.bulk_create(rows, ignore_conflicts=True)
    if not told:
        return 0
    minutes = write(_columns([(token, candle) for token, found in told for candle in found]), "1m", BarSource.BIRDEYE, told_at)
    return minutes + lengthen(since, until, told_at, [token.pk for token, _ in told])


def _row(token: Token, answer: list[Candle] | OutsideError, now: datetime) -> BarFill:
    if isinstance(answer, OutsideError):
        return BarFill(token=token, ts=now, obstacle=str(answer)[:200])
    return BarFill(token=token, ts=now, bars=len(answer), filled_from=answer[0].open_time if answer else None)


def _columns(found: Sequence[tuple[Token, Candle]]) -> dict[str, NDArray[np.float64]]:
    """How many trades there were and who bought is not told: unknown."""
    columns = {name: np.array([getattr(candle, name) for _, candle in found]) for name in ("open", "high", "low", "close")}
    columns["volume"] = np.array([np.nan if candle.volume is None else candle.volume for _, candle in found])
    columns["token"] = np.array([float(token.pk) for token, _ in found])
    columns["open_time"] = np.array([candle.open_time.timestamp() for _, candle in found])
    return columns | {name: np.full(len(found), np.nan) for name in ("trades", "buy_volume")}


def _says(now: datetime, waiting: int, why: str) -> str:
    """bars filled back: 12 of 15 tokens that became Active in the last 24 hours (9,204 bars); 3 wait: …"""
    since = now - DAY
    began = StatusChange.objects.filter(ts__gt=since, new=Status.ACTIVE, token__chain=Chain.SOLANA).exclude(old=Status.ACTIVE)
    done = BarFill.objects.filter(ts__gt=since).aggregate(tokens=Count("pk"), bars=Sum("bars", default=0))
    of = max(began.values("token").distinct().count(), done["tokens"])
    line = f"bars filled back: {done['tokens']} of {of} tokens that became Active in the last 24 hours ({done['bars']:,} bars)"
    if waiting:
        line += f"; {waiting} wait{'s' if waiting == 1 else ''}{': ' + why if why else ''}"
    return line


__all__ = ["BarsSource", "FillReport", "fill_bars"]
