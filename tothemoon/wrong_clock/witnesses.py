"""Is it the present clock that is right? If it were behind, all that is true and recent would look as if it were yet to come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Max
from django.utils import timezone

from ingestion.told_time import told_time
from tokens.freshness import CLOCKS_DIFFER
from tokens.models import Bar, BarSource, TokenSnapshot

PATIENCE_SEC = 5.0
TYPED_WITHIN = timedelta(minutes=5)  # of the moment that a person read from another clock
MOST_SHARE = 0.5  # of all snapshots: who would lose more has to name the newest moment


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody else's clock. `behind_sec` is by how much this machine's lies behind it, None where it could not be asked."""

    name: str
    behind_sec: float | None

    @property
    def against(self) -> bool:
        return self.behind_sec is not None and abs(self.behind_sec) > CLOCKS_DIFFER.total_seconds()


def heard() -> list[Witness]:
    """All that can be asked, each with this machine's clock read right after it. A simulated market has no clock of its own."""
    return [*_database(), *(() if settings.SIMULATED else (*_exchange(), *_service()))]


def _database() -> Iterator[Witness]:
    """Its own clock where it is a server, which may be another machine."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            yield Witness("the database's clock", _behind(cursor.fetchone()[0]))


def _exchange() -> Iterator[Witness]:
    """Minutes that others dated: one that has begun there has begun."""
    dated = Bar.objects.filter(interval="1m", source__in=[BarSource.BINANCE, BarSource.BIRDEYE])
    newest = dated.aggregate(newest=Max("open_time"))["newest"]
    if newest is not None and newest > timezone.now():
        yield Witness("the newest minute that an exchange dated", _behind(newest))


def _service() -> Iterator[Witness]:
    there = told_time(settings.DEXSCREENER_BASE_URL, PATIENCE_SEC)
    yield Witness("the clock of DexScreener", None if there is None else _behind(there))


def _behind(there: datetime) -> float:
    return (there - timezone.now()).total_seconds()


def by_hand(typed: str) -> datetime:
    """A moment as a person types it, UTC unless it says otherwise. Raises ValueError."""
    moment = datetime.fromisoformat(typed.strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def share_ahead(limit: datetime) -> float:
    """How much of all snapshots would go."""
    total = TokenSnapshot.objects.count()
    return TokenSnapshot.objects.filter(ts__gt=limit).count() / total if total else 0.0
