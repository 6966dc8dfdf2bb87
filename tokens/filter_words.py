"""Filters in words: one chip for each, and who is left out only because a figure is unknown."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tokens.filters import Counted, Filters


@dataclass(frozen=True)
class Chip:
    """One filter in words, and the filters that remain when it is taken away."""

    text: str
    rest: Filters


def chips(filters: Filters) -> list[Chip]:
    found = [Chip(_sentence(name, text), filters.without(name)) for name, text in filters.said().items() if name != "dex"]
    return found + [Chip(_("on %(dex)s") % {"dex": dex}, filters.without("dex", dex)) for dex in filters.dex]


def _sentence(bound: str, text: str) -> str:
    value = f"{text[:-1]}\u00a0{text[-1]}" if bound.endswith("_age") else text
    return {
        "min_liquidity": _("liquidity ≥ $%(value)s"),
        "max_liquidity": _("liquidity ≤ $%(value)s"),
        "min_age": _("age ≥ %(value)s"),
        "max_age": _("age ≤ %(value)s"),
        "min_holders": _("holders ≥ %(value)s"),
        "max_holders": _("holders ≤ %(value)s"),
        "min_score": _("score ≥ %(value)s"),
        "max_score": _("score ≤ %(value)s"),
    }[bound] % {"value": value.replace("-", "−")}


@dataclass(frozen=True)
class Range:
    """One figure in the form: its two fields, what they hold, and how a value of it is written."""

    title: str
    figure: str
    least: str
    most: str
    example: str


def ranges(filters: Filters) -> list[Range]:
    said = filters.said()
    titles = {
        "liquidity": (_("Liquidity, $"), "5k"),
        "age": (_("Age"), "6h"),
        "holders": (_("Holders"), "100"),
        "score": (_("Score"), "0.5"),
    }
    return [
        Range(title, figure, said.get(f"min_{figure}", ""), said.get(f"max_{figure}", ""), example)
        for figure, (title, example) in titles.items()
    ]


def left_out(found: Counted) -> list[str]:
    """Who is not shown only because a figure is unknown, in sentences; empty when nobody is."""
    told = [_unknown_of(figure, number) for figure, number in found.unknown.items() if number]
    if len(told) < 2:
        return told
    whole = ngettext(
        "%(number)s token is left out because a figure asked for is not known.",
        "%(number)s tokens are left out because a figure asked for is not known.",
        found.left_out,
    )
    return [whole % {"number": f"{found.left_out:,}"}, *told]


def _unknown_of(figure: str, number: int) -> str:
    sentence = {
        "liquidity": ngettext(
            "%(number)s token is left out because its liquidity is not known.",
            "%(number)s tokens are left out because their liquidity is not known.",
            number,
        ),
        "holders": ngettext(
            "%(number)s token is left out because the number of its holders is not known.",
            "%(number)s tokens are left out because the number of their holders is not known.",
            number,
        ),
        "score": ngettext(
            "%(number)s token is left out because it has no score.",
            "%(number)s tokens are left out because they have no score.",
            number,
        ),
        "dex": ngettext(
            "%(number)s token is left out because no pool of it is known.",
            "%(number)s tokens are left out because no pool of theirs is known.",
            number,
        ),
    }[figure]
    return sentence % {"number": f"{number:,}"}
