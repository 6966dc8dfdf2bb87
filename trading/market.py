"""A tape as the paper broker searches it: token by token, with the next and the last bar of every row at hand."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from trading.book import BrokerRules, Flags, Numbers, Places, Tape
from trading.fills import Costs
from trading.tiles import turn

FIRST_WINDOW = 32  # bars looked at first, then twice as many each time
BLOCK = 16  # bars whose lowest and highest are kept, to pass over those in which nothing can have happened


class Market:
    """A tape, token by token: every series flat, so that a stretch of one token's bars lies in one piece of memory."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.bars, self.width = tape.grid.close.shape
        self.sorted_by_token = np.argsort(tape.grid.tokens, kind="stable")
        self._stretches: dict[tuple[str, float], Numbers] = {}
        self._blocks: dict[tuple[str, float], Numbers] = {}

    def at(self, name: str, column: Places, row: Places) -> Numbers:
        """The figures of some bars."""
        found: Numbers = getattr(self.tape.grid, name)[row, column]
        return found

    def _padded(self, name: str) -> Numbers:
        """(tokens × bars), one token after the other, with room behind the last bar for a stretch that runs over it."""
        if (name, 1.0) not in self._stretches:
            self._stretches[name, 1.0] = self._known_atr() if name == "atr" else self._laid_out(getattr(self.tape.grid, name))
        return self._stretches[name, 1.0]

    def _laid_out(self, values: Numbers) -> Numbers:
        cells = self.width * self.bars
        lanes = np.empty(cells + self.bars + 2 * FIRST_WINDOW)
        turn(values, lanes[:cells].reshape(self.width, self.bars))
        lanes[cells:] = np.nan
        return lanes

    @cached_property
    def missing(self) -> Flags:
        """(tokens, bars)"""
        return np.isnan(self.tape.grid.close.T)

    @cached_property
    def gapless(self) -> bool:
        """The usual case of an exchange: the next bar is the next row."""
        return not np.isnan(self.tape.grid.close.min(initial=np.inf))

    @cached_property
    def last_seen(self) -> Places:
        """(tokens, bars + 1): the last row at or before this one that has a bar, −1 for none. One column more repeats the last."""
        if self.gapless:
            every = np.minimum(np.arange(self.bars + 1), self.bars - 1)
            return np.broadcast_to(every, (self.width, self.bars + 1))
        rows = np.where(self.missing, -1, np.arange(self.bars))
        seen = np.maximum.accumulate(rows, axis=1)
        return np.column_stack([seen, seen[:, -1:] if self.bars else np.full((self.width, 1), -1)])

    @cached_property
    def next_seen(self) -> Places:
        """(tokens, bars + 1): the first row at or after this one that has a bar; the number of bars for none."""
        if self.gapless:
            return np.broadcast_to(np.arange(self.bars + 1), (self.width, self.bars + 1))
        rows = np.where(self.missing, self.bars, np.arange(self.bars))
        return _next(rows, self.bars)

    def leaves(self, side: int, column: Places, row: Places) -> Places:
        """The first row, from `row` on, after which the judgement is against a position of this side; the number of bars for none."""
        marked = self._leave_rows[side]
        place = np.append(marked, self.width * self.bars)[np.searchsorted(marked, column * self.bars + row)]
        found: Places = np.where(place < (column + 1) * self.bars, place - column * self.bars, self.bars)
        return found

    @cached_property
    def _leave_rows(self) -> dict[int, Places]:
        """By side: the places of those rows in the flat series, rising."""
        flags = {1: self.tape.leave_long, -1: self.tape.leave_short}
        return {side: np.zeros(0, dtype=np.int64) if up is None else np.flatnonzero(up.T) for side, up in flags.items()}

    @cached_property
    def observed_until(self) -> Places:
        """(bars,): how many observed rows there were, this one included."""
        counted: Places = np.cumsum(self.tape.watched())
        return counted

    @cached_property
    def atr_row(self) -> Places:
        """Flat: the last row at or before this one whose ATR is known, −1 for none."""
        known = np.zeros((self.width, self.bars), dtype=bool) if self.tape.atr is None else self.tape.atr.T > 0
        rows = np.where(known, np.arange(self.bars), -1)
        if not (known[:, 1:] >= known[:, :-1]).all():  # once known it stays known where no bar is missing
            np.maximum.accumulate(rows, axis=1, out=rows)
        return rows.ravel()

    def _known_atr(self) -> Numbers:
        """The last known ATR of each row, NaN before the first."""
        lanes = self._laid_out(np.full((self.bars, self.width), np.nan) if self.tape.atr is None else self.tape.atr)
        rows = self.atr_row.reshape(self.width, self.bars)
        found = lanes[: rows.size].reshape(rows.shape)
        np.copyto(found, np.nan, where=rows < 0)
        older = (rows >= 0) & (rows < np.arange(self.bars))
        if older.any():
            found[older] = np.take_along_axis(found, np.maximum(rows, 0), axis=1)[older]
        return lanes

    def column_of(self, token: Places) -> Places:
        place = np.searchsorted(self.tape.grid.tokens, token, sorter=self.sorted_by_token)
        found: Places = self.sorted_by_token.take(place, mode="clip")  # beyond the greatest there is none
        if not np.array_equal(self.tape.grid.tokens[found], token):
            raise ValueError("a signal names a token that the grid does not hold")
        return found

    def last_price(self, column: int) -> Numbers:
        """(bars,): a token's last close at or before each row, NaN before its first."""
        close, seen = self.tape.grid.close[:, column], self.last_seen[column, :-1]
        found: Numbers = np.where(seen >= 0, close[seen], np.nan)
        return found

    def costs(self, column: Places, rules: BrokerRules) -> Costs[Numbers]:
        return rules.costs_of(self.tape.pooled()[column])

    def liquidity_at(self, column: Places, row: Places) -> Numbers:
        return np.full(len(row), np.nan) if self.tape.liquidity is None else self.tape.liquidity[row, column]

    def stretch(self, name: str, side: int, starts: Places, width: int) -> Numbers:
        """(n, width): each token's bars from `starts` on (places in the flat series), mirrored. A copy. It may run into the next token."""
        found: Numbers = sliding_window_view(self._mirrored(name, side), width)[starts]
        return found

    def _mirrored(self, name: str, side: int) -> Numbers:
        key, series = (name, float(side)), self._padded(name)
        if key not in self._stretches:
            self._stretches[key] = -series
        return self._stretches[key]

    def calm_until(self, side: int, starts: Places, ends: Places, low: Numbers, high: Numbers) -> Places:
        """Places in the flat series, not before `starts`: until there, by whole blocks, each token stays above `low` and below `high` (all
        mirrored). The bars of a block before its start must have done so too. `ends` where nothing happens before them."""
        worst, best = (self._extremes(name, side, extreme) for name, extreme in self._ends(side))
        found, pending, block, width = ends.copy(), np.arange(len(starts)), starts // BLOCK, FIRST_WINDOW
        while len(pending):
            width = min(width, self.bars // BLOCK + 2)
            touched = sliding_window_view(worst, width)[block] <= low[pending, None]
            touched |= sliding_window_view(best, width)[block] >= high[pending, None]
            first = touched.argmax(axis=1)
            there = touched[np.arange(len(first)), first]
            some = pending[there]
            found[some] = np.minimum(np.maximum((block + first)[there] * BLOCK, starts[some]), ends[some])
            block = block + width
            still = ~there & (block * BLOCK < ends[pending])
            pending, block, width = pending[still], block[still], width * 2
        return found

    @staticmethod
    def _ends(side: int) -> tuple[tuple[str, np.ufunc], tuple[str, np.ufunc]]:
        """The series of a bar's worst and of its best, mirrored, and how blocks of them are joined."""
        return (("low", np.fmin), ("high", np.fmax)) if side > 0 else (("high", np.fmin), ("low", np.fmax))

    def _extremes(self, name: str, side: int, extreme: np.ufunc) -> Numbers:
        """Of each block of the flat series; NaN for one that holds no bar."""
        key = (name, float(side))
        if key not in self._blocks:
            joined = self._mirrored(name, side)
            joined = joined[: len(joined) // BLOCK * BLOCK]
            for _ in range(BLOCK.bit_length() - 1):
                joined = extreme(joined[::2], joined[1::2])
            self._blocks[key] = joined
        return self._blocks[key]


def _next(rows: Places, none: int) -> Places:
    found = np.minimum.accumulate(rows[:, ::-1], axis=1)[:, ::-1]
    return np.column_stack([found, np.full(len(rows), none)])
