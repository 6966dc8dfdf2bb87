"""Why, and what would change the mind."""

import json
from dataclasses import fields

import numpy as np
import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from trading import context as contexts
from trading import flips, gates, narrative, texts
from trading.calibration import Calibration
from trading.judgement import GATES, RECOMMENDATIONS, judge
from trading.names import Basis, Gate, LevelKind, Quantity, Recommendation, RiskClass, Scenario, Session
from trading.scenarios import SCENARIOS, SIDES, TABLES, Divergences
from trading.tests.points import NAN, RULE, bars_of, context, decided, levels, market


def told_newest(grid, **changed):
    rule = type(RULE)(**changed)
    n = len(grid.tokens)
    facts = contexts.Facts.unknown(n)
    facts.liquidity[:] = 1e6
    judged = judge(grid, np.full(n, len(grid) - 1), np.arange(n), rule=rule, facts=facts)
    judged, _ = gates.apply(judged, gates.GateMemory.empty(n), rule)
    return [narrative.item(judged, place, rule) for place in range(n)]


@given(seed=st.integers(0, 300))
def test_every_judgement_can_be_stored_and_told(seed):
    for told in told_newest(market(seed, width=6, gaps=0.2)):
        again = json.loads(json.dumps(told, allow_nan=False))
        for code, figures in narrative.tell(again):
            assert "%(" not in texts.sentence(code, figures)


def test_every_part_of_every_scenario_has_a_sentence_with_its_figures():
    every = {field.name: 0.5 for field in fields(contexts.Context)}
    for scenario, table in TABLES.items():
        for name in table:
            told = {"context": every, "support_atr": 1.0, "resistance_atr": 1.0}
            code, figures = narrative._part(name, SIDES.get(scenario, 0), told)
            assert "%(" not in texts.sentence(code, figures)
            assert str(texts.TEMPLATES[code]).count("%(") == len(figures), code


def test_every_reason_and_every_gate_has_a_sentence():
    codes = {f"basis_{basis}" for basis in Basis if basis is not Basis.SCENARIO} | {
        f"gate_{gate}" for gate in Gate if gate is not Gate.NONE
    }
    assert codes <= texts.TEMPLATES.keys()


@pytest.mark.parametrize(
    ("names", "table"),
    [
        (Scenario, texts.SCENARIOS),
        (Recommendation, texts.RECOMMENDATIONS),
        (Gate, texts.GATES),
        (LevelKind, texts.LEVELS),
        (RiskClass, texts.RISKS),
        (Session, texts.SESSIONS),
    ],
)
def test_every_name_is_shown_in_words(names, table):
    assert set(table) == set(names)


def test_a_price_of_a_millionth_keeps_its_digits():
    assert texts.sentence("flip_price", {"value": 1.234e-6, "move": 0.021, "recommendation": "BUY"}) == (
        "A price of $0.000001234 (+2.1 %) would make it: buy."
    )


def test_what_is_unknown_is_a_dash():
    assert "–" in texts.sentence("part_volume", {"volume_z": None})


def test_the_sentences_are_asked_for_in_the_language_of_the_reader():
    with translation.override("de"):
        assert texts.sentence("flip_nothing", {})


def test_a_score_is_not_told_as_a_probability():
    codes = [code for told in told_newest(market(3, width=20)) for code, _ in narrative.tell(told)]
    assert "score" in codes
    assert "probability" not in codes


def test_a_sale_of_what_cannot_be_sold_short_is_told_to_mean_leave():
    found = decided(context(atr=0.02, trend_fives=-0.9, trend_hours=-0.9, adx=40, bars=400, missing=0), levels(resistance=8))
    told = narrative.item(found, 0, RULE)
    assert told["recommendation"] == Recommendation.SELL
    assert ("sell_means_leave", {}) in narrative.tell(told)


def test_a_gate_is_told_with_its_figure_and_its_limits():
    told = next(
        one for one in told_newest(market(5, width=200), confidence_close=0.9, confidence_open=0.9) if one["gate"] == Gate.CONFIDENCE
    )
    figures = dict(narrative.tell(told))["gate_confidence"]
    assert figures["confidence"] <= figures["confidence_close"] == 0.9
    assert figures["original"] == told["recommendation_original"] != told["recommendation"] == Recommendation.WAIT


RISING = {"over_high": 2, "under_low": -9, "volume_z": 6, "shock": 3, "vwap_atr": 3, "trend_fives": 0.9, "trend_minutes": 0.9}
RISING |= {"trend_hours": 0.9, "atr": 0.01, "buy_share": 0.9, "missing": 0, "bars": 400, "age": 0}


def told_of_a_chance(chance, **facts):
    """A clear rise, of which a calibration says that so many came true."""
    known = Calibration((0.0, 1.0), (chance, chance), (chance / 2,) * 2, (chance / 2 + 0.5,) * 2, 500, chance)
    judged, _ = gates.apply(decided(context(**RISING), levels(), calibration=known, **facts), gates.GateMemory.empty(1), RULE)
    return dict(narrative.tell(narrative.item(judged, 0, RULE)))


def test_a_probability_is_told_as_one_with_the_interval_it_lies_in():
    told = told_of_a_chance(0.9)
    assert told["probability"] == {"confidence": 0.9, "confidence_low": 0.45, "confidence_high": pytest.approx(0.95)}
    assert told["plan_up"]["reward_risk"] == 1.2
    assert told.keys().isdisjoint({"score", "liquidity_assumed"})


