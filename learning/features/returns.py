"""Price and returns: by how much the price moved over fixed times, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.features.series import Series
from learning.features.slots import Group, hours, price, seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.sight import Sight
    from learning.features.slots import Feature

    Numbers = NDArray[np.float64]

slot = Group("price and returns")


def _return(minutes: int) -> Feature:
    text = f"ln of the newest close over the close {minutes} min before it."
    return slot(f"return_{minutes}m", "log", text, price(minutes + 1), lambda s: -s.log.at(minutes))


def _return_of_hours(length: int) -> Feature:
    text = f"ln of the newest close over the close {length} hours before the end of the last whole hour."
    return slot(f"return_{length}h", "log", text, (price(1), hours(length + 1)), lambda s: -np.log(s.hour_close.at(length)))


def _up_share(minutes: int) -> Feature:
    text = f"Share of rising minutes among those of the last {minutes} in which the price moved."
    return slot(f"up_share_{minutes}m", "0..1", text, price(minutes), lambda s: up_share(s, minutes))


def up_share(s: Sight, minutes: int) -> Numbers:
    moves = s.moves.values[-minutes:]
    up, down = (moves > 0).sum(axis=0), (moves < 0).sum(axis=0)
    return s.moves.told(minutes, up / (up + down))


def streak(s: Sight) -> Numbers:
    """Minutes in a row that moved as the newest did, with its sign; 0 when it did not move."""
    sign = np.sign(s.moves.values[::-1])
    same = np.logical_and.accumulate(sign == sign[0], axis=0).sum(axis=0)
    run: Numbers = sign[0] * same
    return run


def wick(s: Sight, minutes: int, upper: bool) -> Numbers:
    """The part of the range of the last minutes that lies above (below) the first open and the last close."""
    opened = s.open.at(minutes - 1)
    top, bottom = s.high.highest(minutes), s.low.lowest(minutes)
    part = top - np.maximum(opened, 1.0) if upper else np.minimum(opened, 1.0) - bottom
    return part / np.where(top > bottom, top - bottom, np.nan)


def jumps(s: Sight, minutes: int) -> Numbers:
    """Mean size of the step from one minute's close to the next one's open."""
    return Series(np.abs(np.log(s.open.values[-minutes:]) - s.log.values[-minutes - 1 : -1])).mean(minutes)


FEATURES = (
    *(_return(minutes) for minutes in (1, 2, 3, 5, 10, 15, 30, 45, 60, 90)),
    *(_return_of_hours(length) for length in (4, 8, 12, 22)),
    *(_up_share(minutes) for minutes in (10, 30, 60)),
    slot("best_minute_30m", "log", "The largest log return of one of the last 30 minutes.", price(30), lambda s: s.moves.highest(30)),
    slot("worst_minute_30m", "log", "The smallest log return of one of the last 30 minutes.", price(30), lambda s: s.moves.lowest(30)),
    slot("streak", "minutes", "Minutes in a row that moved in the direction of the newest, with its sign.", price(2), streak),
    slot(
        "acceleration_5m",
        "log",
        "The return of the last 5 minutes less that of the 5 before.",
        price(11),
        lambda s: s.log.at(10) - 2.0 * s.log.at(5),
    ),
    slot(
        "acceleration_15m",
        "log",
        "The return of the last 15 minutes less that of the 15 before.",
        price(31),
        lambda s: s.log.at(30) - 2.0 * s.log.at(15),
    ),
    slot("upper_wick_15m", "0..1", "Part of the 15 minutes' range above open and close.", price(15), lambda s: wick(s, 15, True)),
    slot("lower_wick_15m", "0..1", "Part of the 15 minutes' range below open and close.", price(15), lambda s: wick(s, 15, False)),
    slot("open_jump_30m", "log", "Mean size of the step from a close to the next open over 30 minutes.", price(31), lambda s: jumps(s, 30)),
    slot(
        "moved_since_bar",
        "log",
        "ln of the newest snapshot's price over the newest bar's close.",
        (price(1), seen("price")),
        lambda s: np.log(s.look("price") / s.last),
    ),
)
