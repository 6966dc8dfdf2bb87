"""Bounds as people write them: read exactly, written in one way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens import bounds
from tokens.bounds import LARGEST_AGE_SEC, Refused
from tokens.models import LARGEST_AMOUNT, LARGEST_COUNT

amounts = st.floats(min_value=0, max_value=LARGEST_AMOUNT, allow_nan=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [("5k", 5000), ("5K", 5000), ("$5k", 5000), ("1.25m", 1_250_000), ("5000", 5000), (".5", 0.5), ("0.1", 0.1), ("2 b", 2e9), ("0", 0)],
)
def test_an_amount_is_read_as_people_write_it(text, value):
    assert bounds.read("min_liquidity", text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("6h", 21_600), ("6 H", 21_600), ("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("2w", 1_209_600)]
)
def test_an_age_is_read_with_its_units(text, value):
    assert bounds.read("max_age", text) == value


@pytest.mark.parametrize(("text", "value"), [("-0.5", -0.5), ("−0.5", -0.5), ("+2", 2), ("63.2", 63.2), ("-0", 0)])
def test_a_score_may_be_negative(text, value):
    assert bounds.read("min_score", text) == value


@pytest.mark.parametrize(
    ("bound", "text"),
    [
        *(
            ("min_liquidity", text)
            for text in ("five", "5kk", "0,5", "5,000", "1e5", "-1", "nan", "inf", "5%", "٣", "0x10", "9" * 19, "9" * 40, "--5")
        ),
        *(("max_age", text) for text in ("6", "h", "6x", "6h!", "-6h", "0.1s", "101y", "6000w", "1h 30", "٣h", "6 months")),
        *(("min_holders", text) for text in ("1.5", "0.0005k", "3b", "-1", "many")),
        *(("min_score", text) for text in ("high", "1e3", "5t t", "1.2.3", "+-1")),
    ],
)
def test_nonsense_is_refused_with_a_sentence_that_names_the_field(bound, text):
    with pytest.raises(Refused, match=rf"{bound}.*\.$"):
        bounds.read(bound, text)


@pytest.mark.parametrize(
    ("bound", "value", "text"),
    [
        ("min_liquidity", 5000.0, "5k"),
        ("min_liquidity", 1234.0, "1234"),
        ("min_liquidity", 1_250_000.0, "1.25m"),
        ("min_holders", 100.0, "100"),
        ("min_score", -0.5, "-0.5"),
        ("max_age", 21_600.0, "6h"),
        ("max_age", 5400.0, "90m"),
        ("max_age", 86_400.0, "1d"),
        ("max_age", 0.0, "0s"),
    ],
)
def test_a_bound_is_written_as_short_as_it_can_be(bound, value, text):
    assert bounds.write(bound, value) == text


@given(amounts)
def test_what_is_written_reads_back_exactly(value):
    text = bounds.write("min_liquidity", value)
    assert len(text) > bounds.LONGEST_VALUE or bounds.read("min_liquidity", text) == value


@given(st.integers(0, LARGEST_AGE_SEC))
def test_every_age_reads_back_exactly(seconds):
    assert bounds.read("min_age", bounds.write("min_age", float(seconds))) == seconds


@given(st.integers(0, LARGEST_COUNT))
def test_every_number_of_holders_reads_back_exactly(holders):
    assert bounds.read("max_holders", bounds.write("max_holders", float(holders))) == holders


@given(st.text(max_size=40), st.sampled_from(["min_liquidity", "max_age", "min_holders", "max_score"]))
def test_whatever_is_written_is_read_or_refused_and_what_is_read_can_be_written_again(text, bound):
    try:
        value = bounds.read(bound, text)
    except Refused:
        return
    assert bounds.read(bound, bounds.write(bound, value)) == value
