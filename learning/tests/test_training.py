"""What training promises: it finds what is there, refuses what is not, and does the same again."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from learning.tests.lessons import COST, NAMES, QUICK, sample
from learning.training import boosted, heads, measures
from learning.training.boosted import TooFew, one_thread
from learning.training.course import Trained, steps, train
from learning.training.examination import Verdict, answer
from learning.training.labels import DOWN, FLAT, UP, labels
from learning.training.lesson import Learnt, learn, model_says
from learning.training.plan import HORIZONS, Plan
from learning.training.sample import Sample


def _nothing(said: str) -> None: ...


@cache
def trained(seed: int, effect: float) -> Trained:
    return train(sample(seed, effect), QUICK, NAMES, _nothing)


def test_an_effect_is_learnt_and_beats_the_common_rates_momentum_and_the_score() -> None:
    verdict = trained(1, 0.03).verdicts[15]
    assert verdict.passed == {"direction": True, "gross": True, "fall": True}
    assert all(found["high"] < 0 and found["beaten"] for found in verdict.told["direction"]["against"].values())
    assert set(verdict.told["direction"]["against"]) == {"constant", "momentum", "score"}
    assert verdict.told["rank_correlation"]["low"] > 0.3


def test_the_feature_that_carries_the_effect_is_the_most_important_and_the_others_are_worth_nothing() -> None:
    first, second = trained(1, 0.03).verdicts[15].importances[:2]
    assert first["name"] == "feature_1"
    assert first["low"] > 10 * abs(second["value"])


@pytest.mark.parametrize("seed", [4, 5])
def test_pure_noise_is_refused_and_the_reason_names_numbers(seed: int) -> None:
    found = trained(seed, 0.0)
    assert found.learnt == {}
    assert found.main is None
    assert found.why_not.startswith("15 min: does not beat constant (")
    assert "difference" in found.why_not


def test_what_is_only_known_to_the_score_beats_nobody() -> None:
    """The score tells the whole effect, the features nothing: the model has no more than the common rates."""
    given = sample(6, 0.03)
    blind = replace(
        given,
        values=np.random.default_rng(0).standard_normal(given.values.shape).astype(np.float32),
        score=given.values[:, 1].astype(float),
    )
    found = train(blind, QUICK, NAMES, _nothing)
    told = found.verdicts[15].told["direction"]["against"]
    assert found.learnt == {}
    assert told["score"]["low"] > 0


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    plan = replace(QUICK, trees=2, columns=0.5)
    first, again, other = (train(sample(1, 0.03), replace(plan, seed=seed), NAMES, _nothing).verdicts[15] for seed in (1, 1, 2))
    assert first.told == again.told
    assert first.importances == again.importances
    assert first.told != other.told


def test_what_comes_later_changes_nothing_of_what_was_said_before() -> None:
    """The last windows' outcomes are turned round; the first window says the same."""
    given = sample(2, 0.03)
    late = given.ts > given.ts[0] + (given.ts[-1] - given.ts[0]) * 0.7
    gross = np.where(late, -given.labels[15].gross, given.labels[15].gross)
    turned = replace(given, labels={15: labels(gross, gross - COST, np.minimum(gross, 0), np.full(len(given), COST))})
    with one_thread():
        before, after = (answer(rows.known_at(15), 15, replace(QUICK, trees=2), lambda: None) for rows in (given, turned))
    first = before.rows.ts < before.rows.ts[0] + 2 * 900
    assert np.array_equal(before.said["model"].probabilities[first], after.said["model"].probabilities[first])
    assert not np.array_equal(before.said["model"].probabilities, after.said["model"].probabilities)


def test_probabilities_add_up_to_one_and_rise_with_the_effect() -> None:
    learnt, rows = trained(1, 0.03).learnt[15], sample(9, 0.03)
    head = learnt.heads["direction"]
    with one_thread():
        said, raw = heads.probabilities(head, rows.values)
        decision = head["trees"].decision_function(rows.values[:, head["columns"]])
    assert np.allclose(said.sum(axis=1), 1)
    assert (said > 0).all()
    assert np.array_equal(raw, decision)
    known = ~np.isnan(rows.values[:, 1])
    assert np.corrcoef((said[:, UP] - said[:, DOWN])[known], rows.values[known, 1])[0, 1] > 0.7


def test_a_direction_that_hardly_ever_happens_keeps_its_share_and_the_others_are_learnt() -> None:
    given = sample(3, 0.05)
    some = given.labels[15].gross
    gross = np.where(np.abs(some) < 0.011, 0.02, some)
    gross[[5, 900]] = 0.0  # two rows are flat
    rare = replace(given, labels={15: labels(gross, gross - COST, np.minimum(gross, 0), np.full(len(given), COST))})
    found = train(rare, QUICK, NAMES, _nothing)
    said, _ = heads.probabilities(found.learnt[15].heads["direction"], given.values)
    assert said[:, FLAT] == pytest.approx(3 / (len(given) + 3), rel=0.3)
    assert np.allclose(said.sum(axis=1), 1)


