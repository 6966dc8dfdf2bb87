from tokens import sparkline


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
