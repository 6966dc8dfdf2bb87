"""What comes again: runs of a job, and errors of one kind."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from apscheduler.triggers.base import BaseTrigger

SAME_ERROR_SEC = 10.0


class EverySoOften(BaseTrigger):
    """First at once, then each interval. Runs that were missed are made up for by one, however long the clock says it has been."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.seconds = seconds

    def __str__(self) -> str:
        return f"every {self.seconds():g} s"

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        if previous_fire_time is None:
            return now
        step = timedelta(seconds=self.seconds())
        following = min(previous_fire_time, now) + step
        return following if following > now else now + step - (now - previous_fire_time) % step


class OncePerJob(logging.Filter):
    """Of the same words about the same job, one line in ten seconds: a job that takes longer than its interval is skipped again and again.
    How often, the heartbeat tells."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.clock = clock
        self.said_at: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        about = record.args[0] if isinstance(record.args, tuple) and record.args else None
        kind = (str(record.msg), str(getattr(about, "id", "")))
        now = self.clock()
        if now - self.said_at.get(kind, -SAME_ERROR_SEC) < SAME_ERROR_SEC:
            return False
        self.said_at[kind] = now
        return True


class OncePerKind(logging.Filter):
    """Of errors of one kind, one in ten seconds: while the database is away, every job fails again and again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.clock = clock
        self.said_at: dict[type[BaseException], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        if kind is None:
            return True
        now = self.clock()
        if now - self.said_at.get(kind, -SAME_ERROR_SEC) < SAME_ERROR_SEC:
            return False
        self.said_at[kind] = now
        return True
