"""How figures are written: pure, so every case is a line."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens.templatetags import figures

NOTHING = [None, "", "12", math.nan, math.inf, -math.inf, True, object()]


@pytest.mark.parametrize(
    "write", [figures.money, figures.count, figures.percent, figures.number, figures.signed, figures.age, figures.span]
)
@pytest.mark.parametrize("value", NOTHING)
def test_what_is_no_number_is_a_dash(write, value):
    assert write(value) == "–"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "$0"),
        (1, "$1"),
        (12.34, "$12.3"),
        (999.4, "$999"),
        (999.96, "$1k"),
        (15_200, "$15.2k"),
        (202_000, "$202k"),
        (999_950, "$1M"),
        (1.5e9, "$1.5B"),
        (2e12, "$2T"),
        (1e18, "$1,000,000T"),
        (-3, "−$3"),
        (0.0349, "$0.0349"),
        (0.00118, "$0.00118"),
        (0.0000012, "$0.0000012"),
        (0.000000407, "$0.0₆407"),
        (3e-13, "$0.0₁₂3"),
        (0.99999, "$1"),
    ],
)
def test_money_has_three_digits_and_no_exponent(value, written):
    assert figures.money(value) == written


@pytest.mark.parametrize(("value", "written"), [(0, "0"), (7, "7"), (1204, "1,204"), (9999, "9,999"), (15_204, "15.2k"), (-34, "−34")])
def test_a_count_is_whole_while_it_is_short(value, written):
    assert figures.count(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.25, "+25 %"), (0.041, "+4.1 %"), (-0.02, "−2 %"), (0.0001, "0 %"), (-0.0001, "0 %"), (11.0, "+1,100 %"), (0.0996, "+10 %")],
)
def test_a_percentage_has_a_sign_unless_it_is_nothing(value, written):
    assert figures.percent(value) == written


@pytest.mark.parametrize(("value", "written"), [(1.84, "1.84"), (-0.021, "−0.02"), (-0.001, "0.00"), (63.24, "63.2"), (9.996, "10.0")])
def test_a_score_has_as_many_decimals_as_help(value, written):
    assert figures.number(value) == written


@pytest.mark.parametrize(
    ("seconds", "short", "long"),
    [
        (-5, "0 s", "0 s"),
        (42, "42 s", "42 s"),
        (200, "3 m", "3 m"),
        (7_800, "2 h", "2 h 10 m"),
        (7_200, "2 h", "2 h"),
        (100_000, "27 h", "1 d 3 h"),
        (356_400, "4 d", "4 d 3 h"),
    ],
)
def test_ages_are_one_unit_and_spans_are_two(seconds, short, long):
    assert (figures.age(seconds), figures.span(seconds)) == (short, long)


def test_direction_is_a_sign_an_arrow_and_a_class():
    assert [figures.arrow(value) for value in (2, -2, 0, None)] == ["▲", "▼", "", ""]
    assert [figures.direction(value) for value in (2, -2, 0, None)] == ["up", "down", "flat", "flat"]
    assert [figures.with_sign(text) for text in ("0.333", "−0.333", "0.000", "–")] == ["+0.333", "−0.333", "0.000", "–"]
    assert [figures.side(text) for text in ("0.333", "−0.333", "0.000", "–")] == ["up", "down", "flat", "flat"]


@pytest.mark.parametrize(
    ("given_name", "tamed"),
    [
        ("PI", "PI"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("a\u200bb\u2066c\ufeffd", "abcd"),
        ("two\nlines\tand  more", "two lines and more"),
        ("Z" + "\u0301" * 30, "Z\u0301\u0301"),
        ("\x00\x1b[31mred", "[31mred"),
        ("月亮 🚀", "月亮 🚀"),
        ("<script>", "<script>"),
    ],
)
def test_a_name_cannot_reorder_hide_or_stack(given_name, tamed):
    assert figures.tame(given_name) == tamed


@given(st.floats(min_value=1e-18, max_value=1e18))
def test_money_can_be_read_back_to_within_half_a_percent(value):
    text = figures.money(value).removeprefix("$").replace(",", "")
    scale = {letter: step for step, letter in figures.STEPS}.get(text[-1], 1)
    text = text.rstrip("TBMk")
    zeros = "".join(str("₀₁₂₃₄₅₆₇₈₉".index(digit)) for digit in text if digit in "₀₁₂₃₄₅₆₇₈₉")
    if zeros:
        text = "0." + "0" * int(zeros) + text.lstrip("0.₀₁₂₃₄₅₆₇₈₉")
    assert math.isclose(float(text) * scale, value, rel_tol=0.0051)


@given(st.text(max_size=60))
def test_no_name_at_all_gets_a_control_character_through(name):
    assert not set(figures.tame(name)) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\n\r\x00")
