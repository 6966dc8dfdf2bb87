"""The listener: a reader that holds the one socket, a writer that stores, and a main loop that watches both."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from django.conf import settings

from ingestion import pumpportal
from ingestion.errors import Malformed
from ingestion.facts import Migration
from ingestion.intake import Frame
from ingestion.one_socket import Lost, OneSocket
from ingestion.pumpportal import LAUNCH, PROVEN_SEC, SUBSCRIPTIONS, Kind, Other, Patience
from ingestion.seldom import Seldom
from ingestion.spool import Spool, spool_path
from ingestion.writing import Deaf, Heard, Hearing, Writer, utc_now

log = logging.getLogger(__name__)

TICK_SEC = 0.2
CONFIRM_SEC = 15.0
MIGRATION_SILENCE_SEC = 1800.0  # at the slowest rate ever published this happens by chance once in some days, and costs a second
# With so many rows waiting, reading goes at the writer's pace, so that a stop at any time leaves no more than it can store.
# Even when the database stands still, a hundred migrations a second are read, and pings are answered.
CROWDED_ROWS, CROWDED_SEC = 12_000, 0.01
# What is read while the writer still opens its connection would be at risk for longer than promised. A database that takes
# longer than this is not waited for: then it is better to listen.
BEGIN_SEC = 1.0
READER_ENDS_SEC, BOTH_END_SEC = 0.8, 2.6  # of the three seconds that a stop may take
READER_SILENT_SEC, WRITER_SILENT_SEC = 120.0, 300.0


class Stop(Protocol):
    """A flag that somebody else sets."""

    def is_set(self) -> bool: ...
    def wait(self, seconds: float | None = None) -> bool: ...


@dataclass(frozen=True, slots=True)
class Listened:
    """How a run of the listener ended."""

    new: int
    migrations: int
    unsaved: int
    taken_over: bool


class Reader(threading.Thread):
    """Connects, subscribes, reads, and comes back after each loss, until `finish`. It never waits for the database."""

    def __init__(self, heard: Heard, connect: Callable[[], OneSocket] = pumpportal.connect, patience: Patience | None = None) -> None:
        super().__init__(name="reader", daemon=True)
        self._heard, self._connect = heard, connect
        self._patience = patience or Patience(settings.PUMPPORTAL_BACKOFF_MAX_SEC, settings.PUMPPORTAL_BAN_WAIT_SEC)
        self._finishing = threading.Event()
        self._seldom = Seldom(log)
        self._connections = 0
        self.alive_at = time.monotonic()
        self.failure: BaseException | None = None

    def finish(self) -> None:
        self._finishing.set()

    def run(self) -> None:
        try:
            while not self._finishing.is_set():
                self._once()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self.failure = error

    def _once(self) -> None:
        """One connection from its beginning to its end, and the wait after it."""
        self.alive_at = time.monotonic()
        feed: OneSocket | None = None
        try:
            feed = self._connect()
            self._connections += 1
            self._heard.reconnects = self._connections - 1
            self._heard.connected, self._heard.obstacle = True, ""
            Session(feed, self._heard, self._seldom, self._finishing).read(self._tick)
        except Lost as lost:
            self._after(lost, feed)
        finally:
            self._heard.connected = False
            if feed is not None:
                feed.close()

    def _tick(self) -> None:
        self.alive_at = time.monotonic()

    def _after(self, lost: Lost, feed: OneSocket | None) -> None:
        now, at = utc_now(), time.monotonic()
        deaf_since = at
        if feed is not None:
            feed.close()
            deaf_since = {"stalled": feed.last_message_at, "no_pong": feed.last_sign_at}.get(lost.kind, at)
            if feed.messages and at - feed.opened_at >= PROVEN_SEC:
                self._patience.proven()
        wait = self._patience.after(lost, at, now)
        self._heard.connected, self._heard.obstacle = False, str(lost)
        self._heard.changes.append(Deaf(now - timedelta(seconds=at - deaf_since), str(lost)))
        level = logging.ERROR if lost.refused or lost.kind in ("certificate", "redirect") else logging.WARNING
        self._seldom.say(level, lost.kind, "not listening: %s; next try in %.1f s", lost, wait)
        until = at + wait
        while (left := until - time.monotonic()) > 0 and not self._finishing.wait(min(left, 1.0)):
            self._tick()


class Session:
    """What is said over one connection."""

    def __init__(self, feed: OneSocket, heard: Heard, seldom: Seldom, finishing: threading.Event) -> None:
        self._feed, self._heard, self._seldom, self._finishing = feed, heard, seldom, finishing
        self._subscribed_at, self._since = utc_now(), time.monotonic()
        self._migration_heard = self._since
        self._confirmed = self._asked_twice = self._heard_anything = False

    def read(self, tick: Callable[[], None]) -> None:
        """Read until told to finish. Every other way out is Lost."""
        while not self._finishing.is_set():
            tick()
            if messages := self._feed.receive_all(TICK_SEC):
                self._take(messages)
            elif not self._confirmed:
                self._ask_again()
            if self._heard_anything and time.monotonic() - self._migration_heard > MIGRATION_SILENCE_SEC:
                raise Lost(f"launches come in, but no migration for {MIGRATION_SILENCE_SEC / 60:.0f} min", kind="half_deaf")

    def _take(self, messages: Sequence[bytes]) -> None:
        now = utc_now()
        self._heard.last_message_at = now
        self._heard.frames += len(messages)
        migrations: list[Migration] = []
        try:
            for raw in messages:
                try:
                    frame = pumpportal.parse(raw)
                except Malformed as malformed:
                    self._heard.keep_unread(Frame(raw[:4096], str(malformed), now, len(raw)))
                    continue
                if frame is LAUNCH and self._heard_anything:  # nearly always: nothing more is to be made of it
                    continue
                if isinstance(frame, Migration):
                    migrations.append(frame)
                self._understand(frame)
        finally:  # an error that nobody expected costs none of those before it
            self._hand_on(migrations, now)

    def _hand_on(self, migrations: Sequence[Migration], now: datetime) -> None:
        if migrations:
            self._migration_heard = time.monotonic()
            self._heard.take(migrations, now)
            if self._heard.rows.qsize() > CROWDED_ROWS:
                self._finishing.wait(CROWDED_SEC * len(migrations))

    def _understand(self, frame: Migration | Other) -> None:
        if isinstance(frame, Migration) or frame.kind is not Kind.ERROR:
            self._note_hearing()
        self._confirmed = self._confirmed or pumpportal.confirms_migrations(frame)
        if isinstance(frame, Migration):
            return
        if frame.kind is Kind.UNCLASSIFIED:
            self._heard.unclassified += 1
        elif frame.kind is Kind.ERROR:
            self._seldom.say(logging.WARNING, "error frame", "the feed reports an error: %s", frame.text)

    def _note_hearing(self) -> None:
        """The first sense that the server makes proves that it has heard us since we subscribed."""
        if not self._heard_anything:
            self._heard_anything = True
            self._heard.changes.append(Hearing(self._subscribed_at))
            self._seldom.say(logging.INFO, "listening", "listening to %s", settings.PUMPPORTAL_WS_URL.split("?")[0])

    def _ask_again(self) -> None:
        """Once, and only where the stall timer leaves time for an answer: a second subscription is not free of risk."""
        if self._asked_twice or time.monotonic() - self._since < CONFIRM_SEC:
            return
        self._asked_twice = True
        self._seldom.say(
            logging.WARNING, "unconfirmed", "the subscription to migrations was not confirmed in %g s: sent again", CONFIRM_SEC
        )
        for subscription in SUBSCRIPTIONS[-1:] if self._heard_anything else SUBSCRIPTIONS:
            self._feed.send(subscription)


def listen(stop: Stop, lock_lost: Callable[[], bool] = lambda: False, alive: Callable[[], None] = lambda: None) -> Listened:
    """Listen until `stop`, or until another process has taken the lock. What was read is stored first.

    `alive` is called about once a second while both threads are at work. An error that neither of them expected is raised here.
    """
    heard = Heard(spool=Spool(spool_path(settings.DATABASES["default"], settings.SPOOL_DIR)))
    reader, writer = Reader(heard), Writer(heard, lock_lost)
    writer.start()
    writer.begun.wait(BEGIN_SEC)
    reader.start()
    why = "the listener was stopped"
    while not stop.wait(1.0):
        if writer.taken_over.is_set():
            why = "another listener has taken over"
            break
        if not reader.is_alive() or not writer.is_alive():
            why = "the listener has failed"
            break
        now = time.monotonic()
        if now - reader.alive_at < READER_SILENT_SEC and now - writer.alive_at < WRITER_SILENT_SEC:
            alive()
    return _finish(heard, reader, writer, why)


def _finish(heard: Heard, reader: Reader, writer: Writer, why: str) -> Listened:
    ends_by = time.monotonic() + BOTH_END_SEC
    reader.finish()
    reader.join(READER_ENDS_SEC)  # longer only while a name is being resolved, and then there is nothing read to lose
    writer.finish(why, ends_by - time.monotonic())
    writer.join(ends_by + 0.1 - time.monotonic())
    heard.spool.close()
    for thread in (reader, writer):
        if thread.failure is not None:
            raise thread.failure
    log.info("%s: %d migrations heard, %d new tokens, %d not stored", why, heard.migrations, heard.new, writer.unsaved)
    return Listened(heard.new, heard.migrations, writer.unsaved, writer.taken_over.is_set())
