"""The paper broker over many bars at once: exactly what `trading.broker.step` does bar by bar, but it goes from event to event.

The path of every signal is known beforehand (`trading.paths`), for it does not depend on sizes; what is left for one walk through time is
the account (`trading.account`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from trading.account import Account
from trading.admission import ADMITTED, BY_ITSELF, in_turn, judged
from trading.book import BrokerRules, Numbers, Places, Signals, Tape
from trading.fixed_sizes import SKIPS, Course, fixed_course
from trading.market import Market
from trading.paths import follow
from trading.timetable import DEALS, Timetable


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


@dataclass(frozen=True)
class Outcome:
    """What became of the signals."""

    fills: Fills
    skips: Skips
    cash: float
    held: Numbers  # by signal: the quantity still open at the end
    waiting: Places  # signals whose orders had not met a price when the bars ended
    curve: Callable[[], Numbers]

    @cached_property
    def equity(self) -> Numbers:
        """The account after each bar, what is held taken at its last price. Worked out when it is asked for."""
        return self.curve()


def run(tape: Tape, signals: Signals, rules: BrokerRules, market: Market | None = None) -> Outcome:
    """`market` is the same tape, where the caller has it laid out already."""
    market, turn = Market(tape) if market is None else market, in_turn(signals)
    verdicts = judged(signals, rules)[turn]
    admitted, refused = turn[verdicts == ADMITTED], turn[verdicts != ADMITTED]
    chosen = signals.only(admitted)
    paths = follow(market, chosen, rules)
    course = fixed_course(market, chosen, paths, rules)
    if course is None:
        account = Account(market, chosen, paths, rules, Timetable(market, chosen, paths, rules))
        account.go()
        course = account.course()
    fills = fills_of(course, admitted)
    held = np.zeros(len(signals))
    held[admitted] = course.held
    reasons = np.array(BY_ITSELF)[verdicts[verdicts != ADMITTED]]
    return Outcome(
        fills,
        _skips(course, admitted, Skips(refused, signals.row[refused], reasons)),
        course.cash,
        held,
        admitted[course.waiting],
        partial(_equity, market, rules, fills, signals, course.left),
    )


def fills_of(course: Course, admitted: Places) -> Fills:
    """`admitted`: the place of each of the course's signals among all."""
    table, event = course.table, course.event
    deal = np.array(DEALS)[table.deal[event]]
    signal = admitted[table.signal[event]]
    return Fills(signal, table.row[event], deal, table.price[event], course.quantity, course.usd, course.fee, table.assumed[event])


def _skips(course: Course, admitted: Places, refused: Skips) -> Skips:
    signal, row, reason = course.skipped
    return Skips(
        np.concatenate([refused.signal, admitted[signal]]),
        np.concatenate([refused.row, row]),
        np.concatenate([refused.reason, np.array(SKIPS, dtype=refused.reason.dtype)[reason]]),
    )


def _equity(market: Market, rules: BrokerRules, fills: Fills, signals: Signals, left: Numbers) -> Numbers:
    """Cash and holdings after each row, added up in the order of the tokens, as `book.valued` does."""
    side = signals.side[fills.signal]
    flow = np.where(fills.deal == DEALS[0], -(side * fills.usd + fills.fee), side * fills.usd - fills.fee)
    cash = np.add.accumulate(np.concatenate([[rules.capital_usd], flow]))
    total = np.repeat(cash, np.diff(fills.row, prepend=0, append=market.bars))
    column = market.column_of(signals.token[fills.signal])
    order = np.argsort(column, kind="stable")
    ends = np.searchsorted(column[order], np.arange(market.width + 1))
    for place in market.sorted_by_token.tolist():
        mine = order[ends[place] : ends[place + 1]]
        if len(mine):
            held = np.repeat((side * left)[mine], np.diff(fills.row[mine], append=market.bars))
            total[fills.row[mine[0]] :] += held * market.last_price(place)[fills.row[mine[0]] :]
    return total
