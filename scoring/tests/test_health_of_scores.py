"""The sentinel: what it must notice, and what it must not cry about."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.health_of_scores import FEWEST_TOKENS, Look, is_suspicious, look, suspicions
from scoring.metrics import CAPPED, ESTIMATED, METRICS, NO_HISTORY, OK

NAN = np.nan
CHANCE = np.random.default_rng(7)
SCORES = CHANCE.normal(0.7, 0.3, 100)


def seen(score, state=OK):
    score = np.asarray(score, dtype=np.float64)
    return look(score, np.full((len(METRICS), score.size), float(state)))


def a_day(looks=30, tokens=100):
    """An ordinary hour: scores that move a little from tick to tick."""
    return [seen(CHANCE.normal(0.7, 0.3, tokens)) for _ in range(looks)]


def test_an_ordinary_hour_is_ok():
    hour = a_day(60)
    assert [suspicions(each, hour[:place]) for place, each in enumerate(hour)] == [[]] * 60


def test_a_collapsed_spread_is_noticed():
    [sentence] = suspicions(seen(0.7 + (SCORES - 0.7) / 50), a_day())
    assert "spread of the scores has collapsed" in sentence


def test_scores_that_are_one_number_are_noticed_without_any_past():
    assert "one and the same number" in suspicions(seen([0.5] * 27 + [0.7]), [])[0]
    assert "are the same number" in suspicions(seen([*np.linspace(0, 1, 60), *[0.9] * 40]), [])[0]


def test_a_jump_of_the_median_is_noticed_and_a_drift_is_not():
    assert "median of the scores has jumped" in suspicions(seen(SCORES + 1), a_day())[0]
    assert suspicions(seen(SCORES + 0.1), a_day()) == []


def test_active_tokens_without_a_score_are_noticed():
    assert "60% of the Active tokens have no score." in suspicions(seen([NAN] * 60 + [*np.linspace(0, 1, 40)]), [])


def test_capped_metrics_are_noticed():
    score = np.linspace(0, 1, 50)
    states = np.full((len(METRICS), 50), float(OK))
    states[1, :20] = CAPPED
    assert "40% of the Active tokens have a capped metric" in suspicions(look(score, states), [])[0]


@pytest.mark.parametrize(("code", "words"), [(NO_HISTORY, "is missing for 90%"), (ESTIMATED, "is only estimated for 90%")])
def test_a_metric_that_goes_away_is_noticed_and_one_that_never_was_there_is_not(code, words):
    states = np.full((len(METRICS), 100), float(OK))
    states[2, :90] = code
    now = look(SCORES, states)
    assert words in suspicions(now, a_day())[0]
    assert suspicions(now, [now] * 30) == []  # a plan without holders


@pytest.mark.parametrize("score", [[], [NAN] * 5, [0.5] * 19, [NAN] * 19])
def test_a_handful_of_tokens_raises_nothing(score):
    assert suspicions(seen(score), a_day()) == []


def test_at_the_start_nothing_is_compared_with_anything():
    assert suspicions(seen(SCORES + 9), a_day(9)) == []


def test_one_odd_tick_is_no_alarm():
    assert [is_suspicious(["odd"], before) for before in (False, True)] == [False, True]
    assert not is_suspicious([], True)


@given(st.lists(st.one_of(st.just(NAN), st.floats(-1e9, 1e9)), max_size=60))
def test_a_look_at_anything_gives_shares_and_never_a_nan(score):
    found = seen(score)
    assert found.tokens == len(score)
    assert 0 <= found.identical <= 1
    assert (found.median is None) == (found.scored == 0) == (found.spread is None)
    assert all(0 <= share <= 1 for share in (*found.missing, *found.estimated, found.capped))
    assert isinstance(suspicions(found, [found] * 20), list)


def test_the_past_counts_only_where_enough_tokens_had_a_score():
    past = [replace(each, scored=FEWEST_TOKENS - 1) for each in a_day()]
    assert suspicions(seen(SCORES + 5), past) == []


def test_a_look_is_made_of_plain_numbers():
    assert isinstance(seen(SCORES), Look)
    assert {type(share) for share in seen(SCORES).missing} == {float}
