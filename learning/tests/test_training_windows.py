from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from learning.training.windows import split_for_calibration, windows

horizons = st.sampled_from([900, 3_600, 14_400, 43_200])
moments = st.lists(st.integers(0, 2_000), min_size=1, max_size=60).map(
    lambda marks: np.sort(np.array(marks, dtype=np.int64)) * 900 + 1_700_000_100
)


@given(moments, st.integers(1, 9), horizons)
def test_no_label_that_teaches_reaches_into_the_examination_or_the_embargo_before_it(ts: np.ndarray, folds: int, horizon: int) -> None:
    for window in windows(int(ts[0]), int(ts[-1]), folds, horizon, embargo=horizon):
        taught, tested = ts[window.taught(ts)], ts[window.tested(ts)]
        assert (taught + horizon + horizon <= window.test_from).all()
        assert (tested >= window.test_from).all()
        assert not np.intersect1d(taught, tested).size


@given(moments, st.integers(1, 9), horizons)
def test_every_row_of_the_later_half_is_examined_exactly_once(ts: np.ndarray, folds: int, horizon: int) -> None:
    found = windows(int(ts[0]), int(ts[-1]), folds, horizon, horizon)
    times = sum(window.tested(ts).astype(int) for window in found)
    assert times[ts >= found[0].test_from].tolist() == [1] * int((ts >= found[0].test_from).sum())
    assert ts[-1] >= found[0].test_from >= (ts[0] + ts[-1]) / 2 - 1


@given(moments, st.integers(2, 9), horizons)
def test_windows_follow_each_other_without_a_gap_and_later_ones_are_taught_more(ts: np.ndarray, folds: int, horizon: int) -> None:
    found = windows(int(ts[0]), int(ts[-1]), folds, horizon, horizon)
    assert all(before.test_to == after.test_from for before, after in pairwise(found))
    assert all(before.taught_until < after.taught_until for before, after in pairwise(found))


@given(moments, st.floats(0.05, 0.9), horizons)
def test_between_what_is_learnt_and_what_tells_how_far_to_believe_it_lies_the_same_gap(ts: np.ndarray, share: float, horizon: int) -> None:
    teach, check = split_for_calibration(ts, share, horizon, horizon)
    assert check.any()
    assert not (teach & check).any()
    if teach.any():
        assert ts[teach].max() + 2 * horizon <= ts[check].min()
