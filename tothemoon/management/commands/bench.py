"""The measured claims, measured here and now."""

import json as json_module
import os
import signal
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from tothemoon.benches import evidence, expiring, features, listener, polling, replay, scoring, stages, startup, tick, training, web, whatif
from tothemoon.benches.table import as_text
from tothemoon.children import follow_parent

# As a server would run: what is committed is on the disk. The defaults, but for memory and a log that is not cut short in mid-run.
AS_A_SERVER = "-c listen_addresses= -c shared_buffers=512MB -c max_wal_size=8GB -c max_connections=20"
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}  # the second thread of a small product of matrices only waits, and its waiting is counted
POSTGRESQL, SQLITE = "postgresql", "sqlite"
BOTH = (POSTGRESQL, SQLITE)


@dataclass(frozen=True)
class Bench:
    """What measures, with the usual size, and the databases that it is measured on: none means in this process, without one."""

    module: Any
    usual: int
    databases: tuple[str, ...] = BOTH


BENCHES = {
    "tick": Bench(tick, 10_000),
    "scoring": Bench(scoring, 1_000, (SQLITE,)),
    "replay": Bench(replay, 1_000, (SQLITE,)),
    "whatif": Bench(whatif, 1_000),
    "listener": Bench(listener, 100_000),
    "polling": Bench(polling, 10_000, (POSTGRESQL,)),
    "web": Bench(web, 1_000),
    "stages": Bench(stages, 1_000, ()),
    "features": Bench(features, 1_000, ()),
    "evidence": Bench(evidence, 1_000),
    "expiring": Bench(expiring, 1_000_000, (POSTGRESQL,)),
    "training": Bench(training, 100_000, (SQLITE,)),
    "startup": Bench(startup, 1, ()),
}
ALL = "all"


class Command(BaseCommand):
    help = (
        "Measure the claims on temporary databases of its own: `bench` alone measures all of them and ends with one table; "
        "`bench tick` writes, scores and reviews one tick, `bench scoring` scores a day at once and weighs 32 drafts, "
        "`bench replay` re-scores a day from memory, `bench listener` hears a feed that says everything at once, "
        "`bench polling` asks a service that allows 15 requests a second, `bench startup` starts and rests, "
        "`bench whatif` asks the console for previews, `bench web` loads the list page, "
        "`bench stages` holds indicators, judgement, paper broker and back-test against other libraries, "
        "`bench features` the 240 features against pandas and polars, "
        "`bench evidence` stores vectors and predictions, and a tick with them, "
        "`bench expiring` drops a day that is too old, `bench training` trains a model. "
        "Yours is not touched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", choices=[ALL, *BENCHES], default=ALL)
        parser.add_argument("--tokens", type=int, metavar="N", help="how much to measure with; each has its usual number")
        parser.add_argument("--json", action="store_true", help='print {"rows": […]} and nothing else')
        parser.add_argument(
            "--here", action="store_true", help="measure on the present database, which must be empty, rather than on temporary ones"
        )

    def handle(self, *_: Any, name: str, tokens: int | None, json: bool, here: bool, **__: Any) -> None:
        if tokens is not None and tokens < 1:
            raise CommandError("--tokens: a whole number, at least 1")
        if name == ALL and (here or tokens is not None):
            raise CommandError("--here and --tokens are for one bench, and need its name")
        with _ended_in_order():
            self._all(name, tokens, json, here)

    def _all(self, name: str, tokens: int | None, json: bool, here: bool) -> None:
        lines: list[dict[str, Any]] = []
        for each in BENCHES if name == ALL else [name]:
            for some in self._runs(each, tokens or BENCHES[each].usual, here, alone=name != ALL):
                lines += some
                if not json:
                    self._print(some)  # a run takes minutes: what is known is said
        if json:
            self.stdout.write(json_module.dumps({"rows": lines}))
        elif name == ALL:
            self.stdout.write(f"\n{as_text(lines)}")
        self._end(lines, json)

    def _runs(self, name: str, tokens: int, here: bool, alone: bool) -> Iterator[list[dict[str, Any]]]:
        bench = BENCHES[name]
        if here or (alone and not bench.databases):
            yield self._measured(name, tokens)
            return
        for database in bench.databases or (SQLITE,):
            with _temporary(database) as url:
                if url:
                    yield _in_a_process_of_its_own(url, [name, "--tokens", str(tokens)])
                else:
                    self.stderr.write(
                        "PostgreSQL was not measured: initdb and pg_ctl are not on this machine (Debian: apt install postgresql)"
                    )

    def _measured(self, name: str, tokens: int) -> list[dict[str, Any]]:
        bench = BENCHES[name]
        if bench.databases and "tokens" not in connection.introspection.table_names():
            call_command("migrate", verbosity=0)
        try:
            return [asdict(line) for line in bench.module.measure(tokens, connection.vendor, self._progress)]
        except tick.NotEmpty as error:
            raise CommandError(str(error)) from error

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
            what = f", {line['what']}" if line.get("what") else ""
            self.stdout.write(
                f"{line['bench']} on {line['database']}{what}: {line['ours']:g} {line['unit']} "
                f"against {line['theirs']:g} ({line['against']}), ratio {line['ratio']:g}, {least}{memory}"
            )


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Told to end, it ends as by Ctrl-C: the databases and servers that it has started go with it."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _in_a_process_of_its_own(url: str, arguments: list[str]) -> list[dict[str, Any]]:
    environment = {**os.environ, "DATABASE_URL": url, "READ_DOTENV": "0", "DEBUG": "0", "LOG_LEVEL": "ERROR", **ONE_THREAD}
    command = [sys.executable, "manage.py", "bench", *arguments, "--json", "--here"]
    done = subprocess.run(  # noqa: S603 - ourselves
        command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True, check=False, preexec_fn=follow_parent
    )
    try:
        rows: list[dict[str, Any]] = json_module.loads(done.stdout)["rows"]
    except ValueError as error:
        raise CommandError(f"the measuring process failed with code {done.returncode}") from error
    return rows


def _temporary(database: str) -> AbstractContextManager[str]:
    return _temporary_postgres() if database == POSTGRESQL else _temporary_sqlite()


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
