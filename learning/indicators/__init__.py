"""Indicators over bars of all tokens at once: time along the first axis, tokens along the second, NaN where nothing is known.

Every function takes and gives float64 arrays of that shape, sees its own row and earlier ones only, and treats each token alone. What is
not defined is NaN, never a number that looks like one: the RSI of a price that has not moved, a z-score where nothing varies.

Gaps. A missing bar is NaN, and so is every indicator at it. Beyond that there are two rules:
- a **window** (sum, mean, extreme, z-score, Bollinger, stochastic …) is `length` rows of the clock. It says nothing before `least` of them
  hold a bar; unless told otherwise, before all of them do.
- an **average with a memory** (EMA, Wilder's: RSI, ATR, ADX, MACD, TRIX, Keltner) goes over the bars that exist, as if they were
  neighbours: its memory waits through a gap. It begins at a token's first bar as TA-Lib's does at the first of an array.

A window's value depends on the bars in it and on nothing else, to the last bit: sums are gathered from neighbours by doubling, not from
running totals, so that one huge value is gone without a trace when it leaves. The same bars give the same value in a live window and
in a back-test of a year.
"""

from learning.indicators.channels import bollinger, donchian, keltner
from learning.indicators.flow import anchored_vwap, mfi, obv, vwap, vwap_bands, vwap_of_all
from learning.indicators.momentum import aroon, cci, roc, rsi, stochastic, williams_r
from learning.indicators.movement import Movement, movement
from learning.indicators.returns import log_returns, realised_volatility, returns
from learning.indicators.smoothing import ema, macd, trix, wilder
from learning.indicators.spread import mad, robust_z, robust_z_at, z_score, z_score_of_last
from learning.indicators.swings import swing_highs, swing_lows
from learning.indicators.true_range import adx, atr, directional, true_range
from learning.indicators.windows import (
    rolling_max,
    rolling_mean,
    rolling_median,
    rolling_min,
    rolling_std,
    rolling_sum,
    shifted,
    slope,
    sma,
)

__all__ = [
    "Movement",
    "adx",
    "anchored_vwap",
    "aroon",
    "atr",
    "bollinger",
    "cci",
    "directional",
    "donchian",
    "ema",
    "keltner",
    "log_returns",
    "macd",
    "mad",
    "mfi",
    "movement",
    "obv",
    "realised_volatility",
    "returns",
    "robust_z",
    "robust_z_at",
    "roc",
    "rolling_max",
    "rolling_mean",
    "rolling_median",
    "rolling_min",
    "rolling_std",
    "rolling_sum",
    "rsi",
    "shifted",
    "slope",
    "sma",
    "stochastic",
    "swing_highs",
    "swing_lows",
    "trix",
    "true_range",
    "vwap",
    "vwap_bands",
    "vwap_of_all",
    "wilder",
    "williams_r",
    "z_score",
    "z_score_of_last",
]
