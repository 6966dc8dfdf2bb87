"""One paper account through a timetable: who has a place, who has the money, and what it comes to. Plain numbers, for it is one after the
other; what does not depend on the account has been worked out before, for all at once."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from trading.book import DAY_SEC, BrokerRules, Signals
from trading.exits import share_sold
from trading.fills import Costs, paid_in, paid_out
from trading.fixed_sizes import SKIPS, Course
from trading.market import Market
from trading.names import Skip
from trading.paths import Paths
from trading.sizing import size
from trading.timetable import DECISIONS, ENTRIES, Timetable

NOTHING, WAITING, OPEN = range(3)


class Account:
    """`happened` lists the events that came about; `quantity`, `usd`, `fee`, `left` belong to them, one by one."""

    def __init__(self, market: Market, signals: Signals, paths: Paths, rules: BrokerRules, table: Timetable) -> None:
        self.market, self.rules, self.table = market, rules, table
        self.slipped, self.reserve, self.bearable = table.slipped.tolist(), table.reserve.tolist(), table.bearable.tolist()
        self.loss, self.leg = table.loss.tolist(), table.leg.tolist()
        self.interval = market.tape.grid.interval_sec
        self.column: list[int] = paths.column.tolist()
        self.costs: list[Costs[float]] = [rules.costs(pooled) for pooled in market.tape.pooled()[paths.column].tolist()]
        self.tokens: list[int] = signals.token.tolist()
        self.sides: list[float] = signals.side.tolist()
        self.cash, self.equity, self.lent = rules.capital_usd, rules.capital_usd, 0.0
        self.held = [0.0] * len(signals)
        self.state = [NOTHING] * len(signals)
        self.taken: dict[int, int] = {}  # token → its signal, waiting or open
        self.closed_in: dict[int, int] = {}  # token → row
        self.entered: dict[int, list[int]] = defaultdict(list)  # token → rows
        self.happened: list[int] = []
        self.quantity: list[float] = []
        self.usd: list[float] = []
        self.fee: list[float] = []
        self.left: list[float] = []
        self.skipped: list[tuple[int, int, int]] = []  # signal, row, place in SKIPS

    def go(self) -> None:
        table, looked = self.table, -1
        for event, (row, phase, signal) in enumerate(zip(table.row.tolist(), table.phase.tolist(), table.signal.tolist(), strict=True)):
            if phase == DECISIONS:
                self._decide(row, signal)
            elif phase == ENTRIES:
                if self.state[signal] == WAITING:
                    if row != looked and (self.rules.compound or self.rules.short):
                        self._look(row)
                        looked = row
                    self._enter(event, row, signal)
            elif self.state[signal] == OPEN:
                self._leave(event, row, signal)

    def course(self) -> Course:
        quantity, usd, fee, left = (np.array(values, dtype=np.float64) for values in (self.quantity, self.usd, self.fee, self.left))
        waiting = np.flatnonzero(np.array(self.state) == WAITING)
        event, held = np.array(self.happened, dtype=np.int64), np.array(self.held)
        skipped, row, reason = np.array(self.skipped, dtype=np.int64).reshape(-1, 3).T
        return Course(self.table, event, quantity, usd, fee, left, (skipped, row, reason), held, waiting, self.cash)

    def _decide(self, row: int, signal: int) -> None:
        token, rules = self.tokens[signal], self.rules
        most, recent = rules.token_trades_a_day, self.entered[token]
        if token in self.taken:
            reason = Skip.TOKEN_OPEN
        elif token in self.closed_in and (row - self.closed_in[token]) * self.interval < rules.cool_down_sec:
            reason = Skip.COOLING_DOWN
        elif len(recent) >= most and (row + 1 - recent[-most]) * self.interval < DAY_SEC:
            reason = Skip.TOKEN_LIMIT
        elif len(self.taken) >= rules.most_open:
            reason = Skip.NO_SLOT
        else:
            self.taken[token] = signal
            self.state[signal] = WAITING
            return
        self.skipped.append((signal, row, SKIPS.index(reason)))

    def _look(self, row: int) -> None:
        """The money before the bar."""
        worth, self.lent = self.cash, 0.0
        market = self.market
        for token in sorted(token for token, signal in self.taken.items() if self.state[signal] == OPEN):
            signal = self.taken[token]
            column = self.column[signal]
            seen = int(market.last_seen[column, row - 1])
            value = self.held[signal] * (self.sides[signal] * float(market.tape.grid.close[seen, column]))
            worth += value
            if value < 0:
                self.lent += -2 * value
        if self.rules.compound:
            self.equity = worth

    def _enter(self, event: int, row: int, signal: int) -> None:
        side = self.sides[signal]
        reason, usd = self.table.refused[event], 0.0
        if reason is None:
            usd, reason = size(self.equity, self.cash - self.lent, self.loss[signal], self.bearable[event], self.costs[signal], self.rules)
        if reason is not None:
            self.state[signal] = NOTHING
            del self.taken[self.tokens[signal]]
            self.skipped.append((signal, row, SKIPS.index(reason)))
            return
        quantity, changed = paid_in(side, usd, self.slipped[event], self.reserve[event])
        fee = self.costs[signal].fee_of(changed)
        self.cash -= side * changed + fee
        if side < 0:
            self.lent += changed * 2
        self.state[signal] = OPEN
        self.entered[self.tokens[signal]].append(row)
        self._note(event, signal, quantity, changed, fee, quantity)

    def _leave(self, event: int, row: int, signal: int) -> None:
        side, held = self.sides[signal], self.held[signal]
        leg = self.leg[event]
        quantity = held if leg < 0 else share_sold(leg, held, self.rules)
        usd = paid_out(side, quantity, self.slipped[event], self.reserve[event])
        fee = self.costs[signal].fee_of(usd)
        self.cash += side * usd - fee
        self._note(event, signal, quantity, usd, fee, held - quantity)
        if leg < 0:
            token = self.tokens[signal]
            self.state[signal] = NOTHING
            del self.taken[token]
            self.closed_in[token] = row

    def _note(self, event: int, signal: int, quantity: float, usd: float, fee: float, left: float) -> None:
        self.held[signal] = left
        self.happened.append(event)
        self.quantity.append(quantity)
        self.usd.append(usd)
        self.fee.append(fee)
        self.left.append(left)
