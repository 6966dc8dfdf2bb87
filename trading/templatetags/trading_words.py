"""Stored names in words and prices with the digits that tell a stop from an entry: {{ judged.gate|word:"gate" }}."""

from __future__ import annotations

from django import template

from tokens.templatetags.figures import MINUS, UNKNOWN, finite
from trading import texts, words

register = template.Library()
price = register.filter("price", texts.price)


@register.filter
def word(name: object, kind: str) -> str:
    return words.word(kind, str(name)) if name else ""


@register.filter
def dollars(value: object) -> str:
    """+$12.40, −$3.05: a result to the cent while it is small."""
    known = finite(value)
    if known is None:
        return UNKNOWN
    text = f"{abs(known):,.2f}"
    sign = "" if text == "0.00" else "+" if known > 0 else MINUS
    return f"{sign}${text}"
