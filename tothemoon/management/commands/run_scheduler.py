"""The process that polls, scores and reviews."""

import logging
import os
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from tothemoon import metrics, worker
from tothemoon.checks import OF_SETTINGS
from tothemoon.leader import AnotherIsRunning, StoppedWhileWaiting, only_one
from tothemoon.readiness import obstacle, wait_until_ready
from tothemoon.schedule import JOBS, Job, JobsFailed, Schedule, Stuck, TakenOver

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Poll the living tokens, score them and review their status. A second scheduler waits until the first one is gone."

    requires_system_checks = [OF_SETTINGS]  # no pages: their checks would load all of them

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help="every job once, then exit: 0 when all went well, 1 when one failed or another scheduler runs. "
            "Polls every living token now, whenever its next turn would be, except those asked less often for their age or because "
            "they answer nothing",
        )

        parser.add_argument(
            "--enqueue",
            action="store_true",
            help="where several machines work (CLUSTER): do none of the jobs but say what is due, to `procrastinate worker` on any machine",
        )

    def handle(self, *_: Any, once: bool, enqueue: bool, **__: Any) -> None:
        if enqueue and (once or not settings.CLUSTER):
            raise CommandError("--enqueue is for many ticks on many machines: set CLUSTER=true, and leave --once out")
        with worker.StopFlag(outlives_terminal=not once) as stop:
            if once:
                self._once(stop)
            else:
                self._forever(stop, enqueue)

    def _once(self, stop: worker.StopFlag) -> None:
        if why := obstacle():
            raise CommandError(why)
        try:
            with only_one("scheduler") as leader:
                said = Schedule(leader, stop).once()
        except (AnotherIsRunning, JobsFailed, psycopg.Error) as error:
            raise CommandError(str(error)) from error
        for name, detail in said.items():
            done = next((detail[what] for what in ("tokens", "rows", "alerts", "sent") if what in detail), 0)
            self.stdout.write(f"{name}: {done} in {detail['ms']:.0f} ms")

    def _forever(self, stop: worker.StopFlag, enqueue: bool) -> None:
        worker.ready()  # standing by is a healthy state too
        try:
            with only_one("scheduler", stop, wait=True, alive=worker.alive) as leader:
                self._serve_metrics()
                ended = not wait_until_ready(stop, worker.alive) or Schedule(leader, stop, _table(enqueue)).forever()
        except StoppedWhileWaiting as end:
            self.stdout.write(str(end))
            return
        except TakenOver as error:
            raise CommandError(str(error)) from error
        except Stuck as error:
            log.critical("%s: ending the process, so that it is started anew", error)
            _leave(1)
        self.stdout.write("scheduler stopped")
        if not ended:
            log.warning("a job was still at work: its transaction is rolled back")
            _leave(0)

    def _serve_metrics(self) -> None:
        try:
            metrics.serve(settings.METRICS_PORT_SCHEDULER)
        except OSError as error:  # polling matters more
            log.error("no metrics on port %d: %s", settings.METRICS_PORT_SCHEDULER, error)


def _table(enqueue: bool) -> Sequence[Job]:
    if not enqueue:
        return JOBS
    from tothemoon import cluster  # its extra is installed only where there are several machines

    return cluster.table()


def _leave(code: int) -> None:
    """Without waiting for threads that may never end."""
    logging.shutdown()
    os._exit(code)
