"""Bands around a price, each as (lower, middle, upper): Bollinger, Keltner, Donchian."""

from __future__ import annotations

from typing import TYPE_CHECKING

from learning.indicators.smoothing import ema
from learning.indicators.true_range import atr
from learning.indicators.windows import mean_and_std, rolling_max, rolling_min

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Band = tuple[Numbers, Numbers, Numbers]


def bollinger(close: Numbers, length: int = 20, width: float = 2.0) -> Band:
    """The mean of `length` bars, and `width` standard deviations (population) on either side."""
    mean, deviation = mean_and_std(close, length)
    return mean - width * deviation, mean, mean + width * deviation


def keltner(high: Numbers, low: Numbers, close: Numbers, length: int = 20, width: float = 2.0, atr_length: int = 10) -> Band:
    """The exponential average of the close, and `width` ATR on either side."""
    centre, reach = ema(close, length), width * atr(high, low, close, atr_length)
    return centre - reach, centre, centre + reach


def donchian(high: Numbers, low: Numbers, length: int = 20) -> Band:
    """Lowest low and highest high of `length` bars, the newest among them, and their middle."""
    lowest, highest = rolling_min(low, length), rolling_max(high, length)
    return lowest, lowest + (highest - lowest) / 2.0, highest
