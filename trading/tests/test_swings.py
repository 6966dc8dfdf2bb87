"""Turning points that later bars have confirmed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trading import swings
from trading.tests.points import NAN

prices = st.lists(st.one_of(st.just(NAN), st.integers(1, 6).map(float)), min_size=1, max_size=40)


def plain_highs(values, order):
    """The definition, bar by bar."""
    found = []
    for place in range(order, len(values) - order):
        before = [one for one in values[place - order : place] if not np.isnan(one)]
        after = [one for one in values[place + 1 : place + order + 1] if not np.isnan(one)]
        if before and after and values[place] > max(before) and values[place] >= max(after):
            found.append(place)
    return found[::-1]


def highs(values, order, count=40):
    return [place for place in swings.newest_highs(np.array(values)[:, None], order, count)[:, 0] if place >= 0]


@given(values=prices, order=st.integers(1, 6))
def test_swings_are_those_of_the_definition(values, order):
    assert highs(values, order) == plain_highs(values, order)


@given(seed=st.integers(0, 2**32 - 1), order=st.integers(1, 3), count=st.integers(1, 6))
def test_the_newest_of_a_long_series_are_the_newest_of_all(seed, order, count):
    values = np.random.default_rng(seed).integers(1, 9, 150).astype(np.float64)
    values[: seed % 150] = values[seed % 150]  # flat for a while: some find too few among the newest rows
    assert highs(values[::-1], order, count) == plain_highs(values[::-1], order)[:count]
    assert highs(values, order, count) == plain_highs(values, order)[:count]


@given(values=prices, order=st.integers(1, 4))
def test_lows_are_highs_upside_down(values, order):
    flipped = -np.array(values)[:, None]
    np.testing.assert_array_equal(swings.newest_lows(-flipped, order, 5), swings.newest_highs(flipped, order, 5))


@given(values=prices, later=prices, order=st.integers(1, 4))
def test_a_swing_once_seen_is_never_taken_back(values, later, order):
    assert set(highs(values, order)) <= set(highs(values + later, order))


def test_a_turn_that_could_still_be_undone_is_none():
    assert highs([1.0, 2.0, 3.0, 2.0], order=2) == []
    assert highs([1.0, 2.0, 3.0, 2.0, 1.0], order=2) == [2]


def test_a_gap_confirms_nothing():
    assert highs([1.0, 2.0, 3.0, NAN, NAN], order=2) == []


def test_a_flat_price_has_no_swings():
    assert highs([2.0] * 30, order=3) == []


def test_fewer_swings_than_asked_for_are_nowhere():
    found = swings.newest_highs(np.array([[1.0], [3.0], [1.0]]), 1, 3)[:, 0]
    assert found.tolist() == [1, swings.NOWHERE, swings.NOWHERE]
    np.testing.assert_array_equal(swings.at(np.array([[1.0], [3.0], [1.0]]), found[:, None])[:, 0], [3.0, NAN, NAN])
