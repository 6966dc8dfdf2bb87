"""A look at the models in service: stopped when worse, stale when old, drifted when the features are others; else left in peace."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learning import keys, model_watch, predictor
from learning.model_watch import EVERY_SEC, Look, watch
from learning.models import FeatureVector, ModelVersion, Outcome, Prediction, Signal
from learning.tests.evidence_rows import make_vector
from learning.tests.past import make_past
from learning.tests.small_models import contents, registered
from learning.training.baselines import learn
from learning.training.labels import labels
from learning.training.standing import LOOKS
from tokens.models import Token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("models_folder")]
EVEN = learn(np.zeros(3), labels(np.array([0.1, 0.0, -0.1]), np.array([0.09, -0.01, -0.11]), np.zeros(3), np.full(3, 0.01)), 1.0)


def in_service(models_folder: Path, now: datetime, hardest: str = "constant", made: timedelta = timedelta(days=2), **settings: Any) -> Any:
    kept = {"main": 60, "stale_after_days": 14.0} | settings
    tables = {"60": {name: EVEN.as_plain() for name in ("constant", "momentum", "score")}}
    row = registered(models_folder, now, contents(), settings=kept, baselines=tables, metrics={"60": {"hardest": hardest}})
    ModelVersion.objects.filter(pk=row.pk).update(made_at=now - made)
    return row


def predict_all(row: Any, right: float) -> None:
    """A prediction at every stored vector: the probability of what will really happen is `right`."""
    gross = dict(Outcome.objects.filter(signal__source="score", horizon_min=60).values_list("signal_id", "gross"))
    made, came = [], []
    for pk, ts, cost in Signal.objects.values_list("id", "ts", "cost"):
        way = "up" if (1 + gross[pk]) * (1 - cost) > 1 else "down" if gross[pk] < -cost else "flat"
        said = {f"{each}_1h": right if each == way else (1 - right) / 2 for each in ("up", "flat", "down")}
        made.append(Prediction(id=pk + row.place, ts=ts, vector_id=pk, model=row, inference_ms=1.0, **said))
        number = keys.outcome_of(pk + row.place, keys.OF_PREDICTION, 1)
        figures = {"gross": gross[pk], "net": (1 + gross[pk]) * (1 - cost) - 1, "best": 0.1, "worst": -0.2, "price": 0.001}
        settled = ts + timedelta(hours=1)
        came.append(Outcome(id=number, prediction_id=pk + row.place, horizon_min=60, state="priced", settled_at=settled, **figures))
    Prediction.objects.bulk_create(made)
    Outcome.objects.bulk_create(came)


def looks(now: datetime, count: int) -> list[Look]:
    """So many, an hour apart, the last at `now`, each with what had come by then and with what the one before remembered."""
    memory: Any = {}
    found = []
    for back in range(count)[::-1]:
        found.append(watch(now - back * timedelta(seconds=EVERY_SEC), memory))
        memory = found[-1].streaks
    return found


def test_without_a_model_there_is_nothing_to_tell(now: datetime) -> None:
    make_past(now, marks=3, tokens=2)
    assert watch(now, {}) == Look([], {}, 0)


@pytest.mark.parametrize("hardest", ["constant", "momentum", "score"])
def test_one_that_is_worse_than_its_baseline_is_stopped_at_the_third_look_and_not_before(
    models_folder: Path, now: datetime, hardest: str
) -> None:
    make_past(now, marks=64, tokens=8, horizons=(60,))
    row = in_service(models_folder, now, hardest)
    predict_all(row, right=0.1)
    found = looks(now, LOOKS)
    assert [look.stopped for look in found] == [0, 0, 1]
    row.refresh_from_db()
    assert row.stopped_at == now
    assert f"worse than its baseline ({hardest})" in row.stopped_why
    assert "3 looks in a row" in row.stopped_why
    assert "was stopped" in found[-1].troubles[0]
    assert "is stopped" in watch(now, {}).troubles[0]
    assert predictor.serving() == []


def test_the_same_outcomes_looked_at_again_and_again_do_not_stop_it(models_folder: Path, now: datetime) -> None:
    make_past(now, marks=64, tokens=8, horizons=(60,))
    predict_all(in_service(models_folder, now), right=0.1)
    memory: Any = {}
    for _ in range(2 * LOOKS):
        look = watch(now, memory)
        memory = look.streaks
    assert look.stopped == 0
    assert look.models[0]["standing"][0]["looks"] == 1


def test_one_that_is_as_good_as_ever_stays(models_folder: Path, now: datetime) -> None:
    make_past(now, marks=64, tokens=8, horizons=(60,))
    predict_all(in_service(models_folder, now), right=0.6)
    last = looks(now, LOOKS + 1)[-1]
    (told,) = last.models[0]["standing"]
    assert last.stopped == 0
    assert told["difference"]["high"] < 0
    assert told["rows"] == 64 * 8
    assert ModelVersion.objects.get().stopped_at is None


def test_only_what_was_said_since_it_was_made_counts(models_folder: Path, now: datetime) -> None:
    make_past(now, marks=64, tokens=8, horizons=(60,))
    predict_all(in_service(models_folder, now, made=timedelta(hours=3)), right=0.1)
    assert looks(now, 1)[0].models[0]["standing"][0]["rows"] == 8 * 9


def test_a_model_whose_lessons_are_too_long_ago_is_stale_and_goes_on(models_folder: Path, now: datetime) -> None:
    row = in_service(models_folder, now, stale_after_days=0.5)
    (told,) = watch(now, {}).models
    assert told["stale"]
    assert told["troubles"] == [f"{row}: what it learnt ends 1 days ago, 0.5 is its limit."]
    assert len(predictor.serving()) == 1


def test_features_that_lie_elsewhere_are_told_by_group_with_the_size_of_the_sample(models_folder: Path, now: datetime) -> None:
    make_past(now, marks=60, tokens=10)  # nearly all features are missing, which the training rows never were
    in_service(models_folder, now)
    (told,) = watch(now, {}).models
    assert any(each["much"] and each["rows"] == 60 * 10 for each in told["drift"])
    assert "have drifted since it was trained" in told["troubles"][0]
    assert not any(each["much"] for each in told["drift"] if each["group"] == "age and calendar")


def test_a_few_hours_are_no_drift_however_often_they_are_looked_at_and_some_days_more_are_asked(models_folder: Path, now: datetime) -> None:
    make_past(now, marks=40, tokens=15)
    for minute in range(60):  # Stage 2 stores vectors in between, which are no marks
        make_vector(Token.objects.earliest("pk"), now - timedelta(minutes=15 * minute + 7))
    in_service(models_folder, now)
    (told,) = watch(now, {}).models
    assert {each["rows"] for each in told["drift"]} == {40 * 15}
    assert not any(each["much"] for each in told["drift"])
    (later,) = watch(now + timedelta(days=2), {}).models
    assert {each["rows"] for each in later["drift"]} == {40 * 15}


def test_the_very_vectors_of_the_training_have_not_drifted(models_folder: Path, now: datetime) -> None:
    from learning.tests.small_models import ROWS, vectors

    make_past(now, marks=30, tokens=ROWS // 30)
    for pk, values in zip(FeatureVector.objects.order_by("id").values_list("id", flat=True), vectors(), strict=True):
        FeatureVector.objects.filter(pk=pk).update(values=values.astype("<f4").tobytes())
    in_service(models_folder, now)
    (told,) = watch(now, {}).models
    assert {each["index"] for each in told["drift"]} == {0.0}
    assert told["troubles"] == []


def test_the_number_of_statements_does_not_depend_on_the_rows(models_folder: Path, now: datetime, django_assert_num_queries: Any) -> None:
    make_past(now, marks=60, tokens=4, horizons=(60,))
    predict_all(in_service(models_folder, now), right=0.4)
    predictor.serving()
    with django_assert_num_queries(1 + 2 + 3 + 1):
        watch(now, {})


def test_many_rows_are_thinned_and_say_the_same(models_folder: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    make_past(now, marks=64, tokens=8, horizons=(60,))
    predict_all(in_service(models_folder, now), right=0.1)
    monkeypatch.setattr(model_watch, "MOST_ROWS", 200)
    (told,) = watch(now, {}).models[0]["standing"]
    assert 40 <= told["rows"] <= 200
    assert told["difference"]["value"] == pytest.approx(1.2, abs=0.1)
