"""Stored names of the evidence in words: {{ signal.source|said_by }}, {{ signal.direction|towards }}, {{ outcome.state|came }}."""

from __future__ import annotations

from django import template

from learning import words
from tokens.templatetags.figures import MINUS, UNKNOWN, count, finite, number

register = template.Library()


@register.filter
def said_by(source: object) -> str:
    return str(words.SOURCES.get(str(source), source))


@register.filter
def towards(direction: object) -> str:
    return str(words.DIRECTIONS.get(str(direction), direction))


@register.filter
def came(state: object) -> str:
    return str(words.STATES.get(str(state), state))


@register.filter
def exact(value: object) -> str:
    """A number with the digits that a 32-bit float holds and no more: 0.1 and not 0.10000000149. For numbers that are to be compared."""
    known = finite(value)
    if known is None:
        return UNKNOWN
    text = f"{abs(known):.7g}"
    return (MINUS if known < 0 else "") + text


@register.filter
def either(value: object) -> str:
    """One side of a difference: a number with all its digits, a word as it stands, – for what is not known."""
    return value if isinstance(value, str) else UNKNOWN if (known := finite(value)) is None else repr(known).replace("-", MINUS)


@register.filter
def plain(value: object) -> str:
    """15 and 0.15: a count without decimals, anything else with a few."""
    known = finite(value)
    return count(known) if known is None or known == int(known) else number(known)
