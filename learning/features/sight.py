"""What the slots look at: the inputs, brought into line once for all of them.

Each token's window ends with its newest bar, which is a few minutes old at most. Prices are multiples of that bar's close, so that the
same course in another unit of money is the same vector.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from learning.features.fading import Fading
from learning.features.inputs import HOURS, LAGS, LATE, WINDOW
from learning.features.series import Series
from learning.features.surroundings import PoolFigures, Surroundings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.inputs import FeatureInputs

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

MINUTE = 60
What = TypeVar("What")


class Sight:
    """(WINDOW, tokens) where nothing else is said; everything is worked out when it is first asked for."""

    def __init__(self, inputs: FeatureInputs) -> None:
        self.inputs = inputs
        self.count = len(inputs)
        self._once: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], What]) -> What:
        """What several slots share is made by the first of them."""
        if name not in self._once:
            self._once[name] = make()
        return cast(What, self._once[name])

    # -- bars of a minute

    @cached_property
    def newest(self) -> Places:
        """The row of each token's newest bar, −1 for none."""
        known = self.inputs.minutes.close > 0
        rows = len(known)
        return np.where(known.any(axis=0), rows - 1 - np.argmax(known[::-1], axis=0), -1) if rows else np.full(self.count, -1)

    @cached_property
    def late(self) -> Numbers:
        """Rows between the newest bar and the moment; NaN where there is none."""
        return np.where(self.newest >= 0, len(self.inputs.minutes) - 1.0 - self.newest, np.nan)

    @cached_property
    def fresh(self) -> NDArray[np.bool_]:
        return np.asarray(self.late <= LATE)

    @cached_property
    def _rows(self) -> Places | slice | None:
        """Where the rows of the window lie in the grid: one slice for all, a table (WINDOW, tokens), or nowhere (−1)."""
        rows = len(self.inputs.minutes)
        if self.count and self.fresh.all() and (self.newest == self.newest[0]).all() and self.newest[0] >= WINDOW - 1:
            return slice(int(self.newest[0]) - WINDOW + 1, int(self.newest[0]) + 1)
        place = self.newest - (WINDOW - 1) + np.arange(WINDOW)[:, None]
        return np.where(self.fresh & (place >= 0), place, -1) if rows else None

    def aligned(self, values: Numbers) -> Numbers:
        rows = self._rows
        if rows is None:
            return np.full((WINDOW, self.count), np.nan)
        if isinstance(rows, slice):
            whole: Numbers = values[rows]
            return whole
        found: Numbers = np.where(rows >= 0, np.take_along_axis(values, np.maximum(rows, 0), axis=0), np.nan)
        return found

    @cached_property
    def last(self) -> Numbers:
        """The newest close, in dollars."""
        row: Numbers = self.aligned(self.inputs.minutes.close)[-1]
        return row

    def _relative(self, name: str) -> Series:
        values = self.aligned(getattr(self.inputs.minutes, name)) / self.last
        return Series(np.where(values > 0, values, np.nan) if not (values > 0).all() else values)

    @cached_property
    def open(self) -> Series:
        return self._relative("open")

    @cached_property
    def high(self) -> Series:
        return self._relative("high")

    @cached_property
    def low(self) -> Series:
        return self._relative("low")

    @cached_property
    def close(self) -> Series:
        return self._relative("close")

    @cached_property
    def log(self) -> Series:
        """Of the close; 0 at the newest."""
        return Series(np.log(self.close.values))

    @cached_property
    def typical(self) -> Series:
        return Series((self.high.values + self.low.values + self.close.values) / 3.0)

    @cached_property
    def moves(self) -> Series:
        """Log returns from minute to minute."""
        values = np.full(self.log.values.shape, np.nan)
        np.subtract(self.log.values[1:], self.log.values[:-1], out=values[1:])
        return Series(values)

    @cached_property
    def sizes(self) -> Series:
        return Series(np.abs(self.moves.values))

    @cached_property
    def squares(self) -> Series:
        return Series(self.moves.values**2)

    @cached_property
    def true_range(self) -> Series:
        """As a share of the newest close."""
        values = np.full(self.close.values.shape, np.nan)
        before = self.close.values[:-1]
        values[1:] = np.maximum(self.high.values[1:], before) - np.minimum(self.low.values[1:], before)
        return Series(values)

    @cached_property
    def widths(self) -> Series:
        """ln(high / low) of each minute."""
        return Series(np.log(self.high.values / self.low.values))

    @cached_property
    def volume(self) -> Series:
        return Series(self.aligned(self.inputs.minutes.volume))

    @cached_property
    def trades(self) -> Series:
        return Series(self.aligned(self.inputs.minutes.trades))

    @cached_property
    def bought(self) -> Series:
        """What was bought, where what was traded is known as well."""
        buys = self.aligned(self.inputs.minutes.buy_volume)
        return Series(np.where(self.volume.known, np.minimum(buys, self.volume.values), np.nan))

    @cached_property
    def traded_with_side(self) -> Series:
        """The volume of the minutes whose bought part is known."""
        return Series(np.where(self.bought.known, self.volume.values, np.nan))

    @cached_property
    def net(self) -> Series:
        """Bought less sold, in dollars."""
        return Series(2.0 * self.bought.values - self.volume.values)

    @cached_property
    def signed(self) -> Series:
        """Volume with the sign of the minute's move."""
        return Series(np.sign(self.moves.values) * self.volume.values)

    @cached_property
    def turned(self) -> Series:
        """Volume of the minutes that have a move before them."""
        return Series(np.where(self.moves.known, self.volume.values, np.nan))

    @cached_property
    def fading(self) -> Fading:
        return Fading(self)

    def average(self, span: int) -> Numbers:
        """The exponential average of the close."""
        return self.close.told(span, self.fading.newest("close", float(span)))

    # -- bars of an hour

    @cached_property
    def hour_close(self) -> Series:
        return Series(self._hours("close") / self.last)

    @cached_property
    def hour_high(self) -> Series:
        return Series(self._hours("high") / self.last)

    @cached_property
    def hour_low(self) -> Series:
        return Series(self._hours("low") / self.last)

    @cached_property
    def hour_volume(self) -> Series:
        return Series(self._hours("volume"))

    @cached_property
    def hour_moves(self) -> Series:
        logs = np.log(self.hour_close.values)
        values = np.full(logs.shape, np.nan)
        values[1:] = logs[1:] - logs[:-1]
        return Series(values)

    def _hours(self, name: str) -> Numbers:
        values = getattr(self.inputs.hours, name)[-HOURS:]
        missing = np.full((HOURS - len(values), self.count), np.nan)
        return np.concatenate([missing, values])

    # -- snapshots

    def look(self, name: str, lag: int = 0) -> Numbers:
        """A figure as the newest snapshot of `lag` minutes ago says it."""
        row: Numbers = self.inputs.looks[name][LAGS.index(lag)]
        return row

    # -- age

    @cached_property
    def age_min(self) -> Numbers:
        return np.maximum((self.inputs.ts - self.inputs.born) / MINUTE, 0.0)

    @cached_property
    def end(self) -> Numbers:
        """When the newest bar ended, seconds since 1970."""
        last = float(self.inputs.minutes.open_time[-1]) + MINUTE if len(self.inputs.minutes) else float(self.inputs.ts)
        end: Numbers = last - MINUTE * np.where(self.fresh, self.late, 0.0)
        return end

    @cached_property
    def around(self) -> Surroundings:
        return Surroundings(self)

    @cached_property
    def pools(self) -> PoolFigures:
        return PoolFigures(self)
