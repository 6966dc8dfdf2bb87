"""The database of a stage, looked at from outside, and where it comes from."""

import contextlib
import shutil
from pathlib import Path
from typing import Any

import psycopg

from tothemoon.tests.pgtemp import TemporaryPostgres
from tothemoon.tests.soak.judge import Tables


class Window(Tables):
    """The database of a stage, seen by its own driver; each statement for itself, and opened again after a crash of the server."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._url = url
        if not self._sqlite:
            self._connection.autocommit = True

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        try:
            return super().rows(query)
        except psycopg.OperationalError:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self.__init__(self._url)
            return super().rows(query)

    def by_hand(self) -> None:
        """Transactions begin and end by statements only."""
        self._connection.isolation_level = None

    def statement(self, words: str) -> None:
        self._connection.execute(words)

    @property
    def on_sqlite(self) -> bool:
        return self._sqlite


def copy_of(template: Path, folder: Path) -> str:
    """An SQLite database that is migrated already."""
    shutil.copy(template, folder / "stage.sqlite3")
    return f"sqlite:///{folder / 'stage.sqlite3'}"


def copy_in(cluster: TemporaryPostgres, template: str, name: str) -> str:
    with psycopg.connect(f"dbname=postgres host={cluster.folder} user=ttm", autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    return cluster.url(name)
