"""Train a model from the stored evidence, and register it: as a challenger where it beat its baselines, else as refused."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from learning import model_file, registry, schema, training_rows
from learning.model_file import Contents
from learning.models import ModelVersion
from learning.training.plan import LEAST_TAUGHT, Plan

if TYPE_CHECKING:
    from learning.training.course import Trained
    from learning.training.sample import Sample

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}\Z")


class NothingToLearn(ValueError):
    """There is not enough evidence between the two moments."""


@dataclass(frozen=True, eq=False)
class Report:
    """The row that was written, what it rests on, and how long it took."""

    row: ModelVersion
    trained: Trained
    rows: int
    seconds: float

    @property
    def refused(self) -> bool:
        return not self.trained.learnt


def run(
    name: str, since: datetime, until: datetime, most: int, plan: Plan, now: datetime, step: Callable[[str], None] = lambda said: None
) -> Report:
    """NoExtra without scikit-learn and skops, NothingToLearn with too little evidence, NotNow where no place is free."""
    if not model_file.installed():
        raise model_file.NoExtra
    from learning.training.course import train

    registry.free_place()
    began = time.monotonic()
    sample = training_rows.read(since, until, most, plan.horizons)
    _refuse_too_few(sample, plan)
    step("evidence read")
    trained = train(sample, plan, schema.NAMES, step)
    row = _register(name, sample, trained, plan, now)
    return Report(row, trained, len(sample), time.monotonic() - began)


def _refuse_too_few(sample: Sample, plan: Plan) -> None:
    known = max((int(sample.labels[horizon].known.sum()) for horizon in plan.horizons), default=0)
    if known < LEAST_TAUGHT:
        raise NothingToLearn(f"{len(sample):,} vectors, {known:,} of them with a known outcome: at least {LEAST_TAUGHT} are needed")


def _register(name: str, sample: Sample, trained: Trained, plan: Plan, now: datetime) -> ModelVersion:
    columns: dict[str, Any] = {
        "horizons": sorted(trained.learnt),
        "settings": plan.as_plain() | {"main": trained.main, "rows": len(sample), "library": model_file.library()},
        "metrics": {str(horizon): verdict.told for horizon, verdict in trained.verdicts.items()},
        "baselines": {
            str(horizon): {kind: each.as_plain() for kind, each in learnt.baselines.items()} for horizon, learnt in trained.learnt.items()
        },
        "importances": {str(horizon): verdict.importances for horizon, verdict in trained.verdicts.items()},
        "stopped_why": trained.why_not[: registry.LONGEST_WHY],
    }
    with transaction.atomic():  # of two at once the second gets the next number, or finds no place: its file is not named then
        number = registry.next_number(name)
        if trained.reference is not None:
            contents = Contents(
                {horizon: learnt.heads for horizon, learnt in trained.learnt.items()},
                {horizon: learnt.cap for horizon, learnt in trained.learnt.items()},
                trained.reference,
            )
            columns["file"], columns["file_hash"] = model_file.write(Path(settings.MODELS_DIR), f"{name}-{number}", contents, schema.HASH)
        return registry.register(name, number, int(sample.ts[0]), int(sample.ts[-1]), now, **columns)
