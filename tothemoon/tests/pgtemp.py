"""A pytest plugin that gives the run its database: a fresh SQLite file, or with TEST_DATABASE=postgres a temporary PostgreSQL
cluster of its own, started when the plugin is imported (pytest-django reads the settings before any hook runs)."""

import atexit
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

QUICK = "-c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=60"


def postgres_programs() -> Path | None:
    """The folder with initdb and pg_ctl: on the PATH, else Debian's versioned folder."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


class TemporaryPostgres:
    """A cluster in a folder of its own, reached over a Unix socket only. Works as root too: initdb then runs as nobody."""

    def __init__(self, options: str = QUICK) -> None:
        programs = postgres_programs()
        if programs is None:
            raise RuntimeError("PostgreSQL's programs initdb and pg_ctl are not on this machine (Debian: apt install postgresql)")
        self.programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="ttm-pg-"))
        self.options = f"{options} -c unix_socket_directories={self.folder}"
        self._as_nobody: dict[str, object] = {}
        if os.geteuid() == 0:
            os.chown(self.folder, 65534, 65534)
            self._as_nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        self._call(
            "initdb", "-A", "trust", "-U", "ttm", "--no-sync", "-N", "-E", "UTF8", "--locale=C.UTF-8", "-D", str(self.folder / "data")
        )
        self.start()

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.programs / program), *arguments],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            **self._as_nobody,  # type: ignore[call-overload]
        )

    def start(self) -> None:
        self._call("pg_ctl", "-w", "-D", str(self.folder / "data"), "-o", self.options, "-l", str(self.folder / "log"), "start")

    def stop(self, mode: str = "immediate") -> None:
        self._call("pg_ctl", "-w", "-D", str(self.folder / "data"), "-m", mode, "stop")

    def url(self, name: str = "postgres") -> str:
        return f"postgresql:///{name}?host={self.folder}&user=ttm"

    def remove(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):  # stopped already by the test that owned it
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def temporary_postgres(options: str = QUICK) -> Iterator[TemporaryPostgres]:
    cluster = TemporaryPostgres(options)
    try:
        yield cluster
    finally:
        cluster.remove()


def _prepare_environment() -> None:
    os.environ["READ_DOTENV"] = "0"
    if "MIGRATED_FOLDER" not in os.environ:
        os.environ["MIGRATED_FOLDER"] = tempfile.mkdtemp(prefix="ttm-migrated-")
        atexit.register(shutil.rmtree, os.environ["MIGRATED_FOLDER"], ignore_errors=True)
    os.environ["SPOOL_DIR"] = tempfile.mkdtemp(prefix="ttm-spool-")
    atexit.register(shutil.rmtree, os.environ["SPOOL_DIR"], ignore_errors=True)
    for name in (
        "BIRDEYE_API_KEY",
        "PUMPPORTAL_API_KEY",
        "LOG_FILE",
        "CLUSTER",
        "REDIS_URL",
        "CACHE_URL",
        "ALLOWED_HOSTS",
        "DEBUG",
        "SIMULATED",
    ):
        os.environ.pop(name, None)
    os.environ["SECRET_KEY"] = "only-for-tests-" + "x" * 50
    if os.environ.get("TEST_DATABASE") == "postgres":
        cluster = TemporaryPostgres()
        atexit.register(cluster.remove)
        os.environ["DATABASE_URL"] = cluster.url()
    else:
        folder = tempfile.mkdtemp(prefix="ttm-sqlite-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/tests.sqlite3"


# pytest-xdist's workers inherit the environment of the process that started them.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _prepare_environment()
else:
    os.environ["SPOOL_DIR"] += "/" + os.environ["PYTEST_XDIST_WORKER"]
