"""What the rules see after each tick, on real rows: what is told, what is held back, and that nothing is told twice."""

from datetime import time, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from scoring.alert_kinds import Circumstances, Happening
from scoring.alert_models import AlertChannel, AlertRule
from scoring.alert_rows import AlertDelivery, AlertState, ScoreHealth
from scoring.alerting import evaluate
from scoring.models import ScoringSettings, TokenScore
from scoring.settings_in_force import active_settings
from scoring.tests.rows import make_token, see
from tokens.models import Status, StatusChange, Token

pytestmark = pytest.mark.django_db
SECRET = "a-signing-secret-of-ours"


@pytest.fixture
def channel():
    return AlertChannel.objects.create(name="bot", kind="webhook", webhook_url="http://127.0.0.1:9/hook", signing_secret=SECRET)


@pytest.fixture
def rule(channel):
    return a_rule(channel)


def a_rule(*channels, **fields):
    rule = AlertRule(**{"name": "hot", "kind": "score", "level": 1.5, "cooldown_minutes": 0, **fields})
    rule.full_clean()
    rule.save()
    rule.channels.set(channels)
    return rule


def scored(token, at, score, revision=None, **figures):
    """A tick has given `token` this score."""
    see(token, at, **figures)
    parts = {name: {"raw": 1.0, "state": "ok"} for name in ("tx_accel", "vol_momentum", "holder_growth", "orderflow_imbalance")}
    TokenScore.objects.create(token=token, ts=at, score=score, components=parts, settings=revision or active_settings())
    Token.objects.filter(pk=token.pk).update(last_score_value=score, last_scored_at=at)


def look(now, figures=None, happenings=(), **sentences):
    return evaluate(now, active_settings(), Circumstances(figures or {}, sentences), happenings)


def course(token, now, scores, step=timedelta(seconds=30)):
    """A tick and a look for each score. How many alerts each look gave."""
    told = []
    for place, score in enumerate(scores):
        at = now + place * step
        scored(token, at, score)
        told.append(look(at)["alerts"])
    return told


def test_a_rule_first_learns_what_is_so_already_and_then_tells_of_each_crossing_once(now, rule):
    assert course(make_token(now), now, [2.0, 2.1, 1.0, 1.6, 1.7, 1.4, 1.5]) == [0, 0, 0, 1, 0, 0, 1]
    row = AlertDelivery.objects.earliest("pk")
    assert (row.state, row.rule, row.token.symbol) == ("waiting", rule, "A")
    assert row.sentence == "score at 1.60 (alert from 1.50 up)"
    assert row.numbers | {"value": 1.6, "level": 1.5, "score": 1.6, "liquidity": 40_000.0} == row.numbers


def test_an_edited_rule_learns_anew_and_tells_nothing_of_what_was_so_before(now, rule):
    token = make_token(now)
    assert course(token, now, [1.0, 1.2]) == [0, 0]
    AlertRule.objects.filter(pk=rule.pk).update(level=1.1)
    assert course(token, now + timedelta(minutes=5), [1.2, 1.0, 1.2]) == [0, 0, 1]


def test_a_rule_that_was_off_for_a_while_starts_by_learning(now, rule):
    token = make_token(now)
    course(token, now, [1.0])
    AlertRule.objects.update(enabled=False)
    assert course(token, now + timedelta(minutes=5), [2.0]) == [0]
    AlertRule.objects.update(enabled=True)
    assert course(token, now + timedelta(minutes=10), [2.0, 1.0, 2.0]) == [0, 0, 1]


def test_a_token_born_beyond_the_level_is_told_and_one_older_than_the_rule_is_not(now, rule):
    elder = make_token(now, "OLD")
    look(now)
    scored(elder, now + timedelta(seconds=30), 2.0)
    scored(make_token(now, "NEW", created_at=now + timedelta(seconds=10)), now + timedelta(seconds=30), 2.0)
    assert look(now + timedelta(seconds=30))["alerts"] == 1
    assert AlertDelivery.objects.get().sentence == "score at 2.00 (alert from 1.50 up)"


