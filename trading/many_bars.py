"""The paper broker over many bars at once: exactly what `trading.broker.step` does bar by bar, but it goes from event to event.

The path of every signal is known beforehand (`trading.paths`), for it does not depend on sizes; what is left for one walk through time is
the account: who has a place, who has the money, and what it comes to.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.admission import ADMITTED, BY_ITSELF, in_turn, judged
from trading.book import DAY_SEC, TARGETS, BrokerRules, Numbers, Places, Signals, Tape
from trading.exits import paid_in, paid_out, share_sold
from trading.market import Market
from trading.names import Deal, Skip
from trading.paths import CLOSES, Paths, follow
from trading.sizing import size

DEALS = (Deal.ENTRY, *CLOSES)
ENTRIES, EXITS, DECISIONS = range(3)


@dataclass(frozen=True, slots=True)
class Fills:
    """`book.Fill`, many of them, in the order in which they happened."""

    signal: Places  # its place among the signals
    row: Places
    deal: NDArray[np.str_]
    price: Numbers
    quantity: Numbers
    usd: Numbers
    fee: Numbers
    assumed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True)
class Skips:
    signal: Places
    row: Places
    reason: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the signals. `equity` is the account after each bar, what is held taken at its last price."""

    fills: Fills
    skips: Skips
    equity: Numbers
    cash: float
    held: Numbers  # by signal: the quantity still open at the end
    waiting: Places  # signals whose orders had not met a price when the bars ended


def run(tape: Tape, signals: Signals, rules: BrokerRules) -> Outcome:
    market = Market(tape)
    signals_in_turn = in_turn(signals)
    verdicts = judged(signals, rules)[signals_in_turn]
    admitted = signals_in_turn[verdicts == ADMITTED]
    walk = _Walk(market, signals.only(admitted), rules)
    walk.go()
    refused = signals_in_turn[verdicts != ADMITTED]
    reasons = np.array([*BY_ITSELF, ""])[verdicts[verdicts != ADMITTED]]
    return walk.outcome(admitted, len(signals), Skips(refused, signals.row[refused], reasons))


