"""How an asset moves, whatever its price."""

import numpy as np
import pytest

from trading.market_state import LENGTH, STATES, StateRule, efficiency_of
from trading.names import MarketState
from trading.tests.stage_1 import calm, grid_of, market, states
from trading.thresholds import Thresholds


def names(grid, **rule: object) -> list[MarketState]:
    found = states(grid, **rule)
    return [found.name(row, 0) for row in range(len(grid))]


def test_a_straight_way_is_a_trend() -> None:
    assert names(grid_of([100 * 1.002**bar for bar in range(80)]))[-1] == MarketState.TREND


def test_to_and_fro_is_a_range() -> None:
    assert names(grid_of(calm(80)))[-1] == MarketState.RANGE


def test_a_price_that_stands_still_is_in_a_range() -> None:
    assert names(grid_of([5.0] * 60, reach=0.0))[-1] == MarketState.RANGE


def test_above_the_high_gate_everything_is_high_volatility() -> None:
    assert names(grid_of([100 * 1.002**bar for bar in range(80)]), atr_high=0.001)[-1] == MarketState.HIGH_VOL


def test_many_times_the_usual_range_is_high_volatility_below_the_gate_too() -> None:
    wild = calm(200) + [100.0 * (1.02 if bar % 2 else 1.0) for bar in range(30)]
    found = names(grid_of(wild))
    assert found[199] == MarketState.RANGE
    assert found[-1] == MarketState.HIGH_VOL


def test_before_there_are_enough_bars_and_at_a_missing_bar_it_is_unknown() -> None:
    found = names(grid_of([*calm(60), float("nan"), *calm(5)]))
    assert {*found[: 2 * LENGTH - 1], found[60]} == {MarketState.UNKNOWN}
    assert found[59] == found[-1] == MarketState.RANGE


def test_one_gap_does_not_make_an_hour_unknown() -> None:
    closes = calm(100)
    closes[70] = float("nan")
    assert MarketState.UNKNOWN not in names(grid_of(closes))[71:]


def test_tokens_may_have_a_gate_of_their_own() -> None:
    grid = market(4, tokens=2, gaps=0)
    found = states(grid, atr_high=np.array([1e-6, 1.0]), high_vol_ratio=50)
    assert (found.code[-100:, 0] == STATES.index(MarketState.HIGH_VOL)).all()
    assert (found.code[-100:, 1] != STATES.index(MarketState.HIGH_VOL)).all()


def test_without_gates_only_the_usual_range_makes_high_volatility() -> None:
    steep = grid_of([100 * 1.002**bar for bar in range(80)])
    assert names(steep, atr_high=Thresholds(atr_high=0.001).high_gate)[-1] == MarketState.HIGH_VOL
    assert names(steep, atr_high=Thresholds(atr_high=0.001, atr_gates_on=False).high_gate)[-1] == MarketState.TREND


@pytest.mark.parametrize("scale", [1e-9, 1e-4, 1e5])
def test_the_price_itself_plays_no_part(scale: float) -> None:
    np.testing.assert_array_equal(states(market(3, scale=scale)).code, states(market(3)).code)


def test_efficiency_is_one_for_a_straight_way_and_nothing_for_none() -> None:
    close = np.array([[1.0, 5.0, 1.0], [2.0, 5.0, 2.0], [3.0, 5.0, 1.0], [4.0, 5.0, 2.0]])
    np.testing.assert_allclose(efficiency_of(close, 3)[-1], [1.0, np.nan, 1 / 3])


def test_the_gate_in_the_settings_is_the_rules_unless_tokens_have_their_own() -> None:
    settings = {"trigger_atr_high": 0.02, "trigger_state_trend_adx": 30}
    assert StateRule.from_settings(settings) == StateRule(atr_high=0.02, trend_adx=30.0)
    assert StateRule.from_settings(settings, atr_high=0.5).atr_high == 0.5
