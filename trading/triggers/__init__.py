"""Stage 1: reasons to look at an asset, found for all assets and all bars at once.

Each trigger has a module with its rule, its own switch and its own thresholds, which may differ by market state and by token. None looks
past its own bar, none depends on the scale of the price, and none fires at a missing bar. Direction: +1 speaks for a rise, −1 for a fall,
0 for neither. Strength: 0 to 1; at the threshold 0.5, at twice the threshold 1, where a trigger measures something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tokens.bar_grid import Grid
from trading.market_state import MarketStates
from trading.names import Trigger
from trading.thresholds import Thresholds
from trading.triggers import breakout, divergence, near_level, volatility, volume, vwap_deviation
from trading.triggers.firing import Fired, Firing

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Fired", "Firing", "fire"]


def fire(grid: Grid, thresholds: Thresholds, states: MarketStates) -> Fired:
    """Every trigger at every bar. The thresholds may hold arrays (see `thresholds.in_force`)."""
    broken, confirmed, retested = breakout.firings(grid, thresholds, states.atr)
    found = {
        Trigger.VOLUME_SPIKE: volume.firing(grid, thresholds),
        Trigger.RSI_DIVERGENCE: divergence.firing(grid, thresholds),
        Trigger.BREAKOUT: broken,
        Trigger.BREAKOUT_CONFIRMED: confirmed,
        Trigger.BREAKOUT_RETESTED: retested,
        Trigger.NEAR_LEVEL: near_level.firing(grid, thresholds, states.atr),
        Trigger.VOLATILITY_SPIKE: volatility.firing(grid, thresholds),
        Trigger.VWAP_DEVIATION: vwap_deviation.firing(grid, thresholds, states.atr),
    }
    return Fired(
        on={name: firing.on for name, firing in found.items()},
        direction={name: firing.direction for name, firing in found.items()},
        strength={name: firing.strength for name, firing in found.items()},
        measure={name: firing.measure for name, firing in found.items()},
        atr_share=states.atr_share,
        low_atr=_gate(thresholds, ~(states.atr_share >= thresholds.atr_low)),
        high_atr=_gate(thresholds, states.atr_share > thresholds.atr_high),
        seen=~np.isnan(grid.close),
    )


def _gate(thresholds: Thresholds, closed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(closed & np.asarray(thresholds.atr_gates_on))
