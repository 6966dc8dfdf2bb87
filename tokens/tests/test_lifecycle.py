from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tokens import lifecycle
from tokens.lifecycle import change_status, hold, release, review
from tokens.models import Pool, Status, StatusChange, Token, TokenSnapshot
from tokens.status_rule import Rule

pytestmark = pytest.mark.django_db
RULE = Rule(degrade_checks=3)


def make(now, name="A", status=Status.INITIAL, pools=1, **fields):
    token = Token.objects.create(address=name.ljust(44, "x"), status=status, created_at=now - timedelta(hours=1), **fields)
    for number in range(pools):
        Pool.objects.create(token=token, pool_address=f"{name} {number}", dex_name="pumpswap")
    return token


def see(token, at, score=1.0, **figures):
    TokenSnapshot.objects.create(token=token, ts=at, **{"source": "pools", "liquidity": 100.0, "tx_count_5m": 3} | figures)
    Token.objects.filter(pk=token.pk).update(last_snapshot_at=at, last_scored_at=at, last_score_value=score)


def checks(token, now, count, **figures):
    """`count` snapshots half a minute apart, each reviewed; the moment of the last one."""
    at = now
    for number in range(count):
        at = now + timedelta(seconds=30 * number)
        see(token, at, **figures)
        review(at, RULE)
    return at


def test_an_activated_token_is_polled_at_once_and_its_row_says_why(now):
    token = make(now, next_poll_at=now + timedelta(hours=1))
    see(token, now, liquidity=15_200.0)
    assert review(now, RULE) == 1
    token.refresh_from_db()
    assert (token.status, token.activated_at, token.status_changed_at, token.next_poll_at) == ("Active", now, now, now)
    change = StatusChange.objects.get()
    assert (change.old, change.new, change.actor, change.ts) == ("Initial", "Active", "rule:activate", now)
    assert change.reason == "liquidity $15,200 ≥ $500, 1 pool"
    assert change.evidence["liquidity"] == 15_200
    assert change.evidence["thresholds"]["min_active_liquidity"] == 500


def test_low_checks_in_a_row_archive_and_the_row_says_over_what_time(now):
    token = make(now, status=Status.ACTIVE)
    last = checks(token, now, 3, tx_count_5m=12)
    token.refresh_from_db()
    assert (token.status, token.archived_at, token.low_checks, token.low_since) == ("Archived", last, 0, None)
    assert StatusChange.objects.get().reason == "tx_count_5m 12 < 25 on 3 checks in 1 min"


def test_a_good_check_between_saves_it(now):
    token = make(now, status=Status.ACTIVE)
    at = checks(token, now, 2, tx_count_5m=12)
    at = checks(token, at + timedelta(seconds=30), 1, tx_count_5m=30)
    checks(token, at + timedelta(seconds=30), 2, tx_count_5m=12)
    token.refresh_from_db()
    assert (token.status, token.low_checks) == ("Active", 2)


def test_the_same_snapshot_is_looked_at_once(now):
    token = make(now, status=Status.ACTIVE)
    see(token, now, tx_count_5m=1)
    for _ in range(5):
        review(now, RULE)
    token.refresh_from_db()
    assert (token.status, token.low_checks) == ("Active", 1)


def test_a_score_of_an_older_snapshot_says_nothing_of_this_one(now):
    token = make(now, status=Status.ACTIVE)
    see(token, now, tx_count_5m=100)
    Token.objects.update(last_score_value=-5.0, last_scored_at=now - timedelta(seconds=30))
    review(now, RULE)
    token.refresh_from_db()
    assert token.low_checks == 0


def test_downtime_counts_for_nothing(now):
    token = make(now)
    see(token, now)
    review(now, RULE)
    later = now + timedelta(hours=30)
    see(token, later)
    review(later, RULE)
    token.refresh_from_db()
    assert (token.status, token.observed_sec) == ("Initial", 3 * 20 * 30.0)  # three of the long intervals of an old token


def test_an_observed_day_without_activation_archives(now):
    token = make(now, observed_sec=86_390.0, last_check_at=now - timedelta(seconds=30))
    see(token, now)
    review(now, RULE)
    token.refresh_from_db()
    assert token.status == "Archived"
    assert StatusChange.objects.get().actor == "rule:timeout"


