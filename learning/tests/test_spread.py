"""z-scores: there is one of each kind, and the bar itself is never among those it is compared with."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning import indicators

NAN = float("nan")
# Six digits, as amounts of money have them: what differs differs by more than the noise of arithmetic.
amount = st.one_of(st.just(0.0), st.floats(1e-9, 1e9).map(lambda value: float(f"{value:.6g}")))
amounts = st.lists(st.one_of(st.just(NAN), amount), min_size=1, max_size=30)


def column(values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def plain_z(known: list[float], value: float) -> float:
    spread = statistics.pstdev(known)
    return (value - statistics.fmean(known)) / spread if spread > 1e-12 * abs(statistics.fmean(known)) else NAN


def robust(known: list[float], value: float) -> float:
    median = statistics.median(known)
    distances = [abs(other - median) for other in known]
    spread = 1.4826 * statistics.median(distances)
    if spread <= 1e-12 * median:
        spread = 1.2533 * statistics.fmean(distances)
    return (value - median) / spread if spread > 1e-12 * median else NAN


@pytest.mark.parametrize(("name", "formula"), [("z_score", plain_z), ("robust_z", robust)])
@given(values=amounts, length=st.integers(2, 9), data=st.data())
def test_a_z_score_is_the_plain_formula_of_the_bars_before(name, formula, values: list[float], length: int, data: st.DataObject) -> None:
    least = data.draw(st.integers(1, length))
    found = getattr(indicators, name)(column(values), length, least)[:, 0]
    for row, value in enumerate(values):
        known = [other for other in values[max(0, row - length) : row] if other == other]
        expected = formula(known, value) if len(known) >= least else NAN
        assert found[row] == pytest.approx(expected, rel=1e-6, abs=1e-6, nan_ok=True)


@given(amounts, st.integers(1, 9), st.data())
def test_at_some_places_it_says_what_it_says_everywhere(values: list[float], length: int, data: st.DataObject) -> None:
    grid = np.column_stack([values, values[::-1]])
    rows = np.array(data.draw(st.lists(st.integers(0, len(values) - 1), max_size=5)), dtype=np.intp)
    columns = rows % 2
    least = data.draw(st.integers(1, length))
    np.testing.assert_array_equal(
        indicators.robust_z_at(grid, rows, columns, length, least), indicators.robust_z(grid, length, least)[rows, columns]
    )


def test_unless_told_otherwise_every_row_before_must_hold_a_bar_at_some_places_too() -> None:
    grid = column([1.0, 2.0, NAN, 4.0, 8.0, 9.0, 7.0, 7.5])
    rows = np.arange(8)
    found = indicators.robust_z_at(grid, rows, 0 * rows, 3)
    np.testing.assert_array_equal(found, indicators.robust_z(grid, 3)[:, 0])
    assert (~np.isnan(found)).tolist() == [False] * 6 + [True] * 2


def test_windows_that_mostly_stand_still_each_have_their_own_mean_distance() -> None:
    grid = np.array([[5.0, 3.0], [5.0, 3.0], [5.0, 3.0], [6.0, NAN], [7.0, 4.0]])
    for token in (0, 1):
        known = grid[:4, token][~np.isnan(grid[:4, token])].tolist()
        expected = robust(known, grid[4, token])
        assert indicators.robust_z(grid, 4, 2)[4, token] == pytest.approx(expected, nan_ok=True)
    both = np.array([[5.0, 3.0], [5.0, 3.0], [5.0, 3.0], [6.0, NAN], [5.0, 9.0], [7.0, 4.0]])
    found = indicators.robust_z(both, 5, 2)[5]
    for token in (0, 1):
        known = both[:5, token][~np.isnan(both[:5, token])].tolist()
        assert found[token] == pytest.approx(robust(known, both[5, token]))


def test_a_value_beyond_all_measure_breaks_nothing() -> None:
    assert indicators.robust_z(column([1e-200, 3e-200, 1e300]), 2)[-1, 0] == np.inf


def test_a_spike_does_not_widen_what_it_is_measured_by() -> None:
    values = column([9.0, 11.0] * 10 + [100.0])
    assert indicators.z_score(values, 20)[-1, 0] == 90.0


def test_earlier_spikes_widen_the_plain_score_and_not_the_robust_one() -> None:
    values = column([9.0, 11.0] * 9 + [1000.0, 10.0, 100.0])
    assert indicators.z_score(values, 20)[-1, 0] < 1
    assert indicators.robust_z(values, 20)[-1, 0] > 50


@pytest.mark.parametrize("name", ["z_score", "robust_z"])
def test_what_does_not_vary_measures_nothing(name: str) -> None:
    assert np.isnan(getattr(indicators, name)(column([3.3] * 20 + [99.0]), 20)[-1, 0])


def test_where_most_bars_are_equal_the_mean_distance_takes_the_place_of_mad() -> None:
    found = indicators.robust_z(column([0.0] * 8 + [10.0, 10.0, 50.0]), 10)[-1, 0]
    assert found == pytest.approx(50 / (1.2533 * 2))
