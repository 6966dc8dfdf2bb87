"""What the console says beforehand and what workers then do are the same numbers, over the whole way from answers to stored rows."""

import json
from datetime import timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scoring.history import History
from scoring.models import ScoringSettings, TokenScore
from scoring.preview import Allowance, compare
from scoring.run import score_tokens
from scoring.settings_in_force import active_settings, status_rule
from scoring.whatif import draft_of, replay
from tokens.lifecycle import review
from tokens.models import Status, StatusChange, Token, TokenSnapshot
from tothemoon import jobs
from tothemoon.benches.tick import FRESHNESS, INTERVAL, Market, record_snapshots, tick
from tothemoon.tests.test_jobs import work

pytestmark = pytest.mark.django_db

DRAFTS = [
    {"weight_tx_accel": 0.4},
    {"ewma_alpha": 0.05},
    {"score_model": "hybrid_momentum_fair", "min_score_keep_active": 20},
    {"freshness_limit_sec": 40, "holders_freshness_sec": 600},
    {"interval_active_sec": 60, "ewma_alpha": 0.2},
    {"min_score_keep_active": 0.6, "degrade_checks": 3, "min_tx_count": 80},
]


def a_market(tokens=12, ticks=8, pause=INTERVAL):
    """Some ticks of tokens that are found, scored and judged. A pause between them makes hours of few ticks."""
    market = Market(tokens)
    for _ in range(ticks):
        tick(market.answers(), market.now)
        market.now += pause - INTERVAL
    market.now -= pause - INTERVAL
    return market


def stored_scores():
    return {(token, ts.timestamp()): score for token, ts, score in TokenScore.objects.values_list("token_id", "ts", "score")}


def replayed_scores(stretch, played):
    ts = stretch.columns["ts"].tolist()
    tokens = stretch.columns["token"].astype(int).tolist()
    rows = zip(tokens, ts, played.score.tolist(), played.watched.tolist(), strict=True)
    return {(token, at): None if score != score else score for token, at, score, watched in rows if watched}


def run_again(revision):
    """The ticks that are stored, once more with `revision`, by the very functions of the scheduler's jobs."""
    TokenScore.objects.all().delete()
    StatusChange.objects.all().delete()
    Token.objects.update(
        status=Status.INITIAL, last_scored_at=None, last_score_value=None, last_check_at=None, observed_sec=0, low_since=None, low_checks=0
    )
    for ts in TokenSnapshot.objects.order_by("ts").values_list("ts", flat=True).distinct():
        Token.objects.filter(snapshots__ts=ts).update(last_snapshot_at=ts)
        score_tokens(ts, revision)
        review(ts, status_rule(revision))


@pytest.mark.parametrize("pause", [INTERVAL, timedelta(seconds=95), timedelta(minutes=13)])
def test_a_replay_of_the_revision_in_force_gives_the_stored_scores_to_the_last_digit(pause):
    market = a_market(ticks=9, pause=pause)
    stretch = History(hours=24).present(market.now)
    assert replayed_scores(stretch, replay(stretch, active_settings())) == stored_scores()


def test_what_a_draft_keeps_and_workers_archived_is_told_and_not_counted_as_watched():
    market = a_market(ticks=9)
    Token.objects.filter(status=Status.ACTIVE).update(status=Status.ARCHIVED)
    stretch = History(hours=24).present(market.now)
    present = active_settings()
    found = compare(stretch, (present, replay(stretch, present)), (present, replay(stretch, present)), Allowance(False, None))
    assert (found.draft.active, found.draft.kept) == (0, Token.objects.filter(status=Status.ARCHIVED).count())
    assert found.draft.kept > 0


def test_a_replay_that_begins_in_the_middle_goes_on_from_the_stored_scores():
    market = a_market(ticks=14, pause=timedelta(minutes=10))
    stretch = History(hours=1).present(market.now)
    replayed = replayed_scores(stretch, replay(stretch, active_settings()))
    assert 0 < len(replayed) < TokenScore.objects.count()
    assert replayed.items() <= stored_scores().items()


