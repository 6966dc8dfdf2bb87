"""What a model must beat, as it is stored with it."""

import json

import numpy as np

from learning.training.baselines import Baseline, learn
from learning.training.labels import labels

NAN = float("nan")
GROSS = np.array([0.1, 0.2, -0.3, 0.0, 0.4])
FIGURE = np.array([1.0, 2.0, 3.0, 4.0, NAN])


def learnt(worst: float) -> Baseline:
    return learn(FIGURE, labels(GROSS, GROSS - 0.01, np.full(5, worst), np.full(5, 0.01)), cap=1.0)


def test_a_baseline_is_read_back_from_its_column_as_it_was() -> None:
    found = learnt(-0.2)
    again = Baseline.from_plain(json.loads(json.dumps(found.as_plain())))
    for name in ("edges", "probabilities", "gross", "fall"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))


def test_a_row_without_the_figure_has_a_tenth_of_its_own() -> None:
    found = learnt(-0.2)
    assert found.tenth(np.array([-9.0, 9.0, NAN])).tolist() == [0, len(found.edges), len(found.edges) + 1]
    assert len(found.gross) == len(found.edges) + 2


def test_where_nobody_saw_how_far_it_fell_no_fall_is_foretold() -> None:
    found = learnt(NAN)
    assert np.isnan(found.fall).all()
    assert not np.isnan(found.gross).any()