def test_features_that_are_always_missing_or_always_the_same_are_passed_over_and_may_come_to_life_later() -> None:
    given = sample(1, 0.03)
    given.values[:, 4], given.values[:, 5] = np.nan, 1.0
    found = train(given, QUICK, NAMES, _nothing)
    head = found.learnt[15].heads["direction"]
    assert head["columns"].tolist() == [0, 1, 2, 3]
    lively = sample(1, 0.03).values
    assert np.array_equal(heads.probabilities(head, lively)[0][:, UP], heads.probabilities(head, given.values)[0][:, UP])


def test_too_little_is_said_and_not_guessed() -> None:
    for few, why in ((sample(1, 0.03, marks=12), "rows to learn from"), (sample(1, 0.03, marks=40), "independent spans of time")):
        found = train(few, QUICK, NAMES, _nothing)
        assert found.learnt == {}
        assert why in found.why_not


def test_without_any_known_outcome_nothing_is_learnt() -> None:
    given = sample(1)
    nobody = np.full(len(given), np.nan)
    found = train(replace(given, labels={15: labels(nobody, nobody, nobody, nobody)}), QUICK, NAMES, _nothing)
    assert found.why_not == "15 min: not examined: no row has a known outcome"


def test_progress_is_told_as_often_as_announced() -> None:
    said: list[str] = []
    train(sample(1, 0.03), QUICK, NAMES, said.append)
    assert len(said) == steps(QUICK)


def test_a_way_counts_only_beyond_the_cost_and_what_nobody_saw_is_unknown() -> None:
    gross = np.array([0.03, 0.01, -0.01, -0.03, np.nan])
    found = labels(gross, gross - 0.02, np.minimum(gross, -0.02), np.full(5, 0.02))
    assert found.direction[:4].tolist() == [UP, FLAT, FLAT, DOWN]
    assert found.known.tolist() == [True] * 4 + [False]
    assert found.net[:2] == pytest.approx([0.01, -0.01])
    assert found.fall[:4] == pytest.approx([0.02, 0.02, 0.02, 0.03])


def test_samples_are_joined_in_their_order_with_all_that_belongs_to_a_row() -> None:
    first, second = sample(1, marks=3, horizons=(15, 60)), sample(2, marks=2, horizons=(15, 60))
    whole, rest = Sample.joined([first, second]), np.arange(60, 100)
    assert (len(first), len(whole)) == (60, 100)
    for part, found in ((first, whole.of(np.arange(60))), (second, whole.of(rest))):
        for name in ("ts", "token", "values", "score"):
            np.testing.assert_array_equal(getattr(found, name), getattr(part, name))
        for horizon in (15, 60):
            np.testing.assert_array_equal(found.momentum[horizon], part.momentum[horizon])
            for name in ("known", "direction", "gross", "net", "fall"):
                np.testing.assert_array_equal(getattr(found.labels[horizon], name), getattr(part.labels[horizon], name))


def test_rows_of_one_sample_stay_together() -> None:
    given: Sample = sample(1)
    part = given.of(np.array([3, 7]))
    assert (part.ts.tolist(), part.token.tolist()) == (given.ts[[3, 7]].tolist(), given.token[[3, 7]].tolist())
    assert part.labels[15].gross.tolist() == given.labels[15].gross[[3, 7]].tolist()


@pytest.mark.parametrize("classes", [(UP, DOWN), (UP, FLAT, DOWN)])
def test_what_is_said_is_what_the_library_says_after_its_calibration(classes: tuple[int, ...]) -> None:
    """The trees are asked once and Platt's sigmoids applied by us: the same as the library's own way, which asks them again."""
    chance = np.random.default_rng(1)
    values, direction = chance.standard_normal((400, 3)).astype(np.float32), chance.choice(classes, 400).astype(np.int8)
    teach = np.arange(400) < 250
    with one_thread():
        head = boosted.direction_head(values, direction, teach, ~teach, QUICK)
        theirs = CalibratedClassifierCV(FrozenEstimator(head["trees"]), method="sigmoid").fit(values[~teach], direction[~teach])
        said, _ = heads.probabilities(head, values)
        wanted = head["floor"] + (1 - head["floor"].sum()) * _spread(theirs.predict_proba(values), classes)
    assert np.allclose(said, wanted, rtol=0, atol=1e-12)


def _spread(said: np.ndarray, classes: tuple[int, ...]) -> np.ndarray:
    found = np.zeros((len(said), 3))
    found[:, list(classes)] = said
    return found


def test_where_several_horizons_passed_the_calls_are_of_the_one_that_is_ahead_of_its_hardest_baseline_by_most() -> None:
    """15 min: 0.1 of 1.0 and 0.3 of 0.5 are gone, so a tenth for certain; 4 h: 0.3 of 1.0 and 0.1 of 0.5, so a fifth."""
    learnt = Learnt({}, {}, 0.0)
    verdicts = {15: _ahead(constant=-0.1, score=-0.3), 240: _ahead(constant=-0.3, score=-0.1)}
    both = Trained(dict.fromkeys(verdicts, learnt), verdicts, None)
    assert (both.main, both.why_not) == (240, "")
    assert Trained({15: learnt}, verdicts, None).main == 15


