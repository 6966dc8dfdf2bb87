"""Wilder's indicators together: RSI, ATR, ADX and true range of the same bars, for little more than the time of one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from learning.indicators.gaps import over_present_bars
from learning.indicators.momentum import gains_and_changes, rsi_of_averages
from learning.indicators.smoothing import from_mean, remembered
from learning.indicators.true_range import adx_of_sums, directed_moves, running_sum, true_range_of_present
from learning.indicators.windows import at_least_one

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]


class Movement(NamedTuple):
    rsi: Numbers
    atr: Numbers
    adx: Numbers
    true_range: Numbers


def movement(high: Numbers, low: Numbers, close: Numbers, length: int = 14) -> Movement:
    """Each as the function of its name says it."""
    at_least_one(length - 1)
    return Movement(*over_present_bars(lambda *packed: _movement(*packed, length=length), high, low, close))


def _movement(high: Numbers, low: Numbers, close: Numbers, *, length: int) -> tuple[Numbers, ...]:
    gain, change, ranging, net, either, spare = np.empty((6, *close.shape))
    gains_and_changes(close, gain, change)
    true_range_of_present(high, low, close, ranging, spare)
    directed_moves(high, low, net, either, spare)
    means = [from_mean(moves, length, 1.0 / length, 1, into) for moves, into in ((gain, gain), (change, change), (ranging, spare))]
    sums = [running_sum(moves, length, moves) for moves in (net, either)]
    gain, change, average, net, either = remembered([*means, *sums], length)
    return rsi_of_averages(gain, change, close, length), average, adx_of_sums(net, either, close, length), ranging
