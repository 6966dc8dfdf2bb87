import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ingestion import birdeye, dexscreener
from ingestion.facts import PoolFacts, TokenFacts
from ingestion.models import Heartbeat
from ingestion.politeness import stopping
from scoring.models import ScoringSettings, TokenScore
from tokens.models import StatusChange, Token, TokenSnapshot
from tothemoon import schedule
from tothemoon.leader import only_one
from tothemoon.recurring import EverySoOften, OncePerJob, OncePerKind
from tothemoon.schedule import JOBS, Job, JobsFailed, NoLongerLeader, Schedule, Stuck, TakenOver
from tothemoon.tests.migrated import migrate
from tothemoon.worker import StopFlag

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PATIENCE_SEC = 20


class Leader:
    def __init__(self, mine=True, another=False):
        self.mine, self.another = mine, another

    def still_mine(self):
        return self.mine

    def taken_by_another(self):
        return self.another


class Hand:
    """A clock that somebody turns."""

    def __init__(self, seconds=1_000.0):
        self.seconds = seconds

    def __call__(self):
        return self.seconds


def job(name, work=lambda work: {}, every=3600.0, **kinds):
    return Job(name, lambda revision: every, work, **kinds)


def failing(error):
    def work(_):
        raise error

    return work


def a_schedule(*table, leader=None, **clocks):
    return Schedule(leader or Leader(), StopFlag(), table, **clocks)


def beats():
    return {row.component: row.detail for row in Heartbeat.objects.all()}


# The trigger


def times(trigger, previous, now, number=3):
    found = []
    for _ in range(number):
        previous = trigger.get_next_fire_time(previous, now)
        found.append((previous - NOON).total_seconds())
    return found


def test_the_first_run_is_at_once_and_the_next_one_an_interval_later():
    every = EverySoOften(lambda: 30)
    assert every.get_next_fire_time(None, NOON) == NOON
    assert every.get_next_fire_time(NOON, NOON) == NOON + timedelta(seconds=30)


def test_after_a_freeze_one_run_makes_up_for_all_that_were_missed():
    later = NOON + timedelta(seconds=95)
    assert EverySoOften(lambda: 30).get_next_fire_time(NOON, later) == NOON + timedelta(seconds=120)


def test_a_clock_that_jumps_a_year_ahead_brings_one_run_and_not_a_million():
    next_year = NOON + timedelta(days=365, seconds=7)
    following = EverySoOften(lambda: 2).get_next_fire_time(NOON, next_year)
    assert next_year < following <= next_year + timedelta(seconds=2)


def test_a_clock_that_jumps_back_an_hour_brings_no_hour_of_silence():
    following = EverySoOften(lambda: 30).get_next_fire_time(NOON, NOON - timedelta(hours=1))
    assert following == NOON - timedelta(hours=1) + timedelta(seconds=30)


# All once


@pytest.mark.django_db
def test_once_is_every_job_in_the_order_of_the_table():
    order = []
    table = [job(name, lambda work, name=name: order.append(name) or {"tokens": 7}) for name in ("a", "b", "c")]
    said = a_schedule(*table).once()
    assert order == ["a", "b", "c"]
    assert said["b"]["tokens"] == 7
    assert beats()["job:c"] == said["c"]
    assert beats()["scheduler"] == {"leader": True, "overlaps": 0, "clock_jumps": 0}


@pytest.mark.django_db
@pytest.mark.parametrize("error", [ValueError("x"), RecursionError(), MemoryError(), KeyError("y")])
def test_a_job_that_raises_is_counted_by_name_and_stops_no_other(error):
    order = []
    table = [job("good", lambda work: order.append(1) or {}), job("bad", failing(error)), job("last", lambda work: order.append(2) or {})]
    with pytest.raises(JobsFailed, match=rf"failed: bad \({type(error).__name__}\)"):
        a_schedule(*table).once()
    assert order == [1, 2]
    detail = beats()["job:bad"]
    assert (detail["ok"], detail["error"], detail["runs"], detail["failures"]) == (False, type(error).__name__, 1, 1)
    assert beats()["job:last"]["ok"]


@pytest.mark.django_db
def test_told_to_stop_a_single_run_ends_its_requests_at_once_and_leaves_the_next_one_free():
    ended = []

    def asks(work):
        work.stop.set()
        ended.append(stopping.wait(20))
        return {}

    a_schedule(job("asks", asks)).once()
    assert ended == [True]
    assert not stopping.is_set()


