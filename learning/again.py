"""A signal worked out again from what is stored: its vector from bars and snapshots, its score from the snapshot and the score before it,
each prediction from the stored vector and the model's file, what came of it from the bars after it. Answers "the same numbers", or where
they part for the first time.

What the retention has deleted since cannot be worked out again, nor a prediction whose model is gone: then the answer is neither yes nor
no, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.utils.translation import gettext_lazy as _

from learning import comparing, feature_inputs, features, packing, predictor, schema, storing
from learning.comparing import Difference
from learning.features.inputs import LAGS, ROWS
from learning.model_file import Unusable
from learning.models import Outcome, Prediction
from learning.settle_run import came_of
from learning.signal_list import HORIZONS
from scoring.again import score_again
from scoring.history import HOLDERS_REACH
from scoring.settings_in_force import active_settings
from tokens.cleanup import kept_from

SAME, DIFFERENT, GONE = "same", "different", "gone"
LOOKS_BACK = timedelta(minutes=ROWS + max(LAGS))  # of bars of one minute and of snapshots; longer bars are kept for longer
NO_ROWS = _("Rows that it was made from have been deleted since: they were older than the retention.")


@dataclass(frozen=True, slots=True)
class Compared:
    """One link of the chain. `numbers` says how many were compared."""

    title: Any
    state: str
    numbers: int = 0
    differences: Sequence[Difference] = ()
    why: Any = ""

    @property
    def first(self) -> Difference | None:
        return self.differences[0] if self.differences else None


@dataclass(frozen=True, slots=True)
class Answer:
    parts: Sequence[Compared]
    ms: float

    @property
    def state(self) -> str:
        """Different where any part differs; the same only where every part is."""
        states = {part.state for part in self.parts}
        return DIFFERENT if DIFFERENT in states else GONE if GONE in states else SAME

    @property
    def first(self) -> tuple[Compared, Difference] | None:
        return next(((part, part.differences[0]) for part in self.parts if part.state == DIFFERENT and part.differences), None)


def work_out(signal: Any, now: datetime) -> Answer:
    """Every number behind the signal and after it, once more. Reads, and writes nothing."""
    began = time.perf_counter()
    known_from = kept_from(now, active_settings().retention_hours)
    parts = [_vector(signal.vector, known_from)]
    if signal.token_score is not None:
        parts.append(_score(signal.token_score, known_from))
    parts += [
        _prediction(signal, row) for row in Prediction.objects.select_related("model__schema").filter(vector=signal.vector).order_by("pk")
    ]
    parts += [_outcome(signal, row, known_from) for row in Outcome.objects.filter(signal=signal).order_by("pk")]
    return Answer(parts, 1000 * (time.perf_counter() - began))


def _vector(vector: Any, known_from: datetime) -> Compared:
    title = _("Vector")
    if vector.schema_id != schema.VERSION:
        return Compared(title, GONE, why=_("It was made by another version of the schema than the one in use."))
    made = features.compute(feature_inputs.inputs_at(vector.ts, vector.stored_at, [vector.token_id]))
    if not len(made.values):
        return Compared(title, GONE, why=NO_ROWS)
    stored = vector.as_array(), vector.reasons_array()
    differing = comparing.vectors(schema.NAMES, stored[0], made.values[0], stored[1], made.reasons[0])
    return _told(title, schema.SIZE, differing, vector.ts - LOOKS_BACK < known_from)


def _score(row: Any, known_from: datetime) -> Compared:
    again, title = score_again(row), _("Score")
    if again is None:
        return Compared(title, GONE, why=NO_ROWS)
    stored = {"score": row.score, **row.components}
    differing = comparing.documents(stored, {"score": again["score"], **again["components"]})
    return _told(title, comparing.count_of(stored), differing, row.ts - HOLDERS_REACH < known_from)


def _prediction(signal: Any, row: Prediction) -> Compared:
    """From the stored vector, whatever became of the bars; and where the signal rests on it, what was said by it."""
    title = _("Prediction of %(model)s") % {"model": row.model}
    try:
        served, made = predictor.answer_again(row.model, signal.vector.as_array()[None])
    except (Unusable, predictor.Failed) as error:
        return Compared(title, GONE, why=_("The model cannot be asked any more: %(why)s.") % {"why": error})
    again: dict[str, Any] = dict(_figures(storing.prediction_row(served, made)))
    stored: dict[str, Any] = dict(_figures({name: getattr(row, name) for name in storing.FIGURES} | {"raw": bytes(row.raw)}))
    if signal.prediction_id == row.pk:
        (direction,), confidence, strength = predictor.calls(served, made)
        again |= {"direction": direction} | _figures({"confidence": confidence[0], "strength": strength[0]})
        stored |= {"direction": signal.direction} | _figures({"confidence": signal.confidence, "strength": signal.strength})
    return _told(title, len(stored), comparing.columns(list(stored), stored, again), deleted=False)


def _figures(columns: Mapping[str, Any]) -> dict[str, float | None]:
    """As numbers of four bytes, which is all that is kept of what a model says, on PostgreSQL; None is unknown. `raw` is several."""
    whole = {name: value for name, value in columns.items() if name != "raw"}
    if "raw" in columns:
        whole |= {f"raw.{place}": value for place, value in enumerate(np.frombuffer(columns["raw"], dtype=packing.FLOAT).tolist())}
    return {name: None if value is None or np.isnan(value) else float(np.float32(value)) for name, value in whole.items()}


def _outcome(signal: Any, row: Outcome, known_from: datetime) -> Compared:
    again = came_of(signal.pk, row.horizon_min, row.settled_at)
    differing = comparing.columns(list(again), {name: getattr(row, name) for name in again}, again)
    title = _("What came after %(horizon)s") % {"horizon": HORIZONS[row.horizon_min]}
    return _told(title, len(again), differing, signal.ts < known_from)


def _told(title: Any, numbers: int, differing: Sequence[Difference], deleted: bool) -> Compared:
    """What differs when rows may have been deleted is not known to differ: they might have made the same."""
    if not differing:
        return Compared(title, SAME, numbers)
    return Compared(title, GONE, numbers, differing, NO_ROWS) if deleted else Compared(title, DIFFERENT, numbers, differing)
