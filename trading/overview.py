"""What the page of the stages tells: how they stand now, what was just decided and what was held back, and what it all came to.
A number of queries that does not depend on the number of rows; ready-made values for the template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q

from tokens.templatetags import figures
from trading import asset_list, positions, records, words
from trading.models import AssetState, EquityPoint, Judgement, LedgerAccount, PaperAccount, SkippedSignal
from trading.names import Gate, Skip
from trading.results import LEAST_BLOCKS, LEAST_TRADES, Figure, Summary
from trading.told import because

FRESH_SEC = 180  # a cycle a minute, and two that may be late
DAY = timedelta(hours=24)
DECISIONS = 12
CLOSED = 25


@dataclass(frozen=True, slots=True)
class Decision:
    """One newest judgement with the sentence that decided it."""

    judged: Any
    why: str

    @property
    def gated(self) -> bool:
        return bool(self.judged.gate != Gate.NONE)


@dataclass(frozen=True, slots=True)
class Row:
    """One asset of the table."""

    state: Any
    judged: Any
    above: Any  # the nearest level over the price and under it, or None
    below: Any
    triggers: Sequence[str]
    refusals: Sequence[str]
    current: bool  # looked at in the newest cycle


def context(asked: asset_list.Wanted, now: datetime) -> dict[str, Any]:
    """All that the page prints."""
    account = PaperAccount.objects.filter(pk=1).first()
    seen = AssetState.objects.current().aggregate(
        assets=Count("pk"), kept=Count("pk", filter=Q(kept=True)), alerts=Count("pk", filter=Q(alert=True)), newest=Max("ts")
    )
    newest = seen["newest"]
    found = asset_list.find(asked)
    return {
        "now": now,
        "account": account,
        "seen": seen,
        "looked": newest is not None,
        "stale": newest is not None and (now - newest).total_seconds() > FRESH_SEC,
        "equity": EquityPoint.objects.order_by("-ts").first(),
        "open": positions.open_positions(),
        "decisions": decisions(),
        "held_back": held_back(now),
        "refused": refused(),
        "asked": {},  # the search of the header is another one
        "wanted": asked,
        "views": [(name, title, asked.link(show=name, page=1), name == asked.show) for name, title in asset_list.SHOWN.items()],
        "heads": asset_list.heads(asked),
        "found": found,
        "rows": [_row(state, newest) for state in found.states],
        "previous": asked.link(page=found.page - 1) if found.page > 1 else "",
        "next": asked.link(page=found.page + 1) if found.page < found.pages else "",
        **past(account, now),
    }


def past(account: PaperAccount | None, now: datetime) -> dict[str, Any]:
    """Results with their uncertainty."""
    record = records.record(account)
    return {
        "closed": positions.closed_positions(CLOSED),
        "record": record,
        "figures": figures_of(record.whole),
        "groups": [
            (
                words.GROUPS[group],
                [(_named(line.group, line.name), line.summary, figures_of(line.summary)) for line in record.lines if line.group == group],
            )
            for group in records.GROUPS
        ],
        "curve": records.equity(now, account.capital if account else 0.0),
        "curve_days": records.CURVE_DAYS,
        "least_trades": LEAST_TRADES,
        "least_blocks": LEAST_BLOCKS,
        "ledger": [(row, words.of_ledger(row.reason)) for row in LedgerAccount.objects.order_by("-blocked", "reason")],
    }


def decisions(token: Any = None, most: int = DECISIONS) -> list[Decision]:
    """The newest judgements; one query."""
    rows = Judgement.objects.select_related("token", "settings")
    if token is not None:
        rows = rows.filter(token=token)
    return [Decision(judged, because(judged)) for judged in rows.order_by("-ts", "-pk")[:most]]


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Of the last 24 hours, the most frequent first."""

    judged: int
    gates: Sequence[tuple[str, int]]
    skips: Sequence[tuple[str, int]]


def held_back(now: datetime) -> HeldBack:
    """Two queries."""
    gates = dict(Judgement.objects.filter(ts__gte=now - DAY).order_by().values_list("gate").annotate(Count("pk")))
    skips = dict(SkippedSignal.objects.filter(time__gte=now - DAY).order_by().values_list("reason").annotate(Count("pk")))
    return HeldBack(
        sum(gates.values()),
        _counted("gate", {name: count for name, count in gates.items() if name != Gate.NONE}),
        _counted("skip", {name: count for name, count in skips.items() if name != Skip.GATED}),
    )


def refused() -> list[tuple[str, int]]:
    """How many assets fail each limit of the filter now; one query. An asset may fail several."""
    rows = AssetState.objects.current().filter(kept=False).exclude(refusals="").order_by().values_list("refusals").annotate(Count("pk"))
    found: Counter[str] = Counter()
    for names, count in rows:
        found.update(dict.fromkeys(names.split(), count))
    return _counted("refusal", found)


def _counted(kind: str, counts: Any) -> list[tuple[str, int]]:
    return sorted(((words.word(kind, name), count) for name, count in counts.items()), key=lambda pair: (-pair[1], pair[0]))


def _row(state: Any, newest: datetime | None) -> Row:
    judged = state.judgement
    levels = [level for level in judged.levels if level.get("price") is not None] if judged is not None else []
    price = state.price if state.price is not None else judged.price if judged is not None else None
    return Row(
        state,
        judged,
        _nearest(levels, price, 1),
        _nearest(levels, price, -1),
        [words.word("trigger", trigger["name"]) for trigger in state.triggers],
        [words.word("refusal", name) for name in state.refusals.split()],
        state.ts == newest,
    )


def _nearest(levels: Sequence[dict[str, Any]], price: float | None, way: int) -> dict[str, Any] | None:
    """The level next to the price on one side, from where the price is now."""
    if not price:
        return None
    beyond = [level for level in levels if (level["price"] - price) * way > 0]
    nearest = min(beyond, key=lambda level: abs(level["price"] - price), default=None)
    return None if nearest is None else {**nearest, "away": nearest["price"] / price - 1, "name": words.word("level", nearest["kind"])}


def _named(group: str, name: str) -> str:
    return f"#{name}" if group == "revision" else words.word(group, name)


def figures_of(told: Summary) -> dict[str, str]:
    """As text with the interval; empty where there are too few trades to say."""
    return {
        "won": _figure(told.win_rate, "{:.0%}"),
        "expectancy": _figure(told.expectancy, "{:+,.2f}"),
        "risks": _figure(told.expectancy_risks, "{:+.2f}"),
        "profit_factor": _figure(told.profit_factor, "{:.2f}"),
    }


def _figure(figure: Figure, form: str) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return ""
    value, low, high = (
        form.format(number).replace("-", figures.MINUS).replace("inf", "∞") for number in (figure.value, figure.low, figure.high)
    )
    return f"{value} ({low} … {high})"
