"""Bars of many tokens on one regular time axis, for work on all tokens at once. A gap is a gap: NaN, never zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRICES = ("open", "high", "low", "close")
AMOUNTS = ("volume", "trades", "buy_volume")


@dataclass(frozen=True, slots=True)
class Grid:
    """Time along the first axis, tokens along the second. A missing bar is NaN in all seven figures, an unknown amount in its own."""

    interval_sec: int
    open_time: NDArray[np.int64]  # (bars,) seconds since 1970, evenly spaced
    tokens: NDArray[np.int64]  # (tokens,) their keys
    open: NDArray[np.float64]  # (bars, tokens), as the six that follow
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]  # in US dollars
    trades: NDArray[np.float64]
    buy_volume: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = (len(self.open_time), len(self.tokens))
        for name in (*PRICES, *AMOUNTS):
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} is {getattr(self, name).shape}, not {shape}")

    def __len__(self) -> int:
        return len(self.open_time)

    def rows(self, chosen: slice) -> Grid:
        """The same tokens, some of the bars."""
        cut = {name: getattr(self, name)[chosen] for name in ("open_time", *PRICES, *AMOUNTS)}
        return replace(self, **cut)

    def columns(self, chosen: Any) -> Grid:
        """The same bars, some of the tokens."""
        cut = {name: getattr(self, name)[:, chosen] for name in (*PRICES, *AMOUNTS)}
        return replace(self, tokens=self.tokens[chosen], **cut)


def empty(interval_sec: int, first_open: int, bars: int, tokens: NDArray[np.int64]) -> Grid:
    """A grid in which nothing has been seen yet."""
    times = first_open + interval_sec * np.arange(bars, dtype=np.int64)
    figures = {name: np.full((bars, len(tokens)), np.nan) for name in (*PRICES, *AMOUNTS)}
    return Grid(interval_sec, times, np.asarray(tokens, dtype=np.int64), **figures)


def place(interval_sec: int, first_open: int, bars: int, tokens: NDArray[np.int64], rows: Mapping[str, NDArray[np.float64]]) -> Grid:
    """Rows of bars (`token`, `open_time` in seconds, and the seven figures, in any order) on a grid; what lies outside is left out."""
    grid = empty(interval_sec, first_open, bars, tokens)
    order = np.argsort(grid.tokens, kind="stable")
    column = np.searchsorted(grid.tokens, rows["token"], sorter=order)
    known = column < len(order)
    column = order[np.where(known, column, 0)] if len(order) else np.zeros(len(column), dtype=np.int64)
    known &= len(order) > 0
    known[known] = grid.tokens[column[known]] == rows["token"][known]
    bar, off = np.divmod(rows["open_time"].astype(np.int64) - first_open, interval_sec)
    known &= (off == 0) & (bar >= 0) & (bar < bars)
    for name in (*PRICES, *AMOUNTS):
        getattr(grid, name)[bar[known], column[known]] = rows[name][known]
    return grid


def coarser(grid: Grid, interval_sec: int) -> Grid:
    """Bars of a longer interval, each from the bars inside it: the first open, the highest high, the lowest low, the last close, the sum
    of each amount over the bars that have one. A long bar in which no short one was seen is missing; one that is only begun, at the end
    of the grid, is left out, for it could still change."""
    times = interval_sec, grid.interval_sec
    if times[0] % times[1] or times[0] <= 0:
        raise ValueError(f"{interval_sec} s are not made of bars of {grid.interval_sec} s")
    each = times[0] // times[1]
    if not len(grid):
        return replace(grid, interval_sec=interval_sec)
    lead = int(grid.open_time[0] % interval_sec) // grid.interval_sec  # the first long bar may have begun before the grid
    whole = (lead + len(grid)) // each
    if whole == 0:
        return replace(empty(interval_sec, 0, 0, grid.tokens))
    folded = {name: _folded(getattr(grid, name), lead, whole, each) for name in (*PRICES, *AMOUNTS)}
    first = int(grid.open_time[0]) - lead * grid.interval_sec
    return Grid(
        interval_sec,
        first + interval_sec * np.arange(whole, dtype=np.int64),
        grid.tokens,
        open=_first(folded["open"]),
        high=_widest(folded["high"], np.fmax),
        low=_widest(folded["low"], np.fmin),
        close=_first(folded["close"][:, ::-1]),
        volume=_sum(folded["volume"]),
        trades=_sum(folded["trades"]),
        buy_volume=_sum(folded["buy_volume"]),
    )


def _folded(values: NDArray[np.float64], lead: int, whole: int, each: int) -> NDArray[np.float64]:
    """(long bars, short bars in each, tokens)."""
    before = np.full((lead, values.shape[1]), np.nan)
    return np.concatenate([before, values])[: whole * each].reshape(whole, each, values.shape[1])


def _first(folded: NDArray[np.float64]) -> NDArray[np.float64]:
    place_of_first = np.argmax(~np.isnan(folded), axis=1)
    return np.take_along_axis(folded, place_of_first[:, None, :], axis=1)[:, 0, :]


def _widest(folded: NDArray[np.float64], wider: Any) -> NDArray[np.float64]:
    found: NDArray[np.float64] = wider.reduce(folded, axis=1)
    return found


def _sum(folded: NDArray[np.float64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.where(np.isnan(folded).all(axis=1), np.nan, np.nansum(folded, axis=1))
    return total


def joined(first: Grid, then: Grid) -> Grid:
    """Two grids of the same tokens, one right after the other in time."""
    if first.interval_sec != then.interval_sec or not np.array_equal(first.tokens, then.tokens):
        raise ValueError("these grids do not go together")
    values: dict[str, Any] = {
        field.name: np.concatenate([getattr(first, field.name), getattr(then, field.name)])
        for field in fields(Grid)
        if field.name not in ("interval_sec", "tokens")
    }
    return replace(first, **values)
