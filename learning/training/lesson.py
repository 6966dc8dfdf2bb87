"""One lesson: from the rows that teach, a model of one horizon and the baselines it must beat. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from learning.training import baselines, boosted, heads
from learning.training.baselines import Baseline
from learning.training.plan import LEAST_TAUGHT, Plan
from learning.training.sample import Sample
from learning.training.windows import split_for_calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

CAP = 0.99  # returns beyond this share of those taught count as the return there: one token × 100 is not what is expected
BASELINES = ("constant", "momentum", "score")


@dataclass(frozen=True, eq=False)
class Learnt:
    """Heads by name (`direction`, `gross`, `fall`), baselines by name, and the largest return that counted as itself."""

    heads: dict[str, dict[str, Any]]
    baselines: dict[str, Baseline]
    cap: float


@dataclass(frozen=True, eq=False)
class Said:
    """What one forecaster said about some rows."""

    probabilities: Numbers  # (rows, 3)
    gross: Numbers
    fall: Numbers


def learn(taught: Sample, horizon: int, plan: Plan) -> Learnt:
    """`taught` holds rows with known outcomes only, all of them before the examination. TooFew when they do not suffice."""
    if len(taught) < LEAST_TAUGHT:
        raise boosted.TooFew(f"{len(taught)} rows to learn from, at least {LEAST_TAUGHT} are needed")
    labels, seconds = taught.labels[horizon], horizon * 60
    cap = float(np.quantile(labels.gross, CAP))
    teach, check = split_for_calibration(taught.ts, plan.calibrate, seconds, seconds)
    found = {
        "direction": boosted.direction_head(taught.values, labels.direction, teach, check, plan),
        "gross": boosted.mean_head(taught.values, np.minimum(labels.gross, cap), plan),
    }
    if (seen := ~np.isnan(labels.fall)).sum() >= LEAST_TAUGHT:
        found["fall"] = boosted.mean_head(taught.values[seen], labels.fall[seen], plan)
    return Learnt(found, {name: baselines.learn(figure_of(name, taught, horizon), labels, cap) for name in BASELINES}, cap)


def figure_of(baseline: str, rows: Sample, horizon: int) -> Numbers:
    """What a baseline looks at."""
    return {"constant": baselines.nothing(len(rows)), "momentum": rows.momentum[horizon], "score": rows.score}[baseline]


def model_says(learnt: Learnt, rows: Sample) -> Said:
    values = rows.values
    gross, _ = heads.means(learnt.heads["gross"], values, -1.0, learnt.cap)
    fall = heads.means(learnt.heads["fall"], values, 0.0, 1.0)[0] if "fall" in learnt.heads else np.full(len(values), np.nan)
    return Said(heads.probabilities(learnt.heads["direction"], values)[0], gross, fall)


def baseline_says(learnt: Learnt, name: str, rows: Sample, horizon: int) -> Said:
    found = learnt.baselines[name]
    tenth = found.tenth(figure_of(name, rows, horizon))
    return Said(found.probabilities[tenth], found.gross[tenth], found.fall[tenth])
