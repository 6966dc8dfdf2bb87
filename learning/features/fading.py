"""Averages whose weights fade with age, all in three walks over the window: of the bars, of such averages, and of those once more."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from learning.features.series import ROUNDING, faded, wilder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.sight import Sight

    Numbers = NDArray[np.float64]
    Named = tuple[str, float]

FADED = 1e-9  # of the price: averages of moves smaller than this have faded
RISK_METRICS = 2.0 / (1.0 - 0.94) - 1.0  # the span whose weights fade by 6 % a bar
COURSES: tuple[Named, ...] = (
    *(("close", span) for span in (10.0, 12.0, 20.0, 26.0)),
    *((name, wilder(14)) for name in ("rises", "travel", "direction", "directed")),
    *((name, 25.0) for name in ("moves", "sizes")),
)
NEWEST: tuple[Named, ...] = (
    *(("close", span) for span in (5.0, 13.0, 50.0)),
    *((name, wilder(length)) for length in (7, 28) for name in ("rises", "travel")),
    *(("true range", wilder(length)) for length in (10, 14)),
    ("squares", RISK_METRICS),
)


def share(part: Numbers, whole: Numbers) -> Numbers:
    """Unknown of what has faded."""
    there = whole > FADED
    return np.where(there, part, np.nan) / np.where(there, whole, 1.0)


class Fading:
    def __init__(self, sight: Sight) -> None:
        self.sight = sight

    def newest(self, name: str, span: float) -> Numbers:
        return self._first[1][name, span]

    def course(self, name: str, span: float) -> Numbers:
        """(WINDOW, tokens): at every row."""
        return self._first[0][name, span]

    @cached_property
    def _first(self) -> tuple[dict[Named, Numbers], dict[Named, Numbers]]:
        quantities = self._quantities()
        wanted = COURSES + NEWEST
        courses, newest = faded([(quantities[name], span) for name, span in wanted], paths=len(COURSES))
        return dict(zip(COURSES, courses, strict=True)), dict(zip(wanted, newest, strict=True))

    def _quantities(self) -> dict[str, Numbers]:
        s = self.sight
        change, move, size = (np.full(s.close.values.shape, np.nan) for _ in range(3))
        change[1:] = s.close.values[1:] - s.close.values[:-1]
        up, down = s.high.values[1:] - s.high.values[:-1], s.low.values[:-1] - s.low.values[1:]
        size[1:] = np.where(up == down, 0.0, np.maximum(np.maximum(up, down), 0.0))
        move[1:] = np.where(up > down, size[1:], -size[1:])
        return {
            "close": s.close.values,
            "rises": np.maximum(change, 0.0),
            "travel": np.abs(change),
            "direction": move,  # Wilder's: the greater of a higher high and a lower low, with its sign
            "directed": size,
            "moves": s.moves.values,
            "sizes": s.sizes.values,
            "true range": s.true_range.values,
            "squares": s.squares.values,
        }

    @cached_property
    def macd(self) -> Numbers:
        """The average of 12 less that of 26, at every row."""
        slow = self.course("close", 26.0)
        gap = self.course("close", 12.0) - slow
        gap[np.abs(gap) <= ROUNDING * slow] = 0.0
        return gap

    @cached_property
    def leaning(self) -> Numbers:
        """(+DM less −DM) over both, at every row."""
        return share(self.course("direction", wilder(14)), self.course("directed", wilder(14)))

    @cached_property
    def rsi(self) -> Numbers:
        """Of 14, at every row."""
        return 100.0 * share(self.course("rises", wilder(14)), self.course("travel", wilder(14)))

    @cached_property
    def _second(self) -> tuple[list[Numbers], list[Numbers]]:
        planes = [(self.macd, 9.0), (self.course("close", 10.0), 10.0), (np.abs(self.leaning), wilder(14))]
        return faded([*planes, *((self.course(name, 25.0), 13.0) for name in ("moves", "sizes"))], paths=2)

    @property
    def macd_signal(self) -> Numbers:
        return self._second[0][0]

    @property
    def adx(self) -> Numbers:
        return self._second[1][2]

    @property
    def true_strength(self) -> Numbers:
        """Moves over their sizes, both averaged twice."""
        return share(self._second[1][3], self._second[1][4])

    @cached_property
    def threefold(self) -> Numbers:
        """The average of 10 of the average of the average, at every row."""
        return faded([(self._second[0][1], 10.0)], paths=1)[0][0]
