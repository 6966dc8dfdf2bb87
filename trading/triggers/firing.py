"""What a trigger says: where it fired, for which side, how strongly, and the figure that made it fire."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from learning.indicators import shifted
from trading.names import Trigger

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tokens.bar_grid import Grid

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Signs = NDArray[np.int8]
    Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Firing:
    """One trigger, (bars, tokens). Direction and strength are 0 and the measure is NaN where it did not fire."""

    on: Flags
    direction: Signs
    strength: Numbers
    measure: Numbers


@dataclass(frozen=True, slots=True)
class Fired:
    """All triggers by name, (bars, tokens) each, and the two ATR gates. `low_atr` is also where ATR is not known yet: nothing says that a
    move there is worth its fees."""

    on: dict[Trigger, Flags]
    direction: dict[Trigger, Signs]
    strength: dict[Trigger, Numbers]
    measure: dict[Trigger, Numbers]
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


def firing_at(shape: tuple[int, ...], places: tuple[Places, ...], direction: Any, measure: Any, strength: Any) -> Firing:
    """Fired at these places and nowhere else; where a place is named twice the last one counts."""
    on, signs = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.int8)
    strengths, measures = np.zeros(shape), np.full(shape, np.nan)
    on[places] = True
    signs[places] = direction
    strengths[places] = strength
    measures[places] = measure
    return Firing(on, signs, strengths, measures)


def limit_at(limit: Any, shape: tuple[int, ...], places: tuple[Places, ...]) -> Any:
    """A threshold, which may be one for all, one a token, or one a bar and token, at some places."""
    return limit if np.ndim(limit) == 0 else np.broadcast_to(limit, shape)[places]


def over_limit(measure: Numbers, limit: Any) -> Numbers:
    """0.5 at the limit, 1 at twice the limit and above. A limit of 0 is always far behind."""
    share: Numbers = np.minimum(measure / np.where(np.asarray(limit) > 0, 2.0 * np.asarray(limit), np.inf), 1.0)
    return np.where(np.asarray(limit) > 0, share, 1.0)


def side_of_bar(grid: Grid) -> Signs:
    """Whether a bar rose or fell: against the close before it, after a gap against its own open."""
    before = shifted(grid.close)
    change = grid.close - np.where(np.isnan(before), grid.open, before)
    return np.where(np.isnan(change), 0.0, np.sign(change)).astype(np.int8)
