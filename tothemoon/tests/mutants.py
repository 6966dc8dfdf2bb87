"""./run mutants [CORE ...] [--sample N]: changes the pure cores in every small way, one at a time, and sees whether a test notices.

Works on a copy of what git knows, with the tests that ask no database (mutant_loop.py tries them). Every change that no test notices is
listed with the reason from mutants.toml, or as unexplained. Exit 1 where a core's score is below 85 %, where a change has no reason, or
where a reason has no change any more. With --sample only so many changes of each core are made, drawn by the seed, and the report says so.
"""

import argparse
import contextlib
import difflib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from tothemoon.tests.mutant_loop import UNNOTICED

ROOT = Path(__file__).resolve().parents[2]
LEAST = 0.85
WHY = Path(__file__).with_name("mutants.toml")


def tests_of(app: str, *names: str) -> list[str]:
    return [f"{app}/tests/test_{name}.py" for name in names]


CORES: dict[str, tuple[list[str], list[str]]] = {  # files, and the tests that are asked
    "metrics": (
        ["scoring/metrics.py", "scoring/over_history.py", "scoring/components.py", "scoring/score_models/*"],
        tests_of("scoring", "metrics", "components", "smoothing", "replay_at_once", "score_models"),
    ),
    "status": (["tokens/status_rule.py"], tests_of("tokens", "status_rule", "status_machine")),
    "indicators": (
        ["learning/indicators/*"],
        tests_of("learning", "indicators", "plain_formulae", "gaps", "against_talib", "flow", "spread", "windows"),
    ),
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
"""
PYTEST = [
    *("-n", "0", "-p", "no:cacheprovider", "-p", "tothemoon.tests.tally", "-p", "tothemoon.tests.mutant_loop"),
    *("--tb=native", "--assert=plain", "--capture=no", "-m", "not slow and not measured and not browser"),
]


@dataclass
class Found:
    """What became of one core's mutants."""

    core: str
    noticed: int = 0
    stopped: int = 0  # of the noticed those that did not end by themselves
    drawn: str = ""  # how, where not all were tried
    explained: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)  # reasons for what a test notices

    @property
    def total(self) -> int:
        return self.noticed + len(self.explained) + len(self.unexplained)

    @property
    def score(self) -> float:
        return self.noticed / self.total if self.total else 0.0

    @property
    def sound(self) -> bool:
        return self.score >= LEAST and not self.unexplained and not self.outdated


def copied(folder: Path) -> None:
    for name in subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    with (folder / "pyproject.toml").open("a") as settings:
        settings.write(SETTINGS)


def files_of(core: str, folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for pattern in CORES[core][0] for path in folder.glob(pattern) if path.suffix == ".py")


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def changed(folder: Path, files: list[Path]) -> dict[str, str]:
    """Puts every change of these files into them, asleep, and says of each, by its name, what it is: `- before + after`."""
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    changes = {}
    with contextlib.chdir(folder):  # where mutmut looks for its settings
        for path in files:
            made = mutate_file_contents(str(path), path.read_text())
            path.write_text(made.code)
            lines = made.code.splitlines()
            text = {name: lines[span.start - 1 : span.end] for name, span in made.line_span_by_function_name.items()}
            for name in made.mutant_names:
                first = name.partition("__mutmut_")[0] + "__mutmut_orig"
                changes[get_mutant_name(path, name)] = difference(text[first], [line.replace(name, first) for line in text[name]])
    return changes


def difference(before: list[str], after: list[str]) -> str:
    """The lines that differ, as `- before` and `+ after`."""
    lines = [line for line in difflib.unified_diff(before, after, lineterm="", n=0) if line[:3] not in ("+++", "---")]
    return " ".join(f"{line[0]} {line[1:].strip()}" for line in lines if line[0] in "+-")


def place_of(mutant: str) -> str:
    """Module, class and function of a mutant's name."""
    module, _, name = mutant.partition("__mutmut")[0].rpartition(".")
    return f"{module}." + (name.removeprefix("xǁ").replace("ǁ", ".") if "ǁ" in name else name.removeprefix("x_"))


