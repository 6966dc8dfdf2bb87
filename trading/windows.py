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
AMOUNTS = ("volume", "buy_volume")


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


def cut(grid: Grid, rows: Places, columns: Places, days: Grid | None = None) -> Windows:
    """The windows of the points (rows[i], columns[i]). `days` are whole days in UTC, made from the grid where they are not given."""
    prices = _gathered(grid, PRICES, rows, columns)
    known = _believable(*prices)
    newest, first = _ends(known)
    last = np.where(newest >= 0, prices[3][np.maximum(newest, 0), np.arange(len(rows))], np.nan)
    with np.errstate(all="ignore"):
        prices /= last
        volume, buy_volume = _gathered(grid, AMOUNTS, rows, columns)
        for amount in (volume, buy_volume):
            amount[~(known & (amount >= 0) & (amount < np.inf))] = np.nan
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


def _gathered(grid: Grid, names: tuple[str, ...], rows: Places, columns: Places) -> Numbers:
    """(figures, WINDOW, n). The rows of a live cycle are all the same one: its block of the grid is copied as it lies."""
    found = np.full((len(names), WINDOW, len(rows)), np.nan)
    if len(rows) and (rows == rows[0]).all():
        block = slice(max(0, int(rows[0]) - WINDOW + 1), int(rows[0]) + 1)
        for place, name in enumerate(names):
            found[place, WINDOW - (block.stop - block.start) :] = getattr(grid, name)[block].take(columns, axis=1)
        return found
    row = rows - WINDOW + 1 + np.arange(WINDOW)[:, None]
    flat = np.maximum(row, 0) * len(grid.tokens) + columns
    for place, name in enumerate(names):
        np.take(getattr(grid, name).ravel(), flat, out=found[place])
    found[:, row < 0] = np.nan
    return found


def _believable(open_: Numbers, high: Numbers, low: Numbers, close: Numbers) -> NDArray[np.bool_]:
    """Bars whose prices are prices and whose high and low embrace the rest. Others are gaps: nobody could have traded at them."""
    inside = (open_ >= low) & (open_ <= high) & (close >= low) & (close <= high)
    return np.asarray((low > 0) & (high < np.inf) & inside)


def _ends(known: NDArray[np.bool_]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Places of the newest (−1: none) and the first known bar (WINDOW: none)."""
    place = np.arange(WINDOW, dtype=np.int16)[:, None]
    newest = np.where(known, place, np.int16(-1)).max(axis=0)
    return newest, np.where(known, place, np.int16(WINDOW)).min(axis=0)


def longer(bars: Bars, each: int) -> Bars:
    """As `tokens.bar_grid.coarser`, for the three prices that the judgement needs of longer bars."""
    high, low, close = (values.reshape(len(values) // each, each, values.shape[1]) for values in (bars.high, bars.low, bars.close))
    newest = close[:, 0]
    for place in range(1, each):
        newest = np.where(np.isnan(close[:, place]), newest, close[:, place])
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
