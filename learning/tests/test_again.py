"""Worked out again: the same numbers, or the first place where they part, or that nobody can know any more."""

from datetime import timedelta

import numpy as np
import pytest

from learning import again, predictor, schema, storing
from learning.models import FeatureSchema, FeatureVector, ModelVersion, Outcome, Prediction, Signal
from learning.predictor import Served
from learning.settle_run import settle_due
from learning.tests.evidence_rows import make_signal, make_token, make_true_chain, make_vector, see
from learning.tests.small_models import contents, registered, vectors
from scoring.models import ScoringSettings, TokenScore
from scoring.run import score_tokens
from tokens.models import Bar, TokenSnapshot

pytestmark = pytest.mark.django_db


def asked(chain, at):
    signal = type(chain.signals["score"]).objects.select_related("vector", "token_score__settings").get(pk=chain.signals["score"].pk)
    return again.work_out(signal, at)


def test_what_was_worked_out_from_rows_is_found_again_in_every_number(now):
    answer = asked(make_true_chain(now), now + timedelta(minutes=1))
    assert answer.state == again.SAME
    assert answer.first is None
    assert [part.numbers for part in answer.parts] == [240, answer.parts[1].numbers]
    assert answer.parts[1].numbers > 25


def test_most_of_the_vector_is_known_or_the_test_would_compare_nothing(now):
    assert np.isfinite(make_true_chain(now).vector.as_array()).sum() > 150


def test_what_came_after_the_signal_changes_nothing(now):
    chain = make_true_chain(now)
    see(chain.token, now + timedelta(minutes=3), minutes=3, price=5.0)
    score_tokens(now + timedelta(minutes=3))
    assert asked(chain, now + timedelta(minutes=4)).state == again.SAME


def test_a_bar_that_became_known_later_was_not_seen(now):
    chain = make_true_chain(now)
    late = Bar.objects.filter(token=chain.token).earliest("open_time")
    late.pk, late.open_time, late.close, late.stored_at = None, late.open_time - timedelta(minutes=1), late.high, now + timedelta(minutes=1)
    late.save(force_insert=True)
    assert asked(chain, now + timedelta(minutes=2)).state == again.SAME


def test_one_changed_bar_is_named_by_the_first_slot_that_it_moves(now):
    chain = make_true_chain(now)
    newest = Bar.objects.filter(token=chain.token, stored_at__lt=now).latest("open_time")
    Bar.objects.filter(pk=newest.pk).update(close=newest.close * 1.001)
    answer = asked(chain, now + timedelta(minutes=1))
    assert answer.state == again.DIFFERENT
    part, difference = answer.first
    assert (part.title, difference.name) == ("Vector", schema.NAMES[0])
    assert difference.stored == pytest.approx(float(chain.vector.as_array()[0]))
    assert difference.again != difference.stored


def test_a_score_that_somebody_has_touched_is_found(now):
    chain = make_true_chain(now)
    TokenScore.objects.filter(pk=chain.score.pk).update(score=chain.score.score + 1e-9)
    answer = asked(chain, now + timedelta(minutes=1))
    assert answer.first[1].name == "score"
    assert answer.first[1].again == chain.score.score


def test_when_the_retention_has_passed_a_difference_proves_nothing(now):
    chain = make_true_chain(now)
    TokenSnapshot.objects.filter(token=chain.token, ts__lt=now).delete()
    days_later = now + timedelta(hours=ScoringSettings.objects.get(active=True).retention_hours)
    assert asked(chain, now).state == again.DIFFERENT
    assert asked(chain, days_later).state == again.GONE


def test_a_vector_of_another_schema_is_not_compared(now):
    chain = make_true_chain(now)
    names = list(schema.NAMES)
    other = FeatureSchema.objects.create(version=schema.VERSION + 1, hash="x", names=names, documented=[])
    FeatureVector.objects.filter(pk=chain.vector.pk).update(schema=other)
    answer = asked(chain, now)
    assert [part.state for part in answer.parts] == [again.GONE, again.SAME]
    assert answer.state == again.GONE


