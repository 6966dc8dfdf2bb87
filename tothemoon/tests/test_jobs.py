from contextlib import nullcontext
from datetime import timedelta

import pytest
from django.core.management import call_command

from ingestion.models import ApiUsage, ListeningGap, OpenInterest, QuarantinedFrame
from scoring.models import ScoringSettings, TokenScore
from tokens.models import StatusChange, Token, TokenSnapshot
from tothemoon.jobs import Work, clean_up
from tothemoon.worker import StopFlag

pytestmark = pytest.mark.django_db


def work(now, writing=nullcontext):
    return Work(now, writing, StopFlag())


def scored(now, *hours):
    token = Token.objects.create(address="A" * 44, status="Active")
    revision = ScoringSettings.objects.get(active=True)
    for moment in (now - timedelta(hours=each) for each in hours):
        TokenSnapshot.objects.create(token=token, ts=moment, source="pools")
        TokenScore.objects.create(token=token, ts=moment, score=1.0, settings=revision)
    Token.objects.update(last_snapshot_at=now - timedelta(hours=min(hours)), last_scored_at=now - timedelta(hours=min(hours)))


def test_the_retention_is_the_operators_and_the_last_score_stays(now):
    scored(now, 200, 100, 80)
    done = clean_up(work(now))
    assert done["rows"] == 4
    assert TokenScore.objects.get().ts == TokenSnapshot.objects.get().ts == now - timedelta(hours=80)


def test_a_longer_retention_keeps_more(now):
    scored(now, 200, 100, 80)
    ScoringSettings.objects.filter(active=True).update(retention_hours=150)
    assert clean_up(work(now))["rows"] == 2


def test_open_interest_goes_with_the_bars_of_one_minute(now):
    scored(now, 80)
    ages = (200, 100, 1)
    OpenInterest.objects.bulk_create(OpenInterest(token=Token.objects.get(), ts=now - timedelta(hours=age), usd=1e6) for age in ages)
    ScoringSettings.objects.filter(active=True).update(retention_hours=150)
    clean_up(work(now))
    assert OpenInterest.objects.count() == 2


def test_notes_for_people_go_after_a_season_and_what_counts_stays_for_good(now):
    for age in (10, 100):
        moment = now - timedelta(days=age)
        QuarantinedFrame.objects.create(ts=moment, reason="?", payload="", size=1)
        ListeningGap.objects.create(from_ts=moment, to_ts=moment, why="?")
        ApiUsage.objects.create(day=moment.date(), service="birdeye", endpoint="x")
    token = Token.objects.create(address="A" * 44)
    StatusChange.objects.create(token=token, new="Initial", ts=now - timedelta(days=900))
    ListeningGap.objects.create(from_ts=now - timedelta(days=900), why="still open")
    clean_up(work(now))
    counts = [model.objects.count() for model in (QuarantinedFrame, ListeningGap, ApiUsage, StatusChange)]
    assert counts == [1, 2, 2, 1]


def test_who_may_not_write_deletes_nothing(now):
    scored(now, 200, 80)

    def refused():
        raise PermissionError

    with pytest.raises(PermissionError):
        clean_up(work(now, refused))
    assert TokenScore.objects.count() == 2


def test_the_command_says_what_it_did(capsys):
    call_command("cleanup")
    assert "0 rows from before" in capsys.readouterr().out