def test_only_fresh_figures_tell_anything(now, rule):
    token = make_token(now)
    course(token, now, [1.0])
    scored(token, now + timedelta(minutes=1), 2.0)
    assert look(now + timedelta(hours=3))["alerts"] == 0
    scored(token, now + timedelta(hours=3), 2.0)
    assert look(now + timedelta(hours=3))["alerts"] == 1


def test_other_settings_make_another_score_and_no_alert(now, rule):
    token = make_token(now)
    course(token, now, [1.0])
    ScoringSettings.objects.revise({"weight_tx_accel": 0.9}, None, "more")
    assert course(token, now + timedelta(minutes=1), [2.0, 1.0, 2.0]) == [0, 0, 1]


def test_a_limit_counts_for_the_way_in_and_the_unknown_meets_none(now, channel):
    a_rule(channel, min_liquidity=50_000, max_age_hours=6)
    rich, poor, unknown, old = (make_token(now, name) for name in ("RICH", "POOR", "UNKNOWN", "OLD"))
    Token.objects.filter(pk=old.pk).update(created_at=now - timedelta(hours=9))
    for minute, score in enumerate([1.0, 2.0]):
        at = now + timedelta(minutes=minute)
        for token, liquidity in ((rich, 60_000), (poor, 40_000), (unknown, None), (old, 60_000)):
            scored(token, at, score, liquidity=liquidity)
        look(at)
    assert [row.token.symbol for row in AlertDelivery.objects.all()] == ["RICH"]


def test_a_newborn_is_told_when_it_is_old_enough_and_still_beyond_the_level(now, channel):
    a_rule(channel, min_age_minutes=15)
    look(now)
    born = make_token(now, created_at=now + timedelta(seconds=10))
    assert course(born, now + timedelta(minutes=1), [9.0, 8.0, 7.0, 6.0, 2.0], timedelta(minutes=5)) == [0, 0, 0, 1, 0]


def test_a_token_that_is_not_active_is_told_only_where_the_rule_wants_it(now, channel):
    a_rule(channel)
    a_rule(channel, name="early", only_active=False)
    course(make_token(now, status=Status.INITIAL), now, [1.0, 2.0])
    assert [row.rule_name for row in AlertDelivery.objects.all()] == ["early"]


def test_a_figure_beyond_a_value_downwards(now, channel):
    a_rule(channel, name="dry", kind="figure", figure="liquidity", rising=False, level=10_000, band=1_000)
    token = make_token(now)
    for minute, liquidity in enumerate([40_000, 9_000, 10_500, 9_000, 12_000, 9_500]):
        scored(token, now + timedelta(minutes=minute), 1.0, liquidity=liquidity)
        look(now + timedelta(minutes=minute))
    sentences = [row.sentence for row in AlertDelivery.objects.order_by("pk")]
    assert sentences == ["liquidity at $9k (alert from $10k down)", "liquidity at $9.5k (alert from $10k down)"]


def test_a_cool_down_a_cap_and_quiet_hours_leave_a_row_that_says_so(now, channel):
    a_rule(channel, name="cool", cooldown_minutes=30)
    a_rule(channel, name="quiet", quiet_from=time(11), quiet_to=time(13))
    a_rule(channel, name="loud", quiet_from=time(11), quiet_to=time(13), critical=True, an_hour=1)
    course(make_token(now), now, [1.0, 2.0, 1.0, 2.0])
    rows = AlertDelivery.objects.order_by("rule_name", "pk").values_list("rule_name", "state", "outcome")
    assert list(rows) == [
        ("cool", "waiting", ""),
        ("cool", "held", "cool-down"),
        ("loud", "waiting", ""),
        ("loud", "held", "hourly cap"),
        ("quiet", "held", "quiet hours"),
        ("quiet", "held", "quiet hours"),
    ]


