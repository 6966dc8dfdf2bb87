"""A duel in the worker: the sides' scores are those that their revisions would have stored, and nothing real is touched."""

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scoring import duels
from scoring.duel_looks import unpack
from scoring.duels import Refused, start, stop
from scoring.history import History
from scoring.models import Duel, DuelLook, ScoringSettings, ShadowScore, TokenScore
from scoring.run import score_due, score_tokens
from scoring.settings_in_force import active_settings, status_rule
from scoring.whatif import replay
from tokens.lifecycle import change_status, release, review
from tokens.models import Status, StatusChange, Token, TokenSnapshot
from tothemoon import jobs
from tothemoon.benches.tick import FRESHNESS, Market
from tothemoon.benches.tick import record_snapshots as store
from tothemoon.tests.test_jobs import work
from tothemoon.tests.test_whatif import a_market, replayed_scores, stored_scores

pytestmark = pytest.mark.django_db

CONTENDERS = [
    {"weight_tx_accel": 0.4},
    {"ewma_alpha": 0.05, "min_tx_count": 80},
    {"score_model": "hybrid_momentum_fair", "min_score_keep_active": 20},
    {"min_score_keep_active": 0.6, "degrade_checks": 3, "min_tx_count": 90},
]


def set_aside(**changes):
    return ScoringSettings.objects.set_aside(changes, None, "for a duel")


def tick(market):
    """What the scheduler's job does, without the network."""
    store(market.answers(), market.now, FRESHNESS)
    return jobs.score(work(market.now))


def shadow():
    rows = ShadowScore.objects.filter(ticks__gt=0).values_list("side__place", "token_id", "ts", "score")
    return {(place, token, ts.timestamp()): score for place, token, ts, score in rows}


def fight(revisions, ticks, tokens=12):
    """A market of some ticks, a duel that begins after them, and what its sides said at every tick since."""
    market = a_market(tokens=tokens, ticks=5)
    duel = start([revision.pk for revision in revisions], None, "who is better")
    tick(market)
    began, said = snapshot_of_the_world(), {}
    for _ in range(ticks):
        tick(market)
        said |= shadow()
    return market, duel, began, said


def snapshot_of_the_world():
    return TokenSnapshot.objects.order_by("-ts").values_list("ts", flat=True).first(), list(Token.objects.all())


def run_again_with(revision, began):
    """The same snapshots once more, as if `revision` had been put in force when the duel began."""
    at, tokens = began
    TokenScore.objects.filter(ts__gt=at).delete()
    StatusChange.objects.filter(ts__gt=at).delete()
    Token.objects.bulk_update(tokens, [f.name for f in Token._meta.concrete_fields if not f.primary_key and f.name != "address"])
    for ts in TokenSnapshot.objects.filter(ts__gt=at).order_by("ts").values_list("ts", flat=True).distinct():
        Token.objects.filter(snapshots__ts=ts).update(last_snapshot_at=ts)
        score_tokens(ts, revision)
        review(ts, status_rule(revision))


@pytest.mark.parametrize("changes", CONTENDERS)
def test_the_shadow_scores_are_those_that_would_have_been_stored_number_for_number(changes):
    _, _, began, said = fight([revision := set_aside(**changes)], ticks=8)
    statuses = dict(ShadowScore.objects.values_list("token_id", "status"))
    run_again_with(revision, began)
    stored = {
        (1, token, ts.timestamp()): score
        for token, ts, score in TokenScore.objects.filter(ts__gt=began[0]).values_list("token_id", "ts", "score")
    }
    assert len(said) > 12
    assert said == stored
    assert statuses == dict(Token.objects.values_list("pk", "status"))


def test_an_identical_revision_says_the_same_to_the_last_digit_in_every_look():
    fight([set_aside()], ticks=6)
    assert DuelLook.objects.count() >= 3
    for look in map(unpack, map(bytes, DuelLook.objects.values_list("data", flat=True))):
        np.testing.assert_array_equal(look.score[0], look.score[1])
        np.testing.assert_array_equal(look.active[0], look.active[1])


def test_three_sides_do_not_see_each_other():
    three = [set_aside(**changes) for changes in CONTENDERS[:3]]
    said = fight(three, ticks=3)[3]
    Duel.objects.all().delete()
    Token.objects.all().delete()
    alone = fight([three[1]], ticks=3)[3]
    assert [score for (place, *_), score in sorted(said.items()) if place == 2] == [score for _, score in sorted(alone.items())]


def test_no_real_score_and_no_status_is_touched():
    market, *_ = fight([set_aside(**changes) for changes in CONTENDERS[1:]], ticks=6)
    stretch = History(hours=24).present(market.now)
    assert replayed_scores(stretch, replay(stretch, active_settings())) == stored_scores()
    assert set(TokenScore.objects.values_list("settings", flat=True)) == {active_settings().pk}


