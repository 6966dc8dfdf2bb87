"""Volume and flow: how much is traded, by whom it is moved, and at what price. Amounts are a minute's, so that a gap does not make less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.features.series import ROUNDING, Series, correlation, least
from learning.features.slots import Group, buys, hours, price, trades, volume
from learning.features.volatility import compared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.sight import Sight
    from learning.features.slots import Feature

    Numbers = NDArray[np.float64]

slot = Group("volume and flow")


def over(part: Numbers, whole: Numbers) -> Numbers:
    """A share; unknown of nothing."""
    return part / np.where(whole > 0, whole, np.nan)


def _volume(minutes: int) -> Feature:
    text = f"log10 of 1 + US dollars traded a minute, {minutes} min."
    return slot(f"volume_usd_{minutes}m", "log10 USD", text, volume(minutes), lambda s: np.log10(1.0 + s.volume.mean(minutes)))


def _ratio(fast: int, slow: int) -> Feature:
    text = f"ln of the volume a minute of {fast} min over that of {slow}."
    needs = volume(slow)
    return slot(f"volume_{fast}_over_{slow}m", "log", text, needs, lambda s: compared(s.volume.mean(fast), s.volume.mean(slow)))


def _signed(minutes: int) -> Feature:
    text = f"Volume of rising less that of falling minutes, over all, {minutes} min (on-balance volume as a share)."
    needs = volume(minutes)
    return slot(f"signed_volume_{minutes}m", "-1..1", text, needs, lambda s: over(s.signed.total(minutes), s.turned.total(minutes)))


def _bought(minutes: int) -> Feature:
    text = f"Share of the volume of {minutes} min that was bought."
    needs = buys(minutes)
    return slot(f"buy_share_{minutes}m", "0..1", text, needs, lambda s: over(s.bought.total(minutes), s.traded_with_side.total(minutes)))


def vwap(s: Sight, minutes: int) -> Numbers:
    money = Series(s.typical.values[-minutes:] * s.volume.values[-minutes:])
    return over(money.total(minutes), s.volume.total(minutes))


def _vwap_gap(minutes: int) -> Feature:
    text = f"ln of the close over the mean price of {minutes} min, weighed by volume."
    return slot(f"vwap_gap_{minutes}m", "log", text, volume(minutes), lambda s: -np.log(vwap(s, minutes)))


def vwap_place(s: Sight, minutes: int) -> Numbers:
    """Distance from the VWAP in standard deviations around it, weighed by volume as well."""
    mean = vwap(s, minutes)
    away = Series((s.typical.values[-minutes:] - mean) ** 2 * s.volume.values[-minutes:])
    deviation = np.sqrt(over(away.total(minutes), s.volume.total(minutes)))
    return (1.0 - mean) / np.where(deviation > ROUNDING, deviation, np.nan)


def surprise(s: Sight, minutes: int) -> Numbers:
    """The newest minute against those before it, in their standard deviations."""
    before = Series(s.volume.values[-minutes - 1 : -1])
    deviation = before.std(minutes)
    return (s.volume.at(0) - before.mean(minutes)) / np.where(deviation > 0, deviation, np.nan)


def chaikin(s: Sight, minutes: int) -> Numbers:
    """Money flow: volume weighed by where each minute closed in its range, +1 at the top and −1 at the bottom, over all volume."""
    high, low, close = (series.values[-minutes:] for series in (s.high, s.low, s.close))
    wide = high > low
    place = np.where(wide, (2.0 * close - high - low) / np.where(wide, high - low, 1.0), np.where(np.isnan(high), np.nan, 0.0))
    return over(Series(place * s.volume.values[-minutes:]).total(minutes), s.volume.total(minutes))


def money_flow(s: Sight, minutes: int) -> Numbers:
    typical = s.typical.values
    change = typical[-minutes:] - typical[-minutes - 1 : -1]
    money = typical[-minutes:] * s.volume.values[-minutes:]
    rising, either = (Series(np.where(flag, money, np.where(np.isnan(change), np.nan, 0.0))) for flag in (change > 0, change != 0))
    return 100.0 * over(rising.total(minutes), either.total(minutes))


def weighted_move(s: Sight, minutes: int) -> Numbers:
    """The mean log return a minute, weighed by volume."""
    moved = Series(s.moves.values[-minutes:] * s.volume.values[-minutes:])
    return over(moved.total(minutes), s.turned.total(minutes))


def trade_size(s: Sight, minutes: int) -> Numbers:
    """US dollars a trade, of the minutes of which both are known."""
    both = s.volume.known[-minutes:] & s.trades.known[-minutes:]
    money, number = (Series(np.where(both, series.values[-minutes:], np.nan)) for series in (s.volume, s.trades))
    return over(money.total(minutes), number.total(minutes))


def quiet(s: Sight, minutes: int) -> Numbers:
    """Less than a tenth of the median minute's volume."""
    values = s.volume.values[-minutes:]
    few = (values <= 0.1 * s.volume.median(minutes)).sum(axis=0)
    return s.volume.told(minutes, few / s.volume.count(minutes))


