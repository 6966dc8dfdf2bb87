import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scoring import over_history
from scoring.metrics import Memory, decay, shares, smooth
from scoring.over_history import scores, smooth_history
from scoring.tests import reference
from scoring.tests.columns import formula, plain

ALPHA, INTERVAL = 0.3, 30.0
values = st.none() | st.floats(-12, 12)
steps = st.lists(st.tuples(st.floats(0.1, 5000), st.tuples(values, values, values, values)), min_size=1, max_size=12)


def replayed(history, alpha=ALPHA, interval=INTERVAL, memory=None):
    """One token's history through the real function; its memory after the last step."""
    memory = memory or Memory.empty(1)
    for seconds, row in history:
        parts = np.array(row, dtype=np.float64).reshape(4, 1)
        elapsed = np.full(1, seconds if not np.isnan(memory.age_sec).all() else np.nan)
        memory = smooth(parts, ~np.isnan(parts), memory, elapsed, np.full(1, interval), alpha)
    return memory


@given(steps, st.floats(0.001, 1), st.floats(1, 600))
def test_each_metric_equals_its_plain_average(history, alpha, interval):
    assume(any(value is not None for value in history[0][1]))  # the clock of all starts with the first score
    found = plain(replayed(history, alpha, interval).value[:, 0])
    for place, value in enumerate(found):
        expected = reference.smoothed([(seconds, row[place]) for seconds, row in history], alpha, interval)
        assert value == (None if expected is None else pytest.approx(expected, rel=1e-6, abs=1e-9))


@given(
    st.lists(st.tuples(st.floats(1, 300), st.tuples(*[st.floats(-12, 12)] * 4)), min_size=1, max_size=10),
    st.lists(st.floats(0, 5), min_size=4, max_size=4),
)
def test_smoothing_the_parts_equals_smoothing_the_sum(history, weights):
    parts = replayed(history).value[:, 0]
    sums = [(seconds, [float(np.dot(weights, row)), 0.0, 0.0, 0.0]) for seconds, row in history]
    assert float(np.dot(weights, parts)) == pytest.approx(replayed(sums).value[0, 0], rel=1e-9, abs=1e-9)


def test_a_normal_step_moves_by_alpha():
    assert replayed([(30, (1.0,) * 4), (30, (2.0,) * 4)]).value[0, 0] == pytest.approx(1.3)


def test_the_first_value_starts_the_average():
    assert replayed([(30, (7.0, None, None, None))]).value[0, 0] == 7.0


@pytest.mark.parametrize("steps_missed", [1, 2, 10, 100])
def test_a_gap_forgets_as_much_as_the_steps_it_swallowed(steps_missed):
    over_a_gap = replayed([(30, (10.0,) * 4), (30 * steps_missed, (1.0,) * 4)]).value[0, 0]
    step_by_step = replayed([(30, (10.0,) * 4)] + [(30, (1.0,) * 4)] * steps_missed).value[0, 0]
    assert over_a_gap == pytest.approx(step_by_step)


def test_a_missing_value_waits_and_does_not_decay():
    memory = replayed([(30, (4.0,) * 4), (30, (None, 4.0, 4.0, 4.0)), (30, (None, 4.0, 4.0, 4.0))])
    assert memory.value[0, 0] == 4.0
    assert memory.age_sec[:, 0].tolist() == [60, 0, 0, 0]


def test_each_metric_has_its_own_clock():
    memory = replayed([(30, (4.0,) * 4), (30, (None, 4.0, 4.0, 4.0)), (30, (None, 4.0, 4.0, 4.0)), (30, (1.0,) * 4)])
    assert memory.value[0, 0] == pytest.approx(1 + 0.7**3 * 3)
    assert memory.value[1, 0] == pytest.approx(1 + 0.7 * 3)


def test_alpha_1_means_no_smoothing():
    assert replayed([(30, (4.0,) * 4), (1, (2.0,) * 4)], alpha=1.0).value[0, 0] == 2.0


def test_what_is_kept_is_a_power_that_knows_no_time_and_no_number():
    np.testing.assert_array_equal(decay(1.0, np.array([0.0, 0.1, 2.0, np.nan])), [1.0, 0.0, 0.0, np.nan])
    np.testing.assert_allclose(decay(0.3, np.array([0.0, 0.5, 2.0, np.nan])), [1.0, 0.7**0.5, 0.49, np.nan], rtol=1e-15)
    with np.errstate(under="raise"):
        assert decay(0.3, np.array([1e6]))[0] == 0.0


