"""Does it foretell? One question for each predictor and horizon, all of one form, so that their number can be answered for.

rank correlation   at each mark, over the tokens of that mark: between the predictor and the return before costs (costs differ between
                   tokens with their liquidity, and foretelling a cost is no art); then the mean over the marks. A mark counts with at
                   least LEAST_RANKED tokens. Dead tokens count with what is stored of them; what nobody looked at does not count
enough             at least 100 signals in at least 5 stretches of time; below that nothing is said at all
claim              the corrected p-value is below 0.01
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from learning.verdict.blocks import LEAST_BLOCKS, LEAST_SIGNALS, UNKNOWN, Blocks, Figure, block_sec, ratios
from learning.verdict.corrected import holm
from learning.verdict.ranks import rank_correlations
from learning.verdict.samples import HORIZONS, Predictor, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

LEAST_RANKED = 5
CLAIM = 0.01


@dataclass(frozen=True, slots=True)
class Question:
    """One predictor at one horizon. `signals`, `marks` and `blocks` are what the answer rests on."""

    source: str
    predictor: str
    horizon: int
    found: Figure
    signals: int
    marks: int
    blocks: int
    corrected: float = math.nan

    @property
    def enough(self) -> bool:
        return self.found.known

    @property
    def claimed(self) -> bool:
        """Whether something is said: NaN is never below anything."""
        return self.corrected < CLAIM

    @property
    def effective(self) -> float:
        """How many independent pairs would leave as much doubt."""
        error, value = self.found.error, self.found.value
        return 1 + ((1 - value**2) / error) ** 2 if error > 0 else math.nan


def family(samples: Sequence[Sample], horizons: Sequence[int] = HORIZONS) -> list[Question]:
    """Every predictor at every horizon, corrected for all that have an answer."""
    asked = [ask(sample, predictor, horizon) for sample in samples for predictor in sample.predictors.values() for horizon in horizons]
    corrected = holm(np.array([question.found.p for question in asked]))
    return [replace(question, corrected=float(p)) for question, p in zip(asked, corrected, strict=True)]


def ask(sample: Sample, predictor: Predictor, horizon: int) -> Question:
    """One question, not yet corrected."""
    found, counts = by_mark(sample, predictor, horizon)
    used = ~np.isnan(found)
    blocks = Blocks.over(sample.mark_at[used], block_sec(horizon))
    signals = int(counts[used].sum())
    answer = mean_of_marks(found[used], blocks) if signals >= LEAST_SIGNALS and blocks.count >= LEAST_BLOCKS else UNKNOWN
    return Question(sample.source, predictor.name, horizon, answer, signals, int(used.sum()), blocks.count)


def by_mark(sample: Sample, predictor: Predictor, horizon: int) -> tuple[Numbers, Places]:
    """(marks,): the rank correlation at each mark, NaN where there is none, and the number of tokens."""
    returns = sample.forward[horizon].gross
    return rank_correlations(sample.mark, predictor.value(horizon), returns, sample.marks, LEAST_RANKED)


def mean_of_marks(values: Numbers, blocks: Blocks) -> Figure:
    return ratios(blocks.sums(values), blocks.sums(np.ones(values.size)), least=1)[0]


@dataclass(frozen=True, slots=True)
class Stretch:
    """One day, or one revision of the settings, by itself."""

    name: int
    found: Figure
    signals: int
    marks: int
    blocks: int


def apart(sample: Sample, predictor: Predictor, horizon: int, of_mark: Places) -> list[Stretch]:
    """The same question for marks of each name by themselves; `of_mark` (marks,) names them. Nothing here is corrected or claimed: it shows
    where an answer comes from, or whether it comes from one day only."""
    found, counts = by_mark(sample, predictor, horizon)
    used = ~np.isnan(found)
    answers = []
    for name in np.unique(of_mark[used]).tolist():
        mine = used & (of_mark == name)
        blocks = Blocks.over(sample.mark_at[mine], block_sec(horizon))
        signals = int(counts[mine].sum())
        whole = mean_of_marks(found[mine], blocks)
        answer = whole if signals >= LEAST_SIGNALS else Figure(whole.value)
        answers.append(Stretch(name, answer, signals, int(mine.sum()), blocks.count))
    return answers