def test_a_trade_that_loses_on_average_is_held_back_by_what_may_be_expected_of_it():
    """One in ten wins 1.2 times what the other nine lose."""
    told = told_of_a_chance(0.1)
    limits = {"expectancy_close": RULE.expectancy_close, "expectancy_open": RULE.expectancy_open}
    assert told["gate_expectancy"] == {"expectancy": pytest.approx(0.1 * 1.2 - 0.9), "original": "BUY", **limits}
    assert told.keys().isdisjoint({"gate_confidence", "plan_up"})


def test_an_assumed_liquidity_is_told_with_the_impact_it_was_assumed_for():
    told = told_of_a_chance(0.9, liquidity=NAN)
    assert told["liquidity_assumed"]["impact"] == told["gate_impact"]["impact"] > RULE.impact_close


def test_of_a_point_of_which_nothing_is_known_that_is_all_that_is_told():
    told = narrative.item(decided(context(), levels()), 0, RULE)
    assert (told["scenario"], told["confidence"]) == (Scenario.NONE, None)
    assert narrative.tell(told) == [(f"basis_{Basis.NOTHING_KNOWN}", {})]


# What would change the mind


def asked(seed, width=4, **changed):
    grid = market(seed, width=width)
    facts = contexts.Facts.unknown(width)
    facts.liquidity[:] = 1e6
    memory = gates.GateMemory.empty(width)
    return flips.Asked(grid, len(grid) - 1, np.arange(width), Divergences.unknown(width), type(RULE)(**changed), None, facts, memory)


def said(one, grid):
    n = len(grid.tokens)
    judged = judge(grid, np.full(n, one.row), np.arange(n), rule=one.rule, facts=one.facts)
    return gates.apply(judged, one.memory, one.rule)[0].recommendation


@pytest.mark.parametrize("seed", range(5))
def test_a_price_that_is_said_to_flip_the_recommendation_does(seed):
    one = asked(seed)
    found = flips.nearest(one)[Quantity.PRICE]
    before, grid = said(one, one.grid), one.grid.columns(np.arange(4))
    there = ~np.isnan(found.move)
    grid.close[-1, there] = found.value[there]
    grid.high[-1], grid.low[-1] = np.maximum(grid.high[-1], grid.close[-1]), np.minimum(grid.low[-1], grid.close[-1])
    after = said(one, grid)
    assert there.any()
    assert (after[there] != before[there]).all()
    assert (after[there] == found.recommendation[there]).all()


@pytest.mark.parametrize("seed", range(3))
def test_no_smaller_step_of_the_price_flips_it(seed):
    one = asked(seed)
    found, before = flips.nearest(one)[Quantity.PRICE], said(one, one.grid)
    atr = contexts.measure(one.grid).atr[-1]
    for step in np.arange(-8, 8.1, 0.5):
        grid = one.grid.columns(np.arange(4))
        grid.close[-1] += step * atr
        grid.high[-1], grid.low[-1] = np.maximum(grid.high[-1], grid.close[-1]), np.minimum(grid.low[-1], grid.close[-1])
        smaller = ~(np.abs(step * atr) >= np.abs(found.value - one.grid.close[-1]) - 1e-12 * grid.close[-1])
        np.testing.assert_array_equal(said(one, grid)[smaller], before[smaller])


def test_a_volume_that_is_said_to_flip_the_recommendation_does():
    one = asked(1, width=40)
    found, before, grid = flips.nearest(one)[Quantity.VOLUME], said(one, one.grid), one.grid.columns(np.arange(40))
    there = ~np.isnan(found.move)
    for name in ("volume", "buy_volume"):
        getattr(grid, name)[-1, there] *= 1 + found.move[there]
    assert there.any()
    assert (said(one, grid)[there] != before[there]).all()


def test_a_confidence_that_flips_is_a_limit_of_the_rule():
    one = asked(2, width=40)
    found, before = flips.nearest(one)[Quantity.CONFIDENCE], said(one, one.grid)
    buys = (before == RECOMMENDATIONS.index(Recommendation.BUY_IN_DIPS)) & ~np.isnan(found.move)
    assert buys.any()
    assert (np.abs(found.value[buys] - RULE.confidence_close) < 0.02).all()


def test_rsi_that_is_said_to_flip_stays_between_0_and_100():
    found = flips.nearest(asked(4, width=40))[Quantity.RSI]
    known = found.value[~np.isnan(found.move)]
    assert len(known)
    assert ((known >= 0) & (known <= 100)).all()


def test_a_closed_gate_is_looked_at_with_the_memory_that_closed_it():
    one = asked(6, confidence_close=0.05, confidence_open=0.99)
    one.memory.closed[GATES.index(Gate.CONFIDENCE)] = True
    assert (said(one, one.grid) != RECOMMENDATIONS.index(Recommendation.BUY)).all()
    confidence = flips.nearest(one)[Quantity.CONFIDENCE]
    opened = ~np.isnan(confidence.move)
    assert (confidence.value[opened] >= 0.97).all()


def test_a_token_without_a_newest_bar_can_be_moved_by_nothing():
    grid = bars_of([1.0, 1.1, 1.2] * 60 + [float("nan")] * 20, reach=0.01)
    one = flips.Asked(
        grid, len(grid) - 1, np.array([0]), Divergences.unknown(1), RULE, None, contexts.Facts.unknown(1), gates.GateMemory.empty(1)
    )
    found = flips.nearest(one)
    assert np.isnan([found[Quantity.PRICE].move[0], found[Quantity.VOLUME].move[0]]).all()
    assert narrative.tell_flips(narrative.flips_of(found, 0)) == [("flip_nothing", {})]


def test_the_scenarios_of_the_tables_are_all_but_none():
    assert set(SCENARIOS) - set(TABLES) == {Scenario.NONE}
