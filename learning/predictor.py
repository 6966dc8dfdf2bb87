"""Asking the models at a mark. Whatever is wrong with one of them, the tick goes on without it: it is set aside, with the reason.

A file is read once for as long as it serves. A model has a limited time for its answer, and one that answers nonsense (no probabilities,
something infinite) is set aside too.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from django.utils import timezone

from learning import keys, model_file, registry, schema
from learning.model_file import Contents, Unusable
from learning.models import Direction, ModelVersion
from learning.time_box import TimeoutError, within
from learning.training import heads
from learning.training.labels import DOWN, UP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Values = NDArray[np.float32]

log = logging.getLogger(__name__)

LOAD_SEC = 30.0
ANSWER_SEC = 5.0
RAW = 5  # of each horizon: up, flat and down before calibration, return and risk as the trees say them
SUM_MAY_MISS = 1e-6


class Failed(RuntimeError):
    """A model did not answer, not in time, or with nonsense."""


@dataclass(frozen=True, eq=False)
class Served:
    """A model in service: its row and what its file holds."""

    row: ModelVersion
    contents: Contents

    @property
    def main(self) -> int:
        """The number of the horizon whose answer becomes a signal."""
        return keys.HORIZONS_MIN.index(int(self.row.settings.get("main") or min(self.contents.horizons)))


@dataclass(frozen=True, eq=False)
class Predicted:
    """For each row and each of the four horizons; NaN at a horizon, or in a figure, that the model has not shown to know."""

    returns: Numbers  # (rows, 4)
    probabilities: Numbers  # (rows, 4, 3): up, flat, down
    risk: Numbers  # (rows, 4): how far the price is expected to fall below the present one on the way, 0 … 1
    raw: NDArray[np.float32]  # (rows, 4 × RAW)
    inference_ms: float


_kept: dict[tuple[int, str], Served] = {}


def serving() -> list[Served]:
    """The champion and the challengers that can be asked, by their places; one statement while nothing changes. Empty without the extra."""
    rows = list(registry.in_service())
    if rows and not model_file.installed():
        _say_that_the_extra_is_missing()
        return []
    for gone in set(_kept) - {(row.pk, row.file_hash) for row in rows}:
        del _kept[gone]
    return [served for row in rows if (served := _served(row)) is not None]


@cache
def _say_that_the_extra_is_missing() -> None:
    log.warning("there are models in service, but scikit-learn and skops are not installed (the extra `ml`): no predictions are made")


def _served(row: ModelVersion) -> Served | None:
    key = (row.pk, row.file_hash)
    try:
        contents = _kept[key].contents if key in _kept else _read(row)
    except Unusable as error:
        set_aside(row, str(error))
        return None
    _kept[key] = Served(row, contents)
    return _kept[key]


def _read(row: ModelVersion) -> Contents:
    if row.schema.hash != schema.HASH:
        raise Unusable(f"it was made for version {row.schema_id} of the features, this is version {schema.VERSION}: train anew")
    if Path(row.file).name != row.file or not row.file:
        raise Unusable("the registry names no file in MODELS_DIR")
    path = Path(settings.MODELS_DIR) / row.file
    try:
        done = within(LOAD_SEC, lambda: model_file.read(path, row.file_hash, schema.HASH))
    except TimeoutError:
        raise Unusable(f"{row.file} was not read within {LOAD_SEC:g} s") from None
    error = done.exception()
    if error is not None:
        raise error if isinstance(error, Unusable) else Unusable(f"{row.file} cannot be read ({type(error).__name__})") from error
    return done.result()


def predictions(values: Values) -> list[tuple[Served, Predicted]]:
    """What every model in service makes of these vectors (rows × 240). Those that fail are set aside and left out; nothing is raised."""
    found = []
    for served in serving() if len(values) else []:
        try:
            found.append((served, predict(served, values)))
        except Failed as error:
            set_aside(served.row, str(error))
    return found


def predict(served: Served, values: Values) -> Predicted:
    """Failed instead of an answer that is late or none."""
    if values.shape != (len(values), schema.SIZE):
        raise ValueError(f"vectors have {schema.SIZE} values")
    try:
        done = within(ANSWER_SEC, lambda: _asked(served.contents, values))
    except TimeoutError:
        raise Failed(f"no answer about {len(values)} vectors within {ANSWER_SEC:g} s") from None
    if (error := done.exception()) is not None:
        raise Failed(f"cannot be asked ({type(error).__name__})") from error
    if trouble := _nonsense(done.result(), served.contents):
        raise Failed(trouble)
    return done.result()


def answer_again(row: ModelVersion, values: Values) -> tuple[Served, Predicted]:
    """What the model of this row makes of them now, in service or not. Changes nothing; Unusable or Failed says why there is no answer."""
    if not model_file.installed():
        raise Unusable("scikit-learn and skops are not installed here (the extra `ml`)")
    kept = _kept.get((row.pk, row.file_hash))
    served = kept or Served(row, _read(row))
    return served, predict(served, values)


def _asked(contents: Contents, values: Values) -> Predicted:
    began = time.perf_counter()
    rows, horizons = len(values), len(keys.HORIZONS_MIN)
    returns, risk = (np.full((rows, horizons), np.nan) for _ in range(2))
    probabilities, raw = np.full((rows, horizons, 3), np.nan), np.full((rows, horizons, RAW), np.nan, dtype=np.float32)
    with _one_thread():
        for minutes, learnt in contents.horizons.items():
            place = keys.HORIZONS_MIN.index(minutes)
            probabilities[:, place], raw[:, place, :3] = heads.probabilities(learnt["direction"], values)
            if "gross" in learnt:
                returns[:, place], raw[:, place, 3] = heads.means(learnt["gross"], values, -1.0, contents.caps[minutes])
            if "fall" in learnt:
                risk[:, place], raw[:, place, 4] = heads.means(learnt["fall"], values, 0.0, 1.0)
    return Predicted(returns, probabilities, risk, raw.reshape(rows, -1), 1000 * (time.perf_counter() - began))


def _one_thread() -> Any:
    """Of OpenMP, for this thread: others would wait for it by spinning."""
    return _pools().limit(limits=1, user_api="openmp")


@cache
def _pools() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _nonsense(found: Predicted, contents: Contents) -> str:
    places = [keys.HORIZONS_MIN.index(minutes) for minutes in contents.horizons]
    said = found.probabilities[:, places]
    if not np.isfinite(said).all() or (said < 0).any() or (abs(said.sum(axis=2) - 1) > SUM_MAY_MISS).any():
        return "answers with probabilities that are none"
    for name, figures in (("gross", found.returns), ("fall", found.risk)):
        known = [keys.HORIZONS_MIN.index(minutes) for minutes, learnt in contents.horizons.items() if name in learnt]
        if not np.isfinite(figures[:, known]).all():
            return f"answers with a {'return' if name == 'gross' else 'risk'} that is no number"
    return ""


def calls(served: Served, predicted: Predicted) -> tuple[list[str], Numbers, Numbers]:
    """What becomes of it as a signal, at the model's main horizon: the likeliest direction (flat is none), how likely that is, and the
    expected return (NaN where the model has not shown to know it)."""
    said = predicted.probabilities[:, served.main]
    likeliest = said.argmax(axis=1)
    names = {UP: Direction.UP.value, DOWN: Direction.DOWN.value}
    return [names.get(way, Direction.NONE.value) for way in likeliest.tolist()], said.max(axis=1), predicted.returns[:, served.main]


def set_aside(row: ModelVersion, why: str) -> None:
    """Asked no more until an operator decides; the reason stands in the admin."""
    _kept.pop((row.pk, row.file_hash), None)
    if registry.stop(row.pk, why, timezone.now()):
        log.error("model %s is set aside: %s", row, why)


def forget() -> None:
    """Read every file anew."""
    _kept.clear()
