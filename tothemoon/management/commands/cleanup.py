"""What the daily job does, by hand."""

from contextlib import nullcontext
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from tothemoon import worker
from tothemoon.jobs import Work, clean_up


class Command(BaseCommand):
    help = "Delete snapshots and scores that are older than the retention in the settings (never younger than two hours)."

    def handle(self, *_: Any, **__: Any) -> None:
        with worker.StopFlag() as stop:
            done = clean_up(Work(timezone.now(), nullcontext, stop))
        self.stdout.write(f"{done['rows']} rows from before {done['before']} deleted")
