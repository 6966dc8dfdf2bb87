"""The vision's score: the four metrics as they are.

    score = W / W_counted × Σ weight × EWMA(metric)        over the metrics that count

W is the sum of all four weights, W_counted that of the metrics that have a value now: what is missing leaves the sum and the rest is
scaled up, so that with nothing missing the formula is plainly Σ weight × EWMA(metric). With weights that sum to 1, a token on which nothing
changes scores w(tx_accel) + w(vol_momentum): 0.5 for equal weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scoring.metrics import Inputs, Measured, Numbers


def parts(inputs: Inputs, measured: Measured) -> Numbers:
    """What is smoothed and weighed: the raw metrics."""
    return measured.raw


def factors(inputs: Inputs) -> dict[str, Numbers]:
    """None: nothing but the metrics."""
    return {}


def scale(total_weight: float) -> float:
    """What the shares of the counted weights are multiplied with."""
    return total_weight
