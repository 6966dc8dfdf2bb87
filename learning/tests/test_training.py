"""What training promises: it finds what is there, refuses what is not, and does the same again."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from learning.tests.lessons import COST, NAMES, QUICK, sample
from learning.training import boosted, heads
from learning.training.boosted import one_thread
from learning.training.course import Trained, steps, train
from learning.training.examination import answer
from learning.training.labels import DOWN, FLAT, UP, labels
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
