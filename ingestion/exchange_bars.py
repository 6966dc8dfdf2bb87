"""Klines → rows: bars that are over, and the snapshot that the score of an exchange symbol is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction

from ingestion.binance import Kline
from tokens import bars
from tokens.bulk_rows import insert_rows, update_rows
from tokens.models import BarSource, Source, Token, TokenSnapshot
from tokens.overtaken import Overtaken, move_on, tokens_behind

HOUR_MINUTES, FIVE_MINUTES = 60, 5
SNAPSHOT = (
    *("token", "ts", "source", "price", "liquidity", "tx_count_5m", "tx_count_1h", "volume_5m", "volume_1h"),
    *("buys_volume_5m", "sells_volume_5m", "last_trade_at", "birdeye_at", "contradictions"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one symbol at one moment: its finished minutes, oldest first, and the one that is still growing."""

    token_id: int
    finished: Sequence[Kline]
    growing: Kline | None
    liquidity: float | None


def write_klines(klines: Iterable[tuple[int, Kline]], now: datetime) -> int:
    """Store finished klines of any length as bars of their tokens. One that is known already is passed over. How many were new."""
    written = 0
    rows = list(klines)
    for interval in sorted({kline.interval for _, kline in rows}):
        chosen = [(token_id, kline) for token_id, kline in rows if kline.interval == interval]
        columns: dict[str, Any] = {
            "token": np.array([token_id for token_id, _ in chosen], dtype=np.float64),
            "open_time": np.array([kline.open_time.timestamp() for _, kline in chosen]),
        }
        for name in ("open", "high", "low", "close", "volume", "trades", "buy_volume"):
            columns[name] = np.array([getattr(kline, name) for _, kline in chosen], dtype=np.float64)
        written += bars.write(columns, interval, BarSource.BINANCE, now)
    return written


def snapshot(seen: Seen, now: datetime) -> tuple[Any, ...] | None:
    """The row of this moment, in the order of SNAPSHOT; None where not even a price is known.

    The last five minutes are the five newest finished ones and what the growing one has so far, in proportion: a window of exactly five
    minutes that ends now. A window with a minute missing is unknown, not small.
    """
    newest = seen.growing or (seen.finished[-1] if seen.finished else None)
    if newest is None or now - newest.open_time > timedelta(minutes=3):
        return None
    five, hour = (_window(seen, now, minutes) for minutes in (FIVE_MINUTES, HOUR_MINUTES))
    trades_5m, volume_5m, bought_5m = five or (None, None, None)
    trades_1h, volume_1h, _ = hour or (None, None, None)
    sold = max(volume_5m - bought_5m, 0.0) if volume_5m is not None and bought_5m is not None else None
    traded_at = min(now, newest.open_time + timedelta(minutes=1)) if newest.trades else None
    counts = [round(number) if number is not None else None for number in (trades_5m, trades_1h)]
    return (
        *(seen.token_id, now, Source.BINANCE.value, newest.close, seen.liquidity),
        *(*counts, volume_5m, volume_1h, bought_5m, sold, traded_at, now, ""),
    )


def _window(seen: Seen, now: datetime, minutes: int) -> tuple[float, float, float] | None:
    """Trades, volume and bought volume of the `minutes` before now."""
    begun = now.replace(second=0, microsecond=0)
    passed = (now - begun).total_seconds() / 60 if seen.growing is not None else 0.0
    wanted = {begun - timedelta(minutes=back) for back in range(1, minutes + 1)}
    held = {kline.open_time: kline for kline in seen.finished if kline.open_time in wanted}
    if len(held) < minutes:
        return None
    oldest = held[begun - timedelta(minutes=minutes)]
    parts = [*held.values(), *([seen.growing] if seen.growing else [])]

    def total(name: str) -> float:
        return float(sum(getattr(kline, name) for kline in parts) - passed * getattr(oldest, name))

    return total("trades"), total("volume"), total("buy_volume")


def record_exchange(rows: Sequence[tuple[Any, ...]], turns: Mapping[int, datetime], now: datetime) -> int:
    """Store the snapshots of one tick, and when each token is looked at next: all or nothing. Who has a row of this moment or a later one
    gets no other."""
    unseen = [(pk, at) for pk, at in turns.items() if pk not in {row[0] for row in rows}]
    try:
        return _record(rows, turns, unseen, now)
    except Overtaken:
        behind = tokens_behind([row[0] for row in rows], now)
        return _record([row for row in rows if row[0] in behind], turns, unseen, now)


def _record(rows: Sequence[tuple[Any, ...]], turns: Mapping[int, datetime], unseen: Sequence[tuple[Any, ...]], now: datetime) -> int:
    with transaction.atomic():
        move_on(["next_poll_at", "last_snapshot_at"], [(row[0], turns[row[0]], now) for row in rows], "last_snapshot_at")
        update_rows(Token, "id", ["next_poll_at"], unseen)
        return insert_rows(TokenSnapshot, SNAPSHOT, rows)
