"""Stage 1: reasons to look at an asset, found for all assets and all bars at once.

Each trigger has a module with its rule, its own switch and its own thresholds, which may differ by market state and by token. None looks
past its own bar, none depends on the scale of the price, and none fires at a missing bar. Direction: +1 speaks for a rise, −1 for a fall,
0 for neither. Strength: 0 to 1; at the threshold 0.5, at twice the threshold 1, where a trigger measures something.
"""

from __future__ import annotations

import numpy as np

from tokens.bar_grid import Grid
from trading.market_state import MarketStates
from trading.names import Trigger
from trading.thresholds import Thresholds, bars_back
from trading.tiles import tiles
from trading.triggers import breakout, divergence, near_level, volatility, volume, vwap_deviation
from trading.triggers.firing import Fired, Firing, nothing_fired

__all__ = ["Fired", "Firing", "fire"]


def fire(grid: Grid, thresholds: Thresholds, states: MarketStates, first_row: int = 0) -> Fired:
    """Every trigger at every bar from `first_row` on; before it all are silent, for a live cycle asks for its newest bars only. The
    thresholds may hold arrays (see `thresholds.in_force`)."""
    share, gates = states.atr_share, np.asarray(thresholds.atr_gates_on)
    low, high = ~(share >= thresholds.atr_low) & gates, (share > thresholds.atr_high) & gates
    fired = nothing_fired(grid.close.shape, ~np.isnan(grid.close), share, low, high)
    for tile in tiles(len(grid), len(grid.tokens), first_row, bars_back(thresholds)):
        found = _found(tile.grid(grid), tile.every(thresholds), tile.every(states), tile.first)
        for name, firing in found.items():
            fired.put(name, firing, tile)
    return fired


def _found(grid: Grid, thresholds: Thresholds, states: MarketStates, first_row: int) -> dict[Trigger, Firing]:
    broken, confirmed, retested = breakout.firings(grid, thresholds, states)
    return {
        Trigger.VOLUME_SPIKE: volume.firing(grid, thresholds, first_row),
        Trigger.RSI_DIVERGENCE: divergence.firing(grid, thresholds, states),
        Trigger.BREAKOUT: broken,
        Trigger.BREAKOUT_CONFIRMED: confirmed,
        Trigger.BREAKOUT_RETESTED: retested,
        Trigger.NEAR_LEVEL: near_level.firing(grid, thresholds, states),
        Trigger.VOLATILITY_SPIKE: volatility.firing(grid, thresholds, states),
        Trigger.VWAP_DEVIATION: vwap_deviation.firing(grid, thresholds, states),
    }
