"""A back-test as one HTML file that needs nothing else, and its trades as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.template.loader import render_to_string

from trading import words
from trading.backtest import BacktestResult, Material, Replayed
from trading.gate_ledger import TRADED, Entry
from trading.report_charts import Curve, amounts, curve, shares
from trading.results import Figure, Line, Summary
from trading.scenarios import SCENARIOS

MOST_TRADES = 1000  # in the page; the CSV has all
INTEREST = ("prefilter_open_interest_least", "prefilter_open_interest_percentile")
COLUMNS = (
    "key",
    "token",
    "side",
    "opened",
    "closed",
    "entry",
    "exit",
    "quantity",
    "invested_usd",
    "fees_usd",
    "result_usd",
    "result_risks",
    "exit_kind",
    "targets",
    "liquidity_assumed",
    "scenario",
    "triggers",
)


def page(material: Material, replayed: Replayed, result: BacktestResult, seconds: float, made: datetime) -> str:
    rows = list(_rows(material, replayed))
    equity = replayed.outcome.equity[material.first_row :]
    times = material.grid.open_time[material.first_row :] + material.grid.interval_sec
    fall = equity / np.maximum.accumulate(equity) - 1 if len(equity) else equity
    context = {
        "result": result,
        "made": made,
        "begin": _moment(result.begin),
        "end": _moment(result.end),
        "seconds": seconds,
        "bars_a_second": result.bars / seconds if seconds > 0 else None,
        "gain": f"{result.equity / result.capital - 1:+.2%}",
        "depth": f"{result.drawdown.depth:.2%}",
        "longest": _span(result.drawdown.longest * result.interval_sec),
        "charts": [("Equity, US dollars", _equity(equity, times, result.capital)), ("Drawdown", _drawdown(fall, times))],
        "figures": _figures(result.summary),
        "groups": _groups(result.groups),
        "ledger": [_account(entry, entry.reason == TRADED) for entry in result.ledger],
        "skipped": sorted(result.skipped.items(), key=lambda pair: -pair[1]),
        "trades": rows[:MOST_TRADES],
        "more": max(0, len(rows) - MOST_TRADES),
        "settings": sorted(result.settings.items()),
        "names": material.names,
        "interest": f"{result.interest_known:.0%}" if result.interest_known is not None and any(map(result.settings.get, INTEREST)) else "",
    }
    return render_to_string("trading/backtest.html", context)


def trades_csv(material: Material, replayed: Replayed) -> str:
    """Every trade, in the order of entries; moments as ISO 8601 in UTC, numbers in full."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in _rows(material, replayed):
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@"):
        return f"'{value}"  # a token's name must not be a formula
    return "" if value is None else value


def _rows(material: Material, replayed: Replayed) -> Iterator[dict[str, Any]]:
    trades, decided = replayed.trades, replayed.decided
    names = dict(zip(material.grid.tokens.tolist(), material.names, strict=True))
    for place, point in enumerate(decided.of[trades.signal].tolist()):
        over = bool(trades.over[place])
        row, column = int(decided.judged.rows[point]), int(decided.judged.columns[point])
        yield {
            "key": int(trades.key[place]),
            "token": names[int(trades.token[place])],
            "side": words.way(trades.side[place]),
            "opened": _moment(int(trades.opened[place])),
            "closed": _moment(int(trades.closed[place])) if over else None,
            "entry": float(trades.entry[place]),
            "exit": _known(trades.exit[place]),
            "quantity": float(trades.quantity[place]),
            "invested_usd": float(trades.invested[place]),
            "fees_usd": float(trades.fees[place]),
            "result_usd": _known(trades.result[place]),
            "result_risks": _known(trades.risks[place]),
            "exit_kind": str(trades.how[place]) if over else "open",
            "targets": int(trades.targets[place]),
            "liquidity_assumed": bool(trades.assumed[place]),
            "scenario": SCENARIOS[int(decided.judged.scenario[point])].value,
            "triggers": " ".join(decided.alerts.names(row, column)),
        }


def _known(value: float) -> float | None:
    return float(value) if value == value else None


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    return f"{days} d {hours} h" if days else f"{hours} h {rest // 60} min"


def _day(seconds: int) -> str:
    return f"{_moment(seconds):%d %b %H:%M}"


def _equity(equity: Any, times: Any, capital: float) -> Curve:
    return curve(equity, times, amounts, _day, capital)


def _drawdown(fall: Any, times: Any) -> Curve:
    return curve(fall, times, shares, _day, 0.0)


def _figures(told: Summary) -> list[tuple[str, str]]:
    return [
        ("Won", _figure(told.win_rate, "{:.0%}")),
        ("Expectancy a trade", _figure(told.expectancy, "{:+,.2f} $")),
        ("Expectancy in risks", _figure(told.expectancy_risks, "{:+.2f} R")),
        ("Profit factor", _figure(told.profit_factor, "{:.2f}")),
    ]


def _figure(figure: Figure, form: str) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return "too few trades to say"
    value, low, high = (form.format(number).replace("inf", "∞") for number in (figure.value, figure.low, figure.high))
    return f"{value} ({low} to {high})"


def _groups(lines: Sequence[Line]) -> list[tuple[str, list[dict[str, Any]]]]:
    """What none of whose trades is over yet has nothing to tell."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        if line.summary.trades:
            told = {"name": words.word(line.group, line.name), "summary": line.summary, "figures": _figures(line.summary)}
            found.setdefault(line.group, []).append(told)
    return list(found.items())


def _account(entry: Entry, traded: bool) -> dict[str, Any]:
    return {"name": words.of_ledger(entry.reason), "entry": entry, "traded": traded, "figures": _figures(entry.would_have)}