@pytest.mark.parametrize(("seconds", "kept"), [(0.25, 0.7 ** (0.25 / 30)), (0.0, 1.0), (-20.0, 1.0)])
def test_a_short_step_moves_little_and_a_clock_that_was_set_back_nothing(seconds, kept):
    first = replayed([(30, (4.0,) * 4)])
    assert replayed([(seconds, (1.0,) * 4)], memory=first).value[0, 0] == pytest.approx(1 + kept * 3, rel=1e-12)
    parts = np.full((4, 1), 1.0)
    smoothed, _ = smooth_history(parts, parts > 0, first, np.array([seconds]), INTERVAL, ALPHA, [0, 1])
    assert smoothed[0, 0] == pytest.approx(1 + kept * 3, rel=1e-12)
    waited = Memory(first.value, first.age_sec + 10.0)
    smoothed, _ = smooth_history(parts, parts > 0, waited, np.array([seconds - 10.0]), INTERVAL, ALPHA, [0, 1])
    assert smoothed[0, 0] == pytest.approx(1 + kept * 3, rel=1e-12)


def test_what_does_not_count_has_no_share_whatever_lay_in_the_memory_before():
    rubbish = [np.full((4, 3), 7.0) for _ in range(20)]
    del rubbish
    share, there = shares(np.zeros((4, 3), dtype=bool), (1.0, 2.0, 3.0, 4.0))
    assert share.tolist() == [[0.0] * 3] * 4
    assert not there.any()


@given(steps, steps)
def test_what_comes_later_changes_nothing_before(history, future):
    seen = []
    memory = Memory.empty(1)
    for step in history + future:
        memory = replayed([step], memory=memory)
        seen.append(memory.value.copy())
    np.testing.assert_array_equal(seen[len(history) - 1], replayed(history).value)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=9).map(lambda counts: sorted(counts, reverse=True)),
    st.integers(0, 2**32 - 1),
    st.floats(0.001, 1),
    st.integers(1, 12),
)
def test_a_whole_history_at_once_is_what_its_turns_give_one_by_one(turns, seed, alpha, block):
    chance, rows = np.random.default_rng(seed), sum(turns)
    counted = chance.random((4, rows)) < 0.6
    parts = np.where(counted, chance.normal(size=(4, rows)), np.nan)
    elapsed, interval = chance.uniform(0, 300, rows), chance.uniform(1, 60, rows)
    known = chance.random((4, turns[0])) < 0.5
    memory = Memory(np.where(known, 0.7, np.nan), np.where(known, 60.0, np.nan))
    begins = np.cumsum([0, *turns]).tolist()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("scoring.over_history.TOGETHER", block)  # so that a history of some rows lies in several blocks
        smoothed, end = smooth_history(parts, counted, memory, elapsed, interval, alpha, begins)
    value, age = memory.value.copy(), memory.age_sec.copy()
    for begin, count in zip(begins, turns, strict=False):
        here, now = slice(begin, begin + count), slice(0, count)
        step = smooth(parts[:, here], counted[:, here], Memory(value[:, now], age[:, now]), elapsed[here], interval[here], alpha)
        value[:, now], age[:, now] = step.value, step.age_sec
        np.testing.assert_array_equal(smoothed[:, here], step.value)
    np.testing.assert_array_equal(end.value, value)
    np.testing.assert_array_equal(end.age_sec, age)


@pytest.mark.parametrize("interval", [INTERVAL, np.array([30.0, 10.0, 60.0, 45.0, 20.0, 15.0, 90.0])])
def test_a_token_that_ends_leaves_the_others_and_its_own_memory_as_they_are(interval):
    """Three tokens, then two, then two once more: the third has its last value first, and nothing of it moves while the others go on."""
    parts, elapsed = np.arange(28.0).reshape(4, 7), np.array([30.0, 30.0, 30.0, 31.0, 32.0, 33.0, 34.0])
    counted = np.ones((4, 7), dtype=bool)
    counted[2, [2, 4]], counted[3, 2:] = False, False
    parts[~counted] = np.nan
    memory = Memory(np.full((4, 3), 0.5), np.array([[0.0] * 3, [1.0] * 3, [12.0] * 3, [1.0, 0.0, 60.0]]))
    smoothed, end = smooth_history(parts, counted, memory, elapsed, interval, ALPHA, [0, 3, 5, 7])
    for token, places in enumerate(([0, 3, 5], [1, 4, 6], [2])):
        each = Memory(memory.value[:, [token]], memory.age_sec[:, [token]])
        for place in places:
            one = interval[[place]] if isinstance(interval, np.ndarray) else np.full(1, interval)
            each = smooth(parts[:, [place]], counted[:, [place]], each, elapsed[[place]], one, ALPHA)
            np.testing.assert_array_equal(smoothed[:, place], each.value[:, 0])
        np.testing.assert_array_equal(end.value[:, token], each.value[:, 0])
        np.testing.assert_array_equal(end.age_sec[:, token], each.age_sec[:, 0])


