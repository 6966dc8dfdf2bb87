"""What the stages have to say in the passport of a signal: found by keys, whatever lies near in time."""

from datetime import timedelta

import pytest
from django.urls import reverse

from learning.tests.evidence_rows import make_chain, make_token
from trading import passport
from trading.models import Judgement, PaperFill, PaperOrder, PaperPosition, SkippedSignal

pytestmark = pytest.mark.django_db


def judged(chain, **fields):
    signal = chain.signals["stage2"]
    usual = {"recommendation": "BUY", "recommendation_original": "BUY", "basis": "scenario", "gate": "none", "scenario": "bullish_breakout"}
    usual |= {"market_state": "trend", "risk_class": "medium", "effective_reasons": 2.0, "score": 0.7, "confidence": 0.7, "side": 1}
    usual |= {"entry": 0.001, "stop": 0.0009, "target_1": 0.0012, "reward_risk": 2.0}
    return Judgement.objects.create(
        key=signal.pk, token=chain.token, ts=signal.ts, settings=signal.settings, signal=signal, price=0.001, **usual | fields
    )


def bought(judgement, **fields):
    usual = {"side": 1.0, "opened_at": judgement.ts, "opened": 0, "entry": 0.001, "quantity": 1000.0, "left": 1000.0, "first_stop": 0.0009}
    usual |= {"stop": 0.0009, "targets": [0.0012], "best": 0.001, "last_close": 0.0011, "invested": 1.0, "risked": 0.1}
    position = PaperPosition.objects.create(judgement=judgement, token=judgement.token, **usual | fields)
    PaperFill.objects.create(position=position, time=judgement.ts, deal="entry", price=0.001, quantity=1000.0, usd=1.0, fee=0.01)
    return position


@pytest.fixture
def chain(now):
    return make_chain(now, sources=("score", "stage2"))


def page(client, signal):
    return " ".join(client.get(reverse("evidence-signal", args=[signal.pk])).content.decode().split())


def test_a_signal_that_the_stages_did_not_judge_has_no_such_part(client, chain, now):
    other = make_chain(now, token=make_token(now, "B"))
    judged(chain)
    assert passport.part(other.signals["score"]) is None
    assert "Gates and paper trade" not in page(client, other.signals["score"])


def test_the_judgement_is_that_of_the_same_vector_and_of_no_other_moment(chain, now):
    later = make_chain(now + timedelta(minutes=15), token=chain.token, sources=("score", "stage2"))
    mine, _ = judged(chain), judged(later)
    assert passport.part(chain.signals["score"]).context["judged"] == mine
    assert passport.part(chain.signals["stage2"]).context["judged"] == mine


def test_a_gate_that_held_it_back_is_named(client, chain):
    row = judged(chain, gate="cooldown", recommendation="WAIT", side=0)
    SkippedSignal.objects.create(judgement=row, time=row.ts, reason="gated")
    said = page(client, chain.signals["stage2"])
    assert "Gates and paper trade" in said
    assert "held back by a gate" in said


def test_an_open_trade_and_a_closed_one_are_told_with_their_fills(client, chain, now):
    position = bought(judged(chain))
    assert "still open" in page(client, chain.signals["score"])
    PaperPosition.objects.filter(pk=position.pk).update(closed_at=now + timedelta(hours=1), result=0.25, exit="target_1", left=0.0)
    said = page(client, chain.signals["score"])
    assert "+$0.25" in said
    assert "entry" in said


def test_an_order_that_waits_is_told(client, chain):
    row = judged(chain)
    PaperOrder.objects.create(judgement=row, token=row.token, side=1.0, quote=0.001, stop=0.0009, due=0, until=60)
    assert "Ordered on paper, not filled yet." in page(client, chain.signals["stage2"])


def test_it_takes_a_few_questions(chain, django_assert_max_num_queries):
    bought(judged(chain))
    with django_assert_max_num_queries(4):
        assert passport.part(chain.signals["score"]).brief == "position open"
