"""./run coverage [--pure]: which lines and branches no test takes. Of the pure cores every one is taken, of the whole at least 95 %.

The pure cores are the modules that pyproject.toml keeps from Django and the network. With --pure they are measured alone, by the tests of
the apps that ask no database, in four minutes of the processor; without it by the whole suite on both databases, and the whole with them.
Exit 1 below a floor, or where a test failed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tothemoon.tests import suite
from tothemoon.tests.pgtemp import postgres_programs

ROOT = Path(__file__).resolve().parents[2]
PURE_LEAST, WHOLE_LEAST = 1.0, 0.95
APPS = ["tokens", "ingestion", "scoring", "learning", "trading"]
CONTRACT = "Arithmetic and decisions know neither Django nor the network"


def pure_files() -> set[str]:
    """The modules of the contract, packages with all that is in them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    modules = next(contract["source_modules"] for contract in contracts if contract["name"] == CONTRACT)
    paths = [ROOT / module.replace(".", "/") for module in modules]
    return {str(file.relative_to(ROOT)) for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")])}


@dataclass
class Share:
    """How much of some files was taken, and in words what was not."""

    taken: int = 0
    there: int = 0
    missing: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        return self.taken / self.there if self.there else 0.0


def share_of(files: dict[str, Any], names: Iterable[str]) -> Share:
    """Of coverage's report. A file that no test even imported is in it too, with nothing taken."""
    found = Share()
    for name in sorted(names):
        part = files.get(name)
        if part is None:
            found.missing.append(f"{name}: not measured")
            found.there += 1
            continue
        figures = part["summary"]
        found.taken += figures["covered_lines"] + figures.get("covered_branches", 0)
        found.there += figures["num_statements"] + figures.get("num_branches", 0)
        lines, branches = part["missing_lines"], part.get("missing_branches", [])
        ways = [f"{begin}→{end if end > 0 else 'out'}" for begin, end in branches if begin not in lines and end not in lines]
        if lines or branches:
            found.missing.append(f"{name}: {', '.join([*map(str, lines), *ways])}")
    return found


def measured(folder: Path, pure: bool) -> bool:
    """Whether all tests passed."""
    if not pure:
        runs = [suite.one_pass("SQLite", [], "" if suite.chromium() else "browser", "", True, folder)]
        if postgres_programs():
            runs.append(suite.one_pass("PostgreSQL", [], "browser", "database", True, folder))
        return not any(run.broken for run in runs)
    line = [sys.executable, "-m", "coverage", "run", "--parallel-mode", f"--data-file={folder / 'coverage'}", "-m", "pytest"]
    line += ["-n", "0", "-p", "tothemoon.tests.tally", "-m", "not browser and not measured and not slow", *APPS]
    return subprocess.run(line, cwd=ROOT, env={**os.environ, "TALLY_ONLY": "arithmetic"}, check=False).returncode == 0


def report_of(folder: Path) -> dict[str, Any]:
    tool, data = [sys.executable, "-m", "coverage"], f"--data-file={folder / 'coverage'}"
    subprocess.run([*tool, "combine", "--quiet", data, str(folder)], cwd=ROOT, check=True)
    subprocess.run([*tool, "json", "--quiet", data, "-o", str(folder / "report.json")], cwd=ROOT, check=True)
    files: dict[str, Any] = json.loads((folder / "report.json").read_text())["files"]
    return files


def told(what: str, found: Share, least: float) -> str:
    head = f"{what}: {found.share:.2%} of {found.there} lines and branches (at least {least:.0%})"
    return "\n".join([head, *(f"  not taken: {missing}" for missing in found.missing)])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run coverage", description="Which lines and branches no test takes.")
    parser.add_argument("--pure", action="store_true", help="the pure cores alone, by the tests of the apps that ask no database")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ttm-coverage-") as name:
        passed = measured(Path(name), asked.pure)
        files = report_of(Path(name))
    outcomes = [] if asked.pure else [("everything", share_of(files, files), WHOLE_LEAST)]
    outcomes.append(("pure cores", share_of(files, pure_files()), PURE_LEAST))
    for what, found, least in outcomes:
        print(told(what, found, least), flush=True)
    return 0 if passed and all(found.share >= least for _, found, least in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
