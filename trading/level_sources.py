"""Where levels come from: pivots, the day's range, volume by price, anchored VWAP, swings. Each source says what it knows, or NaN.

All prices are multiples of the point's last close (`trading.windows`). A source adds candidates (price, weight); `trading.levels` merges
them. Weights: what kinds of level hold by themselves, before touches; a swing's and a peak of volume's fade or shrink from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trading import swings
from trading.names import LevelKind
from trading.windows import DAY_SEC, FIVE, HOUR, WINDOW, Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Profile = tuple[Numbers, Numbers, Numbers]

WEIGHTS = {
    LevelKind.DAY_PIVOT: 1.5,
    LevelKind.DAY_RANGE: 1.6,
    LevelKind.HOUR_PIVOT: 1.0,
    LevelKind.VOLUME_PROFILE: 1.8,
    LevelKind.VWAP_FIRST: 1.4,
    LevelKind.VWAP_SWING: 1.3,
    LevelKind.VWAP_SESSION: 1.4,
    LevelKind.VWAP_BAND: 0.8,
    LevelKind.SWING_MICRO: 0.6,
    LevelKind.SWING_MESO: 1.0,
    LevelKind.SWING_MACRO: 1.6,
    LevelKind.FALLBACK: 0.0,
}
BINS = 50
PEAKS = 3  # of volume by price
# bars on each side that confirm a swing, how many of the newest are kept; micro on minutes, the others on five minutes
MICRO, MESO, MACRO = (5, 3), (3, 3), (12, 2)
SWING_HALF_LIFE = 240.0  # bars of the window
HOUR_NEEDS = 10  # of its twelve fives
ANCHORED_LEAST = 15  # bars since an anchor; the VWAP of one bar is just its price
AT_HAND = 20  # rows of a window that are worked through at a time where all of it is passed more than once; made of whole fives
LEAST_TRADED = 1e-6  # of the window's busiest bar: after less than that since its anchor a VWAP would be rounding


class Candidate(NamedTuple):
    kind: LevelKind
    price: Numbers  # (n,)
    weight: Numbers | float


def all_of(windows: Windows, profile: Profile, traded: Traded | None = None) -> list[Candidate]:
    """`profile` and `traded` are those of the same windows."""
    turns = Turns(windows)
    traded = Traded.of(windows) if traded is None else traded
    return [
        *_pivots(LevelKind.DAY_PIVOT, windows.day_high, windows.day_low, windows.day_close, 2),
        Candidate(LevelKind.DAY_RANGE, windows.day_high, WEIGHTS[LevelKind.DAY_RANGE]),
        Candidate(LevelKind.DAY_RANGE, windows.day_low, WEIGHTS[LevelKind.DAY_RANGE]),
        *_hour_pivots(windows),
        *_volume_profile(profile),
        *_anchored(windows, turns, traded),
        *turns.candidates(),
    ]


class Turns:
    """The newest confirmed swings on the three scales."""

    def __init__(self, windows: Windows) -> None:
        minutes, fives = windows.minutes, windows.fives
        self.found: list[tuple[LevelKind, int, Numbers, NDArray[np.int16]]] = []
        for kind, bars, each, (order, count) in (
            (LevelKind.SWING_MICRO, minutes, 1, MICRO),
            (LevelKind.SWING_MESO, fives, FIVE, MESO),
            (LevelKind.SWING_MACRO, fives, FIVE, MACRO),
        ):
            self.found.append((kind, each, bars.high, swings.newest_highs(bars.high, order, count, windows.gapless)))
            self.found.append((kind, each, bars.low, swings.newest_lows(bars.low, order, count, windows.gapless)))

    def candidates(self) -> Iterator[Candidate]:
        for kind, each, values, places in self.found:
            age = WINDOW - each * (places + 1.0)
            weights = WEIGHTS[kind] * np.exp2(-age / SWING_HALF_LIFE)
            for price, weight in zip(swings.at(values, places), weights, strict=True):
                yield Candidate(kind, price, weight)

    def newest_big(self) -> NDArray[np.int64]:
        """(n,) the first bar of the newest macro swing, −1 where there is none."""
        newest = np.maximum(self.found[4][3][0], self.found[5][3][0]).astype(np.int64)
        return np.where(newest >= 0, newest * FIVE, -1)


def _pivots(kind: LevelKind, high: Numbers, low: Numbers, close: Numbers, steps: int) -> Iterator[Candidate]:
    """The floor traders' pivot P = (high + low + close) / 3, and its supports and resistances."""
    pivot, reach = (high + low + close) / 3.0, high - low
    yield Candidate(kind, pivot, WEIGHTS[kind])
    for price in (2 * pivot - low, 2 * pivot - high, pivot + reach, pivot - reach)[: 2 * steps]:
        yield Candidate(kind, price, 0.8 * WEIGHTS[kind])


