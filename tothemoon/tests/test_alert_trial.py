"""What a rule's page and the console say beforehand is what workers then do: the same alerts, to the second and to the word."""

from datetime import time, timedelta

import pytest

from scoring.alert_kinds import Circumstances
from scoring.alert_models import AlertChannel, AlertRule
from scoring.alert_rows import AlertDelivery
from scoring.alert_trial import alerts_an_hour, trial
from scoring.alerting import evaluate
from scoring.history import History
from scoring.models import ScoringSettings, TokenScore
from scoring.settings_in_force import active_settings
from scoring.whatif import draft_of, replay
from tothemoon.benches.tick import Market, tick
from tothemoon.tests.test_whatif import run_again

pytestmark = pytest.mark.django_db

RULES = [
    {"kind": "score", "level": 0.6, "cooldown_minutes": 0},
    {"kind": "score", "level": 0.9, "rising": False, "band": 0.02, "cooldown_minutes": 3},
    {"kind": "score", "level": 0.6, "only_active": False, "min_liquidity": 20_000, "cooldown_minutes": 0},
    {"kind": "figure", "figure": "tx_accel", "level": 1.2, "band": 0.1, "an_hour": 3, "cooldown_minutes": 0},
    {"kind": "figure", "figure": "liquidity", "level": 15_000, "rising": False, "cooldown_minutes": 1},
    {"kind": "figure", "figure": "holders", "level": 300, "cooldown_minutes": 0},
    {"kind": "score", "level": 0.6, "min_age_minutes": 3, "cooldown_minutes": 0},
    {"kind": "status", "new_status": "Active"},
    {"kind": "score", "level": 0.6, "quiet_from": time(0), "quiet_to": time(12), "quiet_zone": "Asia/Tokyo", "cooldown_minutes": 0},
]


def a_rule(**fields):
    rule = AlertRule(name="r", **{"an_hour": 1000, **fields})
    rule.full_clean()
    rule.save()
    channel = AlertChannel.objects.create(name="bot", kind="webhook", webhook_url="http://127.0.0.1:9/", signing_secret="s" * 20)
    rule.channels.set([channel])
    return rule


def as_it_happened(ticks=14, tokens=16):
    """A market in which the rules look after every tick, as the scheduler lets them."""
    market = Market(tokens)
    evaluate(market.now - timedelta(seconds=1), active_settings(), Circumstances())
    for _ in range(ticks):
        tick(market.answers(), market.now)
        evaluate(market.now, active_settings(), Circumstances())
    return market


def stored():
    rows = AlertDelivery.objects.order_by("pk").values_list("made_at", "token_id", "sentence", "outcome")
    return [(at.timestamp(), token, sentence.split(":")[0], outcome) for at, token, sentence, outcome in rows]


@pytest.mark.parametrize("fields", RULES, ids=str)
def test_what_the_trial_says_is_what_the_log_holds(fields):
    rule = a_rule(**fields)
    market = as_it_happened()
    stretch, revision = History(hours=24).present(market.now), active_settings()
    said = trial(rule, stretch, revision, replay(stretch, revision))
    assert [(told.at, told.pk, told.sentence, told.verdict) for told in said] == stored()
    assert stored()


def test_the_drafts_alerts_are_those_that_the_saved_draft_gives():
    rule = a_rule(kind="score", level=0.9, cooldown_minutes=0)
    market = as_it_happened()
    stretch = History(hours=24).present(market.now)
    draft = draft_of(active_settings(), {"weight_tx_accel": 0.6})
    expected = alerts_an_hour([rule], stretch, draft, replay(stretch, draft)) * stretch.hours
    saved = ScoringSettings.objects.revise({"weight_tx_accel": 0.6}, None, "as the preview said")
    run_again(saved)
    stretch = History(hours=24).present(market.now)
    assert expected == pytest.approx(len([1 for told in trial(rule, stretch, saved, replay(stretch, saved)) if not told.verdict]))
    assert expected > 0
    assert TokenScore.objects.filter(score__gte=0.9).exists()


def test_without_a_rule_there_is_no_number_and_rules_about_the_system_are_none():
    market = as_it_happened(ticks=3, tokens=4)
    stretch, revision = History(hours=24).present(market.now), active_settings()
    played = replay(stretch, revision)
    assert alerts_an_hour([], stretch, revision, played) is None
    assert alerts_an_hour([AlertRule(name="f", kind="feed", level=5)], stretch, revision, played) is None
    assert alerts_an_hour([AlertRule(name="s", kind="score", level=1e6)], stretch, revision, played) == 0
