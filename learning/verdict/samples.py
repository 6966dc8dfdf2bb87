"""Signals and what became of them, as columns: one row a signal, in the order of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]
    Flags = NDArray[np.bool_]

HORIZONS = (15, 60, 240, 720)  # minutes
WAITING, PRICED, DEAD, UNSEEN = 0, 1, 2, 3  # what is known of an outcome; UNSEEN: nobody looked, and it is not counted as anything
TWOFOLD = 1.0  # best return of a signal that "did 2×"


@dataclass(frozen=True, eq=False)
class Forward:
    """What became of each signal after one horizon. Returns are NaN where they are not known: never 0, never left out unsaid."""

    state: Places
    gross: Numbers
    net: Numbers
    best: Numbers

    @classmethod
    def of(cls, state: Places, gross: Numbers, net: Numbers, best: Numbers) -> Forward:
        """Nothing is known of what has not come or was not seen; a dead token counts with what was stored of it, like any other."""
        known = (state == PRICED) | (state == DEAD)
        return cls(state, *(np.where(known, values, np.nan) for values in (gross, net, best)))

    @classmethod
    def waiting(cls, rows: int) -> Forward:
        nothing = np.full(rows, np.nan)
        return cls(np.full(rows, WAITING), nothing, nothing, nothing)

    def at(self, rows: Flags | Places) -> Forward:
        return Forward(self.state[rows], self.gross[rows], self.net[rows], self.best[rows])


@dataclass(frozen=True, eq=False)
class Predictor:
    """Something that may foretell: a number a signal, or one a horizon; NaN where it is not known.

    A `flag` is 0 or 1 (did this trigger fire?). `chance`, where the predictor claims one: of a rise after costs, one a horizon.
    """

    name: str
    values: Numbers  # (n,) or (n, horizons)
    flag: bool = False
    chance: Numbers | None = None  # (n, horizons)

    def value(self, horizon: int) -> Numbers:
        return self.values if self.values.ndim == 1 else self.values[:, HORIZONS.index(horizon)]

    def chance_at(self, horizon: int) -> Numbers | None:
        return None if self.chance is None else self.chance[:, HORIZONS.index(horizon)]

    def at(self, rows: Flags | Places) -> Predictor:
        return replace(self, values=self.values[rows], chance=None if self.chance is None else self.chance[rows])


@dataclass(frozen=True, eq=False)
class Sample:
    """The signals of one source. Those of one mark are compared with one another: `mark_sec` is how long a mark lasts."""

    source: str
    at: Places  # seconds since 1970, never falling
    token: Places
    revision: Places
    forward: Mapping[int, Forward]
    predictors: Mapping[str, Predictor] = field(default_factory=dict)
    mark_sec: int = 1

    @cached_property
    def mark(self) -> Places:
        """(n,): the number of each one's mark, from 0 on."""
        return np.unique(self.at // self.mark_sec, return_inverse=True)[1].reshape(-1).astype(np.int64)

    @property
    def marks(self) -> int:
        return int(self.mark[-1]) + 1 if self.mark.size else 0

    @cached_property
    def mark_at(self) -> Places:
        """(marks,): when each mark's first signal was given."""
        return self.at[np.searchsorted(self.mark, np.arange(self.marks))]

    def where(self, rows: Flags) -> Sample:
        if rows.all():
            return self
        return Sample(
            self.source,
            self.at[rows],
            self.token[rows],
            self.revision[rows],
            {horizon: forward.at(rows) for horizon, forward in self.forward.items()},
            {name: predictor.at(rows) for name, predictor in self.predictors.items()},
            self.mark_sec,
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of signals after one horizon, in numbers."""

    signals: int
    priced: int
    dead: int
    unseen: int
    waiting: int
    tokens: int


def counts(sample: Sample, horizon: int) -> Counts:
    state = sample.forward[horizon].state
    number = np.bincount(state, minlength=4).tolist()
    return Counts(
        signals=int(state.size),
        priced=number[PRICED],
        dead=number[DEAD],
        unseen=number[UNSEEN],
        waiting=number[WAITING],
        tokens=int(np.unique(sample.token).size),
    )
