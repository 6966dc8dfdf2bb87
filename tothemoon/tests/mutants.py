"""./run mutants [CORE ...] [--sample N]: changes the pure cores in every small way, one at a time, and sees whether a test notices.

Works on a copy of what git knows, with the tests that ask no database. Every change that no test notices is listed with the reason from
mutants.toml, or as unexplained. Exit 1 where a core's score is below 85 %. With --sample only so many changes of each core are made, drawn
by the seed, and the report says so.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEAST = 0.85
# A mutant's exit codes: its tests passed, or there is none. Loops without end were stopped, by the processor's time or by the clock.
UNNOTICED = {0, 5, 33}
STOPPED = {-24, -9, 24, 36, 152, 255}
WHY = Path(__file__).with_name("mutants.toml")


def tests_of(app: str, *names: str) -> list[str]:
    return [f"{app}/tests/test_{name}.py" for name in names]


CORES: dict[str, tuple[list[str], list[str]]] = {  # files, and the tests that are asked
    "metrics": (
        ["scoring/metrics.py", "scoring/over_history.py", "scoring/components.py"],
        tests_of("scoring", "metrics", "components", "smoothing", "replay_at_once", "score_models", "attribution"),
    ),
    "status": (["tokens/status_rule.py"], tests_of("tokens", "status_rule", "status_machine")),
    "indicators": (["learning/indicators/*"], tests_of("learning", "indicators", "against_talib", "flow", "spread", "windows")),
    "parsers": (
        [f"ingestion/{name}.py" for name in ("strict_json", "pumpportal", "birdeye_answers", "dexscreener")],
        tests_of("ingestion", "strict_json", "pumpportal", "birdeye", "dexscreener", "contradictions", "politeness"),
    ),
    "broker": (
        [f"trading/{name}.py" for name in ("broker", "fills", "exits", "sizing", "fixed_sizes", "book", "many_bars")],
        tests_of("trading", "broker", "backtest", "many_bars"),
    ),
}
SETTINGS = """
[tool.mutmut]
source_paths = ["tokens", "ingestion", "scoring", "learning", "trading", "tothemoon"]
only_mutate = {files}
also_copy = ["conftest.py", "templates", "docs", "manage.py", "run", "README.md", "CHANGELOG.md", ".env.example"]
pytest_add_cli_args = ["-m", "not slow and not measured and not browser", "-p", "no:cacheprovider",
                       "-p", "tothemoon.tests.tally", "-p", "tothemoon.tests.plain_ids"]
pytest_add_cli_args_test_selection = {tests}
"""


@dataclass
class Found:
    """What became of one core's mutants."""

    core: str
    noticed: int = 0
    stopped: int = 0  # of the noticed those that did not end
    drawn: str = ""  # how, where not all were tried
    explained: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.noticed + len(self.explained) + len(self.unexplained)

    @property
    def score(self) -> float:
        return self.noticed / self.total if self.total else 0.0


def copied(folder: Path, core: str) -> None:
    for name in subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    files, tests = CORES[core]
    with (folder / "pyproject.toml").open("a") as settings:
        settings.write(SETTINGS.format(files=json.dumps(files), tests=json.dumps(tests)))


def exit_codes(folder: Path) -> Iterator[tuple[str, int]]:
    for meta in sorted((folder / "mutants").rglob("*.py.meta")):
        for name, code in json.loads(meta.read_text())["exit_code_by_key"].items():
            if code is not None:
                yield name, code


def change(folder: Path, name: str) -> str:
    """The lines that differ, as `- before` and `+ after`."""
    shown = subprocess.run([sys.executable, "-m", "mutmut", "show", name], cwd=folder, check=True, capture_output=True, text=True).stdout
    lines = [line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return " ".join(f"{line[0]} {line[1:].strip()}" for line in lines)


def reason_for(where: str, changed: str, reasons: list[dict[str, str]]) -> str | None:
    return next((reason["why"] for reason in reasons if reason["where"] in where and reason["change"] in changed), None)


def every_mutant(folder: Path, core: str) -> list[str]:
    """The names that mutmut gives to the changes of a core, without making them."""
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    names = []
    with contextlib.chdir(folder):  # where mutmut looks for its settings
        for path in sorted(path for pattern in CORES[core][0] for path in Path().glob(pattern) if path.suffix == ".py"):
            names += [get_mutant_name(path, name) for name in mutate_file_contents(str(path), path.read_text()).mutant_names]
    return names


def drawn(names: list[str], sample: int, seed: int) -> list[str]:
    return sorted(random.Random(seed).sample(names, min(sample, len(names))))


def hunt(core: str, children: int, sample: int = 0, seed: int = 1) -> Found:
    found, reasons = Found(core), tomllib.loads(WHY.read_text()).get("survivor", [])
    with tempfile.TemporaryDirectory(prefix="ttm-mutants-") as name:
        folder = Path(name)
        copied(folder, core)
        environment = {
            **os.environ,
            "TEST_DATABASE": "sqlite",
            "TALLY_ONLY": "arithmetic",
            "PYTHONPATH": "",
            "HYPOTHESIS_PROFILE": "mutants",
        }
        names = every = every_mutant(folder, core)
        if sample:
            names = drawn(every, sample, seed)
            found.drawn = f", a sample of {len(names)} of {len(every)}, seed {seed}"
        # With their names given, mutmut first tries the unchanged code with the very tests, by name, that it tries the changes with.
        line = [sys.executable, "-m", "mutmut", "run", "--max-children", str(children), *names]
        ended = subprocess.run(line, cwd=folder, env=environment, check=False, capture_output=True, text=True)
        if ended.returncode:
            sys.exit(f"{core}: the tests do not pass even unchanged:\n{ended.stdout[-3000:]}{ended.stderr[-1000:]}")
        for mutant, code in exit_codes(folder):
            if code not in UNNOTICED:
                found.noticed += 1
                found.stopped += code in STOPPED
                continue
            where = mutant.split("__mutmut")[0].replace("x_", "", 1)
            changed = change(folder, mutant)
            why = reason_for(where, changed, reasons)
            (found.explained if why else found.unexplained).append(f"{where}: {changed}" + (f" ({why})" if why else ""))
    return found


def report(found: Found) -> str:
    lines = [
        f"{found.core}: {found.noticed} of {found.total} noticed = {found.score:.1%} ({found.stopped} did not end){found.drawn}; "
        f"{len(found.explained)} not, with a reason; {len(found.unexplained)} not, unexplained"
    ]
    return "\n".join([*lines, *(f"  {line}" for line in found.explained), *(f"  UNEXPLAINED {line}" for line in found.unexplained)])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="./run mutants", description="Change the pure cores in small ways and see whether a test notices."
    )
    parser.add_argument("core", nargs="*", choices=[*CORES, []], help="default: all of them")
    parser.add_argument("--children", type=int, default=2, help="so many tests at once (default 2)")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="so many changes of each core instead of all")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default 1)")
    asked = parser.parse_args(arguments)
    outcomes = []
    for core in asked.core or CORES:
        outcomes.append(hunt(core, asked.children, asked.sample, asked.seed))
        print(report(outcomes[-1]), flush=True)
    return 0 if all(found.score >= LEAST for found in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
