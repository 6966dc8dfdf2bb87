"""From scores to probabilities."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading import calibration
from trading.calibration import DAY_SEC, Calibration, Outcomes, brier, fit, interval, isotonic, reliability
from trading.confidence import expectancy

outcomes = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=150)
weighted = st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 5)), min_size=1, max_size=25)


def fitted(pairs, least=1, prior=5.0):
    scores, won = (np.array(values) for values in zip(*pairs, strict=True))
    return fit(scores.astype(float), won.astype(bool), least, prior)


def plain_isotonic(values, weights):
    """The closed form: the least over later ends of the greatest over earlier begins of the weighted mean in between."""

    def mean(begin, end):
        return np.average(values[begin : end + 1], weights=weights[begin : end + 1])

    return [min(max(mean(begin, end) for begin in range(at + 1)) for end in range(at, len(values))) for at in range(len(values))]


@given(pairs=weighted)
def test_pooling_is_isotonic_regression(pairs):
    values, weights = (np.array(column) for column in zip(*pairs, strict=True))
    np.testing.assert_allclose(isotonic(values, weights), plain_isotonic(values, weights), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("values", "weights", "expected"),
    [
        ([1, 2, 3], [1, 1, 1], [1, 2, 3]),
        ([3, 2, 1], [1, 1, 1], [2, 2, 2]),
        ([1, 3, 2, 4], [1, 1, 1, 1], [1, 2.5, 2.5, 4]),
        ([5, 1, 1, 6], [1, 1, 2, 1], [2, 2, 2, 6]),
        ([0, 1, 0, 1, 1], [1, 1, 1, 1, 1], [0, 0.5, 0.5, 1, 1]),
    ],
)
def test_cases_worked_by_hand(values, weights, expected):
    assert isotonic(np.array(values, float), np.array(weights, float)).tolist() == pytest.approx(expected)


@given(pairs=outcomes, asked=st.lists(st.floats(0, 1), min_size=2))
def test_a_higher_score_is_never_less_probable(pairs, asked):
    found = fitted(pairs)
    if found is not None:
        probability, low, high = found(np.sort(asked))
        assert (np.diff(probability) >= -1e-12).all()
        assert ((low >= 0) & (low <= probability + 1e-12) & (probability <= high + 1e-12) & (high <= 1)).all()


@given(pairs=outcomes, seed=st.integers(0, 99))
def test_the_order_of_the_pairs_does_not_matter(pairs, seed):
    assert fitted(pairs) == fitted([pairs[place] for place in np.random.default_rng(seed).permutation(len(pairs))])


@given(pairs=outcomes)
def test_without_a_prior_the_steps_are_the_isotonic_fit_itself(pairs):
    found = fitted(pairs, prior=0.0)
    if found is not None:
        scores = np.round([score for score, _ in pairs], calibration.PLACES)
        different, place, count = np.unique(scores, return_inverse=True, return_counts=True)
        share = np.bincount(place, [won for _, won in pairs]) / count
        steps = np.unique(np.round(plain_isotonic(share, count), 9))
        np.testing.assert_allclose(found.probabilities, steps, atol=1e-8)


def test_too_few_outcomes_are_no_probability():
    pairs = [(0.2, False), (0.8, True)] * 49
    assert fitted(pairs, least=100) is None
    assert fitted(pairs + [(0.5, True)] * 2, least=100) is not None


def test_outcomes_of_one_kind_only_are_no_probability():
    assert fitted([(0.1 * place, True) for place in range(10)]) is None


def test_few_outcomes_are_drawn_towards_the_common_rate():
    pairs = [(0.2, place < 300) for place in range(1000)] + [(0.9, True)] * 3
    free, drawn = (fitted(pairs, prior=prior)(np.array([0.9]))[0][0] for prior in (0.0, 20.0))
    assert free == 1.0
    assert 0.3 < drawn < 0.5


def test_an_interval_is_wide_where_outcomes_are_few():
    low, high = interval(np.array([0.5, 0.5]), np.array([10, 1000]))
    assert (high - low)[0] > 5 * (high - low)[1]
    assert high[1] == pytest.approx(0.526, abs=1e-3)


def test_a_calibration_survives_its_json():
    found = fitted([(0.3, False), (0.4, True), (0.9, True)] * 20)
    assert Calibration.from_plain(json.loads(json.dumps(found.as_plain()))) == found


def test_scores_beyond_what_was_seen_take_the_nearest_step_and_unknown_stays_unknown():
    found = fitted([(0.3, False), (0.4, True), (0.6, True)] * 20)
    probability, low, high = found(np.array([0.0, 1.0, np.nan]))
    assert (probability[0], probability[1]) == (found.probabilities[0], found.probabilities[-1])
    assert np.isnan([probability[2], low[2], high[2]]).all()


def test_what_comes_out_of_a_known_chance_is_that_chance():
    chance = np.random.default_rng(1)
    score = chance.random(20_000)
    found = fit(score, chance.random(20_000) < score**2, 100, 20.0)
    asked = np.linspace(0.1, 0.9, 9)
    probability, _, _ = found(asked)
    np.testing.assert_allclose(probability, asked**2, atol=0.05)
    assert reliability(found(score)[0], chance.random(20_000) < score**2).error < 0.02


def test_the_brier_number_is_0_for_certainty_and_a_quarter_for_a_coin():
    won = np.array([True, False, True, False])
    assert brier(won.astype(float), won) == 0
    assert brier(np.full(4, 0.5), won) == 0.25
    assert np.isnan(brier(np.full(4, np.nan), won))


def test_the_calibration_error_is_the_distance_between_said_and_happened():
    said, won = np.array([0.2] * 10 + [0.9] * 10), np.array([True] * 5 + [False] * 5 + [True] * 9 + [False])
    found = reliability(said, won)
    assert (found.said.tolist(), found.happened.tolist(), found.count.tolist()) == (pytest.approx([0.2, 0.9]), [0.5, 0.9], [10, 10])
    assert found.error == pytest.approx(0.15)


@given(pairs=outcomes, seed=st.integers(0, 99))
def test_reliability_asks_for_no_order(pairs, seed):
    said, won = (np.array(values) for values in zip(*pairs, strict=True))
    order = np.random.default_rng(seed).permutation(len(pairs))
    one, other = reliability(said, won), reliability(said[order], won[order])
    assert one.error == other.error
    assert one.count.sum() == len(pairs)


def test_what_a_trade_may_expect():
    assert expectancy(np.array([0.5, 0.25, 1.0]), np.array([2.0, 2.0, 1.5])).tolist() == pytest.approx([0.5, -0.25, 1.5])


def test_where_nothing_was_said_nothing_is_reliable_or_wrong():
    found = reliability(np.array([np.nan, np.nan]), np.array([True, False]))
    assert (len(found.count), np.isnan(found.error)) == (0, True)


def test_a_day_is_judged_by_the_days_before_it() -> None:
    ended = np.arange(DAY_SEC // 2, 3 * DAY_SEC, DAY_SEC // 20)
    found = Outcomes(ended, np.linspace(0.0, 1.0, len(ended)), np.arange(len(ended)) % 3 == 0)
    ends = np.arange(DAY_SEC - 120, 2 * DAY_SEC + 180, 60)
    by_day = found.by_day(ends, 1, 5, 2.0)
    assert [(row, int(ends[row])) for row, _ in by_day] == [(1, DAY_SEC - 60), (3, DAY_SEC + 60), (1443, 2 * DAY_SEC + 60)]
    assert by_day[0][1] is None
    assert [known.outcomes for _, known in by_day[1:] if known] == [10, 30]
    assert by_day[2][1] == found.before(2 * DAY_SEC, 5, 2.0)
    assert found.by_day(ends[:0], 0, 5, 2.0) == []
