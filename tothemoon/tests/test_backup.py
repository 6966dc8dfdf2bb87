"""Back-up and restore, as deploy/OPERATING.md tells an operator to do them, on the database this run uses."""

import gzip
import os
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from tothemoon.tests.pgtemp import postgres_programs

DEPLOY = Path(settings.BASE_DIR) / "tothemoon/deploy"
TEXTS = ("plain", "🌙 to the moon", "tab\tand\nnew line", "\\.")

pytestmark = pytest.mark.django_db  # for the schema alone: what a test writes goes into databases of its own


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{postgres_programs()}:{os.environ['PATH']}"
    return subprocess.run(
        [str(DEPLOY / script), *arguments], env={**os.environ, "PATH": path, **environment}, text=True, capture_output=True
    )


class Databases:
    """Names of databases beside the one of the tests, with the schema or empty."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.made = folder, 0

    def empty(self) -> str:
        self.made += 1
        if settings.ON_SQLITE:
            return f"sqlite:///{self.folder}/{self.made}.sqlite3"
        name = f"backup_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{self.folder.name}_{self.made}".replace("-", "_")[:60].lower()
        with psycopg.connect(self.address("postgres"), autocommit=True) as server:
            server.execute(f'CREATE DATABASE "{name}"')
        return self.address(name)

    @staticmethod
    def address(name: str) -> str:
        return f"postgresql:///{name}?host={connection.settings_dict['OPTIONS']['host']}&user=ttm"

    @staticmethod
    def of_the_tests() -> str:
        name = str(connection.settings_dict["NAME"])
        return f"sqlite:///{name}" if settings.ON_SQLITE else Databases.address(name)


@pytest.fixture
def databases(tmp_path: Path) -> Databases:
    return Databases(tmp_path)


def execute(url: str, statement: str, parameters: tuple[str, ...] = ()) -> list[tuple[object, ...]]:
    if settings.ON_SQLITE:
        with sqlite3.connect(url.removeprefix("sqlite:///")) as file:
            return file.execute(statement.replace("%s", "?"), parameters).fetchall()
    with psycopg.connect(url) as server:
        cursor = server.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


Backup = Callable[..., Path]


@pytest.fixture
def backup(tmp_path: Path) -> Backup:
    def of(url: str, **environment: str) -> Path:
        done = run("backup.sh", DATABASE_URL=url, BACKUP_DIR=str(tmp_path / "backups"), **environment)
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.strip())

    return of


@pytest.fixture
def lively(databases: Databases, backup: Backup) -> str:
    """A database with the real schema and rows whose text could break a dump."""
    url = databases.empty()
    assert run("restore.sh", str(backup(databases.of_the_tests())), DATABASE_URL=url).returncode == 0
    for number, text in enumerate(TEXTS):
        execute(url, "INSERT INTO django_session VALUES (%s, %s, '2026-11-21 12:00:00+00:00')", (str(number), text))
    return url


def test_what_was_backed_up_is_there_after_the_restore(lively: str, databases: Databases, backup: Backup) -> None:
    file, target = backup(lively), databases.empty()
    done = run("restore.sh", str(file), DATABASE_URL=target)
    assert done.returncode == 0, done.stderr
    assert "all as counted" in done.stderr
    assert [row[0] for row in execute(target, "SELECT session_data FROM django_session ORDER BY session_key")] == list(TEXTS)
    assert f"django_session {len(TEXTS)}" in file.with_name(file.name.split(".")[0] + ".counts").read_text().splitlines()


def test_a_restore_never_overwrites(lively: str, backup: Backup) -> None:
    done = run("restore.sh", str(backup(lively)), DATABASE_URL=lively)
    assert done.returncode == 1
    assert "empty" in done.stderr or "exists already" in done.stderr


def test_a_damaged_backup_is_refused(lively: str, databases: Databases, backup: Backup) -> None:
    file = backup(lively)
    file.write_bytes(file.read_bytes()[:-2000])
    assert run("restore.sh", str(file), DATABASE_URL=databases.empty()).returncode != 0


def test_a_backup_with_rows_missing_is_noticed(lively: str, databases: Databases, backup: Backup) -> None:
    file = backup(lively)
    counts = file.with_name(file.name.split(".")[0] + ".counts")
    counts.write_text(counts.read_text().replace(f"django_session {len(TEXTS)}\n", f"tokens {len(TEXTS) + 1}\n"))
    done = run("restore.sh", str(file), DATABASE_URL=databases.empty())
    assert done.returncode == 1
    assert "rows differ" in done.stderr


def test_the_newest_backups_are_kept(lively: str, backup: Backup, tmp_path: Path) -> None:
    suffix = "sqlite3.gz" if settings.ON_SQLITE else "dump"
    (tmp_path / "backups").mkdir(exist_ok=True)
    for day in range(10, 15):
        (tmp_path / f"backups/tothemoon-202001{day}T000000Z.{suffix}").write_bytes(gzip.compress(b"old"))
        (tmp_path / f"backups/tothemoon-202001{day}T000000Z.counts").write_text("old")
    for older in (tmp_path / "backups").glob("tothemoon-2026*"):
        older.unlink()
    newest = backup(lively, BACKUP_KEEP="3")
    left = sorted(path.name for path in (tmp_path / "backups").iterdir() if path.suffix != ".counts" and path.name != ".lock")
    assert left == [f"tothemoon-202001{day}T000000Z.{suffix}" for day in (13, 14)] + [newest.name]
    assert len(list((tmp_path / "backups").glob("*.counts"))) == 3


def test_a_backup_of_the_wrong_database_is_no_backup(databases: Databases, tmp_path: Path) -> None:
    url = databases.empty()
    execute(url, "CREATE TABLE something_else (id integer)")
    done = run("backup.sh", DATABASE_URL=url, BACKUP_DIR=str(tmp_path / "backups"))
    assert done.returncode == 1
    assert "right one" in done.stderr
    assert not list((tmp_path / "backups").glob("tothemoon-*"))


def test_the_scripts_never_print_the_password(tmp_path: Path) -> None:
    url = "postgresql://me:hunter2@127.0.0.1:1/nowhere"
    for done in (run("backup.sh", DATABASE_URL=url, BACKUP_DIR=str(tmp_path)), run("restore.sh", "/nowhere.dump", DATABASE_URL=url)):
        assert done.returncode != 0
        assert "hunter2" not in done.stdout + done.stderr
