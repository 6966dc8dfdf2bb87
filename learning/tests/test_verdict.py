"""The verdict finds what is there and claims nothing that is not; every figure equals its plain formula."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.tests.markets import BEGAN, market, seen
from learning.verdict import blocks, picks, questions, ranks, tenths
from learning.verdict.calibration import calibrated, equal_bins
from learning.verdict.corrected import holm
from learning.verdict.samples import DEAD, PRICED, UNSEEN, WAITING, Forward, Predictor, Sample, counts
from learning.verdict.student import chance_beyond, distance_of

SEEDS = 20


@pytest.fixture(scope="module")
def with_a_lead():
    return [questions.family([seen(market(seed, 0.12))]) for seed in range(SEEDS)]


def test_a_metric_that_leads_the_price_by_ten_minutes_is_found_in_every_market(with_a_lead):
    for found in with_a_lead:
        leading = [question for question in found if question.predictor == "tx_accel"]
        assert min(question.corrected for question in leading) < 0.01
        assert all(question.found.value > 0 for question in leading if question.claimed)


def test_what_only_stands_beside_it_is_not_found(with_a_lead):
    idle = [question for found in with_a_lead for question in found if question.predictor not in ("tx_accel", "score")]
    assert sum(question.claimed for question in idle) <= 1


def test_where_nothing_leads_nothing_is_claimed():
    claims = [[one for one in questions.family([seen(market(1000 + seed, 0.0))]) if one.claimed] for seed in range(SEEDS)]
    assert sum(1 for found in claims if found) <= 1


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Where there is nothing, nothing lies outside a 95 % interval in about one case of twenty, overlapping outcomes or not."""
    found = [question for seed in range(20) for question in questions.family([seen(market(2000 + seed, 0.0, 12, 24))], (15, 60))]
    outside = np.mean([not question.found.low <= 0 <= question.found.high for question in found])
    assert len(found) == 200
    assert 0.0 < outside <= 0.09


def test_the_plain_way_without_blocks_would_claim_too_much():
    """Seen as independent, overlapping outcomes make nothing look like something: that is why stretches of time are drawn."""
    sample = [seen(market(3000 + seed, 0.0, 10, 60)) for seed in range(8)]
    naive = [questions.by_mark(one, predictor, 240)[0] for one in sample for predictor in one.predictors.values()]
    scores = [np.nanmean(values) / (np.nanstd(values) / math.sqrt(np.isfinite(values).sum())) for values in naive]
    honest = [questions.ask(one, predictor, 240).found.p for one in sample for predictor in one.predictors.values()]
    assert np.mean(np.abs(scores) > 1.96) > 2 * np.mean(np.array(honest) < 0.05)


def plain_spearman(x, y):
    def rank(values):
        return np.array([np.mean([place for place, other in enumerate(np.sort(values)) if other == value]) for value in values])

    first, second = rank(x) - rank(x).mean(), rank(y) - rank(y).mean()
    return float((first * second).sum() / math.sqrt((first**2).sum() * (second**2).sum()))


few_values = st.lists(st.tuples(st.integers(0, 6), st.integers(-5, 5)), min_size=5, max_size=30)


@given(st.lists(few_values, min_size=1, max_size=4))
def test_rank_correlations_are_those_of_the_plain_formula(marks):
    group = np.repeat(np.arange(len(marks)), [len(mark) for mark in marks])
    x, y = (np.array([pair[side] for mark in marks for pair in mark], dtype=float) for side in (0, 1))
    found, number = ranks.rank_correlations(group, x, y, len(marks), 5)
    for place, mark in enumerate(marks):
        one, other = (np.array([pair[side] for pair in mark], dtype=float) for side in (0, 1))
        alike = np.ptp(one) == 0 or np.ptp(other) == 0
        assert number[place] == len(mark)
        assert math.isnan(found[place]) if alike else found[place] == pytest.approx(plain_spearman(one, other))


@given(few_values)
def test_the_first_of_a_mark_are_its_highest(mark):
    values = np.array([pair[0] for pair in mark], dtype=float)
    place = ranks.places_from_the_top(np.zeros(len(mark), dtype=int), values, np.arange(len(mark)), 1)
    assert [values[row] for row in np.argsort(place)] == sorted(values, reverse=True)
    assert sorted(place) == list(range(len(mark)))


