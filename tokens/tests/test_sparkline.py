import re

from hypothesis import given
from hypothesis import strategies as st

from tokens import sparkline

POINT = re.compile(r"[ML]([\d.]+) ([\d.]+)")


def test_a_line_spans_the_picture_from_its_lowest_to_its_highest_value():
    assert sparkline.path([0.0, 1.0, 2.0]) == "M0 20h.01L48 11L96 2"


def test_a_hole_in_the_data_is_a_hole_in_the_line():
    assert sparkline.path([0.0, 1.0, None, 1.0, 0.0]).count("M") == 2


def test_a_flat_line_runs_in_the_middle():
    assert sparkline.path([5.0, 5.0]) == "M0 11h.01L96 11"


def test_one_value_is_a_dash_and_none_is_nothing():
    assert sparkline.path([None, 1.0, None]) == "M43 11h5"
    assert sparkline.path([None] * 9) == sparkline.path([]) == ""


def test_the_trend_is_the_last_known_value_less_the_first():
    assert sparkline.trend([None, 1.0, 3.0, None]) == 2.0
    assert sparkline.trend([None, 1.0]) == 0.0


@given(st.lists(st.floats(-1e18, 1e18) | st.none(), max_size=70))
def test_every_line_stays_inside_its_picture_and_begins_anew_after_each_hole(values):
    path = sparkline.path(values)
    numbers = [float(number) for point in POINT.findall(path) for number in point]
    assert all(0 <= number <= sparkline.WIDTH for number in numbers[::2])
    assert all(sparkline.MARGIN <= number <= sparkline.HEIGHT - sparkline.MARGIN for number in numbers[1::2])
    pieces = "".join("v" if value is not None else " " for value in values).split()
    assert path.count("M") == (len(pieces) if len(values) > 1 else 0)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=70))
def test_a_line_without_holes_is_drawn_like_one_with_a_hole_at_its_end(values):
    whole, cut = sparkline.path(values), sparkline.path([*values, None])
    assert [height for _, height in POINT.findall(whole)] == [height for _, height in POINT.findall(cut)]
