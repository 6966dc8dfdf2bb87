"""A back-test from the table of bars, or from a file of them: read, replay, report, remember. Paper only."""

from __future__ import annotations

import csv
import math
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db.models import Exists, OuterRef, Q

from scoring.models import ScoringSettings
from scoring.stage_columns import stage_settings
from tokens.bar_grid import AMOUNTS, PRICES, place
from tokens.bars import MINUTE_SEC, read_grid
from tokens.models import Bar, Status, StatusChange, Token
from trading import facts
from trading.backtest import BacktestResult, Material, Replayed, only_liquidity, replay, result_of
from trading.backtest_report import page, trades_csv
from trading.models import BacktestRun
from trading.outcomes import outcomes
from trading.pipeline import Known, StageRules
from trading.windows import WINDOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

Say = Callable[[str], None]
# Judged before the first traded bar, so that it remembers what live cycles would have left: how often triggers met (which counts from the
# next day on), who was let in, which gates were closed. By the default retention no bars of one minute are older.
REMEMBERED = timedelta(days=3)
PAST = REMEMBERED + timedelta(minutes=WINDOW)  # with what the first of these sees
MOST_CELLS = 200_000_000  # bars × assets that one run takes; about 60 GB would be needed for more


class NothingToTest(ValueError):
    """There are no bars to look at; the sentence says why."""


class MalformedBars(ValueError):
    """A line of the file is no bar; the sentence names it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run leaves behind."""

    result: BacktestResult
    html: Path
    trades: Path
    seconds: float


def run(material: Material, revision: ScoringSettings, folder: Path, now: datetime, say: Say = lambda text: None) -> Report:
    """Replay, write both files, store the run. The time is that of the replay alone."""
    settings = stage_settings(revision)
    rules = StageRules.from_settings(settings)
    began = time.perf_counter()
    replayed = replay(material, rules, say)
    seconds = time.perf_counter() - began
    result = result_of(material, rules, settings, revision.pk, replayed)
    say("report")
    html, trades = _write(material, replayed, result, seconds, folder, now)
    _store(material, result, revision, seconds, html, now)
    return Report(result, html, trades, seconds)


def _write(
    material: Material, replayed: Replayed, result: BacktestResult, seconds: float, folder: Path, now: datetime
) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{now:%Y%m%d-%H%M%S}-{result.data_hash[:8]}"
    html, trades = folder / f"{name}.html", folder / f"{name}.csv"
    html.write_text(page(material, replayed, result, seconds, now), encoding="utf-8")
    trades.write_text(trades_csv(material, replayed), encoding="utf-8", newline="")
    return html, trades


def _store(material: Material, result: BacktestResult, revision: ScoringSettings, seconds: float, html: Path, now: datetime) -> None:
    stored = result.stored()
    BacktestRun.objects.create(
        started_at=now,
        from_ts=_moment(result.begin),
        to_ts=_moment(result.end),
        symbols=list(material.addresses),
        settings=revision,
        parameters=stored.pop("settings"),
        data_hash=result.data_hash,
        bars=result.bars,
        seconds=seconds,
        result=stored,
        report=str(html)[:400],
    )


def from_table(begin: datetime, end: datetime, symbols: Sequence[str] = (), late: bool = False) -> Material:
    """The stored bars of one minute. What was stored too late for a live cycle is left out, unless `late` says otherwise."""
    return of_tokens(_tokens(_minute(begin), _minute(end), symbols), begin, end, late)