@pytest.mark.parametrize("changes", DRAFTS)
def test_the_preview_equals_the_truth_number_for_number(changes):
    market = a_market(ticks=12)
    stretch = History(hours=24).present(market.now)
    said = replay(stretch, draft_of(active_settings(), changes))
    saved = ScoringSettings.objects.revise(changes, None, "as the preview said")
    run_again(saved)
    assert replayed_scores(stretch, said) == stored_scores()
    verdicts = {1: "rule:activate", 2: "rule:degrade", 3: "rule:timeout"}
    foreseen = {(int(stretch.pks[token]), stretch.columns["ts"][row], verdicts[verdict]) for token, row, verdict in said.changes}
    happened = StatusChange.objects.filter(actor__startswith="rule:").values_list("token_id", "ts", "actor")
    assert foreseen == {(token, ts.timestamp(), actor) for token, ts, actor in happened}
    statuses = dict(Token.objects.values_list("pk", "status"))
    assert {
        pk: ["Initial", "Active", "Archived"][code] for pk, code in zip(stretch.pks.tolist(), said.status.tolist(), strict=True)
    } == statuses


def test_a_revision_that_is_saved_in_mid_tick_waits_for_the_next_one(monkeypatch):
    """Between scoring and judging somebody saves other settings: this tick goes on by those it began with, scores and statuses alike."""
    market = a_market(ticks=3)
    before = active_settings()

    def save_and_review(now, rule):
        saved = ScoringSettings.objects.revise({"min_tx_count": 900_000, "degrade_checks": 1, "ewma_alpha": 0.9}, None, "in between")
        assert rule == status_rule(before) != status_rule(saved)
        return review(now, rule)

    monkeypatch.setattr(jobs, "review", save_and_review)
    record_snapshots(market.answers(), market.now, FRESHNESS)
    assert jobs.score(work(market.now))["changes"] == 0
    assert set(TokenScore.objects.filter(ts=market.now).values_list("settings", flat=True)) == {before.pk}
    monkeypatch.undo()
    record_snapshots(market.answers(), market.now, FRESHNESS)
    assert jobs.score(work(market.now))["changes"] == 12
    assert set(TokenScore.objects.filter(ts=market.now).values_list("settings", flat=True)) == {active_settings().pk}
    assert active_settings() != before


def test_a_history_that_grew_is_the_one_that_is_read_afresh():
    market = a_market(ticks=6, pause=timedelta(minutes=12))
    grown = History(hours=1)
    grown.present(market.now)
    for _ in range(3):
        tick(market.answers(), market.now)
        stretch = grown.present(market.now)
    fresh = History(hours=1).present(market.now)
    assert stretch.start == fresh.start
    for name, column in fresh.columns.items():
        np.testing.assert_array_equal(stretch.columns[name], column, err_msg=name)
    np.testing.assert_array_equal(stretch.inputs.holders_before, fresh.inputs.holders_before)
    np.testing.assert_array_equal(replay(stretch, active_settings()).score, replay(fresh, active_settings()).score)


def test_growing_asks_a_handful_of_questions_whatever_the_number_of_tokens():
    market = a_market(tokens=20, ticks=3)
    history = History(hours=2)
    history.present(market.now)
    tick(market.answers(), market.now)
    with CaptureQueriesContext(connection) as asked:
        assert history.present(market.now).rows == 80
    assert len(asked) <= 6
    with CaptureQueriesContext(connection) as asked:
        history.present(market.now)
    assert len(asked) <= 1


def test_a_history_never_holds_more_rows_than_it_may():
    market = a_market(tokens=10, ticks=20, pause=timedelta(minutes=5))
    history = History(hours=24, most_rows=60)
    assert history.present(market.now).rows <= 60
    for _ in range(30):
        tick(market.answers(), market.now)
        market.now += timedelta(minutes=4)
        assert history.present(market.now).rows <= 70


def test_rows_that_were_swept_away_are_not_remembered():
    market = a_market(ticks=3)
    history = History(hours=2)
    assert history.present(market.now).rows == 36
    TokenSnapshot.objects.all().delete()
    assert history.present(market.now).rows == 0


def test_nothing_stored_is_an_empty_stretch(now):
    stretch = History().present(now)
    assert replay(stretch, active_settings()).score.size == 0


def test_the_command_says_what_the_console_says(capsys):
    a_market(ticks=4)
    call_command("whatif", "--set", "weight_vol_momentum=0.9", "--set", "ewma_alpha=0.2", "--hours", "3", "--json")
    said = json.loads(capsys.readouterr().out)
    assert (said["tokens"], said["rows"], len(said["ranking"])) == (12, 48, 12)
    call_command("whatif")
    assert "0 places move" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["ewma_alpha", "ewma_alpha=nan", "ewma_alpha=0,5", "active=1", "min_score_keep_active=900"])
def test_the_command_refuses_what_the_form_refuses(wrong):
    with pytest.raises(CommandError):
        call_command("whatif", "--set", wrong)
