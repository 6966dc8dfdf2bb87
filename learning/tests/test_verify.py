"""Is the evidence whole? Each check holds where all is well, and each thing that can go wrong makes exactly its own check fail."""

import json
from datetime import timedelta
from io import StringIO

import numpy as np
import pytest
import time_machine
from django.core.management import call_command
from django.db import connection

from ingestion.models import Heartbeat
from learning import schema, verify, verifying
from learning.models import FeatureSchema, FeatureVector, Outcome
from learning.recorder import PIECES, Recorder
from learning.recording import record
from learning.tests.evidence_rows import make_chain, make_model, make_prediction, make_token, see
from scoring.models import ScoringSettings, TokenScore
from scoring.run import score_tokens
from tokens.models import TokenSnapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def recorded(now):
    """Two tokens scored at a mark, and the mark written down as the job writes it. Asked about an hour later."""
    ScoringSettings.objects.update(created_at=now - timedelta(days=2))
    for name in ("A", "B"):
        see(make_token(now, name), now, minutes=70)
    score_tokens(now)
    assert record(now + timedelta(seconds=95)).vectors == 2
    FeatureSchema.objects.update(created_at=now - timedelta(days=2))
    with time_machine.travel(now + timedelta(minutes=24), tick=False):
        yield now + timedelta(minutes=24)


@pytest.fixture
def linked(now):
    """A whole chain, written by hand."""
    return make_chain(now, sources=("score", "model"), settled=(15, 60, 240, 720))


def failing(at, **options):
    return {check.name for check in verify.verify(at, **options) if not check.holds}


def value(at, name):
    return next(check.value for check in verify.verify(at) if check.name == name)


def test_what_was_just_written_is_whole(recorded):
    assert failing(recorded) == set()
    assert value(recorded, "filled_share") == 1.0
    assert value(recorded, "valid_references_share") == 1.0
    assert value(recorded, "vectors") == 2


def test_a_token_that_was_scored_at_the_mark_and_not_written_is_missed(recorded, now):
    see(make_token(now, "C"), now, minutes=2)
    score_tokens(now + timedelta(seconds=1))
    assert failing(recorded) == {"filled_share"}
    assert value(recorded, "filled_share") == pytest.approx(2 / 3)


def test_a_token_without_a_price_or_with_contradictions_is_not_expected(recorded, now):
    for name, changes in (("C", {"price": None}), ("D", {"contradictions": "liquidity"})):
        token = make_token(now, name)
        see(token, now, minutes=1)
        TokenSnapshot.objects.filter(token=token).update(**changes)
    score_tokens(now + timedelta(seconds=1))
    assert failing(recorded) == set()


def test_a_mark_that_was_left_out_is_missed(recorded, now):
    TokenScore.objects.bulk_create(
        [
            TokenScore(token=row.token, ts=now - timedelta(minutes=15), score=1.0, settings=row.settings, components={})
            for row in TokenScore.objects.all()
        ]
    )
    assert TokenSnapshot.objects.filter(ts=now - timedelta(minutes=15)).count() == 2
    assert value(recorded, "filled_share") == 0.5


def test_a_mark_that_is_being_written_is_no_fault_and_one_that_stays_half_is(now):
    ScoringSettings.objects.update(created_at=now - timedelta(days=2))
    for name in "ABCDEFG":
        see(make_token(now, name), now, minutes=5)
    score_tokens(now)
    recorder, revision = Recorder(), ScoringSettings.objects.get(active=True)
    for look in range(2 + PIECES + 2):
        recorder.look(now + timedelta(seconds=25 + 15 * look), revision)
    FeatureSchema.objects.update(created_at=now - timedelta(days=2))
    assert recorder.at_work
    assert failing(now + timedelta(minutes=3)) == set()
    assert value(now + timedelta(minutes=3), "marks_left_half") is None
    assert failing(now + timedelta(minutes=24)) == {"filled_share", "marks_left_half"}


def test_one_half_mark_is_seen_though_the_share_of_the_day_holds():
    found = verifying.Found(24.0, 9600, 9550, 1, 9550, 0, 0, {}, 0, 0, 0, 0, 0, 0, 0.0, 0.0, None)
    assert [check.name for check in verifying.checks(found) if not check.holds] == ["marks_left_half"]


def test_nothing_is_expected_where_evidence_is_switched_off(recorded):
    ScoringSettings.objects.filter(active=True).update(evidence_every_min=0)
    assert value(recorded, "filled_share") is None


def test_a_chain_written_whole_leaves_nothing_to_say(linked, now):
    found = {check.name: check for check in verify.verify(now + timedelta(hours=13))}
    assert [name for name, check in found.items() if not check.holds] == []
    assert found["settled_share"].value == 1.0
    assert found["predicted_share"].value == 1.0


def test_an_outcome_that_is_overdue_is_missed(linked, now):
    Outcome.objects.filter(pk=linked.outcomes["model", 60].pk).delete()
    assert failing(now + timedelta(hours=13)) == {"settled_share", "outcomes_overdue"}
    assert failing(now + timedelta(minutes=65)) == set()  # of this one nobody can say it yet


def test_an_outcome_that_came_hours_late_is_told(linked, now):
    Outcome.objects.filter(pk=linked.outcomes["score", 15].pk).update(settled_at=now + timedelta(hours=5))
    assert failing(now + timedelta(hours=13)) == {"outcomes_late"}


