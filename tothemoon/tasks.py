"""Each of the scheduler's jobs as a task of Procrastinate, which looks for them here. Nothing else imports this."""

from __future__ import annotations

from typing import Any

from procrastinate.contrib.django import app
from procrastinate.job_context import JobContext

from tothemoon.cluster import FIRST, OTHERS, POLLS, SHARED, Machine
from tothemoon.schedule import JOBS, Job

MACHINE = Machine()


def _register(job: Job) -> None:
    def run(context: JobContext, *, tick: str) -> dict[str, Any]:
        return MACHINE.run(job.name, context, tick)

    if job.name in SHARED:
        app.task(name=job.name, queue=POLLS, pass_context=True)(run)
    else:  # once at a time wherever it runs, and waiting at most once
        app.task(name=job.name, queue=OTHERS, pass_context=True, lock=job.name, queueing_lock=job.name, priority=FIRST)(run)


for _job in JOBS:
    _register(_job)
