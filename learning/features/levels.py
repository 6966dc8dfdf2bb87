"""Structure and levels: highs and lows that others see as well, and how the price stands to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.features.flow import over
from learning.features.series import Series, least
from learning.features.slots import Group, hours, price, volume
from learning.indicators import swing_highs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.sight import Sight

    Numbers = NDArray[np.float64]

slot = Group("structure and levels")
REACH = 3  # bars on either side of a swing
BINS = 24  # prices of a profile
CALM = 0.02


def since_extreme(s: Sight, minutes: int, upper: bool) -> Numbers:
    series = s.high if upper else s.low
    values = series.values[-minutes:][::-1]
    filled = np.where(np.isnan(values), -np.inf if upper else np.inf, values)
    ago = np.argmax(filled, axis=0) if upper else np.argmin(filled, axis=0)
    return series.told(minutes, ago.astype(np.float64))


def swings(s: Sight, upper: bool) -> tuple[Numbers, Numbers, Numbers]:
    """Prices of the newest swing high (low) and of the one before it, and how many there are in the window."""

    def make() -> tuple[Numbers, Numbers, Numbers]:
        series = s.high if upper else s.low
        flags = swing_highs(series.values if upper else -series.values, REACH)[::-1]
        prices = series.values[::-1]
        token = np.arange(s.count)
        newest = np.argmax(flags, axis=0)
        others = flags.copy()
        others[newest, token] = False
        before = np.argmax(others, axis=0)
        level, other = (
            np.where(which[at, token], prices[np.minimum(at + REACH, len(prices) - 1), token], np.nan)
            for which, at in ((flags, newest), (others, before))
        )
        return level, other, flags.sum(axis=0).astype(np.float64)

    return s.once(f"swings {upper}", make)


def number_of_swings(s: Sight) -> Numbers:
    return s.close.told(60, swings(s, True)[2] + swings(s, False)[2])


def farthest(s: Sight, minutes: int, fall: bool) -> Numbers:
    """The deepest fall from a close to a later one (the highest rise), as a log return."""
    logs = s.log.values[-minutes:]
    if fall:
        return s.log.told(minutes, np.fmin.reduce(logs - np.fmax.accumulate(logs, axis=0), axis=0))
    return s.log.told(minutes, np.fmax.reduce(logs - np.fmin.accumulate(logs, axis=0), axis=0))


def value_below(s: Sight, minutes: int) -> Numbers:
    below = Series(
        np.where(s.typical.values[-minutes:] < 1.0, s.volume.values[-minutes:], np.where(s.volume.known[-minutes:], 0.0, np.nan))
    )
    return over(below.total(minutes), s.volume.total(minutes))


def busiest_price(s: Sight, minutes: int) -> Numbers:
    """ln of the close over the middle of the bin in which most was traded, of those between the lowest and highest typical price."""
    typical, traded = np.log(s.typical.values[-minutes:]), s.volume.values[-minutes:]
    known = ~np.isnan(typical) & (traded > 0)
    low = np.fmin.reduce(np.where(known, typical, np.nan), axis=0)
    width = (np.fmax.reduce(np.where(known, typical, np.nan), axis=0) - low) / BINS
    at = np.where(known, (typical - low) / np.where(width > 0, width, np.nan), 0.0)
    place = np.minimum(np.where(np.isnan(at), 0.0, at), BINS - 1).astype(np.int64) + BINS * np.arange(s.count)
    profile = np.bincount(place.ravel(), np.where(known, traded, 0.0).ravel(), minlength=BINS * s.count).reshape(s.count, BINS)
    level = low + (np.argmax(profile, axis=1) + 0.5) * width
    return np.where((known.sum(axis=0) >= least(minutes)) & (width > 0), -level, np.nan)


def calm(s: Sight) -> Numbers:
    """A missing minute ends the count."""
    near = np.abs(s.log.values[::-1]) <= CALM
    return s.close.told(1, np.logical_and.accumulate(near, axis=0).sum(axis=0).astype(np.float64))


FEATURES = (
    slot("below_high_90m", "log", "ln of the close over the highest high of 90 min.", price(90), lambda s: -np.log(s.high.highest(90))),
    slot("above_low_90m", "log", "ln of the close over the lowest low of 90 min.", price(90), lambda s: -np.log(s.low.lowest(90))),
    slot("since_high_90m", "minutes", "Minutes since the highest high of 90.", price(90), lambda s: since_extreme(s, 90, True)),
    slot("since_low_90m", "minutes", "Minutes since the lowest low of 90.", price(90), lambda s: since_extreme(s, 90, False)),
    slot(
        "swing_high_gap",
        "log",
        "ln of the close over the newest swing high (3 bars on either side).",
        price(60),
        lambda s: -np.log(swings(s, True)[0]),
    ),
    slot("swing_low_gap", "log", "ln of the close over the newest swing low.", price(60), lambda s: -np.log(swings(s, False)[0])),
    slot("swings", "count", "Swing highs and lows in the window of 96 min.", price(60), number_of_swings),
    slot(
        "higher_highs",
        "log",
        "ln of the newest swing high over the one before it.",
        price(60),
        lambda s: np.log(swings(s, True)[0] / swings(s, True)[1]),
    ),
    slot(
        "higher_lows",
        "log",
        "ln of the newest swing low over the one before it.",
        price(60),
        lambda s: np.log(swings(s, False)[0] / swings(s, False)[1]),
    ),
    slot(
        "day_high_gap",
        "log",
        "ln of the close over the highest of the last 24 whole hours.",
        (price(1), hours(24)),
        lambda s: -np.log(s.hour_high.highest(24)),
    ),
    slot(
        "day_low_gap",
        "log",
        "ln of the close over the lowest of the last 24 whole hours.",
        (price(1), hours(24)),
        lambda s: -np.log(s.hour_low.lowest(24)),
    ),
    slot(
        "hour_high_gap",
        "log",
        "ln of the close over the high of the last whole hour.",
        (price(1), hours(1)),
        lambda s: -np.log(s.hour_high.at(0)),
    ),
    slot(
        "hour_low_gap",
        "log",
        "ln of the close over the low of the last whole hour.",
        (price(1), hours(1)),
        lambda s: -np.log(s.hour_low.at(0)),
    ),
    slot("deepest_fall_60m", "log", "The deepest fall from one close to a later one, 60 min.", price(60), lambda s: farthest(s, 60, True)),
    slot("highest_rise_60m", "log", "The highest rise from one close to a later one, 60 min.", price(60), lambda s: farthest(s, 60, False)),
    slot(
        "value_below_90m",
        "0..1",
        "Share of the volume of 90 min that was traded below the close.",
        volume(90),
        lambda s: value_below(s, 90),
    ),
    slot(
        "busiest_price_gap_90m",
        "log",
        "ln of the close over the price at which most was traded in 90 min.",
        volume(90),
        lambda s: busiest_price(s, 90),
    ),
    slot("calm_minutes", "minutes", "Minutes that the price has kept within 2 % of the close.", price(1), calm),
)
