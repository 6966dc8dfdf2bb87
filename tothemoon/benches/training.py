"""`train_model` from N rows of evidence, as the command does it: all four horizons examined and learnt, the file written and registered.

The rows are made up and stored as the recording stores them: all 240 features, an effect in one of them, so that the model passes and
learns once more from all of them; the line says at how many horizons.
It informs, and holds nothing to a floor. Who has no scikit-learn is told so.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from django.test.utils import override_settings

from learning import keys, model_file, schema, storing, training_run
from learning.models import Outcome
from learning.settle_run import OUTCOME
from learning.storing import Said, Vectors
from learning.training.plan import Plan
from scoring.models import TokenScore
from scoring.settings_in_force import active_settings
from tokens.bulk_rows import insert_columns
from tokens.models import Token
from tothemoon.benches.stages import Line
from tothemoon.benches.tick import NotEmpty, newborn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

MARK_SEC = 900
MARKS = 1000  # ten days, so that the longest horizon has enough of them apart from each other; at each as many tokens as the rows need
EFFECT, CHANCE, COST = 0.02, 0.03, 0.01
MISSING_SHARE = 0.1


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result, measured on the present database, which must be empty."""
    if Token.objects.exists():
        raise NotEmpty("this database holds tokens: a bench writes, and writes only where nothing is")
    if not model_file.installed():
        return [_told(database, "scikit-learn and skops are not installed: the extra ml", "s", 0.0)]
    say("training: rows")
    now = datetime.now(UTC).replace(microsecond=0)
    stored, first = _past(number, now)
    began = time.process_time()
    with TemporaryDirectory() as folder, override_settings(MODELS_DIR=Path(folder)):
        report = training_run.run("bench", first, now, number, Plan(), now, lambda step: say(f"training: {step}"))
    seconds = time.process_time() - began
    if report.refused or report.rows != stored:
        raise RuntimeError(f"{report.rows} of {stored} rows were learnt from; {report.trained.why_not}")
    what = f"{len(report.trained.learnt)} horizons learnt from {stored:,} rows × {schema.SIZE} features"
    return [
        _told(database, f"{what}: seconds of the processor", "s", seconds),
        _told(database, f"{what}: the most that the whole process held", "MB", _peak_mb()),
    ]


def _told(database: str, what: str, unit: str, ours: float) -> Line:
    return Line("training", database, what, unit, round(ours, 1), None, None, None, True, round(_peak_mb(), 1))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _past(number: int, now: datetime) -> tuple[int, datetime]:
    """How many rows were stored, and of when the first is."""
    tokens, marks = max(1, number // MARKS), MARKS
    last = int(now.timestamp()) // MARK_SEC * MARK_SEC - 60 * max(keys.HORIZONS_MIN) - MARK_SEC
    newborn(tokens, now - timedelta(days=30))
    pks = np.array(sorted(Token.objects.values_list("pk", flat=True)), dtype=np.int64)
    version, chance = storing.keep_schema(), np.random.default_rng(7)
    for mark in range(last - (marks - 1) * MARK_SEC, last + 1, MARK_SEC):
        _store(mark, pks, version, chance)
    return marks * tokens, datetime.fromtimestamp(last - (marks - 1) * MARK_SEC, UTC)


def _store(mark: int, pks: NDArray[np.int64], version: int, chance: np.random.Generator) -> None:
    """A mark, and what came of it: the return is what one feature says of it, and chance."""
    rows, at = len(pks), datetime.fromtimestamp(mark, UTC)
    values = chance.standard_normal((rows, schema.SIZE)).astype(np.float32)
    gross = EFFECT * values[:, 0].astype(np.float64) + CHANCE * chance.standard_normal(rows)
    reasons = (chance.random(values.shape) < MISSING_SHARE).astype(np.uint8)
    values[reasons != 0] = np.nan
    storing.store_vectors(Vectors(mark, pks, values, reasons), version, at)
    price, cost, unknown = np.full(rows, 0.001), np.full(rows, COST), np.full(rows, np.nan)
    score, revision = chance.random(rows), [active_settings().pk] * rows
    insert_columns(TokenScore, ("token", "ts", "score", "components", "settings"), [pks, [at] * rows, score, ["{}"] * rows, revision])
    scores = list(TokenScore.objects.filter(ts=at).order_by("token").values_list("pk", flat=True))
    storing.store_signals(Said("score", mark, pks, revision, price, cost, ["up"] * rows, score, unknown, token_score=scores), at)
    signals = keys.key(mark, pks, 0)
    for place, minutes in enumerate(keys.HORIZONS_MIN):
        figures = (price * (1 + gross), gross, gross - COST, np.maximum(gross, 0.0), np.minimum(gross, 0.0) - 0.01, unknown, unknown)
        known = keys.outcome_of(signals, keys.OF_SIGNAL, place), [at + timedelta(minutes=minutes, seconds=90)] * rows, signals
        insert_columns(Outcome, OUTCOME, [*known, [None] * rows, [minutes] * rows, ["priced"] * rows, *figures])
