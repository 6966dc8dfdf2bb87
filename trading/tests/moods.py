"""A market with moods, in which the stages find something to do."""

from __future__ import annotations

import numpy as np

from tokens.bar_grid import AMOUNTS, PRICES, Grid, empty
from trading.backtest import Material, only_liquidity
from trading.pipeline import Known

BEGIN = 1_760_000_000 // 86_400 * 86_400
# Looser than the calm defaults, which find nothing to do in so short a market.
EAGER = {"trigger_volume_z": 3, "trigger_volume_ratio": 2, "trigger_breakout_window": 20, "trigger_breakout_margin": 0.1}
EAGER |= {"trigger_volatility_ratio": 2.5, "trigger_vwap_atr": 3, "trigger_alert_least_effective": 1.6}


def moody(bars: int, tokens: int, seed: int = 5, gaps: float = 0.0) -> Grid:
    chance = np.random.default_rng(seed)
    mood = np.cumsum(chance.random((bars, tokens)) < 1 / 120, axis=0) % 5
    drift, width = np.array([-3e-3, 0, 4e-3, 0, 0])[mood], np.array([6e-3, 2e-3, 5e-3, 2.5e-3, 1.2e-2])[mood]
    close = np.exp(np.cumsum(drift + chance.normal(0, 1, (bars, tokens)) * width, axis=0))
    grid = empty(60, BEGIN, bars, np.arange(1, tokens + 1))
    grid.close[:], grid.open[:] = close, np.vstack([np.ones((1, tokens)), close[:-1]])
    grid.high[:] = np.maximum(grid.open, close) * (1 + np.abs(chance.normal(0, 0.3, close.shape)) * width)
    grid.low[:] = np.minimum(grid.open, close) * (1 - np.abs(chance.normal(0, 0.3, close.shape)) * width)
    grid.volume[:] = np.exp(chance.normal(8, 0.5, close.shape)) * width / 1e-3
    grid.trades[:], grid.buy_volume[:] = grid.volume / 50, grid.volume * (0.5 + 20 * drift)
    missing = chance.random(close.shape) < gaps
    for name in (*PRICES, *AMOUNTS):
        getattr(grid, name)[missing] = np.nan
    return grid


def material_of(grid: Grid, first_row: int = 0, liquidity: float = 2e7) -> Material:
    names = tuple(f"T{token}" for token in grid.tokens)
    pool = np.full(grid.close.shape, liquidity)
    return Material(grid, names, names, first_row, Known(names, at_points=only_liquidity(pool)), pool)
