"""How figures are written on every page: few digits, a sign where direction matters, “–” for what is not known."""

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime

from django import template

from tokens.one_language import gettext as _
from tokens.one_language import pgettext

register = template.Library()

UNKNOWN = "–"
MINUS = "−"
STEPS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
ZEROS_WRITTEN_OUT = 5  # $0.0000012 can still be read; beyond, the zeros are counted: $0.0₉12
# Characters that reorder, hide or stack on their neighbours: a name must not be able to rewrite the line it stands in.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_MOST_MARKS = 2


def finite(value: object) -> float | None:
    """The value as a number, or None for anything that is not one: missing, NaN, infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def digits(value: float, significant: int = 3) -> str:
    """A positive number in a few significant digits, without an exponent: 15200 → 15.2k, 0.00118 → 0.00118."""
    if value == 0:
        return "0"
    value = float(f"{value:.{significant - 1}e}")  # rounded first, so that 999,950 becomes 1M and never 1000k
    for step, letter in STEPS:
        if value >= step:
            return _plain(value / step, significant) + letter
    return _plain(value, significant) if value >= 1 else _small(value, significant)


def _plain(value: float, significant: int) -> str:
    if value >= 10**significant:
        return f"{value:,.0f}"
    places = max(0, significant - 1 - math.floor(math.log10(value)))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _small(value: float, significant: int) -> str:
    mantissa, exponent = f"{value:.{significant - 1}e}".split("e")
    kept = mantissa.replace(".", "").rstrip("0")
    zeros = -int(exponent) - 1
    return "0." + ("0" * zeros if zeros <= ZEROS_WRITTEN_OUT else "0" + str(zeros).translate(SUBSCRIPTS)) + kept


@register.filter
def money(value: object) -> str:
    """$15.2k, $0.00118, −$3."""
    number = finite(value)
    if number is None:
        return UNKNOWN
    return (MINUS if number < 0 else "") + "$" + digits(abs(number))


@register.filter
def count(value: object) -> str:
    """1,204 and 15.2k: whole as long as it is short."""
    number = finite(value)
    if number is None:
        return UNKNOWN
    sign = MINUS if number < 0 else ""
    return sign + (f"{abs(number):,.0f}" if abs(number) < 9999.5 else digits(abs(number)))


@register.filter
def percent(fraction: object) -> str:
    """0.25 → +25 %, 0.041 → +4.1 %, −0.02 → −2 %. What rounds to nothing has no sign."""
    number = finite(fraction)
    if number is None:
        return UNKNOWN
    size = abs(number) * 100
    text = f"{size:,.0f}" if size >= 9.95 else f"{size:.1f}".removesuffix(".0")
    sign = "" if text == "0" else "+" if number > 0 else MINUS
    return f"{sign}{text} %"


@register.filter
def share(fraction: object) -> str:
    """0.25 → 25 %: a part of a whole, without a sign."""
    return percent(fraction).removeprefix("+")


@register.filter
def number(value: object) -> str:
    """A score or a metric: 1.84, −0.02, 63.2."""
    known = finite(value)
    if known is None:
        return UNKNOWN
    size = abs(known)
    text = f"{size:.2f}" if size < 9.995 else f"{size:.1f}" if size < 99.95 else f"{size:,.0f}" if size < 1e6 else digits(size)
    return (MINUS if known < 0 and text.strip("0.") else "") + text


@register.filter
def fixed(value: object, places: int = 3) -> str:
    """A number with all its decimals, for sums that a reader may check: 0.333, −0.020."""
    known = finite(value)
    if known is None:
        return UNKNOWN
    text = f"{abs(known):.{places}f}"
    return (MINUS if known < 0 and text.strip("0.") else "") + text


@register.filter
def with_sign(text: object) -> str:
    """0.333 → +0.333; what is zero, negative or unknown stays as it is."""
    written = str(text)
    return written if written.startswith((MINUS, UNKNOWN)) or not written.strip("0.") else "+" + written


@register.filter
def side(text: object) -> str:
    """The class of a written change: up, down or flat."""
    written = with_sign(text)
    return "up" if written.startswith("+") else "down" if written.startswith(MINUS) else "flat"


@register.filter
def signed(value: object) -> str:
    """A contribution or a change: +0.52, −0.02, 0.00."""
    return with_sign(number(value))


@register.filter
def age(seconds: object) -> str:
    """How long, in one unit: 42 s, 3 m, 5 h, 4 d."""
    known = finite(seconds)
    if known is None:
        return UNKNOWN
    known = max(0.0, known)
    for least, size, unit in ((172_800, 86_400, _days), (3_600, 3_600, _hours), (60, 60, _minutes)):
        if known >= least:
            return f"{known // size:,.0f} {unit()}"
    return f"{known // 1:.0f} {_seconds()}"


def _days() -> str:
    return pgettext("unit of time", "d")


def _hours() -> str:
    return pgettext("unit of time", "h")


def _minutes() -> str:
    return pgettext("unit of time", "m")


def _seconds() -> str:
    return pgettext("unit of time", "s")


@register.filter
def ago(seconds: object) -> str:
    """3 m ago: in every language around the length of time, where “…” stands."""
    return _("… ago").replace("…", age(seconds))


@register.filter
def units(_nothing: object) -> str:
    """The units of days, hours, minutes and seconds, for the page's script."""
    return " ".join((_days(), _hours(), _minutes(), _seconds()))