def _hour_pivots(windows: Windows) -> Iterator[Candidate]:
    """Pivots of the hour before the last five minutes, where enough of it was seen."""
    high, low, close = (values[-HOUR - 1 : -1] for values in (windows.fives.high, windows.fives.low, windows.fives.close))
    enough = ((~np.isnan(close)).sum(axis=0) >= HOUR_NEEDS) & ~np.isnan(close[-1])
    return _pivots(
        LevelKind.HOUR_PIVOT,
        np.where(enough, np.fmax.reduce(high, axis=0), np.nan),
        np.where(enough, np.fmin.reduce(low, axis=0), np.nan),
        np.where(enough, close[-1], np.nan),
        1,
    )


class Traded(NamedTuple):
    """(WINDOW, n): each bar's typical price and what was traded at it; 0 of both where one of them is not known."""

    typical: Numbers
    volume: Numbers
    untold: NDArray[np.bool_] | None  # None: all are known

    def distance(self, some: Any) -> Numbers:
        """Of the typical prices of some bars from the last close, as a share of it; 0 where untold."""
        found: Numbers = self.typical[some] - 1.0
        if self.untold is not None:
            found[self.untold[some]] = 0.0
        return found

    @classmethod
    def of(cls, windows: Windows) -> Traded:
        typical = np.empty(windows.minutes.close.shape)
        for start in range(0, WINDOW, AT_HAND):
            rows = slice(start, start + AT_HAND)
            some = np.add(windows.minutes.high[rows], windows.minutes.low[rows], out=typical[rows])
            some += windows.minutes.close[rows]
            some /= 3.0
        if windows.gapless and not np.isnan(windows.volume.min(initial=0.0)):
            return cls(typical, windows.volume, None)
        untold = np.isnan(typical) | np.isnan(windows.volume)
        volume = windows.volume.copy()
        volume[untold] = typical[untold] = 0.0
        return cls(typical, volume, untold)


def volume_by_price(windows: Windows, least_bars: int, traded: Traded | None = None) -> Profile:
    """(BINS, n) dollars traded at each of BINS equal steps between the lowest and the highest typical price, the lowest of those, and
    the step. A bar's volume lies at its typical price, so that one long wick does not stretch the profile. NaN where too few bars tell
    their volume, where none was traded, or where there is but one price."""
    typical, volume, untold = Traded.of(windows) if traded is None else traded
    n, told = len(windows), WINDOW if untold is None else WINDOW - untold.sum(axis=0)
    lowest, highest = _ends(typical, untold)
    step = (highest - lowest) / BINS
    enough = (told >= least_bars) & (step > 0)
    bins = np.empty(typical.shape, dtype=np.int64)
    begin, width, own = np.where(enough, lowest, 0.0), np.where(enough, step, 1.0), BINS * np.arange(n)
    for start in range(0, WINDOW, AT_HAND):
        some = typical[start : start + AT_HAND] - begin
        some /= width
        np.minimum(some, BINS - 1, out=some)
        if untold is not None:
            np.maximum(some, 0.0, out=some)
        rows = bins[start : start + AT_HAND]
        rows[:] = some
        rows += own
    dollars = np.ascontiguousarray(np.bincount(bins.ravel(), volume.ravel(), BINS * n).reshape(n, BINS).T)
    some = enough & (dollars.max(axis=0, initial=0.0) > 0)
    return np.where(some, dollars, np.nan), np.where(some, lowest, np.nan), np.where(some, step, np.nan)


def _ends(typical: Numbers, untold: NDArray[np.bool_] | None) -> tuple[Numbers, Numbers]:
    """(n,) the lowest and the highest, NaN where none is told."""
    if untold is None:
        return typical.min(axis=0), typical.max(axis=0)
    told = np.where(untold, np.nan, typical)
    return np.fmin.reduce(told, axis=0), np.fmax.reduce(told, axis=0)


