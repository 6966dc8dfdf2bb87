"""The scheduler's jobs on several machines: the leader says what is due, and workers on any machine do it.

PostgreSQL is where they meet, and its clock is the only one that counts. Who writes holds a lock for the length of his transaction and
looks first whether the job is still his: one that was cut off and has been given up writes nothing when it comes back. Imported only
where CLUSTER is on, by `run_scheduler --enqueue` and by `procrastinate worker`.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.job_context import JobContext
from procrastinate.jobs import Status as JobStatus
from procrastinate.types import JSONDict

from ingestion.due import MOST_A_TICK
from ingestion.leases import Terms, run_out
from ingestion.models import Heartbeat
from scoring.settings_in_force import active_settings, interval_sec
from tokens.every_bar import EveryBar
from tokens.models import Chain, Status, Token
from tokens.recent_bars import RecentBars
from tothemoon.jobs import Work
from tothemoon.schedule import JOBS, Job
from tothemoon.worker import StopFlag

log = logging.getLogger(__name__)

SHARED = {"poll_initial": Status.INITIAL, "poll_active": Status.ACTIVE}  # several at once, each with a share of the tokens
TABLE = {job.name: job for job in JOBS}
POLLS, OTHERS = "polls", "jobs"  # the queues: a machine may be told to take one of them only
FIRST = 10  # who scores waits for the next free hands, who polls for those after
TURN_TO_WRITE = int.from_bytes(hashlib.sha256(b"tothemoon:turn to write").digest()[:8], signed=True)
LOOKS = 5  # for what has been left behind, in the time that it may be left
HOURS_KEPT = 24  # jobs that failed, for people to look at

_ticks: dict[str, datetime] = {}  # of the leader: the newest of each job that is shared out


class GivenUp(RuntimeError):
    """This worker was not heard of for too long, and its job was given to another one: nothing was written."""


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        (now,) = cursor.fetchone()
    return now  # type: ignore[no-any-return]


# The leader: what is due


def table() -> Sequence[Job]:
    """What the leader does instead of the jobs: it puts them on the list for whoever has hands free."""
    listed = tuple(replace(job, name=f"enqueue:{job.name}", work=_enqueueing(job), then="") for job in JOBS)
    return (*listed, Job("enqueue:rescue", lambda revision: settings.CLUSTER_LEASE_SEC / LOOKS, rescue))


def _enqueueing(job: Job) -> Callable[[Work], dict[str, Any]]:
    def enqueue(work: Work) -> dict[str, Any]:
        with work.writing():
            return enqueue_shares(job.name) if job.name in SHARED else {"tokens": 0, "enqueued": enqueue_one(job.name)}

    return enqueue


def enqueue_one(name: str) -> int:
    """Unless it waits already: then one run will do for both."""
    try:
        app.tasks[name].defer(tick=database_now().isoformat())
    except AlreadyEnqueued:
        return 0
    return 1


def enqueue_shares(name: str) -> dict[str, Any]:
    """As many shares as the tokens that are due need, less those that wait from the tick before. One at least: it says that all is well."""
    tick, status = database_now(), SHARED[name]
    horizon = tick + timedelta(seconds=interval_sec(active_settings(), status) / 2)
    due = Token.objects.filter(status=status, chain=Chain.SOLANA, next_poll_at__lte=horizon)[:MOST_A_TICK].count()
    there = waiting(name)
    shares = max(0, max(1, -(-due // settings.CLUSTER_SHARE)) - there)
    _defer(name, tick, shares)
    _ticks[name] = tick
    return {"tokens": due, "enqueued": shares, "waiting": there}


def _defer(name: str, tick: datetime, shares: int) -> None:
    if shares:
        share: JSONDict = {"tick": tick.isoformat()}
        app.tasks[name].batch_defer(*[share] * shares)


def waiting(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = %s AND status = 'todo'", [name])
        return int(cursor.fetchone()[0])


def rescue(work: Work) -> dict[str, Any]:
    """What a worker has left behind that is gone, or cannot be heard any more: its jobs are given up and put on the list again, and the
    tokens of its shares, whose time is over, are shared out anew. What follows the shares of a tick is put on the list too: it may have
    been the last of them that was lost."""
    with work.writing():
        manager = app.job_manager
        left = list(async_to_sync(manager.get_stalled_jobs)(seconds_since_heartbeat=settings.CLUSTER_LEASE_SEC))
        for job in left:
            log.warning("job %s of worker %s is given up: not heard of for %g s", job.task_name, job.worker_id, settings.CLUSTER_LEASE_SEC)
            async_to_sync(manager.finish_job_by_id_async)(job_id=int(job.id or 0), status=JobStatus.FAILED, delete_job=False)
        again = sum(enqueue_one(TABLE[name].then if name in SHARED else name) for name in {job.task_name for job in left} & TABLE.keys())
        shares = sum(_share_out_again(name, status) for name, status in SHARED.items())
        async_to_sync(manager.prune_stalled_workers)(settings.CLUSTER_LEASE_SEC)
        async_to_sync(manager.delete_old_jobs)(nb_hours=HOURS_KEPT, include_failed=True, include_cancelled=True, include_aborted=True)
    return {"tokens": 0, "given_up": len(left), "again": again, "shares": shares}


def _share_out_again(name: str, status: Status) -> int:
    """As part of the tick they were lost in: so nobody is polled twice in it, whoever takes whom."""
    interval = timedelta(seconds=interval_sec(active_settings(), status))
    shares = -(-run_out(status) // settings.CLUSTER_SHARE)
    _defer(name, _ticks.get(name) or database_now() - interval / 2, shares)
    return shares


# A worker: what it does with one of them


class _Told(StopFlag):
    """Set when the worker that does this job is told to end."""

    def __init__(self, context: JobContext) -> None:
        super().__init__()
        self._context = context

    def is_set(self) -> bool:
        return bool(super().is_set() or self._context.should_abort())

    def wait(self, seconds: float | None = None) -> bool:
        until = time.monotonic() + (seconds or 0.0)
        while not self.is_set() and (left := until - time.monotonic()) > 0:
            super().wait(min(left, 0.5))
        return self.is_set()


@dataclass
class Machine:
    """What a worker's process keeps from job to job."""

    began_at: datetime = field(default_factory=timezone.now)
    recent: RecentBars = field(default_factory=RecentBars)
    every: EveryBar = field(default_factory=EveryBar)

    def run(self, name: str, context: JobContext, tick: str) -> dict[str, Any]:
        """One run of one job. What it raises is noted, and then raised."""
        job, began, error = TABLE[name], time.monotonic(), ""
        detail: dict[str, Any] = {}
        counted = dict(_beat(name).get("counted", {}))
        try:
            detail = job.work(self._work(context, datetime.fromisoformat(tick), counted))
        except Exception as failure:
            error = type(failure).__name__
            raise
        finally:
            told = {"tick": tick, "ms": round((time.monotonic() - began) * 1000, 1), "ok": not error, "error": error}
            note(name, self.began_at, {"tokens": 0, **({"counted": counted} if counted else {}), **detail, **told})
        # After the last share that was waiting, and after those that were in other hands then: one of these may never end, and of two that
        # end at the same moment none would be the last.
        if job.then and (name not in SHARED or not waiting(name)):
            enqueue_one(job.then)
        return detail

    def _work(self, context: JobContext, tick: datetime, counted: Mapping[str, Any]) -> Work:
        return Work(
            database_now(),
            lambda: turn_to_write(int(context.job.id or 0), context.job.attempts),
            _Told(context),
            began_at=self.began_at,
            recent=self.recent,
            counted=counted,
            every=self.every,
            terms=Terms(tick, settings.CLUSTER_SHARE, settings.CLUSTER_LEASE_SEC),
        )