def _ahead(constant: float, score: float) -> Verdict:
    loss = {"constant": {"value": 1.0}, "score": {"value": 0.5}}
    told = {"direction": {"loss": loss, "against": {"constant": {"high": constant}, "score": {"high": score}}}}
    return Verdict({"direction": True}, told, [])


def test_why_nothing_was_learnt_names_every_horizon() -> None:
    verdicts = {horizon: Verdict({}, {}, [], f"{horizon} is too few") for horizon in (15, 240)}
    assert Trained({}, verdicts, None).why_not == "15 min: 15 is too few; 4 h: 240 is too few"


def test_one_that_passed_and_cannot_be_learnt_again_from_the_newest_rows_is_not_taken() -> None:
    """In the last quarter everything rises, as the feature says: well foretold, but there is nothing to set the model's belief by."""
    given = sample(1, 0.2, tokens=6)
    late = given.ts >= np.quantile(given.ts, 0.72)
    given.values[late, 1] = 1.0 + np.abs(np.nan_to_num(given.values[late, 1]))
    gross = np.where(late, 0.2, given.labels[15].gross)
    risen = replace(given, labels={15: labels(gross, gross - COST, np.minimum(gross, 0), np.full(len(given), COST))})
    found = train(risen, replace(QUICK, trees=2), NAMES, _nothing)
    assert found.verdicts[15].told["passed"]["direction"]
    assert (found.learnt, found.reference, found.verdicts[15].passes) == ({}, None, False)
    assert found.why_not == "15 min: passed, but not learnt again: of two directions at least 10 rows each are needed"


def test_of_one_direction_and_of_features_that_never_differ_nothing_is_learnt() -> None:
    values, way = sample(1, marks=10).values, np.full(200, UP, dtype=np.int8)
    teach = np.arange(200) < 150
    with pytest.raises(TooFew, match="of two directions at least 10 rows each"):
        boosted.direction_head(values, way, teach, ~teach, QUICK)
    same = np.full((200, 2), 3.0, dtype=np.float32)
    same[:50, 0] = np.nan
    with pytest.raises(TooFew, match="no feature has two different values"):
        boosted.mean_head(same, np.zeros(200), QUICK)


def test_windows_without_rows_are_passed_over_and_too_few_windows_are_no_examination() -> None:
    given = sample(1, 0.03)
    mark = (given.ts - given.ts[0]) // 900
    seen = given.of(np.flatnonzero((mark < 20) | (mark == 95)))
    with one_thread(), pytest.raises(TooFew, match="1 windows have rows, at least 5 are needed"):
        answer(seen, 15, replace(QUICK, trees=1), lambda: None)


def test_few_rows_to_be_examined_with_are_no_examination() -> None:
    """One row at each of the 48 later marks: every window has some, all together are too few."""
    given = sample(1, 0.03, tokens=5)
    later = given.ts > given.ts[0] + 47 * 900
    seen = given.of(np.flatnonzero(~later | (given.token == 1)))
    with one_thread(), pytest.raises(TooFew, match=r"\d+ rows to be examined with, at least 100 are needed"):
        answer(seen, 15, replace(QUICK, trees=1), lambda: None)


def test_where_nobody_saw_the_way_no_fall_is_learnt_and_none_is_said() -> None:
    given = sample(1, 0.03, marks=48)
    blind = replace(given, labels={15: replace(given.labels[15], fall=np.full(len(given), np.nan))})
    with one_thread():
        learnt = learn(blind, 15, replace(QUICK, trees=1))
        said = model_says(learnt, blind)
    assert list(learnt.heads) == ["direction", "gross"]
    assert np.isnan(said.fall).all()
    assert np.isfinite(said.gross).all()


def test_moments_of_few_rows_or_of_equal_ones_have_no_rank_correlation() -> None:
    """Four rows; five that all lean alike; five in reverse, which is −1; five of which two changed places: 1 − 6 × 2 / (5 × 24) = 0.9."""
    ts = np.repeat([100, 200, 300, 400], [4, 5, 5, 5])
    rising = np.arange(5.0)
    said = np.concatenate([rising[:4], np.full(5, 0.3), rising, rising])
    happened = np.concatenate([rising[:4], rising, -rising, [1.0, 0.0, 2.0, 3.0, 4.0]])
    moments, found = measures.rank_correlations(ts, said, happened)
    assert moments.tolist() == [300, 400]
    assert found == pytest.approx([-1.0, 0.9])


def test_where_no_moment_can_be_ranked_the_rank_correlation_is_unknown_and_not_zero() -> None:
    found = measures.rank_correlation(np.arange(9), np.arange(9.0), np.arange(9.0), 3600, 0.95)
    assert measures.plain(found) == {"value": None, "low": None, "high": None}


def test_a_plan_is_kept_as_plain_values_and_read_back_from_them() -> None:
    plain = json.loads(json.dumps(replace(QUICK, seed=7).as_plain()))
    assert plain["horizons"] == [15]
    assert Plan(**plain | {"horizons": tuple(plain["horizons"])}) == replace(QUICK, seed=7)
    assert Plan().as_plain()["horizons"] == list(HORIZONS)
