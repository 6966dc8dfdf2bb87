"""A look at the models in service: have the features drifted, is the training too long ago, is one worse than its baseline by now?

The last is stopped. The number of statements depends on the models and their horizons, not on the tokens; of many rows some are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db.models import Exists, F, OuterRef

from ingestion.models import Heartbeat
from learning import keys, packing, predictor, registry, schema
from learning.models import SERVING, FeatureVector, ModelVersion, Outcome, Signal, Source
from learning.predictor import Served
from learning.training.baselines import Baseline, nothing
from learning.training.drift import LEAST_SPANS, by_group, indices
from learning.training.labels import labels
from learning.training.plan import block_sec
from learning.training.standing import Standing, is_over, standing, streak
from learning.training_rows import MOMENTUM, share_taken, thinned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

Streaks = Mapping[str, Mapping[str, int]]

EVERY_SEC = 3600.0
DRIFT_WINDOWS = (timedelta(days=1), timedelta(days=4))  # the second where the first holds too little
SPAN_SEC = 900  # marks nearer to each other than this count as one
BLOCKS = 48  # of time, as the training counts them: two days at 15 minutes and an hour, 24 days at 12 hours
MOST_ROWS, MOST_VECTORS = 20_000, 4_000
HORIZON_NAMES = dict(zip(keys.HORIZONS_MIN, ("15m", "1h", "4h", "12h"), strict=True))
CALM = {"age and calendar": "an hour of the day is never like all hours"}


def last_look() -> Mapping[str, Any]:
    """What the heartbeat holds of the one before."""
    beat = Heartbeat.objects.filter(component="job:models").first()
    return dict(beat.detail) if beat else {}


@dataclass(frozen=True)
class Look:
    """What was found, for the heartbeat and for people. `streaks` is what the next look wants to know."""

    models: list[dict[str, Any]]
    streaks: dict[str, dict[str, int]]
    stopped: int = 0

    @property
    def troubles(self) -> list[str]:
        return [trouble for model in self.models for trouble in model["troubles"]]


def watch(now: datetime, streaks: Streaks, writing: Callable[[], AbstractContextManager[None]] = nullcontext) -> Look:
    """Look once, and stop whoever must be stopped."""
    found: list[dict[str, Any]] = []
    remembered: dict[str, dict[str, int]] = {}
    stopped = 0
    values, spans = _lately(now)
    for served in predictor.serving():
        told, over, kept = _look_at(served, values, spans, now, streaks)
        remembered |= kept
        found.append(told)
        if over is None:
            continue
        with writing():
            stopped += registry.stop(served.row.pk, over.words(), now)
        told["troubles"].insert(0, f"{served.row} was stopped: {over.words()}.")
    there = {told["pk"] for told in found}
    set_aside = ModelVersion.objects.filter(role__in=SERVING, stopped_at__isnull=False).order_by("place")
    found += [_of_stopped(row) for row in set_aside if row.pk not in there]
    return Look(found, remembered, stopped)


def _look_at(
    served: Served, values: NDArray[np.float32], spans: int, now: datetime, streaks: Streaks
) -> tuple[dict[str, Any], Standing | None, dict[str, dict[str, int]]]:
    """What to tell of it, the standing for which it must be stopped, and what to remember."""
    row = served.row
    age = (now - row.trained_to).total_seconds() / 86_400
    stale_after = float(row.settings.get("stale_after_days", 14))
    drift = _drift(served, values, spans)
    standings = [_standing(served, horizon, now) for horizon in sorted(served.contents.horizons) if _hardest(row, horizon)]
    kept = {f"{row.pk}:{each.horizon}": streak(streaks.get(f"{row.pk}:{each.horizon}", {}), each) for each in standings}
    troubles = [
        f"{row}: the features of “{each['group']}” have drifted since it was trained (index {each['index']:.2f}, "
        f"most {each['worst_slot']}, from {each['rows']:,} vectors)."
        for each in drift
        if each["much"]
    ]
    if age > stale_after:
        troubles.append(f"{row}: what it learnt ends {age:.0f} days ago, {stale_after:g} is its limit.")
    told = {
        **_named(row),
        "age_days": round(age, 2),
        "stale": age > stale_after,
        "drift": drift,
        "standing": [each.as_plain() | {"looks": kept[f"{row.pk}:{each.horizon}"].get("looks", 0)} for each in standings],
        "troubles": troubles,
    }
    over = next((each for each in standings if is_over(kept[f"{row.pk}:{each.horizon}"])), None)
    return told, over, kept


def _named(row: ModelVersion) -> dict[str, Any]:
    return {"pk": row.pk, "name": str(row), "role": row.role}


def _of_stopped(row: ModelVersion) -> dict[str, Any]:
    return _named(row) | {"troubles": [f"{row} is stopped: {row.stopped_why}"]}


# Drift


def _lately(now: datetime) -> tuple[NDArray[np.float32], int]:
    """Vectors of the last day, of some tokens at every mark, and of how many quarters of an hour; of some days more where these are few."""
    found: list[tuple[int, bytes]] = []
    spans: set[int] = set()
    for window in DRIFT_WINDOWS:
        rows = FeatureVector.objects.filter(id__gte=keys.first_of(now - window), id__lt=keys.first_of(now), schema_id=schema.VERSION)
        rows = rows.filter(Exists(Signal.objects.filter(id=OuterRef("id"))))  # of a mark, as the lessons are; Stage 2 stores others too
        found = list(thinned(rows, share_taken(rows.count(), MOST_VECTORS)).order_by("id").values_list("id", "values"))
        spans = {keys.ts_of(pk) // SPAN_SEC for pk, _ in found}
        if len(spans) >= LEAST_SPANS:
            break
    if not found:
        return np.zeros((0, schema.SIZE), dtype=np.float32), 0
    return packing.unpack_values([bytes(values) for _, values in found]), len(spans)


def _drift(served: Served, values: NDArray[np.float32], spans: int) -> list[dict[str, Any]]:
    if not len(values):
        return []
    groups = [slot.group for slot in schema.SLOTS]
    found = by_group(indices(served.contents.reference, values), schema.NAMES, groups, len(values), spans, CALM)
    return [each.as_plain() for each in found]


# Standing


def _standing(served: Served, horizon: int, now: datetime) -> Standing:
    """By the settled outcomes of what it said since it was made, in the last BLOCKS spans of time."""
    row = served.row
    hardest = _hardest(row, horizon)
    since = max(row.made_at, now - timedelta(seconds=BLOCKS * block_sec(horizon)))
    within = {"id__gte": keys.first_of(since), "id__lt": keys.first_of(now)}
    outcomes = Outcome.objects.filter(**within, prediction__model=row, horizon_min=horizon, gross__isnull=False)
    every = share_taken(outcomes.count(), MOST_ROWS)
    figures = ("gross", "net", *(f"prediction__{way}_{HORIZON_NAMES[horizon]}" for way in ("up", "flat", "down")))
    came = list(thinned(outcomes, every).order_by("id").values_list("id", *figures))
    known = {keys.vector_of(each[0]): each[1:] for each in came}
    figure, cost = _figures(hardest, horizon, thinned(Signal.objects.filter(**within, source=Source.SCORE), every), known)
    pks = np.array([pk for pk in known if pk in cost], dtype=np.int64)
    columns = np.array([known[pk] for pk in pks.tolist()], dtype=np.float64).reshape(-1, len(figures))
    told = labels(columns[:, 0], columns[:, 1], columns[:, 0], np.array([cost[pk] for pk in pks.tolist()], dtype=np.float64))
    baseline = Baseline.from_plain(row.baselines[str(horizon)][hardest])
    against = baseline.probabilities[baseline.tenth(np.array([figure[pk] for pk in pks.tolist()], dtype=np.float64))]
    return standing(keys.ts_of(pks), keys.token_of(pks), columns[:, 2:], against, told.direction, horizon, hardest)


def _hardest(row: ModelVersion, horizon: int) -> str:
    """The baseline that was hardest to beat in the examination; blank where the registry does not hold it."""
    name = str(row.metrics.get(str(horizon), {}).get("hardest", ""))
    return name if name in row.baselines.get(str(horizon), {}) else ""


def _figures(baseline: str, horizon: int, signals: Any, known: Mapping[int, Any]) -> tuple[dict[int, float], dict[int, float]]:
    """By vector: what the baseline looks at, and the cost, both as the signal of the score says."""
    slot = schema.PLACES[MOMENTUM[horizon]]
    asked = {"constant": F("cost"), "momentum": F("vector__values"), "score": F("strength")}[baseline]
    rows = [each for each in signals.values_list("id", "cost", asked) if each[0] in known]
    cost = {pk: each for pk, each, _ in rows}
    if baseline == "momentum":
        values = packing.unpack_values([bytes(each) for _, _, each in rows])
        return dict(zip(cost, values[:, slot].astype(float).tolist() if rows else [], strict=True)), cost
    if baseline == "constant":
        return dict(zip(cost, nothing(len(rows)).tolist(), strict=True)), cost
    return {pk: np.nan if each is None else each for pk, _, each in rows}, cost
