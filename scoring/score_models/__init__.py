"""The registry of score models. To add one: a module beside this file with `parts`, `factors` and `scale`, and one line below.

Light on purpose: the Django models take their choices from here, and a start of manage.py need not wait for numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from scoring.metrics import ScoreModel


@dataclass(frozen=True)
class Entry:
    """What a settings page needs to know of a model. `lowest` and `highest` are for weights that sum to 1."""

    label: str
    lowest: float
    highest: float
    neutral: float  # the score of a token on which nothing changes
    weights_matter_in_proportion: bool


REGISTRY: dict[str, Entry] = {
    "hybrid_momentum": Entry("hybrid momentum: the four metrics, weighted", -1000, 12, 0.5, False),
    "hybrid_momentum_fair": Entry("hybrid momentum, fair: corrected for age and size, 0–100", 0, 100, 50, True),
}
CHOICES = [(name, entry.label) for name, entry in REGISTRY.items()]


def load(name: str) -> ScoreModel:
    """The module of a model. KeyError for a name that is not in the registry: nothing else is ever imported."""
    REGISTRY[name]
    return cast("ScoreModel", import_module(f"{__name__}.{name}"))
