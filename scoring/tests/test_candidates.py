import numpy as np
import pytest

from scoring import candidates
from scoring.candidates import scores_of
from scoring.metrics import add_up, weigh
from scoring.tests.columns import formula


def a_history(places=300, missing=0.4):
    chance = np.random.default_rng(3)
    counted = chance.random((4, places)) >= missing
    return np.where(counted | (chance.random((4, places)) < 0.5), chance.normal(size=(4, places)), np.nan), counted


@pytest.mark.parametrize("most", [1, 64, 1 << 18])
def test_each_candidate_has_the_scores_that_its_weights_alone_give(most, monkeypatch):
    monkeypatch.setattr(candidates, "MOST_MULTIPLICATIONS", most)  # one place at a time, some, all
    smoothed, counted = a_history()
    weights = [*np.random.default_rng(5).dirichlet(np.ones(4), 5).tolist(), [0.0, 0.7, 0.0, 0.1], [0.0] * 4]
    for each, found in zip(weights, scores_of(smoothed, counted, np.array(weights)), strict=True):
        expected = add_up(weigh(smoothed, counted, formula(weights=each), {}))
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_scores_have_the_shape_and_the_precision_of_what_is_smoothed():
    smoothed, counted = a_history()
    found = scores_of(smoothed.astype(np.float32).reshape(4, 30, 10), counted.reshape(4, 30, 10), np.full((3, 4), 0.25))
    assert (found.shape, found.dtype) == ((3, 30, 10), np.float32)
    np.testing.assert_allclose(found.reshape(3, -1)[0], scores_of(smoothed, counted, np.full((1, 4), 0.25))[0], rtol=1e-4, atol=1e-5)
    assert scores_of(smoothed[:, :0], counted[:, :0], np.ones((2, 4))).shape == (2, 0)


def test_no_product_is_large_enough_to_be_shared_among_threads(monkeypatch):
    sizes, product = [], np.matmul
    monkeypatch.setattr(np, "matmul", lambda one, other, out: sizes.append(one.size * other.shape[1]) or product(one, other, out=out))
    scores_of(*a_history(10_000), np.full((32, 4), 0.25))
    assert len(sizes) > 2
    assert max(sizes) <= 1 << 18