def _volume_profile(profile: Profile) -> Iterator[Candidate]:
    traded, lowest, step = profile
    left = np.where(np.isnan(traded), -1.0, traded)
    most = left.max(axis=0, initial=-1.0)
    every = np.arange(traded.shape[1])
    for _ in range(PEAKS):
        peak = left.argmax(axis=0)
        height = left[peak, every]
        share = np.where(most > 0, height, np.nan) / np.where(most > 0, most, 1.0)
        there = share > 0
        price = np.where(there, lowest + (peak + 0.5) * step, np.nan)
        yield Candidate(LevelKind.VOLUME_PROFILE, price, np.where(there, share, 0.0) * WEIGHTS[LevelKind.VOLUME_PROFILE])
        for beside in (-1, 0, 1):  # the steps next to a peak belong to it
            left[np.clip(peak + beside, 0, BINS - 1), every] = -1.0


def anchors(windows: Windows, turns: Turns) -> dict[LevelKind, NDArray[np.int64]]:
    """(n,) the bar from which each VWAP counts, −1 where there is no such moment in the window: the token's first bar (only where the
    window begins before it), the last big swing, the begin of the day in UTC."""
    first = np.where(windows.first > 0, np.where(np.isnan(windows.first), 0, windows.first), -1).astype(np.int64)
    since_midnight = (windows.end - windows.interval_sec) % DAY_SEC // windows.interval_sec
    session = WINDOW - 1 - since_midnight
    return {
        LevelKind.VWAP_FIRST: np.where(first > 0, first, -1),
        LevelKind.VWAP_SWING: turns.newest_big(),
        LevelKind.VWAP_SESSION: np.where(session >= 0, session, -1),
    }


class Since:
    """What was traded from a bar on, up to the end of the window: volume, volume × price and volume × price², prices as distances from the
    last close. Summed from the end, by fives, so that what was before an anchor, however large, leaves no trace."""

    def __init__(self, traded: Traded) -> None:
        self.traded, self.volume = traded, traded.volume
        self.fives = np.empty((WINDOW // FIVE, 3, self.volume.shape[1]))
        for start in range(0, WINDOW, AT_HAND):
            self._sum_up(slice(start, start + AT_HAND))
        later = self.fives[-1]
        for five in self.fives[-2::-1]:
            five += later
            later = five
        self.busiest = self.volume.max(axis=0, initial=0.0)

    def _sum_up(self, rows: slice) -> None:
        """By fives, few enough rows at a time that each is fetched from memory once."""
        fives, volume, distance = self.fives[rows.start // FIVE : rows.stop // FIVE], self.volume[rows], self.traded.distance(rows)
        np.add.reduce(volume.reshape(len(fives), FIVE, -1), axis=1, out=fives[:, 0])
        dollars = volume * distance
        np.add.reduce(dollars.reshape(len(fives), FIVE, -1), axis=1, out=fives[:, 1])
        dollars *= distance
        np.add.reduce(dollars.reshape(len(fives), FIVE, -1), axis=1, out=fives[:, 2])

    def of(self, anchor: NDArray[np.int64]) -> Numbers:
        """(3, anchors, n) from (anchors, n)"""
        every, begun = np.arange(anchor.shape[1]), -(-anchor // FIVE)  # the first five that lies wholly behind the anchor
        whole = np.moveaxis(self.fives[np.minimum(begun, WINDOW // FIVE - 1), :, every], -1, 0)
        found: Numbers = np.where(begun < WINDOW // FIVE, whole, 0.0)
        for later in range(FIVE - 1):
            row = np.minimum(anchor + later, WINDOW - 1)
            volume, distance = np.where(anchor + later < begun * FIVE, self.volume[row, every], 0.0), self.traded.distance((row, every))
            found += np.stack([volume, volume * distance, volume * distance * distance])
        return found


def _anchored(windows: Windows, turns: Turns, traded: Traded) -> Iterator[Candidate]:
    """VWAP since each anchor, and one standard deviation (weighed by volume) to both sides."""
    since, of_kind = Since(traded), anchors(windows, turns)
    anchor = np.stack(list(of_kind.values()))
    weight, first, second = since.of(np.maximum(anchor, 0))
    known = (anchor >= 0) & (anchor <= WINDOW - ANCHORED_LEAST) & (weight > LEAST_TRADED * since.busiest)
    weight = np.where(known, weight, 1.0)
    mean = first / weight
    price = np.where(known, 1.0 + mean, np.nan)
    reach = np.sqrt(np.maximum(second / weight - mean * mean, 0.0))
    above, below = (np.where(reach > 0, price + side, np.nan) for side in (reach, -reach))
    for place, kind in enumerate(of_kind):
        yield Candidate(kind, price[place], WEIGHTS[kind])
        yield Candidate(LevelKind.VWAP_BAND, above[place], WEIGHTS[LevelKind.VWAP_BAND])
        yield Candidate(LevelKind.VWAP_BAND, below[place], WEIGHTS[LevelKind.VWAP_BAND])