@pytest.mark.django_db
def test_the_table_names_the_jobs_that_the_pulse_asks_about():
    polls = ["poll_initial", "poll_active", "poll_exchange"]
    assert [entry.name for entry in JOBS] == [
        *polls,
        "fill_bars",
        "stages",
        "gate_ledger",
        "score",
        "alerts",
        "deliver_alerts",
        "evidence",
        "settle",
        "check_evidence",
        "models",
        "cleanup",
    ]
    assert [entry.name for entry in JOBS if entry.then == "score"] == polls
    assert [(entry.name, entry.then) for entry in JOBS if entry.name in ("score", "alerts")] == [
        ("score", "alerts"),
        ("alerts", "deliver_alerts"),
    ]


@pytest.mark.django_db
def test_who_has_lost_the_lock_writes_nothing_and_says_so():
    schedule = a_schedule(*JOBS, leader=Leader(mine=False))
    with pytest.raises(JobsFailed, match="NoLongerLeader"):
        schedule.once()
    assert not schedule.stop.is_set()


@pytest.mark.django_db(transaction=True)  # it beats once more, on a connection of its own
def test_who_has_lost_the_lock_to_another_stops():
    def writes(work):
        with work.writing():
            return {}

    schedule = a_schedule(job("score", writes), leader=Leader(mine=False, another=True))
    with pytest.raises(NoLongerLeader):
        schedule.run(schedule.table["score"])
    assert schedule.stop.is_set()
    with pytest.raises(TakenOver):
        schedule.forever()


@pytest.mark.django_db
@pytest.mark.parametrize(("ahead_sec", "told"), [(3600, True), (30, False)])
def test_the_beat_tells_of_figures_that_the_clock_has_yet_to_come_to(ahead_sec, told):
    ahead = timezone.now() + timedelta(seconds=ahead_sec)
    Token.objects.create(address="A" * 44, status="Active", last_snapshot_at=ahead)
    a_schedule().beat()
    assert beats()["scheduler"].get("figures_until") == (ahead.isoformat() if told else None)


@pytest.mark.django_db
def test_intervals_follow_the_settings_without_a_restart():
    schedule = a_schedule(*JOBS)
    assert schedule.intervals["poll_active"] == settings.SCHED_INTERVAL_ACTIVE_SEC
    ScoringSettings.objects.filter(active=True).update(interval_active_sec=7)
    schedule.beat()
    assert (schedule.intervals["poll_active"], schedule.intervals["score"]) == (7, 10.5)
    assert schedule.intervals["poll_initial"] == settings.SCHED_INTERVAL_INITIAL_SEC


# The look from the main thread


@pytest.mark.parametrize("jump", [3600, -3600, 365 * 86_400])
def test_a_jump_of_the_clock_on_the_wall_is_noticed_once(jump):
    clock, wall = Hand(), Hand(1e9)
    schedule = a_schedule(job("poll", tick=True), clock=clock, wall=wall)
    began_at = schedule.began_at
    wall.seconds += jump
    for _ in range(3):
        clock.seconds += 1
        wall.seconds += 1
        schedule.look()
    assert schedule.clock_jumps == 1
    assert schedule.began_at - began_at == timedelta(seconds=jump)  # it has been looking for as long as before


def test_a_second_of_drift_is_no_jump():
    clock, wall = Hand(), Hand(1e9)
    schedule = a_schedule(job("poll", tick=True), clock=clock, wall=wall)
    wall.seconds += 29
    schedule.look()
    assert schedule.clock_jumps == 0


def look_for(schedule, clock, seconds):
    for _ in range(seconds):
        clock.seconds += 1
        schedule.look()


def test_a_job_of_the_tick_that_hangs_for_three_intervals_ends_the_process():
    clock = Hand()
    schedule = a_schedule(job("poll", every=30.0, tick=True), job("other", every=30.0), clock=clock, wall=clock)
    schedule.tallies["poll"].started_at = clock()
    look_for(schedule, clock, 99)
    with pytest.raises(Stuck, match="poll"):
        look_for(schedule, clock, 2)


def test_a_job_that_never_begins_is_noticed_too():
    clock = Hand()
    schedule = a_schedule(job("poll", every=30.0, tick=True), clock=clock, wall=clock)
    with pytest.raises(Stuck):
        look_for(schedule, clock, 101)


def test_a_process_that_was_stopped_for_ten_minutes_is_not_stuck():
    clock = Hand()
    schedule = a_schedule(job("poll", every=30.0, tick=True), clock=clock, wall=clock)
    schedule.tallies["poll"].started_at = clock()
    clock.seconds += 600
    look_for(schedule, clock, 50)
    assert schedule.clock_jumps == 0


