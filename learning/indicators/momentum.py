"""Where a price stands in its own recent past: RSI, stochastic, Williams %R, CCI, rate of change, Aroon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.indicators.gaps import over_present_bars
from learning.indicators.smoothing import from_mean, remembered
from learning.indicators.spread import NO_SPREAD
from learning.indicators.true_range import share_of
from learning.indicators.windows import at_least_one, bars_in_window, gathered, mean_and_std, rolling_max, rolling_min, shifted, sma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]


def rsi(close: Numbers, length: int = 14) -> Numbers:
    """Relative strength index (Wilder), 0 to 100, first known at bar `length` + 1.

    NaN for a price that has not moved, or whose last move has faded from the averages: there is no strength to compare. (TA-Lib says 0,
    which reads like a collapse.)"""
    at_least_one(length)
    return over_present_bars(lambda packed: (rsi_of_present(packed, length),), close)[0]


def rsi_of_present(close: Numbers, length: int) -> Numbers:
    moves = gains_and_changes(close, *np.empty((2, *close.shape)))
    gain, either = remembered([from_mean(each, length, 1.0 / length, 1, into=each) for each in moves], length)
    return rsi_of_averages(gain, either, close, length)


def gains_and_changes(close: Numbers, gain: Numbers, change: Numbers) -> tuple[Numbers, Numbers]:
    """By how much each close is above the one before it, and by how much it is away from it: written where they are given to lie."""
    change[:1] = 0.0
    np.subtract(close[1:], close[:-1], out=change[1:])
    return np.maximum(change, 0.0, out=gain), np.abs(change, out=change)


def rsi_of_averages(gain: Numbers, either: Numbers, close: Numbers, first: int) -> Numbers:
    """In place of the first."""
    strength = share_of(gain, either, close, first)
    strength *= 100.0
    return strength


def stochastic(high: Numbers, low: Numbers, close: Numbers, length: int = 14, smooth: int = 3, signal: int = 3) -> tuple[Numbers, Numbers]:
    """%K and %D, 0 to 100: where the close lies between the lowest low and the highest high, averaged over `smooth` bars (1 = the fast
    one), and its average over `signal`. NaN where the window has no range."""
    lowest, highest = rolling_min(low, length), rolling_max(high, length)
    k = sma(_share(close - lowest, highest - lowest, 100.0), smooth)
    return k, sma(k, signal)


def williams_r(high: Numbers, low: Numbers, close: Numbers, length: int = 14) -> Numbers:
    """−100 at the lowest low, 0 at the highest high. NaN where the window has no range."""
    lowest, highest = rolling_min(low, length), rolling_max(high, length)
    return _share(highest - close, highest - lowest, -100.0)


def _share(part: Numbers, whole: Numbers, scale: float) -> Numbers:
    wide = whole > 0
    return scale * np.where(wide, part, np.nan) / np.where(wide, whole, 1.0)


def cci(high: Numbers, low: Numbers, close: Numbers, length: int = 20) -> Numbers:
    """Commodity channel index: distance of the typical price from its mean, in units of 0.015 mean distances. NaN where nothing varies."""
    at_least_one(length)
    typical = (high + low + close) / 3.0
    mean, _ = mean_and_std(typical, length)
    distance = np.zeros(typical.shape)
    for row in range(length):
        distance += np.abs(shifted(typical, row) - mean)
    distance /= length
    varies = distance > NO_SPREAD * mean
    return np.where(varies, typical - mean, np.nan) / np.where(varies, 0.015 * distance, 1.0)


def roc(values: Numbers, length: int = 10) -> Numbers:
    """Change since `length` rows ago, in per cent."""
    at_least_one(length)
    before = shifted(values, length)
    before[before == 0] = np.nan
    return 100.0 * (values / before - 1.0)


def aroon(high: Numbers, low: Numbers, length: int = 14) -> tuple[Numbers, Numbers]:
    """Up and down, 0 to 100: how lately, in the last `length` + 1 rows, the highest high and the lowest low were seen. 100 is now."""
    at_least_one(length)
    whole = bars_in_window(np.isnan(high) | np.isnan(low), length + 1) == length + 1
    up, down = (np.where(whole, (100.0 / length) * (length - _age_of_highest(side, length + 1)), np.nan) for side in (high, -low))
    return up, down


def _age_of_highest(values: Numbers, length: int) -> Numbers:
    """Bars since the highest of the last `length` rows; of equal ones the newest counts."""
    return gathered((values, np.zeros(values.shape)), length, _higher)[1]


def _higher(later: tuple[Numbers, Numbers], its_rows: int, earlier: tuple[Numbers, Numbers], _rows: int) -> tuple[Numbers, Numbers]:
    best, age = later[0].copy(), later[1].copy()
    if its_rows >= len(best):
        return best, age
    cut, rest = slice(its_rows, None), slice(len(best) - its_rows)
    better = earlier[0][rest] > best[cut]
    best[cut] = np.where(better, earlier[0][rest], best[cut])
    age[cut] = np.where(better, earlier[1][rest] + its_rows, age[cut])
    return best, age
