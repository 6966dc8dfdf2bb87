"""The account where sizes do not follow the equity and money is never short: who has a place is one walk over the signals, and all
amounts are worked out at once. The same numbers as `trading.account`, to the last bit; where money runs short, the account must walk."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from trading.book import DAY_SEC, BrokerRules, Flags, Numbers, Places, Signals
from trading.market import Market
from trading.names import Skip
from trading.paths import Paths
from trading.sizing import loss_share
from trading.timetable import ENTRIES, TO_THE_LAST, Timetable

NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Course:
    """What came about: events of the table in their order, with their amounts; skipped signals; what is left of each signal."""

    table: Timetable
    event: Places
    quantity: Numbers
    usd: Numbers
    fee: Numbers
    left: Numbers
    skipped: list[tuple[int, int, Skip]]  # signal, row, reason
    held: Numbers
    waiting: Places
    cash: float


def fixed_course(market: Market, signals: Signals, paths: Paths, rules: BrokerRules) -> Course | None:
    """None where sizes depend on what happened before: they follow the equity, a short ties money up, or it ran short."""
    if rules.compound or (signals.side < 0).any():
        return None
    sizes = _sizes(market, signals, paths, rules)
    small = paths.opened & ((sizes < rules.least_usd) | (sizes <= 0))
    taken, skipped = _places(market, signals, paths, rules, small)
    entered = taken & paths.opened & ~small
    table = Timetable(market, signals, paths, rules, entered)
    return _amounts(table, sizes, skipped, taken, paths, rules)


def _sizes(market: Market, signals: Signals, paths: Paths, rules: BrokerRules) -> Numbers:
    """As `sizing.size` has it, before it asks for free money."""
    row = np.maximum(paths.filled, 0)
    liquidity = market.liquidity_at(paths.column, row)
    bearable = np.where(liquidity > 0, liquidity, rules.unknown_liquidity_usd) * rules.liquidity_share
    loss = loss_share(paths.entry, signals.stop, rules)
    return np.minimum(np.minimum(rules.capital_usd * rules.risk_share / loss, rules.capital_usd * rules.position_share), bearable)


def _places(market: Market, signals: Signals, paths: Paths, rules: BrokerRules, small: Flags) -> tuple[Flags, list[tuple[int, int, Skip]]]:
    """Who gets a place, while money lasts."""
    opened = paths.opened & ~small
    refused = np.where(paths.given_up >= 0, paths.given_up, np.where(paths.filled >= 0, paths.filled, NEVER))
    end = np.where(opened, np.where(paths.closed >= 0, paths.closed, NEVER), refused)
    columns, interval = market.width, market.tape.grid.interval_sec
    pause, day = -(-rules.cool_down_sec // interval), -(-DAY_SEC // interval)  # in rows, rounded up
    most, places = rules.token_trades_a_day, rules.most_open
    busy, closed = [-1] * columns, [-NEVER] * columns
    entered: list[list[int]] = [[] for _ in range(columns)]
    ends: list[int] = []
    taken, skipped = [False] * len(signals), []
    walk = zip(signals.row.tolist(), paths.column.tolist(), end.tolist(), opened.tolist(), paths.filled.tolist(), strict=True)
    for signal, (row, column, last, opens, filled) in enumerate(walk):
        if busy[column] > row:
            skipped.append((signal, row, Skip.TOKEN_OPEN))
            continue
        if row - closed[column] < pause:
            skipped.append((signal, row, Skip.COOLING_DOWN))
            continue
        recent = entered[column]
        while ends and ends[0] <= row:
            heappop(ends)
        if len(recent) >= most and row + 1 - recent[-most] < day:
            skipped.append((signal, row, Skip.TOKEN_LIMIT))
        elif len(ends) >= places:
            skipped.append((signal, row, Skip.NO_SLOT))
        else:
            taken[signal], busy[column] = True, last
            heappush(ends, last)
            if opens:
                closed[column] = last
                recent.append(filled)
    return np.array(taken, dtype=bool), skipped + _refusals(np.array(taken, dtype=bool), paths, small)


def _refusals(taken: Flags, paths: Paths, small: Flags) -> list[tuple[int, int, Skip]]:
    found = []
    for reason, rows, which in (
        (Skip.NO_PRICE, paths.given_up, paths.given_up >= 0),
        (Skip.PRICE_MOVED, paths.filled, paths.moved),
        (Skip.TOO_SMALL, paths.filled, small),
    ):
        some = np.flatnonzero(taken & which)
        found += [(signal, row, reason) for signal, row in zip(some.tolist(), rows[some].tolist(), strict=True)]
    return found


def _amounts(
    table: Timetable, sizes: Numbers, skipped: list[tuple[int, int, Skip]], taken: Flags, paths: Paths, rules: BrokerRules
) -> Course | None:
    entry, signal = table.phase == ENTRIES, table.signal
    quantity, left = np.zeros(len(signal)), np.zeros(len(signal))
    usd = np.where(entry, sizes[signal], 0.0)
    held = np.zeros(len(sizes))
    some = np.flatnonzero(entry)
    quantity[some] = usd[some] / (table.slipped[some] * (1 + usd[some] / table.reserve[some]))
    held[signal[some]] = left[some] = quantity[some]
    for leg, share in ((0, rules.share_1), (1, rules.share_2), (2, rules.share_2), (TO_THE_LAST, 1.0)):
        some = np.flatnonzero(~entry & (table.leg == leg))
        quantity[some] = held[signal[some]] * share
        held[signal[some]] = left[some] = held[signal[some]] - quantity[some]
    value = quantity * table.slipped
    usd = np.where(entry, usd, value / (1 + value / table.reserve))
    fee = usd * rules.fee + rules.fixed_fee_usd
    cash = np.add.accumulate(np.concatenate([[rules.capital_usd], np.where(entry, -(usd + fee), usd - fee)]))
    if ((cash[:-1] - rules.fixed_fee_usd) / (1 + rules.fee) < usd)[entry].any():
        return None
    waiting = np.flatnonzero(taken & (paths.filled < 0) & (paths.given_up < 0))
    return Course(table, np.arange(len(signal)), quantity, usd, fee, left, skipped, held, waiting, float(cash[-1]))
