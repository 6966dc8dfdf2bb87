"""What the scheduler's jobs do: each reads the settings in force once, does its work, and says in numbers what it did."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings

from ingestion import bar_fill, binance, birdeye, birdeye_bars, dexscreener, exchange_polling, ledger
from ingestion.leases import Terms
from ingestion.models import ListeningGap, OpenInterest, QuarantinedFrame
from ingestion.polling import poll
from learning import model_watch, partitions, recording, retention, settle_run
from learning.panel import OPENED
from learning.recorder import Recorder
from learning.verify import verify
from scoring import duels
from scoring.alert_delivery import deliver, forget_old
from scoring.alerting import evaluate
from scoring.models import AlertDelivery, TokenScore
from scoring.run import score_due
from scoring.settings_in_force import active_settings, interval_sec, pace, status_rule
from scoring.stage_columns import stage_values
from tokens import days
from tokens.bars import record_bars
from tokens.cleanup import delete_old_bars, delete_old_rows, delete_old_snapshots, kept_from
from tokens.every_bar import EveryBar
from tokens.lifecycle import review
from tokens.models import PoolSnapshot, Status, TokenSnapshot
from tokens.recent_bars import RecentBars
from tothemoon import stage_counts
from tothemoon.circumstances import circumstances
from tothemoon.worker import StopFlag
from trading import ledger_run
from trading import run as trading_run
from trading.cleanup import forget_states, thin_equity
from trading.publish import publish
from trading.published import document

log = logging.getLogger(__name__)

NOTES_KEPT = timedelta(days=90)  # quarantined frames and gaps in listening: for people to look at, not to count
SAVES_TOLD = 96  # marks: a day of them, a quarter of an hour apart
IN_DAYS = [model._meta.db_table for model in (TokenSnapshot, PoolSnapshot, TokenScore)]
PAUSE_SEC = 0.02  # between two batches of the cleanup, in which others may write


@dataclass(frozen=True)
class Work:
    """What a job is given: the moment, its turn to write (refused by an exception to who is not the leader), whether to hurry,
    whether this is a single run, after which no tick comes, and since when this process has been looking, if it goes on looking.
    What the process keeps for it: the bars it has read, the mark it is writing down, if it alone does that, and what the job has counted
    in the runs before. Where several machines work, the terms on which each takes its share."""

    now: datetime
    writing: Callable[[], AbstractContextManager[None]]
    stop: StopFlag
    once: bool = False
    began_at: datetime | None = None
    recent: RecentBars = field(default_factory=RecentBars)
    counted: Mapping[str, Any] = field(default_factory=dict)
    every: EveryBar = field(default_factory=EveryBar)
    recorder: Recorder | None = None
    terms: Terms | None = None


def poll_initial(work: Work) -> dict[str, Any]:
    return _poll(Status.INITIAL, work)


def poll_active(work: Work) -> dict[str, Any]:
    return _poll(Status.ACTIVE, work)


def _poll(status: Status, work: Work) -> dict[str, Any]:
    try:
        report = poll(
            status,
            work.now,
            pace(active_settings(), status),
            birdeye.from_settings(work.once),
            dexscreener.from_settings(work.once),
            once=work.once,
            clock=lambda: math.inf if work.stop.is_set() else time.monotonic(),  # told to stop, there is no time for another request
            writing=work.writing,
            terms=work.terms,
        )
    finally:
        ledger.flush(work.now)  # what was asked is paid for, whatever became of the answers
    return {"tokens": report.answered, **asdict(report)}


def poll_exchange(work: Work) -> dict[str, Any]:
    """The watch-list of exchange symbols, where there is one."""
    try:
        interval = interval_sec(active_settings(), Status.ACTIVE)
        report = exchange_polling.poll_exchange(work.now, interval, binance.from_settings(work.once), work.writing)
    finally:
        ledger.flush(work.now)
    return {"tokens": report.answered, **asdict(report)}


def fill_bars(work: Work) -> dict[str, Any]:
    """The minutes from before a token was watched, for those that have become Active."""
    try:
        report = bar_fill.fill_bars(work.now, birdeye_bars.from_settings(work.once), work.writing)
    finally:
        ledger.flush(work.now)
    return {"tokens": report.filled, **asdict(report)}


def stages(work: Work) -> dict[str, Any]:
    """The minutes that are over become bars, and the three stages judge them: one right after the other, so that both mean the same."""
    began = time.monotonic()
    with work.writing():
        bars = record_bars(work.now, work.now + timedelta(seconds=time.monotonic() - began))  # known from its turn to write on
    cycle = trading_run.step(work.now, active_settings(), work.writing, work.recent.grid, work.every.minutes)
    if cycle.rows and settings.REDIS_URL:
        publish(document(work.now))
    return {"tokens": cycle.assets, "bars": bars, **trading_run.as_detail(cycle), "counted": stage_counts.added(work.counted, cycle)}


def gate_ledger(work: Work) -> dict[str, Any]:
    """What the gates kept out, followed on paper all the same."""
    return {"tokens": ledger_run.reckon(work.now, active_settings(), work.writing)}


def score(work: Work) -> dict[str, Any]:
    """Score what is new, then look at every status: by one revision of the settings. A duel follows, when all of that is written."""
    revision = active_settings()
    with work.writing():
        read = score_due(work.now, revision)
        done: dict[str, Any] = {"tokens": int(read["pk"].size), "changes": review(work.now, status_rule(revision))}
        shadow = duels.follow(read, revision, work.now)
    return done if shadow is None else {**done, "shadow": shadow}


def evidence(work: Work) -> dict[str, Any]:
    """What was seen and said of every token, written down at the marks of the clock: piece by piece where this process looks again."""
    look = work.recorder.look if work.recorder else partial(recording.record, minutes=work.every.minutes)
    done = look(work.now, active_settings(), work.writing)
    if not done.mark and not (work.recorder and work.recorder.at_work):
        work.every.keep_up()
    saved = [*work.counted.get("save_ms", []), *([done.save_ms] if done.mark else [])][-SAVES_TOLD:]
    return {"tokens": done.vectors, **asdict(done), "counted": {"save_ms": saved}}


def check_evidence(work: Work) -> dict[str, Any]:
    """Whether the evidence of the last day is whole; the admin's first page says what is not."""
    wrong = [check.name for check in verify(work.now, most_opened=OPENED) if not check.holds]
    return {"tokens": 0, "wrong": wrong}


