"""Only one process of a kind at a time: a PostgreSQL advisory lock, or a file lock beside the SQLite file."""

import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg
from django.conf import settings
from django.db import connections

from tothemoon.worker import StopFlag

log = logging.getLogger(__name__)

RETRY_SEC = 1.0
MOMENT_SEC = 0.3
# After a database restart the former holder may still be at work and about to notice. It looks every few seconds.
SETTLE_SEC = 5.0


class AnotherIsRunning(Exception):
    """Another process of this kind is running, and this one was told not to wait for it."""


class StoppedWhileWaiting(Exception):
    """Told to stop before its turn came."""


class Mine(Protocol):
    """The lock, held."""

    def still_mine(self) -> bool:
        """Whether it is ours at this moment. Lost together with its connection, it is taken back if nobody else has it."""

    def taken_by_another(self) -> bool:
        """After a no: whether another process has it. If not, the database did not answer, and nobody can take it."""


class _Lock(Mine, Protocol):
    lasts: bool

    def take(self) -> bool: ...
    def close(self) -> None: ...


class _AdvisoryLock:
    """Held by a connection of its own: Django closes its connections between jobs, and a session lock would go with them."""

    lasts = False

    def __init__(self, name: str) -> None:
        self._key = int.from_bytes(hashlib.sha256(f"tothemoon:{name}".encode()).digest()[:8], signed=True)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._taken_by_another = False

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        parameters = connections["default"].get_connection_params()
        for ours in ("cursor_factory", "context", "prepare_threshold"):
            parameters.pop(ours, None)
        # Both ends find out within about 20 s that the other machine is gone, so that another one can take over.
        parameters |= {"keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 10_000}
        parameters["options"] = (
            f"{parameters.get('options') or ''} -c statement_timeout=5000 -c idle_session_timeout=0"
            " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3"
        ).strip()
        return psycopg.connect(**parameters, autocommit=True)

    def take(self) -> bool:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", [self._key]).fetchone()
        held = row is not None and bool(row[0])
        self._taken_by_another = not held
        return held

    def _held_by(self, connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
        # Asked of the server, not remembered: a pooler between us may have changed the session under the connection.
        unsigned = self._key % 2**64
        row = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid = %s::bigint::oid AND objid = %s::bigint::oid AND objsubid = 1",
            [unsigned >> 32, unsigned & 0xFFFFFFFF],
        ).fetchone()
        return row is not None and row[0] > 0

    def still_mine(self) -> bool:
        self._taken_by_another = False
        try:
            if self._connection is not None and self._held_by(self._connection):
                return True
        except psycopg.Error:
            self.close()
        try:
            return self.take()
        except psycopg.Error:
            return False

    def taken_by_another(self) -> bool:
        return self._taken_by_another

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class _FileLock:
    """Held by an open file: the system lets go of it when the process ends, however it ends."""

    lasts = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())  # for a person who wonders who it is
        self._descriptor = descriptor
        return True

    def still_mine(self) -> bool:
        if self._descriptor is not None and self._is_the_file_of_that_name(self._descriptor):
            return True
        self.close()
        return self.take()

    def _is_the_file_of_that_name(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def taken_by_another(self) -> bool:
        return self._descriptor is None

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None


def _lock(name: str) -> _Lock:
    if settings.ON_SQLITE:
        database = Path(str(connections["default"].settings_dict["NAME"]))
        return _FileLock(database.with_name(f"{database.name}.{name}.lock"))
    return _AdvisoryLock(name)


@contextmanager
def only_one(
    name: str,
    stop: StopFlag | None = None,
    *,
    wait: bool = False,
    alive: Callable[[], None] = lambda: None,
    settle_sec: float = SETTLE_SEC,
) -> Iterator[Mine]:
    """Run the block as the only process of this name on this database.

    When another one runs: refuse at once with AnotherIsRunning, or with `wait` stand by until it is gone, saying `alive` about
    once a second. A set `stop` ends the wait at once with StoppedWhileWaiting. A database that does not answer is waited for too.
    """
    lock = _lock(name)
    try:
        if wait:
            _wait_for(lock, name, stop or StopFlag(), alive, settle_sec)
        elif not _soon(lock):
            raise AnotherIsRunning(f"another {name} is running on this database")
        yield lock
    finally:
        lock.close()


def _soon(lock: _Lock) -> bool:
    """Whether the lock can be had within a moment: PostgreSQL needs one to see off a session that has just been closed."""
    until = time.monotonic() + MOMENT_SEC
    while not lock.take():
        if time.monotonic() >= until:
            return False
        time.sleep(MOMENT_SEC / 10)
    return True


def _wait_for(lock: _Lock, name: str, stop: StopFlag, alive: Callable[[], None], settle_sec: float) -> None:
    began = standby_since = time.monotonic()
    said = ""
    while True:
        try:
            taken, obstacle = lock.take(), f"another {name} is running on this database"
        except psycopg.Error as error:
            lock.close()
            taken, obstacle = False, f"the database does not answer ({type(error).__name__})"
        waited = time.monotonic() - standby_since
        if taken:
            if lock.lasts or waited < settle_sec or (not stop.wait(settle_sec) and lock.still_mine()):
                break
            standby_since = time.monotonic()
        elif obstacle != said:
            said = obstacle
            log.warning("waiting: %s; this one takes over when it can", obstacle)
        alive()
        if stop.wait(min(RETRY_SEC, 0.1 + waited)):
            raise StoppedWhileWaiting(f"told to stop while waiting: {obstacle}")
    if stop.is_set():
        raise StoppedWhileWaiting("told to stop while waiting")
    if said:
        log.warning("the wait is over: this %s takes over after %.1f s", name, time.monotonic() - began)
