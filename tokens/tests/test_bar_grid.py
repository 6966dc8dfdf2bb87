"""Bars of many tokens on one time axis."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens.bar_grid import AMOUNTS, PRICES, Grid, coarser, empty, joined, place

MINUTE = 60


def grid_of(closes: list[list[float]], first_open: int = 0) -> Grid:
    close = np.array(closes, dtype=np.float64)
    whole = empty(MINUTE, first_open, len(close), np.arange(close.shape[1]))
    for name in (*PRICES, *AMOUNTS):
        getattr(whole, name)[:] = close
    return whole


def rows_of(**columns: list[float]) -> dict[str, np.ndarray]:
    length = len(columns["token"])
    return {name: np.array(columns.get(name, [1.0] * length), dtype=np.float64) for name in ("token", "open_time", *PRICES, *AMOUNTS)}


def test_rows_find_their_places_whatever_their_order() -> None:
    rows = rows_of(token=[9, 3, 9], open_time=[120, 60, 60], close=[4.0, 5.0, 6.0])
    found = place(MINUTE, 60, 2, np.array([9, 3]), rows)
    np.testing.assert_array_equal(found.close, [[6.0, 5.0], [4.0, np.nan]])


def test_what_lies_outside_the_grid_is_left_out() -> None:
    rows = rows_of(token=[1, 1, 1, 2, 7], open_time=[0, 240, 90, 60, 60])
    assert np.isnan(place(MINUTE, 60, 3, np.array([1]), rows).close).all()


def test_a_grid_of_no_tokens_takes_no_rows() -> None:
    assert place(MINUTE, 0, 3, np.array([], dtype=np.int64), rows_of(token=[1], open_time=[0])).close.shape == (3, 0)


def test_a_long_bar_is_made_of_the_short_ones_inside_it() -> None:
    five = coarser(grid_of([[3.0], [1.0], [np.nan], [9.0], [2.0]]), 300)
    assert [getattr(five, name)[0, 0] for name in (*PRICES, "volume")] == [3.0, 9.0, 1.0, 2.0, 15.0]


def test_a_long_bar_in_which_nothing_was_seen_is_missing() -> None:
    five = coarser(grid_of([[np.nan]] * 5), 300)
    assert all(np.isnan(getattr(five, name)).all() for name in (*PRICES, *AMOUNTS))


def test_a_long_bar_that_is_only_begun_is_left_out() -> None:
    assert len(coarser(grid_of([[1.0]] * 9), 300)) == 1
    assert len(coarser(grid_of([[1.0]] * 4), 300)) == 0


def test_a_long_bar_may_have_begun_before_the_grid() -> None:
    five = coarser(grid_of([[1.0], [2.0], [3.0]], first_open=120), 300)
    assert (five.open_time[0], five.open[0, 0], five.close[0, 0]) == (0, 1.0, 3.0)


def test_an_interval_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="90 s are not made of bars of 60 s"):
        coarser(grid_of([[1.0]]), 90)


@given(st.lists(st.one_of(st.just(float("nan")), st.floats(1e-12, 1e9)), min_size=1, max_size=60), st.integers(0, 4))
def test_what_comes_later_changes_no_long_bar(closes: list[float], lead: int) -> None:
    early = coarser(grid_of([[close] for close in closes], lead * MINUTE), 300)
    late = coarser(grid_of([[close] for close in [*closes, 7.0, 8.0, 9.0, 1.0, 2.0]], lead * MINUTE), 300)
    for name in (*PRICES, *AMOUNTS):
        np.testing.assert_array_equal(getattr(late, name)[: len(early)], getattr(early, name))


def test_two_grids_in_a_row_are_one() -> None:
    both = grid_of([[1.0], [2.0], [3.0]])
    together = joined(both.rows(slice(0, 1)), both.rows(slice(1, None)))
    np.testing.assert_array_equal(together.close, both.close)
    np.testing.assert_array_equal(together.open_time, both.open_time)


def test_grids_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="do not go together"):
        joined(grid_of([[1.0]]), grid_of([[1.0, 2.0]]))


def test_tokens_can_be_picked() -> None:
    assert grid_of([[1.0, 2.0, 3.0]]).columns(np.array([2, 0])).close.tolist() == [[3.0, 1.0]]


def test_a_grid_whose_columns_do_not_fit_is_refused() -> None:
    grid = grid_of([[1.0], [2.0]])
    with pytest.raises(ValueError, match="volume"):
        replace(grid, volume=grid.volume[:1])


def test_of_no_bars_there_are_no_longer_bars() -> None:
    grid = empty(60, 0, 0, np.array([7]))
    assert (len(coarser(grid, 300)), coarser(grid, 300).interval_sec) == (0, 300)