FEATURES = (
    *(_volume(minutes) for minutes in (1, 5, 15, 60)),
    _ratio(1, 20),
    _ratio(5, 60),
    _ratio(15, 60),
    slot("volume_surprise_30m", "sd", "The newest minute's volume against the 30 before it.", volume(31), lambda s: surprise(s, 30)),
    slot(
        "volume_slope_30m",
        "a minute",
        "Slope of the volume over 30 minutes, over its mean.",
        volume(30),
        lambda s: over(s.volume.slope(30), s.volume.mean(30)),
    ),
    *(_signed(minutes) for minutes in (10, 30, 60)),
    slot(
        "chaikin_20m",
        "-1..1",
        "Money flow of 20 min: volume weighed by where each minute closed (Chaikin).",
        volume(20),
        lambda s: chaikin(s, 20),
    ),
    slot(
        "money_flow_14m",
        "0..100",
        "Money flow index: share of the money that moved at a rising price.",
        volume(15),
        lambda s: money_flow(s, 14),
    ),
    *(_vwap_gap(minutes) for minutes in (15, 30, 60)),
    slot(
        "vwap_place_60m",
        "sd",
        "Distance of the close from the VWAP of 60 min, in deviations around it.",
        volume(60),
        lambda s: vwap_place(s, 60),
    ),
    slot(
        "weighted_move_20m", "log a minute", "Mean return a minute, weighed by volume, 20 min.", volume(21), lambda s: weighted_move(s, 20)
    ),
    slot("weighted_move_60m", "log a minute", "The same of 60 min.", volume(61), lambda s: weighted_move(s, 60)),
    *(_bought(minutes) for minutes in (5, 15, 60)),
    slot("trades_60m", "log10", "log10 of 1 + trades a minute, 60 min.", trades(60), lambda s: np.log10(1.0 + s.trades.mean(60))),
    slot(
        "trades_5_over_60m",
        "log",
        "ln of the trades a minute of 5 min over those of 60.",
        trades(60),
        lambda s: compared(s.trades.mean(5), s.trades.mean(60)),
    ),
    slot(
        "trade_size_60m",
        "log10 USD",
        "log10 of 1 + US dollars a trade, 60 min.",
        (volume(60), trades(60)),
        lambda s: np.log10(1.0 + trade_size(s, 60)),
    ),
    slot(
        "trade_size_5_over_60m",
        "log",
        "ln of the dollars a trade of 5 min over those of 60.",
        (volume(60), trades(60)),
        lambda s: compared(trade_size(s, 5), trade_size(s, 60)),
    ),
    slot(
        "volume_peak_30m",
        "0..1",
        "Share of the greatest minute in the volume of 30.",
        volume(30),
        lambda s: over(s.volume.highest(30), s.volume.total(30)),
    ),
    slot(
        "quiet_share_60m",
        "0..1",
        "Share of minutes with less than a tenth of the median volume, 60 min.",
        volume(60),
        lambda s: quiet(s, 60),
    ),
    slot(
        "volume_usd_24h",
        "log10 USD",
        "log10 of 1 + US dollars traded an hour, the last 24 whole hours.",
        hours(24),
        lambda s: np.log10(1.0 + s.hour_volume.mean(24)),
    ),
    slot(
        "volume_1h_over_24h",
        "log",
        "ln of the volume a minute of 60 min over that of 24 whole hours.",
        (volume(60), hours(24)),
        lambda s: compared(60.0 * s.volume.mean(60), s.hour_volume.mean(24)),
    ),
    slot(
        "volume_with_size_60m",
        "-1..1",
        "Correlation of a minute's volume with the size of its move, 60 min.",
        (price(61), volume(60)),
        lambda s: correlation(s.volume.values[-60:], s.sizes.values[-60:], least(60)),
    ),
)
