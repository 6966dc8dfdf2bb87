"""The paper account's own past: its positions and its equity as arrays, and the figures that follow. Read again only when a position has
been closed, for nothing else changes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.core.cache import cache
from django.db.models import Count, Q, Sum

from tokens.bars import moment_literal
from tokens.columns import Column, read_columns
from trading.models import PaperAccount, PaperPosition
from trading.report_charts import Curve, amounts, curve, shares
from trading.results import Drawdown, Line, Summary, Trades, by_name, drawdown, lines, summary

MOST_TRADES = 5_000  # the newest
CURVE_DAYS = 30
KEPT_SEC = 3_600
GROUPS = ("trigger", "scenario", "exit", "revision")
TAKEN = ("pk", "token_id", "side", "opened", "entry", "quantity", "invested", "result", "risked", "exit", "reached")
JUDGED = ("judgement__scenario", "judgement__settings_id", "judgement__triggers", "closed_at")
POINTS = (Column("ts", "e.ts", "moment"), Column("equity", "e.equity"))


@dataclass(frozen=True, slots=True)
class Record:
    """What the closed positions came to."""

    whole: Summary
    lines: Sequence[Line]
    cut: bool  # older trades are left out


@dataclass(frozen=True, slots=True)
class Equity:
    """The account's curve over the last days."""

    curve: Curve
    fall: Curve
    drawdown: Drawdown
    minutes: int


def record(account: PaperAccount | None) -> Record:
    """Two queries, or one where nothing was closed since it was asked last."""
    closed = PaperPosition.objects.filter(closed_at__isnull=False)
    newest = closed.order_by("-closed_at").values_list("closed_at", "pk").first()
    version = f"{account.started_at.timestamp() if account else 0} {newest}".replace(" ", "_").replace(":", "-")
    known: tuple[str, Record] | None = cache.get("trading-record")
    if known is not None and known[0] == version:
        return known[1]
    found = _record(closed)
    cache.set("trading-record", (version, found), KEPT_SEC)
    return found


def _record(closed: Any) -> Record:
    rows = list(
        closed.annotate(fees=Sum("fills__fee"), assumed=Count("fills", filter=Q(fills__assumed=True)))
        .order_by("-closed_at")
        .values_list(*TAKEN, *JUDGED, "fees", "assumed")[: MOST_TRADES + 1]
    )
    cut, rows = len(rows) > MOST_TRADES, rows[:MOST_TRADES]
    columns: dict[str, list[Any]] = {name: [row[n] for row in rows] for n, name in enumerate((*TAKEN, *JUDGED, "fees", "assumed"))}
    trades = trades_of_rows(columns)
    return Record(summary(trades), lines(trades, _groups(columns, trades)), cut)


def trades_of_rows(columns: dict[str, list[Any]]) -> Trades:
    """Closed positions as `trading.results` reckons with them."""
    number = {
        name: np.array(columns[name], dtype=np.float64) for name in ("side", "entry", "quantity", "invested", "result", "risked", "fees")
    }
    whole = {name: np.array(columns[name], dtype=np.int64) for name in ("pk", "token_id", "opened", "reached", "assumed")}
    count = len(columns["pk"])
    return Trades(
        signal=np.arange(count),
        key=whole["pk"],
        token=whole["token_id"],
        side=number["side"],
        opened=whole["opened"],
        closed=np.array([int(moment.timestamp()) for moment in columns["closed_at"]], dtype=np.int64),
        entry=number["side"] * number["entry"],
        exit=np.full(count, np.nan),
        quantity=number["quantity"],
        left=np.zeros(count),
        invested=number["invested"],
        fees=number["fees"],
        result=number["result"],
        risked=number["risked"],
        how=np.array(columns["exit"], dtype=np.str_),
        targets=whole["reached"],
        assumed=whole["assumed"] > 0,
    )


def _groups(columns: dict[str, list[Any]], trades: Trades) -> dict[str, dict[str, Any]]:
    fired = [{trigger["name"] for trigger in triggers} for triggers in columns["judgement__triggers"]]
    names = sorted(set().union(*fired))
    return {
        "trigger": {name: np.array([name in each for each in fired], dtype=bool) for name in names},
        "scenario": by_name(np.array(columns["judgement__scenario"], dtype=np.str_)),
        "exit": by_name(trades.how),
        "revision": by_name(np.array([str(pk) for pk in columns["judgement__settings_id"]], dtype=np.str_)),
    }


def equity(now: datetime, capital: float) -> Equity:
    """One statement. Nothing is drawn of fewer than two points."""
    since = now - timedelta(days=CURVE_DAYS)
    rows = read_columns(POINTS, f"FROM paper_equity e WHERE e.ts >= {moment_literal(since)}")
    order = np.argsort(rows["ts"], kind="stable")
    moments, values = rows["ts"][order].astype(np.int64), rows["equity"][order]
    fall = values / np.maximum.accumulate(values) - 1 if len(values) else values
    drawn = slice(None) if len(values) > 1 else slice(0, 0)
    return Equity(
        curve(values[drawn], moments[drawn], amounts, _day, capital),
        curve(fall[drawn], moments[drawn], shares, _day, 0.0),
        drawdown(values),
        len(values),
    )


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%m-%d %H:%M}"
