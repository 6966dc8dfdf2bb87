"""Migrations that were heard and are not in the database yet, in a file that outlives the process.

The feed has no replay: what is only in memory when the process is killed is gone. So the reader writes each migration down before it
hands it on, and the next process stores what it finds. A killed process loses nothing that it had read, however long the database was
away; a machine that loses its power may lose the last second, because nothing waits for the disk.
"""

import json
import logging
import os
import threading
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from ingestion.facts import Migration

log = logging.getLogger(__name__)

MOST_BYTES = 64_000_000  # a quarter of a million migrations: more than half a year of them


class Spool:
    """One process at a time has it open. Reader and writer may use it from their own threads."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._file = path, None if path is None else _opened(path)
        self._lock = threading.Lock()
        self.left_over = [] if self._file is None else _read(self._file)
        if self._file is not None:
            _mend(self._file, empty=not self.left_over)
        self._written = len(self.left_over)  # migrations in the file
        self._stored = 0  # of those

    def add(self, migrations: Sequence[Migration], at: datetime) -> None:
        """All of one moment in one writing: each would let the other thread in, which takes its time."""
        moment = at.isoformat()
        lines = "".join(f"{json.dumps([one.mint, one.signature, one.pool, moment])}\n" for one in migrations)
        with self._lock:
            if self._file is None:
                return
            self._written += len(migrations)
            if os.fstat(self._file).st_size < MOST_BYTES:
                try:
                    os.write(self._file, lines.encode())
                except OSError as error:  # a full disk must not end the listening
                    log.warning("%d migrations are kept in memory only: %s", len(migrations), error)

    def stored(self, migrations: int) -> None:
        """So many of the migrations written down are in the database now; with the last of them the file becomes empty."""
        with self._lock:
            self._stored += migrations
            if self._file is not None and self._stored >= self._written:
                os.ftruncate(self._file, 0)
                self._written = self._stored = 0

    def close(self) -> None:
        """The file goes when nothing is left in it."""
        with self._lock:
            if self._file is not None and self._path is not None:
                if os.fstat(self._file).st_size == 0:
                    self._path.unlink(missing_ok=True)
                os.close(self._file)
            self._file = None


def spool_path(database: dict[str, Any], folder: Path) -> Path:
    """Each database has a spool of its own: what was heard for one must never be stored in another."""
    if str(database["ENGINE"]).endswith("sqlite3"):
        return Path(f"{database['NAME']}.spool")
    options = database.get("OPTIONS") or {}
    parts = [str(part) for part in (database.get("HOST") or options.get("host"), database.get("PORT"), database["NAME"])]
    return folder / f"listener-{sha256(':'.join(parts).encode()).hexdigest()[:12]}.spool"


def _opened(path: Path) -> int | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        log.warning("no spool, a killed process loses the last moments of what it heard: %s", error)
        return None


def _read(file: int) -> list[tuple[Migration, datetime]]:
    """What stands in the file; a line that was being written when the process ended is no migration."""
    with os.fdopen(os.dup(file), "rb") as text:
        text.seek(0)
        lines = text.read().splitlines()
    found = [_migration(line) for line in lines]
    return [migration for migration in found if migration is not None]


def _mend(file: int, empty: bool) -> None:
    """A line that was cut off by a kill must not swallow the next one."""
    if empty:
        os.ftruncate(file, 0)
    else:
        os.write(file, b"\n")


def _migration(line: bytes) -> tuple[Migration, datetime] | None:
    try:
        mint, signature, pool, at = json.loads(line)
        return Migration(mint=mint, signature=signature, pool=pool), datetime.fromisoformat(at)
    except (ValueError, TypeError):
        return None
