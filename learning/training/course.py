"""The whole course: every horizon is examined, and where the model passed it learns once more, from all rows up to the last. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from learning.training.boosted import TooFew, one_thread
from learning.training.drift import Reference, reference
from learning.training.examination import Verdict, examine
from learning.training.lesson import Learnt, learn
from learning.training.plan import HEADS, Plan
from learning.training.sample import Sample


@dataclass(frozen=True, eq=False)
class Trained:
    """What was learnt for each horizon that passed, the verdict on every horizon that was tried, and how the features lay meanwhile."""

    learnt: dict[int, Learnt]
    verdicts: dict[int, Verdict]
    reference: Reference | None  # None where nothing was learnt

    @property
    def why_not(self) -> str:
        """Blank where at least one horizon passed."""
        if self.learnt:
            return ""
        return "; ".join(f"{_words(horizon)}: {verdict.why_not}" for horizon, verdict in self.verdicts.items())

    @property
    def main(self) -> int | None:
        """The horizon of the model's calls: where it is ahead of its hardest baseline by most."""
        if not self.learnt:
            return None
        return min(self.learnt, key=lambda horizon: _ahead(self.verdicts[horizon]))


def _ahead(verdict: Verdict) -> float:
    """The share of the baseline's loss that is gone, from its less favourable end."""
    told: dict[str, Any] = verdict.told["direction"]
    return float(max(found["high"] / told["loss"][name]["value"] for name, found in told["against"].items()))


def steps(plan: Plan) -> int:
    """How often `step` is called at most."""
    return len(plan.horizons) * (plan.folds + 2)


def train(sample: Sample, plan: Plan, names: tuple[str, ...], step: Callable[[str], None]) -> Trained:
    """`step` is called with what has just been done."""
    with one_thread():
        return _train(sample, plan, names, step)


def _train(sample: Sample, plan: Plan, names: tuple[str, ...], step: Callable[[str], None]) -> Trained:
    verdicts, learnt = {}, {}
    for horizon in plan.horizons:
        words = _words(horizon)
        verdict = verdicts[horizon] = examine(sample, horizon, plan, names, lambda words=words: step(f"{words}: examined"))  # type: ignore[misc]
        if verdict.passes:
            try:
                whole = learn(sample.known_at(horizon), horizon, plan)
            except TooFew as few:
                verdicts[horizon] = Verdict({}, verdict.told, verdict.importances, f"passed, but not learnt again: {few}", verdict.best)
            else:
                learnt[horizon] = _only(whole, [name for name in HEADS if verdict.passed[name]])
        step(f"{words}: done")
    return Trained(learnt, verdicts, reference(sample.values) if learnt else None)


def _only(learnt: Learnt, heads: list[str]) -> Learnt:
    return Learnt({name: learnt.heads[name] for name in heads if name in learnt.heads}, learnt.baselines, learnt.cap)


def _words(horizon: int) -> str:
    return f"{horizon} min" if horizon < 60 else f"{horizon // 60} h"
