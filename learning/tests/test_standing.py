import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.training.standing import LOOKS, Standing, is_over, standing, streak
from scoring.draws import Estimate


def rows(marks: int = 60, tokens: int = 10, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    ts = np.repeat(1_760_000_400 + 900 * np.arange(marks), tokens)
    return ts, np.tile(np.arange(tokens), marks), chance.integers(0, 3, marks * tokens).astype(np.int8)


def said(direction: np.ndarray, right: float) -> np.ndarray:
    found = np.full((len(direction), 3), (1 - right) / 2)
    found[np.arange(len(direction)), direction] = right
    return found


def test_one_that_knows_less_than_its_baseline_is_worse_and_the_interval_is_told() -> None:
    ts, token, direction = rows()
    found = standing(ts, token, said((direction + 1) % 3, 0.5), said(direction, 1 / 3), direction, 15, "score")
    assert found.worse
    assert found.difference.low > 0
    assert (found.rows, found.blocks, found.newest) == (600, 15, int(ts[-1]))
    assert "at 15 min worse than its baseline (score) by" in found.words()
    assert "95%" in found.words()


@pytest.mark.parametrize("right", [1 / 3, 0.5])
def test_one_that_is_as_good_or_better_is_not(right: float) -> None:
    ts, token, direction = rows()
    assert not standing(ts, token, said(direction, right), said(direction, 1 / 3), direction, 15, "constant").worse


def test_chance_alone_is_not_called_worse() -> None:
    """Confident at random against the common rates in 20 seeds: worse on average, yet a model equal to its baseline never is."""
    for seed in range(20):
        ts, token, direction = rows(seed=seed)
        noise = np.random.default_rng(seed + 99).dirichlet([60, 60, 60], len(direction))
        other = np.random.default_rng(seed + 199).dirichlet([60, 60, 60], len(direction))
        assert not standing(ts, token, noise, other, direction, 15, "constant").difference.low > 0.01


def test_few_rows_and_few_spans_of_time_are_no_reason() -> None:
    for marks, tokens in ((20, 30), (60, 1)):
        ts, token, direction = rows(marks, tokens)
        assert not standing(ts, token, said((direction + 1) % 3, 0.8), said(direction, 1 / 3), direction, 15, "score").worse
    nobody = np.zeros(0, dtype=np.int64)
    assert standing(nobody, nobody, np.zeros((0, 3)), np.zeros((0, 3)), nobody.astype(np.int8), 15, "score").rows == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=30))
def test_it_is_over_exactly_after_looks_in_a_row_that_each_saw_something_newer(looks: list[tuple[bool, int]]) -> None:
    memory: dict[str, int] = {}
    newest, in_a_row = 0, 0
    for worse, newer in looks:
        newest += newer
        if newer:
            in_a_row = in_a_row + 1 if worse else 0
        memory = streak(memory, Standing(15, "score", 500, 20, Estimate(0.1, 0.05, 0.2), worse, newest))
        assert is_over(memory) == (in_a_row >= LOOKS)


def test_a_standing_is_kept_as_plain_values_and_what_is_unknown_stays_unknown() -> None:
    known = Standing(15, "score", 500, 20, Estimate(0.1, 0.05, 0.2), True, 99).as_plain()
    assert known["difference"] == {"value": 0.1, "low": 0.05, "high": 0.2}
    unknown = Standing(15, "score", 0, 0, Estimate(np.nan, np.nan, np.nan), False, 0).as_plain()
    nothing = {"value": None, "low": None, "high": None}
    assert unknown == {"horizon": 15, "baseline": "score", "rows": 0, "blocks": 0, "difference": nothing, "worse": False}
