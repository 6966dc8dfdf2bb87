"""What keeps a recommendation from being given."""

from dataclasses import replace

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading import gates
from trading.context import Facts
from trading.gates import GateMemory
from trading.judgement import GATES, RECOMMENDATIONS, joined, judge
from trading.names import Gate, Recommendation, Scenario
from trading.scenarios import SCENARIOS
from trading.tests.points import NAN, RULE, assert_same, context, decided, levels, market, only

BUY = {"over_high": 2, "under_low": -9, "volume_z": 6, "shock": 3, "vwap_atr": 3, "trend_fives": 0.9, "trend_minutes": 0.9}
BUY |= {"trend_hours": 0.9, "atr": 0.01, "buy_share": 0.9, "missing": 0, "bars": 400, "age": 0}
FALL = {"trend_fives": -0.8, "trend_hours": -0.9, "adx": 40, "volatility": 0.9, "atr": 0.01, "missing": 0, "bars": 400, "age": 0}
STRENGTH = {
    Recommendation.STRONG_BUY: 4,
    Recommendation.BUY: 3,
    Recommendation.BUY_IN_DIPS: 2,
    Recommendation.RANGE_TRADE: 2,
    Recommendation.SELL: 3,
    Recommendation.SELL_ON_RALLIES: 2,
    Recommendation.HOLD: 1,
    Recommendation.WAIT: 0,
    Recommendation.AVOID: 0,
    Recommendation.AVOID_HIGH_RISK: 0,
}


def point(at=0, rule=RULE, **figures):
    """A point that would be a buy, with some figures of its context or of the judgement changed."""
    seen = {name: figures.pop(name) for name in list(figures) if name in BUY}
    judged = decided(context(**(BUY | seen)), levels(), rule=rule)
    return replace(judged, end=judged.end + at, **{name: np.array([value]) for name, value in figures.items()})


def passed(judged, memory=None, rule=RULE):
    found, memory = gates.apply(judged, GateMemory.empty(1) if memory is None else memory, rule)
    return GATES[found.gate[0]], RECOMMENDATIONS[found.recommendation[0]], memory


def many(seed, points=60, width=4, gaps=0.15):
    grid = market(seed, bars=560, width=width, gaps=gaps)
    chance = np.random.default_rng(seed)
    rows, columns = np.sort(chance.choice(560, points, replace=False)), chance.integers(0, width, points)
    facts = replace(Facts.unknown(points), liquidity=chance.choice([1e4, 2e4, 1e6], points))
    return judge(grid, rows, columns, facts=facts)


def test_what_nothing_holds_back_passes():
    assert passed(point())[:2] == (Gate.NONE, Recommendation.STRONG_BUY)


# gate, a figure that closes it, one in between, one that opens it again
HYSTERESIS = [
    (Gate.STALE, {"age": 3}, {"age": 2}, {"age": 1}),
    (Gate.GAPS, {"missing": 0.45}, {"missing": 0.3}, {"missing": 0.1}),
    (Gate.LOW_ATR, {"atr": 0.001}, {"atr": 0.0018}, {"atr": 0.003}),
    (Gate.HIGHER_TIME_FRAME, {"higher_agreement": 0.4}, {"higher_agreement": 0.5}, {"higher_agreement": 0.6}),
    (Gate.CONFIDENCE, {"confidence": 0.5}, {"confidence": 0.52}, {"confidence": 0.6}),
    (Gate.IMPACT, {"impact": 0.05}, {"impact": 0.025}, {"impact": 0.01}),
]


@pytest.mark.parametrize(("gate", "closes", "between", "opens"), HYSTERESIS)
def test_a_gate_closes_at_one_figure_and_opens_only_at_a_better_one(gate, closes, between, opens):
    rule = replace(RULE, low_atr_exempt=1.1, round_trip_cost=0.0)
    open_, shut = passed(point(rule=rule, **between), rule=rule), passed(point(rule=rule, **closes), rule=rule)
    assert (open_[0], shut[0]) == (Gate.NONE, gate)
    still, again = passed(point(rule=rule, **between), shut[2], rule), passed(point(rule=rule, **opens), shut[2], rule)
    assert (still[0], again[0]) == (gate, Gate.NONE)
    assert shut[1] is still[1] is Recommendation.WAIT


def test_an_expectancy_closes_where_confidence_is_a_probability():
    sure = {"confidence_is_probability": True, "confidence": 0.3}
    assert passed(point(**sure, expectancy=-0.1))[0] is Gate.CONFIDENCE
    assert passed(point(**sure, expectancy=0.4))[0] is Gate.NONE


def test_too_few_bars_hold_everything_back():
    assert passed(point(bars=29))[0] is Gate.TOO_FEW_BARS


def test_an_unknown_figure_leaves_a_gate_as_it_was():
    shut = passed(point(missing=0.9))[2]
    assert passed(point(missing=NAN), shut)[0] is Gate.GAPS
    assert passed(point(missing=NAN))[0] is Gate.NONE


