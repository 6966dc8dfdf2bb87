"""The price arrives at a level that earlier bars made."""

import numpy as np
import pytest

from trading.names import Trigger
from trading.tests.stage_1 import firings, grid_of
from trading.thresholds import LONGEST_LEVEL
from trading.triggers.near_level import newest

UP_AND_BACK = [*np.linspace(100, 110, 15), *np.linspace(109.5, 102, 15), *np.linspace(102.3, 109.9, 25)]
TOP = 14


def rows(closes: list[float], **thresholds: object) -> list[int]:
    return [row for row, _ in firings(grid_of(list(closes)), Trigger.NEAR_LEVEL, **thresholds)]


def test_it_fires_when_the_price_comes_back_to_a_swing_and_only_when_it_arrives() -> None:
    found = rows([*UP_AND_BACK, *([109.9] * 10)])
    assert len([row for row in found if row >= 45]) == 1
    assert abs(UP_AND_BACK[found[-1]] / 110 - 1) < 0.01


def test_a_level_speaks_for_neither_side() -> None:
    assert {side for _, side in firings(grid_of(UP_AND_BACK), Trigger.NEAR_LEVEL)} == {0}


def test_a_swing_is_no_level_before_it_is_confirmed() -> None:
    assert all(row > TOP + 10 for row in rows(UP_AND_BACK))


@pytest.mark.parametrize(("least", "most", "widest"), [(0.0, 0.001, 0.001), (0.02, 0.03, 0.03)])
def test_near_is_clamped_between_two_shares_of_the_price(least: float, most: float, widest: float) -> None:
    closes = np.array(UP_AND_BACK)
    for row in rows(UP_AND_BACK, near_level_least=least, near_level_most=most):
        assert min(abs(closes[row] / level - 1) for level in (110 * 1.001, 102 * 0.999)) <= widest * 1.01


def test_a_level_is_forgotten_in_the_end() -> None:
    values, marked = np.arange(300.0)[:, None], np.zeros((300, 1), dtype=bool)
    marked[5] = True
    found = newest(values, marked)[:, 0]
    assert np.isnan(found[:5]).all()
    assert (found[5 : 5 + LONGEST_LEVEL] == 5).all()
    assert np.isnan(found[5 + LONGEST_LEVEL :]).all()
