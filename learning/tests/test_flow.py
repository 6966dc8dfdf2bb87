"""Prices weighed by volume."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning import indicators
from learning.tests.series import walk

NAN = float("nan")
bars = st.lists(st.tuples(st.floats(1e-6, 1e3), st.one_of(st.sampled_from([NAN, 0.0]), st.floats(1e-6, 1e6))), min_size=1, max_size=30)


def columns(given_bars: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(given_bars, dtype=np.float64)
    return table[:, :1], table[:, 1:]


def weighted(known: list[tuple[float, float]]) -> tuple[float, float]:
    """Mean and deviation of (price, volume)."""
    total = math.fsum(volume for _, volume in known)
    if total <= 0:
        return NAN, NAN
    mean = math.fsum(price * volume for price, volume in known) / total
    return mean, math.sqrt(math.fsum(volume * (price - mean) ** 2 for price, volume in known) / total)


@given(bars, st.integers(1, 9))
def test_vwap_and_its_bands_are_the_plain_formula_of_the_bars_with_a_volume(given_bars: list[tuple[float, float]], length: int) -> None:
    price, volume = columns(given_bars)
    found = indicators.vwap(price, price, price, volume, length, 1)[:, 0]
    _, middle, upper = indicators.vwap_bands(price, price, price, volume, length, 2.0, 1)
    for row in range(len(given_bars)):
        known = [bar for bar in given_bars[max(0, row - length + 1) : row + 1] if bar[1] == bar[1]]
        mean, deviation = weighted(known)
        assert found[row] == pytest.approx(mean, rel=1e-9, nan_ok=True)
        assert middle[row, 0] == pytest.approx(mean, rel=1e-9, nan_ok=True)
        assert upper[row, 0] == pytest.approx(mean + 2 * deviation, rel=1e-6, nan_ok=True)


@given(bars, st.sets(st.integers(0, 29)))
def test_an_anchored_vwap_counts_from_its_newest_anchor(given_bars: list[tuple[float, float]], anchors: set[int]) -> None:
    price, volume = columns(given_bars)
    begins = np.array([row in anchors for row in range(len(given_bars))])
    middle, deviation = indicators.anchored_vwap(price, price, price, volume, begins)
    for row, bar in enumerate(given_bars):
        start = max((anchor for anchor in anchors if anchor <= row), default=None)
        since = [] if start is None or bar[1] != bar[1] else [each for each in given_bars[start : row + 1] if each[1] == each[1]]
        expected = weighted(since)
        assert middle[row, 0] == pytest.approx(expected[0], rel=1e-9, nan_ok=True)
        assert deviation[row, 0] == pytest.approx(expected[1], rel=1e-6, abs=1e-9 * bar[0], nan_ok=True)


def test_tokens_may_have_anchors_of_their_own() -> None:
    price = np.array([[1.0, 1.0], [2.0, 2.0]])
    begins = np.array([[True, True], [False, True]])
    middle, _ = indicators.anchored_vwap(price, price, price, np.ones((2, 2)), begins)
    assert middle[1].tolist() == [1.5, 2.0]


def test_a_crash_before_the_anchor_leaves_no_trace() -> None:
    price = np.array([1.0, 1e-9, 1e-9, 3e-9])[:, None]
    middle, _ = indicators.anchored_vwap(price, price, price, np.ones((4, 1)), np.array([True, False, True, False]))
    assert middle[-1, 0] == pytest.approx(2e-9, rel=1e-12)


def test_where_nothing_was_traded_there_is_no_vwap() -> None:
    price = np.full((5, 1), 2.0)
    assert np.isnan(indicators.vwap(price, price, price, np.zeros((5, 1)), 3)).all()
    assert all(np.isnan(band).all() for band in indicators.vwap_bands(price, price, price, np.zeros((5, 1)), 3))


def test_obv_of_a_window_needs_no_past() -> None:
    series = walk(60)
    whole = indicators.obv(series.close, series.volume, 10)
    later = indicators.obv(series.close[30:], series.volume[30:], 10)
    np.testing.assert_array_equal(whole[40:], later[10:])
    running = indicators.obv(series.close, series.volume)
    np.testing.assert_allclose(whole[11:], running[11:] - running[1:-10])


def test_mfi_asks_only_how_much_of_the_money_moved_up() -> None:
    price = np.array([1.0, 2.0, 3.0, 2.0])[:, None]
    found = indicators.mfi(price, price, price, np.full((4, 1), 1e-12), 3)
    assert found[-1, 0] == pytest.approx(100 * (2 + 3) / (2 + 3 + 2))
