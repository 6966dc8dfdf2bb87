"""Any bytes at all become a value or Malformed; any value at all becomes a plain fact or None."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.errors import Malformed
from ingestion.strict_json import MAX_COUNT, amount, count, moment, read, read_sparing, solana_address, text


def called(value: object) -> str:
    """As a test may be called on a command line: no letter of it changes when it is escaped once more."""
    return ascii(value)[:20].replace("\\", "/")


REFUSED = {
    "nothing": b"",
    "spaces": b"   ",
    "NaN": b"NaN",
    "Infinity": b'{"a": [Infinity]}',
    "-Infinity": b"-Infinity",
    "1e400": b'{"a": 1e400}',
    "5,000 digits": b"9" * 5000,
    "5,000 digits after the point": b"0." + b"9" * 5000,
    "200,000 brackets": b"[" * 200_000,
    "100,000 objects": b'{"a":' * 100_000,
    "33 levels": b"[" * 33 + b"]" * 33,
    "byte order mark": b"\xef\xbb\xbf{}",
    "byte order mark as text": "\ufeff{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-32": '{"a":1}'.encode("utf-32"),
    "latin-1": '"é"'.encode("latin-1"),
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "a comma too many": b"[1,]",
    "cut": b'{"a": 1',
    "two values": b"{}{}",
    "the same key twice": b'{"a": 1, "a": 2}',
    "single quotes": b"{'a': 1}",
    "a raw control character": b'"a\x00b"',
    "html": b"<!doctype html>",
    "hexadecimal": b"0x10",
    "leading zero": b"012",
    "too long": b'"' + b"x" * 5_000_000 + b'"',
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_what_is_not_strict_json_is_malformed(raw: bytes | str) -> None:
    with pytest.raises(Malformed):
        read(raw)


@given(st.one_of(st.binary(), st.text()))
def test_any_input_is_a_value_or_malformed(raw: bytes | str) -> None:
    try:
        value = read(raw)
    except Malformed:
        return
    json.dumps(value, allow_nan=False)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_every_plain_value_comes_back_as_it_was(value: Any) -> None:
    assert read(json.dumps(value).encode()) == value
    assert read_sparing(json.dumps(value)) == (value, 0)


def test_spoiled_numbers_are_none_and_counted() -> None:
    assert read_sparing(b'{"a": NaN, "b": [1e999, 2, -Infinity], "c": ' + b"1" * 400 + b"}") == (
        {"a": None, "b": [None, 2, None], "c": None},
        4,
    )


ANYTHING = JSON_VALUES | st.floats() | st.integers() | st.from_regex(r"[0-9.,eE+-]{0,30}")

AMOUNTS = [
    (0, 0.0), (0.0, 0.0), (12, 12.0), (1e-9, 1e-9), ("0.00002421", 0.00002421), ("185.9", 185.9), ("7", 7.0), ("0", 0.0),
]  # fmt: skip
NO_AMOUNTS = [
    None, True, False, b"1", [], [1], {}, {"a": 1}, -1, -0.5, math.nan, math.inf, -math.inf, 1e300, 10**60, 5e-324,
    "", " 1", "1 ", "1,234", "1e5", "+1", "-1", ".5", "5.", "0x1", "1_000", "NaN", "inf", "١٢", "1.2.3", "9" * 5000,
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), AMOUNTS)
def test_an_amount_is_read(value: object, expected: float) -> None:
    assert amount(value) == expected


def test_zero_is_a_fact_and_never_minus_zero() -> None:
    assert math.copysign(1, amount(-0.0) or 0.0) == 1.0
    assert amount(0) is not None
    assert count(0) == 0


@pytest.mark.parametrize("value", NO_AMOUNTS, ids=called)
def test_what_is_not_plainly_an_amount_is_none(value: object) -> None:
    assert amount(value) is None


@given(ANYTHING)
def test_an_amount_is_none_or_finite_and_within_bounds(value: object) -> None:
    read_as = amount(value)
    assert read_as is None or (isinstance(read_as, float) and 0 <= read_as <= 1e18)


@pytest.mark.parametrize(("value", "expected"), [(5, 5), (5.0, 5), ("5", 5), (MAX_COUNT, MAX_COUNT)])
def test_a_count_is_read(value: object, expected: int) -> None:
    assert count(value) == expected


@pytest.mark.parametrize("value", [*[v for v in NO_AMOUNTS if v != 10**60], 2.5, MAX_COUNT + 1, 10**60, "2.5"], ids=called)
def test_what_is_not_plainly_a_count_is_none(value: object) -> None:
    assert count(value) is None


@given(ANYTHING)
def test_a_count_is_none_or_fits_its_column(value: object) -> None:
    read_as = count(value)
    assert read_as is None or (type(read_as) is int and 0 <= read_as <= MAX_COUNT)


def test_seconds_and_milliseconds_are_told_apart() -> None:
    expected = datetime(2025, 6, 18, 2, 36, 57, tzinfo=UTC)
    for value in (1750214217, 1750214217.0, "1750214217", 1750214217000, "1750214217000"):
        assert moment(value) == expected


@pytest.mark.parametrize(
    "value", [None, True, 0, -1, 1, 1e11, 1e15, 1e300, math.nan, math.inf, "", "2025-06-18T02:36:57", "now", [], {}, "9" * 400], ids=repr
)
def test_what_is_not_plainly_a_time_is_none_and_never_now(value: object) -> None:
    assert moment(value) is None


def test_a_time_in_the_future_is_none_where_it_cannot_be(now: datetime) -> None:
    assert moment(now.timestamp() + 60, latest=now) is None
    assert moment(now.timestamp() - 60, latest=now) == now - timedelta(seconds=60)


@given(ANYTHING)
def test_any_value_is_a_time_or_none(value: object) -> None:
    read_as = moment(value)
    assert read_as is None or read_as.tzinfo is UTC


def test_text_loses_what_a_database_refuses_and_nothing_else() -> None:
    assert text("a\x00b\r\nc\x1b[31m\ud800d\x85e", 40) == "abc[31mde"
    for kept in ("<script>alert(1)</script>", "{{7*7}}", "=cmd()", "\u202eabc", "a\u200db", "é" * 10, "🚀", "'; DROP TABLE"):
        assert text(kept, 100) == kept
    assert text("x" * 10_000_000, 40) == "x" * 40


@pytest.mark.parametrize("value", [None, 5, True, [], {}, b"a"])
def test_only_text_is_text(value: object) -> None:
    assert text(value, 40) == ""


@given(st.text(alphabet=st.characters()))
def test_any_text_can_be_written_down(value: str) -> None:
    assert "\x00" not in text(value, 10)
    assert len(text(value, 10).encode("utf-8")) <= 40


@pytest.mark.parametrize("value", ["rCDpCrYepyYffZz7AQhBV1LMJvWo7mps8fWr4Bvpump", "1" * 32, "z" * 44])
def test_an_address_is_32_to_44_letters_of_base58(value: str) -> None:
    assert solana_address(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0OIl" * 9,
        "1" * 31,
        "z" * 45,
        " " + "1" * 32,
        "1" * 32 + "\n",
        "0x" + "a" * 40,
        "a" * 10_000,
        "а" * 32,
        5,
        None,
    ],
    ids=called,
)
def test_anything_else_is_no_address(value: object) -> None:
    assert solana_address(value) == ""
