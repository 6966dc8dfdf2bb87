"""What stands under a slider is what scoring every set of weights alone, by the workers' own functions, gives."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import ahead
from scoring.ahead import PLACES, among_first, look_ahead, rows_of_lists
from scoring.metrics import METRICS, add_up, weigh
from scoring.models import ScoringSettings
from scoring.preview import _ranked
from scoring.score_models import REGISTRY
from scoring.tests.columns import formula
from scoring.tests.stretches import a_stretch
from scoring.whatif import ACTIVE, Sampled, replay

FEW = st.sampled_from([0.0, 0.1, 0.25, 0.3, 1.0, 30.0])


def some_lists(seed, moments, tokens, model="hybrid_momentum", steps=4):
    """Parts in few steps, so that many scores are equal, or would be but for rounding; some of them missing."""
    chance = np.random.default_rng(seed)
    counted = chance.random((4, moments, tokens)) < 0.7
    parts = np.where(counted, chance.integers(-steps, steps, counted.shape) * 0.1, np.nan)
    names = ("freshness", "liquidity_factor") if model.endswith("fair") else ()
    return Sampled(parts, counted, {name: chance.integers(0, 3, counted.shape[1:]) / 3 for name in names})


def first_alone(lists, by, first):
    """Of one set of weights: weighed, added up, sorted."""
    score = add_up(weigh(lists.smoothed, lists.counted, by, lists.factors))
    there = np.zeros(score.shape, dtype=bool)
    for moment, row in enumerate(score):
        ranked = [token for token in np.lexsort((np.arange(row.size), -row)) if not np.isnan(row[token])]
        there[moment, ranked[:first]] = True
    return there


@given(st.integers(0, 10**6), st.lists(st.tuples(FEW, FEW, FEW, FEW), min_size=1, max_size=6), st.sampled_from(sorted(REGISTRY)))
def test_who_is_among_the_first_is_what_each_set_of_weights_alone_gives(seed, weights, model):
    lists = some_lists(seed, moments=3, tokens=14, model=model)
    by = formula(model)
    found = among_first(lists, by, np.array(weights), 5)
    for each, there in zip(weights, found, strict=True):
        np.testing.assert_array_equal(there, first_alone(lists, replace(by, weights=each), 5) if sum(each) else np.zeros(there.shape))


ANY_PLACE = st.tuples(st.integers(0, len(METRICS) - 1), st.integers(0, len(PLACES) - 1))


@given(st.integers(0, 10**6), st.tuples(FEW, FEW, FEW, FEW).filter(any), st.sampled_from([9, 14, 25]), ANY_PLACE)
def test_what_stays_is_counted_list_by_list(seed, weights, tokens, where):
    lists, by = some_lists(seed, 6, tokens, steps=40), formula(weights=weights)
    found = look_ahead(lists, by)
    scored = (lists.counted & (np.array(weights) > 0)[:, None, None]).any(axis=0).sum(axis=1)
    if found.stay is None:
        assert (scored >= 10).sum() < 5
        return
    long = lists.of(scored >= 2 * found.first)
    moved = tuple(PLACES[where[1]] if metric == where[0] else weight for metric, weight in enumerate(weights))
    both = first_alone(long, by, found.first) & first_alone(long, replace(by, weights=moved), found.first)
    np.testing.assert_array_equal(found.stay[where], both.sum(axis=1).mean() if any(moved) else np.nan)


def test_at_the_drafts_own_weight_all_stay():
    found = look_ahead(some_lists(1, 8, 30, steps=50), formula(weights=(0.3, 0.3, 0.1, 0.6)))
    assert (found.first, found.moments, found.long_enough) == (10, 8, 8)
    assert [found.stay[metric, PLACES.index(own)] for metric, own in enumerate((0.3, 0.3, 0.1, 0.6))] == [10] * 4
    assert found.stay.min() < 9


@pytest.mark.parametrize(("tokens", "moments", "first"), [(9, 6, None), (10, 4, None), (10, 5, 5), (19, 5, 5), (20, 4, None), (20, 5, 10)])
def test_short_lists_are_asked_for_fewer_tokens_and_too_few_lists_for_nothing(tokens, moments, first):
    lists = some_lists(1, moments, tokens)
    lists.counted[:] = True
    found = look_ahead(replace(lists, smoothed=np.nan_to_num(lists.smoothed)), formula())
    assert (found.first if found.stay is not None else None) == first
    assert found.moments == moments


def test_no_list_at_all_tells_nothing():
    nothing = Sampled(np.zeros((4, 0, 0)), np.zeros((4, 0, 0), dtype=bool), {})
    found = look_ahead(nothing, formula())
    assert (found.moments, found.long_enough, found.stay) == (0, 0, None)


# Which tokens are on the list


def lists_one_by_one(stretch, played, moments):
    """For each moment the ranking's tokens, found by going through every token's rows."""
    for at in moments:
        rows = []
        for place in np.argsort(stretch.pks).tolist():
            mine = [int(begin) + place for begin, end in zip(stretch.turns, stretch.turns[1:], strict=False) if begin + place < end]
            seen = [row for row in mine if stretch.columns["ts"][row] <= at]
            if not seen:
                continue
            after = mine[len(seen) :]
            ended = played.status[place] == ACTIVE and stretch.living[place]
            if played.was_active[after[0]] if after else ended:
                rows.append(seen[-1])
        yield rows


@pytest.mark.parametrize("seed", range(6))
def test_a_list_holds_who_was_active_after_the_newest_row(seed, monkeypatch):
    monkeypatch.setattr(ahead, "APART_SEC", 20.0)
    chance = np.random.default_rng(seed)
    stretch = a_stretch(chance, most_tokens=12)
    stretch.pks[:] = chance.permutation(stretch.pks.size)
    stretch.living[:] = chance.random(stretch.living.size) < 0.7
    played = replay(stretch, ScoringSettings(degrade_checks=3), rows_of_lists)
    rows = rows_of_lists(stretch, played)
    at = stretch.columns["ts"]
    moments = np.linspace(at.min(), at.max(), ahead.MOST_MOMENTS + 1)
    busy = [late for early, late in pairwise(moments) if ((at > early) & (at <= late)).any() or early == at.min()]
    found = [[row for row in mine if row >= 0] for mine in rows.tolist()]
    assert found == list(lists_one_by_one(stretch, played, busy))
    assert not played.sampled.counted[:, rows < 0].any()


def test_a_history_of_less_than_a_minute_has_no_moments_apart(monkeypatch):
    stretch = a_stretch(np.random.default_rng(0), most_tokens=5)
    monkeypatch.setattr(ahead, "APART_SEC", float(np.ptp(stretch.columns["ts"])) + 1)
    played = replay(stretch, ScoringSettings(), rows_of_lists)
    assert look_ahead(played.sampled, formula()).stay is None
    assert played.sampled.smoothed.size == 0


def test_the_last_list_is_the_ranking_of_the_preview_in_its_order():
    for seed in range(3):
        stretch = a_stretch(np.random.default_rng(seed), most_tokens=30)
        draft = ScoringSettings(weight_tx_accel=0.7)
        played = replay(stretch, draft, rows_of_lists)
        last, by = played.sampled.of(slice(-1, None)), formula(weights=(0.7, 0.25, 0.25, 0.25))
        for first in range(1, last.smoothed.shape[2] + 1):
            there = among_first(last, by, np.array([by.weights]), first)[0, 0]
            rows = rows_of_lists(stretch, played)[-1][there]
            assert sorted(rows.tolist()) == sorted(stretch.last[_ranked(stretch, played)[:first]].tolist())


def test_many_tokens_are_looked_at_in_fewer_moments_and_the_end_is_always_one():
    assert ahead._spread(40, 40).tolist() == list(range(40))
    assert ahead._spread(40, 13).tolist() == [3, 7, 11, 15, 19, 23, 27, 31, 35, 39]
    assert ahead._spread(1, 5).tolist() == [0]
    assert ahead._spread(0, 5).tolist() == []
