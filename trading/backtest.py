"""The three stages over past bars: the functions of the live cycle, all rows at once. Pure; paper only.

What is told of a back-test is kept in one value (`BacktestResult`), with the settings and a hash of the data it was made from: the same
bars and the same settings give the same numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np

from tokens.bar_grid import AMOUNTS, PRICES, Grid
from trading.book import Flags, Numbers, Places
from trading.calibration import Outcomes
from trading.context import Facts
from trading.gate_ledger import Entry, ledger, reasons_of, shadow
from trading.many_bars import Outcome, run
from trading.market import Market
from trading.pipeline import Decided, Known, Memory, StageRules, decide
from trading.reasons import TRIGGERS
from trading.results import Drawdown, Line, Summary, Trades, by_name, drawdown, lines, summary, trades_of
from trading.scenarios import SCENARIOS

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Material:
    """What a back-test looks at. `first_row` is the first that is traded; those before it are the past that a live cycle would have had."""

    grid: Grid
    names: tuple[str, ...]  # of the tokens, as a reader knows them
    addresses: tuple[str, ...]
    first_row: int = 0
    known: Known = field(default_factory=Known)  # beside the bars, as it was known then
    liquidity: Numbers | None = None  # (bars, tokens) in US dollars, as last seen; None: nobody said anything about any
    observed: Flags | None = None  # (bars,)
    outcomes: Outcomes | None = None  # of the account's earlier trades; None: confidence stays a score
    remembered_from: int | None = None  # the first row that the first traded one remembers; None: it remembers nothing

    @property
    def begins(self) -> int:
        """The first row that is judged."""
        return self.first_row if self.remembered_from is None else min(self.remembered_from, self.first_row)


def only_liquidity(liquidity: Numbers, in_pools: bool = True) -> Callable[[Places, Places], Facts]:
    """`Known.at_points` where nothing but the liquidity (bars, tokens) is known, and where all are traded."""
    return lambda rows, columns: replace(
        Facts.unknown(len(rows)), liquidity=liquidity[rows, columns], may_be_short=np.full(len(rows), not in_pools)
    )


@dataclass(frozen=True, slots=True)
class Replayed:
    """Everything that happened."""

    decided: Decided
    outcome: Outcome
    trades: Trades
    shadows: Trades


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """What is stored of a run, all of it plain. Moments are seconds since 1970."""

    settings: dict[str, Any]
    revision: int | None
    data_hash: str
    begin: int
    end: int
    interval_sec: int
    tokens: int
    bars: int  # that were there, in the traded rows
    gaps: int  # places where one was missing between a token's first and last
    liquidity_known: float  # share of these bars
    filtered: bool  # the prefilter had facts to go by
    interest_known: float | None  # share of the bars of exchange symbols at which open interest had been read; None: no such bars
    alerts: int
    judged: int
    signals: int
    capital: float
    equity: float  # at the end, what is still open at its last price
    still_open: int
    assumed: int  # trades that rest on an assumed liquidity
    drawdown: Drawdown
    summary: Summary
    skipped: dict[str, int]
    groups: tuple[Line, ...]
    ledger: tuple[Entry, ...]

    def stored(self) -> dict[str, Any]:
        """For a JSON column: no NaN, no infinity (an infinite profit factor is null beside its count of trades)."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def replay(material: Material, rules: StageRules, say: Callable[[str], None] = lambda text: None) -> Replayed:
    """The whole of it. `say` is told what is being done."""
    grid = material.grid
    say("indicators, triggers, judgement")
    known, first = _known(material, rules), material.first_row
    memory = _memory(material, rules, known)
    decided = decide(grid, rules, memory, _part(known, first, len(grid)), first_row=first)
    tape = decided.tape(grid, material.liquidity, material.observed)
    market = Market(tape)
    say("paper trades")
    outcome = run(tape, decided.signals, rules.broker, market)
    say("what the gates kept out")
    shadows = shadow(tape, decided.signals, rules.broker, market)
    return Replayed(decided, outcome, trades_of(outcome.fills, decided.signals, grid.open_time), shadows)


def _memory(material: Material, rules: StageRules, known: Known) -> Memory:
    """What the cycles before the first traded row would have left: how often triggers met, who was let in, which gates were closed."""
    nothing, since, first = Memory.empty(len(material.grid.tokens)), material.begins, material.first_row
    if since >= first:
        return nothing
    past = material.grid.rows(slice(0, first))
    return decide(past, rules, nothing, _part(known, since, first), first_row=since).memory


def _part(known: Known, first: int, last: int) -> Known:
    """What of it is in force at some of the rows, of a grid that ends with the last of them."""
    facts, calibrations = _in_force(known.facts, first, last), _in_force(known.calibrations, first, last)
    looked_at = None if known.looked_at is None else known.looked_at[:last]
    return replace(known, facts=facts, calibrations=calibrations, looked_at=looked_at)


def _in_force(changes: Sequence[tuple[int, T]], first: int, last: int) -> list[tuple[int, T]]:
    return [(max(row, first), value) for row, stop, value in _spans(changes, last) if row < last and stop > first]


def _spans(changes: Sequence[tuple[int, T]], last: int) -> list[tuple[int, int, T]]:
    """From which row on and before which each is in force."""
    stops = [*(row for row, _ in changes[1:]), last]
    return [(row, stop, value) for (row, value), stop in zip(changes, stops, strict=bool(changes))]


