"""What a duel has left in the database, as the figures take it. A long one is read in steps: no page costs more than a million rows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

from django.db.models import F, Max, Sum
from django.db.models.functions import Mod

from scoring.duel_figures import Evidence, Terms, gather
from scoring.duel_looks import unpack
from scoring.duel_models import Duel, DuelLook, DuelSide, ShadowScore
from scoring.duel_report import Report, report
from tokens.models import StatusChange

MOST_ROWS = 1_000_000  # looks × tokens
REPORTS_KEPT = 12
_Key = tuple[int, datetime, int]  # a duel, when it was asked for, and its newest look


@dataclass
class _Kept:
    """Looks never change: what was worked out from them holds until the next one comes."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    evidence: tuple[_Key, Evidence] | None = None
    reports: OrderedDict[tuple[_Key, Terms], Report] = field(default_factory=OrderedDict)


_kept = _Kept()


def told(duel: Duel, terms: Terms) -> Report:
    """The report of a duel, as of its newest look."""
    newest = DuelLook.objects.filter(duel=duel).aggregate(newest=Max("number"))["newest"]
    key = (duel.pk, duel.created_at, -1 if newest is None else newest)
    with _kept.lock:
        if (key, terms) not in _kept.reports:
            if _kept.evidence is None or _kept.evidence[0] != key:
                _kept.evidence = key, read_evidence(duel)
            sides = list(DuelSide.objects.filter(duel=duel).order_by("place"))
            names = ["what is in force", *(f"#{side.settings_id}" for side in sides)]
            _kept.reports[key, terms] = report(_kept.evidence[1], terms, activations(duel, sides), names)
            while len(_kept.reports) > REPORTS_KEPT:
                _kept.reports.popitem(last=False)
        return _kept.reports[key, terms]


def read_evidence(duel: Duel, most_rows: int = MOST_ROWS) -> Evidence:
    """Every look, or in a long duel every second, third …"""
    looks = DuelLook.objects.filter(duel=duel)
    step = max(1, ceil((looks.aggregate(rows=Sum("tokens"))["rows"] or 0) / most_rows))
    if step > 1:
        looks = looks.annotate(rest=Mod(F("number"), step)).filter(rest=0)
    rows = list(looks.order_by("number").values_list("ts", "data"))
    found = gather([ts.timestamp() for ts, _ in rows], [unpack(bytes(data)) for _, data in rows])
    return found if rows else _nothing(duel)


def _nothing(duel: Duel) -> Evidence:
    empty = gather([], [])
    sides = 1 + duel.sides.count()
    return Evidence(empty.at, empty.begins, empty.token, empty.price, empty.score.repeat(sides, axis=0), empty.active.repeat(sides, axis=0))


def activations(duel: Duel, sides: list[DuelSide]) -> list[dict[int, float]]:
    """When which token became Active by the rule while the duel ran: in force, and by each side's own rule."""
    since = StatusChange.objects.filter(actor="rule:activate", ts__gte=duel.begun_at or duel.created_at)
    if duel.ended_at:
        since = since.filter(ts__lte=duel.ended_at)
    in_force = {token: ts.timestamp() for token, ts in since.order_by("-ts").values_list("token_id", "ts")}
    rows = ShadowScore.objects.filter(side__in=sides, activated_at__isnull=False).values_list("side_id", "token_id", "activated_at")
    own: dict[int, dict[int, float]] = {side.pk: {} for side in sides}
    for side, token, at in rows:
        if at is not None:
            own[side][token] = at.timestamp()
    return [in_force, *(own[side.pk] for side in sides)]
