"""What a trigger says: where it fired, for which side, how strongly, and the figure that made it fire."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from trading.names import Trigger

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tokens.bar_grid import Grid
    from trading.tiles import Tile

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Signs = NDArray[np.int8]
    Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Firing:
    """One trigger in one tile: the places where it fired, and what it says there. Where a place stands twice the last one counts."""

    places: tuple[Places, ...]  # rows and columns
    direction: Any
    measure: Numbers
    strength: Numbers


@dataclass(frozen=True, slots=True)
class Fired:
    """All triggers by name, (bars, tokens) each, and the two ATR gates. Direction, strength and measure (the figure that made it fire, see
    its module) are 0 where it did not. `low_atr` is also where ATR is not known yet: nothing says that a move there is worth its fees."""

    on: dict[Trigger, Flags]
    direction: dict[Trigger, Signs]
    strength: dict[Trigger, NDArray[np.float32]]
    measure: dict[Trigger, NDArray[np.float32]]
    atr_share: Numbers
    low_atr: Flags
    high_atr: Flags
    seen: Flags  # there is a bar

    def rows(self, chosen: slice) -> Fired:
        """The same tokens, some of the bars: slice(-1, None) is the newest."""
        cut: dict[str, Any] = {}
        for field in fields(self):
            part = getattr(self, field.name)
            cut[field.name] = {name: values[chosen] for name, values in part.items()} if isinstance(part, dict) else part[chosen]
        return Fired(**cut)

    def put(self, name: Trigger, firing: Firing, tile: Tile) -> None:
        """What a tile found, of its own rows."""
        rows, columns = firing.places
        own = np.flatnonzero(rows >= tile.first)
        place = (rows[own] + tile.rows.start) * self.seen.shape[1] + (columns[own] + tile.columns.start)
        self.on[name].put(place, True)
        self.direction[name].put(place, firing.direction[own])
        self.strength[name].put(place, firing.strength[own])
        self.measure[name].put(place, firing.measure[own])


def nothing_fired(shape: tuple[int, ...], seen: Flags, atr_share: Numbers, low_atr: Flags, high_atr: Flags) -> Fired:
    empty = ({name: np.zeros(shape, dtype=kind) for name in Trigger} for kind in (np.bool_, np.int8, np.float32, np.float32))
    on, direction, strength, measure = empty
    return Fired(on, direction, strength, measure, atr_share, low_atr, high_atr, seen)  # type: ignore[arg-type]


def places_of(flags: Flags) -> tuple[Places, Places]:
    """`np.nonzero`, in half the time."""
    rows, columns = np.divmod(np.flatnonzero(flags), max(flags.shape[1], 1))
    return rows, columns


def limit_at(limit: Any, shape: tuple[int, ...], places: tuple[Places, ...]) -> Any:
    """A threshold, which may be one for all, one a token, or one a bar and token, at some places."""
    return limit if np.ndim(limit) == 0 else np.broadcast_to(limit, shape)[places]


def over_limit(measure: Numbers, limit: Any) -> Numbers:
    """0.5 at the limit, 1 at twice the limit and above. A limit of 0 is always far behind."""
    share: Numbers = np.minimum(measure / np.where(np.asarray(limit) > 0, 2.0 * np.asarray(limit), np.inf), 1.0)
    return np.where(np.asarray(limit) > 0, share, 1.0)


def side_of_bar(grid: Grid, places: tuple[Places, ...]) -> Any:
    """Whether a bar rose or fell: against the close before it, after a gap against its own open."""
    rows, columns = places
    before = np.where(rows > 0, grid.close[rows - 1, columns], np.nan)
    return np.sign(np.nan_to_num(grid.close[places] - np.where(np.isnan(before), grid.open[places], before)))
