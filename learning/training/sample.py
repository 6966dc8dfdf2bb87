"""What a model learns from, as arrays: a row for each token at each mark, in the order of time. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from learning.training.labels import Labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    ts: NDArray[np.int64]  # seconds, never falling
    token: NDArray[np.int64]
    values: NDArray[np.float32]  # (rows, features), NaN where missing
    score: Numbers
    momentum: Mapping[int, Numbers]  # by horizon: what the price did in a time as long, up to the row
    labels: Mapping[int, Labels]  # by horizon in minutes

    def __len__(self) -> int:
        return len(self.ts)

    @classmethod
    def joined(cls, parts: Sequence[Sample]) -> Sample:
        """At least one part; in their order."""
        ts, token, values, score = (np.concatenate([getattr(part, name) for part in parts]) for name in ("ts", "token", "values", "score"))
        momentum = {horizon: np.concatenate([part.momentum[horizon] for part in parts]) for horizon in parts[0].momentum}
        labels = {horizon: Labels.joined([part.labels[horizon] for part in parts]) for horizon in parts[0].labels}
        return cls(ts, token, values, score, momentum, labels)

    def of(self, chosen: Any) -> Sample:
        momentum = {horizon: moved[chosen] for horizon, moved in self.momentum.items()}
        labels = {horizon: found.of(chosen) for horizon, found in self.labels.items()}
        return Sample(self.ts[chosen], self.token[chosen], self.values[chosen], self.score[chosen], momentum, labels)

    def known_at(self, horizon: int) -> Sample:
        """Only the rows whose outcome at this horizon is known."""
        return self.of(np.flatnonzero(self.labels[horizon].known))