def _known(material: Material, rules: StageRules) -> Known:
    """With what a live cycle would have taken a score for, day by day."""
    if material.outcomes is None:
        return material.known
    ends, judge = material.grid.open_time + material.grid.interval_sec, rules.judge
    by_day = material.outcomes.by_day(ends, material.begins, judge.calibration_least, judge.calibration_prior)
    return replace(material.known, calibrations=by_day)


def result_of(
    material: Material, rules: StageRules, settings: Mapping[str, Any], revision: int | None, replayed: Replayed
) -> BacktestResult:
    grid, decided, outcome, trades = (
        material.grid.rows(slice(material.first_row, None)),
        replayed.decided,
        replayed.outcome,
        replayed.trades,
    )
    known, looked_at = ~np.isnan(grid.close), material.known.looked_at
    reasons, counts = np.unique(outcome.skips.reason, return_counts=True)
    equity = outcome.equity[material.first_row :]
    liquid = 0.0 if material.liquidity is None or not known.any() else float((material.liquidity[material.first_row :] > 0)[known].mean())
    return BacktestResult(
        settings=dict(settings),
        revision=revision,
        data_hash=data_hash(material),
        begin=int(grid.open_time[0]) if len(grid) else 0,
        end=int(grid.open_time[-1]) + grid.interval_sec if len(grid) else 0,
        interval_sec=grid.interval_sec,
        tokens=len(grid.tokens),
        bars=int(known.sum()),
        gaps=_gaps(known),
        liquidity_known=liquid,
        filtered=bool(material.known.facts),
        interest_known=_interest_known(material),
        alerts=int((decided.alerts.begins & (True if looked_at is None else looked_at))[material.first_row :].sum()),
        judged=len(decided.judged),
        signals=len(decided.signals),
        capital=rules.broker.capital_usd,
        equity=float(equity[-1]) if len(equity) else rules.broker.capital_usd,
        still_open=int((~trades.over).sum()),
        assumed=int(trades.assumed.sum()),
        drawdown=drawdown(equity),
        summary=summary(trades),
        skipped={str(reason): int(count) for reason, count in zip(reasons, counts, strict=True)},
        groups=tuple(lines(trades, groups_of(decided, trades, revision))),
        ledger=tuple(
            ledger(
                replayed.shadows,
                reasons_of(decided.signals, outcome.skips.signal, outcome.skips.reason, trades.signal),
            )
        ),
    )


def _interest_known(material: Material) -> float | None:
    there = ~np.isnan(material.grid.close)
    told = bars = 0
    for start, stop, known in _spans(_in_force(material.known.facts, material.first_row, len(there)), len(there)):
        rows = there[start:stop]
        bars += int(rows[:, ~known.in_pools].sum())
        told += int(rows[:, ~known.in_pools & ~np.isnan(known.open_interest)].sum())
    return told / bars if bars else None


def groups_of(decided: Decided, trades: Trades, revision: int | None) -> dict[str, dict[str, Flags]]:
    """Which trades had which trigger, scenario, exit. One trade may have several triggers."""
    point = decided.of[trades.signal]
    bits = decided.alerts.reasons[decided.judged.rows[point], decided.judged.columns[point]]
    scenario = np.array([name.value for name in SCENARIOS])[decided.judged.scenario[point]]
    return {
        "trigger": {trigger.value: (bits >> number & 1).astype(bool) for number, trigger in enumerate(TRIGGERS)},
        "scenario": by_name(scenario),
        "exit": by_name(trades.how),
        "side": by_name(np.where(trades.side > 0, "long", "short")),
        "settings": by_name(np.full(len(trades), "unsaved" if revision is None else f"revision {revision}")),
    }


def _gaps(known: Flags) -> int:
    rows = np.arange(len(known))[:, None]
    first = np.where(known, rows, len(known)).min(axis=0, initial=len(known))
    last = np.where(known, rows, -1).max(axis=0, initial=-1)
    return int((~known & (rows > first) & (rows < last)).sum())


def data_hash(material: Material) -> str:
    """Of the bars, the liquidity, where they are traded, what the filter was told and what earlier trades came to: tokens in the order of
    their addresses, bars in the order of time."""
    order = np.argsort(np.array(material.addresses)) if len(material.addresses) else np.zeros(0, dtype=np.int64)
    digest = hashlib.sha256(repr((material.grid.interval_sec, sorted(material.addresses), material.begins, material.first_row)).encode())
    digest.update(np.ascontiguousarray(material.grid.open_time).tobytes())
    figures = [getattr(material.grid, name) for name in (*PRICES, *AMOUNTS)]
    for values in [*figures, *([] if material.liquidity is None else [material.liquidity])]:
        digest.update(np.ascontiguousarray(np.where(np.isnan(values), np.nan, values)[:, order]).tobytes())
    for row, facts in material.known.facts:
        told = np.array([getattr(facts, one.name) for one in fields(facts)], dtype=np.float64)[:, order]
        digest.update(repr(row).encode() + np.where(np.isnan(told), np.nan, told).tobytes())
    if material.known.in_pools is not None:
        digest.update(material.known.in_pools[order].tobytes())
    if material.known.looked_at is not None:
        digest.update(np.ascontiguousarray(material.known.looked_at[:, order]).tobytes())
    if material.outcomes is not None:
        for column in (material.outcomes.ended, material.outcomes.scores, material.outcomes.won):
            digest.update(column.tobytes())
    return digest.hexdigest()
