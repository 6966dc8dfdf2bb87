"""What a model leans on: how much worse its answers become when one feature is shuffled among the rows. Pure.

Asked of the rows of the last window, which that model had never seen; a feature that only helped to memorise is worth nothing here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from learning.training import heads, measures
from learning.training.lesson import Learnt
from learning.training.sample import Sample

MOST_ROWS = 1_000
REPEATS = 5
KEPT = 30


def permuted(learnt: Learnt, rows: Sample, horizon: int, seed: int, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The features that the log loss of the direction misses most, the first the most; `low` and `high` are of the repeats."""
    chance, head = np.random.default_rng(seed), learnt.heads["direction"]
    chosen = np.sort(chance.permutation(len(rows))[:MOST_ROWS])
    values, direction = rows.values[chosen], rows.labels[horizon].direction[chosen]
    whole = measures.log_loss(heads.probabilities(head, values)[0], direction).mean()
    orders = np.stack([chance.permutation(len(values)) for _ in range(REPEATS)])
    found = []
    for slot in head["columns"].tolist():
        stacked = np.tile(values, (REPEATS, 1))
        stacked[:, slot] = values[orders, slot].ravel()
        loss = measures.log_loss(heads.probabilities(head, stacked)[0], np.tile(direction, REPEATS))
        worse = loss.reshape(REPEATS, -1).mean(axis=1) - whole
        found.append({"slot": slot, "name": names[slot], "value": worse.mean(), "low": worse.min(), "high": worse.max()})
    best = sorted(found, key=lambda each: -each["value"])[:KEPT]
    return [each | {name: float(each[name]) for name in ("value", "low", "high")} for each in best]