def test_a_metric_that_never_had_a_value_is_unknown_and_begins_with_its_first_in_the_middle_of_a_block():
    parts = np.array([[np.nan, np.nan, 5.0, 6.0, np.nan], [1.0] * 5, [np.nan] * 5, [np.nan, 2.0, np.nan, np.nan, 4.0]])
    smoothed, end = smooth_history(parts, ~np.isnan(parts), Memory.empty(1), np.array([np.nan, *[30.0] * 4]), INTERVAL, ALPHA, range(6))
    np.testing.assert_allclose(smoothed[0], [np.nan, np.nan, 5.0, 5.3, 5.3], rtol=1e-12)
    np.testing.assert_array_equal(smoothed[1:3], [[1.0] * 5, [np.nan] * 5])
    np.testing.assert_allclose(smoothed[3], [np.nan, 2.0, 2.0, 2.0, 4 - 2 * 0.7**3], rtol=1e-12)
    np.testing.assert_array_equal(end.age_sec[:, 0], [30.0, 0.0, np.nan, 0.0])


def test_over_a_history_too_a_missing_value_waits_to_the_last_bit():
    parts, memory = np.full((4, 3), np.nan), Memory(np.full((4, 1), 1e-30), np.full((4, 1), 60.0))
    smoothed, end = smooth_history(parts, ~np.isnan(parts), memory, np.full(3, 30.0), np.full(3, INTERVAL), ALPHA, [0, 1, 2, 3])
    assert smoothed.tolist() == [[1e-30] * 3] * 4
    assert (end.value.tolist(), end.age_sec.tolist()) == ([[1e-30]] * 4, [[150.0]] * 4)


def test_a_history_is_smoothed_into_the_memory_that_is_given():
    parts, out = np.ones((4, 2)), np.full((4, 2), 9.0)
    smoothed, _ = smooth_history(parts, parts > 0, Memory.empty(1), np.full(2, 30.0), INTERVAL, ALPHA, [0, 1, 2], out)
    assert smoothed is out
    assert out.tolist() == parts.tolist()


@pytest.mark.parametrize(
    ("places", "groups"),
    [(9, [[(0, 3), (3, 6), (6, 8)], [(8, 9)]]), (8, [[(0, 3), (3, 6)], [(6, 8), (8, 9)]]), (2, [[(0, 3)], [(3, 6)], [(6, 8)], [(8, 9)]])],
)
def test_so_many_turns_go_together_as_fit_if_all_were_as_wide_as_the_first_and_one_at_least(monkeypatch, places, groups):
    monkeypatch.setattr("scoring.over_history.TOGETHER", places)
    assert list(over_history._groups([0, 3, 6, 8, 9])) == groups


def test_a_turn_of_half_the_width_goes_with_the_first_and_a_narrower_one_begins_anew():
    assert list(over_history._groups([0, 20, 30])) == [[(0, 20), (20, 30)]]
    assert list(over_history._groups([0, 20, 29, 33])) == [[(0, 20)], [(20, 29)], [(29, 33)]]
    assert list(over_history._groups([0])) == []


def test_scores_of_a_history_are_worked_out_block_by_block(monkeypatch):
    counted, smoothed = np.arange(40).reshape(4, 10) % 3 > 0, np.arange(40.0).reshape(4, 10)
    whole = scores(smoothed, counted, formula(), {})
    widths, which = [], over_history.patterns
    monkeypatch.setattr("scoring.over_history.BLOCK", 4)
    monkeypatch.setattr("scoring.over_history.patterns", lambda some: widths.append(some.shape[1]) or which(some))
    np.testing.assert_array_equal(scores(smoothed, counted, formula(), {}), whole)
    assert widths == [4, 4, 2]


def test_a_history_of_nothing_leaves_the_memory_as_it_was():
    memory, none = Memory(np.full((4, 2), 0.7), np.full((4, 2), 60.0)), np.zeros((4, 0))
    smoothed, end = smooth_history(none, none > 0, memory, np.zeros(0), np.zeros(0), ALPHA, [0])
    assert smoothed.shape == (4, 0)
    assert (end.value.tolist(), end.age_sec.tolist()) == (memory.value.tolist(), memory.age_sec.tolist())
