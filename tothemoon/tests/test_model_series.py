"""The models among the metrics and the alerts: told when there is something to tell, by a fixed number of series."""

from datetime import datetime
from typing import Any

import pytest

from ingestion.models import Heartbeat
from tothemoon import metrics
from tothemoon.circumstances import circumstances
from tothemoon.model_series import model_series

STANDING = {"horizon": 60, "looks": 2}
MODELS: list[dict[str, Any]] = [
    {"role": "champion", "age_days": 3.0, "stale": True, "drift": [{"much": True}], "standing": [STANDING], "troubles": ["small 1: old."]},
    {"role": "challenger", "troubles": ["small 2 is stopped: its file is gone."]},
]


def series(told: dict[str, Any]) -> dict[str, float]:
    found = [sample for family in model_series(told) for sample in family.samples]
    return {" ".join([sample.name, *sample.labels.values()]): sample.value for sample in found}


def test_before_the_first_look_there_is_no_series_and_without_a_model_all_are_zero() -> None:
    assert series({}) == {}
    assert set(series({"models": []}).values()) == {0}
    assert series({"models": []}).keys() == series({"models": MODELS}).keys()


def test_each_model_is_counted_where_it_stands() -> None:
    found = series({"models": MODELS})
    assert found["tothemoon_models champion in_service"] == 1
    assert found["tothemoon_models challenger stopped"] == 1
    assert found["tothemoon_models challenger in_service"] == 0
    assert (found["tothemoon_models_stale"], found["tothemoon_models_drifted"], found["tothemoon_models_worse_looks"]) == (1, 1, 2)


@pytest.mark.django_db
@pytest.mark.parametrize(("models", "trouble"), [(MODELS, 1.0), ([], 0.0)])
def test_troubles_of_models_are_a_figure_for_alerts_with_the_sentences_themselves(now: datetime, models: Any, trouble: float) -> None:
    assert "models_in_trouble" not in circumstances(now).figures
    Heartbeat.objects.create(component="job:models", ts=now, started_at=now, detail={"models": models})
    found = circumstances(now)
    assert found.figures["models_in_trouble"] == trouble
    assert (found.sentences["models_in_trouble"] == "small 1: old. small 2 is stopped: its file is gone.") == bool(trouble)


@pytest.mark.django_db
def test_they_stand_among_the_metrics_of_the_site(now: datetime) -> None:
    Heartbeat.objects.create(component="job:models", ts=now, started_at=now, detail={"models": MODELS})
    found = {sample.name for family in metrics._families() for sample in family.samples}
    assert {"tothemoon_models", "tothemoon_models_stale", "tothemoon_models_drifted", "tothemoon_models_worse_looks"} <= found
