"""./run check: everything a machine can say about the code without running a test. All checks run, then the report; 1 on failure."""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from tothemoon.tests import catalogues, papers

HERE = Path(__file__).resolve().parent.parent.parent
APPS = ("tokens", "ingestion", "scoring", "learning", "trading", "tothemoon")
LOCKS = ("requirements.lock", "requirements-dev.lock")
EXTRAS = {name: f"requirements-{name}.lock" for name in ("redis", "parquet", "ml", "cluster")}  # each holds requirements.lock whole
LONGEST = 500
# Written so that this file does not name one itself.
REGISTRIES = re.compile(r"p[y]pi\.[a-z]+|p[y]thonhosted|n[p]mjs\.[a-z]+|deb\.d[e]bian|crates\.i[o]|registry\.y[a]rnpkg")
PRODUCTION = {
    "ALLOWED_HOSTS": "moon.example.org",
    "CSRF_TRUSTED_ORIGINS": "https://moon.example.org",
    "SECRET_KEY": "for-this-check-only-" + "".join(chr(33 + (7 * number) % 90) for number in range(60)),
    "DATABASE_URL": "postgresql:///tothemoon?host=/run/postgresql&user=tothemoon",
}
CALLERS_OWN = (
    "DEBUG",
    "SIMULATED",
    "ALLOWED_HOSTS",
    "SECRET_KEY",
    "DATABASE_URL",
    "CACHE_URL",
    "REDIS_URL",
    "CLUSTER",
    "LOG_FILE",
    "HTTPS_ONLY",
)


def tool(*line: str, **environment: str) -> Iterator[str]:
    """What a program that failed has said."""
    clean = {name: value for name, value in os.environ.items() if name not in CALLERS_OWN}
    done = subprocess.run(
        [*line], cwd=HERE, env={**clean, "READ_DOTENV": "0", **environment}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        yield done.stdout.strip() or f"exit code {done.returncode}"


def module(*line: str, **environment: str) -> Iterator[str]:
    return tool(sys.executable, "-m", *line, **environment)


def manage(*line: str, **environment: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield from tool(sys.executable, "manage.py", *line, **{"DATABASE_URL": f"sqlite:///{folder}/check.sqlite3", **environment})


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=HERE, text=True, capture_output=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := HERE / name).is_file()]


def locks_without_addresses() -> Iterator[str]:
    for name in (*LOCKS, *EXTRAS.values()):
        for number, line in enumerate((HERE / name).read_text().splitlines(), 1):
            if "://" in line or line.startswith("--"):
                yield f"{name}:{number}: {line}"


def _plain(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement.strip(), maxsplit=1)[0]).lower()


def locks_follow_pyproject() -> Iterator[str]:
    project = tomllib.loads((HERE / "pyproject.toml").read_text())
    runtime, development = (_locked(name) for name in LOCKS)
    wanted = {_plain(line) for line in project["project"]["dependencies"]}
    tools = {_plain(line) for line in project["dependency-groups"]["dev"]}
    yield from (f"{name} stands in pyproject.toml, not in requirements.lock" for name in sorted(wanted - runtime))
    yield from (f"{name} stands in pyproject.toml, not in requirements-dev.lock" for name in sorted((wanted | tools) - development))
    yield from (f"{name} stands in requirements.lock, not in requirements-dev.lock" for name in sorted(runtime - development))
    pinned = _pins(LOCKS[0])
    for extra, name in EXTRAS.items():
        named = {_plain(line) for line in project["project"]["optional-dependencies"][extra]}
        yield from (f"{missing} stands in pyproject.toml [{extra}], not in {name}" for missing in sorted(named - _locked(name)))
        yield from (f"{pin} stands in {LOCKS[0]}, not in {name}" for pin in sorted(pinned - _everywhere(_pins(name))))


def _everywhere(pins: set[str]) -> set[str]:
    """What one extra wants on every system, the others may want on one."""
    return pins | {f"{pin} ; sys_platform == 'win32'" for pin in pins if ";" not in pin}


def _locked(name: str) -> set[str]:
    return {_plain(line) for line in _pins(name)}


def _pins(name: str) -> set[str]:
    """Each package with its version, without the hashes."""
    return {line.removesuffix("\\").strip() for line in (HERE / name).read_text().splitlines() if line and line[0] not in " #"}


def no_registry_named() -> Iterator[str]:
    for path in tracked():
        text = path.read_bytes().decode("utf-8", "replace")
        yield from (f"{path.relative_to(HERE)}: {found}" for found in sorted(set(REGISTRIES.findall(text))))


def files_of_readable_length() -> Iterator[str]:
    for path in tracked("*.py"):
        lines = path.read_bytes().count(b"\n")
        if lines > LONGEST and not {"migrations", "tests"} & set(path.parts):  # a list of sentences may be longer
            yield f"{path.relative_to(HERE)}: {lines} lines"


# Name, what to run, what to do when it fails.
CHECKS: list[tuple[str, Callable[[], Iterator[str]], str]] = [
    ("lint", lambda: module("ruff", "check", "."), "ruff check --fix mends most of it."),
    ("format", lambda: module("ruff", "format", "--check", "."), "ruff format . puts it right."),
    ("types", lambda: module("mypy", *APPS), "Every signature is typed; mypy is strict."),
    ("direction of imports", lambda: tool(str(Path(sys.executable).with_name("lint-imports"))), "A package imports only what lies below."),
    ("migrations", lambda: manage("makemigrations", "--check", "--dry-run"), "A model changed without its migration."),
    ("system checks", lambda: manage("check", "--fail-level", "WARNING"), "Django's own checks and those of tothemoon.checks."),
    (
        "system checks, production",
        lambda: manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION),
        "Settings of a public site must leave no warning.",
    ),
    ("lock files without addresses", locks_without_addresses, "Make the lock anew as CONTRIBUTING.md says."),
    ("lock files follow pyproject.toml", locks_follow_pyproject, "Make the lock anew as CONTRIBUTING.md says."),
    ("no registry named", no_registry_named, "Where packages come from is the machine's business; take the name out."),
    (f"no file over {LONGEST} lines", files_of_readable_length, "Split it by what it does."),
    ("texts translated", catalogues.missing, "CONTRIBUTING.md, “A text that readers see”, says how a text gets into the catalogues."),
    ("settings and commands documented", papers.gaps, "README.md and .env.example list them all."),
]


def main() -> int:
    failures = 0
    for name, check, advice in CHECKS:
        said = list(check())
        print(f"{'FAIL' if said else 'ok  '}  {name}", flush=True)
        if said:
            failures += 1
            print(f"      {advice}")
            print("\n".join(f"      {line}" for text in said for line in text.splitlines()[-40:]), flush=True)
    print(f"{len(CHECKS) - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
