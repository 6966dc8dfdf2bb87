"""What each judged point may see: the last WINDOW bars of its token, up to and with its own bar, and not one more.

Points stand side by side along the second axis, so that a live cycle (the newest bar of every token) and a back-test (any bars of any
tokens) are one case. Prices are multiples of the point's last known close: in another unit of money the same bars are the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tokens.bar_grid import Grid, empty
from trading.tiles import turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

WINDOW = 480
FIVE, HOUR = 5, 12  # bars in a longer one, and of those in the longest; WINDOW is made of whole ones, so the last ends with the judged bar
DAY_SEC = 86_400
LEAST_SHARE_OF_DAY = 0.8  # of a day's bars must be there before its highest and lowest count as the day's
LEAST_PRICE = 1e-12  # of the price now: what was cheaper was another coin
LATELY = 60
FIGURES, OF_LATE = ("high", "low", "close", "volume"), ("open", "buy_volume")
ALL = (*FIGURES, *OF_LATE)


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
    volume: Numbers  # (WINDOW, n) of the minutes
    open: Numbers  # (LATELY, n), as buy_volume: of the last minutes, for nobody asks for more
    buy_volume: Numbers
    last: Numbers  # (n,) the last known close, in dollars; NaN: no bar in the window
    age: Numbers  # (n,) bars between it and the judged one; NaN: no bar in the window
    first: Numbers  # (n,) place of the first known bar in the window
    known: NDArray[np.bool_]  # (WINDOW, n)
    gapless: bool  # all of them are
    end: Places  # (n,) the moment the judged bar closes, seconds since 1970
    interval_sec: int
    day_high: Numbers  # (n,) of the last whole day in UTC, multiples of `last` as all prices; NaN: unknown
    day_low: Numbers
    day_close: Numbers

    def __len__(self) -> int:
        return len(self.last)


def _lanes(grid: Grid, rows: Places, columns: Places) -> tuple[Numbers, Numbers]:
    """(FIGURES, WINDOW, n) and (OF_LATE, LATELY, n). The bars that the points can see are first laid out token by token, so that a window
    lies in few lines of memory, and what is common to the windows is done once."""
    asked, lane = np.unique(columns, return_inverse=True)
    earliest = int(rows.min()) - WINDOW + 1
    lead, bars = max(0, -earliest), slice(max(0, earliest), int(rows.max()) + 1)  # before the first bar there is none
    figures = np.empty((len(ALL), len(asked), bars.stop - earliest))
    figures[:, :, :lead] = np.nan
    for place, name in enumerate(ALL):
        values = getattr(grid, name)[bars]
        turn(values if len(asked) == values.shape[1] else values[:, asked], figures[place, :, lead:])
    flat = _believed(figures).reshape(len(ALL), -1)
    start = lane * figures.shape[2] + rows - (WINDOW - 1) - earliest
    found, late = np.empty((len(FIGURES), WINDOW, len(rows))), np.empty((len(OF_LATE), LATELY, len(rows)))
    seen = start + np.arange(WINDOW)[:, None]
    for one, figure in zip(flat, [*found, *late], strict=True):
        one.take(seen[-len(figure) :], out=figure, mode="clip")  # nothing is to be cut, but to be warned of it costs a copy
    return found, late


def cut(grid: Grid, rows: Places, columns: Places, days: Grid | None = None) -> Windows:
    """The windows of the points (rows[i], columns[i]). `days` are whole days in UTC, made from the grid where they are not given."""
    one_row = not len(rows) or bool((rows == rows[0]).all())  # as in a live cycle: the windows are one block of the grid
    figures, late = _block(grid, int(rows.max(initial=-1)), columns) if one_row else _lanes(grid, rows, columns)
    prices, volume, open_ = figures[:3], figures[3], late[0]
    known, newest, first = _known(prices)
    last = np.where(newest >= 0, prices[2][np.maximum(newest, 0), np.arange(len(rows))], np.nan)
    with np.errstate(all="ignore"):
        prices /= last
        open_ /= last
        if np.fmin.reduce(prices[1], axis=None, initial=np.inf) <= LEAST_PRICE:
            known &= prices[1] > LEAST_PRICE
            prices[:, ~known], open_[~known[-LATELY:]] = np.nan, np.nan
    end = grid.open_time[rows] + grid.interval_sec
    minutes = Bars(*prices)
    fives = longer(minutes, FIVE)
    return Windows(
        minutes,
        fives,
        longer(fives, HOUR),
        volume,
        open_,
        late[1],
        last,
        np.where(newest >= 0, WINDOW - 1.0 - newest, np.nan),
        np.where(newest >= 0, first, np.nan),
        known,
        bool(known.all()),
        end,
        grid.interval_sec,
        *(price / last for price in _last_day(day_bars(grid) if days is None else days, columns, end)),
    )


def _block(grid: Grid, row: int, columns: Places) -> tuple[Numbers, Numbers]:
    found = np.full((len(ALL), WINDOW, len(columns)), np.nan)
    block = slice(max(0, row - WINDOW + 1), row + 1)
    for place, name in enumerate(ALL):
        found[place, WINDOW - (block.stop - block.start) :] = getattr(grid, name)[block].take(columns, axis=1)
    _believed(found)
    return found[: len(FIGURES)], found[len(FIGURES) :, -LATELY:]


def _believed(figures: Numbers) -> Numbers:
    """Bars whose prices are no prices, or whose high and low do not embrace the rest, become gaps, and so do amounts that are none: nobody
    could have traded there. In place."""
    high, low, close, volume, open_, bought = figures
    known = (low > 0) & (high < np.inf) & (open_ >= low) & (open_ <= high) & (close >= low) & (close <= high)
    if not known.all():
        figures[:, ~known] = np.nan
    for amount in (volume, bought):
        some = (amount >= 0) & (amount < np.inf)
        if not some.all():
            amount[~some] = np.nan
    return figures


def _known(prices: Numbers) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """(WINDOW, n) which bars are there, and (n,) the places of the newest (−1: none) and of the first of them (WINDOW: none)."""
    shape = prices.shape[1:]
    newest, first = np.full(shape[1], WINDOW - 1), np.zeros(shape[1], dtype=np.int64)
    if not np.isnan(prices[2].min(initial=np.inf)):
        return np.ones(shape, dtype=np.bool_), newest, first
    known = ~np.isnan(prices[2])
    late, none = np.flatnonzero(~(known[0] & known[-1])), ~known.any(axis=0)
    newest[late], first[late] = WINDOW - 1 - known[::-1, late].argmax(axis=0), known[:, late].argmax(axis=0)
    newest[none], first[none] = -1, WINDOW
    return known, newest, first


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
    """Whole days in UTC: their highest, lowest and last price; nobody asks for more. A day of which too many bars are missing is missing:
    its highest and lowest would be those of a part of it."""
    if DAY_SEC % grid.interval_sec:
        raise ValueError(f"a day is not made of bars of {grid.interval_sec} s")
    each = DAY_SEC // grid.interval_sec
    begin = int(grid.open_time[0]) // DAY_SEC * DAY_SEC if len(grid) else 0
    lead = (int(grid.open_time[0]) - begin) // grid.interval_sec if len(grid) else 0  # the first day may have begun before the grid
    days = empty(DAY_SEC, begin, (lead + len(grid)) // each, grid.tokens)
    for place in range(len(days)):
        rows = slice(max(0, place * each - lead), (place + 1) * each - lead)
        close = grid.close[rows]
        known = ~np.isnan(close)
        enough = known.sum(axis=0) >= LEAST_SHARE_OF_DAY * each
        newest = len(close) - 1 - known[::-1].argmax(axis=0)
        days.high[place, enough] = np.fmax.reduce(grid.high[rows], axis=0)[enough]
        days.low[place, enough] = np.fmin.reduce(grid.low[rows], axis=0)[enough]
        days.close[place, enough] = close[newest[enough], enough]
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
