"""What the list can be narrowed by: read from an address, written back in one way only, and asked of the tables.

A bound lets through what is known to keep it. What is not known passes no bound on it, and `left_out` counts it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from tokens import bounds
from tokens.bounds import Refused
from tokens.models import Pool

MOST_DEXES = 10
DEX_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._\-]{0,39}")

COLUMNS = {"liquidity": "newest__liquidity", "holders": "newest__holders", "score": "last_score_value"}
FIGURES = ("liquidity", "age", "holders", "score")
# One word may say both bounds, as in liq=5k..50k; a single value is the bound that people mean by it.
SHORT = {"liq": "liquidity", "liquidity": "liquidity", "age": "age", "holders": "holders", "score": "score"}
SINGLE_IS_MOST = {"age"}


@dataclass(frozen=True)
class Filters:
    """Bounds that include their own value, ages in seconds; the exchanges in lower case, in the order of the alphabet."""

    min_liquidity: float | None = None
    max_liquidity: float | None = None
    min_age: float | None = None
    max_age: float | None = None
    min_holders: float | None = None
    max_holders: float | None = None
    min_score: float | None = None
    max_score: float | None = None
    dex: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != NONE

    def said(self) -> dict[str, str]:
        """The words of an address, in their one order and their one way of writing."""
        words = {name: bounds.write(name, value) for name in BOUNDS if (value := getattr(self, name)) is not None}
        return words | ({"dex": ",".join(self.dex)} if self.dex else {})

    def without(self, name: str, dex: str = "") -> Filters:
        changed: dict[str, Any] = {"dex": tuple(other for other in self.dex if other != dex)} if name == "dex" else {name: None}
        return replace(self, **changed)

    def passing(self, now: datetime) -> Q:
        """What is known to keep every bound. For rows with `newest`, their newest snapshot (TokenQuerySet.with_newest_snapshot)."""
        kept = self._ages(now)
        for figure in self.figures():
            kept &= self._known(figure)
        return kept

    def possible(self, now: datetime) -> Q:
        """What is not known to break a bound."""
        kept = self._ages(now)
        for figure in self.figures():
            kept &= self._known(figure) | unknown(figure)
        return kept

    def figures(self) -> list[str]:
        """The figures bounded here that may be unknown. An age never is."""
        bounded = [figure for figure in COLUMNS if self.ends(figure) != (None, None)]
        return bounded + (["dex"] if self.dex else [])

    def ends(self, figure: str) -> tuple[float | None, float | None]:
        return getattr(self, f"min_{figure}"), getattr(self, f"max_{figure}")

    def crossed(self) -> list[str]:
        """The figures whose lower bound is above their upper one: nothing can pass."""
        both = {figure: self.ends(figure) for figure in FIGURES}
        return [figure for figure, (least, most) in both.items() if least is not None and most is not None and least > most]

    def _known(self, figure: str) -> Q:
        if figure == "dex":
            return _listed_on(self.dex)
        least, most = self.ends(figure)
        kept = Q() if least is None else Q(**{f"{COLUMNS[figure]}__gte": least})
        return kept if most is None else kept & Q(**{f"{COLUMNS[figure]}__lte": most})

    def _ages(self, now: datetime) -> Q:
        kept = Q() if self.min_age is None else Q(created_at__lte=now - timedelta(seconds=self.min_age))
        return kept if self.max_age is None else kept & Q(created_at__gte=now - timedelta(seconds=self.max_age))


NONE = Filters()
BOUNDS = tuple(each.name for each in fields(Filters) if each.name != "dex")
NAMES = frozenset((*BOUNDS, "dex", *SHORT))


def unknown(figure: str) -> Q:
    if figure == "dex":
        return ~Q(Exists(Pool.objects.filter(token=OuterRef("pk"))))
    return Q(**{f"{COLUMNS[figure]}__isnull": True})


def _listed_on(dexes: Sequence[str]) -> Q:
    pools = Pool.objects.alias(dex=Lower("dex_name")).filter(token=OuterRef("pk"), dex__in=dexes)
    return Q(Exists(pools))


@dataclass(frozen=True)
class Counted:
    """How many pass, how many are left out only because a figure is unknown, and for each figure of how many it is."""

    total: int
    left_out: int = 0
    unknown: Mapping[str, int] = field(default_factory=dict)


def counted(rows: Any, filters: Filters, now: datetime) -> Counted:
    """One query. `rows` have `newest`, their newest snapshot."""
    figures = filters.figures()
    found = rows.filter(filters.possible(now)).aggregate(
        possible=Count("pk"),
        passing=Count("pk", filter=filters.passing(now) or None),
        **{f"no_{figure}": Count("pk", filter=unknown(figure)) for figure in figures},
    )
    return Counted(found["passing"], found["possible"] - found["passing"], {figure: found[f"no_{figure}"] for figure in figures})


def read(asked: Mapping[str, Sequence[str]]) -> Filters:
    """The filters of an address: each name with all its values. A blank value is a field left empty. Raises Refused."""
    found: dict[str, Any] = {}
    for name, values in asked.items():
        _must_exist(name)
        for value in values if name in NAMES else ():
            for bound, text in _split(name, value.strip()):
                _put(found, bound, text)
    filters = Filters(**{**found, "dex": tuple(sorted(set(found.get("dex", ()))))})
    _must_be_possible(filters)
    return filters


def _must_exist(name: str) -> None:
    """A misspelt filter is not passed over: the list would look filtered and not be."""
    if name.startswith(("min_", "max_")) and name not in NAMES:
        raise Refused(_("There is no such filter. There are: %(names)s.") % {"names": ", ".join((*BOUNDS, "dex"))})


def _split(name: str, value: str) -> Iterable[tuple[str, str]]:
    if not value:
        return
    if name not in SHORT:
        yield name, value
        return
    figure = SHORT[name]
    least, dots, most = value.partition("..")
    if not dots:
        least, most = ("", value) if name in SINGLE_IS_MOST else (value, "")
    elif not least.strip() and not most.strip():
        raise Refused(_("A range has a number at one end at least, as in 5k..50k."))
    yield from ((f"{end}_{figure}", text.strip()) for end, text in (("min", least), ("max", most)) if text.strip())


def _put(found: dict[str, Any], bound: str, text: str) -> None:
    if bound == "dex":
        found["dex"] = (*found.get("dex", ()), *_dexes(text))
        return
    value = bounds.read(bound, text)
    if found.setdefault(bound, value) != value:
        raise Refused(_("The filter %(name)s is given twice, with different values.") % {"name": bound})


def _dexes(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not all(DEX_NAME.fullmatch(name) for name in names):
        raise Refused(_("An exchange is named as in dex=pumpswap,raydium: letters, digits, blanks, dots and dashes."))
    if len(names) > MOST_DEXES:
        raise Refused(_("At most %(most)s exchanges can be chosen at once.") % {"most": MOST_DEXES})
    return [name.lower() for name in names]


def _must_be_possible(filters: Filters) -> None:
    if len(filters.dex) > MOST_DEXES:
        raise Refused(_("At most %(most)s exchanges can be chosen at once.") % {"most": MOST_DEXES})
    for figure in filters.crossed():
        raise Refused(_("Nothing can pass: min_%(figure)s is above max_%(figure)s.") % {"figure": figure})