def test_a_vector_of_another_length_is_found(linked, now):
    FeatureVector.objects.filter(pk=linked.vector.pk).update(values=b"\0" * 236 * 4)
    assert failing(now + timedelta(hours=13)) == {"vectors_of_wrong_length"}


def test_a_slot_that_is_missing_without_a_reason_is_found(linked, now):
    values = linked.vector.as_array().copy()
    values[5] = np.nan
    FeatureVector.objects.filter(pk=linked.vector.pk).update(values=values.tobytes())
    assert failing(now + timedelta(hours=13)) == {"missing_without_reason"}


def test_a_schema_whose_names_were_changed_afterwards_is_found(linked, now):
    FeatureSchema.objects.update(hash="something else")
    assert failing(now + timedelta(hours=13)) == {"vectors_of_unknown_schema"}


def test_a_model_that_fell_silent_is_missed(linked, now):
    make_chain(now + timedelta(minutes=15), token=linked.token, settled=(15, 60, 240, 720))
    assert failing(now + timedelta(hours=14)) == {"predicted_share"}


def test_two_models_predict_side_by_side(linked, now):
    second = make_model(now, 2, role="challenger", place=1, made_at=now - timedelta(hours=1))
    assert failing(now + timedelta(hours=13)) == {"predicted_share"}
    make_prediction(linked.vector, second)
    assert value(now + timedelta(hours=13), "predicted_share") == 1.0


@pytest.mark.skipif("sqlite" not in str(connection.settings_dict["ENGINE"]), reason="PostgreSQL lets nobody make an orphan")
def test_an_orphan_is_found_if_somebody_makes_one(now):
    chain = make_chain(now)
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM feature_vectors WHERE id = %s", [chain.vector.pk])
        names = failing(now + timedelta(minutes=1))
        assert {"orphans", "valid_references_share"} <= names
        assert value(now + timedelta(minutes=1), "orphans") == 1
        cursor.execute("DELETE FROM signals")


def test_every_slot_has_its_share_and_those_that_nobody_knows_are_counted(now):
    token = make_token(now)
    make_chain(now, token=token, missing={0: 1, 7: 2})
    make_chain(now + timedelta(minutes=15), token=token, missing={0: 1})
    found = {check.name: check.value for check in verify.verify(now + timedelta(minutes=20))}
    assert found[f"missing_share.{schema.NAMES[0]}"] == 1.0
    assert found[f"missing_share.{schema.NAMES[7]}"] == 0.5
    assert found["slots_missing_for_everybody"] == 1
    assert found["missing_share"] == pytest.approx(1.5 / 240)


def test_growth_is_told_for_a_whole_day(now):
    token = make_token(now)
    for quarter in range(5):
        make_chain(now - timedelta(minutes=15 * quarter), token=token)
    growth = value(now, "growth_mb_a_day") * 1e6
    assert 1_000 * 96 * 0.8 < growth < 2_500 * 96 * 1.3
    assert value(now, "growth_mb_until_it_is_deleted") == pytest.approx(365 * growth / 1e6)


def test_the_time_of_saving_is_the_median_of_the_last_marks(linked, now):
    Heartbeat.objects.create(component="job:evidence", detail={"counted": {"save_ms": [20.0, 3000.0, 40.0]}})
    assert value(now + timedelta(hours=13), "median_save_ms") == 40.0
    Heartbeat.objects.update(detail={"counted": {"save_ms": [2000.0]}})
    assert failing(now + timedelta(hours=13)) == {"median_save_ms"}


def test_a_vector_takes_no_more_than_it_may(linked, now):
    assert 960 < value(now + timedelta(hours=13), "bytes_a_vector") <= verifying.MOST_BYTES


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(now, django_assert_max_num_queries):
    make_chain(now, settled=(15,))
    for name in "BCDE":
        make_chain(now, token=make_token(now, name), settled=(15,), missing={3: 1})
    with django_assert_max_num_queries(45):
        verify.verify(now + timedelta(hours=1))


def test_the_command_says_it_in_json_and_nothing_else(recorded):
    out = StringIO()
    call_command("verify_evidence", "--json", stdout=out)
    document = json.loads(out.getvalue())
    assert set(document) == {"ok", "checks"}
    assert document["ok"] is True
    assert all(set(check) == {"name", "value", "floor", "holds"} for check in document["checks"])


def test_the_command_tells_people_and_ends_with_1_when_something_is_wrong(linked, now):
    FeatureVector.objects.filter(pk=linked.vector.pk).update(values=b"")
    out = StringIO()
    with time_machine.travel(now + timedelta(hours=13), tick=False), pytest.raises(SystemExit) as ended:
        call_command("verify_evidence", stdout=out)
    assert ended.value.code == 1
    assert "NO vectors of wrong length: 1 (at most 0)" in out.getvalue()
    assert "ok outcomes overdue: 0 (at most 0)" in out.getvalue()


def test_a_check_without_anything_to_ask_claims_nothing_and_a_large_figure_has_no_exponent():
    told = verifying.sentences([verifying.Check("predicted_share", None, 0.99), verifying.Check("growth_mb_a_day", 30140.4)])
    assert told[:2] == ["-- predicted share: nothing to ask (at least 0.99)", "ok growth mb a day: 30,140"]


def test_nothing_stored_yet_is_nothing_wrong(now):
    assert failing(now) == set()
