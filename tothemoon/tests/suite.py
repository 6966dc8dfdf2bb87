"""./run test [pytest's own arguments] [--coverage]: every test on SQLite, then on PostgreSQL those that ask the database, on both cores.

Where PostgreSQL's or Chromium's programs are missing the rest runs, and the last lines say what did not run and how to get it.
With CI=true a test that ran nowhere is a failure. Exit code: 0 all passed, 1 something failed, 5 no test was found.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tothemoon.tests.migrated import ROOT
from tothemoon.tests.pgtemp import postgres_programs

WORKERS = "4"  # on two cores: many tests wait for a socket, a browser or a process most of their time
SECOND_LOOKS = 6  # more than so many failures are not the machine's doing
TESTS_FAILED, NO_TESTS = 1, 5
DATABASES = {"SQLite": "sqlite", "PostgreSQL": "postgres"}  # as people say it, as TEST_DATABASE says it
NO_POSTGRES = "PostgreSQL's programs are not on this machine (Debian: apt install postgresql)"
NO_CHROMIUM = "Chromium is not on this machine (Debian: apt install chromium)"


@dataclass
class Run:
    """What one pass of pytest over one database did."""

    database: str
    exit_code: int = 0
    seconds: float = 0.0
    ran: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    browser: list[str] = field(default_factory=list)
    unsteady: list[str] = field(default_factory=list)

    @property
    def passed(self) -> int:
        return len(set(self.ran) - set(self.failed))

    @property
    def broken(self) -> bool:
        """Failed, interrupted or not even started; finding nothing to run is no failure of one pass alone."""
        return self.exit_code not in (0, NO_TESTS)


def chromium() -> str | None:
    """Rather the one without windows: it draws the same pages, and a test costs a third less of the processor."""
    names = ("/usr/lib/chromium/chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


def compiled_once(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Hundreds of processes are started. Where Python is told to write no bytecode, each would compile all that it imports, which takes it
    three times as long as all else that it does at its start; so what they compile is kept in the folder of the run."""
    wanted = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return wanted if len(wanted) == len(environment) else {**wanted, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def files_of_the_clock() -> list[str]:
    """Those with tests that hold a ratio against the clock: to read all the other files takes longer than some of these tests."""
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("*/tests/test_*.py") if "mark.measured" in path.read_text())


def pytest_run(
    database: str, arguments: list[str], without: str, only: str, coverage: bool, folder: Path, workers: str = WORKERS, clock: str = ""
) -> Run:
    report = folder / f"{database}.json"
    report.unlink(missing_ok=True)
    tally = {"TALLY_FILE": str(report), "TALLY_WITHOUT": without, "TALLY_ONLY": only, "TALLY_CLOCK": clock}
    environment = {**compiled_once(os.environ, folder), "TEST_DATABASE": DATABASES[database], "MIGRATED_FOLDER": str(folder), **tally}
    measured = ["-m", "coverage", "run", "--parallel-mode", f"--data-file={folder / 'coverage'}"] if coverage else []
    line = [sys.executable, *measured, "-m", "pytest", "-p", "tothemoon.tests.tally", "-n", workers, *arguments]
    print(f"── {database} ──", flush=True)
    started = time.monotonic()
    exit_code = subprocess.run(line, env=environment).returncode
    facts = json.loads(report.read_text()) if report.exists() else {}
    return Run(database, exit_code, time.monotonic() - started, **facts)


def looked_at_again(run: Run, alone: Callable[[list[str]], Run]) -> Run:
    """Tests that drive real sockets, browsers and processes against the clock may fail because three of them share two cores. A few that
    failed run once more, one after another; what passes then is not failed but unsteady, and the last lines name it. A property that was
    broken stays so: Hypothesis tries the example that broke it again."""
    if not run.failed or run.exit_code != TESTS_FAILED or len(run.failed) > SECOND_LOOKS:
        return run
    second = alone(run.failed)
    unsteady = sorted(set(run.failed) & set(second.ran) - set(second.failed))
    return replace(run, exit_code=second.exit_code, failed=second.failed, unsteady=unsteady, seconds=run.seconds + second.seconds)


def together(many: Run, measured: Run) -> Run:
    """One run of two that share no test: the many, side by side, and those that hold a ratio against the clock, after them."""
    ended = {many.exit_code, measured.exit_code}
    return Run(
        many.database,
        max(ended - {NO_TESTS}, default=NO_TESTS),
        many.seconds + measured.seconds,
        many.ran | measured.ran,
        many.failed + measured.failed,
        many.skipped | measured.skipped,
        many.browser + measured.browser,
        many.unsteady + measured.unsteady,
    )


