"""What becomes of many entries at once, each looked at alone: where it is filled, what it sells at which target, where it is closed.

Sizes play no part, so the path of a signal is the same whoever had the money for it. The account is kept in `trading.many_bars`; what a
gate blocked is followed in `trading.gate_ledger`. Every rule is that of `trading.broker.step`, for whole stretches of bars instead of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading.book import BrokerRules, Flags, Numbers, Places, Signals
from trading.exits import CALMER, WILDER
from trading.fills import break_even, worse_side
from trading.market import FIRST_WINDOW, Market
from trading.names import Deal

CHUNK = 131_072  # cells held at once
CLOSES = (Deal.STOP, Deal.BREAK_EVEN, Deal.TRAIL, Deal.TIME, Deal.CONTEXT, Deal.DEAD, Deal.TARGET_1, Deal.TARGET_2, Deal.TARGET_3)
STOP, BREAK_EVEN, TRAIL, TIME, CONTEXT, DEAD, TARGET = range(7)


@dataclass(frozen=True, slots=True)
class Paths:
    """One entry a signal. Rows are −1 and prices NaN where there is nothing. Prices are mirrored."""

    column: Places
    given_up: Places  # the row in which the order was dropped
    moved: Flags  # the price had passed the stop or the first target when the order reached the market (in row `filled`)
    filled: Places
    entry: Numbers
    target_row: Places  # (n, 3): where it sold a part, or the rest
    target_price: Numbers
    closed: Places  # where the last of it went; −1: still open at the end
    price: Numbers
    why: Places  # place in CLOSES

    @property
    def opened(self) -> Flags:
        found: Flags = (self.filled >= 0) & ~self.moved
        return found


def follow(market: Market, signals: Signals, rules: BrokerRules) -> Paths:
    """Signals must have passed `admission.judged`."""
    n = len(signals)
    column = market.column_of(signals.token)
    due = signals.row + 1 + rules.latency_bars
    filled = market.next_seen[column, np.minimum(due, market.bars)]
    late = filled > due + rules.patience_bars
    given_up = np.where(late & (due + rules.patience_bars < market.bars), due + rules.patience_bars, -1)
    filled = np.where(late | (filled >= market.bars), -1, filled)
    paths = Paths(
        column,
        given_up,
        np.zeros(n, dtype=bool),
        filled,
        np.full(n, np.nan),
        np.full((n, 3), -1),
        np.full((n, 3), np.nan),
        np.full(n, -1),
        np.full(n, np.nan),
        np.full(n, -1),
    )
    for side in (1, -1):
        chosen = np.flatnonzero((filled >= 0) & (signals.side == side))
        if len(chosen):
            _follow_side(market, signals, rules, paths, side, chosen)
    return paths


def _follow_side(market: Market, signals: Signals, rules: BrokerRules, paths: Paths, side: int, chosen: Places) -> None:
    column, row = paths.column[chosen], paths.filled[chosen]
    extreme = market.at("high" if side > 0 else "low", column, row)
    entry = worse_side(side * market.at("open", column, row), side * extreme, rules.worse_side)
    entry = np.maximum(entry, side * signals.quote[chosen])
    stop, targets = side * signals.stop[chosen], side * signals.targets[chosen]
    paths.entry[chosen] = entry
    paths.moved[chosen] = moved = (entry <= stop) | (entry >= targets[:, 0])
    chosen, entry, stop, targets = chosen[~moved], entry[~moved], stop[~moved], targets[~moved]
    last_row = _to_market(market, rules, paths, side, chosen)
    size = max(1, CHUNK // FIRST_WINDOW)
    for first in range(0, len(chosen), size):
        part = slice(first, first + size)
        _Search(
            market, rules, paths, side, chosen[part], entry[part], stop[part], targets[part], signals.atr[chosen[part]], last_row[part]
        ).run()


def _to_market(market: Market, rules: BrokerRules, paths: Paths, side: int, chosen: Places) -> Places:
    """Where time, a changed context or the end of the bars would close each; noted as its end. Returns the row before which a stop or a
    target may still come."""
    bars, column, filled = market.bars, paths.column[chosen], paths.filled[chosen]
    interval = market.tape.grid.interval_sec
    old = filled + max(-(-rules.time_stop_sec // interval), 1) - 1
    turned = market.leaves(side, column, filled) if rules.leave_on_context else np.full(len(chosen), bars)
    decided = np.minimum(old, turned)
    due = decided + 1 + rules.latency_bars
    sale = market.next_seen[column, np.minimum(due, bars)]
    death = _death(market, rules, column, due, sale)
    ended = np.where(death < bars, death, sale)
    known = ended < bars
    dead = (death < bars)[known]
    quote_row = market.last_seen[column, np.minimum(decided, bars)]
    last = side * market.at("close", column, np.maximum(quote_row, 0))
    paths.closed[chosen] = np.where(known, ended, -1)
    paths.why[chosen] = np.where(known, np.where(death < bars, DEAD, np.where(turned <= old, CONTEXT, TIME)), -1)
    at = column[known], ended[known]
    low = market.at("low" if side > 0 else "high", *at)
    sold = np.minimum(worse_side(side * market.at("open", *at), side * low, rules.worse_side), last[known])
    final = side * market.at("close", column, market.last_seen[column, np.minimum(due - 1, bars - 1)])[known]
    paths.price[chosen[known]] = np.where(dead, final - np.abs(final) * rules.dead_haircut, sold)
    return ended


def _death(market: Market, rules: BrokerRules, column: Places, due: Places, sale: Places) -> Places:
    """The row in which a position that waits for a price in vain is written down; the number of bars for never."""
    bars = market.bars
    silent = max(-(-rules.dead_after_sec // market.tape.grid.interval_sec), 1)
    seen = market.last_seen[column, np.minimum(due - 1, bars - 1)]
    counted = market.observed_until
    row = np.maximum(np.searchsorted(counted, counted[seen] + silent), due - 1)
    found: Places = np.where((row < sale) & (row < bars), row, bars)
    return found


class _Search:
    """The first stop, and the targets before it, of some positions of one side, window after window."""

    def __init__(
        self,
        market: Market,
        rules: BrokerRules,
        paths: Paths,
        side: int,
        chosen: Places,
        entry: Numbers,
        stop: Numbers,
        targets: Numbers,
        atr: Numbers,
        until: Places,
    ) -> None:
        self.market, self.rules, self.paths, self.side = market, rules, paths, side
        self.chosen, self.entry, self.stop, self.targets, self.atr = chosen, entry, stop, targets, atr
        self.begin = paths.filled[chosen]  # and what was passed over since: an offset from here is a row
        self.length = until - self.begin
        self.start = paths.column[chosen] * market.bars + self.begin
        self.even = break_even(entry, market.costs(paths.column[chosen], rules))
        self.best = entry.copy()
        self.reached = np.full((len(chosen), 3), -1)  # offsets from the entry
        self.wanted = np.maximum((~np.isnan(targets)).sum(axis=1), 0)
        self.adapts = rules.adapt_share > 0 and market.tape.atr is not None
        self.trails = rules.trail_atr > 0

    def run(self) -> None:
        open_, offset, width = np.flatnonzero(self.length > 0), 0, FIRST_WINDOW
        while len(open_):
            width = min(width, self.market.bars + FIRST_WINDOW)
            size = max(1, CHUNK // width)
            parts = [self._window(open_[first : first + size], offset, width) for first in range(0, len(open_), size)]
            open_, offset, width = np.concatenate(parts), offset + width, width * 2
            if offset == FIRST_WINDOW and not self.adapts and not self.trails:
                open_ = self._past_the_calm(open_, offset)
                width = FIRST_WINDOW

    def _past_the_calm(self, who: Places, offset: int) -> Places:
        """Levels that stand still, and none of them reached: the bars between them are passed over. Returns who has bars left."""
        fresh = who[(self.reached[who] < 0).all(axis=1)]
        start, left = self.start[fresh] + offset, self.length[fresh] - offset
        target = np.where(self.wanted[fresh] > 0, self.targets[fresh, 0], np.inf)
        passed = self.market.calm_until(self.side, start, start + left, self.stop[fresh], target) - start
        self.begin[fresh] += passed
        self.start[fresh] += passed
        self.length[fresh] -= passed
        still_open: Places = who[self.length[who] > offset]
        return still_open

    def _window(self, who: Places, offset: int, width: int) -> Places:
        """Looks at `width` bars of each; returns who is still open after them."""
        market, side = self.market, self.side
        start = self.start[who] + offset
        low = market.stretch("low" if side > 0 else "high", side, start, width)
        high = market.stretch("high" if side > 0 else "low", side, start, width)
        if offset == 0 and not self.rules.target_counts_at_entry:
            high[:, 0] = np.nan
        scale = self._scale(who, start, offset, width) if self.adapts else None
        hit = self._targets(who, high, scale, offset)
        level, best = self._levels(who, high, scale, hit, offset)
        stopped = _first(low <= level, width)
        left = self.length[who] - offset
        stopped = np.where(stopped < left, stopped, width)
        self._note_targets(who, hit, scale, np.minimum(np.minimum(stopped, left), width), offset)
        done = (self.reached[who] >= 0).sum(axis=1) >= np.maximum(self.wanted[who], 1)
        self._note_stops(who, stopped, level, best, offset, ~done & (stopped < width))
        self.best[who] = np.fmax(best[:, -1], high[:, -1]) if self.trails else self.best[who]
        still_open: Places = who[~done & (stopped >= width) & (left > width)]
        return still_open

    def _scale(self, who: Places, start: Places, offset: int, width: int) -> Numbers:
        """(n, width): `exits.scale` of the volatility known before each bar, since the entry."""
        market = self.market
        before = np.maximum(start - 1, 0)
        now = market.stretch("atr", 1, before, width)
        known = (
            market.atr_row[np.minimum(before[:, None] + np.arange(width), len(market.atr_row) - 1)]
            >= self.paths.filled[self.chosen[who]][:, None]
        )
        known[:, 0] &= offset > 0
        atr = self.atr[who][:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = 1 + self.rules.adapt_share * (np.minimum(np.maximum(now / atr, CALMER), WILDER) - 1)
        return np.where(known & (atr > 0) & (now > 0), scale, 1.0)

    def _level(self, who: Places, level: Numbers, scale: Numbers) -> Numbers:
        entry = self.entry[who][:, None]
        return np.where(scale == 1, level[who][:, None], entry + (level[who][:, None] - entry) * scale)

    def _targets(self, who: Places, high: Numbers, scale: Numbers | None, offset: int) -> Places:
        """(n, 3): the column of the window in which each target is first touched; −1 if before, its width if not in it."""
        width = high.shape[1]
        hit = np.full((len(who), 3), width)
        for number in range(3):
            if np.isnan(self.targets[who, number]).all():
                break
            level = self.targets[who, number][:, None] if scale is None else self._level(who, self.targets[:, number], scale)
            hit[:, number] = _first(high >= level, width)
        before = self.reached[who] >= 0
        return np.where(before, -1, hit)

    def _levels(self, who: Places, high: Numbers, scale: Numbers | None, hit: Places, offset: int) -> tuple[Numbers, Numbers]:
        """(n, width): the stop as each bar finds it, and the best price before it (for all but the trailing stop, one column of it)."""
        width = high.shape[1]
        level = self.stop[who][:, None] if scale is None else self._level(who, self.stop, np.minimum(scale, 1.0))
        best = self.best[who][:, None]
        if self.rules.break_even:
            even = np.maximum(level, self.even[who][:, None])
            if (hit[:, 0] < width).any():
                level = np.where(np.arange(width) > hit[:, 0][:, None], even, level)
        if self.trails:
            best = np.fmax.accumulate(np.concatenate([best, high[:, :-1]], axis=1), axis=1)
            trail = best - self.rules.trail_atr * self._trailing_atr(who)
            begun = (np.arange(width) > hit[:, 0][:, None]) | (self.wanted[who] == 0)[:, None]
            level = np.where(begun, np.fmax(level, trail), level)
        return level, best

    def _trailing_atr(self, who: Places) -> Numbers:
        atr = self.atr[who][:, None]
        return np.where(atr > 0, atr, np.nan)

    def _note_targets(self, who: Places, hit: Places, scale: Numbers | None, before: Places, offset: int) -> None:
        """Targets touched in the window before the stop and before the end."""
        now = (hit >= 0) & (hit < before[:, None])
        now &= np.logical_and.accumulate(now | (hit < 0), axis=1)
        for number in range(3):
            some = np.flatnonzero(now[:, number])
            if not len(some):
                continue
            rows, of = hit[some, number], self.chosen[who[some]]
            price = self.targets[who[some], number]
            if scale is not None:
                price = self._level(who[some], self.targets[:, number], scale[some, rows][:, None])[:, 0]
            self.reached[who[some], number] = rows + offset
            self.paths.target_row[of, number] = self.begin[who[some]] + offset + rows
            self.paths.target_price[of, number] = price
            last = self.wanted[who[some]] == number + 1
            self.paths.closed[of[last]] = self.paths.target_row[of[last], number]
            self.paths.price[of[last]] = price[last]
            self.paths.why[of[last]] = TARGET + number

    def _note_stops(self, who: Places, stopped: Places, level: Numbers, best: Numbers, offset: int, really: Flags) -> None:
        some = np.flatnonzero(really)
        if not len(some):
            return
        rows, these = stopped[some], who[some]
        of = self.chosen[these]
        found = level[some, np.minimum(rows, level.shape[1] - 1)]
        self.paths.closed[of] = self.begin[these] + offset + rows
        self.paths.price[of] = np.minimum(found, self.side * self.market.at("open", self.paths.column[of], self.paths.closed[of]))
        self.paths.why[of] = self._why(these, found, best[some, np.minimum(rows, best.shape[1] - 1)], rows + offset)

    def _why(self, these: Places, found: Numbers, best: Numbers, rows: Places) -> Places:
        """Which of the three stops it was: in case of a tie the judged one, then the one that breaks even."""
        why = np.full(len(these), STOP)
        even = self.even[these]
        after = (self.reached[these, 0] >= 0) & (self.reached[these, 0] < rows)
        initial = self.stop[these]
        if self.adapts:
            scale = np.minimum(_scale_at(self, these, rows), 1.0)
            initial = np.where(scale == 1, initial, self.entry[these] + (initial - self.entry[these]) * scale)
        why[self.rules.break_even & after & (even > initial)] = BREAK_EVEN
        if self.trails:
            trail = best - self.rules.trail_atr * self._trailing_atr(these)[:, 0]
            below = np.where(self.rules.break_even & after, np.maximum(initial, even), initial)
            why[(after | (self.wanted[these] == 0)) & (trail > below)] = TRAIL
        return why


def _scale_at(search: _Search, these: Places, rows: Places) -> Numbers:
    found = np.empty(len(these))
    for first in np.unique(rows == 0):
        some = np.flatnonzero((rows == 0) == first)
        start = search.start[these[some]] + rows[some]
        found[some] = search._scale(these[some], start, 0 if first else 1, 1)[:, 0]
    return found


def _first(hit: Flags, none: int) -> Places:
    """(n,): the first column that is true."""
    found = np.argmax(hit, axis=1)
    return np.where(hit[np.arange(len(hit)), found], found, none)
