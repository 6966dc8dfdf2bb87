"""The history of a token as columns, as far as it needs no database."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens import chart


def each(*moments):
    """One snapshot a point, at these seconds."""
    return [(moment, moment, 1) for moment in moments]


def test_a_long_time_without_a_snapshot_is_an_outage():
    assert chart.silent_stretches(each(0, 30, 60, 600, 630), 0, 640) == [(60, 600)]


def test_a_poll_that_came_late_is_none():
    assert chart.silent_stretches(each(0, 30, 60, 140, 170), 0, 200) == []


def test_a_token_that_is_looked_at_rarely_has_longer_steps():
    assert chart.silent_stretches(each(0, 300, 600, 900, 1200), 0, 1800) == []


def test_a_token_that_is_looked_at_more_often_from_now_on_has_no_outage_before():
    slow, fast = range(0, 3000, 300), range(3000, 3300, 30)
    assert chart.silent_stretches(each(*slow, *fast), 0, 3300) == []


def test_points_of_many_snapshots_are_judged_by_the_pace_of_the_snapshots():
    points = [(0, 570, 20), (600, 1170, 20), (1500, 1770, 10), (1800, 2370, 20)]
    assert chart.silent_stretches(points, 0, 2380) == [(1170, 1500)]


def test_an_outage_that_lasts_reaches_to_the_end():
    assert chart.silent_stretches(each(0, 30, 60), 0, 1000) == [(60, 1000)]


def test_an_outage_that_began_before_what_is_looked_at_is_shaded_from_its_beginning():
    assert chart.silent_stretches(each(600, 630, 660), 30, 690) == [(30, 600)]


def test_a_stretch_inside_an_outage_is_all_outage():
    assert chart.silent_stretches([], 30, 5000) == [(30, 5000)]


def test_a_young_token_whose_first_figures_are_still_to_come_has_no_outage():
    assert chart.silent_stretches([], 0, 60) == []
    assert chart.silent_stretches(each(5), 0, 10) == []


def test_after_the_end_of_an_archived_token_nothing_is_missing():
    assert chart.silent_stretches(each(0, 30, 60), 0, None) == []


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=60, unique=True), st.floats(0, 1e4))
def test_outages_lie_between_snapshots_one_after_the_other(moments, later):
    moments = sorted(round(moment, 1) for moment in moments)
    outages = chart.silent_stretches(each(*moments), moments[0], moments[-1] + later)
    assert all(earlier in moments and later - earlier > chart.SHORTEST_OUTAGE_SEC for earlier, later in outages)
    assert all(one[1] <= other[0] for one, other in pairwise(outages))


def test_a_line_is_interrupted_where_nothing_came_in():
    moments, columns = chart.interrupted([0, 30, 600], {"price": [1.0, 2.0, 3.0], "notes": [0, 1, 0]}, [(30, 600)])
    assert moments == [0, 30, 31, 600]
    assert columns == {"price": [1.0, 2.0, None, 3.0], "notes": [0, 1, 0, 0]}


@given(st.floats(0, 1e9))
def test_a_stretch_of_any_length_has_no_more_points_than_a_screen(span_sec):
    assert span_sec <= chart.step_sec(span_sec) * chart.POINTS or chart.step_sec(span_sec) == chart.STEPS_SEC[-1]


@pytest.mark.parametrize("text", ["", "-1", "1e9", "1.5", "x", "\x00", "9" * 11, "4102444801", "١٢", " 1"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(chart.Refused, match="whole seconds"):
        chart.asked({"from": text})


def test_a_stretch_that_ends_before_it_begins_is_refused():
    with pytest.raises(chart.Refused, match="before"):
        chart.asked({"from": "20", "to": "10"})
