from datetime import timedelta

import pytest

from ingestion.models import Heartbeat, ListeningGap
from scoring.models import ScoringSettings
from tokens.models import Token
from tothemoon.pulse import TICK_JOBS, measure, pulse

pytestmark = pytest.mark.django_db


def listener(now, beat_sec=1.0, message_sec=1.0, **detail):
    message_at = (now - timedelta(seconds=message_sec)).isoformat()
    Heartbeat.objects.create(
        component="listener",
        ts=now - timedelta(seconds=beat_sec),
        detail={"connected": True, "last_message_at": message_at, **detail},
    )


def jobs(now, age_sec=1.0, **detail):
    for name in (*TICK_JOBS, "scheduler"):
        Heartbeat.objects.create(component=name, ts=now - timedelta(seconds=age_sec), detail={"ms": 70, "ok": True, **detail})


def test_an_empty_database_is_off_and_says_so_in_words(now):
    found = measure(now)
    assert (found.feed_state, found.tick_state, found.active) == ("off", "off", 0)
    assert found.troubles == [
        "The listener has not been started yet: new tokens are not being found.",
        "The scheduler has not been started yet: there are no figures and no scores.",
    ]


def test_a_living_system_is_ok_and_has_no_troubles(now):
    listener(now)
    jobs(now)
    found = measure(now)
    assert found.ok
    assert (found.troubles, found.tick_ms, found.feed_age_sec) == ([], 210, 1.0)


@pytest.mark.parametrize(("message_sec", "state"), [(44, "ok"), (46, "late"), (91, "silent")])
def test_a_quiet_feed_is_late_after_half_the_stall_time_and_then_silent(now, settings, message_sec, state):
    settings.PUMPPORTAL_STALL_SEC = 90
    listener(now, message_sec=message_sec)
    assert measure(now).feed_state == state


def test_a_listener_without_heartbeat_is_off_since_its_last_one(now):
    listener(now, beat_sec=21)
    found = measure(now)
    assert (found.feed_state, found.feed_since) == ("off", now - timedelta(seconds=21))
    assert found.troubles[0] == "The listener is not running since 11:59:39 UTC: new tokens are not being found."


def test_an_open_gap_is_silence_with_its_reason(now):
    listener(now)
    ListeningGap.objects.create(from_ts=now - timedelta(seconds=41), why="refused with 403")
    found = measure(now)
    assert (found.feed_state, found.feed_since) == ("silent", now - timedelta(seconds=41))
    assert found.troubles[0] == "New tokens are not being heard since 11:59:19 UTC: refused with 403."


def test_a_listener_that_is_not_connected_is_silent(now):
    listener(now, connected=False)
    assert measure(now).feed_state == "silent"


def test_a_listener_that_has_heard_nothing_yet_is_judged_by_its_start(now):
    listener(now, last_message_at=None)
    assert measure(now).feed_state == "ok"


def test_a_job_is_late_after_two_intervals_and_a_deadline(now, settings):
    settings.SCHED_INTERVAL_INITIAL_SEC = settings.SCHED_INTERVAL_ACTIVE_SEC = 30
    settings.HTTP_DEADLINE_SEC = 15
    jobs(now)
    Heartbeat.objects.filter(component="job:poll_active").update(ts=now - timedelta(seconds=76))
    found = measure(now)
    assert (found.tick_state, found.late_jobs) == ("late", ("job:poll_active",))
    assert found.troubles[1] == "Figures are late: poll_active has not run since 11:58:44 UTC."


def test_the_operators_interval_goes_before_the_environments(now, settings):
    settings.HTTP_DEADLINE_SEC = 15
    ScoringSettings.objects.update(interval_initial_sec=300, interval_active_sec=300, freshness_limit_sec=300, export_max_age_sec=300)
    jobs(now, age_sec=400)
    assert measure(now).tick_state == "ok"


def test_a_dead_scheduler_is_off_since_its_last_tick(now):
    jobs(now, age_sec=3600)
    found = measure(now)
    assert (found.tick_state, found.tick_since) == ("off", now - timedelta(seconds=3600))
    assert "The scheduler is not running since 11:00:00 UTC" in found.troubles[1]


def test_a_job_that_fails_is_named(now):
    jobs(now)
    Heartbeat.objects.filter(component="job:score").update(detail={"ms": 3, "ok": False, "error": "boom"})
    found = measure(now)
    assert (found.tick_state, found.failing_jobs) == ("failing", ("job:score",))


def test_a_failing_cleanup_is_told_but_does_not_make_the_tick_bad(now):
    jobs(now)
    Heartbeat.objects.create(component="job:cleanup", ts=now, detail={"ok": False})
    found = measure(now)
    assert (found.tick_state, found.failing_jobs) == ("ok", ("job:cleanup",))


def test_tokens_are_counted_by_status(now):
    for status, address in [("Active", "A"), ("Active", "B"), ("Archived", "C")]:
        Token.objects.create(address=address, status=status)
    assert measure(now).counts == {"Active": 2, "Initial": 0, "Archived": 1}


def test_the_pulse_is_remembered_for_two_seconds_and_costs_five_queries(now, django_assert_num_queries):
    jobs(now)
    with django_assert_num_queries(5):
        first = pulse(now)
    with django_assert_num_queries(0):
        assert pulse(now + timedelta(seconds=1.9)) == first
    assert pulse(now + timedelta(seconds=2.1)) != first


def test_rubbish_in_a_heartbeat_is_no_reason_to_fall(now):
    listener(now, last_message_at="yesterday")
    jobs(now, ms="fast")
    assert measure(now).tick_ms == 0


def test_figures_of_a_moment_yet_to_come_are_told_of_until_it_has_come(now):
    listener(now)
    jobs(now, figures_until=(now + timedelta(hours=1)).isoformat())
    found = measure(now)
    assert found.troubles == [
        "The clock has gone back: figures are dated up to 13:00:00 UTC, and until then their tokens are not asked about again."
    ]
    assert (found.ok, measure(now + timedelta(hours=2)).figures_until) == (False, None)
