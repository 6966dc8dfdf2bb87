"""The gate ledger of the live account: every plan is followed, traded or not."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scoring.models import ScoringSettings
from trading.ledger_run import reckon
from trading.models import Judgement, LedgerAccount, PaperPosition, SkippedSignal
from trading.tests.test_run import BEGIN, EAGER, live, market

pytestmark = pytest.mark.django_db

SINCE = BEGIN + timedelta(hours=9)
LATER = SINCE + timedelta(hours=2, minutes=59)


@pytest.fixture
def lived() -> Any:
    """Twenty-five minutes of cycles with bars of two and a half hours after them, so that what was planned has an end."""
    ScoringSettings.objects.revise(EAGER, None, "trades a lot")
    market(12)
    live(SINCE, 25)


def test_every_plan_stands_in_one_account(lived: Any) -> None:
    assert reckon(LATER) == Judgement.objects.exclude(side=0).count() > 0
    found = {row.reason: row for row in LedgerAccount.objects.all()}
    assert found["traded"].blocked == PaperPosition.objects.count()
    assert sum(row.blocked for row in found.values()) == PaperPosition.objects.count() + SkippedSignal.objects.count()
    assert all(row.followed <= row.blocked and row.won <= row.followed for row in found.values())


def test_a_plan_behind_a_gate_is_followed_to_the_same_end_as_a_traded_one(lived: Any) -> None:
    position = PaperPosition.objects.order_by("opened_at").first()
    assert position is not None
    Judgement.objects.exclude(pk=position.pk).update(side=0)
    reckon(LATER)
    traded = LedgerAccount.objects.get(reason="traded")
    Judgement.objects.filter(pk=position.pk).update(gate="confidence")
    reckon(LATER)
    gated = LedgerAccount.objects.get()
    assert gated.reason == "gate: confidence"
    assert (gated.followed, gated.won, gated.saved) == (traded.followed, traded.won, traded.saved)
    assert gated.expectancy is None  # one is too few


def test_it_is_written_anew_and_an_empty_market_has_none(lived: Any) -> None:
    reckon(LATER)
    assert LedgerAccount.objects.exists()
    assert reckon(LATER + timedelta(days=5)) == 0
    assert not LedgerAccount.objects.exists()


def test_statements_do_not_grow_with_the_plans(lived: Any) -> None:
    counts = []
    for most in (100, 2):
        kept = list(Judgement.objects.exclude(side=0).order_by("pk").values_list("pk", flat=True)[:most])
        Judgement.objects.exclude(pk__in=kept).update(side=0)
        with CaptureQueriesContext(connection) as queries:
            assert 0 < reckon(LATER) <= most
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12
