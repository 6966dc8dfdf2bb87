"""The triggers one by one: what makes each fire, for which side, and what does not."""

import numpy as np
import pytest

from trading.names import Trigger
from trading.tests.stage_1 import calm, calm_volume, fired_on, firings, grid_of, market

NAN = float("nan")
UP, DOWN = 1.02, 0.98


def with_volume(last: float, move: float = 1.0, usual: list[float] | None = None):
    volumes = [*(usual or calm_volume(60)), last]
    return grid_of([*([100.0] * (len(volumes) - 1)), 100.0 * move], volumes)


@pytest.mark.parametrize("robust", [True, False])
@pytest.mark.parametrize(("move", "direction"), [(UP, 1), (DOWN, -1), (1.0, 0)])
def test_rising_and_falling_bars_have_their_own_volume_spike(robust: bool, move: float, direction: int) -> None:
    assert firings(with_volume(500, move), Trigger.VOLUME_SPIKE, volume_robust=robust) == [(60, direction)]


def test_a_volume_spike_needs_the_ratio_as_well_as_the_score() -> None:
    grid = with_volume(180)
    assert firings(grid, Trigger.VOLUME_SPIKE, volume_ratio=2) == []
    assert firings(grid, Trigger.VOLUME_SPIKE, volume_ratio=1.5) == [(60, 0)]
    assert firings(grid, Trigger.VOLUME_SPIKE, volume_ratio=1.5, volume_z=6) == []


def test_the_bar_itself_is_not_among_those_it_is_compared_with() -> None:
    assert firings(with_volume(201), Trigger.VOLUME_SPIKE, volume_ratio=2) == [(60, 0)]
    assert firings(with_volume(199), Trigger.VOLUME_SPIKE, volume_ratio=2) == []


def test_earlier_spikes_hide_one_from_the_plain_score_only() -> None:
    usual = calm_volume(60)
    usual[20], usual[40] = 3000.0, 3000.0
    assert firings(with_volume(800, usual=usual), Trigger.VOLUME_SPIKE, volume_robust=False)[-1] != (60, 0)
    assert firings(with_volume(800, usual=usual), Trigger.VOLUME_SPIKE, volume_robust=True)[-1] == (60, 0)


def test_there_is_one_z_score_and_the_bar_itself_is_not_in_it() -> None:
    fired = fired_on(with_volume(500), volume_robust=False)
    assert fired.measure[Trigger.VOLUME_SPIKE][60, 0] == pytest.approx((500 - 100) / 10)
    assert fired.strength[Trigger.VOLUME_SPIKE][60, 0] == 1.0


@pytest.mark.parametrize("usual", [[0.0] * 60, [100.0] * 60, [NAN] * 60, calm_volume(9)])
def test_without_something_to_measure_by_no_volume_is_a_spike(usual: list[float]) -> None:
    assert firings(with_volume(500, usual=usual), Trigger.VOLUME_SPIKE) == []


def test_an_unknown_volume_is_no_spike_and_not_nothing_either() -> None:
    usual = calm_volume(60)
    usual[30:50] = [NAN] * 20
    assert firings(with_volume(NAN, usual=usual), Trigger.VOLUME_SPIKE) == []
    assert firings(with_volume(500, usual=usual), Trigger.VOLUME_SPIKE) == [(60, 0)]


def test_a_bar_far_wider_than_those_before_is_a_volatility_spike() -> None:
    assert firings(grid_of([*calm(40), 105.0]), Trigger.VOLATILITY_SPIKE) == [(40, 1)]
    assert firings(grid_of([*calm(40), 95.0]), Trigger.VOLATILITY_SPIKE) == [(40, -1)]
    assert firings(grid_of([*calm(40), 105.0]), Trigger.VOLATILITY_SPIKE, volatility_ratio=20) == []


def test_the_range_of_a_gap_is_not_that_of_a_bar() -> None:
    assert firings(grid_of([*calm(40), NAN, NAN, 105.0]), Trigger.VOLATILITY_SPIKE) == []


@pytest.mark.parametrize(("step", "direction"), [(1.003, 1), (0.997, -1)])
def test_a_price_far_from_its_vwap_deviates(step: float, direction: int) -> None:
    grid = grid_of([*calm(60), *(100 * step**bar for bar in range(1, 21))])
    found = firings(grid, Trigger.VWAP_DEVIATION, vwap_atr=2)
    assert found
    assert {side for _, side in found} == {direction}
    assert firings(grid, Trigger.VWAP_DEVIATION, vwap_atr=2, vwap_least=0.5) == []
    assert firings(grid, Trigger.VWAP_DEVIATION, vwap_atr=40) == []


def test_where_nothing_was_traded_nothing_deviates() -> None:
    assert firings(grid_of([100 * 1.01**bar for bar in range(60)], 0.0), Trigger.VWAP_DEVIATION) == []


SWITCHES = {
    Trigger.VOLUME_SPIKE: "volume_on",
    Trigger.RSI_DIVERGENCE: "divergence_on",
    Trigger.BREAKOUT: "breakout_on",
    Trigger.BREAKOUT_CONFIRMED: "breakout_on",
    Trigger.BREAKOUT_RETESTED: "breakout_on",
    Trigger.NEAR_LEVEL: "near_level_on",
    Trigger.VOLATILITY_SPIKE: "volatility_on",
    Trigger.VWAP_DEVIATION: "vwap_on",
}


@pytest.mark.parametrize("name", Trigger)
def test_every_trigger_has_a_switch_of_its_own(name: Trigger) -> None:
    grid = market(2, bars=600, tokens=8)
    assert fired_on(grid).on[name].any()
    off = fired_on(grid, **{SWITCHES[name]: False})
    assert not off.on[name].any()
    assert all(off.on[other].any() for other, switch in SWITCHES.items() if switch != SWITCHES[name])


@pytest.mark.parametrize("switch", sorted(set(SWITCHES.values())))
def test_a_switch_may_be_turned_for_some_tokens(switch: str) -> None:
    grid = market(2, bars=600, tokens=4)
    some = fired_on(grid, **{switch: np.array([True, False, True, False])})
    whole = fired_on(grid)
    for name in (name for name, its in SWITCHES.items() if its == switch):
        assert not some.on[name][:, [1, 3]].any()
        np.testing.assert_array_equal(some.on[name][:, [0, 2]], whole.on[name][:, [0, 2]])


def test_the_atr_gates_say_below_above_and_unknown() -> None:
    grid = grid_of([*calm(40), NAN])
    fired = fired_on(grid, atr_low=0.01, atr_high=0.02)
    assert fired.low_atr[:, 0].all()
    assert not fired.high_atr.any()
    assert fired_on(grid, atr_low=0.001, atr_high=0.002).high_atr[39, 0]
    assert not fired_on(grid, atr_gates_on=False, atr_low=0.01).low_atr.any()


def test_what_did_not_fire_says_nothing() -> None:
    fired = fired_on(grid_of(calm(30)))
    for name in Trigger:
        for said in (fired.direction[name], fired.strength[name], fired.measure[name]):
            assert not said[~fired.on[name]].any()