def of_tokens(pks: Sequence[int], begin: datetime, end: datetime, late: bool = False) -> Material:
    """The same for tokens that have been chosen already."""
    first, last = _minute(begin), _minute(end)
    lead, bars = int(PAST.total_seconds()) // MINUTE_SEC, int((last - first).total_seconds()) // MINUTE_SEC
    if (lead + bars) * len(pks) > MOST_CELLS:
        raise NothingToTest(f"{len(pks)} assets × {bars} minutes are more than one run takes: choose --symbols or a shorter time.")
    grid = read_grid("1m", pks, last, lead + bars, as_it_was=not late)
    if np.isnan(grid.close[lead:]).all():
        raise NothingToTest(f"There are no bars between {first:%Y-%m-%d %H:%M} and {last:%Y-%m-%d %H:%M} that were known in time.")
    of = facts.assets(pks)
    known, liquidity = facts.known(grid, of, WINDOW)
    known = _of_those_looked_at(known, facts.looked_at(of, grid))
    names = dict(Token.objects.filter(pk__in=pks).values_list("pk", "symbol"))
    return Material(
        grid,
        tuple(names[pk] or address for pk, address in zip(of.pks.tolist(), of.addresses, strict=True)),
        tuple(of.addresses),
        lead,
        known,
        liquidity,
        _observed(grid.open_time[0], len(grid)),
        outcomes(last),
        WINDOW,
    )


def _of_those_looked_at(known: Known, looked_at: NDArray[np.bool_]) -> Known:
    """The filter is asked anew whenever somebody comes or goes."""
    rows = [row for row, _ in known.facts]
    changes = {int(row) for row in np.flatnonzero((looked_at[1:] != looked_at[:-1]).any(axis=1)) + 1 if rows and row >= rows[0]}
    told = [(row, known.facts[bisect_right(rows, row) - 1][1]) for row in sorted({*rows, *changes})]
    return replace(known, facts=told, looked_at=looked_at)


def _tokens(first: datetime, last: datetime, symbols: Sequence[str]) -> list[int]:
    seen = Bar.objects.filter(interval="1m", open_time__gte=first, open_time__lt=last)
    active = StatusChange.objects.filter(token=OuterRef("pk"), new=Status.ACTIVE, ts__lt=last)
    wanted = Token.objects.filter(Q(status=Status.ACTIVE) | Exists(active), pk__in=seen.values("token_id"))
    for symbol in symbols:
        if not wanted.filter(_called(symbol)).exists():
            raise NothingToTest(f"No bars of {symbol} between {first:%Y-%m-%d %H:%M} and {last:%Y-%m-%d %H:%M}, or it was never Active.")
    if symbols:
        wanted = wanted.filter(Q(*(_called(symbol) for symbol in symbols), _connector=Q.OR))
    found = list(wanted.order_by("pk").values_list("pk", flat=True))
    if not found:
        raise NothingToTest(f"There are no bars of Active tokens between {first:%Y-%m-%d %H:%M} and {last:%Y-%m-%d %H:%M}.")
    return found


def _called(symbol: str) -> Q:
    return Q(address=symbol) | Q(symbol__iexact=symbol)


