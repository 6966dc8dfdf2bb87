"""What each judged point may see: the last WINDOW bars of its token, up to and with its own bar, and not one more.

Points stand side by side along the second axis, so that a live cycle (the newest bar of every token) and a back-test (any bars of any
tokens) are one case. Prices are multiples of the point's last known close: in another unit of money the same bars are the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tokens.bar_grid import PRICES, Grid, coarser

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

WINDOW = 480
FIVE, HOUR = 5, 12  # bars in a longer one, and of those in the longest; WINDOW is made of whole ones, so the last ends with the judged bar
DAY_SEC = 86_400
LEAST_SHARE_OF_DAY = 0.8  # of a day's bars must be there before its highest and lowest count as the day's
LEAST_PRICE = 1e-12  # of the price now: what was cheaper was another coin
FIGURES = (*PRICES, "volume", "buy_volume")


@dataclass(frozen=True, slots=True)
class Bars:
    """(bars, n); a gap is NaN."""

    high: Numbers
    low: Numbers
    close: Numbers


@dataclass(frozen=True, slots=True)
class Windows:
    """n points, each with its WINDOW bars: minutes, fives and hours, whatever the grid's interval, are 1, 5 and 60 of its bars."""

    minutes: Bars
    fives: Bars
    hours: Bars
    open: Numbers  # (WINDOW, n), as the two that follow; of the minutes
    volume: Numbers
    buy_volume: Numbers
    last: Numbers  # (n,) the last known close, in dollars; NaN: no bar in the window
    age: Numbers  # (n,) bars between it and the judged one; NaN: no bar in the window
    first: Numbers  # (n,) place of the first known bar in the window
    known: NDArray[np.bool_]  # (WINDOW, n)
    end: Places  # (n,) the moment the judged bar closes, seconds since 1970
    interval_sec: int
    day_high: Numbers  # (n,) of the last whole day in UTC, multiples of `last` as all prices; NaN: unknown
    day_low: Numbers
    day_close: Numbers

    def __len__(self) -> int:
        return len(self.last)


@dataclass(frozen=True, slots=True)
class Lanes:
    """The figures of some tokens, each token's bars in one piece of memory, bars that nobody could have traded at taken out. What windows
    of many rows are cut from: a window lies in few lines of memory, and what is common to them is done once."""

    figures: Numbers  # (FIGURES, tokens × bars)
    begin: Places  # (tokens of the grid,) where each lane begins

    @classmethod
    def of(cls, grid: Grid, columns: Places) -> Lanes:
        asked = np.unique(columns)
        figures = np.empty((len(FIGURES), len(asked), len(grid)))
        for place, name in enumerate(FIGURES):
            for lane, column in enumerate(asked.tolist()):
                figures[place, lane] = getattr(grid, name)[:, column]
        begin = np.zeros(len(grid.tokens), dtype=np.int64)
        begin[asked] = len(grid) * np.arange(len(asked))
        return cls(_believed(figures).reshape(len(FIGURES), -1), begin)

    def windows(self, rows: Places, columns: Places) -> Numbers:
        """(FIGURES, WINDOW, n)"""
        found = np.empty((len(FIGURES), WINDOW, len(rows)))
        row = rows - (WINDOW - 1) + np.arange(WINDOW)[:, None]
        at = row + self.begin[columns]
        for place, lane in enumerate(self.figures):
            np.take(lane, at, out=found[place], mode="clip")
        if rows.min(initial=WINDOW) < WINDOW - 1:
            found[:, row < 0] = np.nan
        return found


def cut(grid: Grid, rows: Places, columns: Places, days: Grid | None = None, lanes: Lanes | None = None) -> Windows:
    """The windows of the points (rows[i], columns[i]). `days` are whole days in UTC, made from the grid where they are not given; `lanes`
    are those of the grid, where the caller cuts from them more than once."""
    if one_row(rows):
        figures = _believed(_block(grid, int(rows[0]), columns))
    else:
        figures = (Lanes.of(grid, columns) if lanes is None else lanes).windows(rows, columns)
    prices, (volume, buy_volume) = figures[:4], figures[4:]
    gapless = not np.isnan(prices[3].min(initial=np.inf))
    known = np.ones(prices[3].shape, dtype=np.bool_) if gapless else ~np.isnan(prices[3])
    newest, first = _ends(known)
    last = np.where(newest >= 0, prices[3][np.maximum(newest, 0), np.arange(len(rows))], np.nan)
    with np.errstate(all="ignore"):
        prices /= last
        if np.fmin.reduce(prices[2], axis=None, initial=np.inf) <= LEAST_PRICE:
            known &= prices[2] > LEAST_PRICE
            prices[:, ~known] = np.nan
    end = grid.open_time[rows] + grid.interval_sec
    minutes = Bars(*prices[1:])
    fives = longer(minutes, FIVE)
    return Windows(
        minutes,
        fives,
        longer(fives, HOUR),
        prices[0],
        volume,
        buy_volume,
        last,
        np.where(newest >= 0, WINDOW - 1.0 - newest, np.nan),
        np.where(newest >= 0, first, np.nan),
        known,
        end,
        grid.interval_sec,
        *(price / last for price in _last_day(day_bars(grid) if days is None else days, columns, end)),
    )


