"""The measured claims, measured here and now."""

import json as json_module
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from tothemoon.benches import evidence, features, stages, tick, web, whatif

# As a server would run: what is committed is on the disk. The defaults, but for memory and a log that is not cut short in mid-run.
AS_A_SERVER = "-c listen_addresses= -c shared_buffers=512MB -c max_wal_size=8GB -c max_connections=20"
BENCHES: dict[str, tuple[Any, int]] = {
    "tick": (tick, 10_000),
    "whatif": (whatif, 1_000),
    "web": (web, 1_000),
    "stages": (stages, 1_000),
    "features": (features, 1_000),
    "evidence": (evidence, 1_000),
}  # with the usual number of tokens
WITHOUT_DATABASE = {"stages", "features"}


class Command(BaseCommand):
    help = (
        "Measure a claim on temporary databases of its own: `bench tick` writes, scores and reviews one tick, "
        "`bench whatif` asks the console for previews, `bench web` loads the list page, "
        "`bench stages` holds indicators, judgement, paper broker and back-test against other libraries, "
        "`bench features` the 240 features against pandas and polars, "
        "`bench evidence` stores vectors and predictions, and a tick with them. "
        "Yours is not touched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", choices=sorted(BENCHES), default="tick")
        parser.add_argument("--tokens", type=int, metavar="N", help="default: 10,000 for tick, 1,000 for the others")
        parser.add_argument("--json", action="store_true", help='print {"rows": […]} and nothing else')
        parser.add_argument(
            "--here", action="store_true", help="measure on the present database, which must be empty, rather than on temporary ones"
        )

    def handle(self, *_: Any, name: str, tokens: int | None, json: bool, here: bool, **__: Any) -> None:
        tokens = BENCHES[name][1] if tokens is None else tokens
        if tokens < 1:
            raise CommandError("--tokens: a whole number, at least 1")
        lines: list[dict[str, Any]] = []
        for some in [self._measured(name, tokens)] if here or name in WITHOUT_DATABASE else self._on_temporary_databases(name, tokens):
            lines += some
            if not json:
                self._print(some)  # a run takes minutes: what is known is said
        if json:
            self.stdout.write(json_module.dumps({"rows": lines}))
        self._end(lines, json)

    def _measured(self, name: str, tokens: int) -> list[dict[str, Any]]:
        if name not in WITHOUT_DATABASE and "tokens" not in connection.introspection.table_names():
            call_command("migrate", verbosity=0)
        try:
            return [asdict(line) for line in BENCHES[name][0].measure(tokens, connection.vendor, self._progress)]
        except tick.NotEmpty as error:
            raise CommandError(str(error)) from error

    def _on_temporary_databases(self, name: str, tokens: int) -> Iterator[list[dict[str, Any]]]:
        for address in (_temporary_postgres, _temporary_sqlite):
            with address() as url:
                if not url:
                    self.stderr.write(
                        "PostgreSQL was not measured: initdb and pg_ctl are not on this machine (Debian: apt install postgresql)"
                    )
                    continue
                yield _in_a_process_of_its_own(url, [name, "--tokens", str(tokens)])

    def _progress(self, text: str) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{text}", ending="")

    def _end(self, lines: list[dict[str, Any]], as_json: bool) -> None:
        """The exit tells whether all holds; who reads JSON finds in the rows what does not, and is told nothing besides."""
        broken = [f"{line['bench']} on {line['database']} ({line['against']})" for line in lines if not line["holds"]]
        if broken and as_json:
            sys.exit(1)
        if broken:
            raise CommandError(f"a floor does not hold: {'; '.join(broken)}")

    def _print(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            least = f"floor {line['floor']:g}: {'holds' if line['holds'] else 'DOES NOT HOLD'}" if line["floor"] else "no floor"
            if line["theirs"] is None:
                self.stdout.write(f"{line['bench']}: {line['ours']:g} {line['unit']}, not compared ({line['against']})")
                continue
            memory = f", peak {line['memory_mb']:g} MiB" if "memory_mb" in line else ""
            self.stdout.write(
                f"{line['bench']} on {line['database']}: {line['ours']:g} {line['unit']} against {line['theirs']:g} ({line['against']}), "
                f"ratio {line['ratio']:g}, {least}{memory}"
            )


def _in_a_process_of_its_own(url: str, arguments: list[str]) -> list[dict[str, Any]]:
    environment = {**os.environ, "DATABASE_URL": url, "READ_DOTENV": "0", "DEBUG": "0", "LOG_LEVEL": "ERROR"}
    command = [sys.executable, "manage.py", "bench", *arguments, "--json", "--here"]
    done = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - ourselves
    try:
        rows: list[dict[str, Any]] = json_module.loads(done.stdout)["rows"]
    except ValueError as error:
        raise CommandError(f"the measuring process failed with code {done.returncode}") from error
    return rows


@contextmanager
def _temporary_postgres() -> Iterator[str]:
    from tothemoon.tests.pgtemp import TemporaryPostgres, postgres_programs  # changes the environment when it is imported

    if postgres_programs() is None:
        yield ""
        return
    cluster = TemporaryPostgres(AS_A_SERVER)
    try:
        yield cluster.url()
    finally:
        cluster.remove()


@contextmanager
def _temporary_sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="ttm-bench-", ignore_cleanup_errors=True) as folder:
        yield f"sqlite:///{Path(folder) / 'bench.sqlite3'}"