def test_a_shadow_that_fails_is_loud_and_leaves_the_tick_as_it_was(monkeypatch):
    market, *_ = fight([set_aside()], ticks=1)
    monkeypatch.setattr(duels, "step", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tick(market)
    assert TokenScore.objects.filter(ts=market.now).count() == 12


def statements_of_a_tick(tokens, contenders):
    market = a_market(tokens=tokens, ticks=2)
    if contenders:
        start([set_aside(**changes).pk for changes in contenders], None, "")
    tick(market)
    tick(market)
    store(market.answers(), market.now, FRESHNESS)
    with CaptureQueriesContext(connection) as asked:
        jobs.score(work(market.now))
    return len(asked)


@pytest.mark.parametrize("contenders", [[], CONTENDERS[:1], CONTENDERS[:3]])
def test_the_statements_of_a_tick_do_not_depend_on_the_number_of_tokens(contenders):
    few = statements_of_a_tick(4, contenders)
    Duel.objects.all().delete()
    Token.objects.all().delete()
    assert few == statements_of_a_tick(40, contenders)


def test_without_a_duel_a_tick_pays_one_question(now):
    revision = active_settings()
    with CaptureQueriesContext(connection) as asked:
        assert duels.follow(score_due(now, revision), revision, now) is None
    assert len([query for query in asked if "duel" in query["sql"]]) == 1


def test_a_token_that_is_found_while_the_duel_runs_is_scored_too():
    market, *_, said = fight([set_aside(ewma_alpha=0.5)], ticks=2)
    Token.objects.create(address="T" + "9" * 43, created_at=market.now, next_poll_at=market.now)
    market.liquidity.append(900.0)
    tick(market)
    token = Token.objects.latest("pk")
    mine, real = ShadowScore.objects.get(token=token), TokenScore.objects.get(token=token)
    assert (mine.score, mine.status, mine.ticks) == (real.score, token.status, 1)
    assert mine.activated_at == token.activated_at == market.now


def test_what_a_hand_decides_holds_for_every_side(now):
    market, *_ = fight([set_aside(min_tx_count=1000, min_active_liquidity=1e9)], ticks=2)
    token = Token.objects.first()
    change_status(token, Status.ARCHIVED, "rug", "olena", market.now)
    change_status(token, Status.ACTIVE, "no rug", "olena", market.now)
    tick(market)
    assert ShadowScore.objects.get(token=token).status == Status.ACTIVE
    release(token, "go on", "olena", market.now)
    tick(market)
    assert ShadowScore.objects.get(token=token).low_checks == 1


def test_looks_come_once_a_minute_and_name_what_was_in_force():
    market, *_ = fight([set_aside()], ticks=5)
    second = ScoringSettings.objects.revise({"ewma_alpha": 0.9}, None, "meanwhile")
    tick(market)
    tick(market)
    looks = list(DuelLook.objects.order_by("number"))
    assert [look.number for look in looks] == list(range(len(looks)))
    assert all(b.ts - a.ts >= timedelta(seconds=55) for a, b in pairwise(looks))
    assert looks[-1].settings == second


def test_a_token_that_nobody_asks_about_any_more_is_in_no_look(now):
    market, *_ = fight([set_aside()], ticks=3)
    gone = Token.objects.first()
    change_status(gone, Status.ARCHIVED, "rug", "olena", market.now)
    for _ in range(2):
        tick(market)
    tokens = unpack(bytes(DuelLook.objects.latest("number").data)).token
    assert gone.pk not in tokens
    assert len(tokens) == 11


def test_only_one_duel_runs_and_it_can_be_stopped(now):
    one, two = set_aside(), set_aside(ewma_alpha=0.5)
    duel = start([one.pk], None, "first")
    with pytest.raises(Refused, match="running already"):
        start([two.pk], None, "second")
    assert stop(duel, "by hand", now)
    assert not stop(duel, "once more", now)
    assert start([two.pk], None, "second").running


@pytest.mark.parametrize("wrong", [[], [10**6], "four", "in force"])
def test_a_duel_that_makes_no_sense_is_refused_with_a_sentence(wrong):
    four = [set_aside(ewma_alpha=0.1 * n).pk for n in range(1, 5)]
    wrong = {"four": four, "in force": [active_settings().pk]}.get(str(wrong), wrong)
    with pytest.raises(Refused, match=r"\.$"):
        start(wrong, None, "")
    assert not Duel.objects.exists()


def test_a_duel_ends_by_itself_after_a_week(monkeypatch):
    market, duel, *_ = fight([set_aside()], ticks=1)
    monkeypatch.setattr(duels, "LONGEST", timedelta(minutes=1))
    for _ in range(3):
        tick(market)
    duel.refresh_from_db()
    assert (duel.running, duel.ending[:9]) == (False, "by itself")
    assert "shadow" not in tick(market)


def test_the_evidence_outlives_the_inputs_and_goes_long_after_the_end():
    market, duel, *_ = fight([set_aside()], ticks=3)
    jobs.clean_up(work(market.now + timedelta(days=20)))
    assert DuelLook.objects.exists()
    assert not TokenSnapshot.objects.filter(ts__lt=market.now).exists()
    stop(duel, "by hand", market.now)
    assert duels.delete_old_evidence(market.now + timedelta(days=29)) == 0
    assert duels.delete_old_evidence(market.now + timedelta(days=31)) > 12
    assert Duel.objects.exists()
    assert not DuelLook.objects.exists()


def test_a_tick_of_a_large_market_stays_a_tick():
    """A bound against squares, not a bench: three sides over 300 tokens."""
    market = Market(300)
    store(market.answers(), market.now, FRESHNESS)
    start([set_aside(**changes).pk for changes in CONTENDERS[:3]], None, "")
    jobs.score(work(market.now))
    assert tick(market)["shadow"] == 900
