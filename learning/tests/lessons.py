"""Rows for tests of training: marks every quarter of an hour, tokens, features of chance, and an effect where one is asked for."""

import numpy as np

from learning.training.labels import labels
from learning.training.plan import Plan
from learning.training.sample import Sample

QUICK = Plan(horizons=(15,), trees=8, leaves=7, rate=0.3, columns=1.0)
NAMES = tuple(f"feature_{number}" for number in range(6))
MARK = 900
START = 1_760_000_400
COST = 0.01


def sample(seed: int = 1, effect: float = 0.0, marks: int = 96, tokens: int = 20, horizons: tuple[int, ...] = (15,)) -> Sample:
    """Returns of chance, and `effect` × the second feature on top of them. Score and momentum know nothing."""
    chance = np.random.default_rng(seed)
    rows = marks * tokens
    ts = np.repeat(START + MARK * np.arange(marks), tokens)
    values = chance.standard_normal((rows, len(NAMES))).astype(np.float32)
    gross = effect * values[:, 1] + 0.03 * chance.standard_normal(rows)
    values[chance.random(values.shape) < 0.05] = np.nan
    found = labels(gross, gross - COST, np.minimum(gross, 0) - 0.01 * chance.random(rows), np.full(rows, COST))
    return Sample(
        ts.astype(np.int64),
        np.tile(np.arange(1, tokens + 1), marks),
        values,
        chance.standard_normal(rows),
        dict.fromkeys(horizons, values[:, 0].astype(np.float64)),
        dict.fromkeys(horizons, found),
    )
