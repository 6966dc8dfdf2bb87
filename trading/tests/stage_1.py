"""Markets for the tests of Stage 1: bars written by hand, and ones that wander."""

from dataclasses import replace

import numpy as np

from tokens.bar_grid import AMOUNTS, PRICES, Grid, empty
from trading.market_state import MarketStates, StateRule, states_of
from trading.names import Trigger
from trading.thresholds import Thresholds
from trading.triggers import Fired, fire

MINUTE = 60


def market(seed: int, bars: int = 300, tokens: int = 3, scale: float = 1.0, gaps: float = 0.02) -> Grid:
    """Prices that wander, calm and wild, volumes that burst, some bars missing; each token begins at its own row."""
    random = np.random.default_rng(seed)
    pace = 0.004 * np.exp(np.cumsum(random.normal(0, 0.1, (bars, tokens)), axis=0).clip(-1.5, 1.5))
    grid = empty(MINUTE, 0, bars, np.arange(tokens))
    grid.close[:] = scale * np.exp(np.cumsum(random.normal(0, 1, (bars, tokens)) * pace, axis=0))
    grid.open[:] = np.vstack([grid.close[:1], grid.close[:-1]])
    grid.high[:] = np.maximum(grid.open, grid.close) * (1 + random.random((bars, tokens)) * pace)
    grid.low[:] = np.minimum(grid.open, grid.close) * (1 - random.random((bars, tokens)) * pace)
    grid.volume[:] = random.lognormal(8, 1, (bars, tokens))
    missing = (random.random((bars, tokens)) < gaps) | (np.arange(bars)[:, None] < random.integers(0, 60, tokens))
    for name in (*PRICES, *AMOUNTS):
        getattr(grid, name)[missing] = np.nan
    return grid


def grid_of(closes: list[float], volumes: list[float] | float = 100.0, reach: float = 0.001) -> Grid:
    """One token: each bar opens at the close before it and reaches a little beyond both."""
    close = np.array(closes, dtype=np.float64)[:, None]
    grid = empty(MINUTE, 0, len(close), np.array([1]))
    grid.close[:] = close
    grid.open[:] = np.vstack([close[:1], close[:-1]])
    grid.high[:] = np.fmax(grid.open, close) * (1 + reach)
    grid.low[:] = np.fmin(grid.open, close) * (1 - reach)
    grid.volume[:, 0] = volumes
    for name in (*PRICES, *AMOUNTS):
        getattr(grid, name)[np.isnan(close)] = np.nan
    return grid


def calm(bars: int, price: float = 100.0) -> list[float]:
    """A price that goes to and fro by half a per cent."""
    return [price * (1.005 if bar % 2 else 1.0) for bar in range(bars)]


def calm_volume(bars: int, usual: float = 100.0) -> list[float]:
    return [usual * (1.1 if bar % 2 else 0.9) for bar in range(bars)]


def fired_on(grid: Grid, **thresholds: object) -> Fired:
    return fire(grid, replace(Thresholds(), **thresholds), states_of(grid, StateRule()))


def firings(grid: Grid, name: Trigger, **thresholds: object) -> list[tuple[int, int]]:
    """(row, direction) at which the first token's trigger fired."""
    fired = fired_on(grid, **thresholds)
    return [(int(row), int(fired.direction[name][row, 0])) for row in np.nonzero(fired.on[name][:, 0])[0]]


def states(grid: Grid, **rule: object) -> MarketStates:
    return states_of(grid, replace(StateRule(), **rule))
