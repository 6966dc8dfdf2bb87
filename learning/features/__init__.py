"""The 240 features: arrays of what was known at a moment, in; a vector for each token, out. Pure: no database, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from learning.features import averages, calendar, channels, flow, levels, market, micro, oscillators, returns, statistics, volatility
from learning.features.inputs import FeatureInputs
from learning.features.reasons import Why
from learning.features.sight import Sight
from learning.missing import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from learning.features.slots import Feature

__all__ = ["FEATURES", "FeatureInputs", "Features", "Working", "compute"]

GROUPS = (returns, averages, oscillators, volatility, channels, flow, micro, levels, statistics, market, calendar)
FEATURES: tuple[Feature, ...] = tuple(feature for group in GROUPS for feature in group.FEATURES)


@dataclass(frozen=True, slots=True)
class Features:
    """(tokens, slots): NaN and a reason where a value is unknown, Reason.OK where it is known."""

    values: NDArray[np.float32]
    reasons: NDArray[np.uint8]


def compute(inputs: FeatureInputs, features: Sequence[Feature] = FEATURES) -> Features:
    """The vectors of all tokens at once, each to the last bit the same as if its token had been alone in the same market."""
    working = Working(inputs, features)
    working.go_on(len(features))
    return working.found()


class Working:
    """The same a few slots at a time: what several share is kept from one time to the next, so that all together take no longer."""

    def __init__(self, inputs: FeatureInputs, features: Sequence[Feature] = FEATURES) -> None:
        self._count, self._left = len(inputs), list(enumerate(features))
        if self._count == 1:  # numpy adds up a single column in another order than several
            inputs = inputs.columns([0, 0])
        self._sight = Sight(inputs)
        self._why = Why(self._sight)
        self._values = np.empty((len(features), len(inputs)), dtype=np.float32)
        self._reasons = np.zeros(self._values.shape, dtype=np.uint8)

    def go_on(self, slots: int) -> None:
        """Work out the next so many."""
        with np.errstate(all="ignore"):  # what is no number is found below, and gets its reason
            for place, feature in self._left[:slots]:
                self._values[place], self._reasons[place] = _told(feature, self._sight, self._why)
        del self._left[:slots]

    @property
    def done(self) -> bool:
        return not self._left

    def found(self) -> Features:
        """When all of it is done."""
        values, reasons = self._values.T[: self._count], self._reasons.T[: self._count]
        return Features(np.ascontiguousarray(values), np.ascontiguousarray(reasons))


def _told(feature: Feature, sight: Sight, why: Why) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    exact = feature.value(sight)
    single = exact.astype(np.float32)
    unknown = ~np.isfinite(single)
    if not unknown.any():
        return single, np.zeros(len(single), dtype=np.uint8)
    beyond = unknown & np.isfinite(exact)
    reason = np.where(beyond, np.uint8(Reason.OUT_OF_RANGE), why.unknown(feature.needs))
    return np.where(unknown, np.float32(np.nan), single), np.where(unknown, reason, np.uint8(0)).astype(np.uint8)
