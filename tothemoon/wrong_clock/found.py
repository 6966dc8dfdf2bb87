"""Where moments stand that this machine's clock wrote, and how many of them are yet to come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Count, Max, Min, Model, Q, Sum

from ingestion.models import (
    ApiUsage,
    BarFill,
    Heartbeat,
    ListeningGap,
    OpenInterest,
    QuarantinedFrame,
    ServiceState,
    WatchedSymbol,
)
from ingestion.turns import LONGEST_WAIT_SEC
from learning.models import FeatureVector, Outcome, Prediction, Signal
from scoring.models import AlertDelivery, AlertRule, AlertState, Duel, DuelLook, ReadKey, ScoreHealth, ShadowScore, TokenScore
from tokens.bars import INTERVALS
from tokens.models import Bar, Pool, PoolSnapshot, StatusChange, Token, TokenSnapshot
from trading.models import (
    AssetState,
    EquityPoint,
    Judgement,
    LedgerAccount,
    PaperFill,
    PaperOrder,
    PaperPosition,
    SkippedSignal,
)


class Fate(StrEnum):
    GOES = "goes"
    NOW = "stays, dated now"
    BACK = "put back to what is left"
    PAPER = "goes, or waits with the paper account"


@dataclass(frozen=True, slots=True)
class Dated:
    """A column of moments of one table. `owner` is the way from its row to the token it is about, where it is about one."""

    model: type[Model]
    column: str
    fate: Fate
    owner: str = "token_id"

    @property
    def name(self) -> str:
        return f"{self.model._meta.db_table}.{self.column}"

    def ahead(self, limit: datetime) -> Q:
        return Q(**{f"{self.column}__gt": limit})


@dataclass(frozen=True, slots=True)
class Found:
    """How many rows of it are dated after the limit, from when to when, and of how many tokens (None: it is about none)."""

    name: str
    fate: Fate
    rows: int
    first: datetime
    last: datetime
    tokens: int | None


def _dated(model: type[Model], fate: Fate, *columns: str, owner: str = "token_id") -> list[Dated]:
    return [Dated(model, column, fate, owner) for column in columns]


# What each tick makes of the answers. Bars are looked at by their end.
FIGURES = (
    *_dated(TokenSnapshot, Fate.GOES, "ts"),
    *_dated(PoolSnapshot, Fate.GOES, "ts", owner="pool__token_id"),
    *_dated(TokenScore, Fate.GOES, "ts"),
)
REST = (*_dated(OpenInterest, Fate.GOES, "ts"), *_dated(ScoreHealth, Fate.GOES, "ts", owner=""))
EVIDENCE = (
    *_dated(Outcome, Fate.GOES, "settled_at", owner=""),
    *_dated(Signal, Fate.GOES, "ts"),
    *_dated(Prediction, Fate.GOES, "ts", owner="vector__token_id"),
    *_dated(FeatureVector, Fate.GOES, "ts"),
)
DUELS = (*_dated(DuelLook, Fate.GOES, "ts", owner=""), *_dated(ShadowScore, Fate.BACK, "ts"))
PAPER = (
    *_dated(PaperFill, Fate.PAPER, "time", owner="position__token_id"),
    *_dated(PaperPosition, Fate.PAPER, "opened_at", "closed_at"),
    *_dated(PaperOrder, Fate.PAPER, "judgement__ts"),
    *_dated(SkippedSignal, Fate.PAPER, "time", owner="judgement__token_id"),
    *_dated(Judgement, Fate.PAPER, "ts"),
    *_dated(AssetState, Fate.PAPER, "ts"),
    *_dated(EquityPoint, Fate.PAPER, "ts", owner=""),
)
TOKENS = (
    *_dated(Token, Fate.BACK, "last_snapshot_at", "last_scored_at", "last_check_at", "low_since", owner="id"),
    *_dated(Token, Fate.NOW, "created_at", "status_changed_at", "activated_at", "archived_at", owner="id"),
)
NOTES = (
    *_dated(Pool, Fate.NOW, "first_seen", "last_seen"),
    *_dated(StatusChange, Fate.NOW, "ts"),
    *_dated(Bar, Fate.NOW, "stored_at"),
    *_dated(BarFill, Fate.NOW, "ts"),
    *_dated(QuarantinedFrame, Fate.NOW, "ts", owner=""),
    *_dated(ListeningGap, Fate.NOW, "from_ts", "to_ts", owner=""),
    *_dated(Heartbeat, Fate.NOW, "ts", "started_at", owner=""),
    *_dated(ServiceState, Fate.NOW, "since", owner=""),
    *_dated(WatchedSymbol, Fate.BACK, "figures_at", "depth_at"),
    *_dated(AlertDelivery, Fate.NOW, "made_at", "due_at", "claimed_at", "ended_at"),
    *_dated(AlertState, Fate.NOW, "sent_at"),
    *_dated(AlertRule, Fate.NOW, "learned_at", owner=""),
    *_dated(Duel, Fate.NOW, "begun_at", "ended_at", owner=""),
    *_dated(ReadKey, Fate.NOW, "last_used_at", owner=""),
    *_dated(LedgerAccount, Fate.NOW, "ts", "since", owner=""),
)


def look(limit: datetime) -> list[Found]:
    """All that is dated after this moment."""
    found = [_count(dated, limit) for dated in (*FIGURES, *REST, *EVIDENCE, *DUELS, *PAPER, *TOKENS, *NOTES)]
    return [each for each in (*found, _turns(limit), *_bars(limit), _usage(limit)) if each is not None]


def _count(dated: Dated, limit: datetime, also: timedelta = timedelta(0)) -> Found | None:
    rows = dated.model._default_manager.filter(dated.ahead(limit + also)).order_by()
    of = {"tokens": Count(dated.owner, distinct=True)} if dated.owner else {}
    seen = rows.aggregate(rows=Count("pk"), first=Min(dated.column), last=Max(dated.column), **of)
    return Found(dated.name, dated.fate, seen["rows"], seen["first"], seen["last"], seen.get("tokens")) if seen["rows"] else None


def _turns(limit: datetime) -> Found | None:
    """A turn may lie ahead, but no farther than the longest wait."""
    return _count(Dated(Token, "next_poll_at", Fate.NOW, "id"), limit, timedelta(seconds=LONGEST_WAIT_SEC))


def bars_ahead(limit: datetime) -> Iterator[tuple[str, datetime]]:
    """Of each length of bar, the moment after which one that begins has not ended at the limit."""
    return ((interval, limit - timedelta(seconds=length)) for interval, length in INTERVALS.items())


def _bars(limit: datetime) -> Iterator[Found]:
    for interval, begins in bars_ahead(limit):
        seen = Bar.objects.filter(interval=interval, open_time__gt=begins).aggregate(
            rows=Count("pk"), first=Min("open_time"), last=Max("open_time"), tokens=Count("token", distinct=True)
        )
        if seen["rows"]:
            yield Found(f"bars of {interval}", Fate.GOES, seen["rows"], seen["first"], seen["last"], seen["tokens"])


def _usage(limit: datetime) -> Found | None:
    """A day that has not begun."""
    seen = ApiUsage.objects.filter(day__gt=limit.date()).aggregate(rows=Count("pk"), first=Min("day"), last=Max("day"), calls=Sum("calls"))
    if not seen["rows"]:
        return None
    first, last = (datetime(day.year, day.month, day.day, tzinfo=limit.tzinfo) for day in (seen["first"], seen["last"]))
    return Found("api_usage.day", Fate.NOW, seen["rows"], first, last, None)
