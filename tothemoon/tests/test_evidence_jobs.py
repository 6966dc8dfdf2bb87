"""The jobs of the evidence tell what the admin and verify_evidence ask them: how long saving took, and whether all of it is whole."""

from contextlib import nullcontext
from datetime import timedelta

import pytest

from ingestion.models import Heartbeat
from learning.models import FeatureVector, Outcome
from learning.settle_run import settle_due
from learning.tests.evidence_rows import make_chain, make_token, see
from scoring.models import ScoringSettings
from scoring.run import score_tokens
from tokens.models import TokenSnapshot
from tothemoon import jobs
from tothemoon.front_page import front_page
from tothemoon.worker import StopFlag

pytestmark = pytest.mark.django_db


def work(at, **options):
    return jobs.Work(at, nullcontext, StopFlag(), **options)


def test_what_saving_took_is_kept_from_mark_to_mark(now):
    token, counted = make_token(now), {}
    for quarter in range(3):
        mark = now + timedelta(minutes=15 * quarter)
        see(token, mark, minutes=5)
        score_tokens(mark)
        for late in (95, 110):  # the second time there is nothing to write, and nothing is counted
            counted = jobs.evidence(work(mark + timedelta(seconds=late), counted=counted))["counted"]
    assert len(counted["save_ms"]) == 3
    assert all(ms > 0 for ms in counted["save_ms"])


def test_the_first_page_says_what_is_not_whole(now):
    chain = make_chain(now)
    at = now + timedelta(minutes=5)
    assert jobs.check_evidence(work(at)) == {"tokens": 0, "wrong": []}
    FeatureVector.objects.filter(pk=chain.vector.pk).update(values=b"short")
    detail = jobs.check_evidence(work(at))
    assert detail["wrong"] == ["vectors_of_wrong_length"]
    Heartbeat.objects.create(component="job:check_evidence", ts=at, detail=detail)
    (need,) = [need for need in front_page(at)["needs"] if "evidence" in need.sentence]
    assert "vectors of wrong length" in need.sentence
    assert need.link == "/admin/evidence/"


def test_the_first_page_says_which_model_is_stopped_out_of_date_or_has_drifted(now):
    told = [{"troubles": ["boosted 1: what it learnt ends 20 days ago, 14 is its limit."]}, {"troubles": []}]
    Heartbeat.objects.create(component="job:models", ts=now, detail={"models": told})
    (need,) = [need for need in front_page(now)["needs"] if "boosted 1" in need.sentence]
    assert (need.sentence, need.bad) == (told[0]["troubles"][0], True)
    assert need.link == "/admin/learning/modelversion/"


def test_cleaning_up_leaves_what_an_outcome_still_needs(now):
    ScoringSettings.objects.revise({"retention_hours": 2}, None, "little room")
    chain = make_chain(now - timedelta(hours=11))
    see(chain.token, now + timedelta(hours=1), minutes=725)
    long_ago = make_token(now, "B")
    see(long_ago, now - timedelta(days=30), minutes=5)
    assert jobs.clean_up(work(now + timedelta(minutes=59)))["rows"] > 0
    assert not TokenSnapshot.objects.filter(token=long_ago, ts__lt=now - timedelta(days=30)).exists()
    assert settle_due(now + timedelta(hours=1, seconds=90)).priced == 4
    of_12_hours = Outcome.objects.get(signal=chain.signals["score"], horizon_min=720)
    assert of_12_hours.best is not None  # none is told where a part of the way is gone
