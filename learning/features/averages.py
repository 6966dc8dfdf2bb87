"""Averages: how far the price stands from its own past, and where that is going."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.features.series import line
from learning.features.slots import Group, price

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.sight import Sight
    from learning.features.slots import Feature

    Numbers = NDArray[np.float64]

slot = Group("averages")


def _plain(minutes: int) -> Feature:
    text = f"ln of the close over the plain average of {minutes} closes."
    return slot(f"sma_gap_{minutes}m", "log", text, price(minutes), lambda s: -np.log(s.close.mean(minutes)))


def _exponential(minutes: int) -> Feature:
    text = f"ln of the close over its exponential average of {minutes} (weight 2 / {minutes + 1} for the newest)."
    return slot(f"ema_gap_{minutes}m", "log", text, price(minutes), lambda s: -np.log(s.average(minutes)))


def _slope(minutes: int) -> Feature:
    text = f"Slope a minute of the straight line through the log prices of {minutes} minutes."
    return slot(f"slope_{minutes}m", "log a minute", text, price(minutes), lambda s: s.log.slope(minutes))


def _fit(minutes: int) -> Feature:
    text = f"Share of the variance of {minutes} minutes' log prices that a straight line explains."
    return slot(f"line_fit_{minutes}m", "0..1", text, price(minutes), lambda s: line(s.log, minutes)[1])


def _crossing(fast: int, slow: int) -> Feature:
    text = f"ln of the plain average of {fast} closes over that of {slow}."
    needs = price(slow)
    return slot(f"sma_{fast}_over_{slow}m", "log", text, needs, lambda s: np.log(s.close.mean(fast) / s.close.mean(slow)))


def _median(minutes: int) -> Feature:
    text = f"ln of the close over the median of {minutes} closes."
    return slot(f"median_gap_{minutes}m", "log", text, price(minutes), lambda s: -np.log(s.close.median(minutes)))


def above_average(s: Sight, minutes: int) -> Numbers:
    values = s.close.values[-minutes:]
    return s.close.told(minutes, (values > s.close.mean(minutes)).sum(axis=0) / s.close.count(minutes))


def minutes_on_side(s: Sight, span: int) -> Numbers:
    """With the sign of the side; of the last 60 minutes at most. A missing minute ends the count."""
    side = np.sign(s.close.values - s.fading.course("close", float(span)))[::-1][:60]
    same = np.logical_and.accumulate(side == side[0], axis=0).sum(axis=0)
    return s.close.told(span, side[0] * same)


FEATURES = (
    *(_plain(minutes) for minutes in (5, 10, 20, 30, 50, 90)),
    *(_exponential(minutes) for minutes in (5, 10, 20, 50)),
    *(_slope(minutes) for minutes in (10, 30, 60, 90)),
    *(_fit(minutes) for minutes in (20, 60)),
    _crossing(5, 20),
    _crossing(10, 50),
    *(_median(minutes) for minutes in (30, 60)),
    slot("above_average_30m", "0..1", "Share of the last 30 closes above their own average.", price(30), lambda s: above_average(s, 30)),
    slot(
        "side_of_ema_20m",
        "minutes",
        "Minutes (60 at most) that the close has been above (below: negative) its exponential average of 20.",
        price(20),
        lambda s: minutes_on_side(s, 20),
    ),
)
