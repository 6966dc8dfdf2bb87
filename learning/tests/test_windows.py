"""Windows beside the plain formulae, and what a window must never remember."""

import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning import indicators
from learning.indicators.windows import bars_in_window, mean_and_std_of

NAN = float("nan")
gappy = st.lists(st.one_of(st.just(NAN), st.floats(1e-6, 1e6)), min_size=1, max_size=40)
lengths = st.integers(1, 12)
few = settings(max_examples=settings().max_examples // 2)


def column(values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def windows(values: list[float], length: int) -> list[list[float]]:
    """What is known in the last `length` rows, at each row."""
    return [[value for value in values[max(0, row - length + 1) : row + 1] if value == value] for row in range(len(values))]


PLAIN = {
    "rolling_sum": lambda known: float(sum(map(Fraction, known))),
    "rolling_mean": lambda known: float(sum(map(Fraction, known)) / len(known)),
    "rolling_max": max,
    "rolling_min": min,
    "rolling_std": statistics.pstdev,
    "rolling_median": statistics.median,
    "mad": lambda known: statistics.median(abs(value - statistics.median(known)) for value in known),
}


@pytest.mark.parametrize("name", PLAIN)
@few
@given(values=gappy, length=lengths, data=st.data())
def test_a_window_says_the_plain_formula_of_the_bars_it_holds(name: str, values: list[float], length: int, data: st.DataObject) -> None:
    least = data.draw(st.integers(1, length))
    found = getattr(indicators, name)(column(values), length, least)[:, 0]
    for known, value in zip(windows(values, length), found, strict=True):
        if len(known) < least:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(PLAIN[name](known), rel=1e-9, abs=1e-9 * max(known) if name in ("rolling_std", "mad") else 0)


@given(gappy, lengths)
def test_without_a_least_every_row_must_hold_a_bar(values: list[float], length: int) -> None:
    whole = np.array([row + 1 >= length and len(known) == length for row, known in enumerate(windows(values, length))])
    for name in PLAIN:
        assert (~np.isnan(getattr(indicators, name)(column(values), length)[:, 0]) == whole).all(), name


@pytest.mark.parametrize("name", [*PLAIN, "slope"])
@few
@given(values=gappy, earlier=st.lists(st.floats(1e-6, 1e12), max_size=30), length=st.integers(2, 12))
def test_it_depends_on_the_bars_in_it_and_on_nothing_else_to_the_last_bit(
    name: str, values: list[float], earlier: list[float], length: int
) -> None:
    values = [*([1.0] * length), *values]
    alone = getattr(indicators, name)(column(values), length)
    after_others = getattr(indicators, name)(column([*earlier, *values]), length)[len(earlier) :]
    np.testing.assert_array_equal(alone[length - 1 :], after_others[length - 1 :])


def test_a_huge_value_leaves_without_a_trace() -> None:
    values = column([5.0, 1e300, *[5.0, 7.0] * 10])
    assert indicators.rolling_sum(values, 4)[-1, 0] == 24.0
    assert indicators.rolling_mean(values, 4)[5, 0] == 6.0
    assert indicators.rolling_std(column([1e150, *[0.5, 1.5] * 10]), 4)[-1, 0] == 0.5


@pytest.mark.parametrize("price", [0.1, 1e-9, 1e5 / 3])
def test_equal_values_have_no_spread_and_no_slope(price: float) -> None:
    values = column([price] * 30)
    mean, deviation = indicators.rolling_mean(values, 7), indicators.rolling_std(values, 7)
    assert (deviation[6:] == 0).all()
    assert (indicators.slope(values, 7)[6:] == 0).all()
    assert mean[-1, 0] == pytest.approx(price, rel=1e-15)


@given(st.lists(st.floats(-1e3, 1e3), min_size=8, max_size=30))
def test_the_slope_is_that_of_least_squares(values: list[float]) -> None:
    found = indicators.slope(column(values), 8)[:, 0]
    for row in range(7, len(values)):
        assert found[row] == pytest.approx(np.polynomial.polynomial.polyfit(range(8), values[row - 7 : row + 1], 1)[1], rel=1e-6, abs=1e-9)


def test_bars_in_a_window_are_counted() -> None:
    missing = np.array([[False], [True], [False], [False]])
    assert bars_in_window(missing, 3)[:, 0].tolist() == [1, 1, 2, 2]
    assert bars_in_window(np.zeros((4, 1), dtype=bool), 3)[:, 0].tolist() == [1, 2, 3, 3]


@given(st.integers(0, 6), st.lists(st.integers(0, 11), max_size=2), st.integers(1, 5))
def test_bars_are_counted_alike_where_only_the_first_rows_lack_them_and_elsewhere(begun: int, holes: list[int], length: int) -> None:
    missing = np.zeros((6, 2), dtype=bool)
    missing[:begun] = True
    missing.flat[holes] = True
    plainly = [(~missing[max(0, row + 1 - length) : row + 1]).sum(axis=0) for row in range(6)]
    np.testing.assert_array_equal(np.broadcast_to(bars_in_window(missing, length), missing.shape), plainly)


@pytest.mark.parametrize("length", [0, -3])
def test_a_window_of_nothing_is_refused(length: int) -> None:
    for name in PLAIN:
        with pytest.raises(ValueError, match=f"a window of {length} bars"):
            getattr(indicators, name)(column([1.0]), length)


@pytest.mark.parametrize("name", [*PLAIN, "sma"])
def test_a_window_of_one_row_writes_nothing_into_what_it_is_given(name: str) -> None:
    values = column([1.0, NAN, 3.0])
    values.setflags(write=False)
    found = getattr(indicators, name)(values, 1, *([2] if name in PLAIN else []))
    assert not np.shares_memory(found, values)
    assert np.isnan(found).all() == (name in PLAIN)


def test_a_value_of_before_is_not_known_before_the_first() -> None:
    np.testing.assert_array_equal(indicators.shifted(column([1.0, 2.0]), 1), [[NAN], [1.0]])
    assert np.isnan(indicators.shifted(column([1.0, 2.0]), 5)).all()


@given(st.lists(gappy.map(lambda values: (values * 12)[:12]), min_size=1, max_size=3), st.integers(1, 12))
def test_a_figure_of_the_last_row_alone_is_that_of_the_whole_series(columns: list[list[float]], least: int) -> None:
    values, volume = np.array(columns).T, np.array(columns[::-1]).T[::-1]
    prices = 2 * values, values / 2, values
    both = (
        (indicators.z_score_of_last(values, least), indicators.z_score(values, 11, least)),
        (indicators.vwap_of_all(*prices, volume, least), indicators.vwap(*prices, volume, 12, least)),
    )
    for alone, whole in both:
        np.testing.assert_allclose(alone, whole[-1], rtol=1e-9, atol=1e-12)


@given(gappy)
def test_a_column_says_the_same_alone_and_beside_others(values: list[float]) -> None:
    wide = np.repeat(column(values), 3, axis=1)
    for found, alone in zip(mean_and_std_of(wide), mean_and_std_of(column(values)), strict=True):
        np.testing.assert_array_equal(found, np.repeat(alone, 3))
