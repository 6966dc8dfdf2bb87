"""The registry of models: who predicts, who may speak, who was refused and why. Every change of a role goes through here.

One champion at most: its predictions become signals. Challengers predict beside it and are measured by the same outcomes. Whoever does not
beat the baselines is written down as refused, without a file: how often it was tried is a part of the evidence.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet

from learning import keys, storing
from learning.models import SERVING, ModelVersion, Role

LONGEST_WHY = 300


class NotNow(ValueError):
    """This cannot be done to this model as it stands."""


def in_service() -> QuerySet[ModelVersion]:
    """Those that are asked at every mark, in the order of their places."""
    return ModelVersion.objects.filter(role__in=SERVING, stopped_at=None).select_related("schema").order_by("place")


def free_place() -> int:
    """The first of the four that no champion or challenger has."""
    taken = set(ModelVersion.objects.filter(role__in=SERVING).values_list("place", flat=True))
    free = [place for place in range(keys.PLACES) if place not in taken]
    if not free:
        raise NotNow(f"all {keys.PLACES} places are taken: retire a model first")
    return free[0]


def next_number(name: str) -> int:
    return (ModelVersion.objects.filter(name=name).aggregate(last=Max("number"))["last"] or 0) + 1


def register(name: str, number: int, first: int, last: int, now: datetime, **columns: Any) -> ModelVersion:
    """A challenger with a file, or a refusal without one. `first` and `last` are the seconds of the rows it learnt from."""
    with transaction.atomic():
        refused = not columns.get("file")
        return ModelVersion.objects.create(
            name=name,
            number=number,
            role=Role.REFUSED if refused else Role.CHALLENGER,
            place=0 if refused else free_place(),
            schema_id=storing.keep_schema(),
            trained_from=datetime.fromtimestamp(first, UTC),
            trained_to=datetime.fromtimestamp(last, UTC),
            made_at=now,
            **columns,
        )


# By hand


def promote(pk: int) -> ModelVersion:
    """A challenger becomes the champion, and the champion before it a challenger, measured as before. Each keeps its place."""
    with transaction.atomic():
        chosen = ModelVersion.objects.select_for_update().get(pk=pk)
        if chosen.role != Role.CHALLENGER or chosen.stopped_at:
            raise NotNow(f"{chosen} is {'stopped' if chosen.stopped_at else chosen.role}: only a challenger in service can be promoted")
        ModelVersion.objects.filter(role=Role.CHAMPION).update(role=Role.CHALLENGER)
        chosen.role = Role.CHAMPION
        chosen.save(update_fields=["role"])
        return chosen


def retire(pk: int, why: str, now: datetime) -> ModelVersion:
    """For good: its place is free again."""
    with transaction.atomic():
        chosen = ModelVersion.objects.select_for_update().get(pk=pk)
        if chosen.role not in SERVING:
            raise NotNow(f"{chosen} is {chosen.role} already")
        chosen.role, chosen.stopped_at, chosen.stopped_why = Role.RETIRED, now, why[:LONGEST_WHY]
        chosen.save(update_fields=["role", "stopped_at", "stopped_why"])
        return chosen


def resume(pk: int) -> ModelVersion:
    """One that was stopped predicts again."""
    with transaction.atomic():
        chosen = ModelVersion.objects.select_for_update().get(pk=pk)
        if chosen.role not in SERVING or chosen.stopped_at is None:
            raise NotNow(f"{chosen} is not stopped")
        chosen.stopped_at, chosen.stopped_why = None, ""
        chosen.save(update_fields=["stopped_at", "stopped_why"])
        return chosen


# By the program


def stop(pk: int, why: str, now: datetime) -> bool:
    """It keeps its role and its place and is asked no more, until an operator decides. Whether it was in service."""
    return bool(ModelVersion.objects.filter(pk=pk, stopped_at=None).update(stopped_at=now, stopped_why=why[:LONGEST_WHY]))