@register.filter
def span(seconds: object) -> str:
    """How long, in two units: 2 h 10 m, 4 d 3 h, 3 m, 42 s."""
    known = finite(seconds)
    if known is None:
        return UNKNOWN
    whole = int(max(0.0, known))
    days, hours, minutes = whole // 86_400, whole % 86_400 // 3_600, whole % 3_600 // 60
    if days:
        return f"{days:,} {_days()} {hours} {_hours()}" if hours else f"{days:,} {_days()}"
    if hours:
        return f"{hours} {_hours()} {minutes:02d} {_minutes()}" if minutes else f"{hours} {_hours()}"
    return f"{minutes} {_minutes()}" if minutes else f"{whole} {_seconds()}"


@register.filter
def clock(moment: object) -> str:
    """12:04:31, in UTC."""
    return f"{moment.astimezone(UTC):%H:%M:%S}" if isinstance(moment, datetime) else UNKNOWN


@register.filter
def day_and_clock(moment: object) -> str:
    """2026-11-21 12:04:31 UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if isinstance(moment, datetime) else UNKNOWN


@register.filter
def machine(moment: object) -> str:
    """A moment for the datetime attribute, which the page's script reads."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(moment, datetime) else ""


@register.filter
def short(address: object) -> str:
    """9b1B…pump: enough to recognise, not enough to copy."""
    text = str(address)
    return text if len(text) <= 12 else f"{text[:4]}…{text[-4:]}"


@register.filter
def of(table: object, key: object) -> object:
    """What a table says of this key; nothing where there is no table."""
    return table.get(key, "") if isinstance(table, Mapping) else ""


@register.filter
def arrow(value: object) -> str:
    """▲ up, ▼ down, nothing where it stands still: direction never by colour alone."""
    known = finite(value)
    return "" if not known else "▲" if known > 0 else "▼"


@register.filter
def direction(value: object) -> str:
    """The class of a figure that has a direction: up, down or flat."""
    known = finite(value)
    return "flat" if not known else "up" if known > 0 else "down"


@register.filter
def tame(name: object) -> str:
    """A name as outsiders gave it, without characters that reorder or hide text, and with at most two marks on a letter."""
    text = re.sub(r"\s+", " ", str(name)).strip()
    kept: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if category not in _HIDDEN and marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept).strip()


@register.filter
def cut_underscores(word: object) -> str:
    """no_history → no history."""
    return str(word).replace("_", " ")
