import math
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import score_models
from scoring.metrics import METRICS, Memory, score_tick
from scoring.models import RANGES
from scoring.revisions import WEIGHTS
from scoring.tests import reference
from scoring.tests.columns import formula, inputs, plain, token, tokens, words

MODELS = list(score_models.REGISTRY)
weights = st.lists(st.just(0.0) | st.floats(0.01, 100), min_size=4, max_size=4).filter(any)
STEADY = {"tx_count_5m": 1000, "tx_count_1h": 12_000, "volume_5m": 1e6, "volume_1h": 1.2e7, "buys_volume_5m": 5e5, "sells_volume_5m": 5e5}
STEADY |= {"holders": 5000, "holders_before": 5000, "holders_before_sec": 3600.0, "last_trade_age_sec": 0.0, "liquidity": 1e12}


def scored(rows, by, memory=None, elapsed=30.0):
    first = memory is None
    memory = memory or Memory.empty(len(rows))
    return score_tick(inputs(rows), memory, np.full(len(rows), np.nan if first else elapsed), np.full(len(rows), 30.0), by)


@pytest.mark.parametrize("model", MODELS)
@given(row=tokens, weights=weights)
def test_a_first_score_equals_the_plain_formula(model, row, weights):
    found = scored([row], formula(model, weights))
    states = [state for _, state in reference.metrics(row, 180, 1800)]
    values = [value for value, _ in reference.metrics(row, 180, 1800)]
    if model == "hybrid_momentum_fair":
        values = [
            reference.fair_part(name, row, state) if state in reference.COUNTS else None
            for name, state in zip(METRICS, states, strict=True)
        ]
    expected = reference.score(model, row, values, states, weights)
    assert words(found.measured.state[:, 0]) == states
    assert plain(found.score) == [None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9)]


@pytest.mark.parametrize("model", MODELS)
@given(rows=st.lists(tokens, min_size=2, max_size=6), weights=weights)
def test_a_history_equals_the_plain_formula(model, rows, weights):
    by, memory = formula(model, weights), None
    histories = [[] for _ in METRICS]
    for place, row in enumerate(rows):
        found = scored([row], by, memory)
        memory = found.memory
        for name, history, (value, state) in zip(METRICS, histories, reference.metrics(row, 180, 1800), strict=True):
            if model == "hybrid_momentum_fair" and value is not None:
                value = reference.fair_part(name, row, state)
            history.append((30.0 if place else 0.0, value))
    averages = [reference.smoothed(history, 0.3, 30.0) for history in histories]
    expected = reference.score(model, row, averages, words(found.measured.state[:, 0]), weights)
    assert plain(found.score) == [None if expected is None else pytest.approx(expected, rel=1e-6, abs=1e-9)]


@pytest.mark.parametrize("model", MODELS)
@given(rows=st.lists(tokens, min_size=1, max_size=5), weights=weights)
def test_the_contributions_are_the_score_to_the_last_bit(model, rows, weights):
    found = scored(rows, formula(model, weights))
    for place, score in enumerate(plain(found.score)):
        known = [value for value in plain(found.contributions[:, place]) if value is not None]
        assert score == (reduce(lambda sum_up, value: sum_up + value, known) if known else None)


@given(row=tokens, weights=weights)
def test_the_fair_score_stays_between_0_and_100(row, weights):
    for score in plain(scored([row], formula("hybrid_momentum_fair", weights)).score):
        assert score is None or 0 <= score <= 100


@pytest.mark.parametrize("model", MODELS)
def test_a_steady_token_scores_the_neutral_point(model):
    found = scored([token(**STEADY)], formula(model))
    assert found.score[0] == pytest.approx(score_models.REGISTRY[model].neutral, rel=1e-6)


def test_hybrid_momentum_is_plainly_the_weighted_sum():
    row = token(**STEADY | {"tx_count_5m": 2000, "sells_volume_5m": 0.0})
    assert scored([row], formula(weights=(0.4, 0.3, 0.2, 0.1))).score[0] == pytest.approx(0.4 * 2 + 0.3 * 1 + 0.2 * 0 + 0.1 * 1)


def test_a_missing_metric_leaves_and_the_others_are_scaled_up():
    found = scored([token(tx_count_5m=10, tx_count_1h=60)], formula(weights=(0.1, 0.3, 0.3, 0.3)))
    assert plain(found.score) == [pytest.approx(2.0)]
    assert plain(found.contributions[:, 0]) == [pytest.approx(2.0), None, None, None]


@pytest.mark.parametrize("model", MODELS)
def test_nothing_known_is_unknown_and_not_half_marks(model):
    assert plain(scored([token()], formula(model)).score) == [None]