def test_a_token_without_any_bar_is_stale():
    assert passed(point(age=NAN))[0] is Gate.STALE


def test_low_movement_does_not_hold_back_the_sure():
    assert passed(point(atr=0.001, rule=replace(RULE, round_trip_cost=0.0)), rule=replace(RULE, round_trip_cost=0.0))[0] is Gate.NONE


def test_opposites_of_equal_score_contradict_each_other():
    judged = point()
    against = replace(judged, read=replace(judged.read, opposite=np.array([0.97])))
    assert passed(against)[0] is Gate.CONTRADICTION
    assert passed(point(contradictory=True))[0] is Gate.CONTRADICTION


def test_longer_bars_say_nothing_about_a_turn():
    turn = replace(point(higher_agreement=0.1), scenario=np.array([SCENARIOS.index(Scenario.BULLISH_REVERSAL)], dtype=np.int8))
    assert passed(turn)[0] is Gate.NONE


def test_leaving_is_not_held_back_by_what_concerns_entering():
    judged = decided(context(**FALL), levels(resistance=9))
    late = replace(judged, impact=np.array([0.9]), higher_agreement=np.array([0.0]))
    assert passed(late)[:2] == (Gate.NONE, Recommendation.SELL)


def test_the_plan_of_what_was_held_back_is_kept_but_not_entered():
    judged, _ = gates.apply(point(missing=0.9), GateMemory.empty(1), RULE)
    assert judged.recommendation_original[0] == RECOMMENDATIONS.index(Recommendation.STRONG_BUY)
    assert judged.stop[0] > 0
    assert not judged.enters[0]
    assert gates.apply(point(), GateMemory.empty(1), RULE)[0].enters[0]


# The pause


def test_an_entry_that_goes_on_is_no_new_one():
    memory = passed(point())[2]
    assert passed(point(at=60), memory)[0] is Gate.NONE


def test_a_new_entry_waits_for_the_pause():
    memory = passed(point())[2]
    memory = passed(point(at=60, missing=0.9), memory)[2]
    early, late = (passed(point(at=at), memory)[0] for at in (RULE.cool_down_sec - 1, RULE.cool_down_sec))
    assert (early, late) == (Gate.COOL_DOWN, Gate.NONE)


def test_being_held_back_does_not_begin_the_pause_anew():
    memory = passed(point())[2]
    for at in (60, 120, 180, 240):
        memory = passed(point(at=at, missing=0.9 if at == 60 else 0.0), memory)[2]
    assert passed(point(at=300), memory)[0] is Gate.NONE


# Of all of them


@given(seed=st.integers(0, 400))
def test_a_gate_never_makes_a_recommendation_stronger(seed):
    judged, _ = gates.apply(many(seed), GateMemory.empty(4), RULE)
    for before, after, gate in zip(judged.recommendation_original, judged.recommendation, judged.gate, strict=True):
        assert STRENGTH[RECOMMENDATIONS[after]] <= STRENGTH[RECOMMENDATIONS[before]]
        assert (after == before) == (gate == 0)


@given(seed=st.integers(0, 400))
@hypothesis.settings(max_examples=15)
def test_all_points_at_once_are_one_after_the_other(seed):
    judged = many(seed, points=20)
    whole, memory = gates.apply(judged, GateMemory.empty(4), RULE)
    step_by_step = GateMemory.empty(4)
    for place in range(len(judged)):
        alone, step_by_step = gates.apply(only(judged, place), step_by_step, RULE)
        assert (alone.gate[0], alone.recommendation[0]) == (whole.gate[place], whole.recommendation[place])
    assert_same(memory, step_by_step)


@given(seed=st.integers(0, 100))
@hypothesis.settings(max_examples=15)
def test_the_order_in_which_points_are_given_does_not_matter(seed):
    judged = many(seed)
    order = np.random.default_rng(seed).permutation(len(judged))
    whole, memory = gates.apply(judged, GateMemory.empty(4), RULE)
    shuffled, other = gates.apply(joined([only(judged, place) for place in order]), GateMemory.empty(4), RULE)
    np.testing.assert_array_equal(shuffled.gate, whole.gate[order])
    assert_same(memory, other)


@given(seed=st.integers(0, 100))
@hypothesis.settings(max_examples=15)
def test_a_memory_survives_the_database(seed):
    _, memory = gates.apply(many(seed), GateMemory.empty(4), RULE)
    assert_same(GateMemory.stored(memory.closed_bits, memory.standing, memory.entered_at), memory)


def test_no_points_leave_the_memory_as_it_is():
    memory = passed(point(missing=0.9))[2]
    none = only(point(), 5)
    assert_same(gates.apply(none, memory, RULE)[1], memory)


def test_limits_that_cross_each_other_close():
    rule = replace(RULE, gaps_close=0.1, gaps_open=0.5)
    assert passed(point(missing=0.3, rule=rule), rule=rule)[0] is Gate.GAPS
