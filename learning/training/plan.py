"""What is decided before a model sees a row, and kept with it: a plain value, written to the registry as it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

HORIZONS = (15, 60, 240, 720)  # minutes
HEADS = ("direction", "gross", "fall")  # what is learnt for each
LEAST_FOLDS, LEAST_TESTED, LEAST_TAUGHT, LEAST_BLOCKS = 5, 100, 200, 8
LEAST_OF_A_WAY = 10  # rows of one direction from which a model can learn that it exists


@dataclass(frozen=True)
class Plan:
    """The embargo is the horizon itself. `confidence` is shared by all horizons that are tried: four chances to be lucky count as four."""

    horizons: tuple[int, ...] = HORIZONS
    folds: int = LEAST_FOLDS
    seed: int = 1
    trees: int = 60
    leaves: int = 15
    rate: float = 0.08
    columns: float = 0.3  # share of the features that each split may look at
    calibrate: float = 0.25  # share of the rows, the latest, that set how far to believe the model
    confidence: float = 0.95
    stale_after_days: float = 14.0

    @property
    def level(self) -> float:
        """Of each single comparison."""
        return 1 - (1 - self.confidence) / len(self.horizons)

    def as_plain(self) -> dict[str, Any]:
        return asdict(self) | {"horizons": list(self.horizons)}


def block_sec(horizon_min: int) -> int:
    """Rows nearer to each other than this are not two witnesses: their labels overlap, or the market was in the same mood."""
    return max(horizon_min, 60) * 60
