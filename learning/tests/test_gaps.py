"""Averages with a memory go over the bars that exist, as if they were neighbours."""

from collections.abc import Callable

import numpy as np
import pytest

from learning import indicators as of
from learning.indicators.gaps import over_present_bars
from learning.tests.series import Series, walk

NAN = float("nan")
Numbers = np.ndarray
MEMORIES: dict[str, Callable[[Series], tuple[Numbers, ...]]] = {
    "rsi": lambda s: (of.rsi(s.close, 5),),
    "true range": lambda s: (of.true_range(s.high, s.low, s.close),),
    "atr": lambda s: (of.atr(s.high, s.low, s.close, 5),),
    "adx": lambda s: (of.adx(s.high, s.low, s.close, 5),),
    "di": lambda s: of.directional(s.high, s.low, s.close, 5),
    "ema": lambda s: (of.ema(s.close, 5),),
    "wilder": lambda s: (of.wilder(s.close, 5),),
    "macd": lambda s: of.macd(s.close, 3, 6, 4),
    "trix": lambda s: (of.trix(s.close, 3),),
    "keltner": lambda s: of.keltner(s.high, s.low, s.close, 5, 2.0, 4),
    "obv": lambda s: (of.obv(s.close, s.volume),),
    "together": lambda s: of.movement(s.high, s.low, s.close, 5),
}


@pytest.mark.parametrize("name", MEMORIES)
def test_over_gaps_it_says_what_it_says_of_the_bars_that_exist(name: str) -> None:
    series, present = walk(70, tokens=4), np.random.default_rng(3).random((70, 4)) > [0.0, 0.1, 0.5, 1.0]
    series = Series(*(np.where(present, side, NAN) for side in (series.high, series.low, series.close, series.volume)))
    for token in range(4):
        there = present[:, token]
        packed = Series(*(side[there][:, [token]] for side in (series.high, series.low, series.close, series.volume)))
        for found, alone in zip(MEMORIES[name](series), MEMORIES[name](packed), strict=True):
            np.testing.assert_allclose(found[there, token], alone[:, 0], rtol=1e-12)
            assert np.isnan(found[~there, token]).all()


def test_a_bar_is_there_where_all_series_have_it_and_behind_the_last_one_there_are_zeros() -> None:
    one = np.array([[1.0, NAN, 3.0, 4.0, 5.0], [1.0] * 5]).T
    other = np.array([[10.0, 20.0, NAN, 40.0, 50.0], [2.0] * 5]).T
    given: list[Numbers] = []

    def calculation(some: Numbers, others: Numbers) -> tuple[Numbers, ...]:
        given.extend((some, others))
        return some + others, np.cumsum(some, axis=0)

    sums, running = over_present_bars(calculation, one, other)
    assert [side[:, 0].tolist() for side in given] == [[1.0, 4.0, 5.0, 0.0, 0.0], [10.0, 40.0, 50.0, 0.0, 0.0]]
    np.testing.assert_array_equal(sums, np.array([[11.0, NAN, NAN, 44.0, 55.0], [3.0] * 5]).T)
    np.testing.assert_array_equal(running, np.array([[1.0, NAN, NAN, 5.0, 10.0], [1.0, 2.0, 3.0, 4.0, 5.0]]).T)


@pytest.mark.parametrize("name", MEMORIES)
def test_of_no_bars_it_says_nothing(name: str) -> None:
    nothing = np.empty((0, 2))
    assert [found.shape for found in MEMORIES[name](Series(nothing, nothing, nothing, nothing))] == [(0, 2)] * len(MEMORIES[name](walk(30)))
