"""What the market of a token seems to be doing."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trading import scenarios
from trading.context import Context
from trading.names import Scenario, Trigger
from trading.scenarios import LEAST_COVERAGE, SCENARIOS, SIDES, TABLES, Divergences, ramp, read, weighed
from trading.tests.points import NAN, RULE, WEAK, context, levels, market, newest
from trading.triggers.firing import Fired

figures = st.one_of(st.just(NAN), st.floats(-1e3, 1e3))
BREAKING = {"over_high": 2.0, "under_low": -12.0, "volume_z": 5.0, "shock": 3.0, "vwap_atr": 3.0, "trend_fives": 0.5, "trend_minutes": 0.7}
BREAKING |= {"buy_share": 0.8, "atr": 0.01, "rsi": 60.0}
CALM = {"trend_fives": 0.01, "trend_hours": -0.02, "adx": 12.0, "volatility": 0.8, "over_high": -4.0, "under_low": -4.0, "atr": 0.01}
CALM |= {"variance_ratio": 0.3, "volume_z": 0.0, "shock": 0.1}
WASHED = {"wallet_share": 0.05, "turnover": 40.0, "volume_z": 5.0, "shock": 0.1, "atr": 0.01, "busiest_share": 0.7}


def chosen(**known):
    found = read(context(**known), levels(), Divergences.unknown(1), RULE)
    return SCENARIOS[found.chosen[0]]


@pytest.mark.parametrize("scenario", TABLES)
def test_the_weights_of_a_scenario_sum_to_one(scenario):
    assert sum(TABLES[scenario].values()) == pytest.approx(1.0)


@given(values=st.fixed_dictionaries({field.name: figures for field in fields(Context)}))
def test_no_score_leaves_0_to_1_whatever_the_figures(values):
    found = read(context(**values), levels(1.0, 1.0), Divergences(np.array([1.0]), np.array([0.0])), RULE)
    known = found.score[~np.isnan(found.score)]
    assert ((known >= 0) & (known <= 1)).all()
    assert ((found.coverage >= 0) & (found.coverage <= 1 + 1e-9)).all()


@given(parts=st.dictionaries(st.sampled_from("abcdef"), st.one_of(st.just(NAN), st.floats(0, 1)), min_size=6), weights=st.data())
def test_what_is_unknown_leaves_the_sum_and_the_rest_is_scaled(parts, weights):
    load = {name: weights.draw(st.floats(0.1, 1)) for name in parts}
    load = {name: value / sum(load.values()) for name, value in load.items()}
    score, coverage = weighed(load, {name: np.array([value]) for name, value in parts.items()})
    known = [name for name in parts if not np.isnan(parts[name])]
    assert coverage[0] == pytest.approx(sum(load[name] for name in known))
    if coverage[0] >= LEAST_COVERAGE:
        assert score[0] == pytest.approx(sum(load[name] * parts[name] for name in known) / sum(load[name] for name in known))
    else:
        assert np.isnan(score[0])


def test_scores_do_not_saturate():
    scores = newest(market(1, width=300)).read.score
    assert np.nanmax(scores) < 1
    assert len(np.unique(scores[~np.isnan(scores)])) > 1000


def test_nothing_known_is_no_scenario():
    found = read(context(), levels(), Divergences.unknown(1), RULE)
    assert SCENARIOS[found.chosen[0]] is Scenario.NONE
    assert np.isnan(found.score).all()


@pytest.mark.parametrize(
    ("known", "scenario"),
    [
        (BREAKING, Scenario.BULLISH_BREAKOUT),
        (CALM, Scenario.RANGE_BOUND),
        (WASHED, Scenario.MANIPULATED),
        ({"trend_fives": 0.8, "trend_hours": 0.9, "adx": 40, "volatility": 1.0, "atr": 0.01}, Scenario.BULLISH_CONTROL),
        ({"trend_fives": -0.8, "trend_hours": -0.9, "adx": 40, "volatility": 1.0, "atr": 0.01}, Scenario.BEARISH_CONTROL),
        ({"move_hour": -12, "rsi": 22, "wick_low": 0.7, "trend_minutes": 0.5, "atr": 0.01}, Scenario.BULLISH_REVERSAL),
        ({"move_hour": 12, "rsi": 80, "wick_high": 0.7, "trend_minutes": -0.5, "atr": 0.01}, Scenario.BEARISH_REVERSAL),
        ({"volatility": 5, "shock": 0.5, "jump": 0.6, "band_atr": 30, "spread": 0.02, "atr": 0.01}, Scenario.HIGH_VOLATILITY),
    ],
)
def test_a_market_of_a_kind_is_seen_as_that_kind(known, scenario):
    assert chosen(**known) is scenario


def mirrored(seen):
    """The same market with up and down exchanged."""
    signs = ("shock", "vwap_atr", "trend_minutes", "trend_fives", "trend_hours", "move_hour")
    turned = {name: -getattr(seen, name) for name in signs}
    swapped = {one: getattr(seen, other) for one, other in (("over_high", "under_low"), ("under_low", "over_high"))}
    swapped |= {one: getattr(seen, other) for one, other in (("wick_low", "wick_high"), ("wick_high", "wick_low"))}
    return replace(seen, **turned, **swapped, rsi=100 - seen.rsi, buy_share=1 - seen.buy_share)


@given(values=st.fixed_dictionaries({field.name: st.one_of(st.just(NAN), st.floats(0, 4)) for field in fields(Context)}))
def test_what_speaks_for_the_rise_speaks_mirrored_for_the_fall(values):
    seen = context(**values)
    one = read(seen, levels(1.0, 3.0), Divergences.unknown(1), RULE).score[:, 0]
    other = read(mirrored(seen), levels(3.0, 1.0), Divergences.unknown(1), RULE).score[:, 0]
    swap = {scenario: Scenario(scenario.replace("bull", "?").replace("bear", "bull").replace("?", "bear")) for scenario in SIDES}
    for code, scenario in enumerate(SCENARIOS):
        assert other[SCENARIOS.index(swap.get(scenario, scenario))] == pytest.approx(one[code], nan_ok=True)


def test_a_likely_manipulation_wins_over_the_finest_breakout():
    assert chosen(**BREAKING, wallet_share=0.02, turnover=100.0, busiest_share=0.9) is Scenario.MANIPULATED


def test_bars_alone_do_not_accuse():
    bars = context(volume_z=9.0, shock=0.0, busiest_share=0.9, wick_low=0.95, volatility=9.0)
    found = read(bars, levels(), Divergences.unknown(1), RULE)
    assert np.isnan(found.score[SCENARIOS.index(Scenario.MANIPULATED), 0])


@pytest.mark.parametrize(("share", "part"), [(0.05, 1.0), (0.1, 1.0), (0.2, 0.5), (0.3, 0.0), (0.9, 0.0)])
def test_few_wallets_for_many_trades_are_suspicious(share, part):
    found = read(context(wallet_share=share), levels(), Divergences.unknown(1), RULE)
    assert found.parts[Scenario.MANIPULATED]["few_wallets"][0] == pytest.approx(part)


@pytest.mark.parametrize(("turnover", "part"), [(2.0, 0.0), (5.0, 0.0), (12.5, 0.5), (20.0, 1.0), (500.0, 1.0)])
def test_a_day_that_turns_the_pool_over_many_times_is_suspicious(turnover, part):
    found = read(context(turnover=turnover), levels(), Divergences.unknown(1), RULE)
    assert found.parts[Scenario.MANIPULATED]["churned"][0] == pytest.approx(part)


def test_a_weak_best_is_no_scenario():
    found = read(context(**WEAK), levels(), Divergences.unknown(1), RULE)
    assert 0 < np.nanmax(found.score) < RULE.least_scenario
    assert SCENARIOS[found.chosen[0]] is Scenario.NONE


def test_the_margin_is_over_the_best_of_another_direction():
    found = read(context(**BREAKING), levels(), Divergences.unknown(1), RULE)
    bearish = [code for code, scenario in enumerate(SCENARIOS) if SIDES.get(scenario, 0) != 1]
    assert found.margin[0] == pytest.approx(np.nanmax(found.score[:, 0]) / np.nanmax(found.score[bearish, 0]))


@given(low=st.floats(-10, 10), high=st.floats(-10, 10), values=st.lists(st.floats(-20, 20), min_size=2))
@example(low=-2.5e-308, high=0.0, values=[0.0, 5.0])
def test_a_ramp_rises_from_0_to_1(low, high, values):
    found = ramp(np.sort(values), low, high)
    assert (np.diff(found) >= 0).all()
    assert ((found >= 0) & (found <= 1)).all()


def fired_at(row, direction, rows=40):
    on, signs = np.zeros((rows, 1), dtype=bool), np.zeros((rows, 1), dtype=np.int8)
    on[row], signs[row] = True, direction
    nothing = np.zeros((rows, 1))
    name = Trigger.RSI_DIVERGENCE
    return Fired({name: on}, {name: signs}, {name: nothing}, {name: nothing}, nothing, on, on, on)


@pytest.mark.parametrize(("row", "seen"), [(30, 1), (16, 1), (15, 0), (31, 0)])
def test_a_divergence_counts_for_a_while_and_never_before_it_is_seen(row, seen):
    found = Divergences.seen_by(fired_at(row, 1), np.array([30]), np.array([0]))
    assert (found.bullish[0], found.bearish[0]) == (seen, 0)


def test_nobody_looked_is_not_nothing_seen():
    unseen = newest(market(1, width=1)).read.parts[Scenario.BULLISH_REVERSAL]["divergence"][0]
    assert np.isnan(unseen)
    assert scenarios.Divergences.seen_by(fired_at(3, -1), np.array([5]), np.array([0])).bearish[0] == 1
