"""The curves of a report: places in pixels, computed by hand."""

import numpy as np
import pytest

from trading.report_charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Curve, amounts, curve, shares


def drawn(values: list[float], base: float | None = None) -> Curve:
    return curve(np.array(values), np.arange(len(values)), amounts, "day {}".format, base)


def points(path: str) -> list[tuple[float, float]]:
    return [(float(across), float(down)) for across, down in (point.split(",") for point in path.strip("MZ").replace("L", "").split())]


def test_the_highest_value_stands_at_the_top_and_the_lowest_at_the_bottom() -> None:
    assert points(drawn([0.0, 10.0, 5.0]).path) == [(LEFT, HEIGHT - BOTTOM), (LEFT + 444, TOP), (WIDTH - RIGHT, 114)]


def test_the_area_goes_down_to_the_base_wherever_that_is() -> None:
    assert {down for _, down in points(drawn([10.0, 20.0], base=0.0).area)} == {TOP, 114, HEIGHT - BOTTOM}
    assert points(drawn([10.0, 20.0]).area)[0] == (LEFT, HEIGHT - BOTTOM)


def test_heights_are_round_numbers_and_moments_are_named() -> None:
    found = drawn([0.0, 10.0, 5.0])
    assert [tick.label for tick in found.heights] == ["0.0", "2.5", "5.0", "7.5", "10.0"]
    assert [tick.label for tick in found.moments] == ["day 0", "day 1", "day 2"]


def test_time_runs_evenly_however_many_points_are_kept_of_it() -> None:
    moments = np.array([0, 3_600, 7_200, 7_260, 7_320, 14_400])
    found = curve(np.arange(6.0), moments, amounts, "at {}".format, None)
    width = WIDTH - LEFT - RIGHT
    assert [across for across, _ in points(found.path)] == pytest.approx([LEFT + width * at / 14_400 for at in moments], abs=0.06)
    assert [(tick.label, tick.at) for tick in found.moments] == [
        (f"at {quarter * 3_600}", LEFT + width * quarter / 4) for quarter in range(5)
    ]


def test_small_moves_have_heights_that_can_be_told_apart() -> None:
    fall = np.array([0.0, -0.0002, -0.0001])
    assert [tick.label for tick in curve(fall, np.arange(3), shares, str, 0.0).heights] == [
        "-0.020%",
        "-0.015%",
        "-0.010%",
        "-0.005%",
        "0.000%",
    ]
    assert [tick.label for tick in drawn([9_998.0, 10_000.0]).heights] == ["9,998.0", "9,998.5", "9,999.0", "9,999.5", "10,000.0"]


def test_nothing_is_no_curve_and_a_flat_one_lies_in_the_middle() -> None:
    assert drawn([]) == Curve("", "", (), ())
    assert {down for _, down in points(drawn([7.0, 7.0]).path)} == {114}


@pytest.mark.parametrize("at", [0, 1234, 9_999])
def test_of_many_points_no_peak_is_lost(at: int) -> None:
    values = np.zeros(10_000)
    values[at] = 1.0
    found = points(drawn(values.tolist()).path)
    assert len(found) < 4 * WIDTH
    assert min(down for _, down in found) == TOP


def test_a_drawdown_that_never_was_has_no_height_above_nothing() -> None:
    found = curve(np.zeros(3), np.arange(3), shares, str, 0.0)
    assert found.heights[-1].label == "0.00%"
    assert all(tick.label.startswith("-") for tick in found.heights[:-1])


def test_moments_of_one_name_are_named_once() -> None:
    found = curve(np.arange(3.0), np.array([0, 30, 60]), amounts, lambda moment: f"minute {moment // 60}", None)
    assert [tick.label for tick in found.moments] == ["minute 0", "minute 1"]