def _observed(first_open: int, bars: int) -> NDArray[np.bool_]:
    """The minutes in which any asset was seen: where none was, nobody was looking, and silence says nothing about a token."""
    begin = _moment(int(first_open))
    end = begin + timedelta(seconds=MINUTE_SEC * bars)
    times = Bar.objects.filter(interval="1m", open_time__gte=begin, open_time__lt=end).values_list("open_time", flat=True).distinct()
    found = np.zeros(bars, dtype=bool)
    for moment in times:
        found[int((moment - begin).total_seconds()) // MINUTE_SEC] = True
    return found


def from_csv(path: Path, begin: datetime | None, end: datetime | None, symbols: Sequence[str] = (), exchange: bool = False) -> Material:
    """Bars of one minute from a file: `symbol` (may be left out for one asset), `open_time` (seconds, milliseconds or ISO 8601), `open`,
    `high`, `low`, `close`, `volume` in US dollars (may be empty), and if known `trades`, `buy_volume`, `liquidity`. Of an
    `exchange`, they are judged and filled at its costs, and may be sold short."""
    rows = _read_rows(path, set(symbols))
    if not rows["open_time"]:
        raise NothingToTest(f"{path}: no bars{' of ' + ', '.join(symbols) if symbols else ''}.")
    named = rows.pop("symbol")
    addresses = sorted(set(named))
    times = np.array(rows["open_time"], dtype=np.int64)
    first = int((begin - PAST).timestamp()) if begin else int(times.min())
    first = max(first // MINUTE_SEC * MINUTE_SEC, int(times.min()))
    last = min(int(end.timestamp()) // MINUTE_SEC * MINUTE_SEC if end else int(times.max()) + MINUTE_SEC, int(times.max()) + MINUTE_SEC)
    bars = (last - first) // MINUTE_SEC
    if bars <= 0 or bars * len(addresses) > MOST_CELLS:
        raise NothingToTest(f"{path}: no bars in that time." if bars <= 0 else f"{path}: more bars than one run takes.")
    column = {address: number + 1 for number, address in enumerate(addresses)}
    figures: dict[str, Any] = {name: np.array(values, dtype=np.float64) for name, values in rows.items()}
    figures["token"] = np.array([column[name] for name in named], dtype=np.float64)
    tokens = np.arange(1, len(addresses) + 1)
    grid = place(MINUTE_SEC, first, bars, tokens, figures)
    liquidity = place(MINUTE_SEC, first, bars, tokens, {**figures, "volume": figures["liquidity"]}).volume
    there = not np.isnan(liquidity).all()
    known = Known(addresses, at_points=only_liquidity(liquidity, not exchange), in_pools=np.full(len(tokens), not exchange))
    lead = max(0, int(begin.timestamp()) // MINUTE_SEC * MINUTE_SEC - first) // MINUTE_SEC if begin else 0
    remembered_from = max(0, lead - int(REMEMBERED.total_seconds()) // MINUTE_SEC)
    return Material(grid, tuple(addresses), tuple(addresses), lead, known, liquidity if there else None, remembered_from=remembered_from)


def _read_rows(path: Path, wanted: set[str]) -> dict[str, list[Any]]:
    figures = (*PRICES, *AMOUNTS, "liquidity")
    found: dict[str, list[Any]] = {name: [] for name in ("symbol", "open_time", *figures)}
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        try:
            missing = [name for name in ("open_time", *PRICES) if name not in (reader.fieldnames or ())]
            if missing:
                raise MalformedBars(f"{path}: the first line must name the columns; {', '.join(missing)} not found.")
            for symbol, row in _of(reader, wanted):
                found["symbol"].append(symbol)
                found["open_time"].append(_seconds(row["open_time"]))
                for name, number in _numbers(row, figures).items():
                    found[name].append(number)
        except MalformedBars:
            raise
        except UnicodeDecodeError as error:
            raise MalformedBars(f"{path} is no text in UTF-8.") from error
        except (TypeError, ValueError, OverflowError, csv.Error) as error:
            raise MalformedBars(f"{path}, line {reader.line_num}: {error}") from error
    return found


def _numbers(row: dict[str, Any], figures: Sequence[str]) -> dict[str, float]:
    """A row's figures; ValueError where they are not those of a bar. An amount that is not given is unknown."""
    told = {name: float(row.get(name) or "nan") for name in figures}
    first, high, low, last = (told[name] for name in PRICES)
    known = all(math.isfinite(price) for price in (first, high, low, last))
    if not (known and 0 < low <= min(first, last) <= max(first, last) <= high):
        raise ValueError("these prices are not those of a bar.")
    if not all(number != number or 0 <= number < math.inf for name, number in told.items() if name not in PRICES):
        raise ValueError("an amount is below 0, or without end.")
    return told


def _of(reader: csv.DictReader[str], wanted: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in reader:
        symbol = row.get("symbol") or row.get("token") or "the asset"
        if not wanted or symbol in wanted:
            yield symbol, row


def _seconds(text: str) -> int:
    """A bar's opening, which must be a whole minute."""
    try:
        number = float(text)
        seconds = number / 1000 if number > 1e11 else number
    except ValueError:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if seconds % MINUTE_SEC:
        raise ValueError(f"{text} is not the beginning of a minute")
    return int(seconds)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
