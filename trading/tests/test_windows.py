"""What a judged point may see."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens.bar_grid import PRICES, coarser, empty
from trading import windows
from trading.tests.points import MIDNIGHT, NAN, bars_of, market


def cut_newest(grid):
    return windows.cut(grid, np.full(len(grid.tokens), len(grid) - 1), np.arange(len(grid.tokens)))


def test_a_window_ends_with_the_judged_bar_and_is_empty_before_the_grid():
    found = cut_newest(bars_of([2.0, 4.0, 8.0]))
    assert found.minutes.close[-3:, 0].tolist() == [0.25, 0.5, 1.0]
    assert np.isnan(found.minutes.close[:-3]).all()
    assert (found.last[0], found.age[0], found.first[0]) == (8.0, 0, windows.WINDOW - 3)


def test_points_of_one_row_and_of_many_rows_are_cut_alike():
    grid = market(3, bars=700, gaps=0.1)
    rows, columns = np.array([650, 699, 699, 20]), np.array([1, 0, 3, 2])
    together = windows.cut(grid, rows, columns)
    for place in range(4):
        alone = windows.cut(grid, rows[place : place + 1], columns[place : place + 1])
        np.testing.assert_array_equal(together.minutes.high[:, place], alone.minutes.high[:, 0])
        np.testing.assert_array_equal(together.volume[:, place], alone.volume[:, 0])


@given(seed=st.integers(0, 999))
def test_longer_bars_are_those_of_the_grid(seed):
    grid = market(seed, bars=windows.WINDOW, gaps=0.4)
    found = cut_newest(grid)
    for each, bars in ((300, found.fives), (3600, found.hours)):
        whole = coarser(grid, each)
        for name in ("high", "low", "close"):
            np.testing.assert_allclose(getattr(bars, name) * found.last, getattr(whole, name), rtol=1e-11)


def test_a_gap_at_the_end_makes_the_price_old_not_zero():
    found = cut_newest(bars_of([2.0, 3.0, NAN, NAN]))
    assert (found.last[0], found.age[0]) == (3.0, 2)


def test_a_token_without_bars_is_unknown_in_all():
    found = cut_newest(bars_of([NAN, NAN]))
    assert np.isnan([found.last[0], found.age[0], found.first[0], found.day_high[0]]).all()


@pytest.mark.parametrize(("name", "value"), [("low", 0.0), ("high", np.inf), ("low", 5.0), ("open", 9.0), ("close", -1.0)])
def test_a_bar_that_nobody_could_have_traded_in_is_a_gap(name, value):
    grid = bars_of([2.0, 2.0, 2.0], reach=0.1)
    getattr(grid, name)[1, 0] = value
    assert cut_newest(grid).known[-3:, 0].tolist() == [True, False, True]


def test_the_range_of_a_day_that_was_not_seen_is_unknown():
    grid = bars_of([1.0] * 600, reach=0.1)
    assert np.isnan(cut_newest(grid).day_high[0])


def test_the_day_before_is_known_from_its_own_bars_only():
    grid = bars_of([1.0] * 1440 + [3.0] * 10, reach=0.5)
    found = cut_newest(grid)
    assert [found.day_high[0] * 3, found.day_low[0] * 3, found.day_close[0] * 3] == pytest.approx([1.5, 0.5, 1.0])


def test_a_day_of_which_a_third_is_missing_is_unknown():
    grid = bars_of([1.0] * 1000 + [NAN] * 440 + [1.0] * 10, reach=0.5)
    assert np.isnan(cut_newest(grid).day_low[0])


def test_a_day_that_begins_within_the_grid_needs_all_its_bars():
    grid = bars_of([1.0] * 1440 + [2.0] * 5, start=MIDNIGHT + 720 * 60, reach=0.5)
    assert np.isnan(cut_newest(grid).day_low[0])


def test_days_from_elsewhere_are_used_as_they_are():
    days = empty(windows.DAY_SEC, MIDNIGHT - windows.DAY_SEC, 1, np.array([1]))
    for name, value in zip(PRICES, (5.0, 6.0, 4.0, 5.0), strict=True):
        getattr(days, name)[:] = value
    found = windows.cut(bars_of([2.0]), np.array([0]), np.array([0]), days)
    assert (found.day_high[0], found.day_low[0]) == (3.0, 2.0)


def test_bars_that_do_not_make_a_whole_day_are_refused():
    with pytest.raises(ValueError, match="420 s"):
        windows.day_bars(empty(420, MIDNIGHT, 3, np.array([1])))
