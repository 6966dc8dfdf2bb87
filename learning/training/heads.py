"""Asking what was trained: no training here, and nothing of scikit-learn's is imported. A head is trees and a few numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from learning.training.labels import DIRECTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Values = NDArray[np.float32]

FURTHEST = 700.0  # exp() of more is more than a number holds


def probabilities(head: Mapping[str, Any], values: Values) -> tuple[Numbers, Numbers]:
    """Of `up`, `flat`, `down`, and what the trees said before calibration; both (rows, 3). The trees are asked once."""
    decision = np.asarray(head["trees"].decision_function(values[:, head["columns"]]), dtype=np.float64)
    classes, floor = head["classes"], head["floor"]
    said, raw = (np.zeros((len(values), len(DIRECTIONS))) for _ in range(2))
    if decision.ndim == 1:  # of two directions scikit-learn tells the second
        second = sigmoid(decision, head["slopes"][0], head["offsets"][0])
        said[:, classes], raw[:, classes] = np.stack([1 - second, second], axis=1), np.stack([-decision, decision], axis=1)
    else:
        each = sigmoid(decision, head["slopes"], head["offsets"])
        total = each.sum(axis=1, keepdims=True)
        said[:, classes] = np.divide(each, total, out=np.full_like(each, 1 / each.shape[1]), where=total != 0)  # NaN stays NaN
        raw[:, classes] = decision
    return floor + (1 - floor.sum()) * said, raw


def sigmoid(decision: Numbers, slope: Any, offset: Any) -> Numbers:
    """Platt's."""
    return np.asarray(1 / (1 + np.exp(np.clip(slope * decision + offset, -FURTHEST, FURTHEST))), dtype=np.float64)


def means(head: Mapping[str, Any], values: Values, low: float, high: float) -> tuple[Numbers, Numbers]:
    """Within what can be, and as the trees said it."""
    raw = np.asarray(head["trees"].predict(values[:, head["columns"]]), dtype=np.float64)
    return np.clip(raw, low, high), raw