class _Walk:
    """One account through all rows."""

    def __init__(self, market: Market, signals: Signals, rules: BrokerRules) -> None:
        self.market, self.signals, self.rules = market, signals, rules
        self.paths = follow(market, signals, rules)
        self.cash = rules.capital_usd
        self.taken: dict[int, int] = {}  # token → its signal, waiting or open
        self.left = [0.0] * len(signals)
        self.state = [0] * len(signals)  # 0 nothing, 1 waiting, 2 open
        self.closed_at: dict[int, int] = {}
        self.entered: dict[int, list[int]] = defaultdict(list)
        self.found: list[tuple[int, int, float, float, float]] = []  # event, signal, quantity, usd, fee
        self.skipped: list[tuple[int, int, Skip]] = []
        self.tokens = signals.token.tolist()
        self.sides = signals.side.tolist()

    def go(self) -> None:
        events = _Events(self.market, self.signals, self.paths, self.rules)
        self.events, row_before = events, -1
        interval = self.market.tape.grid.interval_sec
        for event, (row, phase, signal) in enumerate(zip(events.row.tolist(), events.phase.tolist(), events.signal.tolist(), strict=True)):
            if phase == DECISIONS:
                self._decide(row, signal, events.moment(row) + interval)
            elif phase == ENTRIES:
                if self.state[signal] == 1:
                    if row != row_before:
                        self._look(row)
                        row_before = row
                    self._enter(event, row, signal)
            elif self.state[signal] == 2:
                self._leave(event, row, signal, events.moment(row) + interval)

    def _decide(self, row: int, signal: int, now: int) -> None:
        token, rules = self.tokens[signal], self.rules
        reason = None
        if token in self.taken:
            reason = Skip.TOKEN_OPEN
        elif token in self.closed_at and now - self.closed_at[token] < rules.cool_down_sec:
            reason = Skip.COOLING_DOWN
        elif len(recent := self.entered[token]) >= rules.token_trades_a_day and recent[-rules.token_trades_a_day] > now - DAY_SEC:
            reason = Skip.TOKEN_LIMIT
        elif len(self.taken) >= rules.most_open:
            reason = Skip.NO_SLOT
        if reason is None:
            self.taken[token] = signal
            self.state[signal] = 1
        else:
            self.skipped.append((signal, row, reason))

    def _look(self, row: int) -> None:
        """The money before the bar."""
        self.equity, self.lent = self.rules.capital_usd, 0.0
        if not (self.rules.compound or self.rules.short):
            return
        held = self.cash
        market, column = self.market, self.events.column
        for token in sorted(token for token, signal in self.taken.items() if self.state[signal] == 2):
            signal = self.taken[token]
            seen = int(market.last_seen[column[signal], row - 1])
            last = self.sides[signal] * float(market.close[column[signal] * market.bars + seen])
            held += self.left[signal] * last
            if self.sides[signal] < 0:
                self.lent += -2 * self.left[signal] * last
        if self.rules.compound:
            self.equity = held

    def _enter(self, event: int, row: int, signal: int) -> None:
        reason: Skip | None = self.events.refused[event]
        side, rules = self.sides[signal], self.rules
        usd, price, reserve = 0.0, self.events.price[event], self.events.reserve[event]
        if reason is None:
            free = self.cash - self.lent
            usd, reason = size(self.equity, free, side * price, self.events.stop[signal], reserve * 2, rules)
        if reason is not None:
            self.state[signal] = 0
            del self.taken[self.tokens[signal]]
            self.skipped.append((signal, row, reason))
            return
        quantity, changed, fee = paid_in(side, usd, price, reserve, rules)
        self.cash -= side * changed + fee
        self.lent += changed * 2 if side < 0 else 0.0
        self.left[signal], self.state[signal] = quantity, 2
        self.entered[self.tokens[signal]].append(self.events.moment(row))
        self.found.append((event, signal, quantity, changed, fee))

    def _leave(self, event: int, row: int, signal: int, now: int) -> None:
        """`leg`: the number of a target after which another follows, or −1 for what takes all that is left."""
        leg, left, side = self.events.leg[event], self.left[signal], self.sides[signal]
        quantity = left if leg < 0 else share_sold(leg, left, self.rules)
        usd, fee = paid_out(side, quantity, self.events.price[event], self.events.reserve[event], self.rules)
        self.cash += side * usd - fee
        self.left[signal] = left - quantity
        self.found.append((event, signal, quantity, usd, fee))
        if leg < 0:
            token = self.tokens[signal]
            self.state[signal] = 0
            del self.taken[token]
            self.closed_at[token] = now

    def outcome(self, admitted: Places, number: int, refused: Skips) -> Outcome:
        events = self.events
        event, signal = (np.array([one[place] for one in self.found], dtype=np.int64) for place in (0, 1))
        quantity, usd, fee = (np.array([one[place] for one in self.found], dtype=np.float64) for place in (2, 3, 4))
        deal = events.deal_of[event]
        fills = Fills(
            admitted[signal], events.row[event], np.array(DEALS)[deal], events.prices[event], quantity, usd, fee, events.assumed[event]
        )
        places = np.array([place for place, _, _ in self.skipped], dtype=np.int64)
        rows = np.array([row for _, row, _ in self.skipped], dtype=np.int64)
        reasons = np.array([reason for _, _, reason in self.skipped], dtype=refused.reason.dtype)
        skips = Skips(
            np.concatenate([refused.signal, admitted[places]]),
            np.concatenate([refused.row, rows]),
            np.concatenate([refused.reason, reasons]),
        )
        held = np.zeros(number)
        held[admitted] = self.left
        waiting = admitted[np.flatnonzero(np.array(self.state) == 1)]
        equity = _equity(
            self.market,
            self.rules,
            signal,
            events.row[event],
            deal == 0,
            quantity,
            usd,
            fee,
            self.signals.side[signal],
            events.column_array,
        )
        return Outcome(fills, skips, equity, self.cash, held, waiting)