@contextmanager
def turn_to_write(job: int, attempts: int) -> Iterator[None]:
    """One job of all machines at a time, in one transaction, and only while the job is this worker's.

    Both locks end with the transaction, and so with the session: of a machine that was cut off in the middle of writing nothing stays,
    and nobody waits for it longer than the lease (idle_in_transaction_session_timeout).
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [TURN_TO_WRITE])
            cursor.execute(
                "SELECT 1 FROM procrastinate_jobs WHERE id = %s AND status = 'doing' AND attempts = %s FOR SHARE", [job, attempts]
            )
            if cursor.fetchone() is None:
                raise GivenUp("this job was given to another worker: nothing was written")
        yield


def _beat(name: str) -> Mapping[str, Any]:
    return Heartbeat.objects.filter(component=f"job:{name}").values_list("detail", flat=True).first() or {}


def note(name: str, began_at: datetime, detail: Mapping[str, Any]) -> None:
    """The heartbeat of a job, of which several machines may do a share."""
    component = f"job:{name}"
    with transaction.atomic():
        Heartbeat.objects.get_or_create(component=component, defaults={"ts": Now(), "started_at": began_at})
        beat = Heartbeat.objects.select_for_update().get(component=component)
        Heartbeat.objects.filter(pk=beat.pk).update(ts=Now(), started_at=began_at, detail=added_up(beat.detail or {}, detail))


def added_up(before: Mapping[str, Any], detail: Mapping[str, Any]) -> dict[str, Any]:
    """What a heartbeat says after one more run: the shares of one tick together, and all runs counted."""
    counts = {"runs": before.get("runs", 0) + 1, "failures": before.get("failures", 0) + (not detail["ok"])}
    if before.get("tick") != detail["tick"]:
        return {**detail, **counts, "overlaps": 0}
    sums = {name: value + before.get(name, 0) for name, value in detail.items() if type(value) is int}
    worst = {"ms": max(detail["ms"], before["ms"]), "ok": detail["ok"] and before["ok"], "error": detail["error"] or before["error"]}
    return {**before, **detail, **sums, **worst, **counts}