def test_only_a_metric_of_weight_0_is_unknown_too():
    assert plain(scored([token(tx_count_5m=10, tx_count_1h=60)], formula(weights=(0, 1, 0, 0))).score) == [None]


def test_a_changed_weight_takes_effect_at_once():
    first = scored([token(**STEADY)], formula(weights=(1, 0, 0, 0)))
    assert scored([token(**STEADY)], formula(weights=(2, 0, 0, 0)), first.memory).score[0] == pytest.approx(2.0)


def test_a_young_token_is_not_lifted_by_its_youth_in_the_fair_model():
    quarter_of_an_hour = token(age_sec=900.0, tx_count_5m=1000, tx_count_1h=3000, liquidity=1e12, last_trade_age_sec=0.0)
    assert scored([quarter_of_an_hour], formula("hybrid_momentum")).score[0] == pytest.approx(4.0)
    assert scored([quarter_of_an_hour], formula("hybrid_momentum_fair")).score[0] == pytest.approx(50, rel=1e-6)


def test_two_trades_are_no_acceleration_in_the_fair_model():
    few = token(tx_count_5m=2, tx_count_1h=2, liquidity=1e12, last_trade_age_sec=0.0)
    many = few | {"tx_count_5m": 2000, "tx_count_1h": 2000}
    few_score, many_score = plain(scored([few, many], formula("hybrid_momentum_fair")).score)
    assert 50 < few_score < 55 < 95 < many_score


def test_a_token_that_stopped_trading_loses_its_fair_score():
    moving = token(**STEADY | {"last_trade_age_sec": 0.0})
    silent = token(**STEADY | {"tx_count_5m": 0, "volume_5m": 0.0, "last_trade_age_sec": 3600.0})
    moving_score, silent_score = plain(scored([moving, silent], formula("hybrid_momentum_fair")).score)
    assert silent_score < moving_score / 50


@pytest.mark.parametrize(("now", "before", "seconds"), [(150, 100, 3600.0), (150, 100, 4000.0), (100, 130, 3000.0), (900, 100, 3600.0)])
def test_growth_counts_twenty_more_and_over_an_hour_in_the_fair_model(now, before, seconds):
    row = token(holders=now, holders_before=before, holders_before_sec=seconds)
    expected = reference.fair_part("holder_growth", row, "ok")
    assert scored([row], formula("hybrid_momentum_fair")).parts[2, 0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("count", [None, 0, 1, 2, 9])
@pytest.mark.parametrize("age", [None, 0.0, 200.0, 300.0, 1000.0])
@pytest.mark.parametrize("liquidity", [None, 0.0, 5000.0])
def test_the_factors_are_told_by_their_names_and_equal_the_plain_formula(count, age, liquidity):
    row = token(tx_count_5m=count, last_trade_age_sec=age, liquidity=liquidity)
    factors = scored([row], formula("hybrid_momentum_fair")).factors
    assert list(factors) == ["freshness", "liquidity_factor"]
    assert factors["freshness"][0] * factors["liquidity_factor"][0] == pytest.approx(reference.fair_factor(row), rel=1e-12)


def test_a_count_below_nothing_makes_no_trade_fresher():
    assert scored([token(tx_count_5m=-5)], formula("hybrid_momentum_fair")).factors["freshness"][0] == pytest.approx(2**-0.5)


def test_unknown_liquidity_is_not_safe():
    known, unknown = token(**STEADY), token(**STEADY | {"liquidity": None})
    scores = plain(scored([known, unknown], formula("hybrid_momentum_fair")).score)
    assert scores[1] == pytest.approx(scores[0] / 4, rel=1e-6)


POISON = [None, float("nan"), float("inf"), float("-inf"), -1.0, 1e300, 1e18, 0.0, 1e-300]


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_poison_never_makes_a_score_that_is_not_finite(model, data):
    names = [name for name in token() if name != "same_source"]
    row = {name: data.draw(st.sampled_from(POISON)) for name in names} | {"same_source": True}
    found = scored([row], formula(model))
    again = scored([row], formula(model), found.memory)
    for score in (*plain(found.score), *plain(again.score)):
        assert score is None or (math.isfinite(score) and abs(score) < 1e4)


def test_every_model_of_the_registry_is_offered_and_loads():
    assert [name for name, _ in score_models.CHOICES] == MODELS
    for name in MODELS:
        assert callable(score_models.load(name).parts)
    with pytest.raises(KeyError):
        score_models.load("os")


def test_the_four_weights_stand_in_the_order_of_the_metrics():
    assert tuple(f"weight_{name}" for name in METRICS) == WEIGHTS
    assert set(WEIGHTS) <= set(RANGES)
