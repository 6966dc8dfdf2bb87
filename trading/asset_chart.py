"""One asset as the chart draws it: its bars, and over them levels, triggers, entries, exits, stops and targets. The columns have the names
that the charts of the token pages know."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db.models import Max, Min

from scoring.settings_in_force import active_settings
from scoring.stage_columns import stage_settings
from tokens.bars import INTERVALS, MINUTE_SEC, read_grid, stored_rows
from tokens.chart import Asked
from tokens.models import Bar
from trading import unheard, words
from trading.models import AssetState, EquityPoint, Judgement, PaperAccount, PaperFill, PaperPosition
from trading.names import Deal, Gate, Unheard
from trading.pipeline import Learned, StageRules
from trading.texts import GATES, RECOMMENDATIONS, number
from trading.windows import WINDOW

USUAL_SEC = 21_600
FINEST = (("1m", 129_600), ("5m", 864_000), ("1h", 10**10))  # an interval → the longest stretch that it is drawn for
MOST_LEVELS = 10
MOST_TRADES, MOST_POINTS = 40, 300


def history(token: Any, asked: Asked, now: datetime) -> dict[str, Any]:
    """Everything the chart draws; eleven queries at most, whatever the asset. Times are seconds since 1970; a bar stands where it ended."""
    kept = Bar.objects.filter(token=token, interval="1m").aggregate(oldest=Min("open_time"), newest=Max("open_time"))
    end = now.timestamp()
    oldest = kept["oldest"].timestamp() if kept["oldest"] else end - USUAL_SEC
    until = min(end, asked.until) if asked.until is not None else end
    since = min(max(oldest, asked.since if asked.since is not None else until - USUAL_SEC), until)
    interval = next(name for name, longest in FINEST if until - since <= longest)
    length = INTERVALS[interval]
    rows = _bars(token, interval, since, until)
    outages = _outages(rows["ts"], length, since, until)
    columns = _interrupted(rows, outages)
    first = int(np.searchsorted(columns["ts"], asked.after)) if asked.after is not None else 0
    trades = list(PaperPosition.objects.filter(token=token).order_by("-opened_at", "pk")[:MOST_TRADES])
    judged = Judgement.objects.filter(token=token).order_by("-ts").first()
    return {
        "oldest": round(oldest, 1),
        "newest": round(end, 1),
        "from": round(since, 1),
        "to": round(until, 1),
        "step": length,
        "thinned": interval != "1m",
        **{name: _short(values[first:]) for name, values in columns.items()},
        "notes": [0] * len(columns["ts"][first:]),
        "last": {"price": _last(rows["price"]), "volume": _last(rows["volume"])},
        "outages": outages,
        "blind": [],
        "changes": [],
        "revisions": [],
        "lines": [*_levels(judged, until), *(line for trade in trades for line in _plan(trade, until))],
        "points": [
            *(_unheard(token, since, until) if interval == "1m" else []),
            *_judged(token, since, until),
            *_fills(token, since, until),
        ],
    }


def _bars(token: Any, interval: str, since: float, until: float) -> dict[str, Any]:
    length = INTERVALS[interval]
    rows = stored_rows(interval, _at(since - length), _at(until - length + 1), [token.pk])
    order = np.argsort(rows["open_time"])
    found = {"ts": rows["open_time"][order] + length}
    return found | {
        name: rows[of][order] for name, of in (("price", "close"), ("price_low", "low"), ("price_high", "high"), ("volume", "volume"))
    }


def _outages(ts: Any, length: int, since: float, until: float) -> list[tuple[float, float]]:
    """Stretches in which bars are missing; the newest minute may still be on its way."""
    ends = np.concatenate([[since], ts, [until - 2 * length]]) if len(ts) else np.array([since, until])
    gaps = np.flatnonzero(np.diff(ends) > 1.5 * length)
    return [(float(ends[gap]), float(ends[gap + 1])) for gap in gaps]


def _interrupted(rows: dict[str, Any], outages: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """With an empty point inside each outage, so that no line is drawn across it."""
    holes = np.array([begin + 1 for begin, _ in outages if len(rows["ts"]) and begin >= rows["ts"][0]])
    places = np.searchsorted(rows["ts"], holes)
    empty = {name: np.insert(values, places, np.nan) for name, values in rows.items() if name != "ts"}
    return {"ts": np.insert(rows["ts"], places, holes), **empty}


def _levels(judged: Any, until: float) -> list[dict[str, Any]]:
    """The strongest levels of the newest judgement, and the two next to the price, from when they were found."""
    if judged is None:
        return []
    known = [level for level in judged.levels if level.get("price") and level["kind"] != "fallback"]
    known.sort(key=lambda level: (not level.get("nearest"), -(level.get("strength") or 0.0)))
    return [
        {
            "kind": "level",
            "from": judged.ts.timestamp(),
            "to": None,
            "price": level["price"],
            "strength": level.get("strength") or 0.0,
            "text": words.word("level", level["kind"]),
        }
        for level in known[:MOST_LEVELS]
    ]


def _plan(trade: Any, until: float) -> list[dict[str, Any]]:
    """Entry, stop and targets of a trade, as long as it lasted. A trade that is open also widens the prices shown."""
    side = 1.0 if trade.side > 0 else -1.0
    span = {
        "from": trade.opened_at.timestamp(),
        "to": trade.closed_at.timestamp() if trade.closed_at else None,
        "open": trade.closed_at is None,
    }
    lines = [("entry", trade.entry, words.word("exit", Deal.ENTRY)), ("stop", trade.stop, words.word("exit", Deal.STOP))]
    lines += [("target", target, words.word("exit", f"target_{place}")) for place, target in enumerate(trade.targets, 1)]
    return [{"kind": kind, "price": side * price, "text": text, **span} for kind, price, text in lines]


def _unheard(token: Any, since: float, until: float) -> list[dict[str, Any]]:
    """Triggers that led to no alert, of the time in which the stages looked: since it has been Active, and while they ran."""
    state = AssetState.objects.filter(token=token).first()
    began = EquityPoint.objects.order_by("ts").first()
    if state is None or began is None or token.activated_at is None:
        return []
    since = max(since, began.ts.timestamp() - MINUTE_SEC, token.activated_at.timestamp())
    rows = math.ceil((min(until, state.ts.timestamp()) - since) / MINUTE_SEC)
    if rows <= 0:
        return []
    revision, account = active_settings(), PaperAccount.objects.filter(pk=1).first()
    rules = StageRules.from_settings(stage_settings(revision))
    grid = read_grid("1m", [token.pk], min(_at(until), state.ts), WINDOW + rows, as_it_was=True)
    judged = Judgement.objects.filter(token=token, ts__gte=_at(float(grid.open_time[0]))).values_list("ts", flat=True)
    learned = Learned.restored(account.co_firing if account is not None else {})
    told = unheard.events(grid, token.address, rules, learned.in_force, WINDOW, [int(ts.timestamp()) for ts in judged])
    least = number(rules.alert.least_effective)
    return [
        {"kind": "unheard", "ts": event.end, "price": event.price, "way": 0, "text": _unheard_sentence(event, least)}
        for event in told[-MOST_POINTS:]
    ]


def _unheard_sentence(event: unheard.Event, least: str) -> str:
    """near a level → no alert: too few independent reasons (1 of 1.8)."""
    fired, why = ", ".join(words.word("trigger", name) for name in event.triggers), words.word("unheard", event.why)
    return f"{fired} → {why}" + (f" ({number(event.effective)} / {least})" if event.why == Unheard.TOO_FEW else "")


def _judged(token: Any, since: float, until: float) -> list[dict[str, Any]]:
    rows = Judgement.objects.filter(token=token, ts__gte=_at(since), ts__lte=_at(until)).order_by("-ts")[:MOST_POINTS]
    return [
        {"kind": "trigger", "ts": judged.ts.timestamp(), "price": judged.price, "way": judged.side, "text": _sentence(judged)}
        for judged in reversed(rows)
    ]


def _sentence(judged: Any) -> str:
    """breakout, volume spike → wait (buy held back: too little confidence)."""
    fired = ", ".join(words.word("trigger", trigger["name"]) for trigger in judged.triggers)
    said = str(RECOMMENDATIONS.get(judged.recommendation, judged.recommendation))
    if judged.gate != Gate.NONE:
        original = RECOMMENDATIONS.get(judged.recommendation_original, judged.recommendation_original)
        said += f" ({original}: {GATES.get(judged.gate, judged.gate)})"
    return f"{fired} → {said}" if fired else said


def _fills(token: Any, since: float, until: float) -> list[dict[str, Any]]:
    found = PaperFill.objects.filter(position__token=token, time__gte=_at(since), time__lte=_at(until)).select_related("position")
    return [
        {
            "kind": "entry" if fill.deal == Deal.ENTRY else "exit",
            "ts": fill.time.timestamp(),
            "price": fill.price,
            "way": (1 if fill.position.side > 0 else -1) * (1 if fill.deal == Deal.ENTRY else -1),
            "text": words.word("exit", fill.deal),
        }
        for fill in reversed(found.order_by("-time", "-pk")[:MOST_POINTS])
    ]


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _short(values: Any) -> list[float | None]:
    """Seven digits draw and tell everything; a moment is whole."""
    return [None if value != value else value if value > 1e9 else float(f"{value:.7g}") for value in values.tolist()]


def _last(values: Any) -> float | None:
    return float(values[-1]) if len(values) and values[-1] == values[-1] else None


__all__ = ["history"]
