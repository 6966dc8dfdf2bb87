"""What became of a row, as a lesson: which way, how much, how deep it fell on the way. Pure.

A way counts only beyond what a round trip costs: `up` paid for itself, `down` fell by more than that, `flat` is all between. A token that
died teaches like any other, with the loss its outcome was given; a row whose outcome nobody saw teaches nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

UP, FLAT, DOWN = 0, 1, 2  # the order of probabilities, everywhere
DIRECTIONS = ("up", "flat", "down")


@dataclass(frozen=True, eq=False)
class Labels:
    """Of one horizon, for each row. Where `known` is false the rest means nothing."""

    known: NDArray[np.bool_]
    direction: NDArray[np.int8]
    gross: Numbers  # −1 is all of it
    net: Numbers  # after cost
    fall: Numbers  # how far below the price at decision it went, 0 … 1; NaN where we were blind on the way

    @classmethod
    def joined(cls, parts: Sequence[Labels]) -> Labels:
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def of(self, chosen: Any) -> Labels:
        return Labels(self.known[chosen], self.direction[chosen], self.gross[chosen], self.net[chosen], self.fall[chosen])


def labels(gross: Numbers, net: Numbers, worst: Numbers, cost: Numbers) -> Labels:
    """From outcomes, NaN where nobody looked; `cost` is the fraction that a round trip takes."""
    known = np.isfinite(gross) & np.isfinite(net) & np.isfinite(cost)
    direction = np.where(net > 0, UP, np.where(gross < -cost, DOWN, FLAT)).astype(np.int8)
    return Labels(known, direction, gross, net, np.clip(-worst, 0.0, 1.0))
