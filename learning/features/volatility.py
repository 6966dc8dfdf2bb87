"""Volatility: how far the price moves, whichever way, and whether that is growing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.features.fading import RISK_METRICS
from learning.features.series import Series, wilder
from learning.features.slots import Group, hours, price

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.sight import Sight
    from learning.features.slots import Feature

    Numbers = NDArray[np.float64]

slot = Group("volatility")
LN2 = float(np.log(2.0))


def _deviation(minutes: int) -> Feature:
    text = f"Standard deviation of the log returns of {minutes} minutes."
    return slot(f"volatility_{minutes}m", "log", text, price(minutes + 1), lambda s: s.moves.std(minutes))


def _parkinson(minutes: int) -> Feature:
    text = f"Volatility a minute by highs and lows (Parkinson) of {minutes} minutes."
    return slot(f"parkinson_{minutes}m", "log", text, price(minutes), lambda s: np.sqrt(_squared_widths(s).mean(minutes) / (4.0 * LN2)))


def _range(minutes: int) -> Feature:
    text = f"ln of the highest high over the lowest low of {minutes} minutes."
    return slot(f"range_{minutes}m", "log", text, price(minutes), lambda s: np.log(s.high.highest(minutes) / s.low.lowest(minutes)))


def _squared_widths(s: Sight) -> Series:
    return s.once("squared widths", lambda: Series(s.widths.values**2))


def garman_klass(s: Sight, minutes: int) -> Numbers:
    body = Series(np.log(s.close.values[-minutes:] / s.open.values[-minutes:]) ** 2)
    return np.sqrt(np.maximum(0.5 * _squared_widths(s).mean(minutes) - (2.0 * LN2 - 1.0) * body.mean(minutes), 0.0))


def rogers_satchell(s: Sight, minutes: int) -> Numbers:
    high, low, opened, close = (np.log(series.values[-minutes:]) for series in (s.high, s.low, s.open, s.close))
    terms = Series((high - close) * (high - opened) + (low - close) * (low - opened))
    return np.sqrt(np.maximum(terms.mean(minutes), 0.0))


def atr(s: Sight, length: int) -> Numbers:
    return s.moves.told(length, s.fading.newest("true range", wilder(length)))


def compared(now: Numbers, before: Numbers) -> Numbers:
    """ln of the one over the other; unknown where one of them is nothing."""
    return np.log(np.where(now > 0, now, np.nan) / np.where(before > 0, before, np.nan))


def one_sided(s: Sight, minutes: int, down: bool) -> Numbers:
    """Root of the mean square of the falls (rises)."""
    moves = s.moves.values[-minutes:]
    part = Series(np.minimum(moves, 0.0) ** 2 if down else np.maximum(moves, 0.0) ** 2)
    return np.sqrt(part.mean(minutes))


def weighted(s: Sight) -> Numbers:
    return s.moves.told(30, np.sqrt(s.fading.newest("squares", RISK_METRICS)))


FEATURES = (
    *(_deviation(minutes) for minutes in (5, 10, 15, 30, 60, 90)),
    *(_parkinson(minutes) for minutes in (15, 60)),
    slot(
        "garman_klass_30m",
        "log",
        "Volatility a minute by open, high, low and close (Garman, Klass).",
        price(30),
        lambda s: garman_klass(s, 30),
    ),
    slot("rogers_satchell_30m", "log", "The same without the drift (Rogers, Satchell).", price(30), lambda s: rogers_satchell(s, 30)),
    slot("atr_14m", "share", "Wilder's average of the true range of 14, over the close.", price(15), lambda s: atr(s, 14)),
    slot(
        "true_range_5_over_50m",
        "log",
        "ln of the mean true range of 5 minutes over that of 50.",
        price(51),
        lambda s: compared(s.true_range.mean(5), s.true_range.mean(50)),
    ),
    *(_range(minutes) for minutes in (15, 60)),
    slot("fall_size_30m", "log", "Root of the mean square of the falls of 30 minutes.", price(31), lambda s: one_sided(s, 30, True)),
    slot(
        "rise_over_fall_60m",
        "log",
        "ln of the size of the rises over that of the falls of 60 minutes.",
        price(61),
        lambda s: compared(one_sided(s, 60, False), one_sided(s, 60, True)),
    ),
    slot(
        "volatility_5_over_60m",
        "log",
        "ln of the volatility of 5 minutes over that of 60.",
        price(61),
        lambda s: compared(s.moves.std(5), s.moves.std(60)),
    ),
    slot(
        "volatility_15_over_90m",
        "log",
        "ln of the volatility of 15 minutes over that of 90.",
        price(91),
        lambda s: compared(s.moves.std(15), s.moves.std(90)),
    ),
    slot(
        "volatility_of_size_60m",
        "ratio",
        "Standard deviation of the moves' sizes over their mean, 60 minutes.",
        price(61),
        lambda s: s.sizes.std(60) / np.where(s.sizes.mean(60) > 0, s.sizes.mean(60), np.nan),
    ),
    slot(
        "size_slope_30m",
        "a minute",
        "Slope of the moves' sizes over 30 minutes, over their mean: volatility growing or fading.",
        price(31),
        lambda s: s.sizes.slope(30) / np.where(s.sizes.mean(30) > 0, s.sizes.mean(30), np.nan),
    ),
    slot("volatility_weighted", "log", "Volatility with weights that fade by 6 % a minute.", price(31), weighted),
    slot(
        "range_24h",
        "log",
        "ln of the highest high over the lowest low of the last 24 whole hours.",
        hours(24),
        lambda s: np.log(s.hour_high.highest(24) / s.hour_low.lowest(24)),
    ),
    slot("volatility_24h", "log", "Standard deviation of the hourly log returns of a day.", hours(24), lambda s: s.hour_moves.std(23)),
)
