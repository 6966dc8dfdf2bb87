"""Any bytes at all become a value or Malformed; any value at all becomes a plain fact or None."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion import strict_json
from ingestion.errors import Malformed
from ingestion.strict_json import MAX_BYTES, MAX_COUNT, amount, count, moment, read, read_sparing, solana_address, text


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


# What the quick reader must not read in its own way: each a number, a text, a key or a blank of an object.
DIGITS = st.integers(1, 700).flatmap(lambda length: st.text("0123456789", min_size=length, max_size=length))
NUMBERS = st.one_of(
    st.sampled_from(
        [
            "-0",
            "-0.0",
            "0",
            "0.0",
            "1e400",
            "-1e400",
            "1e-400",
            "5e-324",
            "2.2250738585072011e-308",
            "NaN",
            "Infinity",
            "01",
            "1.",
            ".5",
            "+1",
            "0x10",
            "1e5",
            "1E+5",
            "true",
            "null",
        ]
    ),
    st.sampled_from([str(sign * 2**power + step) for power in (53, 63, 64, 65) for step in (-1, 0, 1) for sign in (1, -1)]),
    st.floats().map(repr),
    st.integers(-(10**70), 10**70).map(str),
    DIGITS,
    st.tuples(DIGITS, DIGITS).map(".".join),
    st.tuples(DIGITS, st.integers(-400, 400)).map(lambda parts: f"0.{parts[0]}e{parts[1]}"),
)
PIECES = [
    "a",
    "txType",
    ":",
    '":',
    " :",
    "{",
    "[",
    "}",
    "\\u003a",
    "\\ud800",
    "\\ud83d\\ude00",
    '\\"',
    "\\\\",
    "\\x",
    "\x00",
    "\x7f",
    "\t",
    "é",
    "\ufeff",
    "9" * 300,
    "https://",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=4).map(lambda pieces: f'"{"".join(pieces)}"')
BLANKS = st.sampled_from(["", "", "", " ", "\t", "\n", "\r", "\x0b"])
VALUES = st.one_of(NUMBERS, TEXTS, st.sampled_from(["{}", "[]", '{"a": 1}']))
PAIRS = st.tuples(TEXTS, BLANKS, BLANKS, VALUES).map(lambda parts: f"{parts[0]}{parts[1]}:{parts[2]}{parts[3]}")
OBJECTS = st.lists(PAIRS, max_size=6).map(lambda pairs: f"{{{','.join(pairs)}}}")


def told(raw: bytes) -> str:
    """Everything about an answer: types, the sign of a zero, the order of keys, the words of a refusal."""
    try:
        return repr(read(raw))
    except Malformed as malformed:
        return f"refused: {malformed}"


def told_by_the_strict_one(raw: bytes) -> str:
    try:
        return repr(strict_json._read(raw, MAX_BYTES, strict_json._STRICT))
    except Malformed as malformed:
        return f"refused: {malformed}"


@given(
    st.one_of(
        st.binary(), OBJECTS.map(lambda text: text.encode("utf-8", "surrogatepass")), JSON_VALUES.map(lambda v: json.dumps(v).encode())
    )
)
def test_the_quick_reader_says_what_the_strict_one_says(raw: bytes) -> None:
    assert told(raw) == told_by_the_strict_one(raw)


@pytest.mark.parametrize("raw", [raw for raw in REFUSED.values() if isinstance(raw, bytes)], ids=lambda raw: raw[:20].hex())
def test_the_quick_reader_refuses_in_the_same_words(raw: bytes) -> None:
    assert told(raw) == told_by_the_strict_one(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":2}',
        b'{"a" :1,"b":"x:y","a":2}',
        b'{"a":1,"a":":"}',
        b'{"a":18446744073709551616}',
        b'{"a":0.' + b"1" * 300 + b"}",
        b'{"a":"\\u003a","b":1,"b":2}',
        b'{"a":{"b":1}}',
        b'{"a":"\\ud800"}',
    ],
)
def test_what_the_two_might_read_differently_is_left_to_the_strict_one(raw: bytes) -> None:
    assert strict_json._read_flat(raw) is None
    assert told(raw) == told_by_the_strict_one(raw)


def test_a_whole_number_in_a_list_keeps_all_its_digits() -> None:
    assert read(b'{"a":[123456789012345678901234567890]}') == {"a": [123456789012345678901234567890]}


@pytest.mark.parametrize(
    ("raw", "why"),
    [("[1e400]", "^not a number: 1e400$"), ('{"a":1,"a":2}', "^the same key twice in one object$"), ("[NaN]", "^not a number: NaN$")],
)
def test_a_refusal_says_what_was_met(raw: str, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        strict_json._reader(strict_json._refuse_number).decode(raw)


def test_a_launch_as_it_comes_is_read_quickly() -> None:
    launch = (
        b'{"mint":"9b1BzC1af5uQ8mYfW2kTn3cD4eFgHiJkLmNoPqRstpump","uri":"https://ipfs.io/ipfs/Qm1","solAmount":0.5,"vSol":30,"name":"a: b"}'
    )
    assert strict_json._read_flat(launch) == json.loads(launch)


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


def test_a_whole_number_that_no_float_holds_is_no_amount() -> None:
    assert amount(10**400) is None


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


@pytest.mark.parametrize("unit", [1, 1000])
def test_a_time_lies_between_2015_and_2100(unit: int) -> None:
    earliest, latest = strict_json.EARLIEST, strict_json.LATEST
    assert moment(earliest * unit) == datetime(2015, 1, 1, tzinfo=UTC)
    assert moment(latest * unit - unit) == datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert moment(latest * unit) is None
    assert moment(earliest * unit - unit) is None


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


def base58(number: int) -> str:
    letters = ""
    while number:
        number, place = divmod(number, 58)
        letters = strict_json._BASE58[place] + letters
    return letters


def test_of_43_letters_only_those_that_stand_for_32_bytes_are_an_address() -> None:
    """The same number of letters on both sides of the border."""
    least, one_less = base58(2**248), base58(2**248 - 1)
    assert len(least) == len(one_less) == 43
    assert (solana_address(least), solana_address(one_less)) == (least, "")


def test_a_key_twice_spoils_an_answer_of_which_single_figures_may_be_spoiled() -> None:
    with pytest.raises(Malformed, match="twice"):
        read_sparing(b'{"price": 1, "price": NaN}')
