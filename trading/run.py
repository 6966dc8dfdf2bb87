"""One cycle of the three stages: the bars that are over, judged; the paper account, moved on; all of it stored in one transaction.

What was judged once is not judged again, and what comes late changes nothing: the account remembers the last bar it has taken in. After
an outage the bars that were missed move the open positions on, but nothing is entered at prices that are past.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import transaction

from learning.feature_inputs import Minutes, stored_minutes
from scoring.models import ScoringSettings
from scoring.settings_in_force import active_settings
from scoring.stage_columns import stage_settings
from tokens.bars import LATENESS, MINUTE_SEC
from trading import book_rows, broker, evidence, facts, minds, state_rows
from trading.book import Book, Events, Signals
from trading.judgement import GATES
from trading.models import PaperAccount
from trading.names import Skip
from trading.outcomes import calibration_before
from trading.pipeline import Decided, StageRules, decide
from trading.windows import WINDOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tokens.bar_grid import Grid

MOST_ROWS = 480  # of a long outage only the newest are looked at


@dataclass(frozen=True, slots=True)
class Cycle:
    """What one cycle did."""

    assets: int = 0
    rows: int = 0
    kept: int = 0
    alerts: int = 0
    judged: int = 0
    signals: int = 0
    entered: int = 0
    closed: int = 0
    skipped: int = 0
    refused: dict[str, int] = field(default_factory=dict)  # by the filter, of the newest bar; and by reason and name of all bars:
    begun: int = 0  # alerts
    triggers: dict[str, int] = field(default_factory=dict)
    gates: dict[str, int] = field(default_factory=dict)
    skips: dict[str, int] = field(default_factory=dict)
    parts_ms: dict[str, float] = field(default_factory=dict)


def step(
    now: datetime,
    revision: ScoringSettings | None = None,
    writing: Callable[[], AbstractContextManager[None]] = nullcontext,
    read: facts.Reading = facts.stored_grid,
    minutes: Minutes = stored_minutes,
) -> Cycle:
    """Judge the minutes that have ended since the last cycle. Called again for the same minutes, it does nothing.

    `read` gives the bars, `minutes` those that the vectors of the evidence are made from; a process that goes on passes what remembers
    them (`tokens.recent_bars`, `tokens.every_bar`).
    """
    revision = revision or active_settings()
    rules = StageRules.from_settings(stage_settings(revision))
    edge = int((now - LATENESS).timestamp()) // MINUTE_SEC * MINUTE_SEC
    account = _account(rules, writing)
    first = max(account.until + MINUTE_SEC, edge - MOST_ROWS * MINUTE_SEC) if account.until >= 0 else edge - MINUTE_SEC
    if first >= edge:
        return Cycle()
    watch = _Watch()
    of = facts.assets()
    rows = (edge - first) // MINUTE_SEC
    grid = read("1m", of.pks.tolist(), datetime.fromtimestamp(edge, UTC), WINDOW + rows)
    # The bar that ends at midnight is one of the day before: its trades are not in the table yet when it is judged.
    calibration = calibration_before(datetime.fromtimestamp(edge - 1, UTC), rules.judge)
    known, liquidity = facts.known(grid, of, WINDOW, calibration, read)
    memory = state_rows.memory(of.pks, account)
    watch.lap("read")
    decided = decide(grid, rules, memory, known, first_row=WINDOW, lap=watch.lap)
    flips = minds.flips_of(decided, grid, rules, known, memory.gates)
    watch.lap("flips")
    fresh = _fresh(decided.signals, grid, now)
    before = book_rows.load(account)
    moved = _moved(before, decided, grid, liquidity, decided.signals.only(fresh), rules)
    watch.lap("broker")
    told = state_rows.judgement_rows(decided, grid, rules, revision, now, flips)
    kept = evidence.of_judgements(told, of, revision, now, minutes)
    watch.lap("evidence")
    with writing(), transaction.atomic():
        state_rows.store_judgements(told, kept.store(revision, now))
        book_rows.store(moved, {"co_firing": decided.memory.learned.stored(), "cycles": account.cycles + 1})
        state_rows.store_too_late(decided.signals.only(~fresh), grid)
        state_rows.store_states(decided, grid, of, revision)
    watch.lap("store")
    return _report(decided, of, rows, moved, int((~fresh).sum()), watch.ms)


def _account(rules: StageRules, writing: Callable[[], AbstractContextManager[None]]) -> PaperAccount:
    account = PaperAccount.objects.filter(pk=1).first()
    if account is not None:
        return account
    with writing():
        capital = rules.broker.capital_usd
        return PaperAccount.objects.get_or_create(pk=1, defaults={"capital": capital, "cash": capital})[0]


def _fresh(signals: Signals, grid: Grid, now: datetime) -> NDArray[np.bool_]:
    ends = grid.open_time[signals.row] + grid.interval_sec
    found: NDArray[np.bool_] = now.timestamp() - ends <= evidence.FRESH_SEC
    return found


def _moved(
    before: Book, decided: Decided, grid: Grid, liquidity: NDArray[np.float64], signals: Signals, rules: StageRules
) -> book_rows.Moved:
    """The account, bar by bar."""
    tape = decided.tape(grid, liquidity)
    book, events, equity = before, [], {}
    orders = {order.key: order for order in before.orders}
    for row in range(decided.first_row, len(grid)):
        bar = tape.bar(row)
        book, happened = broker.step(book, bar, signals.only(signals.row == row), rules.broker)
        events.append(happened)
        orders |= {order.key: order for order in book.orders}
        equity[bar.end] = (book.equity, book.cash, len(book.positions))
    return book_rows.Moved(before, book, events, orders, equity)


def _report(decided: Decided, of: facts.Assets, rows: int, moved: book_rows.Moved, late: int, ms: dict[str, float]) -> Cycle:
    events: list[Events] = list(moved.events)
    deals = [fill.deal for each in events for fill in each.fills]
    entered = sum(1 for deal in deals if deal == "entry")
    gone = len(moved.before.positions) + entered - len(moved.after.positions)
    newest = decided.alerts.on[-1] if len(of) else np.zeros(0, dtype=bool)
    skips = _counted([*(skip.reason.value for each in events for skip in each.skipped), *[Skip.TOO_LATE.value] * late])
    return Cycle(
        assets=len(of),
        rows=rows,
        kept=int(decided.kept[-1].sum()) if len(of) else 0,
        alerts=int(newest.sum()),
        judged=len(decided.judged),
        signals=len(decided.signals),
        entered=entered,
        closed=gone,
        skipped=sum(skips.values()),
        refused={reason.value: count for reason, count in decided.sifted.counts.items()} if decided.sifted else {},
        begun=int(decided.alerts.begins[decided.first_row :].sum()),
        triggers={name.value: int(on[decided.first_row :].sum()) for name, on in decided.fired.on.items()},
        gates=_counted(GATES[code].value for code in decided.judged.gate.tolist() if code),
        skips=skips,
        parts_ms=ms,
    )


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names))


class _Watch:
    """How long each part of a cycle took."""

    def __init__(self) -> None:
        self._at = time.perf_counter()
        self.ms: dict[str, float] = {}

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self.ms[part] = round((now - self._at) * 1000, 1)
        self._at = now


def as_detail(cycle: Cycle) -> dict[str, Any]:
    """For the heartbeat."""
    return {name: getattr(cycle, name) for name in Cycle.__dataclass_fields__}


__all__ = ["Cycle", "as_detail", "step"]
