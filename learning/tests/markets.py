"""Markets made of arrays, in which something leads the price, or nothing does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from learning.verdict.samples import HORIZONS, PRICED, WAITING, Forward, Predictor, Sample

BEGAN = 1_790_000_100 // 900 * 900
METRICS = ("tx_accel", "vol_momentum", "holder_growth", "orderflow_imbalance")
LEAD_MIN = 10


@dataclass(frozen=True, eq=False)
class Market:
    """Prices (minutes, tokens) and metrics (name → the same), a row a minute."""

    prices: np.ndarray
    metrics: dict[str, np.ndarray]


def market(seed: int, strength: float, tokens: int = 24, hours: int = 24) -> Market:
    """Prices that wander, all together and each by itself, with tokens of very different temper; four metrics that wander slowly. The first
    metric moves each price LEAD_MIN later by `strength` of its own unrest; at 0 nothing foretells anything."""
    chance = np.random.default_rng(seed)
    minutes = hours * 60
    metrics = {name: _wandering(chance, minutes, tokens, step) for name, step in zip(METRICS, (0.3, 0.2, 0.05, 0.3), strict=True)}
    temper = 0.01 * np.exp(0.5 * chance.standard_normal(tokens))
    moves = temper * chance.laplace(0, np.sqrt(0.5), (minutes, tokens)) + 0.004 * chance.standard_normal((minutes, 1))
    moves[LEAD_MIN:] += strength * temper * metrics["tx_accel"][:-LEAD_MIN]
    return Market(np.exp(np.cumsum(moves, axis=0)), metrics)


def _wandering(chance: np.random.Generator, minutes: int, tokens: int, step: float) -> np.ndarray:
    """About 0, with a spread of 1; `step` is how much of it is new each minute."""
    kept = np.sqrt(1 - step**2)
    values = chance.standard_normal((minutes, tokens))
    for minute in range(1, minutes):
        values[minute] = kept * values[minute - 1] + step * values[minute]
    return values


def seen(made: Market, every_min: int = 15, cost: float = 0.02) -> Sample:
    """As the evidence keeps it: a signal a token at every mark, with the score as the mean of the metrics, and what is due of it."""
    minutes, tokens = made.prices.shape
    marks = np.arange(0, minutes, every_min)
    values = {name: metric[marks] for name, metric in made.metrics.items()}
    values["score"] = np.mean(list(values.values()), axis=0)
    return Sample(
        source="score",
        at=np.repeat(BEGAN + marks * 60, tokens),
        token=np.tile(np.arange(tokens), marks.size),
        revision=np.ones(marks.size * tokens, dtype=np.int64),
        forward={horizon: _forward(made.prices, marks, horizon, cost) for horizon in HORIZONS},
        predictors={name: Predictor(name, column.ravel()) for name, column in values.items()},
    )


def _forward(prices: np.ndarray, marks: np.ndarray, horizon: int, cost: float) -> Forward:
    over = marks + horizon < prices.shape[0]
    ends = np.where(over, marks + horizon, 0)
    gross = prices[ends] / prices[marks] - 1
    best = np.zeros_like(gross)
    for row in np.flatnonzero(over):
        best[row] = prices[marks[row] + 1 : ends[row] + 1].max(axis=0) / prices[marks[row]] - 1
    state = np.repeat(np.where(over, PRICED, WAITING), prices.shape[1])
    return Forward.of(state, gross.ravel(), gross.ravel() - cost, best.ravel())
