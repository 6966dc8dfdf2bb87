"""The passport of one signal: what was seen, what was made of it, what was said, and what came of it. A number of queries that does not
depend on how much there is; ready-made values for the template."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from learning import words
from learning.from_above import PARTS
from learning.missing import Reason
from learning.models import Outcome, Prediction, Signal
from learning.signal_list import HORIZONS
from tokens.models import Token, TokenSnapshot
from tokens.page import explained
from tokens.templatetags import figures

SEEN = timedelta(hours=1)
MOST_SNAPSHOTS = 12


@dataclass(frozen=True, slots=True)
class Named:
    """One slot of the vector. `value` is None where it is missing, and `why` says so."""

    name: str
    text: str
    unit: str
    value: float | None
    why: Any = ""


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    slots: Sequence[Named]

    @property
    def known(self) -> int:
        return sum(1 for slot in self.slots if slot.value is not None)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a model said of one horizon, and what came."""

    horizon: str
    value: float | None
    up: float | None
    flat: float | None
    down: float | None
    risk: float | None
    outcome: Any


@dataclass(frozen=True, slots=True)
class Said:
    prediction: Any
    horizons: Sequence[Expected]
    used: bool  # by this signal


@dataclass(frozen=True, slots=True)
class Became:
    """One horizon of the signal. `due` is when it can be known at the earliest."""

    horizon: str
    due: datetime
    outcome: Any


def find(pk: int) -> Any:
    """The signal with all that it points to, in one query; None where there is none."""
    if pk >= 1 << 63:
        return None
    related = ("token", "settings", "vector__schema", "token_score__settings", "prediction__model")
    return Signal.objects.select_related(*related).filter(pk=pk).first()


def context(signal: Any, now: datetime) -> dict[str, Any]:
    """All that the page prints."""
    vector, token = signal.vector, signal.token
    groups = grouped(vector)
    predictions = list(Prediction.objects.select_related("model").filter(vector=vector).order_by("pk"))
    outcomes = _outcomes(signal, predictions)
    became = [
        Became(text, signal.ts + timedelta(minutes=minutes), outcomes.get(("signal", signal.pk, minutes)))
        for minutes, text in HORIZONS.items()
    ]
    return {
        "now": now,
        "signal": signal,
        "token": token,
        "symbol": figures.tame(token.symbol) or figures.short(token.address),
        "source": words.SOURCES[signal.source],
        "snapshots": list(_seen(token, vector.ts)),
        "explanation": explained(signal.token_score, (vector.ts - token.created_at).total_seconds()) if signal.token_score else None,
        "vector": vector,
        "groups": groups,
        "known": sum(group.known for group in groups),
        "slots": sum(len(group.slots) for group in groups),
        "bytes": len(bytes(vector.values)) + len(bytes(vector.reasons)),
        "said": [_said(row, outcomes, signal.prediction_id) for row in predictions],
        "parts": [part for ask in PARTS if (part := ask(signal)) is not None],
        "became": became,
        "settled": sum(1 for horizon in became if horizon.outcome is not None),
        "others": list(Signal.objects.filter(vector=vector).exclude(pk=signal.pk).order_by("pk")),
    }


def _seen(token: Token, until: datetime) -> Any:
    """The newest snapshots that the vector could see, the newest first."""
    return TokenSnapshot.objects.filter(token=token, ts__lte=until, ts__gt=until - SEEN).order_by("-ts")[:MOST_SNAPSHOTS]


def grouped(vector: Any) -> list[Group]:
    """The slots by name, in their groups, each with its value or with why it has none."""
    schema = vector.schema
    groups: dict[str, list[Named]] = {}
    rows = zip(schema.names, schema.documented, vector.as_array().tolist(), vector.reasons_array().tolist(), strict=True)
    for name, slot, value, reason in rows:
        known = None if math.isnan(value) else value
        groups.setdefault(slot["group"], []).append(
            Named(name, slot["text"], slot["unit"], known, words.REASONS[Reason(reason)] if known is None else "")
        )
    return [Group(name, slots) for name, slots in groups.items()]


def _outcomes(signal: Any, predictions: Sequence[Any]) -> dict[tuple[str, int, int], Any]:
    """Of the signal and of the predictions, by whose they are and by horizon; two queries."""
    of_signal = Outcome.objects.filter(signal=signal)
    found = {("signal", signal.pk, row.horizon_min): row for row in of_signal}
    of_predictions = Outcome.objects.filter(prediction__in=[row.pk for row in predictions]) if predictions else []
    return found | {("prediction", row.prediction_id, row.horizon_min): row for row in of_predictions}


def _said(row: Any, outcomes: Mapping[tuple[str, int, int], Any], used: int | None) -> Said:
    horizons = []
    for minutes, text in HORIZONS.items():
        value, up, flat, down, risk = (getattr(row, f"{kind}_{text.replace(' ', '')}") for kind in ("return", "up", "flat", "down", "risk"))
        horizons.append(Expected(text, value, up, flat, down, risk, outcomes.get(("prediction", row.pk, minutes))))
    return Said(row, horizons, row.pk == used)
