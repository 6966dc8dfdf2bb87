"""Entry, stop and targets, and what follows from them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading import plan
from trading.judgement import BASES, RECOMMENDATIONS, RISKS
from trading.levels import EACH_SIDE, Levels
from trading.names import Basis, Recommendation, RiskClass
from trading.tests.points import NAN, RULE, WEAK, context, decided, levels

ATR = 0.01
FREE = replace(RULE, round_trip_cost=0.0)


def planned(side=1, found=None, atr=ATR, cost=0.0, rule=RULE):
    found = levels() if found is None else found
    return plan.make(np.array([side], dtype=np.int8), found, np.array([atr]), np.array([cost]), rule)


def many_levels(below, above, strength):
    one = levels()
    price, strong = one.price.copy(), one.strength.copy()
    for start, distances, way in ((0, below, -1), (EACH_SIDE, above, 1)):
        for place, distance in enumerate(sorted(distances)[:EACH_SIDE]):
            price[start + place], strong[start + place] = 1 + way * distance * ATR, strength
    return Levels(one.kind, price, strong, (price - 1) / ATR, one.support, one.resistance)


def test_without_levels_a_plan_is_the_rules_multiples_of_atr():
    found = planned()
    assert found.stop[0] == pytest.approx(1 - RULE.stop_atr * ATR)
    assert found.targets[:, 0] == pytest.approx([1 + multiple * ATR for multiple in (4.5, 7.5, 12)])
    assert found.reward_risk[0] == pytest.approx(8 / 3)


def test_a_fall_is_a_rise_mirrored():
    up, down = planned(1, levels(2.9, 4.6)), planned(-1, levels(4.6, 2.9))
    assert 1 - up.stop[0] == pytest.approx(down.stop[0] - 1)
    assert (up.targets - 1).ravel() == pytest.approx((1 - down.targets).ravel())


@pytest.mark.parametrize("distance", [2.8, 3.0, 3.2])
def test_a_stop_near_a_support_goes_the_margin_beyond_it(distance):
    found = planned(found=levels(support=distance))
    assert (1 - found.stop[0]) / ATR == pytest.approx(distance + RULE.level_margin_atr)


def test_targets_keep_their_proportion_to_a_stop_that_was_moved():
    found = planned(found=levels(support=3.2))
    assert (found.targets[:, 0] - 1) / (1 - found.stop[0]) == pytest.approx([1.5, 2.5, 4.0])


def test_the_first_target_is_not_put_behind_a_strong_level():
    weak, strong = (planned(found=levels(resistance=3.0, strength=strength)) for strength in (0.3, 0.7))
    assert (weak.targets[0, 0] - 1) / ATR == pytest.approx(4.5)
    assert (strong.targets[0, 0] - 1) / ATR == pytest.approx(3.0 - RULE.level_margin_atr)


@given(below=st.lists(st.floats(0.1, 15), max_size=6), above=st.lists(st.floats(0.1, 15), max_size=6), strength=st.floats(0.01, 0.99))
def test_no_stop_and_no_target_lies_within_the_margin_of_a_level(below, above, strength):
    found = planned(found=many_levels(below, above, strength))
    if not found.there[0]:
        return
    margin, stop, targets = RULE.level_margin_atr - 1e-6, (1 - found.stop[0]) / ATR, (found.targets[:, 0] - 1) / ATR
    assert RULE.stop_atr - 1e-9 <= stop <= RULE.stop_most_atr + 1e-6 or any(abs(stop - one) <= 0.25 + 1e-6 for one in below)
    assert all(abs(one - stop) >= margin for one in sorted(below)[:EACH_SIDE])
    assert (np.diff(np.r_[0, targets]) > 0).all()
    first = min([one for one in sorted(above)[:EACH_SIDE] if strength >= plan.STRONG], default=np.inf)
    assert targets[0] <= first - margin


def test_a_stop_that_levels_push_too_far_is_no_plan():
    chain = many_levels([2.9 + 0.45 * place for place in range(6)], [], 0.4)
    assert (1 - planned(found=chain).stop[0]) / ATR == pytest.approx(5.4)
    assert not planned(found=chain, rule=replace(RULE, stop_most_atr=4.0)).there[0]


@pytest.mark.parametrize("atr", [NAN, 0.0, 0.4])
def test_without_movement_or_with_too_much_of_it_there_is_no_plan(atr):
    found = planned(atr=atr)
    assert not found.there[0]
    assert np.isnan([found.stop[0], found.targets[0, 0], found.reward_risk[0]]).all()


@pytest.mark.parametrize("side", [1, -1])
def test_the_first_target_pays_what_the_rule_promises_and_never_less_than_the_stop_costs(side):
    found = planned(side)
    assert found.first_reward[0] == pytest.approx(RULE.target_1_atr / RULE.stop_atr)
    assert found.first_reward[0] > 1


@given(cost=st.floats(0, 0.2), atr=st.floats(1e-5, 0.1))
def test_costs_only_ever_make_a_plan_worse(cost, atr):
    free, dear = planned(atr=atr), planned(atr=atr, cost=cost)
    assert dear.reward_risk[0] <= free.reward_risk[0] + 1e-12


# What follows

RISING = {"trend_fives": 0.8, "trend_hours": 0.9, "adx": 40, "volatility": 0.9, "atr": ATR, "bars": 400, "missing": 0, "buy_share": 0.8}
BREAKING = {"over_high": 2, "under_low": -9, "volume_z": 6, "shock": 3, "vwap_atr": 3, "trend_fives": 0.9, "trend_minutes": 0.9}
BREAKING |= {"trend_hours": 0.9, "atr": ATR, "buy_share": 0.9, "missing": 0}
FALLING = {"trend_fives": -0.8, "trend_hours": -0.9, "adx": 40, "volatility": 0.9, "atr": ATR, "buy_share": 0.2}
CALM = {"trend_fives": 0.01, "trend_hours": 0.01, "adx": 10, "volatility": 0.8, "over_high": -4, "under_low": -4, "atr": ATR}
CALM |= {"variance_ratio": 0.3, "band_atr": 9.0}
TURNING = {"move_hour": 12, "rsi": 80, "wick_high": 0.7, "trend_minutes": -0.5, "atr": ATR}
WILD = {"volatility": 5, "shock": 0.5, "jump": 0.6, "band_atr": 30, "spread": 0.02, "atr": ATR}
WASHED = {"wallet_share": 0.05, "turnover": 40.0, "volume_z": 5.0, "shock": 0.1, "atr": ATR, "busiest_share": 0.7}


@pytest.mark.parametrize(
    ("seen", "found", "recommendation", "basis"),
    [
        (BREAKING, levels(), Recommendation.STRONG_BUY, Basis.SCENARIO),
        (
            BREAKING | {"trend_hours": -0.9, "trend_fives": -0.3, "volume_z": 1, "shock": 0.5, "missing": 0.3},
            levels(),
            Recommendation.BUY,
            Basis.SCENARIO,
        ),
        (RISING, levels(support=1.0), Recommendation.BUY_IN_DIPS, Basis.SCENARIO),
        (RISING, levels(support=5.0), Recommendation.HOLD, Basis.NO_SUPPORT_NEAR),
        (RISING, levels(support=1.0, resistance=1.0, strength=0.8), Recommendation.WAIT, Basis.REWARD_RISK),
        (RISING, levels(support=1.0, resistance=0.1, strength=0.8), Recommendation.WAIT, Basis.NO_PLAN),
        (CALM | {"band_place": 0.2}, levels(support=1.0), Recommendation.RANGE_TRADE, Basis.SCENARIO),
        (CALM | {"band_place": 0.5}, levels(support=1.0), Recommendation.WAIT, Basis.NOT_AT_AN_EDGE),
        (CALM | {"band_place": 0.2, "band_atr": 3.0}, levels(support=1.0), Recommendation.WAIT, Basis.BAND_TOO_NARROW),
        (FALLING, levels(resistance=1.0), Recommendation.SELL_ON_RALLIES, Basis.SCENARIO),
        (FALLING, levels(resistance=5.0), Recommendation.SELL, Basis.SCENARIO),
        (TURNING, levels(), Recommendation.SELL_ON_RALLIES, Basis.SCENARIO),
        (WILD, levels(), Recommendation.AVOID_HIGH_RISK, Basis.SCENARIO),
        (WASHED, levels(), Recommendation.AVOID, Basis.SCENARIO),
        ({}, levels(), Recommendation.WAIT, Basis.NOTHING_KNOWN),
        (WEAK, levels(), Recommendation.WAIT, Basis.NO_SCENARIO),
    ],
)
def test_every_recommendation_and_every_reason_can_be_reached(seen, found, recommendation, basis):
    judged = decided(context(**seen), found)
    assert RECOMMENDATIONS[judged.recommendation_original[0]] is recommendation
    assert BASES[judged.basis[0]] is basis


def test_that_list_names_every_recommendation_and_every_reason():
    cases = test_every_recommendation_and_every_reason_can_be_reached.pytestmark[0].args[1]
    assert {case[2] for case in cases} == set(Recommendation)
    assert {case[3] for case in cases} == set(Basis)


def test_a_range_may_be_sold_short_at_its_upper_edge_where_that_is_allowed():
    seen, found = context(**CALM, band_place=0.9), levels(resistance=1.0)
    assert decided(seen, found, may_be_short=True).side[0] == 0
    short = decided(seen, found, rule=replace(RULE, short=True), may_be_short=True)
    assert (short.side[0], RECOMMENDATIONS[short.recommendation[0]]) == (-1, Recommendation.RANGE_TRADE)
    assert short.stop[0] > short.entry[0] > short.targets[0, 0]


def test_a_rise_is_never_planned_as_a_fall():
    judged = decided(context(**RISING), levels(support=1.0), rule=replace(RULE, short=True), may_be_short=True)
    assert judged.stop[0] < judged.entry[0] < judged.targets[0, 0]


def test_costs_of_the_place_go_before_those_of_the_rule():
    cheap, dear = (decided(context(**BREAKING), levels(), round_trip_cost=cost) for cost in (0.001, 0.1))
    assert cheap.reward_risk[0] > 2
    assert BASES[dear.basis[0]] is Basis.REWARD_RISK


class _Sure:
    """A calibration that knows."""

    def __init__(self, chance):
        self.chance = chance

    def __call__(self, score):
        return np.full(len(score), self.chance), np.full(len(score), self.chance - 0.1), np.full(len(score), self.chance + 0.1)


@pytest.mark.parametrize(("chance", "recommendation"), [(0.9, Recommendation.STRONG_BUY), (0.45, Recommendation.BUY)])
def test_a_probability_is_held_against_what_the_trade_pays(chance, recommendation):
    judged = decided(context(**BREAKING), levels(), calibration=_Sure(chance))
    assert judged.confidence_is_probability[0]
    assert judged.expectancy[0] == pytest.approx(chance * judged.reward_risk[0] - (1 - chance))
    assert RECOMMENDATIONS[judged.recommendation[0]] is recommendation


def test_until_then_a_confidence_is_called_a_score():
    judged = decided(context(**BREAKING), levels())
    assert not judged.confidence_is_probability[0]
    assert judged.confidence[0] == judged.score[0]
    assert np.isnan([judged.expectancy[0], judged.confidence_low[0]]).all()


@pytest.mark.parametrize(
    ("atr", "risk"),
    [(0.005, RiskClass.LOW), (0.015, RiskClass.MEDIUM), (0.03, RiskClass.HIGH), (0.07, RiskClass.EXTREME), (NAN, RiskClass.UNKNOWN)],
)
def test_the_risk_grows_with_the_loss_at_the_stop(atr, risk):
    judged = decided(context(**(CALM | {"atr": atr, "band_place": 0.5})), levels(atr=atr))
    assert RISKS[judged.risk_class[0]] is risk


def test_wash_trades_are_an_extreme_risk_and_an_unknown_pool_a_high_one():
    assert RISKS[decided(context(**WASHED), levels()).risk_class[0]] is RiskClass.EXTREME
    assert RISKS[decided(context(**CALM), levels(), liquidity=NAN).risk_class[0]] is RiskClass.HIGH
