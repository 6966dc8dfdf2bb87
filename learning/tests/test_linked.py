"""The chain holds by construction: the database refuses what points nowhere, what contradicts its key, and what comes too early."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from learning import keys
from learning.models import AlreadyWritten, FeatureVector, ModelVersion, Outcome, Prediction, Signal
from learning.tests.evidence_rows import make_chain, make_outcome, make_token, make_vector
from scoring.models import TokenScore
from tokens.models import Token

pytestmark = pytest.mark.django_db
NOBODY = 9_999  # small enough for every column


def refused(row, **changes):
    """Whether the database itself refuses these columns in this row, at the end of the statement or of the transaction."""

    def change():
        with transaction.atomic():
            type(row)._base_manager.filter(pk=row.pk).update(**changes)
            connection.check_constraints()

    with pytest.raises(IntegrityError):
        change()


def test_a_chain_is_a_chain(now):
    chain = make_chain(now, sources=("score", "stage2", "model"), settled=(15, 60))
    of_model = Outcome.objects.select_related("signal__prediction__vector__token").get(pk=chain.outcomes["model", 60].pk)
    assert of_model.signal.prediction.vector.token == chain.token
    assert of_model.signal.vector == of_model.signal.prediction.vector
    assert Outcome.objects.count() == 2 * (3 + 1)
    connection.check_constraints()


@pytest.mark.parametrize(
    ("table", "column"),
    [
        *((FeatureVector, name) for name in ("token_id", "schema_id")),
        *((Prediction, name) for name in ("vector_id", "model_id")),
        *((Signal, name) for name in ("token_id", "vector_id", "settings_id", "token_score_id", "prediction_id")),
        *((Outcome, name) for name in ("signal_id", "prediction_id")),
        (ModelVersion, "schema_id"),
    ],
)
def test_what_does_not_exist_cannot_be_pointed_to(now, table, column):
    make_chain(now, sources=("score", "model"), settled=(15,))
    row = table.objects.exclude(**{column: None}).order_by("pk").first()
    refused(row, **{column: NOBODY})


@pytest.mark.parametrize(
    ("table", "column"),
    [(FeatureVector, "token_id"), (Prediction, "vector_id"), (Prediction, "model_id"), (Signal, "vector_id"), (Signal, "settings_id")],
)
def test_no_link_of_the_chain_can_be_left_out(now, table, column):
    make_chain(now, sources=("score", "model"))
    refused(table.objects.order_by("pk").first(), **{column: None})


def test_a_signal_names_what_it_came_of(now):
    chain = make_chain(now, sources=("score", "model"))
    refused(chain.signals["score"], token_score_id=None)
    refused(chain.signals["model"], prediction_id=None)


def test_a_key_that_says_something_else_than_its_row_is_refused(now):
    chain = make_chain(now, settled=(15,))
    other = make_token(now, "B")
    refused(chain.vector, token_id=other.pk)
    refused(chain.vector, ts=now + timedelta(minutes=1))
    refused(chain.signals["score"], source="stage2", token_score=None)
    refused(chain.outcomes["score", 15], horizon_min=60)


def test_a_signal_cannot_rest_on_another_tokens_vector_or_on_another_moments(now):
    signal = make_chain(now).signals["score"]
    refused(signal, vector=make_vector(make_token(now, "B"), now))
    refused(signal, vector=make_vector(signal.token, now - timedelta(minutes=15)))


def test_an_outcome_is_never_early_and_comes_once(now):
    chain = make_chain(now)
    early = now + timedelta(minutes=14, seconds=59)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_outcome(chain.signals["score"], 15, settled_at=early)
    make_outcome(chain.signals["score"], 15, settled_at=now + timedelta(minutes=15))
    with pytest.raises(IntegrityError), transaction.atomic():
        make_outcome(chain.signals["score"], 15)


def test_an_outcome_of_nothing_or_of_two_things_is_refused(now):
    chain = make_chain(now, sources=("score", "model"), settled=(15,))
    refused(chain.outcomes["score", 15], signal=None)
    refused(chain.outcomes["score", 15], prediction=chain.prediction)


@pytest.mark.parametrize("changes", [{"price": 0}, {"price": float("nan")}, {"direction": "side"}, {"confidence": 1.5}, {"cost": -0.1}])
def test_numbers_that_are_none_are_refused(now, changes):
    refused(make_chain(now).signals["score"], **changes)


def test_what_evidence_points_to_cannot_be_deleted(now):
    chain = make_chain(now, sources=("score", "model"), settled=(15,))
    for row in (chain.token, chain.score, chain.vector, chain.prediction, chain.prediction.model, chain.vector.schema):
        with pytest.raises(models.ProtectedError):
            type(row).objects.get(pk=row.pk).delete()
    assert Token.objects.filter(pk=chain.token.pk).exists()
    assert TokenScore.objects.filter(pk=chain.score.pk).exists()


def test_the_same_fact_has_the_same_key_and_is_there_once(now):
    vector = make_vector(make_token(now), now)
    assert vector.pk == keys.key(int(now.timestamp()), vector.token_id, 0)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_vector(vector.token, now)


def test_a_row_that_is_there_is_never_saved_again(now):
    chain = make_chain(now, sources=("score", "model"), settled=(15,))
    for row in (chain.vector, chain.vector.schema, chain.prediction, chain.signals["score"], chain.outcomes["score", 15]):
        before = type(row).objects.filter(pk=row.pk).values().get()
        with pytest.raises(AlreadyWritten):
            type(row).objects.get(pk=row.pk).save()
        assert type(row).objects.filter(pk=row.pk).values().get() == before


def test_saving_a_copy_with_the_same_key_does_not_overwrite_what_is_there(now):
    signal = make_chain(now).signals["score"]
    copy = Signal(**{field.attname: getattr(signal, field.attname) for field in Signal._meta.concrete_fields})
    copy.strength = 99.0
    with pytest.raises(IntegrityError), transaction.atomic():
        copy.save()
    assert Signal.objects.get().strength == 1.2


def test_no_table_of_the_evidence_holds_the_text_of_a_symbol():
    """What a token is called stands in `tokens` alone: there is no column that could say "UNKNOWN"."""
    texts = {
        f"{model._meta.db_table}.{field.attname}"
        for model in apps.get_app_config("learning").get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField)
    }
    of_words = {"signals.source", "signals.direction", "outcomes.state", "feature_schemas.hash"}
    of_models = {f"model_versions.{name}" for name in ("name", "role", "file", "file_hash", "stopped_why")}
    assert texts == of_words | of_models