def test_quiet_hours_over_midnight_withhold_on_both_sides_of_it_and_what_was_withheld_is_not_told_later(now, channel):
    a_rule(channel, name="night", quiet_from=time(22), quiet_to=time(7), quiet_zone="Europe/Kyiv")
    evening = now.replace(hour=19, minute=59, second=0, microsecond=0)  # 21:59 in Kyiv in winter
    token = make_token(evening)
    course(token, evening, [1.0, 2.0, 1.0])
    course(token, evening + timedelta(minutes=2), [2.0, 1.0])
    course(token, evening + timedelta(hours=4), [2.0, 1.0])
    course(token, evening + timedelta(hours=9), [2.0, 2.1])
    course(token, evening + timedelta(hours=9, minutes=2), [2.2, 1.0, 2.0])
    rows = AlertDelivery.objects.order_by("pk").values_list("made_at", "outcome")
    assert [(at.strftime("%H:%M"), outcome) for at, outcome in rows] == [
        ("19:59", ""),
        ("20:01", "quiet hours"),
        ("23:59", "quiet hours"),
        ("04:59", "quiet hours"),
        ("05:02", ""),
    ]


def test_one_alert_to_three_channels_is_one_with_one_id(now, channel):
    others = [AlertChannel.objects.create(name=name, kind="discord", webhook_url="https://discord.com/x") for name in "XY"]
    AlertChannel.objects.filter(name="Y").update(enabled=False)
    a_rule(channel, *others, an_hour=2)
    assert course(make_token(now), now, [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]) == [0, 1, 0, 1, 0, 0]
    assert AlertDelivery.objects.values("uid").distinct().count() == 3
    assert AlertDelivery.objects.get(channel__name="Y", made_at=now + timedelta(seconds=30)).outcome == "the channel is off"


def test_a_rule_without_a_channel_says_so_in_the_log(now):
    a_rule()
    course(make_token(now), now, [1.0, 2.0])
    assert AlertDelivery.objects.get().outcome == "the rule has no channel"


# Changes of status


def changed(token, at, old, new):
    return StatusChange.objects.create(token=token, old=old, new=new, reason="liquidity 40,000", actor="rule:activate", ts=at)


def test_each_change_of_status_is_told_once_and_none_from_before_the_rule(now, channel):
    token = make_token(now)
    changed(token, now - timedelta(minutes=1), "Initial", "Active")
    a_rule(channel, kind="status", new_status="Active", level=None)
    assert look(now)["alerts"] == 0
    changed(token, now + timedelta(seconds=10), "Active", "Archived")
    changed(token, now + timedelta(seconds=20), "Archived", "Active")
    assert [look(now + timedelta(seconds=second))["alerts"] for second in (30, 40, 50)] == [1, 0, 0]
    assert AlertDelivery.objects.get().sentence == "Archived → Active: liquidity 40,000"


def test_a_change_that_is_found_after_an_outage_is_history(now, channel):
    token = make_token(now)
    a_rule(channel, kind="status", level=None)
    look(now)
    changed(token, now + timedelta(minutes=1), "Initial", "Active")
    assert look(now + timedelta(hours=1))["alerts"] == 0


def test_a_change_written_late_under_an_older_number_is_not_lost(now, channel):
    first, second = make_token(now, "A"), make_token(now, "B")
    a_rule(channel, kind="status", level=None)
    look(now)
    late = changed(first, now + timedelta(seconds=5), "Initial", "Active")
    StatusChange.objects.filter(pk=late.pk).delete()
    changed(second, now + timedelta(seconds=6), "Initial", "Active")
    assert look(now + timedelta(seconds=10))["alerts"] == 1
    late.save(force_insert=True)
    assert [look(now + timedelta(seconds=20))["alerts"], look(now + timedelta(seconds=30))["alerts"]] == [1, 0]


