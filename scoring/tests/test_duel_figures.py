"""The figures of a duel against formulas that a person can follow, and against the lies that make every comparison look good."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.duel_figures import (
    COST,
    LEAST_BLOCKS,
    LEAST_TOKENS,
    Evidence,
    Terms,
    first_rows,
    first_seen,
    gather,
    judged,
    lead,
    rank_correlations,
)
from scoring.duel_report import report
from scoring.preview import spearman
from scoring.tests.evidence import NAN, a_market, evidence, look

TERMS = Terms(first=2, rise=0.25, minutes=5)
NAMES = ["what is in force", "#7", "#8"]
prices = st.floats(1e-6, 1e6) | st.just(NAN)
scores = st.floats(-5, 5) | st.just(NAN) | st.just(1.0)
looks = st.lists(
    st.dictionaries(st.integers(1, 8), st.tuples(prices, st.lists(scores, min_size=2, max_size=2)), max_size=8), min_size=1, max_size=30
)


def path(*values, score=1.0):
    """One token's prices, a minute each; None where nobody saw it."""
    return [{1: (value, [score, score])} if value is not None else {} for value in values]


def picks(rows, terms=TERMS, side=0, **more):
    found = evidence(rows, **more)
    return judged(found, first_rows(found, side, terms.first), terms)


def reference(rows, terms, side):
    """The same, token by token and look by look, in plain words."""
    found = []
    for n in range(len(rows)):
        end = n + int(terms.minutes)
        if end >= len(rows):
            break
        listed = sorted((-score[side], name) for name, (_, score) in rows[n].items() if score[side] == score[side])
        for _, name in listed[: terms.first]:
            entry = rows[n][name][0]
            if not entry > 0:
                continue
            later = [rows[m][name][0] for m in range(n + 1, end + 1) if name in rows[m] and rows[m][name][0] > 0]
            seen_at_end = name in rows[end] and rows[end][name][0] > 0
            last = later[-1] if later else entry
            best = max(later, default=0.0)
            kept = (1 - COST) / entry
            found.append((n, name, best * kept - 1 >= terms.rise, last * kept > 1 and seen_at_end, last * kept - 1, not seen_at_end))
    return found


@settings(max_examples=50, deadline=None)
@given(rows=looks, first=st.integers(1, 4), minutes=st.integers(1, 9), side=st.integers(0, 1))
def test_picks_are_judged_as_the_plain_loop_judges_them(rows, first, minutes, side):
    terms = Terms(first, 0.25, float(minutes))
    mine = picks(rows, terms, side)
    told = list(
        zip(mine.look.tolist(), mine.token.tolist(), mine.hit == 1, mine.held == 1, mine.gain.tolist(), mine.dark == 1, strict=True)
    )
    plain = reference(rows, terms, side)
    assert [row[:4] + row[5:] for row in told] == [row[:4] + row[5:] for row in plain]
    assert [row[4] for row in told] == pytest.approx([row[4] for row in plain], rel=1e-12)


def test_a_rise_must_pay_for_its_costs():
    assert picks(path(1.0, 1.27, 1.0, 1.0, 1.0, 1.0)).hit.tolist() == [0.0]
    assert picks(path(1.0, 1.28, 1.0, 1.0, 1.0, 1.0)).hit.tolist() == [1.0]


def test_a_token_that_dies_stays_a_pick_and_is_no_success():
    (mine,) = zip(*dataclasses.astuple(picks(path(1.0, 1.2, None, None, None, None))), strict=True)
    _, _, hit, held, gain, dark = mine
    assert (hit, held, dark) == (0.0, 0.0, 1.0)
    assert gain == pytest.approx(1.2 * 0.98 - 1)


def test_times_in_which_nobody_looked_say_nothing():
    rows = path(*[1.0] * 12)
    assert len(picks(rows)) == 7
    minutes = [60.0 * n + (1200 if n > 5 else 0) for n in range(12)]
    assert picks(rows, at=minutes).look.tolist() == [0, 1, 2, 6]  # two minutes short of its end a window is still whole


def test_the_last_looks_wait_for_their_future():
    assert len(picks(path(1.0, 9.0, 9.0, 9.0, 9.0))) == 0


@settings(max_examples=30, deadline=None)
@given(rows=looks, cut=st.integers(0, 29), chance=st.randoms(use_true_random=False))
def test_a_shuffled_future_changes_nothing_before_it(rows, cut, chance):
    future = rows[cut:]
    chance.shuffle(future)
    before, after = picks(rows), picks(rows[:cut] + future)
    settled = before.look + TERMS.minutes < cut
    same = after.look + TERMS.minutes < cut
    for name in ("look", "token", "hit", "held", "gain", "dark"):
        np.testing.assert_array_equal(getattr(before, name)[settled], getattr(after, name)[same])


@settings(max_examples=30, deadline=None)
@given(rows=looks)
def test_correlations_are_spearmans_look_by_look(rows):
    found = evidence(rows)
    for told, tokens in zip(rank_correlations(found, 0, 1).tolist(), rows, strict=True):
        both = np.array([score for _, score in tokens.values() if not np.isnan(score).any()]).reshape(-1, 2)
        plain = spearman(both[:, 0], both[:, 1]) if len(both) >= 3 else None
        assert (told != told) if plain is None else told == pytest.approx(plain, abs=1e-12)


def test_a_sides_own_list_counts_not_the_others():
    rows = look({1: (1.0, [9.0, 9.0]), 2: (1.0, [1.0, 1.0])})
    hidden = dataclasses.replace(rows, active=np.array([[True, True], [False, True]]))
    found = gather([0.0], [hidden])
    assert found.token[first_rows(found, 0, 1)].tolist() == [1]
    assert found.token[first_rows(found, 1, 1)].tolist() == [2]


