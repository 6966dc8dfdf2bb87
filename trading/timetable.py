"""All that could happen to any of many signals, in the order of time: orders filled, then exits, then decisions, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.book import TARGETS, BrokerRules, Flags, Places, Signals
from trading.fills import slipped
from trading.market import Market
from trading.names import Deal, Skip
from trading.paths import CLOSES, Paths
from trading.sizing import loss_share

DEALS = (Deal.ENTRY, *CLOSES)
ENTRIES, EXITS, DECISIONS = range(3)
TO_THE_LAST = -1  # the leg that sells all that is left


class Timetable:
    """Arrays with a place for each event, and `loss` with one for each signal. `entered`: only entries and exits of these signals."""

    def __init__(self, market: Market, signals: Signals, paths: Paths, rules: BrokerRules, entered: Flags | None = None) -> None:
        everything = entered is None
        columns = zip(*_parts(signals, paths, paths.opened if entered is None else entered, everything), strict=True)
        signal, row, phase, deal, leg, mirrored = (np.concatenate(column) for column in columns)
        order = _in_order(row, phase, np.where(phase == EXITS, signals.token[signal], signal), np.where(leg < 0, len(TARGETS), leg))
        self.signal, self.row, self.deal, self.phase, self.leg = (column[order] for column in (signal, row, deal, phase, leg))
        side = signals.side[self.signal]
        self.price = side * mirrored[order]
        self.costs = market.costs(paths.column[self.signal], rules)
        self.slipped = slipped(self.price, np.where(self.phase == ENTRIES, side, -side), self.costs.slippage)
        liquidity = market.liquidity_at(paths.column[self.signal], self.row)
        self.assumed = ~(liquidity > 0)
        liquidity = np.where(self.assumed, rules.unknown_liquidity_usd, liquidity)
        self.reserve, self.bearable = liquidity / 2, liquidity * rules.liquidity_share
        self.loss = loss_share(paths.entry, signals.side * signals.stop, market.costs(paths.column, rules))
        self.refused = _refused(self.phase == ENTRIES, paths.moved[self.signal], self.price) if everything else []


def _parts(signals: Signals, paths: Paths, opened: Flags, everything: bool) -> list[tuple[NDArray[Any], ...]]:
    """Signal, row, phase, place in DEALS, leg and mirrored price of each kind of event."""
    everybody = np.arange(len(signals))
    entered, dropped = paths.filled >= 0 if everything else opened, paths.given_up >= 0
    parts = [_part(everybody[entered], paths.filled[entered], ENTRIES, 0, TO_THE_LAST, paths.entry[entered])]
    if everything:
        parts.append(_part(everybody[dropped], paths.given_up[dropped], ENTRIES, 0, TO_THE_LAST, paths.entry[dropped]))
        parts.append(_part(everybody, signals.row, DECISIONS, 0, TO_THE_LAST, paths.entry))
    for number, deal in enumerate(TARGETS):
        partial = opened & (paths.target_row[:, number] >= 0) & (paths.why != CLOSES.index(deal))
        row, price = paths.target_row[partial, number], paths.target_price[partial, number]
        parts.append(_part(everybody[partial], row, EXITS, DEALS.index(deal), number, price))
    ended = opened & (paths.closed >= 0)
    return [*parts, _part(everybody[ended], paths.closed[ended], EXITS, paths.why[ended] + 1, TO_THE_LAST, paths.price[ended])]


def _part(signal: Places, row: Places, phase: int, deal: int | Places, leg: int, price: NDArray[np.float64]) -> tuple[NDArray[Any], ...]:
    wide = np.ones(len(signal), dtype=np.int64)
    return signal, row, phase * wide, deal * wide, leg * wide, price


def _in_order(row: Places, phase: Places, turn: Places, leg: Places) -> Places:
    """By row, phase, turn and leg, as one number where it fits: a quarter of the time of sorting by four."""
    turns, legs = int(turn.max(initial=0)) + 1, len(TARGETS) + 1
    if (int(row.max(initial=0)) + 1) * 3 * turns * legs < 2**62:
        return np.argsort(((row * 3 + phase) * turns + turn) * legs + leg, kind="stable")
    return np.lexsort((leg, turn, phase, row))


def _refused(entry: NDArray[np.bool_], moved: NDArray[np.bool_], price: NDArray[np.float64]) -> list[Skip | None]:
    """Why an order is not filled, as far as that does not depend on the account."""
    found = np.full(len(entry), None, dtype=object)
    found[entry & moved] = Skip.PRICE_MOVED
    found[entry & np.isnan(price)] = Skip.NO_PRICE
    reasons: list[Skip | None] = found.tolist()
    return reasons
