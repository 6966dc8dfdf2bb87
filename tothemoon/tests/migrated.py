"""Databases with every migration applied. Playing all migrations takes a processor six seconds, and each worker of pytest needs a database
of its own, as do many of the processes that tests start: whoever comes first plays them and keeps a copy, and everybody else is given that.

MIGRATED_FOLDER is where the copies lie: of one run of pytest, or of all passes of one ./run test. Where nobody has named one (./run soak)
the migrations are played.
"""

import fcntl
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tothemoon.tests.pgtemp import postgres_programs

ROOT = Path(__file__).resolve().parents[2]


def migrate(url: str) -> None:
    """The empty database at this address gets all tables, and the rows that come with them."""
    folder = os.environ.get("MIGRATED_FOLDER")
    if folder:
        _by_copy(url, Path(folder) / ("migrated.sqlite3" if url.startswith("sqlite") else "migrated.sql"))
    else:
        _play_the_migrations(url)


def _by_copy(url: str, kept: Path) -> None:
    with kept.with_name(f"{kept.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            _play_the_migrations(url)
            half = kept.with_name(f"{kept.name}.half")
            _copy(_file(url), half) if url.startswith("sqlite") else _dump(url, half)
            half.replace(kept)
            return
    _copy(kept, _file(url)) if url.startswith("sqlite") else _restore(kept, url)


def _play_the_migrations(url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": url, "READ_DOTENV": "0", "LOG_LEVEL": "ERROR"}
    environment.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 50)
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0", "--skip-checks"], cwd=ROOT, env=environment, check=True)


def _file(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(target)) as writer:
        reader.backup(writer)


def _dump(url: str, target: Path) -> None:
    _postgres("pg_dump", url, "--no-owner", f"--file={target}")


def _restore(source: Path, url: str) -> None:
    quiet = ("--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1")
    _postgres("psql", url, *quiet, "--single-transaction", f"--file={source}")


def _postgres(program: str, url: str, *arguments: str) -> None:
    parts = urlsplit(url)
    of = {name: values[0] for name, values in parse_qs(parts.query).items()}
    programs = postgres_programs()
    assert programs is not None
    line = [str(programs / program), f"--host={of['host']}", f"--username={of['user']}", f"--dbname={parts.path.removeprefix('/')}"]
    subprocess.run([*line, *arguments], check=True, stdin=subprocess.DEVNULL)