def test_systemd_hears_nothing_while_a_job_of_the_tick_is_at_work(monkeypatch):
    clock, heard = Hand(), []
    monkeypatch.setattr(schedule.worker, "alive", lambda: heard.append(clock()))
    at_work = a_schedule(job("poll", every=30.0, tick=True), clock=clock, wall=clock)
    at_work.tallies["poll"].started_at = clock()
    look_for(at_work, clock, 30)
    assert heard == []
    at_work.tallies["poll"].started_at = None
    look_for(at_work, clock, 1)
    assert len(heard) == 1


# For ever


def in_the_background(schedule):
    ended = []
    thread = threading.Thread(target=lambda: ended.append(schedule.forever()))
    thread.start()
    return thread, ended


@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_due_while_the_one_before_is_at_work_is_skipped_and_counted():
    at_work, let_go, overlapped = threading.Event(), threading.Event(), threading.Event()

    def long(work):
        at_work.set()
        let_go.wait(PATIENCE_SEC)
        return {}

    schedule = a_schedule(job("long", long, every=0.05))
    schedule._scheduler.add_listener(lambda event: overlapped.set(), 2**16)
    thread, ended = in_the_background(schedule)
    assert at_work.wait(PATIENCE_SEC)
    assert overlapped.wait(PATIENCE_SEC)
    schedule.stop.set()
    let_go.set()
    thread.join(PATIENCE_SEC)
    assert ended == [True]
    assert schedule.tallies["long"].overlaps >= 1
    assert beats()["job:long"]["overlaps"] >= 1


@pytest.mark.django_db(transaction=True)
def test_a_job_that_fails_goes_on_and_the_job_after_it_runs_each_time():
    runs, thrice = Counter(), threading.Event()

    def bad(work):
        runs["bad"] += 1
        raise OperationalError("the server closed the connection")

    def after(work):
        runs["after"] += 1
        if runs["after"] >= 3 and runs["bad"] >= 3:
            thrice.set()
        return {}

    schedule = a_schedule(job("bad", bad, every=0.3, tick=True, then="after"), job("after", after, tick=True))
    thread, _ = in_the_background(schedule)
    assert thrice.wait(PATIENCE_SEC)
    schedule.stop.set()
    thread.join(PATIENCE_SEC)
    assert schedule.tallies["bad"].failures >= 3
    assert schedule.tallies["after"].overlaps == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server to lose")
def test_a_session_that_the_server_ends_costs_one_run():
    def reads(work):
        return {"tokens": Token.objects.count()}

    def is_cut(work):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return {}

    schedule = a_schedule(job("reads", reads), job("cut", is_cut))
    with pytest.raises(OperationalError):
        schedule.run(schedule.table["cut"])
    schedule.run(schedule.table["reads"])
    assert (schedule.tallies["cut"].failures, schedule.tallies["reads"].failures) == (1, 0)
    assert beats()["job:reads"]["ok"]


@pytest.mark.django_db(transaction=True)
def test_each_job_leaves_no_connection_behind():
    a_schedule(job("reads", lambda work: {"tokens": Token.objects.count()})).once()
    assert connection.connection is None


def test_that_a_job_is_skipped_is_said_once_in_ten_seconds():
    clock = Hand()
    seldom = OncePerJob(clock)

    def said(job):
        return seldom.filter(logging.makeLogRecord({"msg": 'Execution of job "%s" skipped (%d)', "args": (SimpleNamespace(id=job), 1)}))

    assert [said(job) for job in ("score", "score", "alerts")] == [True, False, True]
    clock.seconds += 10
    assert said("score")


def test_of_errors_of_one_kind_one_in_ten_seconds_is_logged():
    clock = Hand()
    seldom = OncePerKind(clock)

    def said(kind):
        return seldom.filter(logging.makeLogRecord({"exc_info": (kind, kind(), None)}))

    assert [said(kind) for kind in (OperationalError, OperationalError, ValueError)] == [True, False, True]
    clock.seconds += 10
    assert said(OperationalError)
    assert seldom.filter(logging.makeLogRecord({"msg": "no error"}))


def test_two_jobs_write_one_after_the_other():
    together = a_schedule(job("a"), job("b"))
    with together._writing():
        assert not together._turn_to_write.acquire(blocking=False)
    assert together._turn_to_write.acquire(blocking=False)


# One whole tick