def settle(work: Work) -> dict[str, Any]:
    """What has come of the signals and predictions whose horizon is over; more than one run's worth is caught up with at once."""
    done = settle_run.settle_due(work.now, work.writing)
    total = {**asdict(done), "tokens": done.outcomes}
    while done.left and not work.stop.is_set():
        done = settle_run.settle_due(work.now, work.writing)
        total |= {name: total[name] + getattr(done, name) for name in ("outcomes", "priced", "dead", "unknown")}
    return total | {"tokens": total["outcomes"], "left": done.left}


def models(work: Work) -> dict[str, Any]:
    """Are the models in service still what they were? What was found at the last look is remembered over a restart."""
    known = work.counted or model_watch.last_look().get("counted", {})
    look = model_watch.watch(work.now, known.get("streaks", {}), work.writing)
    return {"tokens": 0, "models": look.models, "stopped": look.stopped, "counted": {"streaks": look.streaks}}


def alerts(work: Work) -> dict[str, Any]:
    """What the rules have to say about the newest scores and about the system itself; sending it is the next job's."""
    revision, around = active_settings(), circumstances(work.now, work.began_at)
    with work.writing():
        return evaluate(work.now, revision, around)


def deliver_alerts(work: Work) -> dict[str, Any]:
    """Sends what waits. Claims are conditional, so it needs no turn to write and delays nobody's."""
    try:
        done = deliver(stopped=lambda seconds: work.once or work.stop.wait(seconds))
        return {**done, "lost_in_a_day": AlertDelivery.objects.lost_since(work.now - timedelta(days=1))}
    finally:
        ledger.flush(work.now)


def clean_up(work: Work) -> dict[str, Any]:
    """Rows beyond the retention go, but not what evidence stands on. The ledger, the history of statuses and the settings stay for good."""
    revision = active_settings()
    before = kept_from(work.now, revision.retention_hours)
    needed = min(before, retention.needed_from(work.now) or before)
    with work.writing():
        rows = QuarantinedFrame.objects.filter(ts__lt=work.now - NOTES_KEPT).delete()[0]
        rows += ListeningGap.objects.filter(to_ts__lt=work.now - NOTES_KEPT).delete()[0]
        rows += forget_old(work.now, before)
    for make_ready, tables in ((partitions.make_ready, partitions.TABLES), (days.make_ready, IN_DAYS)):
        for table in tables:
            with work.writing():  # a turn for each: its locks last as long, and nobody is to wait for one table because another is held
                make_ready(work.now, [table])

    def go_on() -> bool:
        return not work.stop.wait(PAUSE_SEC)

    # Many short transactions, side by side with the other jobs: these rows are nobody else's.
    rows += retention.delete_old(work.now, stage_values(revision)["evidence_retention_days"], go_on)
    rows += delete_old_snapshots(needed, go_on, retention.snapshots_kept())
    rows += delete_old_rows(TokenScore, before, go_on, "token_id", "last_scored_at", retention.scores_kept())
    rows += delete_old_bars(work.now, needed, go_on) + delete_old_rows(OpenInterest, needed, go_on)
    rows += thin_equity(work.now, go_on) + forget_states(before, go_on)
    rows += duels.delete_old_evidence(work.now, go_on)
    days.look_over(IN_DAYS)
    return {"rows": rows, "before": before.isoformat()}


def probe_services(now: datetime, once: bool = False) -> None:
    """Find out at start what the plan allows, rather than guess."""
    birdeye.from_settings(once).probe(now)
    ledger.flush(now)
