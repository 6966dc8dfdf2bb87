"""The evidence as lessons: every row with its own vector, score and outcome, and none that nobody saw."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from learning import keys, schema, training_rows
from learning.models import FeatureSchema, FeatureVector, Outcome
from learning.tests.past import COST, SLOT, make_past

pytestmark = pytest.mark.django_db


def test_each_row_has_its_own_vector_score_momentum_and_outcome(now: datetime) -> None:
    values, gross = make_past(now, marks=9, tokens=5, horizons=(15, 60))
    found = training_rows.read(now - timedelta(days=2), now, 1_000, (15, 60))
    assert np.array_equal(found.values, values, equal_nan=True)
    assert found.values.shape == (45, schema.SIZE)
    for horizon, name in ((15, "return_15m"), (60, "return_60m")):
        assert found.labels[horizon].known.all()
        assert found.labels[horizon].gross == pytest.approx(gross)
        assert found.labels[horizon].net == pytest.approx(gross - COST, abs=1e-6)
        assert np.array_equal(found.momentum[horizon], values[:, schema.PLACES[name]].astype(float))
    assert (np.diff(found.ts) >= 0).all()
    assert len(np.unique(found.token)) == 5


def test_what_has_not_come_yet_and_what_nobody_saw_is_unknown_and_a_dead_token_is_known(now: datetime) -> None:
    make_past(now, marks=3, tokens=4)
    first, second, third = Outcome.objects.order_by("id")[:3]
    Outcome.objects.filter(pk=first.pk).delete()
    nothing = {"gross": None, "net": None, "best": None, "worst": None, "price": None}
    Outcome.objects.filter(pk=second.pk).update(state="unknown", **nothing)
    Outcome.objects.filter(pk=third.pk).update(state="dead", gross=-0.9, net=-0.91, worst=None, best=None)
    found = training_rows.read(now - timedelta(days=1), now, 1_000, (15,)).labels[15]
    assert found.known.tolist() == [False, False] + [True] * 10
    assert (found.gross[2], found.net[2]) == pytest.approx((-0.9, -0.91))
    assert np.isnan(found.fall[2])


def test_rows_of_another_schema_and_outside_the_span_are_left_out(now: datetime) -> None:
    make_past(now, marks=4, tokens=3)
    old = FeatureSchema.objects.create(version=99, hash="0" * 64, names=[], documented=[])
    FeatureVector.objects.filter(pk=FeatureVector.objects.order_by("pk")[0].pk).update(schema=old)
    begin = now - timedelta(minutes=15 * 4)
    assert len(training_rows.read(begin, now, 1_000, (15,))) == 11
    assert len(training_rows.read(begin + timedelta(minutes=15), now, 1_000, (15,))) == 9
    assert len(training_rows.read(begin, now - timedelta(minutes=15), 1_000, (15,))) == 8
    assert len(training_rows.read(now, now + timedelta(days=1), 1_000, (15,))) == 0


def test_more_rows_than_asked_for_are_thinned_evenly_and_the_same_each_time(now: datetime) -> None:
    make_past(now, marks=30, tokens=12)
    first, again = (training_rows.read(now - timedelta(days=2), now, 80, (15,)) for _ in range(2))
    assert 40 <= len(first) <= 80
    assert np.array_equal(first.values, again.values, equal_nan=True)
    assert len(np.unique(first.ts)) == 30
    assert len(np.unique(first.token)) == 12
    assert first.labels[15].known.all()


def test_statements_grow_with_the_days_and_not_with_the_rows(now: datetime, django_assert_num_queries: Any) -> None:
    make_past(now, marks=20, tokens=10)
    with django_assert_num_queries(1 + 2):
        training_rows.read(now - timedelta(days=1), now, 1_000, (15,))


def test_the_feature_of_each_horizons_momentum_exists_and_is_a_return(now: datetime) -> None:
    assert set(training_rows.MOMENTUM) == set(keys.HORIZONS_MIN)
    for name in training_rows.MOMENTUM.values():
        assert schema.SLOTS[schema.PLACES[name]].group == "price and returns"
    assert schema.NAMES[SLOT] not in training_rows.MOMENTUM.values()
