"""What would change the mind about the points judged in the newest bar. About those of bars that are past nobody asks any more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trading import flips, narrative
from trading.context import Facts
from trading.scenarios import Divergences

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tokens.bar_grid import Grid
    from trading.gates import GateMemory
    from trading.judgement import Judged
    from trading.pipeline import Decided, Known, StageRules

MOST = 12  # a search judges a point some hundred times over: at a full quarter of an hour many are judged


def asked(judged: Judged, newest: int) -> NDArray[np.int64]:
    """Places of the points to ask about: those with something to enter first, then the surest. A token that was judged before in the
    same cycle is left out, for its gates have moved on since."""
    fresh = np.flatnonzero(judged.rows == newest)
    fresh = fresh[~np.isin(judged.columns[fresh], judged.columns[judged.rows < newest])]
    sureness = np.nan_to_num(judged.confidence[fresh], nan=-1.0)
    return np.sort(fresh[np.lexsort((fresh, -sureness, judged.side[fresh] == 0))][:MOST])


def flips_of(decided: Decided, grid: Grid, rules: StageRules, known: Known, memory: GateMemory) -> dict[int, list[dict[str, Any]]]:
    """By the place of the judged point, as plain values. `memory` is that of the gates before these bars."""
    newest, judged = len(grid) - 1, decided.judged
    places = asked(judged, newest)
    if not len(places):
        return {}
    rows, columns = judged.rows[places], judged.columns[places]
    facts = Facts.unknown(len(places)) if known.at_points is None else known.at_points(rows, columns)
    few = grid.columns(columns)
    found = flips.nearest(
        flips.Asked(
            grid=few,
            row=newest,
            columns=np.arange(len(places)),
            divergences=Divergences.seen_by(decided.fired, rows, columns),
            rule=rules.judge,
            calibration=known.calibration,
            facts=facts,
            memory=replace(
                memory, closed=memory.closed[:, columns], standing=memory.standing[columns], entered_at=memory.entered_at[columns]
            ),
            days=None if known.days is None else known.days.columns(columns),
        )
    )
    return {int(place): narrative.flips_of(found, number) for number, place in enumerate(places)}