@pytest.mark.parametrize(
    ("distance", "freedom", "chance"),
    [(1.0, 1, 0.5), (12.706204736, 1, 0.05), (2.776445105, 4, 0.05), (4.604094871, 4, 0.01), (1.983971519, 100, 0.05), (0.0, 7, 1.0)],
)
def test_students_t_is_that_of_the_tables(distance, freedom, chance):
    assert chance_beyond(distance, freedom) == pytest.approx(chance, rel=1e-8)
    assert distance_of(chance, freedom) == pytest.approx(distance, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("freedom", [1, 4, 30, 1e4, 1e10])
def test_far_beyond_everything_the_chance_falls_to_nothing_and_is_told_as_that(freedom):
    chances = [chance_beyond(distance, freedom) for distance in (0.0, 0.5, 1.75, 40.0, 1e7, 2e8, math.inf)]
    assert chances == sorted(chances, reverse=True)
    assert (chances[0], chances[-2:]) == (1.0, [0.0, 0.0])
    assert [chance_beyond(-distance, freedom) for distance in (1.75, 2e8)] == [chances[2], 0.0]


def test_of_an_unknown_distance_and_of_no_freedom_the_chance_is_unknown():
    assert math.isnan(chance_beyond(math.nan, 5))
    assert math.isnan(chance_beyond(1.0, 0))


@given(st.lists(st.floats(0, 1) | st.just(math.nan), max_size=12))
def test_holm_is_the_plain_procedure(p):
    asked = sorted((value, place) for place, value in enumerate(p) if not math.isnan(value))
    found, least = holm(np.array(p, dtype=float)), 0.0
    for order, (value, place) in enumerate(asked):
        least = max(least, min(1.0, value * (len(asked) - order)))
        assert found[place] == pytest.approx(least)
    assert np.isnan(found).sum() == len(p) - len(asked)


def a_sample(marks, tokens, value, net, best=None, state=None, every_sec=900):
    """One predictor `x`; the same outcome at every horizon. `value`, `net` (marks, tokens)."""
    n = marks * tokens
    known = np.full(n, PRICED) if state is None else np.ravel(state)
    forward = Forward.of(known, np.ravel(net) + 0.02, np.ravel(net), np.ravel(net if best is None else best))
    return Sample(
        "score",
        np.repeat(BEGAN + np.arange(marks) * every_sec, tokens),
        np.tile(np.arange(tokens), marks),
        np.ones(n, dtype=np.int64),
        dict.fromkeys((15, 60, 240, 720), forward),
        {"x": Predictor("x", np.ravel(value).astype(float))},
    )


@pytest.fixture
def straight():
    """Twenty tokens, at 40 marks; the return is the value itself, from −0.5 to +0.5, less costs."""
    value = np.tile(np.arange(20) / 19 - 0.5, (40, 1))
    return a_sample(40, 20, value, value - 0.02, best=np.where(value > 0.4, 1.2, value))


def test_tenths_hold_their_own_and_rise(straight):
    found = tenths.by_tenth(straight, straight.predictors["x"], 15)
    assert [part.signals for part in found] == [80] * 10
    assert [part.mean.value for part in found] == pytest.approx([(4 * place + 1) / 38 - 0.52 for place in range(10)])
    assert [part.up.value for part in found] == [0.0] * 5 + [1.0] * 5
    assert found[9].median.value == pytest.approx(0.5 - 0.02 - 1 / 38)


def test_the_first_few_are_counted_against_all(straight):
    first = {cut.first: cut for cut in picks.cuts(straight, straight.predictors["x"], 15)}
    assert first[5].picks == 200
    assert first[5].hit.value == 1.0
    assert first[picks.ALL].hit.value == pytest.approx(0.5)
    assert first[5].lift.value == pytest.approx(2)
    assert (first[1].precision.value, first[1].recall.value) == (1.0, 0.5)
    assert (first[5].precision.value, first[5].recall.value) == (pytest.approx(0.4), 1.0)


def test_what_value_meant_what(straight):
    found = calibrated(straight, straight.predictors["x"], 15)
    assert not found.claimed
    assert [bin.happened.value for bin in found.bins] == [0.0] * 5 + [1.0] * 5
    assert found.base.value == pytest.approx(0.5)


def test_a_chance_that_was_claimed_stands_beside_what_happened(straight):
    chance = np.full((800, 4), 0.4)
    honest = replace(straight.predictors["x"], chance=chance)
    found = calibrated(straight, honest, 15)
    assert found.claimed
    assert (found.bins[0].said, found.bins[0].happened.value) == (pytest.approx(0.4), pytest.approx(0.5))
    assert found.error == pytest.approx(0.1)
    assert found.brier.value == pytest.approx(0.5 * 0.4**2 + 0.5 * 0.6**2)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_bins_do_not_depend_on_the_order_of_the_rows(values, chance):
    array = np.array(values, dtype=float)
    place = list(range(len(values)))
    chance.shuffle(place)
    assert equal_bins(array)[place].tolist() == equal_bins(array[place]).tolist()
    assert len(set(zip(values, equal_bins(array).tolist(), strict=True))) == len(set(values))


def test_the_dead_count_and_what_nobody_saw_does_not(straight):
    state = np.full((40, 20), PRICED)
    state[:, 0], state[:, 1], state[:, 2] = DEAD, UNSEEN, WAITING
    value = np.tile(np.arange(20.0), (40, 1))
    net = np.where(state == DEAD, -1.0, 0.1)
    sample = a_sample(40, 20, value, net, state=state)
    told = counts(sample, 15)
    assert (told.signals, told.priced, told.dead, told.unseen, told.waiting, told.tokens) == (800, 680, 40, 40, 40, 20)
    everything = picks.cuts(sample, sample.predictors["x"], 15)[-1]
    assert (everything.picks, everything.unseen) == (720, 40)
    assert everything.mean.value == pytest.approx((17 * 0.1 - 1.0) / 18)


def test_a_good_hour_for_all_foretells_nothing():
    """The market rises at the very marks at which every value is high: within a mark there is nothing to tell tokens apart."""
    chance = np.random.default_rng(5)
    hour = chance.standard_normal((60, 1))
    noise = 1e-3 * chance.standard_normal((60, 20))
    sample = a_sample(60, 20, hour + 1e-3 * chance.standard_normal((60, 20)), hour + noise)
    assert not questions.family([sample], [15])[0].claimed


@pytest.mark.parametrize(("marks", "tokens", "every_sec"), [(19, 5, 3600), (4, 100, 3600), (40, 4, 3600)])
def test_too_few_are_too_few_to_tell(marks, tokens, every_sec):
    """Fewer than 100 signals, than 5 stretches of time, than 5 tokens at a mark."""
    value = np.tile(np.arange(float(tokens)), (marks, 1))
    found = questions.family([a_sample(marks, tokens, value, value, every_sec=every_sec)], [15])[0]
    assert (found.enough, found.claimed) == (False, False)
    assert math.isnan(found.corrected)


def test_two_horizons_make_one_stretch_and_no_less_than_an_hour():
    assert [blocks.block_sec(horizon) for horizon in (15, 60, 240, 720)] == [3600, 7200, 28_800, 86_400]


def test_the_same_evidence_is_told_the_same_way_again():
    first, second = (questions.family([seen(market(9, 0.05, 10, 12))]) for _ in range(2))
    assert [repr(question) for question in first] == [repr(question) for question in second]


def test_the_doubt_is_that_of_so_many_independent_pairs():
    question = questions.family([seen(market(4, 0.0))], [15])[0]
    assert 0 < question.effective <= 1.6 * question.signals
    alone = questions.Question("score", "x", 15, blocks.Figure(0.0, -0.2, 0.2, 0.5, error=0.1), 101, 5, 5)
    assert alone.effective == pytest.approx(101)


def test_nothing_at_all_is_no_answer_and_no_error():
    empty = a_sample(0, 3, np.zeros((0, 3)), np.zeros((0, 3)))
    assert not questions.family([empty])[0].enough
    assert picks.cuts(empty, empty.predictors["x"], 15)[0].picks == 0
    assert tenths.by_tenth(empty, empty.predictors["x"], 15) == []
    assert calibrated(empty, empty.predictors["x"], 15).bins == ()


def test_each_day_by_itself_tells_from_which_of_them_the_answer_comes():
    """Twenty hours of twenty tokens, a token at each place: on the first day the return is the value, on the second its reverse."""
    value = np.tile(np.arange(20.0), (20, 1))
    sample = a_sample(20, 20, value, np.where(np.arange(20)[:, None] < 12, value, -value), every_sec=3600)
    first, second = questions.apart(sample, sample.predictors["x"], 15, np.repeat([7, 9], [12, 8]))
    assert (first.name, first.signals, first.marks, first.blocks) == (7, 240, 12, 12)
    assert (second.name, second.signals, second.marks, second.blocks) == (9, 160, 8, 8)
    assert (first.found.value, second.found.value) == (pytest.approx(1), pytest.approx(-1))
    assert first.found.known


def test_a_day_with_few_signals_has_a_value_and_no_interval():
    """Five tokens at 24 marks of an hour: 19 of them are fewer than a hundred signals, in enough stretches of time."""
    value = np.tile(np.arange(5.0), (24, 1))
    sample = a_sample(24, 5, value, value, every_sec=3600)
    few, fewer = questions.apart(sample, sample.predictors["x"], 15, np.repeat([1, 2], [19, 5]))
    assert [(day.signals, day.found.value, day.found.known) for day in (few, fewer)] == [
        (95, pytest.approx(1), False),
        (25, pytest.approx(1), False),
    ]


def test_of_what_has_not_come_everything_is_unknown():
    found = Forward.waiting(3)
    assert found.state.tolist() == [WAITING] * 3
    assert np.isnan([found.gross, found.net, found.best]).all()


def test_some_of_the_signals_keep_what_belongs_to_them(straight):
    chance = np.arange(3200.0).reshape(800, 4)
    whole = replace(straight, predictors={"x": replace(straight.predictors["x"], chance=chance), "y": straight.predictors["x"]})
    chosen = whole.token == 3
    found = whole.where(chosen)
    assert (found.token.tolist(), found.marks) == ([3] * 40, 40)
    assert found.predictors["x"].chance_at(60).tolist() == chance[3::20, 1].tolist()
    assert found.predictors["y"].chance is None
    assert found.forward[15].net.tolist() == whole.forward[15].net[chosen].tolist()
    assert whole.where(np.ones(800, dtype=bool)) is whole


def test_a_median_is_drawn_by_stretches_of_time():
    """One hundred and one values in ten stretches: each the same few values, so whatever is drawn the middle one stays."""
    values = np.tile(np.arange(11.0), 10)
    found = tenths.median(values, np.repeat(np.arange(10), 11), 10)
    assert (found.value, found.low, found.high) == (5.0, 5.0, 5.0)


def test_the_interval_of_a_median_holds_what_most_stretches_agree_on():
    """Eight stretches lie about 0, two about 100: no more than that is in doubt, and the middle is not between them."""
    chance = np.random.default_rng(1)
    values = chance.normal(0, 1, 200) + np.repeat([0.0] * 8 + [100.0] * 2, 20)
    found = tenths.median(values, np.repeat(np.arange(10), 20), 10)
    assert found.value == np.median(values)
    assert found.low < found.value < found.high < 60


def test_a_median_of_nothing_is_unknown_and_of_little_has_no_interval():
    assert tenths.median(np.zeros(0), np.zeros(0, dtype=int), 0) is blocks.UNKNOWN
    little = tenths.median(np.arange(99.0), np.arange(99) % 10, 10)
    assert (little.value, little.known) == (49.0, False)


def test_draws_that_say_nothing_give_no_interval():
    """Half of them at least must say something, of at least five stretches; a value that is unknown has none at all."""
    said, silent = np.full(100, 2.0), np.full(102, math.nan)
    assert not blocks.figure(2.0, np.concatenate([said, silent]), 10).known
    assert not blocks.figure(2.0, said, 4).known
    assert not blocks.figure(math.nan, said, 10).known
    assert blocks.figure(2.0, said, 10).known
