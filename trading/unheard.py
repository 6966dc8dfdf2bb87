"""Triggers that led to no alert, and why not: worked out from the bars when somebody looks at them, for most minutes have some and nobody
keeps them. The functions are those of the live cycle; settings and what was measured of triggers that meet are those of now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trading.names import Trigger, Unheard
from trading.pipeline import stirred
from trading.reasons import ROUNDING, TRIGGERS, CoFiring, alerts_of, held, named

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tokens.bar_grid import Grid
    from trading.pipeline import StageRules

    Flags = NDArray[np.bool_]
    Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Event:
    """What began to fire at a bar and came to nothing."""

    end: int  # of the bar, seconds since 1970
    price: float
    triggers: list[Trigger]
    effective: float  # independent reasons that stood at that bar
    why: Unheard


def events(grid: Grid, address: str, rules: StageRules, co_firing: CoFiring, first_row: int, judged: Sequence[int]) -> list[Event]:
    """Of the rows of one token from `first_row` on, in their order. `judged`: the ends of the bars at which it was judged.

    A trigger led to an alert where one is on at its bar, or begins while it still counts. An alert in which nothing was judged is told
    once, where it begins.
    """
    _, fired = stirred(grid, rules, [address], first_row)
    alerts = alerts_of(held(fired, rules.alert), co_firing, rules.alert)
    ends, on = grid.open_time + grid.interval_sec, alerts.on[:, 0]
    begun = [fired.on[name][:, 0] & ~_before(fired.on[name][:, 0]) for name in TRIGGERS]
    bits = np.sum([flags * (1 << place) for place, flags in enumerate(begun)], axis=0)
    alone = (bits > 0) & ~_soon(on, rules.alert.reason_bars)
    silent = _begins_of_silent(on, ends, np.asarray(judged, dtype=np.int64))
    bits = np.where(silent, alerts.reasons[:, 0], bits)
    rows = np.flatnonzero(alone | silent)
    few = alerts.effective[:, 0] < rules.alert.least_effective - ROUNDING
    return [
        Event(
            int(ends[row]),
            float(grid.close[row, 0]),
            named(int(bits[row])),
            float(alerts.effective[row, 0]),
            Unheard.NOT_JUDGED if silent[row] else Unheard.TOO_FEW if few[row] else Unheard.TOO_CALM,
        )
        for row in rows[rows >= first_row].tolist()
    ]


def _before(flags: Flags) -> Flags:
    return np.concatenate([[False], flags[:-1]])


def _soon(on: Flags, bars: int) -> Flags:
    """Whether it is on at a bar or one of the next ones, of `bars` in all."""
    counted = np.concatenate([[0], np.cumsum(on)])
    last = np.minimum(np.arange(len(on)) + bars, len(on))
    return np.asarray(counted[last] > counted[:-1])


def _begins_of_silent(on: Flags, ends: Places, judged: Places) -> Flags:
    """Where a stretch begins in which nothing was judged. One that began before the grid is not known to be silent."""
    begins = np.flatnonzero(on & ~_before(on))
    stops = np.flatnonzero(on & ~np.concatenate([on[1:], [False]]))
    spoken = np.searchsorted(np.sort(judged), [ends[begins], ends[stops] + 1])
    found = np.zeros(len(on), dtype=np.bool_)
    found[begins[(spoken[0] == spoken[1]) & (begins > 0)]] = True
    return found
