"""The paper broker over many bars at once: exactly what `trading.broker.step` does bar by bar, but it goes from event to event.

The path of every signal is known beforehand (`trading.paths`), for it does not depend on sizes; what is left for one walk through time is
the account (`trading.account`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.account import WAITING, Account
from trading.admission import ADMITTED, BY_ITSELF, in_turn, judged
from trading.book import BrokerRules, Numbers, Places, Signals, Tape
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
    market, turn = Market(tape), in_turn(signals)
    verdicts = judged(signals, rules)[turn]
    admitted, refused = turn[verdicts == ADMITTED], turn[verdicts != ADMITTED]
    chosen = signals.only(admitted)
    paths = follow(market, chosen, rules)
    table = Timetable(market, chosen, paths, rules)
    account = Account(market, chosen, paths, rules, table)
    account.go()
    fills = fills_of(account, admitted)
    held = np.zeros(len(signals))
    held[admitted] = account.held
    return Outcome(
        fills,
        _skips(account, admitted, Skips(refused, signals.row[refused], np.array([*BY_ITSELF, ""])[verdicts[verdicts != ADMITTED]])),
        _equity(market, rules, fills, signals, np.array(account.left)),
        account.cash,
        held,
        admitted[np.flatnonzero(np.array(account.state) == WAITING)],
    )


def fills_of(account: Account, admitted: Places) -> Fills:
    """`admitted`: the place of each of the account's signals among all."""
    table, event = account.table, np.array(account.happened, dtype=np.int64)
    quantity, usd, fee = (np.array(values, dtype=np.float64) for values in (account.quantity, account.usd, account.fee))
    deal = np.array(DEALS)[table.deal[event]]
    return Fills(admitted[table.signal[event]], table.row[event], deal, table.price[event], quantity, usd, fee, table.assumed[event])


def _skips(account: Account, admitted: Places, refused: Skips) -> Skips:
    signal = np.array([signal for signal, _, _ in account.skipped], dtype=np.int64)
    row = np.array([row for _, row, _ in account.skipped], dtype=np.int64)
    reason = np.array([reason for _, _, reason in account.skipped], dtype=refused.reason.dtype)
    return Skips(
        np.concatenate([refused.signal, admitted[signal]]),
        np.concatenate([refused.row, row]),
        np.concatenate([refused.reason, reason]),
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
