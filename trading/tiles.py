"""A grid cut into tiles that stay in the processor's cache, worked through one after the other.

A tile of later rows brings WARM_UP rows before it along, as a live window does: by then the seed of an average weighs nothing, and every
window is whole. Rows added at the end change nothing before them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tokens.bar_grid import AMOUNTS, PRICES, Grid

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from numpy.typing import NDArray

Values = TypeVar("Values", bound="DataclassInstance")

WARM_UP = 480  # rows, the window of a live cycle
VALUES = 1 << 17  # in an array of a tile: a megabyte
ROWS = 2048  # of its own a tile has at least


@dataclass(frozen=True, slots=True)
class Tile:
    """`rows` with their warm-up and `columns` of the grid; from `first` on, of these rows, the tile speaks."""

    rows: slice
    columns: slice
    first: int

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Its part of (bars, tokens), its columns of (tokens,)."""
        return values[self.columns] if values.ndim == 1 else values[self.rows, self.columns]

    def grid(self, grid: Grid) -> Grid:
        """The bars that it sees."""
        cut = {name: self.of(getattr(grid, name)) for name in (*PRICES, *AMOUNTS)}
        return Grid(grid.interval_sec, grid.open_time[self.rows], grid.tokens[self.columns], **cut)

    def every(self, values: Values) -> Values:
        """The same of a frozen dataclass: its arrays cut, everything else as it is."""
        arrays = {field.name: getattr(values, field.name) for field in fields(values)}
        return replace(values, **{name: self.of(array) for name, array in arrays.items() if isinstance(array, np.ndarray) and array.ndim})

    @property
    def own(self) -> tuple[slice, slice]:
        """The part of the grid that it speaks for."""
        return slice(self.rows.start + self.first, self.rows.stop), self.columns


def tiles(bars: int, tokens: int, first_row: int = 0, warm_up: int = WARM_UP) -> Iterator[Tile]:
    """Every place of a grid, from `first_row` on, is some tile's own, once."""
    short = bars <= ROWS + WARM_UP  # as every live window: one tile is as long as the grid
    width = max(1, min(tokens, VALUES // (max(bars, 1) if short else ROWS + WARM_UP)))
    height = max(1, bars) if short else max(ROWS, VALUES // width - WARM_UP)
    for start in range(first_row, bars, height):
        earlier = min(start, warm_up)
        for left in range(0, tokens, width):
            yield Tile(slice(start - earlier, min(bars, start + height)), slice(left, min(tokens, left + width)), earlier)


def turn(values: NDArray[np.float64], into: NDArray[np.float64]) -> None:
    """(bars, tokens) written as (tokens, bars), by pieces: column by column each line of memory would be fetched once for every token."""
    rows = max(1, VALUES // 16 // max(1, values.shape[1]))
    for start in range(0, len(values), rows):
        into[:, start : start + rows] = values[start : start + rows].T
