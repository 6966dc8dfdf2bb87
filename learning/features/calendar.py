"""Age and calendar: how old the token is, how much of it we have seen, and what time it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.features.inputs import WINDOW
from learning.features.slots import AGE, TOKEN, Group, price

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.sight import Sight
    from learning.features.slots import Feature

    Numbers = NDArray[np.float64]

slot = Group("age and calendar")
DAY, WEEK = 86_400.0, 604_800.0
MONDAY = 345_600.0  # 1970-01-05 00:00 UTC


def hour(s: Sight) -> float:
    return s.inputs.ts % DAY / DAY


def day(s: Sight) -> float:
    return (s.inputs.ts - MONDAY) % WEEK / WEEK


def same(s: Sight, value: float) -> Numbers:
    return np.full(s.count, value)


def _wave(name: str, text: str, of: object, wave: np.ufunc) -> Feature:
    return slot(name, "-1..1", text, TOKEN, lambda s: same(s, float(wave(2.0 * np.pi * of(s)))))  # type: ignore[operator]


def _open(name: str, text: str, first: int, last: int) -> Feature:
    return slot(name, "0 or 1", f"{text}, {first} to {last} h UTC.", TOKEN, lambda s: same(s, float(first <= 24.0 * hour(s) < last)))


FEATURES = (
    slot("age", "log10 minutes", "log10 of 1 + minutes since the migration reached us.", AGE, lambda s: np.log10(1.0 + s.age_min)),
    slot("known_share", "0..1", "Share of the window's 96 minutes that have a bar.", TOKEN, lambda s: s.close.known.sum(axis=0) / WINDOW),
    slot(
        "bar_age",
        "minutes",
        "Minutes between the newest bar's end and the moment.",
        price(1),
        lambda s: np.where(s.fresh, (s.inputs.ts - s.end) / 60.0, np.nan),
    ),
    _wave("hour_sin", "Sine of the time of day: 1 at 6 h UTC.", hour, np.sin),
    _wave("hour_cos", "Cosine of the time of day: 1 at midnight UTC.", hour, np.cos),
    _wave("week_sin", "Sine of the time of the week, which begins on Monday, 0 h UTC.", day, np.sin),
    _wave("week_cos", "Cosine of the time of the week.", day, np.cos),
    _open("asia_hours", "Asia is at work", 0, 8),
    _open("europe_hours", "Europe is at work", 7, 16),
    _open("america_hours", "America is at work", 13, 22),
)