def settled(chain, now, without=None):
    """A quarter of an hour of bars more, and what came of the signal as the job settles it."""
    at = now + timedelta(minutes=17)
    see(chain.token, at, minutes=17, price=0.0013)
    Bar.objects.filter(token=chain.token, open_time=without).delete()
    assert settle_due(at + timedelta(minutes=1)).outcomes == 1
    return at + timedelta(minutes=2)


def test_what_came_of_it_is_found_again_from_the_bars(now):
    chain = make_true_chain(now)
    answer = asked(chain, settled(chain, now))
    assert answer.state == again.SAME, answer.first
    assert [str(part.title) for part in answer.parts] == ["Vector", "Score", "What came after 15 m"]
    assert Outcome.objects.get().gross > 0.2


def test_an_outcome_that_somebody_has_touched_is_found(now):
    chain = make_true_chain(now)
    at = settled(chain, now)
    Outcome.objects.update(best=9.0)
    part, difference = asked(chain, at).first
    assert (str(part.title), difference.name, difference.stored) == ("What came after 15 m", "best", 9.0)


def test_a_bar_that_was_filled_in_after_the_settling_changes_nothing(now):
    chain = make_true_chain(now)
    at = settled(chain, now, without=now + timedelta(minutes=5))
    other = Bar.objects.filter(token=chain.token).latest("open_time")
    other.pk, other.open_time, other.high, other.stored_at = None, now + timedelta(minutes=5), 50 * other.high, at
    other.save(force_insert=True)
    assert asked(chain, at).state == again.SAME


def foretold(now, folder, **columns):
    """A chain, and what a model of the folder says of its vector, as a mark would store it; the model's signal."""
    chain, row = make_true_chain(now), registered(folder, now, **columns)
    values = np.concatenate([chain.vector.as_array()[None], vectors(20)])
    made = predictor.predict(Served(row, contents()), values)
    others = [make_vector(make_token(now, f"other {place}"), now) for place in range(20)]
    storing.store_predictions(np.array([chain.vector.pk, *(other.pk for other in others)]), [(Served(row, contents()), made)])
    (direction, *_), (confidence, *_), (strength, *_) = predictor.calls(Served(row, contents()), made)
    prediction = Prediction.objects.get(vector=chain.vector)
    said = {"direction": direction, "confidence": confidence, "strength": None if np.isnan(strength) else strength}
    chain.signals["score"] = make_signal(chain.vector, "model", prediction=prediction, **said)
    return chain, row


def test_a_prediction_is_found_again_from_the_vector_and_the_models_file(now, models_folder):
    chain, row = foretold(now, models_folder)
    ModelVersion.objects.filter(pk=row.pk).update(role="retired")
    answer = asked(chain, now)
    assert answer.state == again.SAME, answer.first
    assert [(str(part.title), part.numbers) for part in answer.parts][1:] == [(f"Prediction of {row}", 20 + 20 + 3)]


def test_a_prediction_or_a_call_that_somebody_has_touched_is_found(now, models_folder):
    chain, _ = foretold(now, models_folder)
    before = Prediction.objects.get(vector=chain.vector).up_1h
    Prediction.objects.filter(vector=chain.vector).update(up_1h=before + 1e-4)
    difference = asked(chain, now).first[1]
    assert (difference.name, difference.again) == ("up_1h", pytest.approx(before))
    Prediction.objects.filter(vector=chain.vector).update(up_1h=before)
    Signal.objects.filter(pk=chain.signals["score"].pk).update(confidence=0.999)
    assert asked(chain, now).first[1].name == "confidence"


def test_a_prediction_whose_model_is_gone_proves_nothing_and_nobody_is_set_aside_for_it(now, models_folder):
    chain, row = foretold(now, models_folder)
    (models_folder / row.file).unlink()
    answer = asked(chain, now)
    assert [part.state for part in answer.parts] == [again.SAME, again.GONE]
    assert f"{row.file} cannot be read (FileNotFoundError)" in str(answer.parts[1].why)
    assert ModelVersion.objects.get().stopped_at is None
