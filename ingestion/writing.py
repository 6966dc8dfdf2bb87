"""The listener's second half: what the reader has heard is stored, in batches, by a thread that never holds the socket up.

A database that is slow, locked or away is waited for; meanwhile the queue takes what comes, and beyond its bound drops are counted.
"""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from django.db import Error as DatabaseTrouble
from django.db import connection

from ingestion.facts import Migration
from ingestion.intake import Frame, close_gap, open_gap, quarantine, record_migrations
from ingestion.models import Heartbeat, ListeningGap
from ingestion.seldom import Seldom
from ingestion.spool import Spool

log = logging.getLogger(__name__)

QUEUE_ROWS = 50_000
UNREAD_FRAMES = 200
BATCH_ROWS = 2_000
ON_SQLITE_ROWS = 200  # there others write as well, and only one at a time: short transactions, and a breath between them
GATHER_SEC = 0.01  # more come together by themselves while a batch is being written
TURN_SEC = 0.1
QUARANTINE_SEC = 1.0
HEARTBEAT_SEC = 2.0
DATABASE_WAITS = (0.1, 0.2, 0.5, 1.0, 2.0)  # and on with the last
COMPONENT = "listener"


class GivenUp(Exception):
    """Told to end, and the database did not answer in time."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Deaf:
    """From `at` on nothing could be heard."""

    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Hearing:
    """Since `at` migrations can be heard."""

    at: datetime


@dataclass
class Heard:
    """What the reader hands to the writer, and what both have counted. Each number is written by one of the two threads only."""

    spool: Spool = field(default_factory=lambda: Spool(None))
    rows: "queue.SimpleQueue[tuple[Migration, datetime]]" = field(default_factory=queue.SimpleQueue)  # quick, and without a bound
    most_rows: int = QUEUE_ROWS
    unread: deque[Frame] = field(default_factory=lambda: deque(maxlen=UNREAD_FRAMES))
    changes: deque[Deaf | Hearing] = field(default_factory=deque)
    connected: bool = False
    obstacle: str = "starting"
    frames: int = 0
    migrations: int = 0
    quarantined: int = 0
    unclassified: int = 0
    reconnects: int = 0
    dropped: int = 0
    last_message_at: datetime | None = None
    last_migration_at: datetime | None = None
    new: int = 0
    duplicates: int = 0
    conflicting: int = 0
    lag_ms: float = 0.0

    def take(self, migrations: Sequence[Migration], at: datetime) -> None:
        """Never waits: when the queue is full migrations are dropped and counted; they then stay in the spool for the next start."""
        self.spool.add(migrations, at)
        self.migrations += len(migrations)
        self.last_migration_at = at
        fitting = migrations[: max(0, self.most_rows - self.rows.qsize())]
        for migration in fitting:
            self.rows.put((migration, at))
        self.dropped += len(migrations) - len(fitting)

    def keep_unread(self, frame: Frame) -> None:
        self.quarantined += 1
        self.unread.append(frame)

    def detail(self) -> dict[str, object]:
        """What the heartbeat says."""
        return {
            "connected": self.connected,
            "obstacle": self.obstacle,
            "frames": self.frames,
            "migrations": self.migrations,
            "new": self.new,
            "duplicates": self.duplicates,
            "conflicting": self.conflicting,
            "quarantined": self.quarantined,
            "unclassified": self.unclassified,
            "reconnects": self.reconnects,
            "queue": self.rows.qsize(),
            "dropped": self.dropped,
            "lag_ms": round(self.lag_ms, 1),
            "last_message_at": self.last_message_at.isoformat() if self.last_message_at else None,
            "last_migration_at": self.last_migration_at.isoformat() if self.last_migration_at else None,
        }


class Writer(threading.Thread):
    """Runs until `finish` and everything heard is stored. `lock_lost` is asked at each heartbeat; a yes sets `taken_over`."""

    def __init__(self, heard: Heard, lock_lost: Callable[[], bool] = lambda: False) -> None:
        super().__init__(name="writer", daemon=True)
        self._heard, self._lock_lost = heard, lock_lost
        self._finishing = threading.Event()
        self._give_up_at = float("inf")
        self._last_words = ""
        self._seldom = Seldom(log)
        self._beat_at = self._quarantined_at = float("-inf")
        self._holding: list[tuple[Migration, datetime]] = []
        self._started_at = utc_now()
        self._reported_drops = 0
        self.begun = threading.Event()
        self.taken_over = threading.Event()
        self.alive_at = time.monotonic()
        self.failure: BaseException | None = None

    def finish(self, last_words: str, seconds: float) -> None:
        """Store what is there, within so many seconds; then a gap begins whose reason is `last_words`."""
        self._last_words = last_words
        self._give_up_at = time.monotonic() + seconds
        self._finishing.set()

    @property
    def unsaved(self) -> int:
        """Migrations read and not stored."""
        return len(self._holding) + self._heard.rows.qsize()

    def run(self) -> None:
        try:
            self._surely(self._begin)
            self.begun.set()
            while not self._finishing.is_set():
                self._turn(ON_SQLITE_ROWS if connection.vendor == "sqlite" else BATCH_ROWS)
            while self.unsaved or self._heard.changes or self._heard.unread:
                self._turn(BATCH_ROWS)
            self._surely(self._end)
        except GivenUp:
            log.error("ended with %d migrations heard and not stored: the database did not answer", self.unsaved)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self.failure = error
        finally:
            connection.close()

    def _turn(self, most: int) -> None:
        """One look at everything that waits to be written."""
        self.alive_at = time.monotonic()
        self._gather(most)
        if self._holding:
            self._surely(self._store)
        while self._heard.changes:
            self._surely(self._note_change)
        now = time.monotonic()
        if self._heard.unread and (now - self._quarantined_at >= QUARANTINE_SEC or self._finishing.is_set()):
            self._quarantined_at = now
            self._surely(self._quarantine)
        if now - self._beat_at >= HEARTBEAT_SEC:
            self._beat_at = now
            if self._lock_lost():
                self.taken_over.set()
            self._surely(self._beat)

    def _gather(self, most: int) -> None:
        """The next batch: what is there within a moment of the first row. It is held until it is stored."""
        until = time.monotonic() + TURN_SEC
        while len(self._holding) < most:
            left = until - time.monotonic()
            try:
                row = self._heard.rows.get(timeout=left) if left > 0 and not self._finishing.is_set() else self._heard.rows.get_nowait()
            except queue.Empty:
                return
            if not self._holding:
                until = time.monotonic() + GATHER_SEC
            self._holding.append(row)

    def _store(self) -> None:
        now = utc_now()
        recorded = record_migrations([migration for migration, _ in self._holding], now, [at for _, at in self._holding])
        self._heard.new += recorded.new
        self._heard.duplicates += recorded.known
        self._heard.conflicting += recorded.conflicting
        self._heard.lag_ms = (utc_now() - self._holding[0][1]) / timedelta(milliseconds=1)
        self._heard.spool.stored(len(self._holding))
        self._holding = []
        for migration in recorded.refused:
            self._heard.keep_unread(Frame(repr(migration).encode(), "the database refused this migration", now))

    def _note_change(self) -> None:
        change = self._heard.changes[0]
        if isinstance(change, Hearing):
            close_gap(change.at)
        else:
            open_gap(change.at, change.why)
        self._heard.changes.popleft()

    def _quarantine(self) -> None:
        frames = [self._heard.unread.popleft() for _ in range(len(self._heard.unread))]
        try:
            quarantine(frames)
        except DatabaseTrouble:
            self._heard.unread.extendleft(reversed(frames))
            raise
        self._seldom.say(logging.WARNING, "quarantine", "quarantined %d frames, the last one: %s", len(frames), frames[-1].reason)

    def _beat(self) -> None:
        if self._heard.dropped > self._reported_drops:
            log.error("%d migrations dropped so far: the queue was full", self._heard.dropped)
            self._reported_drops = self._heard.dropped
        values = {"ts": utc_now(), "started_at": self._started_at, "detail": self._heard.detail()}
        if not Heartbeat.objects.filter(component=COMPONENT).update(**values):
            Heartbeat.objects.create(component=COMPONENT, **values)

    def _begin(self) -> None:
        """Nothing was heard since the last sign of life of the process before this one, however that one ended."""
        if not ListeningGap.objects.filter(source="pumpportal", to_ts__isnull=True).exists():
            last = Heartbeat.objects.filter(component=COMPONENT).first()
            if last is None:
                open_gap(self._started_at, "the listener is starting for the first time")
            else:
                open_gap(min(last.ts, self._started_at), "the listener was not running")
        self._store_left_over()
        self._beat()

    def _store_left_over(self) -> None:
        """What the process before this one had heard and could not store."""
        spool = self._heard.spool
        while spool.left_over:
            batch = spool.left_over[:BATCH_ROWS]
            recorded = record_migrations([migration for migration, _ in batch], utc_now(), [at for _, at in batch])
            del spool.left_over[: len(batch)]
            spool.stored(len(batch))
            self._heard.new += recorded.new
            log.info("stored %d migrations that the listener before this one had heard, %d of them new", len(batch), recorded.new)

    def _end(self) -> None:
        open_gap(utc_now(), self._last_words)
        self._heard.connected, self._heard.obstacle = False, self._last_words
        self._beat()

    def _surely(self, work: Callable[[], None]) -> None:
        """Do it, however long the database needs to come back; everything done here may be done twice."""
        for attempt in count():
            try:
                return work()
            except DatabaseTrouble as trouble:
                words = str(trouble).strip().splitlines() or [type(trouble).__name__]
                self._seldom.say(logging.WARNING, "database", "the database does not take what was heard, trying again: %s", words[0])
                connection.close()
                self._beat_at = float("-inf")  # the lock may have gone with the database: ask as soon as it is back
            wait = DATABASE_WAITS[min(attempt, len(DATABASE_WAITS) - 1)]
            until = time.monotonic() + wait
            while (left := min(until, self._give_up_at) - time.monotonic()) > 0:
                self._finishing.wait(left) if not self._finishing.is_set() else time.sleep(min(left, 0.05))
            if time.monotonic() >= self._give_up_at:
                raise GivenUp
            self.alive_at = time.monotonic()
        return None