@dataclass(frozen=True)
class Reason:
    """Why no test can notice a change: `where` is the function, or * for any, `change` a part of the changed lines."""

    where: str
    change: str
    why: str

    def fits(self, where: str, what: str) -> bool:
        return self.where in (where, "*") and self.change in what


def reasons() -> list[Reason]:
    groups = tomllib.loads(WHY.read_text())["survivors"]
    return [Reason(*line.split(": ", 1), group["why"]) for group in groups for line in group["changes"]]


def drawn(names: list[str], sample: int, seed: int) -> list[str]:
    return sorted(random.Random(seed).sample(names, min(sample, len(names))))


def outcomes(folder: Path, names: list[str], tests: list[str], children: int, least_sec: int = 3) -> dict[str, int]:
    """0 where no test noticed a change, 33 where none even reaches it, below 0 where it did not end by itself."""
    asked, out = folder / "asked.json", folder / "outcomes.json"
    asked.write_text(json.dumps({"names": names, "children": children, "least_sec": least_sec, "out": str(out)}))
    own = {"TEST_DATABASE": "sqlite", "TALLY_ONLY": "arithmetic", "HYPOTHESIS_PROFILE": "mutants", "MUTANTS": str(asked)}
    environment = {**os.environ, **own, "TALLY_FILE": "", "TALLY_CLOCK": "", "PYTHONPATH": ""}
    line = [sys.executable, "-m", "pytest", *PYTEST, *tests]
    ended = subprocess.run(line, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    if not out.exists():
        sys.exit(f"The tests do not pass even unchanged:\n{ended.stdout[-3000:]}{ended.stderr[-1000:]}")
    found: dict[str, int] = json.loads(out.read_text())
    return found


def hunt(core: str, children: int, sample: int = 0, seed: int = 1) -> Found:
    with tempfile.TemporaryDirectory(prefix="ttm-mutants-") as name:
        folder = Path(name)
        copied(folder)
        files = files_of(core, folder)
        changes = changed(folder, files)
        names = drawn(list(changes), sample, seed) if sample else list(changes)
        ends = outcomes(folder, names, CORES[core][1], children)
    modules = tuple(f"{module_of(path)}." for path in files)
    found = judged(Found(core), ends, changes, [reason for reason in reasons() if reason.where.startswith(("*", *modules))])
    if sample:
        found.outdated = []  # the changes that they are for may not have been drawn
        found.drawn = f", a sample of {len(names)} of {len(changes)}, seed {seed}"
    return found


def judged(found: Found, ends: dict[str, int], changes: dict[str, str], known: list[Reason]) -> Found:
    used = set()
    for mutant, what in changes.items():
        if mutant not in ends:
            continue
        if ends[mutant] not in UNNOTICED:
            found.noticed += 1
            found.stopped += ends[mutant] < 0
            continue
        where = place_of(mutant)
        reason = next((reason for reason in known if reason.fits(where, what)), None)
        used.add(reason)
        (found.explained if reason else found.unexplained).append(f"{where}: {what}" + (f" ({reason.why})" if reason else ""))
    found.outdated = [f"{reason.where}: {reason.change}" for reason in known if reason not in used and reason.where != "*"]
    return found


def report(found: Found) -> str:
    lines = [
        f"{found.core}: {found.noticed} of {found.total} noticed = {found.score:.1%} ({found.stopped} did not end){found.drawn}; "
        f"{len(found.explained)} not, with a reason; {len(found.unexplained)} not, unexplained"
    ]
    lines += [f"  {line}" for line in found.explained]
    lines += [f"  UNEXPLAINED {line}" for line in found.unexplained]
    return "\n".join([*lines, *(f"  A REASON FOR NOTHING {line}" for line in found.outdated)])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="./run mutants", description="Change the pure cores in small ways and see whether a test notices."
    )
    parser.add_argument("core", nargs="*", choices=[*CORES, []], help="default: all of them")
    parser.add_argument("--children", type=int, default=2, help="so many tests at once (default 2)")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="so many changes of each core instead of all")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default 1)")
    asked = parser.parse_args(arguments)
    hunts = []
    for core in asked.core or CORES:
        hunts.append(hunt(core, asked.children, asked.sample, asked.seed))
        print(report(hunts[-1]), flush=True)
    return 0 if all(found.sound for found in hunts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
