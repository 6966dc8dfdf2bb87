"""The account where sizes do not follow the equity and money is never short: who has a place is one walk over the signals, and all
amounts are worked out at once. The same numbers as `trading.account`, to the last bit; where money runs short, the account must walk."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

import numpy as np

from trading.book import DAY_SEC, BrokerRules, Flags, Numbers, Places, Signals
from trading.market import Market
from trading.names import Skip
from trading.paths import Paths
from trading.sizing import loss_share
from trading.timetable import ENTRIES, TO_THE_LAST, Timetable

NEVER = 2**62
TAKEN = -1
SKIPS = tuple(Skip)
Skipped = tuple[Places, Places, Places]  # signals, rows, and why: places in SKIPS
NOBODY: Skipped = (np.zeros(0, dtype=np.int64),) * 3


@dataclass(frozen=True, slots=True)
class Course:
    """What came about: events of the table in their order, with their amounts; skipped signals; what is left of each signal."""

    table: Timetable
    event: Places
    quantity: Numbers
    usd: Numbers
    fee: Numbers
    left: Numbers
    skipped: Skipped
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
    loss = loss_share(paths.entry, signals.stop, market.costs(paths.column, rules))
    return np.minimum(np.minimum(rules.capital_usd * rules.risk_share / loss, rules.capital_usd * rules.position_share), bearable)


def _places(market: Market, signals: Signals, paths: Paths, rules: BrokerRules, small: Flags) -> tuple[Flags, Skipped]:
    """Who gets a place, while money lasts."""
    opened = paths.opened & ~small
    refused = np.where(paths.given_up >= 0, paths.given_up, np.where(paths.filled >= 0, paths.filled, NEVER))
    end = np.where(opened, np.where(paths.closed >= 0, paths.closed, NEVER), refused)
    most = np.bincount(paths.column, minlength=1).max()
    each_alone = rules.most_open >= market.width and rules.token_trades_a_day >= most
    taken, skipped = (_one_after_another if each_alone else _with_few_places)(market, signals, paths, rules, opened, end)
    return taken, _both(skipped, _refusals(taken, paths, small))


def _one_after_another(
    market: Market, signals: Signals, paths: Paths, rules: BrokerRules, opened: Flags, end: Places
) -> tuple[Flags, Skipped]:
    """Where there are places for all tokens, each token has a chain of its own: after a signal that is taken comes the first that finds the
    token free and rested."""
    order = np.argsort(paths.column, kind="stable")  # token by token, in turn
    column, row = paths.column[order], signals.row[order]
    free = np.minimum(end[order], market.bars)
    rested = np.minimum(free + np.where(opened[order], _pause(market, rules), 0), market.bars)
    following = np.searchsorted(column * (market.bars + 1) + row, column * (market.bars + 1) + rested).tolist()
    stops = np.searchsorted(column, np.arange(market.width + 1)).tolist()
    chosen: list[int] = []
    for place, stop in pairwise(stops):
        while place < stop:
            chosen.append(place)
            place = following[place]
    taken = np.zeros(len(order), dtype=np.bool_)
    taken[chosen] = True
    others = np.flatnonzero(~taken)
    last = np.asarray(chosen, dtype=np.int64)[np.cumsum(taken)[others] - 1]
    reason = np.where(free[last] > row[others], _code(Skip.TOKEN_OPEN), _code(Skip.COOLING_DOWN))
    found = np.zeros(len(order), dtype=np.bool_)
    found[order] = taken
    return found, (order[others], row[others], reason)


def _with_few_places(
    market: Market, signals: Signals, paths: Paths, rules: BrokerRules, opened: Flags, end: Places
) -> tuple[Flags, Skipped]:
    columns, interval = market.width, market.tape.grid.interval_sec
    pause, day = _pause(market, rules), -(-DAY_SEC // interval)
    most, places = rules.token_trades_a_day, rules.most_open
    busy, closed = [-1] * columns, [-NEVER] * columns
    entered: list[list[int]] = [[] for _ in range(columns)]
    ends: list[int] = []
    why = [TAKEN] * len(signals)
    token_open, cooling_down, token_limit, no_slot = map(_code, (Skip.TOKEN_OPEN, Skip.COOLING_DOWN, Skip.TOKEN_LIMIT, Skip.NO_SLOT))
    walk = zip(signals.row.tolist(), paths.column.tolist(), end.tolist(), opened.tolist(), paths.filled.tolist(), strict=True)
    for signal, (row, column, last, opens, filled) in enumerate(walk):
        if busy[column] > row:
            why[signal] = token_open
            continue
        if row - closed[column] < pause:
            why[signal] = cooling_down
            continue
        recent = entered[column]
        while ends and ends[0] <= row:
            heappop(ends)
        if len(recent) >= most and row + 1 - recent[-most] < day:
            why[signal] = token_limit
        elif len(ends) >= places:
            why[signal] = no_slot
        else:
            busy[column] = last
            heappush(ends, last)
            if opens:
                closed[column] = last
                recent.append(filled)
    reason = np.array(why, dtype=np.int64)
    others = np.flatnonzero(reason != TAKEN)
    return reason == TAKEN, (others, signals.row[others], reason[others])


def _pause(market: Market, rules: BrokerRules) -> int:
    """In rows, rounded up."""
    return -(-rules.cool_down_sec // market.tape.grid.interval_sec)


def _refusals(taken: Flags, paths: Paths, small: Flags) -> Skipped:
    found = NOBODY
    for reason, rows, which in (
        (Skip.NO_PRICE, paths.given_up, paths.given_up >= 0),
        (Skip.PRICE_MOVED, paths.filled, paths.moved),
        (Skip.TOO_SMALL, paths.filled, small),
    ):
        some = np.flatnonzero(taken & which)
        found = _both(found, (some, rows[some], np.full(len(some), _code(reason))))
    return found


def _both(some: Skipped, others: Skipped) -> Skipped:
    signal, row, reason = (np.concatenate(pair) for pair in zip(some, others, strict=True))
    return signal, row, reason


def _code(reason: Skip) -> int:
    return SKIPS.index(reason)


def _amounts(table: Timetable, sizes: Numbers, skipped: Skipped, taken: Flags, paths: Paths, rules: BrokerRules) -> Course | None:
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
    costs = table.costs
    fee = costs.fee_of(usd)
    cash = np.add.accumulate(np.concatenate([[rules.capital_usd], np.where(entry, -(usd + fee), usd - fee)]))
    if ((cash[:-1] - costs.fixed_fee_usd) / (1 + costs.fee) < usd)[entry].any():
        return None
    waiting = np.flatnonzero(taken & (paths.filled < 0) & (paths.given_up < 0))
    return Course(table, np.arange(len(signal)), quantity, usd, fee, left, skipped, held, waiting, float(cash[-1]))