def test_being_held_by_hand_is_no_change_of_status(now, channel):
    token = make_token(now)
    a_rule(channel, kind="status", level=None)
    look(now)
    changed(token, now + timedelta(seconds=5), "Active", "Active")
    assert look(now + timedelta(seconds=10))["alerts"] == 0


def test_another_part_may_hand_in_what_has_happened(now, channel):
    token = make_token(now)
    a_rule(channel, kind="status", level=None)
    look(now)
    signal = Happening("status", token.pk, 7, now + timedelta(seconds=5), "BUY at $0.001", numbers={"confidence": 0.8})
    assert [look(now + timedelta(seconds=second), happenings=[signal])["alerts"] for second in (10, 20)] == [1, 0]
    assert AlertDelivery.objects.get().numbers["confidence"] == 0.8


# The system


def test_a_silent_feed_is_told_once_until_it_speaks_again(now, channel):
    a_rule(channel, name="deaf", kind="feed", level=5, quiet_from=time(11), quiet_to=time(13), critical=True)
    minutes = [0, 4, 5, 9, 0, 6]
    told = [
        look(now + timedelta(minutes=place), {"feed_silent_min": float(value)}, feed_silent_min="Silent.")["alerts"]
        for place, value in enumerate(minutes)
    ]
    assert told == [0, 0, 1, 0, 0, 1]
    assert set(AlertDelivery.objects.values_list("sentence", "token")) == {("Silent.", None)}


def test_what_is_unknown_about_the_system_tells_nothing(now, channel):
    a_rule(channel, name="poor", kind="budget", level=10)
    told = [look(now + timedelta(minutes=place), figures)["alerts"] for place, figures in enumerate([{}, {"budget_left_percent": 9.0}, {}])]
    assert told == [0, 1, 0]


def test_scores_that_look_wrong_twice_in_a_row_are_told_once(now, channel):
    a_rule(channel, name="odd", kind="health", level=None)
    tokens = [make_token(now, f"T{number}") for number in range(25)]
    told = []
    for place, spread in enumerate([1, 0, 0, 0, 1, 1]):
        at = now + timedelta(minutes=place)
        for number, token in enumerate(tokens):
            scored(token, at, 0.5 + spread * number / 10)
        told.append(look(at)["alerts"])
    assert told == [0, 0, 1, 0, 0, 0]
    assert "one and the same number" in AlertDelivery.objects.get().sentence
    assert list(ScoreHealth.objects.order_by("ts").values_list("suspicious", flat=True)) == [False, False, True, True, False, False]


def test_a_look_without_a_new_score_leaves_no_row(now, rule):
    scored(make_token(now), now, 1.0)
    look(now)
    look(now + timedelta(seconds=10))
    assert ScoreHealth.objects.get().ts == now


# What it costs, and what cannot be


def statements(now, tokens):
    for number in range(tokens):
        token = make_token(now, f"N{tokens}x{number}", created_at=now - timedelta(hours=1))
        scored(token, now, 1.0)
        changed(token, now, "Initial", "Active")
    look(now)
    for token in Token.objects.filter(symbol__startswith=f"N{tokens}x"):
        scored(token, now + timedelta(seconds=30), 2.0)
        changed(token, now + timedelta(seconds=20), "Active", "Archived")
    with CaptureQueriesContext(connection) as asked:
        look(now + timedelta(seconds=30))
    return len([query for query in asked if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))])


def test_a_look_costs_the_same_number_of_statements_for_2_tokens_as_for_40(now, channel):
    a_rule(channel)
    a_rule(channel, name="poor", cooldown_minutes=30, kind="figure", figure="tx_accel", level=3)
    a_rule(channel, name="moves", kind="status", level=None, an_hour=1000)
    few = statements(now, 2)
    assert statements(now + timedelta(hours=1), 40) == few <= 20