class _Events:
    """All that could happen to any signal, in order: entries before exits before decisions within a row."""

    def __init__(self, market: Market, signals: Signals, paths: Paths, rules: BrokerRules) -> None:
        n = len(signals)
        self.column_array = paths.column
        self.column = paths.column.tolist()
        self.stop = (signals.side * signals.stop).tolist()
        self._first, self._interval = int(market.tape.grid.open_time[0]) if len(market.tape) else 0, market.tape.grid.interval_sec
        everybody = np.arange(n)
        entered, dropped, opened = paths.filled >= 0, paths.given_up >= 0, paths.opened
        parts = [
            _part(everybody[entered], paths.filled[entered], ENTRIES, 0, -1, paths.entry[entered]),
            _part(everybody[dropped], paths.given_up[dropped], ENTRIES, 0, -1, np.full(int(dropped.sum()), np.nan)),
            _part(everybody, signals.row, DECISIONS, 0, -1, np.full(n, np.nan)),
        ]
        for number in range(3):
            partial = opened & (paths.target_row[:, number] >= 0) & (paths.why != CLOSES.index(TARGETS[number]))
            deal = DEALS.index(TARGETS[number])
            parts.append(
                _part(everybody[partial], paths.target_row[partial, number], EXITS, deal, number, paths.target_price[partial, number])
            )
        ended = opened & (paths.closed >= 0)
        parts.append(_part(everybody[ended], paths.closed[ended], EXITS, paths.why[ended] + 1, -1, paths.price[ended]))
        signal, row, phase, deal_of, leg, mirrored = (np.concatenate(column) for column in zip(*parts, strict=True))
        turn = np.where(phase == EXITS, signals.token[signal], signal)
        order = np.lexsort((deal_of % 10, np.where(leg < 0, 3, leg), turn, phase, row))
        self.signal, self.row, self.phase, self.deal_of = signal[order], row[order], phase[order], deal_of[order]
        self.leg = leg[order].tolist()
        self.prices = signals.side[self.signal] * mirrored[order]
        self.price = self.prices.tolist()
        liquidity = market.liquidity_at(paths.column[self.signal], self.row)
        self.assumed = ~(liquidity > 0)
        self.reserve = (np.where(self.assumed, rules.unknown_liquidity_usd, liquidity) / 2).tolist()
        refused = np.full(len(order), None, dtype=object)
        entry = self.phase == ENTRIES
        refused[entry & paths.moved[self.signal]] = Skip.PRICE_MOVED
        refused[entry & np.isnan(self.prices)] = Skip.NO_PRICE
        self.refused = refused.tolist()

    def moment(self, row: int) -> int:
        return self._first + row * self._interval


def _part(signal: Places, row: Places, phase: int, deal: int | Places, leg: int, price: Numbers) -> tuple[NDArray[Any], ...]:
    wide = np.ones(len(signal), dtype=np.int64)
    return signal, row, phase * wide, deal * wide, leg * wide, price


def _equity(
    market: Market,
    rules: BrokerRules,
    signal: Places,
    row: Places,
    entry: NDArray[np.bool_],
    quantity: Numbers,
    usd: Numbers,
    fee: Numbers,
    side: Numbers,
    column_of: Places,
) -> Numbers:
    """Cash and holdings after each row, added up in the order of the tokens, as `book.valued` does."""
    flow = np.where(entry, -(side * usd + fee), side * usd - fee)
    cash = np.add.accumulate(np.concatenate([[rules.capital_usd], flow]))
    total = cash[np.searchsorted(row, np.arange(market.bars), side="right")]
    held = np.zeros((market.width, market.bars))
    column = column_of[signal]
    left: dict[int, float] = {}
    since: dict[int, int] = {}
    for place, at, first, amount, sign in zip(column.tolist(), row.tolist(), entry.tolist(), quantity.tolist(), side.tolist(), strict=True):
        if first:
            left[place] = sign * amount
        else:
            held[place, since[place] : at] = left[place]
            left[place] -= sign * amount
        since[place] = at
    for place, amount in left.items():
        held[place, since[place] :] = amount
    close = market.close.reshape(market.width, market.bars)
    for place in market.sorted_by_token.tolist():
        if place in left:
            seen = market.last_seen[place, :-1]
            total += held[place] * np.where(seen >= 0, close[place, np.maximum(seen, 0)], 0.0)
    return total