@pytest.fixture
def market(monkeypatch):
    """Both services, where the processes take them from: every token is alive and kicking."""

    class Market:
        has_key = False  # no bars are filled back

        def usable(self, now):
            return True

        def affordable(self, now):
            return 10**6

        def probe(self, now):
            pass

        def take_spend(self):
            return {}

        def overviews(self, addresses, now):
            figures = {"price": 0.01, "liquidity": 9_000.0, "holders": 100, "tx_count_5m": 60, "tx_count_1h": 600}
            flow = {"volume_5m": 50.0, "volume_1h": 500.0, "buys_volume_5m": 30.0, "sells_volume_5m": 20.0}
            return {address: TokenFacts(address, **figures, **flow) for address in addresses}

        def pools(self, mints, now):
            return {
                mint: [PoolFacts(mint, f"{side}{mint[1:]}", "pumpswap", liquidity=4_500.0, price=0.01) for side in "PQ"] for mint in mints
            }

        def pools_of(self, mint, now):
            return None

    for module in (birdeye, dexscreener):
        monkeypatch.setattr(module, "from_settings", lambda once=False: Market())


@pytest.fixture
def time_machine_at_noon(time_machine):
    time_machine.move_to(NOON, tick=False)


def newborn(number):
    Token.objects.bulk_create([Token(address=f"T{n:043}") for n in range(number)])


@pytest.mark.django_db
def test_one_round_takes_a_new_token_to_active_with_a_score(market):
    newborn(1)
    call_command("run_scheduler", "--once")
    token = Token.objects.get()
    assert token.status == "Active"
    assert TokenScore.objects.get().ts == TokenSnapshot.objects.get().ts == token.last_scored_at
    assert StatusChange.objects.get().actor == "rule:activate"
    assert beats()["job:score"]["changes"] == 1


@pytest.mark.django_db
def test_the_same_round_a_second_time_changes_nothing(market, time_machine_at_noon):
    newborn(3)
    for _ in range(2):
        call_command("run_scheduler", "--once")
    assert (TokenSnapshot.objects.count(), TokenScore.objects.count(), StatusChange.objects.count()) == (3, 3, 3)


@pytest.mark.django_db
def test_a_person_who_runs_it_again_a_second_later_gets_new_figures_of_every_token(market, time_machine, time_machine_at_noon):
    newborn(2)
    for second in range(3):
        time_machine.move_to(NOON + timedelta(seconds=second), tick=False)
        call_command("run_scheduler", "--once")
    assert (TokenSnapshot.objects.count(), TokenScore.objects.count()) == (6, 6)


@pytest.mark.django_db
def test_a_whole_tick_has_the_same_statements_for_fifty_tokens_as_for_five_hundred(market):
    def statements(number):
        Token.objects.all().delete()
        newborn(number)
        tick = a_schedule(*(entry for entry in JOBS if entry.tick))
        with CaptureQueriesContext(connection) as captured:
            for name in ("poll_initial", "score"):
                tick.run(tick.table[name])
        assert TokenScore.objects.count() == StatusChange.objects.count() == number
        return [re.sub(r"\d+ times|s\d+_x\d+", "…", query["sql"])[:60] for query in captured]

    few, many = statements(50), statements(500)
    assert Counter(few) == Counter(many)
    assert len(many) <= 40


# The command


@pytest.mark.django_db
def test_once_beside_another_scheduler_says_so_and_fails():
    with only_one("scheduler"), pytest.raises(CommandError, match="another scheduler is running"):
        call_command("run_scheduler", "--once")


@pytest.mark.django_db
def test_once_with_a_broken_job_fails(monkeypatch):
    monkeypatch.setattr(schedule, "JOBS", ())
    monkeypatch.setattr(Schedule.__init__, "__defaults__", ((job("bad", failing(ValueError())),), *Schedule.__init__.__defaults__[1:]))
    with pytest.raises(CommandError, match=r"bad \(ValueError\)"):
        call_command("run_scheduler", "--once")


def managed(*arguments, database):
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{database}", "READ_DOTENV": "0"}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=240
    )


def test_a_database_without_tables_is_named_as_the_cause(tmp_path):
    done = managed("run_scheduler", "--once", database=tmp_path / "empty.sqlite3")
    assert done.returncode == 1
    assert "migrations: run `manage.py migrate`" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_process_beats_and_ends_at_once_when_told_to(tmp_path):
    database = tmp_path / "db.sqlite3"
    migrate(f"sqlite:///{database}")
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{database}", "READ_DOTENV": "0"}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "run_scheduler"], cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE
    )
    try:
        stop = StopFlag(after=PATIENCE_SEC)
        while not stop.wait(0.05) and not components(database) >= {"scheduler", "job:poll_initial", "job:poll_active", "job:score"}:
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SEC) == 0
    finally:
        process.kill()
        process.communicate()


def components(database):
    with closing(sqlite3.connect(database)) as reader:
        return {component for (component,) in reader.execute("SELECT component FROM heartbeats")}
