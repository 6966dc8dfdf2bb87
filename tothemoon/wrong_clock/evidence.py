"""The evidence of a time that never was. Its moment is its key, so it cannot be dated anew, and left where it is it would be taken for what
was known when the clock comes there: no vector would be made of that mark, and outcomes would be reckoned from another hour's prices. So it
goes, from what points to what it points to, all of a signal in one transaction; what stands on it above stays without its link to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db import models, transaction
from django.db.models import Min, QuerySet

from learning import keys
from learning.models import FeatureVector, Outcome, Prediction, Settled, Signal
from tothemoon.wrong_clock.figures import ROWS_A_BITE, Pause, forget_rows


def forget_evidence(now: datetime, limit: datetime, go_on: Pause) -> int:
    """Outcomes that were reckoned then go too, of whichever moment what they are of: bars of that time had a part in them. They are
    reckoned once more, for how far the settling has come is put back as well."""
    reckoned = Outcome.objects.filter(settled_at__gt=limit)
    since = dict(reckoned.order_by().values_list("horizon_min").annotate(Min("pk")))
    _settle_again(now, since)
    gone = forget_rows(reckoned, go_on)
    for model in (Signal, Prediction, FeatureVector):
        rows: QuerySet[models.Model] = model.objects.filter(ts__gt=limit).order_by("-pk")
        while pks := list(rows.values_list("pk", flat=True)[:ROWS_A_BITE]):
            gone += _forget(model, pks)
            if not go_on():
                return gone
    _settle_again(now, since)
    return gone


def _forget(model: type[models.Model], pks: Sequence[int]) -> int:
    with transaction.atomic():
        for relation in model._meta.related_objects:
            if relation.on_delete is models.SET_NULL:
                above, column = relation.related_model._default_manager, relation.field.name
                above.filter(**{f"{column}__in": pks}).update(**{column: None})
        rows = model._default_manager.filter(pk__in=pks)
        return int(rows._raw_delete(rows.db))


def _settle_again(now: datetime, since: Mapping[int, int]) -> None:
    """From the oldest outcome of each horizon that goes, and nothing that cannot have ended by now counts as settled. Said once before
    they go and once after: a run of the settling in between goes on from where it had read that it was."""
    for minutes in keys.HORIZONS_MIN:
        until = keys.first_of(now - timedelta(minutes=minutes))
        if minutes in since:
            until = min(until, int(keys.vector_of(since[minutes])))
        Settled.objects.filter(horizon_min=minutes, until__gt=until).update(until=until)
