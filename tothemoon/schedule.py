"""What runs when, and the process that runs it.

The clock on the wall may jump, a job may hang, the database may go away: none of it stops the other jobs, and all of it is counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, EVENT_JOB_MAX_INSTANCES, JobExecutionEvent, JobSubmissionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from django.conf import settings
from django.db import close_old_connections, connection
from django.utils import timezone

from ingestion import ledger
from ingestion.models import Heartbeat
from ingestion.politeness import stopping
from learning import model_watch
from learning.recorder import Recorder
from scoring.models import ScoringSettings
from scoring.settings_in_force import active_settings, interval_sec
from tokens.every_bar import EveryBar
from tokens.freshness import CLOCKS_DIFFER
from tokens.models import Status, Token
from tokens.recent_bars import RecentBars
from tothemoon import jobs, worker
from tothemoon.jobs import Work
from tothemoon.leader import Mine
from tothemoon.recurring import EverySoOften, OncePerJob, OncePerKind
from tothemoon.worker import StopFlag

log = logging.getLogger(__name__)

DAY_SEC = 86_400.0
BARS_SEC = 30.0
STAGES_SEC = 15.0  # between two looks for a minute that is over
LEDGER_SEC = 900.0
EVIDENCE_SEC = 15.0  # between two looks for a mark
SETTLE_SEC = 60.0
DELIVERY_SEC = 60.0  # longer than one delivery lasts, so that none is skipped
HEARTBEAT_SEC = 5.0
LOOK_SEC = 1.0
CLOCK_JUMP_SEC = 30.0
FROZEN_SEC = 5.0
LAST_WAIT_SEC = 20.0  # for jobs at work when the process is told to stop


def _initial(revision: ScoringSettings) -> float:
    return interval_sec(revision, Status.INITIAL)


def _active(revision: ScoringSettings) -> float:
    return interval_sec(revision, Status.ACTIVE)


@dataclass(frozen=True)
class Job:
    """A piece of work and how often it is done. A `tick` is watched: one that hangs ends the process."""

    name: str
    every: Callable[[ScoringSettings], float]
    work: Callable[[Work], dict[str, Any]]
    tick: bool = False
    then: str = ""  # the job to run right after it


JOBS = (
    Job("poll_initial", _initial, jobs.poll_initial, tick=True, then="score"),
    Job("poll_active", _active, jobs.poll_active, tick=True, then="score"),
    Job("poll_exchange", _active, jobs.poll_exchange, tick=True, then="score"),
    Job("fill_bars", lambda revision: BARS_SEC, jobs.fill_bars),
    Job("stages", lambda revision: STAGES_SEC, jobs.stages),
    Job("gate_ledger", lambda revision: LEDGER_SEC, jobs.gate_ledger),
    # The next two come on their own only if no poll ends, or no score.
    Job("score", lambda revision: 1.5 * min(_initial(revision), _active(revision)), jobs.score, tick=True, then="alerts"),
    Job("alerts", lambda revision: 1.5 * min(_initial(revision), _active(revision)), jobs.alerts, then="deliver_alerts"),
    Job("deliver_alerts", lambda revision: DELIVERY_SEC, jobs.deliver_alerts),
    Job("evidence", lambda revision: EVIDENCE_SEC, jobs.evidence),
    Job("settle", lambda revision: SETTLE_SEC, jobs.settle),
    Job("check_evidence", lambda revision: LEDGER_SEC, jobs.check_evidence),
    Job("models", lambda revision: model_watch.EVERY_SEC, jobs.models),
    Job("cleanup", lambda revision: DAY_SEC, jobs.clean_up),
)


class NoLongerLeader(RuntimeError):
    """The lock of the one scheduler is not held at this moment: nothing may be written."""


class TakenOver(RuntimeError):
    """Another scheduler is at work on this database now."""


class JobsFailed(RuntimeError):
    """Some jobs failed; the others ran all the same."""


class Stuck(RuntimeError):
    """A job of the tick has not ended for three intervals."""


@dataclass
class Tally:
    """What became of the runs of one job since the process began."""

    ended_at: float  # both on the monotonic clock
    started_at: float | None = None  # None while it is not running
    runs: int = 0
    failures: int = 0
    overlaps: int = 0
    awaited: bool = False  # a run has been asked for and has not begun
    detail: dict[str, Any] = field(default_factory=dict)


class Schedule:
    """Runs the jobs, all once in their order or for ever side by side, as the holder of the leader's lock."""

    def __init__(
        self,
        leader: Mine,
        stop: StopFlag,
        table: Sequence[Job] = JOBS,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.leader, self.stop, self.table, self.clock, self.wall = leader, stop, {job.name: job for job in table}, clock, wall
        self.tallies = {job.name: Tally(ended_at=clock()) for job in table}
        self.intervals = {job.name: job.every(ScoringSettings()) for job in table}
        self.clock_jumps = 0
        self.taken_over = self._ahead = False
        self.began_at = timezone.now()
        self._looked_at, self._drift = clock(), wall() - clock()
        self._recent = RecentBars()  # for the one job that reads them
        self._every = EveryBar()
        self._recorder = Recorder(self._every.minutes)
        self._turn_to_write = threading.Lock()
        self._running = threading.Condition()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(len(self.table) + 2)},
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
        )
        self._scheduler.add_listener(self._overlapped, EVENT_JOB_MAX_INSTANCES)
        self._scheduler.add_listener(self._ended, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)

    def once(self) -> dict[str, dict[str, Any]]:
        """Every job once, in the order of the table, also after one that failed: then JobsFailed is raised at the end."""
        with _requests_end_with(self.stop), ExitStack() as every_job:
            every_job.push(self._sum_up)
            every_job.callback(self.beat)
            for job in reversed(self.table.values()):
                every_job.callback(self.run, job, once=True)
            every_job.callback(self._probe, once=True)
            every_job.callback(self._read_intervals)
        return {name: tally.detail for name, tally in self.tallies.items()}

    def _sum_up(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        failed = [f"{name} ({tally.detail['error']})" for name, tally in self.tallies.items() if tally.failures]
        if failed:
            log.error("jobs failed", exc_info=error)
            raise JobsFailed(f"failed: {', '.join(failed)}; the other jobs ran") from error

    def forever(self) -> bool:
        """Until told to stop. Whether every job had ended by then: if not, the process may not wait for its threads."""
        errors, skips = logging.getLogger("apscheduler.executors.default"), logging.getLogger("apscheduler.scheduler")
        errors.addFilter(once_per_kind := OncePerKind())
        skips.addFilter(once_per_job := OncePerJob())
        self._scheduler.add_job(self._probe)
        self._scheduler.add_job(self.beat, EverySoOften(lambda: HEARTBEAT_SEC), id="heartbeat")
        for job in self.table.values():
            self._scheduler.add_job(
                self.run, EverySoOften(partial(self.intervals.__getitem__, job.name)), [job], id=job.name, name=job.name
            )
        self._scheduler.start()
        try:
            while not self.stop.wait(LOOK_SEC):
                self.look()
        finally:
            self._scheduler.remove_all_jobs()  # else its thread may still hand one to the executors that are gone
            self._scheduler.shutdown(wait=False)
            errors.removeFilter(once_per_kind)
            skips.removeFilter(once_per_job)
        if self.taken_over:
            raise TakenOver("another scheduler is at work on this database now")
        stopping.set()  # requests under way and waits for a turn end at once
        try:
            with self._running:
                return self._running.wait_for(lambda: not any(tally.started_at for tally in self.tallies.values()), LAST_WAIT_SEC)
        finally:
            stopping.clear()

    def run(self, job: Job, once: bool = False) -> None:
        """One run of one job. What it raises is counted and noted, and then raised."""
        tally, began, error = self.tallies[job.name], self.clock(), ""
        tally.started_at, tally.awaited = began, False
        tally.runs += 1
        counted: dict[str, Any] = tally.detail.get("counted", {})  # goes on through runs that fail
        detail: dict[str, Any] = {"tokens": 0, **({"counted": counted} if counted else {})}
        try:
            with _connection_of_its_own():
                try:
                    began_at, recorder = (None, None) if once else (self.began_at, self._recorder)
                    work = Work(timezone.now(), self._writing, self.stop, once, began_at, self._recent, counted, self._every, recorder)
                    detail = job.work(work)
                except Exception as failure:
                    tally.failures += 1
                    error = type(failure).__name__
                    raise
                finally:
                    counts = {"runs": tally.runs, "failures": tally.failures, "overlaps": tally.overlaps}
                    tally.detail = {**detail, "ms": round((self.clock() - began) * 1000, 1), "ok": not error, "error": error, **counts}
                    _note(f"job:{job.name}", timezone.now(), self.began_at, tally.detail)
        finally:
            if job.tick:
                worker.alive()
            with self._running:
                tally.started_at, tally.ended_at = None, self.clock()
                self._running.notify_all()

    def beat(self) -> None:
        """A sign of life, and a look at what the operator has set."""
        with _connection_of_its_own():
            overlaps = sum(tally.overlaps for tally in self.tallies.values())
            detail: dict[str, Any] = {"leader": True, "overlaps": overlaps, "clock_jumps": self.clock_jumps}
            now, until = timezone.now(), Token.objects.figures_until()
            ahead = until is not None and until > now + CLOCKS_DIFFER
            if ahead or self._ahead:  # once more when they are gone: bars of that time that were remembered would come true
                self._every.forget()
            self._ahead = ahead
            if until is not None and ahead:
                detail |= {"figures_until": until.isoformat()}
            _note("scheduler", now, self.began_at, detail)
            ledger.flush(timezone.now())
            self._read_intervals()

    def look(self) -> None:
        """Once a second, from the main thread: has the clock jumped, has a job of the tick hung?"""
        now = self.clock()
        away = now - self._looked_at
        self._looked_at = now
        if away > FROZEN_SEC:  # the process was stopped for a while, and its jobs with it
            for tally in self.tallies.values():
                tally.ended_at += away
                tally.started_at = tally.started_at and tally.started_at + away
        drift = self.wall() - now
        if abs(drift - self._drift) > CLOCK_JUMP_SEC:
            log.warning("the clock has jumped by %.0f s: every job runs now and is counted from here", drift - self._drift)
            self.clock_jumps += 1
            self.began_at += timedelta(seconds=drift - self._drift)
            self._every.forget()
            self._drift = drift
            for name in self.table:
                self._wake(name)
        self._watch(now)

    def _watch(self, now: float) -> None:
        """Ends the process over a job of the tick that does not end; tells systemd that all is well only while none is at work."""
        ticks = [(name, self.tallies[name]) for name, job in self.table.items() if job.tick]
        for name, tally in ticks:
            allowed = max(3 * self.intervals[name], 2 * settings.HTTP_DEADLINE_SEC) + 10
            if now - (tally.started_at or tally.ended_at) > allowed:
                raise Stuck(f"{name} has not ended for {now - (tally.started_at or tally.ended_at):.0f} s")
        if not any(tally.started_at for _, tally in ticks):
            worker.alive()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One job at a time, so that two never wait for each other's rows, and only while the lock of the one scheduler is ours."""
        with self._turn_to_write:
            if not self.leader.still_mine():
                if self.leader.taken_by_another():
                    self.taken_over = True
                    self.stop.set()
                raise NoLongerLeader("the lock of the one scheduler is not held: nothing was written")
            yield

    def _probe(self, once: bool = False) -> None:
        with _connection_of_its_own():
            jobs.probe_services(timezone.now(), once)

    def _read_intervals(self) -> None:
        revision = active_settings()
        for name, job in self.table.items():
            before, self.intervals[name] = self.intervals[name], job.every(revision)
            if self.intervals[name] < before:
                self._wake(name)

    def _wake(self, name: str) -> None:
        """Run it now and count from here; if it is at work, once more when it is done."""
        tally = self.tallies[name]
        with self._running:
            at_once = tally.started_at is None and not tally.awaited
            tally.awaited = True
        if at_once and self._scheduler.running:
            self._scheduler.modify_job(name, next_run_time=datetime.now(UTC))

    def _ended(self, event: JobExecutionEvent) -> None:
        """In the thread of the job that has ended: now is the turn of the one that goes with it."""
        job = self.table.get(event.job_id)
        if job is None or self.stop.is_set():
            return
        if self.tallies[job.name].awaited:
            self.tallies[job.name].awaited = False
            self._wake(job.name)
        if job.then:
            self._wake(job.then)

    def _overlapped(self, event: JobSubmissionEvent) -> None:
        """Skipped, because the run before has not ended: the log and the heartbeat show the overload."""
        if event.job_id in self.tallies:
            self.tallies[event.job_id].overlaps += 1


@contextmanager
def _requests_end_with(stop: StopFlag) -> Iterator[None]:
    """Requests under way and waits for a turn end as soon as the process is told to stop, although its one thread waits for them."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            if stop.wait(LOOK_SEC) and not over.is_set():
                stopping.set()
                return

    threading.Thread(target=watch, name="end of requests", daemon=True).start()
    try:
        yield
    finally:
        over.set()
        stopping.clear()


@contextmanager
def _connection_of_its_own() -> Iterator[None]:
    """A thread's connection lives as long as its job: one that a restart of the database has cut is not met again."""
    if connection.in_atomic_block:  # somebody else's transaction, in a test
        yield
        return
    close_old_connections()
    try:
        yield
    finally:
        connection.close()


def _note(component: str, at: datetime, began_at: datetime, detail: dict[str, Any]) -> None:
    Heartbeat.objects.bulk_create(
        [Heartbeat(component=component, ts=at, started_at=began_at, detail=detail)],
        update_conflicts=True,
        unique_fields=["component"],
        update_fields=["ts", "started_at", "detail"],
    )
