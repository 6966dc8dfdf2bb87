"""Changes of price from row to row of the clock: over a gap there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.indicators.windows import at_least_one, rolling_sum, shifted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]


def returns(close: Numbers, length: int = 1) -> Numbers:
    """close / close `length` rows ago − 1."""
    at_least_one(length)
    return close / _positive(shifted(close, length)) - 1.0


def log_returns(close: Numbers, length: int = 1) -> Numbers:
    """ln(close / close `length` rows ago)."""
    at_least_one(length)
    logarithm = np.log(_positive(close))
    return logarithm - shifted(logarithm, length)


def realised_volatility(close: Numbers, length: int, least: int | None = None) -> Numbers:
    """The root of the sum of the squared log returns of the last `length` rows: the move that such a window makes, as a share."""
    squares: Numbers = log_returns(close) ** 2
    return np.sqrt(rolling_sum(squares, length, least))


def _positive(prices: Numbers) -> Numbers:
    return np.where(prices > 0, prices, np.nan)
