"""Bytes from outside → Python values → facts. Anything that is not plainly right is refused, by one named error or by None.

Python's own reader takes NaN, Infinity and 1e400, lets 200 KB of “[” end in RecursionError and 5,000 digits in a bare
ValueError. PostgreSQL would store the NaN and sort it above every number. So nothing is read but by these functions.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

import orjson

from ingestion.errors import Malformed

MAX_BYTES = 5_000_000
MAX_DEPTH = 32  # the deepest real answer has six levels
MAX_DIGITS = 64  # a raw token amount in its smallest unit has at most 39
MAX_AMOUNT = 1e18  # dollars or tokens; a trillion times the largest figure seen
MIN_AMOUNT = 1e-30  # a positive figure below it is noise that would overflow a quotient
MAX_COUNT = 2_000_000_000  # what an integer column holds
EARLIEST, LATEST = 1_420_070_400, 4_102_444_800  # 2015 and 2100: no token of ours is older, no server's clock is that wrong

_LONGEST_BROKEN = 4 * MAX_DIGITS
_SIXTY_FOUR_BITS = 2.0**63
_PLAIN_DECIMAL = re.compile(r"[0-9]{1,19}(\.[0-9]{1,40})?", re.ASCII)
_PLAIN_WHOLE = re.compile(r"[0-9]{1,13}", re.ASCII)
_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUE = {letter: value for value, letter in enumerate(_BASE58)}
_ADDRESS = re.compile(f"[{_BASE58}]{{32,44}}", re.ASCII)


def read(raw: bytes | bytearray | str, limit: int = MAX_BYTES) -> Any:
    """The value that `raw` says in strict JSON, or Malformed; never another exception, whatever comes in."""
    if isinstance(raw, bytes) and len(raw) <= limit and (value := _read_flat(raw)) is not None:
        return value
    return _read(raw, limit, _STRICT)


def read_sparing(raw: bytes | bytearray | str, limit: int = MAX_BYTES) -> tuple[Any, int]:
    """Like `read`, but a number that cannot be (NaN, 1e400, 5,000 digits) becomes None, and how many did is the second value.

    For answers about many tokens: one spoiled figure must cost itself, not the other twenty-nine tokens.
    """
    spoiled = 0

    def pass_over(_: str) -> None:
        nonlocal spoiled
        spoiled += 1

    value = _read(raw, limit, _reader(pass_over))
    return value, spoiled


def _reader(on_bad_number: Callable[[str], Any]) -> json.JSONDecoder:
    def whole(digits: str) -> int | None:
        return int(digits) if len(digits) <= MAX_DIGITS else on_bad_number(digits)

    def broken(digits: str) -> float | None:
        value = float(digits) if len(digits) <= _LONGEST_BROKEN else math.inf
        return value if math.isfinite(value) else on_bad_number(digits)

    return json.JSONDecoder(parse_int=whole, parse_float=broken, parse_constant=on_bad_number, object_pairs_hook=_each_key_once)


def _read_flat(raw: bytes) -> dict[str, Any] | None:
    """The same as the strict reader says, in a fifth of its time, where that is certain: one object with nothing but plain values in it.

    orjson takes the last of two equal keys, makes a float of a whole number that needs more than 64 bits, and counts no digits. Whatever
    may be one of these is None, as is everything that it refuses: the strict reader has the last word, and the words of the refusal.
    """
    if raw.count(b"{") != 1 or b"[" in raw:
        return None
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict) or _may_be_twice(raw, value) or _may_be_long(raw):
        return None
    for number in value.values():
        if number.__class__ is float and not -_SIXTY_FOUR_BITS < number < _SIXTY_FOUR_BITS:
            return None
    return value


def _may_be_twice(raw: bytes, value: dict[str, Any]) -> bool:
    """Whether more keys may have been written than are there: each has its colon, and the other colons stand in texts, as they are read."""
    colons = raw.count(b":")
    if colons == len(value):
        return False
    within = "".join([text for text in value.values() if text.__class__ is str]).count(":")
    return colons - within != len(value) or b"\\" in raw


def _may_be_long(raw: bytes) -> bool:
    """Whether a number may have more digits than are read: as long as that, it would stand at four or more of every 64th place."""
    return _numerals(raw[::MAX_DIGITS]) >= _LONGEST_BROKEN // MAX_DIGITS and _numerals(raw) > _LONGEST_BROKEN


def _numerals(raw: bytes) -> int:
    return len(raw) - len(raw.translate(None, b"0123456789.+-eE"))


def _read(raw: bytes | bytearray | str, limit: int, reader: json.JSONDecoder) -> Any:
    if len(raw) > limit:
        raise Malformed(f"{len(raw)} bytes, more than {limit}")
    try:
        written = raw if isinstance(raw, str) else raw.decode("utf-8")
        value = reader.decode(written)
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
    except RecursionError:
        raise Malformed("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"not JSON: {error.msg} at character {error.pos}") from None
    if written.count("{") + written.count("[") > MAX_DEPTH:  # with fewer there is nothing to measure
        _refuse_depth(value)
    return value


def _refuse_number(digits: str) -> NoReturn:
    raise Malformed(f"not a number: {digits[:20]}")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Malformed("the same key twice in one object")
    return value


_STRICT = _reader(_refuse_number)  # made once: making it takes as long as reading a small frame


def _refuse_depth(value: Any) -> None:
    """A value that Python could just about read could still break whoever prints it or writes it down."""
    level, depth = [value], 0
    while level:
        level = [child for parent in level for child in _children(parent) if isinstance(child, dict | list)]
        depth += 1
        if depth > MAX_DEPTH:
            raise Malformed("nested too deeply")


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def amount(value: object) -> float | None:
    """A price, a liquidity, a volume: finite and not negative. Text counts only as a plain decimal (“0.0123”). Zero is a fact."""
    if isinstance(value, str):
        number = float(value) if _PLAIN_DECIMAL.fullmatch(value) else math.nan
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return None
    else:
        number = math.inf if abs(value) > MAX_AMOUNT else float(value)
    if number == 0:
        return 0.0  # and not -0.0
    return number if MIN_AMOUNT <= number <= MAX_AMOUNT else None


def count(value: object) -> int | None:
    """A number of trades, holders, wallets: whole and not negative. Zero is a fact."""
    if isinstance(value, str):
        value = int(value) if _PLAIN_WHOLE.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= MAX_COUNT or value != int(value):
        return None
    return int(value)


def moment(value: object, latest: datetime | None = None) -> datetime | None:
    """A time given in unix seconds or milliseconds. Anything else, and anything after `latest`, is None: never “now”."""
    if isinstance(value, str):
        value = int(value) if _PLAIN_WHOLE.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if EARLIEST * 1000 <= value < LATEST * 1000:
        value = value / 1000
    if not EARLIEST <= value < LATEST:
        return None
    read_as = datetime.fromtimestamp(value, UTC)
    return None if latest is not None and read_as > latest else read_as


def text(value: object, limit: int) -> str:
    """Text that both databases can hold, cut to `limit` characters: without NUL, control characters and half surrogates.

    The rest stays as it came, markup and right-to-left marks included: escaping belongs to whoever shows it.
    """
    return _NOT_TEXT.sub("", value)[:limit] if isinstance(value, str) else ""


def solana_address(value: object) -> str:
    """The address itself if it is base58 for 32 bytes, else ''. Of the longest ones, of 44 letters, the looks suffice.

    Most arrangements of 44 letters stand for a little more than 32 bytes. One of those is nobody's address and costs a few questions that
    nobody answers; a launch refused for its last few bits would never be seen again.
    """
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        return ""
    if len(value) == 44:
        return value
    number = 0
    for letter in value:
        number = number * 58 + _BASE58_VALUE[letter]
    leading_zero_bytes = len(value) - len(value.lstrip("1"))
    return value if leading_zero_bytes + (number.bit_length() + 7) // 8 == 32 else ""
