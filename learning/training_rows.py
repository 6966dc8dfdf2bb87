"""The evidence as lessons: stored vectors, what the score said of them, and what came of it. Reads; decides nothing.

More rows than asked for are thinned by their keys: the same rows at every call, of every moment and of every token alike.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from django.db.models import F

from learning import keys, packing, schema
from learning.models import Outcome, Signal, Source
from learning.training.labels import labels
from learning.training.sample import Sample

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

SLICE = timedelta(days=1)  # read at once
MOMENTUM = {15: "return_15m", 60: "return_60m", 240: "return_4h", 720: "return_12h"}  # by horizon: the feature that the baseline looks at


def read(since: datetime, until: datetime, most: int, horizons: tuple[int, ...] = keys.HORIZONS_MIN) -> Sample:
    """The rows from `since` to before `until` with vectors of the present schema, about `most` of them at most."""
    rows = Signal.objects.filter(**_between(since, until), source=Source.SCORE, vector__schema_id=schema.VERSION)
    every = share_taken(rows.count(), most)
    parts = []
    begin = since
    while begin < until:
        end = min(begin + SLICE, until)
        parts.append(_slice(begin, end, every, horizons))
        begin = end
    return Sample.joined(parts)


def _between(since: datetime, until: datetime) -> dict[str, int]:
    return {"id__gte": keys.first_of(since), "id__lt": keys.first_of(until)}


def share_taken(rows: int, most: int) -> int:
    """One row of so many is taken: a number that shares no factor with the length of a mark, or every mark would give the same tokens."""
    if rows <= most:
        return 1
    needed = math.ceil(rows / most)
    return next(number for number in range(needed, needed + 30) if math.gcd(number, 30) == 1)


def thinned(rows: QuerySet, every: int) -> QuerySet:  # type: ignore[type-arg]  # cannot be subscripted at run time
    return rows if every == 1 else rows.alias(turn=F("id").bitrightshift(keys.SLOT_BITS) % every).filter(turn=0)


def _slice(since: datetime, until: datetime, every: int, horizons: tuple[int, ...]) -> Sample:
    signals = Signal.objects.filter(**_between(since, until), source=Source.SCORE, vector__schema_id=schema.VERSION)
    found = list(thinned(signals, every).order_by("id").values_list("id", "strength", "cost", "vector__values"))
    pk = np.array([row[0] for row in found], dtype=np.int64)
    score, cost = (np.array([row[place] for row in found], dtype=np.float64) for place in (1, 2))
    values = packing.unpack_values([bytes(row[3]) for row in found]) if found else np.zeros((0, schema.SIZE), dtype=np.float32)
    of_scores = Outcome.objects.alias(slot=F("id").bitand(keys.SLOTS - 1)).filter(slot__lt=len(keys.HORIZONS_MIN))
    outcomes = thinned(of_scores.filter(**_between(since, until)), every)
    came = np.array(list(outcomes.order_by("id").values_list("id", "gross", "net", "worst")), dtype=object).reshape(-1, 4)
    known, figures = came[:, 0].astype(np.int64), came[:, 1:].astype(np.float64)  # NaN where nobody looked
    return Sample(
        keys.ts_of(pk),
        keys.token_of(pk),
        values,
        score,
        {horizon: values[:, schema.PLACES[MOMENTUM[horizon]]].astype(np.float64) for horizon in horizons},
        {horizon: labels(*_at(pk, horizon, known, figures), cost) for horizon in horizons},
    )


def _at(pk: NDArray[np.int64], horizon: int, known: NDArray[np.int64], figures: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Gross, net and worst after this horizon, NaN where there is no outcome (yet)."""
    wanted = keys.outcome_of(pk, keys.OF_SIGNAL, keys.HORIZONS_MIN.index(horizon))
    found = np.full((len(pk), 3), np.nan)
    if len(known):
        place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        there = known[place] == wanted
        found[there] = figures[place[there]]
    return found[:, 0], found[:, 1], found[:, 2]
