"""The short form of ./run soak --stages, and its judge on trial."""

from datetime import timedelta

import pytest
from django.conf import settings

from tothemoon.tests.commands import database_url
from tothemoon.tests.soak import stages
from trading.models import AssetState, EquityPoint, PaperAccount, PaperFill, PaperOrder, SkippedSignal
from trading.tests.test_run import BEGIN, EAGER, live, market

DATABASE = "sqlite" if settings.ON_SQLITE else "postgres"


@pytest.mark.slow
@pytest.mark.own_database
def test_four_kills_in_mid_cycle_change_nothing_of_what_the_stages_decide():
    outcome = stages.run(DATABASE, seed=5, kills=4)
    assert outcome.passed, stages.report(outcome)
    assert outcome.kills == 4
    assert outcome.counts["paper_fills"] > 0


@pytest.mark.slow
@pytest.mark.own_database
def test_four_kills_of_the_real_scheduler_change_nothing_of_what_the_stages_decide():
    outcome = stages.run(DATABASE, seed=5, kills=4, hunt="scheduler_hunt")
    assert outcome.passed, stages.report(outcome)
    assert outcome.kills == 4
    assert outcome.counts["paper_fills"] > 0


@pytest.mark.django_db(transaction=True)
def test_the_judge_sees_what_a_kill_could_leave_behind():
    from scoring.models import ScoringSettings

    ScoringSettings.objects.revise(EAGER, None, "trades a lot")
    market(12)
    live(BEGIN + timedelta(hours=9), 20)
    peace = stages.StageOutcome(DATABASE, 1)
    stages.judge(database_url(), peace)
    assert peace.faults == []
    account = PaperAccount.objects.get()
    PaperAccount.objects.update(cash=account.cash + 1)
    PaperFill.objects.filter(deal="entry").first().delete()
    EquityPoint.objects.first().delete()
    AssetState.objects.filter(pk=AssetState.objects.first().pk).update(ts=BEGIN)
    SkippedSignal.objects.all().delete()
    PaperOrder.objects.all().delete()
    torn = stages.StageOutcome(DATABASE, 1)
    stages.judge(database_url(), torn)
    words = " ".join(torn.faults)
    for fault in ("cash", "without their entry", "point of equity", "another bar", "without a fate"):
        assert fault in words, (fault, words)
