"""What was not traded, followed on paper all the same: what each gate and each reason kept out that would have won or lost, after costs.

Each signal is followed alone, with the account's first capital and nothing else open: the same fills, exits and costs as a traded one.
A gate earns its place by what it blocked, and only when it blocked enough of it to tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trading.account import WAITING, Account
from trading.admission import ADMITTED, judged
from trading.book import BrokerRules, Flags, Places, Signals, Tape
from trading.many_bars import fills_of
from trading.market import Market
from trading.names import Skip
from trading.paths import follow
from trading.results import Summary, Trades, summary, trades_of
from trading.timetable import ENTRIES, EXITS, Timetable

TRADED = "traded"


def shadow(tape: Tape, signals: Signals, rules: BrokerRules, market: Market | None = None) -> Trades:
    """Every signal that has a plan, as if it alone had been traded: whatever its confidence, and whichever gate refused it. `market` is the
    same tape, where the caller has it laid out already."""
    free = replace(rules, long=True, short=True, least_confidence=-np.inf, compound=False, least_usd=0.0)
    open_to_all = replace(signals, refused=np.full(len(signals), ""), confidence=np.ones(len(signals)))
    able = np.flatnonzero(judged(open_to_all, free) == ADMITTED)
    some = open_to_all.only(able)
    market = Market(tape) if market is None else market
    paths = follow(market, some, free)
    table = Timetable(market, some, paths, free)
    alone = _Alone(market, some, paths, free, table)
    alone.go()
    return trades_of(fills_of(alone.course(), able), signals, tape.grid.open_time)


class _Alone(Account):
    """An account for each signal: nobody waits for a place or for money."""

    def go(self) -> None:
        table = self.table
        for event, (row, phase, signal) in enumerate(zip(table.row.tolist(), table.phase.tolist(), table.signal.tolist(), strict=True)):
            if phase == ENTRIES:
                self.state[signal] = WAITING
                self.taken[self.tokens[signal]] = signal
                self.cash, self.lent = self.rules.capital_usd, 0.0
                self._enter(event, row, signal)
            elif phase == EXITS and self.held[signal] > 0:
                self.taken[self.tokens[signal]] = signal
                self._leave(event, row, signal)


@dataclass(frozen=True, slots=True)
class Entry:
    """One account of the ledger. `blocked` signals, of which `followed` came to a trade that is over."""

    reason: str
    blocked: int
    followed: int
    would_have: Summary

    @property
    def saved(self) -> float:
        """US dollars that were not lost (or, below 0, not won) by not trading them."""
        return -self.would_have.result


def ledger(shadows: Trades, reasons: Mapping[str, Places]) -> list[Entry]:
    """`reasons`: the places of the signals that each gate or reason kept out."""
    found = []
    for reason, places in reasons.items():
        mine: Flags = np.isin(shadows.signal, places)
        told = summary(shadows, mine)
        found.append(Entry(reason, len(places), told.trades, told))
    return sorted(found, key=lambda entry: -entry.blocked)


def reasons_of(signals: Signals, skipped: Places, why: NDArray[np.str_], traded: Places) -> dict[str, Places]:
    """The ledger's accounts: gates by their own names, the broker's reasons by theirs, and, to compare, what was traded."""
    gates = {f"gate: {name}": np.flatnonzero(signals.refused == name) for name in np.unique(signals.refused[signals.refused != ""])}
    other = {str(reason): skipped[why == reason] for reason in np.unique(why) if reason != Skip.GATED}
    return {**gates, **other, TRADED: traded}