def ran_nowhere(runs: list[Run]) -> dict[str, str]:
    """Tests that every pass skipped, each with the reasons given; a test for one database only counts as run by the other pass."""
    ran = {name for run in runs for name in run.ran}
    reasons: dict[str, list[str]] = {}
    for name, reason in ((name, reason) for run in runs for name, reason in run.skipped.items() if name not in ran):
        reasons.setdefault(name, []).append(reason)
    return {name: "; ".join(dict.fromkeys(given)) for name, given in reasons.items()}


def left_to_the_first(run: Run, first: Run) -> str:
    """How many tests only the first run had: they ask no database, or they look at a page in a browser."""
    left = set(first.ran) - set(run.ran) - set(run.skipped)
    return f"; {len(left)} that ask no database or need a browser ran on {first.database} alone" if left else ""


def closing_lines(runs: list[Run], missing: list[str], seconds: float) -> list[str]:
    lines = ["", "What ran:"]
    for run in runs:
        browser = f", {len(set(run.browser) & set(run.ran))} of them in a browser" if run.browser else ""
        failed = f", {len(run.failed)} failed" if run.failed else ""
        stopped = f"; pytest ended with exit code {run.exit_code}" if run.broken and not run.failed else ""
        lines.append(
            f"  {run.database}: {run.passed} passed{failed}{browser}, {run.seconds:.0f} s{stopped}{left_to_the_first(run, runs[0])}"
        )
    lines += [f"  unsteady: {name} ({run.database}) failed beside others and passed alone" for run in runs for name in run.unsteady]
    lines += [f"  not run: {reason}" for reason in missing]
    reasons: dict[str, list[str]] = {}
    for name, reason in ran_nowhere(runs).items():
        reasons.setdefault(reason, []).append(name)
    lines += [f"  not run: {len(names)} × {names[0]}{' …' if len(names) > 1 else ''}: {reason}" for reason, names in reasons.items()]
    slowest = sorted(((seconds, name, run.database) for run in runs for name, seconds in run.ran.items()), reverse=True)[:3]
    lines.append("  slowest: " + "; ".join(f"{name} {seconds:.1f} s ({database})" for seconds, name, database in slowest))
    lines.append(f"  total {int(seconds // 60)} min {seconds % 60:.0f} s")
    skipped = sum(map(len, reasons.values()))
    counts = f"{sum(run.passed for run in runs)} passed, {sum(len(run.failed) for run in runs)} failed"
    return [*lines, f"{counts}, {skipped} skipped" if skipped else counts]


def verdict(runs: list[Run], missing: list[str], strict: bool) -> int:
    if any(run.broken for run in runs):
        return TESTS_FAILED
    if not any(run.ran for run in runs):
        return NO_TESTS
    return TESTS_FAILED if strict and (missing or ran_nowhere(runs)) else 0


def print_coverage(folder: Path) -> None:
    tool = [sys.executable, "-m", "coverage"]
    subprocess.run([*tool, "combine", "--quiet", f"--data-file={folder / 'coverage'}", str(folder)], check=True)
    subprocess.run([*tool, "report", f"--data-file={folder / 'coverage'}"], check=True)


def one_pass(database: str, arguments: list[str], without: str, only: str, coverage: bool, folder: Path) -> Run:
    def alone(names: list[str], clock: str = "") -> Run:
        return pytest_run(database, names, without, only, coverage, folder, workers="0", clock=clock)

    many = looked_at_again(pytest_run(database, arguments, without, only, coverage, folder, clock="without"), alone)
    measured = looked_at_again(alone(arguments or files_of_the_clock(), clock="only"), alone)
    return together(many, measured)


def main(arguments: list[str]) -> int:
    coverage = "--coverage" in arguments
    arguments = [word for word in arguments if word != "--coverage"]
    started = time.monotonic()
    missing = [] if chromium() else [NO_CHROMIUM]
    with tempfile.TemporaryDirectory(prefix="ttm-suite-") as name:
        folder = Path(name)
        runs = [one_pass("SQLite", arguments, "" if chromium() else "browser", "", coverage, folder)]
        if postgres_programs():
            # A page looks the same on both, and arithmetic comes out the same.
            runs.append(one_pass("PostgreSQL", arguments, "browser", "database", coverage, folder))
        else:
            missing.append(NO_POSTGRES)
        if coverage:
            print_coverage(folder)
    strict = os.environ.get("CI") == "true"
    code = verdict(runs, missing, strict)
    if strict and (missing or ran_nowhere(runs)):
        print("\nWith CI=true everything has to run; see “not run” below.")
    print("\n".join(closing_lines(runs, missing, time.monotonic() - started)), flush=True)
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("interrupted")
