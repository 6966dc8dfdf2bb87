"""Channels: where the price stands between bands, and how wide they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.features.oscillators import place_in_range
from learning.features.series import ROUNDING, Series, line, wilder
from learning.features.slots import Group, price

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.sight import Sight
    from learning.features.slots import Feature

    Numbers = NDArray[np.float64]

slot = Group("channels")


def _positive(values: Numbers) -> Numbers:
    return np.where(values > ROUNDING, values, np.nan)


def _bollinger(length: int) -> tuple[Feature, ...]:
    place = f"Distance of the close from the average of {length}, in their standard deviations."
    width = f"Standard deviation of {length} closes over their average."
    needs = price(length)
    return (
        slot(f"bollinger_place_{length}m", "sd", place, needs, lambda s: (1.0 - s.close.mean(length)) / _positive(s.close.std(length))),
        slot(f"bollinger_width_{length}m", "share", width, needs, lambda s: s.close.std(length) / s.close.mean(length)),
    )


def _donchian(length: int) -> Feature:
    text = f"Where the close stands between the lowest low and the highest high of {length} minutes."
    return slot(f"donchian_place_{length}m", "0..1", text, price(length), lambda s: place_in_range(s, length))


def width_change(s: Sight, length: int, ago: int) -> Numbers:
    before = Series(s.close.values[-length - ago : -ago])
    return np.log(_positive(s.close.std(length) / s.close.mean(length)) / _positive(before.std(length) / before.mean(length)))


def reach(s: Sight) -> Numbers:
    """Wilder's average true range of 10: half the width of a Keltner channel, twice over."""
    return _positive(s.fading.newest("true range", wilder(10)))


def broken(s: Sight, length: int, upward: bool) -> Numbers:
    """ln of the close over the highest high (lowest low) of the rows before the newest."""
    rows = slice(-length - 1, -1)
    edge = Series(s.high.values[rows]).highest(length) if upward else Series(s.low.values[rows]).lowest(length)
    return -np.log(edge)


def middle_of(s: Sight, length: int) -> Numbers:
    """Of the highest high and the lowest low: Ichimoku's lines."""
    return (s.high.highest(length) + s.low.lowest(length)) / 2.0


def cloud(s: Sight) -> tuple[Numbers, Numbers]:
    """The two spans as they were drawn 26 minutes ago for now."""
    high, low = (Series(series.values[:-26]) for series in (s.high, s.low))

    def halfway(length: int) -> Numbers:
        return (high.highest(length) + low.lowest(length)) / 2.0

    return (halfway(9) + halfway(26)) / 2.0, halfway(52)


def outside(s: Sight, length: int) -> Numbers:
    away = np.abs(s.close.values[-length:] - s.close.mean(length)) > s.close.std(length)
    return s.close.told(length, np.where(s.close.std(length) > 0, away.sum(axis=0) / s.close.count(length), np.nan))


def line_place(s: Sight, length: int) -> Numbers:
    """The newest log price is 0: how far that is from the line, in spreads around it."""
    _, _, value, spread = line(s.log, length)
    return -value / np.where(spread > 0, spread, np.nan)


FEATURES = (
    *_bollinger(20),
    *_bollinger(50),
    slot(
        "bollinger_width_change_20m",
        "log",
        "ln of the Bollinger width of 20 over that of 10 minutes ago.",
        price(30),
        lambda s: width_change(s, 20, 10),
    ),
    slot(
        "keltner_place_20m",
        "atr",
        "Distance of the close from its exponential average of 20, in ATR of 10.",
        price(20),
        lambda s: (1.0 - s.average(20)) / reach(s),
    ),
    slot(
        "squeeze_20m",
        "log",
        "ln of the Bollinger width of 20 over the ATR of 10: a squeeze is low.",
        price(20),
        lambda s: np.log(_positive(s.close.std(20)) / reach(s)),
    ),
    *(_donchian(length) for length in (5, 20, 50, 90)),
    slot(
        "break_up_20m", "log", "ln of the close over the highest high of the 20 minutes before.", price(21), lambda s: broken(s, 20, True)
    ),
    slot(
        "break_down_20m", "log", "ln of the close over the lowest low of the 20 minutes before.", price(21), lambda s: broken(s, 20, False)
    ),
    slot(
        "ichimoku_conversion_gap",
        "log",
        "ln of the close over the middle of 9 minutes' range.",
        price(9),
        lambda s: -np.log(middle_of(s, 9)),
    ),
    slot(
        "ichimoku_base_gap", "log", "ln of the close over the middle of 26 minutes' range.", price(26), lambda s: -np.log(middle_of(s, 26))
    ),
    slot(
        "ichimoku_cloud_gap",
        "log",
        "ln of the close over the middle of the cloud.",
        price(78),
        lambda s: -np.log((cloud(s)[0] + cloud(s)[1]) / 2.0),
    ),
    slot(
        "ichimoku_cloud_tilt",
        "log",
        "ln of the cloud's fast span over its slow one.",
        price(78),
        lambda s: np.log(cloud(s)[0] / cloud(s)[1]),
    ),
    slot(
        "outside_share_30m",
        "0..1",
        "Share of 30 closes more than a standard deviation from their average.",
        price(30),
        lambda s: outside(s, 30),
    ),
    slot(
        "line_place_30m",
        "sd",
        "Distance of the log price from the line through 30 minutes, in spreads.",
        price(30),
        lambda s: line_place(s, 30),
    ),
    slot(
        "line_spread_60m", "log", "Spread of 60 minutes' log prices around the line through them.", price(60), lambda s: line(s.log, 60)[3]
    ),
)