def activations(sides=2, tokens=30, earlier=0.0):
    return [{n: 1e9 + 600.0 * n - 60 * earlier * side for n in range(tokens)} for side in range(sides)]


def test_two_sides_that_are_alike_differ_by_exactly_nothing():
    rows = [{name: (price, [score[0], score[0]]) for name, (price, score) in tokens.items()} for tokens in a_market()]
    (_, other) = report(evidence(rows), Terms(5, 0.1, 30), activations(), NAMES).sides
    assert other.same_picks
    assert [dataclasses.astuple(found) for found in other.differences.values()] == [(0.0, 0.0, 0.0)] * 3
    assert dataclasses.astuple(other.activation.median) == (0.0, 0.0, 0.0)
    assert (other.entry.only_mine, other.entry.only_theirs) == (0, 0)
    assert "exactly what was in force" in other.verdict


def test_alike_sides_correlate_perfectly():
    rows = [{name: (price, [score[0], score[0]]) for name, (price, score) in tokens.items()} for tokens in a_market()]
    found = report(evidence(rows), Terms(5, 0.1, 30), activations(), NAMES).correlations[0, 1]
    assert dataclasses.astuple(found) == (1.0, 1.0, 1.0)


def test_a_side_that_knows_more_is_found_out_and_one_that_knows_less():
    better = report(evidence(a_market(looks=900, skill=(0.0, 2.0))), Terms(3, 0.1, 30), activations(), NAMES).sides[1]
    worse = report(evidence(a_market(looks=900, skill=(2.0, 0.0))), Terms(3, 0.1, 30), activations(), NAMES).sides[1]
    assert better.differences["hit"].low > 0
    assert better.verdict.startswith("#7 finds more: of its first 3,")
    assert worse.verdict.startswith("#7 finds less: of its first 3,")


def test_sides_that_know_nothing_are_told_apart_in_few_duels():
    """The intervals promise one wrong verdict in twenty; drawn so wide as here they give fewer."""
    wrong = 0
    for seed in range(20):
        verdict = report(evidence(a_market(seed=seed, looks=300, tokens=20)), Terms(3, 0.1, 30), activations(), NAMES).sides[1].verdict
        wrong += "finds" in verdict
    assert wrong <= 2


def test_too_few_is_said_and_no_number():
    (mine, other) = report(evidence(a_market(looks=100)), Terms(5, 0.1, 30), activations(tokens=3), NAMES).sides
    assert mine.figures == other.differences == dict.fromkeys(("hit", "held", "gain"))
    assert other.activation.median is None
    assert other.verdict.startswith("Too few yet to say anything about #7: 3 of 8 stretches of 30 min")
    assert "It needs about" in other.verdict


def test_no_difference_comes_with_how_long_to_wait():
    verdict = report(evidence(a_market(looks=300, tokens=12)), Terms(3, 0.1, 30), activations(), NAMES).sides[1].verdict
    assert verdict.startswith("No difference between #7 and what is in force can be told yet (")
    assert "more." in verdict or "ruled out" in verdict or "two weeks" in verdict


def test_of_nothing_but_misses_no_certainty_is_made():
    """Nobody's pick ever rises: the draws cannot vary, and still an interval is no point."""
    rows = [{name: (1.0, [float(name), -float(name)]) for name in range(30)} for _ in range(400)]
    found = report(evidence(rows), Terms(10, 0.5, 30), activations(), NAMES).sides[1]
    assert found.figures["hit"].value == 0
    assert found.figures["hit"].high > 0.05
    assert found.differences["hit"].low < 0 < found.differences["hit"].high


def test_an_empty_duel_has_a_verdict_too():
    nothing = np.empty(0)
    empty = Evidence(nothing, np.zeros(1, int), nothing.astype(int), nothing, np.empty((2, 0)), np.empty((2, 0), bool))
    assert report(empty, TERMS, [{}, {}], NAMES).sides[1].verdict.startswith("Too few yet")


def test_leads_are_the_minutes_by_which_a_side_was_earlier():
    theirs = {n: 1e9 + 900.0 * n for n in range(LEAST_TOKENS + 2)}
    mine = {n: at - 180.0 for n, at in theirs.items() if n > 1} | {99: 5.0}
    found = lead(mine, theirs, 900)
    assert dataclasses.astuple(found.median) == (3.0, 3.0, 3.0)
    assert (found.both, found.only_mine, found.only_theirs) == (LEAST_TOKENS, 1, 2)


@pytest.mark.parametrize("blocks", [1, LEAST_BLOCKS - 1, LEAST_BLOCKS])
def test_a_lead_needs_as_many_stretches_of_time_as_every_other_figure(blocks):
    """Tokens that came in the same half hour saw the same market: forty of them in three hours are no forty trials."""
    theirs = {n: 1_800_000.0 * 1000 + 1800.0 * (n % blocks) for n in range(40)}
    found = lead({n: at - 60.0 for n, at in theirs.items()}, theirs, 1800)
    assert found.both == 40
    assert (found.median is not None) == (blocks == LEAST_BLOCKS)


def test_what_stood_there_at_the_first_look_may_have_stood_there_for_long():
    rows = [{1: (1.0, [2.0, 2.0])}, {1: (1.0, [2.0, 2.0]), 2: (1.0, [1.0, 3.0])}]
    found = evidence(rows)
    assert first_seen(found, first_rows(found, 0, 1)) == {}
    assert first_seen(found, first_rows(found, 1, 1)) == {2: 1e9 + 60}