def one_row(rows: Places) -> bool:
    """As in a live cycle, where all points are the newest bars: their windows are one block of the grid."""
    return bool(len(rows) and (rows == rows[0]).all())


def _block(grid: Grid, row: int, columns: Places) -> Numbers:
    found = np.full((len(FIGURES), WINDOW, len(columns)), np.nan)
    block = slice(max(0, row - WINDOW + 1), row + 1)
    for place, name in enumerate(FIGURES):
        found[place, WINDOW - (block.stop - block.start) :] = getattr(grid, name)[block].take(columns, axis=1)
    return found


def _believed(figures: Numbers) -> Numbers:
    """Bars whose prices are no prices, or whose high and low do not embrace the rest, become gaps, and so do amounts that are none: nobody
    could have traded there. In place."""
    open_, high, low, close, *amounts = figures
    known = (low > 0) & (high < np.inf) & (open_ >= low) & (open_ <= high) & (close >= low) & (close <= high)
    if not known.all():
        figures[:, ~known] = np.nan
    for amount in amounts:
        some = (amount >= 0) & (amount < np.inf)
        if not some.all():
            amount[~some] = np.nan
    return figures


def _ends(known: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of the newest (−1: none) and the first known bar (WINDOW: none)."""
    newest, first = np.full(known.shape[1], WINDOW - 1), np.zeros(known.shape[1], dtype=np.int64)
    for ends, rows, nowhere in ((newest, known[::-1], -1), (first, known, WINDOW)):
        late = np.flatnonzero(~rows[0])
        place = rows[:, late].argmax(axis=0)
        ends[late] = np.where(rows[place, late], WINDOW - 1 - place if nowhere < 0 else place, nowhere)
    return newest, first


def longer(bars: Bars, each: int) -> Bars:
    """As `tokens.bar_grid.coarser`, for the three prices that the judgement needs of longer bars."""
    high, low, close = (values.reshape(len(values) // each, each, values.shape[1]) for values in (bars.high, bars.low, bars.close))
    newest = close[:, -1].copy()
    for place in range(each - 2, -1, -1):
        missing = np.isnan(newest)
        if not missing.any():
            break
        newest[missing] = close[:, place][missing]
    return Bars(np.fmax.reduce(high, axis=1), np.fmin.reduce(low, axis=1), newest)


def day_bars(grid: Grid) -> Grid:
    """Whole days in UTC. A day of which too many bars are missing is missing: its highest and lowest would be those of a part of it."""
    if DAY_SEC % grid.interval_sec:
        raise ValueError(f"a day is not made of bars of {grid.interval_sec} s")
    days = coarser(grid, DAY_SEC)
    each = DAY_SEC // grid.interval_sec
    lead = int(grid.open_time[0] % DAY_SEC) // grid.interval_sec if len(grid) else 0
    for place in range(len(days)):
        counted = (~np.isnan(grid.close[max(0, place * each - lead) : (place + 1) * each - lead])).sum(axis=0)
        for name in ("high", "low", "close"):
            getattr(days, name)[place, counted < LEAST_SHARE_OF_DAY * each] = np.nan
    return days


def _last_day(days: Grid, columns: Places, end: Places) -> tuple[Numbers, Numbers, Numbers]:
    """High, low and close of the day before the one in which each point's bar ends."""
    unknown = np.full(len(columns), np.nan)
    if not len(days):
        return unknown, unknown, unknown
    place = (end - DAY_SEC - days.open_time[0]) // DAY_SEC
    there = (place >= 0) & (place < len(days))
    at = np.clip(place, 0, len(days) - 1)
    high, low, close = (np.where(there, values[at, columns], np.nan) for values in (days.high, days.low, days.close))
    return high, low, close