def test_a_state_and_its_alert_are_written_together_or_not_at_all(now, rule, monkeypatch):
    token = make_token(now)
    course(token, now, [1.0])
    scored(token, now + timedelta(minutes=1), 2.0)

    def broken(*_):
        raise RuntimeError("the outbox is gone")

    with monkeypatch.context() as patched:
        patched.setattr("scoring.alerting.write_out", broken)
        with pytest.raises(RuntimeError), transaction.atomic():
            look(now + timedelta(minutes=1))
    assert AlertState.objects.get().state == 0
    assert look(now + timedelta(minutes=1))["alerts"] == 1


GOOD = {"name": "x", "kind": "score", "level": 1.0}
BAD = [
    {"level": None},
    {"level": float("nan")},
    {"level": float("inf")},
    {"level": 1e400},
    {"level": "0,5"},
    {"level": True},
    {"band": -1},
    {"band": float("nan")},
    {"min_liquidity": -5},
    {"max_age_hours": 0},
    {"min_age_minutes": -1},
    {"cooldown_minutes": -1},
    {"cooldown_minutes": 1.5},
    {"an_hour": 0},
    {"kind": "astrology"},
    {"kind": "figure"},
    {"kind": "figure", "figure": "beauty"},
    {"kind": "status", "old_status": "Active", "new_status": "Active"},
    {"kind": "status", "new_status": "Rich"},
    {"kind": "feed", "level": 0},
    {"kind": "budget", "level": 101},
    {"quiet_from": time(9)},
    {"quiet_from": time(9), "quiet_to": time(9)},
    {"quiet_zone": "Mars/Olympus"},
    {"name": ""},
]


@pytest.mark.parametrize("changes", BAD, ids=str)
def test_a_rule_that_makes_no_sense_is_refused_with_a_sentence(changes):
    with pytest.raises(ValidationError) as refused:
        AlertRule(**{**GOOD, **changes}).full_clean()
    assert all(sentence for sentences in refused.value.message_dict.values() for sentence in sentences)


IN_CODE_ONLY = ({"level": "0,5"}, {"level": True}, {"cooldown_minutes": 1.5}, {"level": float("inf")}, {"level": 1e400})
IN_CODE_ONLY += ({"kind": "feed", "level": 0}, {"kind": "budget", "level": 101}, {"quiet_zone": "Mars/Olympus"})


@pytest.mark.parametrize("changes", [changes for changes in BAD if changes not in IN_CODE_ONLY], ids=str)
def test_the_database_refuses_it_too(changes):
    with pytest.raises(IntegrityError), transaction.atomic():
        AlertRule.objects.bulk_create([AlertRule(**{**GOOD, **changes})])


@pytest.mark.parametrize("level", [float("inf"), float("-inf")])
def test_the_database_refuses_infinity_too(level):
    with pytest.raises(IntegrityError), transaction.atomic():
        AlertRule.objects.create(**{**GOOD, "level": level})


CHANNELS = [
    {"kind": "telegram", "bot_token": "123456789:" + "A" * 35},
    {"kind": "telegram", "chat_id": "-100"},
    {"kind": "discord"},
    {"kind": "webhook", "webhook_url": "https://example.org/hook"},
    {"kind": "webhook", "signing_secret": SECRET},
    {"kind": "discord", "webhook_url": "ftp://example.org"},
    {"kind": "pigeon"},
]


@pytest.mark.parametrize("fields", CHANNELS, ids=str)
def test_an_incomplete_channel_is_refused_in_code_and_in_the_database(fields):
    with pytest.raises(ValidationError):
        AlertChannel(name="x", **fields).full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        AlertChannel.objects.create(name="x", **fields)


def test_what_belongs_to_another_kind_of_channel_is_not_kept():
    channel = AlertChannel(name="x", kind="discord", webhook_url="https://discord.com/api/webhooks/12345/" + "k" * 30, bot_token="old")
    channel.full_clean()
    assert channel.bot_token == ""
