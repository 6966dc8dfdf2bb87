"""A stored score is found again from what is stored, to the last bit."""

from datetime import timedelta

import pytest

from scoring.again import score_again
from scoring.models import TokenScore
from scoring.run import score_tokens
from scoring.tests.rows import make_token, see
from tokens.models import Status, StatusChange, Token, TokenSnapshot

pytestmark = pytest.mark.django_db


def scored(now, ticks=5, **fields):
    """A token seen for an hour and then every half minute, with a score each time; its last score."""
    token = make_token(now - timedelta(hours=2), **fields)
    see(token, now - timedelta(minutes=61), holders=170)
    score_tokens(now)
    for tick in range(ticks):
        at = now + timedelta(seconds=31 * tick)
        see(token, at, tx_count_5m=60 + 7 * tick, holders=200 + tick, volume_5m=900.0 / (tick + 1))
        score_tokens(at)
    return TokenScore.objects.select_related("settings").filter(token=token).latest("ts")


def test_the_same_rows_give_the_same_score_in_every_part(now):
    row = scored(now)
    assert score_again(row) == {"score": row.score, "components": row.components}
    assert row.components["holder_growth"]["state"] == "ok"
    assert row.components["tx_accel"]["smoothed"] != row.components["tx_accel"]["raw"]


def test_what_came_later_changes_nothing(now):
    row = scored(now)
    before = score_again(row)
    see(row.token, row.ts + timedelta(seconds=30), tx_count_5m=1, holders=1)
    score_tokens(row.ts + timedelta(seconds=30))
    assert score_again(row) == before


def test_the_interval_is_that_of_the_status_it_had_then(now, settings):
    settings.SCHED_INTERVAL_ACTIVE_SEC, settings.SCHED_INTERVAL_INITIAL_SEC = 30, 300
    row = scored(now)
    before = score_again(row)
    StatusChange.objects.create(token=row.token, old=Status.ACTIVE, new=Status.INITIAL, reason="later", actor="x", ts=row.ts)
    assert score_again(row) == before
    StatusChange.objects.create(token=row.token, old="", new=Status.INITIAL, reason="then", actor="x", ts=row.ts - timedelta(seconds=1))
    assert score_again(row)["score"] != before["score"]


def test_a_changed_snapshot_is_noticed(now):
    row = scored(now)
    TokenSnapshot.objects.filter(token=row.token, ts=row.ts).update(tx_count_5m=1)
    again = score_again(row)
    assert again["components"]["tx_accel"]["raw"] != row.components["tx_accel"]["raw"]


def test_without_its_snapshot_nothing_can_be_said(now):
    row = scored(now)
    Token.objects.update(last_snapshot_at=None)
    TokenSnapshot.objects.filter(token=row.token, ts=row.ts).delete()
    assert score_again(row) is None