def test_figures_that_came_too_late_change_nothing(now):
    token = make(now)
    see(token, now, liquidity=1e6)
    assert review(now + timedelta(seconds=181), RULE) == 0
    token.refresh_from_db()
    assert token.last_check_at is None


@pytest.mark.parametrize("flagged", ["price_jump", "trades_without_volume window_5m_over_1h"])
def test_contradictions_never_promote(now, flagged):
    token = make(now)
    see(token, now, liquidity=1e9, tx_count_5m=10_000, contradictions=flagged)
    assert review(now, RULE) == 0


def test_old_figures_returned_once_more_never_promote(now):
    token = make(now)
    see(token, now, source="birdeye", liquidity=1e9, tx_count_5m=500, last_trade_at=now - timedelta(hours=2))
    assert review(now, RULE) == 0


def test_held_tokens_are_left_alone(now):
    up, down = make(now, "U", held=True), make(now, "D", Status.ACTIVE, held=True)
    checks(up, now, 4, liquidity=1e6)
    checks(down, now, 4, tx_count_5m=0)
    assert not StatusChange.objects.exists()
    assert set(Token.objects.values_list("status", flat=True)) == {"Initial", "Active"}


def test_an_operators_hand_goes_before_the_rule_even_in_mid_review(now, monkeypatch):
    token = make(now)
    see(token, now, liquidity=1e6)
    keep = lifecycle._keep_state

    def slow(*arguments):
        change_status(token, "Archived", "a scam", "olena", now)
        keep(*arguments)

    monkeypatch.setattr(lifecycle, "_keep_state", slow)
    assert review(now, RULE) == 0
    token.refresh_from_db()
    assert (token.status, token.held) == ("Archived", True)


def statements(now, names):
    for name in names:
        see(make(now, name), now, liquidity=1e6)
        see(make(now, f"{name} quiet"), now)
    with CaptureQueriesContext(connection) as captured:
        assert review(now, RULE) == len(names)
    return [query["sql"][:50] for query in captured]


def test_the_number_of_statements_does_not_depend_on_the_number_of_tokens(now):
    few = statements(now, ["one"])
    many = statements(now + timedelta(seconds=30), [f"T{number}" for number in range(60)])
    assert len(few) == len(many) <= 14  # with the savepoints of the test's own transaction


def test_by_hand_any_status_with_a_reason_and_held_until_released(now):
    token = make(now, status=Status.ACTIVE, observed_sec=500.0, low_checks=2)
    change = change_status(token, "Initial", "  too early\n", "olena", now)
    assert (change.old, change.new, change.reason, change.actor) == ("Active", "Initial", "too early", "olena")
    assert (token.status, token.held, token.observed_sec, token.low_checks) == ("Initial", True, 0.0, 0)


def test_to_the_status_it_has_is_no_change_but_holds(now):
    token = make(now)
    assert change_status(token, "Initial", "wait", "olena", now) is None
    assert (token.held, StatusChange.objects.count()) == (True, 0)


@pytest.mark.parametrize(("new", "reason"), [("Initial", ""), ("Initial", " \n\x00"), ("Gone", "why not")])
def test_a_change_without_a_reason_or_to_nowhere_is_refused(now, new, reason):
    with pytest.raises(ValueError):
        change_status(make(now), new, reason, "olena", now)


def test_a_reason_is_one_clean_line(now):
    change = change_status(make(now), "Active", "a\x00b\ud800\r\nc" + "x" * 500, "olena", now)
    assert change.reason.startswith("ab cx")
    assert len(change.reason) == 400


def test_hold_and_release_are_told_in_the_history(now):
    token = make(now)
    assert hold(token, "watching", "olena", now).reason == "held: watching"
    assert hold(token, "again", "olena", now) is None
    assert release(token, "done", "olena", now).reason == "released: done"
    assert list(StatusChange.objects.values_list("old", "new").distinct()) == [("Initial", "Initial")]


def test_a_released_token_starts_with_an_empty_memory(now):
    token = make(now, status=Status.ACTIVE, low_checks=2, low_since=now, held=True)
    release(token, "back to the rule", "olena", now)
    see(token, now + timedelta(hours=3), tx_count_5m=1)
    review(now + timedelta(hours=3), RULE)
    token.refresh_from_db()
    assert (token.status, token.low_checks) == ("Active", 1)
