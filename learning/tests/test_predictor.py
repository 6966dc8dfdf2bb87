"""Models at a mark: what they say, and that none of them can stop it."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learning import predictor, registry, schema
from learning.models import FeatureSchema, ModelVersion
from learning.tests.small_models import contents, registered, vectors
from learning.training import heads
from learning.training.boosted import one_thread

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("models_folder")]


def why() -> str:
    return ModelVersion.objects.get().stopped_why


def test_without_a_model_nothing_is_said_and_one_statement_asked(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert predictor.predictions(vectors(3)) == []


def test_a_model_in_service_says_what_its_heads_say_and_nothing_of_other_horizons(models_folder: Path, now: datetime) -> None:
    registered(models_folder, now)
    values = vectors(50, seed=5)
    ((served, said),) = predictor.predictions(values)
    with one_thread():
        wanted, raw = heads.probabilities(contents().horizons[60]["direction"], values)
    assert served.main == 1
    assert np.array_equal(said.probabilities[:, 1], wanted)
    assert np.array_equal(said.raw.reshape(50, 4, 5)[:, 1, :3], raw.astype(np.float32))
    assert np.isnan(said.probabilities[:, [0, 2, 3]]).all()
    assert np.isnan(said.returns[:, [0, 2, 3]]).all()
    assert ((said.risk[:, 1] >= 0) & (said.risk[:, 1] <= 1)).all()
    assert said.inference_ms > 0


def test_a_head_that_did_not_pass_is_unknown_and_not_zero(models_folder: Path, now: datetime) -> None:
    registered(models_folder, now, contents(heads=("direction",)))
    ((_, said),) = predictor.predictions(vectors(5))
    assert np.isfinite(said.probabilities[:, 1]).all()
    assert np.isnan(said.returns).all()
    assert np.isnan(said.risk).all()


def test_the_order_of_the_rows_and_their_company_change_nothing(models_folder: Path, now: datetime) -> None:
    registered(models_folder, now)
    values = vectors(40, seed=6)
    order = np.random.default_rng(0).permutation(40)
    together, shuffled, alone = (predictor.predictions(rows)[0][1] for rows in (values, values[order], values[7:8]))
    assert np.array_equal(together.probabilities[order], shuffled.probabilities, equal_nan=True)
    assert np.array_equal(together.returns[7:8], alone.returns, equal_nan=True)


def test_a_file_is_read_once_and_the_registry_asked_each_time(
    models_folder: Path, now: datetime, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    row = registered(models_folder, now)
    first = predictor.serving()[0].contents
    monkeypatch.setattr(predictor.model_file, "read", None)
    with django_assert_num_queries(1):
        assert predictor.serving()[0].contents is first
    registry.promote(row.pk)
    assert predictor.serving()[0].row.role == "champion"
    registry.retire(row.pk, "enough", now)
    assert predictor.serving() == []


def test_a_call_is_the_likeliest_direction_of_the_main_horizon(models_folder: Path, now: datetime) -> None:
    registered(models_folder, now)
    values = vectors(60, seed=8)
    ((served, said),) = predictor.predictions(values)
    direction, confidence, strength = predictor.calls(served, said)
    wanted = [("up", "none", "down")[way] for way in said.probabilities[:, 1].argmax(axis=1)]
    assert direction == wanted
    assert set(wanted) > {"up", "down"} or set(wanted) == {"up", "down"}
    assert np.array_equal(confidence, said.probabilities[:, 1].max(axis=1))
    assert np.array_equal(strength, said.returns[:, 1])


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: path.unlink(), "cannot be read (FileNotFoundError)"),
        (lambda path: path.write_bytes(b"PK"), "not the file that was registered"),
        (lambda path: path.write_bytes(path.read_bytes()[:-50]), "not the file that was registered"),
    ],
)
def test_a_broken_file_never_stops_the_mark_and_its_reason_is_kept(models_folder: Path, now: datetime, harm: Any, reason: str) -> None:
    row = registered(models_folder, now)
    other = registered(models_folder, now, contents(horizons=(15,)), number=2)
    harm(models_folder / row.file)
    assert [served.row.pk for served, _ in predictor.predictions(vectors(3))] == [other.pk]
    row.refresh_from_db()
    assert reason in row.stopped_why
    assert row.stopped_at is not None
    assert row.role == "challenger"


def test_a_model_of_another_schema_is_set_aside_although_its_file_is_whole(models_folder: Path, now: datetime) -> None:
    row = registered(models_folder, now)
    old = FeatureSchema.objects.create(version=99, hash="0" * 64, names=[], documented=[])
    ModelVersion.objects.filter(pk=row.pk).update(schema=old)
    assert predictor.predictions(vectors(3)) == []
    assert "version 99 of the features" in why()


def test_a_name_that_leaves_the_folder_is_not_followed(models_folder: Path, now: datetime) -> None:
    row = registered(models_folder / "in", now)
    ModelVersion.objects.filter(pk=row.pk).update(file=f"in/{row.file}")
    assert predictor.serving() == []
    assert "names no file" in why()


def test_a_model_that_answers_too_late_is_set_aside(models_folder: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    registered(models_folder, now)
    over = threading.Event()
    monkeypatch.setattr(predictor, "_asked", lambda contents, values: over.wait(30))
    monkeypatch.setattr(predictor, "ANSWER_SEC", 0.05)
    assert predictor.predictions(vectors(3)) == []
    over.set()
    assert why() == "no answer about 3 vectors within 0.05 s"


def test_a_file_that_takes_too_long_to_read_is_set_aside(models_folder: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    registered(models_folder, now)
    over = threading.Event()
    monkeypatch.setattr(predictor.model_file, "read", lambda *_: over.wait(30))
    monkeypatch.setattr(predictor, "LOAD_SEC", 0.05)
    assert predictor.predictions(vectors(3)) == []
    over.set()
    assert "was not read within" in why()


def test_a_model_that_cannot_be_asked_is_set_aside_whatever_it_raises(models_folder: Path, now: datetime) -> None:
    strange = contents()
    horizon = {**strange.horizons[60], "direction": {**strange.horizons[60]["direction"], "trees": None}}
    registered(models_folder, now, replace(strange, horizons={60: horizon}))
    assert predictor.predictions(vectors(3)) == []
    assert why() == "cannot be asked (AttributeError)"


@pytest.mark.parametrize(("part", "value"), [("floor", np.full(3, 0.9)), ("offsets", np.full(3, np.nan))])
def test_a_model_that_answers_nonsense_is_set_aside(models_folder: Path, now: datetime, part: str, value: Any) -> None:
    strange = contents()
    horizon = {**strange.horizons[60], "direction": {**strange.horizons[60]["direction"], part: value}}
    registered(models_folder, now, replace(strange, horizons={60: horizon}))
    assert predictor.predictions(vectors(3)) == []
    assert why() == "answers with probabilities that are none"


def test_set_aside_it_stays_until_an_operator_resumes_it(models_folder: Path, now: datetime) -> None:
    row = registered(models_folder, now)
    whole = (models_folder / row.file).read_bytes()
    (models_folder / row.file).unlink()
    assert predictor.serving() == []
    (models_folder / row.file).write_bytes(whole)
    assert predictor.serving() == []
    registry.resume(row.pk)
    assert [served.row.pk for served in predictor.serving()] == [row.pk]


def test_without_the_extra_there_are_no_predictions_and_no_model_is_blamed(
    models_folder: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(models_folder, now)
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    assert predictor.serving() == []
    assert predictor.predictions(vectors(3)) == []
    assert why() == ""


def test_vectors_of_another_width_are_a_mistake_of_the_caller(models_folder: Path, now: datetime) -> None:
    registered(models_folder, now)
    (served,) = predictor.serving()
    with pytest.raises(ValueError, match="240"):
        predictor.predict(served, vectors(3)[:, : schema.SIZE - 1])


def test_of_two_champions_the_later_is_one_and_the_other_is_measured_on(models_folder: Path, now: datetime) -> None:
    first, second = registered(models_folder, now), registered(models_folder, now + timedelta(hours=1), number=2)
    registry.promote(first.pk)
    registry.promote(second.pk)
    roles = {served.row.pk: served.row.role for served in predictor.serving()}
    assert roles == {first.pk: "challenger", second.pk: "champion"}
