"""Oscillators: where the price stands in its own recent moves. Wilder's averages here are of weights that add up to 1, from the window's
first bar on: the same bars give the same value, whatever came before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.features.fading import share
from learning.features.series import ROUNDING, Series, correlation, least, wilder
from learning.features.slots import Group, price

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.sight import Sight
    from learning.features.slots import Feature

    Numbers = NDArray[np.float64]

slot = Group("oscillators")


def rsi(s: Sight, length: int) -> Numbers:
    rises, travel = (s.fading.newest(name, wilder(length)) for name in ("rises", "travel"))
    return s.moves.told(length, 100.0 * share(rises, travel))


def _rsi(length: int) -> Feature:
    text = f"Relative strength index (Wilder) of {length} minutes."
    return slot(f"rsi_{length}m", "0..100", text, price(length + 1), lambda s: rsi(s, length))


def place_in_range(s: Sight, length: int, ago: int = 0) -> Numbers:
    """0 at the lowest low of the rows that ended `ago` rows before the newest, 1 at their highest high."""
    rows = slice(-length - ago, -ago if ago else None)
    high, low = Series(s.high.values[rows]).highest(length), Series(s.low.values[rows]).lowest(length)
    return (s.close.at(ago) - low) / np.where(high - low > ROUNDING, high - low, np.nan)


def stochastic(s: Sight, length: int, smooth: int) -> Numbers:
    total = np.zeros(s.count)
    for ago in range(smooth):
        total += place_in_range(s, length, ago)
    return total * (100.0 / smooth)


def stochastic_gap(s: Sight) -> Numbers:
    """%K less %D: the mean of the newest three places less the mean of the newest three such means."""
    places = [place_in_range(s, 14, ago) for ago in range(5)]
    k = [(places[ago] + places[ago + 1] + places[ago + 2]) / 3.0 for ago in range(3)]
    return 100.0 * (k[0] - (k[0] + k[1] + k[2]) / 3.0)


def rsi_in_its_range(s: Sight) -> Numbers:
    course = Series(s.fading.rsi[-14:])
    low, high = course.lowest(14), course.highest(14)
    return (course.at(0) - low) / np.where(high - low > 1e-9, high - low, np.nan)


def cci(s: Sight, length: int) -> Numbers:
    typical = s.typical.values[-length:]
    mean = s.typical.mean(length)
    away = np.abs(typical - mean)
    away[~s.typical.known[-length:]] = 0.0
    distance = away.sum(axis=0) / s.typical.count(length)
    found: Numbers = (typical[-1] - mean) / (0.015 * np.where(distance > ROUNDING, distance, np.nan))
    return found


def aroon(s: Sight, length: int, upper: bool) -> Numbers:
    """100 where the highest high (lowest low) of the last `length` + 1 rows is the newest, 0 where it is the oldest."""
    series = s.high if upper else s.low
    values = series.values[-length - 1 :][::-1]
    filled = np.where(np.isnan(values), -np.inf if upper else np.inf, values)
    ago = np.argmax(filled, axis=0) if upper else np.argmin(filled, axis=0)
    return series.told(length + 1, 100.0 * (length - ago) / length)


def histogram(s: Sight, ago: int = 0) -> Numbers:
    row: Numbers = s.fading.macd[-1 - ago] - s.fading.macd_signal[-1 - ago]
    return row


def trix(s: Sight, span: int) -> Numbers:
    course = s.fading.threefold
    return s.close.told(3 * span, np.log(course[-1] / course[-2]))


def net_of_either(s: Sight, minutes: int) -> Numbers:
    """Chande: rises less falls, of both."""
    return s.moves.total(minutes) / np.where(s.sizes.total(minutes) > 0, s.sizes.total(minutes), np.nan)


def ultimate(s: Sight) -> Numbers:
    """Buying pressure over true range, of 7, 14 and 28 minutes with weights 4, 2 and 1."""
    before = np.concatenate([np.full((1, s.count), np.nan), s.close.values[:-1]])
    pressure = Series(s.close.values - np.minimum(s.low.values, before))
    parts = [
        pressure.total(length) / np.where(s.true_range.total(length) > 0, s.true_range.total(length), np.nan) for length in (7, 14, 28)
    ]
    return 100.0 * (4.0 * parts[0] + 2.0 * parts[1] + parts[2]) / 7.0


def rsi_agrees(s: Sight, length: int) -> Numbers:
    return correlation(s.log.values[-length:], s.fading.rsi[-length:], least(length))


FEATURES = (
    *(_rsi(length) for length in (7, 14, 28)),
    slot(
        "rsi_change_14m",
        "points",
        "The RSI of 14 minutes less that of 5 minutes ago.",
        price(20),
        lambda s: s.moves.told(14, s.fading.rsi[-1] - s.fading.rsi[-6]),
    ),
    slot("rsi_place_14m", "0..1", "Where the RSI stands between its lowest and highest of 14 minutes.", price(28), rsi_in_its_range),
    slot("stochastic_14m", "0..100", "%K of 14 minutes, averaged over 3.", price(16), lambda s: stochastic(s, 14, 3)),
    slot("stochastic_gap_14m", "points", "%K less %D: whether the stochastic is rising.", price(18), stochastic_gap),
    slot("cci_20m", "index", "Distance of the typical price from its mean in 0.015 mean distances.", price(20), lambda s: cci(s, 20)),
    slot("cci_50m", "index", "The same of 50 minutes.", price(50), lambda s: cci(s, 50)),
    slot("aroon_up_25m", "0..100", "How lately the highest high of 26 minutes was seen.", price(26), lambda s: aroon(s, 25, True)),
    slot("aroon_down_25m", "0..100", "How lately the lowest low of 26 minutes was seen.", price(26), lambda s: aroon(s, 25, False)),
    slot(
        "macd_line", "share", "Average of 12 less average of 26, over the close.", price(26), lambda s: s.close.told(26, s.fading.macd[-1])
    ),
    slot("macd_histogram", "share", "That less its own average of 9.", price(34), lambda s: s.close.told(34, histogram(s))),
    slot(
        "macd_turn",
        "share",
        "The histogram less that of 3 minutes ago.",
        price(37),
        lambda s: s.close.told(37, histogram(s) - histogram(s, 3)),
    ),
    slot("trix_10m", "log", "Change a minute of the threefold exponential average of 10.", price(30), lambda s: trix(s, 10)),
    slot(
        "adx_14m",
        "0..100",
        "Average directional index: how much of the movement has one direction.",
        price(28),
        lambda s: s.moves.told(28, 100.0 * s.fading.adx),
    ),
    slot(
        "direction_14m",
        "-1..1",
        "Which direction that is: (+DM less −DM) over both.",
        price(15),
        lambda s: s.moves.told(15, s.fading.leaning[-1]),
    ),
    slot("net_of_moves_20m", "-1..1", "Chande: rises less falls over their sum, 20 minutes.", price(21), lambda s: net_of_either(s, 20)),
    slot("ultimate", "0..100", "Buying pressure of 7, 14 and 28 minutes (Williams).", price(29), ultimate),
    slot(
        "true_strength",
        "-1..1",
        "Moves averaged twice (25, 13) over their sizes averaged twice.",
        price(26),
        lambda s: s.moves.told(25, s.fading.true_strength),
    ),
    slot("bull_power_13m", "share", "The newest high less the average of 13.", price(13), lambda s: s.high.at(0) - s.average(13)),
    slot(
        "rsi_agrees_30m",
        "-1..1",
        "Correlation of log price and RSI over 30 minutes: low is a divergence.",
        price(44),
        lambda s: rsi_agrees(s, 30),
    ),
)
