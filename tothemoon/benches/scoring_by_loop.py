"""The scores of a day as one begins: for each token, for each of its snapshots, with the values as a cursor hands them out."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from scoring.metrics import CAPPED, ERROR, ESTIMATED, HOUR_AGO_SEC, LARGEST_AMOUNT, NO_ACTIVITY, NO_HISTORY, OK, ROUNDING, STALE, Formula

Row = dict[str, Any]
Value = tuple[float | None, int]  # with its state
CEILING, INTERVAL_SEC = 12.0, 30.0


def by_loop(tokens: list[list[Row]], by: Formula) -> list[list[float | None]]:
    """The score of each snapshot, token by token."""
    return [_one_token(rows, by) for rows in tokens]


def _one_token(rows: list[Row], by: Formula) -> list[float | None]:
    found: list[float | None] = []
    averages: list[float | None] = [None] * 4
    at: list[datetime] = [rows[0]["ts"]] * 4
    for row in rows:
        values = _metrics(row, by)
        total = together = 0.0
        for place, (value, _) in enumerate(values):
            if value is None:
                continue
            before = averages[place]
            kept = 0.0 if before is None else (1 - by.alpha) ** (_seconds(row["ts"], at[place]) / INTERVAL_SEC)
            now = value + kept * ((before or 0.0) - value)
            averages[place], at[place] = now, row["ts"]
            total += by.weights[place] * now
            together += by.weights[place]
        found.append(total / together * sum(by.weights) if together > 0 else None)
    return found


def _metrics(row: Row, by: Formula) -> list[Value]:
    age = _seconds(row["ts"], row["last_trade_at"]) if row["same_source"] and row["last_trade_at"] is not None else None
    silent = age is not None and 300 + by.freshness_limit_sec < age <= 86_400
    outdated = silent and row["tx_count_5m"] is not None and row["tx_count_5m"] > 0
    reading_age = _seconds(row["ts"], row["birdeye_at"]) if row["birdeye_at"] is not None else None
    return [
        _ratio(row["tx_count_5m"], row["tx_count_1h"], outdated),
        _ratio(row["volume_5m"], row["volume_1h"], outdated),
        _growth(row, reading_age, by.holders_freshness_sec),
        _imbalance(row, reading_age, outdated, by.freshness_limit_sec),
    ]


def _seconds(to: datetime, since: datetime) -> float:
    return (to - since).total_seconds()


def _impossible(*values: float | None) -> bool:
    return any(value is not None and (value < 0 or value > LARGEST_AMOUNT) for value in values)


def _ratio(short: float | None, long: float | None, outdated: bool) -> Value:
    if _impossible(short, long):
        return None, ERROR
    if short is None or long is None:
        return None, NO_HISTORY
    if outdated:
        return None, STALE
    if long == 0:
        return None, NO_ACTIVITY
    return min(CEILING * short / long, CEILING), CAPPED if short > long * (1 + ROUNDING) else OK


def _an_hour_ago(row: Row) -> tuple[float | None, float | None]:
    """Of the two counts the one nearer to an hour before, and the time between the two."""
    counted_at = row["birdeye_at"] if row["birdeye_at"] is not None else row["ts"]
    earlier = _seconds(counted_at, row["earlier_at"]) if row["earlier_at"] is not None else None
    later = _seconds(counted_at, row["later_at"]) if row["later_at"] is not None else None
    if earlier is None or (later is not None and abs(later - 3600) < abs(earlier - 3600)):
        before, between = row["later_holders"], later
    else:
        before, between = row["earlier_holders"], earlier
    if between is None or not HOUR_AGO_SEC[0] <= between <= HOUR_AGO_SEC[1]:
        return None, None
    return before, between


def _growth(row: Row, reading_age: float | None, limit: float) -> Value:
    now, (before, between) = row["holders"], _an_hour_ago(row)
    if _impossible(now, before):
        return None, ERROR
    if now is None:
        return None, NO_HISTORY
    if reading_age is not None and reading_age > limit:
        return None, STALE
    if before is None or between is None:
        return None, NO_HISTORY
    if now == 0 or before == 0:
        return None, NO_ACTIVITY
    return math.log(now / before) * 3600 / between, OK


def _imbalance(row: Row, reading_age: float | None, outdated: bool, limit: float) -> Value:
    bought, sold = row["buys_volume_5m"], row["sells_volume_5m"]
    volumes = bought is not None and sold is not None
    if volumes and not outdated and not (reading_age is not None and reading_age > limit):
        state = OK
    else:
        bought, sold, state = row["buys_5m"], row["sells_5m"], ESTIMATED
    if _impossible(bought, sold):
        return None, ERROR
    if bought is None or sold is None or (outdated and state == ESTIMATED):
        return None, STALE if volumes or outdated else NO_HISTORY
    if bought + sold == 0:
        return None, NO_ACTIVITY
    return (bought - sold) / (bought + sold), state
