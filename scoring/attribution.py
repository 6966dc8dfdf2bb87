"""Why one score differs from another: the same token at two times, or two tokens. Pure, from the stored components.

A score is scale × Σ share × smoothed over the metrics that count. The difference is taken apart one step after the other:

    settings          the first score, weighed with the second one's weights (everything, where another model made it)
    gaps              what metrics give that count on one side only
    freshness, …      what the model multiplies the whole with, where it does
    data              share × (part − part): what each metric's own figures moved
    smoothing         share × (lag − lag), the lag being smoothed − part: what of that is not felt yet, or still felt from before

The steps follow each other, so they sum to the difference; what rounding leaves goes to the smoothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum, prod
from typing import Any

from scoring import score_models
from scoring.metrics import METRICS


@dataclass(frozen=True)
class Scored:
    """A stored score: its components, and the model that made it."""

    score: float
    components: Mapping[str, Any]
    model: str

    @property
    def counted(self) -> set[str]:
        return {name for name in METRICS if self._part(name, "contribution") is not None}

    @property
    def weights(self) -> dict[str, float]:
        return {name: float(self._part(name, "weight") or 0.0) for name in METRICS}

    @property
    def factor(self) -> float:
        return prod(float(value) for value in (self.components.get("factors") or {}).values())

    def smoothed(self, name: str) -> float:
        return float(self._part(name, "smoothed"))

    def part(self, name: str) -> float:
        part = self._part(name, "part")
        return float(part if part is not None else self._part(name, "raw"))

    def _part(self, name: str, key: str) -> Any:
        return (self.components.get(name) or {}).get(key)


@dataclass(frozen=True)
class Attribution:
    first: float
    second: float
    steps: dict[str, float]

    @property
    def difference(self) -> float:
        return self.second - self.first


def attribute(first: Scored, second: Scored) -> Attribution:
    """The steps from the first score to the second; their sum is the difference."""
    if first.model != second.model:
        return Attribution(first.score, second.score, {"settings": second.score - first.score})
    scale = score_models.load(first.model).scale
    old, new, both = first.weights, second.weights, first.counted & second.counted

    def value(side: Scored, weights: Mapping[str, float], counted: set[str], factor: float) -> float:
        together = fsum(weights[name] for name in counted)
        if together <= 0:
            return 0.0
        return fsum(scale(fsum(weights.values())) * factor * weights[name] / together * side.smoothed(name) for name in counted)

    before, after = first.factor, second.factor
    narrowed, rescaled = value(first, new, both, before), value(first, new, both, after)
    steps = {"settings": value(first, new, first.counted, before) - value(first, old, first.counted, before)}
    steps["gaps"] = narrowed - value(first, new, first.counted, before) + value(second, new, second.counted, after)
    steps["gaps"] -= value(second, new, both, after)
    if first.components.get("factors"):
        steps["freshness and liquidity"] = rescaled - narrowed
    together = fsum(new[name] for name in both)
    for name in METRICS:
        share = scale(fsum(new.values())) * after * new[name] / together if name in both and together > 0 else 0.0
        steps[name] = share * (second.part(name) - first.part(name)) if share else 0.0
    steps["smoothing"] = fsum([second.score, -first.score, *(-step for step in steps.values())])
    return Attribution(first.score, second.score, steps)
