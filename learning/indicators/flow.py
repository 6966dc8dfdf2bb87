"""Prices weighed by what was traded at them, and volume with a sign: VWAP and its bands, OBV, MFI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.indicators.gaps import over_present_bars
from learning.indicators.windows import at_least_one, bars_in_window, holes, moments, rolling_sum, shifted, sums_of, totals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]


def typical_price(high: Numbers, low: Numbers, close: Numbers) -> Numbers:
    return (high + low + close) / 3.0


def vwap(high: Numbers, low: Numbers, close: Numbers, volume: Numbers, length: int = 30, least: int | None = None) -> Numbers:
    """Mean typical price of the last `length` rows, weighed by volume. A bar whose volume is unknown counts as no bar; NaN where nothing
    was traded."""
    at_least_one(length)
    dollars = typical_price(high, low, close)
    dollars *= volume
    gaps, least = holes(dollars, length), length if least is None else max(least, 1)
    traded = sums_of(volume, *gaps, length, least)
    found = sums_of(dollars, *gaps, length, least)
    if not np.fmin.reduce(traded, axis=None, initial=np.inf) > 0:
        np.copyto(traded, np.nan, where=traded <= 0)
    found /= traded
    return found


def vwap_of_all(high: Numbers, low: Numbers, close: Numbers, volume: Numbers, least: int) -> Numbers:
    """(n,) that of all rows."""
    dollars = typical_price(high, low, close) * volume
    known = ~np.isnan(dollars)
    traded, money = totals(np.where(known, volume, 0.0), np.where(known, dollars, 0.0))
    some = (traded > 0) & (known.sum(axis=0) >= least)
    return np.where(some, money, np.nan) / np.where(some, traded, 1.0)


def vwap_bands(
    high: Numbers, low: Numbers, close: Numbers, volume: Numbers, length: int = 30, width: float = 1.0, least: int | None = None
) -> tuple[Numbers, Numbers, Numbers]:
    """(lower, VWAP, upper): `width` standard deviations, weighed by volume as well, on either side."""
    at_least_one(length)
    typical = typical_price(high, low, close)
    missing = np.isnan(typical) | np.isnan(volume)
    weight, mean, squares = moments(typical, np.where(missing, 0.0, volume), length)
    known = (bars_in_window(missing, length) >= (length if least is None else max(least, 1))) & (weight > 0)
    mean = np.where(known, mean, np.nan)
    reach = width * np.sqrt(np.where(known, squares, np.nan) / np.where(known, weight, 1.0))
    return mean - reach, mean, mean + reach


def anchored_vwap(high: Numbers, low: Numbers, close: Numbers, volume: Numbers, anchors: Flags) -> tuple[Numbers, Numbers]:
    """VWAP since the newest anchor, and the standard deviation around it, both weighed by volume. `anchors` says at which bars counting
    begins anew, for all tokens (bars,) or for each (bars, tokens); before the first one nothing is known. A bar that is missing, or whose
    volume is unknown, adds nothing and hears nothing."""
    typical = typical_price(high, low, close)
    missing = np.isnan(typical) | np.isnan(volume)
    traded = np.where(missing, 0.0, volume)
    begins = np.broadcast_to(anchors if anchors.ndim == 2 else anchors[:, None], typical.shape)
    begun = np.zeros(typical.shape[1:], dtype=np.bool_)
    weight, mean, squares = (np.zeros(typical.shape[1:]) for _ in range(3))
    middle, deviation = np.full(typical.shape, np.nan), np.full(typical.shape, np.nan)
    for row in range(len(typical)):
        begun |= begins[row]
        for sums in (weight, mean, squares):
            sums[begins[row]] = 0.0
        before = weight.copy()
        weight += traded[row]
        some = weight > 0
        share = traded[row] / np.where(some, weight, 1.0)  # exactly 1 for the first
        distance = np.where(traded[row] > 0, typical[row] - mean, 0.0)
        mean += distance * share
        squares += before * share * distance * distance
        heard = begun & some & ~missing[row]
        middle[row] = np.where(heard, mean, np.nan)
        deviation[row] = np.sqrt(np.where(heard, squares, np.nan) / np.where(some, weight, 1.0))
    return middle, deviation


def obv(close: Numbers, volume: Numbers, length: int | None = None) -> Numbers:
    """On-balance volume: what was traded in rising bars less what was traded in falling ones.

    Without a length it runs from a token's first bar, as TA-Lib's does, and only its changes mean something; with one, it is that of the
    last `length` rows, which a live window and a long past agree on."""
    if length is None:
        return over_present_bars(lambda *packed: (_running_obv(*packed),), close, volume)[0]
    return rolling_sum(np.sign(close - shifted(close)) * volume, length)


def _running_obv(close: Numbers, volume: Numbers) -> Numbers:
    signed = volume.copy()
    signed[1:] *= np.sign(close[1:] - close[:-1])
    total: Numbers = np.cumsum(signed, axis=0)
    return total


def mfi(high: Numbers, low: Numbers, close: Numbers, volume: Numbers, length: int = 14) -> Numbers:
    """Money flow index, 0 to 100: the share of the traded money that moved at a rising typical price. NaN where none moved at a changed
    price. (TA-Lib says 0 there, and wherever less than one unit was moved.)"""
    typical = typical_price(high, low, close)
    change, money = typical - shifted(typical), typical * volume
    rising = rolling_sum(np.where(change > 0, money, 0.0), length)
    either = rolling_sum(np.where(np.isnan(change), np.nan, np.where(change == 0, 0.0, money)), length)
    moved = either > 0
    return 100.0 * np.where(moved, rising, np.nan) / np.where(moved, either, 1.0)
