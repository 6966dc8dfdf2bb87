"""The lines of scores beside the rows: means over even steps of the last two hours.

A step that has ended does not change any more. What was read of it is kept, so that a page after a tick asks for the last minutes only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.core.cache import cache
from django.db.models import Avg, F, IntegerField
from django.db.models.expressions import Func

from tokens.models import Token

HOURS = 2
POINTS = 61
STEP_SEC = HOURS * 3600 // (POINTS - 1)
OPEN_STEPS = 3  # the newest ones may still get scores: a tick takes its time
LONGEST_CATCH_UP = 10  # steps; what was not looked at for longer is read anew
KEPT_SEC = LONGEST_CATCH_UP * STEP_SEC

Line = list[float | None]


class Slot(Func):
    """Which step of so many seconds since 1970 a moment lies in."""

    output_field = IntegerField()

    def __init__(self, moment: str, seconds: int) -> None:
        super().__init__(F(moment), seconds=int(seconds))

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return super().as_sql(compiler, connection, template="FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / %(seconds)s)::bigint", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return super().as_sql(compiler, connection, template="CAST(strftime('%%%%s', %(expressions)s) AS INTEGER) / %(seconds)s", **context)


def ends(now: datetime) -> tuple[int, int]:
    """From when to when the lines run, in seconds since 1970: whole steps, the newest just begun."""
    newest = int(now.timestamp()) // STEP_SEC
    return (newest - POINTS + 1) * STEP_SEC, newest * STEP_SEC


def score_lines(tokens: Sequence[Any], now: datetime) -> dict[int, Line]:
    """A line for each of these tokens, in two queries at most, however many they are."""
    newest = ends(now)[1] // STEP_SEC
    known = _kept([token.pk for token in tokens], newest)
    anew = [token.pk for token in tokens if token.pk not in known]
    lines = {pk: line[-POINTS:] for pk, line in _moved(known, newest).items()} | {pk: [None] * POINTS for pk in anew}
    if anew:
        _fill(lines, anew, newest - POINTS + 1, newest, now)
    if known:
        _fill(lines, list(known), min(final for final, _ in known.values()) + 1, newest, now)
    final = newest - OPEN_STEPS
    ended = {f"line:{pk}": (final, line[:-OPEN_STEPS]) for pk, line in lines.items() if pk not in known or known[pk][0] < final}
    cache.set_many(ended, KEPT_SEC)
    return lines


def _kept(pks: Collection[int], newest: int) -> dict[int, tuple[int, Line]]:
    """The step up to which each line is final, and its means up to there."""
    found: Mapping[str, tuple[int, Line]] = cache.get_many([f"line:{pk}" for pk in pks])
    known = {int(key.removeprefix("line:")): line for key, line in found.items()}
    return {pk: line for pk, line in known.items() if newest - LONGEST_CATCH_UP <= line[0] <= newest - OPEN_STEPS}


def _moved(known: Mapping[int, tuple[int, Line]], newest: int) -> dict[int, Line]:
    return {pk: [None] * POINTS + means + [None] * (newest - final) for pk, (final, means) in known.items()}


def _fill(lines: dict[int, Line], pks: Collection[int], first: int, newest: int, now: datetime) -> None:
    """Put the means of these steps into the lines."""
    oldest = newest - POINTS + 1
    since = datetime.fromtimestamp(first * STEP_SEC, UTC)
    found = (
        Token.objects.filter(pk__in=pks, scores__ts__gte=since, scores__ts__lte=now)
        .annotate(slot=Slot("scores__ts", STEP_SEC))
        .values_list("pk", "slot")
        .annotate(mean=Avg("scores__score"))
        .order_by()
    )
    for pk, slot, mean in found:
        if oldest <= slot <= newest:
            lines[pk][slot - oldest] = mean
