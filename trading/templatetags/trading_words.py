"""Stored names in words and prices with the digits that tell a stop from an entry: {{ judged.gate|word:"gate" }}."""

from __future__ import annotations

from django import template

from tokens.templatetags.figures import MINUS, UNKNOWN, digits, finite
from trading import words

register = template.Library()

PRICE_DIGITS = 5


@register.filter
def word(name: object, kind: str) -> str:
    return words.word(kind, str(name)) if name else ""


@register.filter
def price(value: object) -> str:
    """$97,012 and $0.000011843: five digits, for a stop lies near its entry."""
    known = finite(value)
    if known is None:
        return UNKNOWN
    size = abs(known)
    text = f"{size:,.0f}" if 9_999.5 <= size < 1e7 else digits(size, PRICE_DIGITS)
    return (MINUS if known < 0 else "") + "$" + text


@register.filter
def dollars(value: object) -> str:
    """+$12.40, −$3.05: a result to the cent while it is small."""
    known = finite(value)
    if known is None:
        return UNKNOWN
    text = f"{abs(known):,.2f}"
    sign = "" if text == "0.00" else "+" if known > 0 else MINUS
    return f"{sign}${text}"
