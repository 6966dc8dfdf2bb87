"""What is written down at a mark: all of it as of the mark, once, in one transaction, in a number of statements that stays the same."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from learning import features, keys, predictor, recording, schema, storing
from learning.feature_inputs import inputs_at
from learning.models import FeatureVector, Prediction, Signal
from learning.predictor import Predicted
from learning.recording import Decision, due_mark, record
from learning.tests.evidence_rows import make_model, make_score, make_token, make_vector, see
from scoring.models import ScoringSettings
from tokens.every_bar import EveryBar
from tokens.lifecycle import change_status
from tokens.models import Status, Token, TokenSnapshot

pytestmark = pytest.mark.django_db
AFTER = timedelta(seconds=25)


def scored(now: datetime, name: str = "A", score: float = 1.2, minutes: int = 30, **fields: Any) -> Token:
    """A token that was seen until `now` and scored then."""
    token = make_token(now, name, **fields)
    see(token, now, minutes)
    make_score(token, now, score)
    Token.objects.filter(pk=token.pk).update(last_scored_at=now)
    return token


def test_a_mark_becomes_a_vector_and_a_signal_that_leads_to_it_and_to_the_score(now: datetime) -> None:
    token = scored(now)
    report = record(now + AFTER)
    signal: Any = Signal.objects.get()
    assert (report.mark, report.vectors, report.signals, report.predictions) == ("2026-11-21 12:00", 1, 1, 0)
    assert (signal.ts, signal.stored_at, signal.token, signal.source, signal.direction) == (now, now + AFTER, token, "score", "up")
    assert signal.vector_id == keys.key(int(now.timestamp()), token.pk, 0)
    assert (signal.strength, signal.token_score.ts, signal.settings_id) == (1.2, now, signal.token_score.settings_id)
    assert signal.price == TokenSnapshot.objects.get(ts=now).price
    assert signal.cost == pytest.approx(0.03)


def test_the_vector_is_what_the_features_make_of_what_was_stored(now: datetime) -> None:
    token = scored(now)
    record(now + AFTER)
    vector = FeatureVector.objects.get()
    found = features.compute(inputs_at(now, vector.stored_at, [token.pk]))
    assert np.array_equal(vector.as_array(), found.values[0], equal_nan=True)
    assert np.array_equal(vector.reasons_array(), found.reasons[0])
    assert list(vector.named()) == list(schema.NAMES)


@pytest.mark.parametrize("seconds", [0, 19, 301, 899])
def test_a_mark_is_not_written_before_its_polls_have_ended_nor_long_after(now: datetime, seconds: int) -> None:
    scored(now)
    assert record(now + timedelta(seconds=seconds)).vectors == 0
    assert not FeatureVector.objects.exists()


def test_a_mark_is_written_once(now: datetime) -> None:
    scored(now)
    record(now + AFTER)
    before = list(FeatureVector.objects.values_list("pk", "stored_at"))
    assert record(now + 2 * AFTER).vectors == 0
    assert list(FeatureVector.objects.values_list("pk", "stored_at")) == before


def test_every_0_minutes_is_never(now: datetime) -> None:
    assert due_mark(now + AFTER, 0) is None
    assert due_mark(now + AFTER, 15) == int(now.timestamp())
    assert due_mark(now + timedelta(minutes=5, seconds=25), 5) == int(now.timestamp()) + 300


def test_nothing_that_came_after_the_mark_is_in_it(now: datetime) -> None:
    token = scored(now, status=Status.INITIAL)
    later = now + timedelta(seconds=10)
    TokenSnapshot.objects.create(token=token, ts=later, source="birdeye", price=0.5, liquidity=1e6)
    make_score(token, later, 9.0)
    Token.objects.filter(pk=token.pk).update(last_scored_at=later, last_snapshot_at=later)
    token.refresh_from_db()
    change_status(token, Status.ACTIVE, "grew", "rule:activate", later)
    record(now + AFTER)
    signal = Signal.objects.get()
    assert (signal.direction, signal.strength) == ("none", 1.2)
    assert signal.price < 0.01


def test_a_token_that_was_archived_right_after_the_mark_is_there_as_it_was(now: datetime) -> None:
    token = scored(now)
    change_status(token, Status.ARCHIVED, "died", "rule:degrade", now + timedelta(seconds=5))
    record(now + AFTER)
    assert Signal.objects.get().direction == "up"


@pytest.mark.parametrize("broken", [{"price": None}, {"price": 0.0}, {"contradictions": "dust_price"}])
def test_without_a_price_that_can_be_believed_there_is_no_decision(now: datetime, broken: dict[str, Any]) -> None:
    scored(now)
    TokenSnapshot.objects.filter(ts=now).update(**broken)
    assert record(now + AFTER).signals == 0


def test_a_score_that_is_no_longer_fresh_is_none(now: datetime) -> None:
    scored(now - timedelta(seconds=181))
    scored(now - timedelta(seconds=170), "B")
    record(now + AFTER)
    assert [signal.token.symbol for signal in Signal.objects.all()] == ["B"]


def test_an_unknown_score_is_unknown_and_not_zero(now: datetime) -> None:
    token = scored(now)
    token.scores.update(score=None)
    record(now + AFTER)
    assert Signal.objects.get().strength is None


def test_the_champion_speaks_and_a_challenger_is_only_measured(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = [scored(now, name) for name in "AB"]
    rows = [make_model(now, 1, place=0), make_model(now, 2, place=1, role="challenger")]
    made = [(_served(row), _predicted(2, up=0.5 + row.place / 10)) for row in rows]
    monkeypatch.setattr(predictor, "predictions", lambda values: made if len(values) == len(tokens) else [])
    assert record(now + AFTER).predictions == 4
    signals: Any = Signal.objects.filter(source="model").order_by("token_id")
    assert [(signal.token, signal.direction, signal.confidence) for signal in signals] == [(token, "up", 0.5) for token in tokens]
    assert all(signal.prediction.model == rows[0] and signal.prediction.vector_id == signal.vector_id for signal in signals)
    challenger = Prediction.objects.filter(model=rows[1]).first()
    assert challenger is not None
    assert (challenger.up_15m, challenger.return_12h, challenger.risk_1h) == (pytest.approx(0.6), pytest.approx(0.03), None)


def test_all_or_nothing(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    scored(now)
    monkeypatch.setattr(storing, "store_signals", _refuse)
    with pytest.raises(IntegrityError):
        record(now + AFTER)
    assert not FeatureVector.objects.exists()


def test_the_number_of_statements_does_not_depend_on_the_number_of_tokens(now: datetime) -> None:
    storing.keep_schema()
    counts = []
    for number, at in ((1, now), (12, now + timedelta(minutes=15))):
        for place in range(number):
            scored(at, f"{number}x{place}", minutes=3)
        with CaptureQueriesContext(connection) as captured:
            assert record(at + AFTER).signals == number
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 20


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL reads a small table whole, and rightly so")
def test_no_table_that_grows_is_read_through_at_a_mark(now: datetime) -> None:
    scored(now)
    every = EveryBar()
    record(now + AFTER, minutes=every.minutes)
    scored(now + timedelta(minutes=15), "B")
    with CaptureQueriesContext(connection) as queries:
        assert record(now + timedelta(minutes=15) + AFTER, minutes=every.minutes).vectors
    plans = []
    for query in queries.captured_queries:
        if query["sql"].startswith("SELECT"):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                plans += [row[3] for row in cursor.fetchall() if row[3].startswith("SCAN")]
    known = ("SCAN t", "SCAN w", "SCAN p", "SCAN CONSTANT ROW", "SCAN scoring_settings", "SCAN model_versions")
    assert [plan for plan in plans if not plan.startswith(known)] == []


def test_a_judgement_and_a_mark_of_one_moment_share_the_vector_that_was_stored_first(now: datetime) -> None:
    token = scored(now)
    first = make_vector(token, now)
    record(now + AFTER)
    assert Signal.objects.get().vector == first
    assert bytes(FeatureVector.objects.get().values) == bytes(first.values)


def test_decisions_of_stage_2_are_stored_with_their_vectors_moment_by_moment(now: datetime) -> None:
    tokens = [scored(now, name) for name in "BA"]
    minute = int(now.timestamp())
    decisions = [Decision(minute - 60 * ago, token.pk, 0.001, 0.02, "down", 0.7, None) for ago in (0, 1) for token in tokens]
    prepared = recording.of_decisions(decisions, now + AFTER)
    revision = ScoringSettings.objects.get(active=True)
    assert recording.store_decisions(prepared, revision, now + AFTER) == 4
    assert set(Signal.objects.values_list("pk", flat=True)) == {decision.signal for decision in decisions}
    assert {(signal.direction, signal.strength, signal.confidence) for signal in Signal.objects.all()} == {("down", 0.7, None)}


def _refuse(*_: Any) -> int:
    raise IntegrityError("refused")


def _served(row: Any) -> Any:
    contents: Any = SimpleNamespace(horizons={15: {}})
    return predictor.Served(row, contents)


def _predicted(rows: int, up: float) -> Predicted:
    probabilities = np.full((rows, 4, 3), (1 - up) / 2)
    probabilities[:, :, 0] = up
    return Predicted(np.full((rows, 4), 0.03), probabilities, np.full((rows, 4), np.nan), np.zeros((rows, 20), dtype=np.float32), 3.5)
