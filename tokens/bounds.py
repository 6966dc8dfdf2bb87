"""The bounds of a filter as people write them: 5k, 1.2m, −0.5 and 90s, 6h, 2d. Read exactly, written in one way only. Pure."""

from __future__ import annotations

import re
from decimal import Decimal

from django.utils.translation import gettext as _

from tokens.models import LARGEST_AMOUNT, LARGEST_COUNT

LONGEST_VALUE = 32
LARGEST_AGE_SEC = 3_155_760_000  # a century
NUMBER = re.compile(r"([+\-−]?)\$?([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([kmbt]?)", re.IGNORECASE)
AGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([wdhms])", re.IGNORECASE)
STEPS = {"t": Decimal(10**12), "b": Decimal(10**9), "m": Decimal(10**6), "k": Decimal(10**3)}
UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
WEEK_SEC = 604_800


class Refused(ValueError):
    """The address asks for something that is not offered; the message says what."""


def read(bound: str, text: str) -> float:
    figure = bound[4:]
    if len(text) > LONGEST_VALUE:
        raise Refused(_("The value of %(name)s is too long.") % {"name": bound})
    if figure == "age":
        return _age(bound, text)
    value = _number(bound, text)
    if figure != "score" and value < 0:
        raise Refused(_("%(name)s cannot be negative.") % {"name": bound})
    if figure == "holders" and value != value.to_integral_value():
        raise Refused(_("%(name)s is a whole number.") % {"name": bound})
    if abs(value) > (LARGEST_COUNT if figure == "holders" else LARGEST_AMOUNT):
        raise Refused(_("The value of %(name)s is larger than any figure can be.") % {"name": bound})
    return float(value) or 0.0  # never −0.0


def _number(bound: str, text: str) -> Decimal:
    match = NUMBER.fullmatch(text)
    if match is None:
        raise Refused(_("%(name)s is a number with a point for decimals, such as 0.5, 300, 5k or 1.2m.") % {"name": bound})
    sign, digits, letter = match.groups()
    size = Decimal(digits) * STEPS.get(letter.lower(), Decimal(1))
    return size if sign in ("", "+") else -size


def _age(bound: str, text: str) -> float:
    rest = AGE.sub("", text)
    parts = [(Decimal(number), unit.lower()) for number, unit in AGE.findall(text)]
    if not parts or rest.strip():
        raise Refused(_("%(name)s is a length of time with its unit, such as 90s, 30m, 6h or 2d.") % {"name": bound})
    seconds = sum((number * (WEEK_SEC if unit == "w" else UNITS[unit]) for number, unit in parts), Decimal(0))
    if seconds != seconds.to_integral_value():
        raise Refused(_("%(name)s is in whole seconds at the finest.") % {"name": bound})
    if seconds > LARGEST_AGE_SEC:
        raise Refused(_("The value of %(name)s is larger than any figure can be.") % {"name": bound})
    return float(seconds)


def write(bound: str, value: float) -> str:
    """The shortest way to say exactly this value: 5000 → 5k, 21600 s → 6h. What is written reads back the same."""
    if bound.endswith("_age"):
        whole = int(value)
        unit = next((unit for unit, size in UNITS.items() if whole and whole % size == 0), "s")
        return f"{whole // UNITS[unit]}{unit}"
    exact = Decimal(repr(value))
    written = [_plain(exact)] + [_plain(exact / step) + letter for letter, step in STEPS.items() if abs(exact) >= step]
    return min(written, key=len)


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
