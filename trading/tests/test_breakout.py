"""Broken, confirmed, retested: each once, each at its own bar."""

import numpy as np
import pytest

from trading.names import Trigger
from trading.tests.stage_1 import calm, fired_on, firings, grid_of

NAN = float("nan")
BEFORE = calm(40)  # between 100 and 100.5, so the level is 100.6 with the bars' reach, and 99.9 below
STEPS = (Trigger.BREAKOUT, Trigger.BREAKOUT_CONFIRMED, Trigger.BREAKOUT_RETESTED)


def steps(after: list[float], **thresholds: object) -> list[list[int]]:
    """How many bars after the calm each step came."""
    grid = grid_of([*BEFORE, *after])
    return [[row - len(BEFORE) for row, _ in firings(grid, name, **thresholds)] for name in STEPS]


def test_a_breakout_is_broken_confirmed_and_retested() -> None:
    assert steps([101.5, 101.8, 101.9, 100.7, 102.0]) == [[0], [1], [3]]


def test_downwards_it_is_the_same_upside_down() -> None:
    grid = grid_of([*BEFORE, 99.0, 98.7, 98.6, 99.8, 98.5])
    assert [firings(grid, name) for name in STEPS] == [[(40, -1)], [(41, -1)], [(43, -1)]]


def test_a_fall_back_below_the_level_confirms_nothing() -> None:
    assert steps([101.5, 100.2, 100.3, 100.2]) == [[0], [], []]


@pytest.mark.parametrize(("confirm", "when"), [(0, 0), (1, 1), (3, 3)])
def test_it_is_confirmed_after_as_many_closes_as_asked(confirm: int, when: int) -> None:
    assert steps([101.5, 101.6, 101.5, 101.6], breakout_confirm=confirm)[1] == [when]


def test_a_missing_bar_confirms_nothing() -> None:
    assert steps([101.5, NAN, 101.6])[1] == []


def test_a_price_that_goes_on_breaks_out_once() -> None:
    assert steps([101.5 * 1.004**bar for bar in range(8)])[0] == [0]


def test_a_close_just_beyond_is_not_enough() -> None:
    assert steps([100.65], breakout_margin=1.0)[0] == []
    assert steps([100.65], breakout_margin=0)[0] == [0]


def test_a_high_without_a_close_is_no_breakout() -> None:
    grid = grid_of([*BEFORE, 100.4])
    grid.high[40] = 105.0
    assert firings(grid, Trigger.BREAKOUT) == []


def test_the_retest_must_come_in_time() -> None:
    late = [101.5, *([102.0] * 10), 100.7]
    assert steps(late, breakout_retest_bars=10)[2] == [11]
    assert steps(late, breakout_retest_bars=9)[2] == []


def test_after_a_clear_close_below_the_level_there_is_nothing_to_retest() -> None:
    assert steps([101.5, 101.8, 99.0, 100.7])[2] == []


def test_a_retest_closes_beyond_the_level() -> None:
    assert steps([101.5, 101.8, 100.55])[2] == []


def test_too_few_bars_before_make_no_level() -> None:
    grid = grid_of([*calm(40)[:9], 101.5])
    assert firings(grid, Trigger.BREAKOUT) == []


def test_how_near_a_retest_comes_may_be_set_for_each_token_and_for_each_bar() -> None:
    """The same bars twice. The level is 100.6; with the reach of nobody the bar that comes back to it does not come near enough."""
    grid = grid_of([*BEFORE, 101.5, 101.8, 101.9, 101.0, 102.0]).columns(np.array([0, 0]))
    of_token, of_bar = np.array([2.0, 0.0]), np.full((len(grid), 2), 2.0)
    of_bar[43, 0] = of_bar[:, 1] = 0.0
    found = [fired_on(grid, breakout_retest_reach=reach).on[Trigger.BREAKOUT_RETESTED] for reach in (2.0, 0.0, of_token, of_bar)]
    rows = [[np.flatnonzero(on[:, token]).tolist() for token in (0, 1)] for on in found]
    assert rows[0][0] != rows[1][0]
    assert rows[2] == [rows[0][0], rows[1][1]]
    assert rows[3][1] == rows[1][1]
