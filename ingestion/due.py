"""The questions polling asks the database: who is due, with what the last row knew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, FilteredRelation, Q, QuerySet

from ingestion.leases import Lease
from ingestion.snapshot_rows import LastRow
from tokens.models import Chain, Status, Token

MOST_A_TICK = 12_000
LAST = (
    "price",
    "liquidity",
    "tx_count_5m",
    "holders",
    "buys_volume_5m",
    "sells_volume_5m",
    "unique_wallets_5m",
    "last_trade_at",
    "birdeye_at",
)


@dataclass(frozen=True, slots=True)
class DueToken:
    pk: int
    address: str
    symbol: str
    name: str
    created_at: datetime
    activated_at: datetime | None
    next_poll_at: datetime
    poll_failures: int
    last: LastRow | None


def due_tokens(status: Status, now: datetime, ahead_sec: float, share: Lease | None = None) -> list[DueToken]:
    """The tokens whose turn comes within so many seconds from now, the longest overdue first; where there is a `share`, those that it
    has taken. One query."""
    horizon = now + timedelta(seconds=ahead_sec)
    which = Q(next_poll_at__lte=horizon) if share is None else Q(pk__in=share.taken, lease=share.number)
    rows: Iterable[tuple[Any, ...]] = (
        Token.objects.filter(which, status=status, chain=Chain.SOLANA)
        .annotate(last_row=FilteredRelation("snapshots", condition=Q(snapshots__ts=F("last_snapshot_at"))))
        .order_by("next_poll_at", "pk")
        .values_list(
            *("pk", "address", "symbol", "name", "created_at", "activated_at", "next_poll_at", "poll_failures"),
            *("last_snapshot_at", *(f"last_row__{name}" for name in LAST)),
        )[:MOST_A_TICK]
    )
    return [
        DueToken(
            pk, address, symbol, name, created_at, activated_at, next_poll_at, failures, LastRow(*last) if last[0] is not None else None
        )
        for pk, address, symbol, name, created_at, activated_at, next_poll_at, failures, *last in rows
    ]


def active_tokens_to_ask(now: datetime, older_than_sec: float) -> int:
    """How many Active tokens have Birdeye figures older than that, or none: they come first where it is paid for."""
    recently = now - timedelta(seconds=older_than_sec)
    stale: QuerySet[Token] = (
        Token.objects.filter(status=Status.ACTIVE, chain=Chain.SOLANA)
        .annotate(last_row=FilteredRelation("snapshots", condition=Q(snapshots__ts=F("last_snapshot_at"))))
        .filter(Q(last_row__birdeye_at__isnull=True) | Q(last_row__birdeye_at__lte=recently))
    )
    return stale.count()
