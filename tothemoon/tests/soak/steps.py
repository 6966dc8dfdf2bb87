"""The steps of a trial on a bare machine: each is told as it is taken, with its seconds, and what did not hold is told at the end."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from tothemoon.tests.soak.operator_by_paper import REPOSITORY
from tothemoon.tests.soak.victims import ROOT


@dataclass
class Steps:
    faults: list[str] = field(default_factory=list)
    taken: int = 0

    @contextmanager
    def step(self, what: str) -> Iterator["Step"]:
        """What fails inside, or does not answer, is a fault of the trial; the steps after it are taken all the same."""
        step, began = Step(), time.monotonic()
        try:
            yield step
        except (AssertionError, OSError, HTTPException) as fault:
            self.faults.append(f"{what}: {fault}")
            step.found = "DOES NOT HOLD"
        self.taken += 1
        print(f"  {time.monotonic() - began:6.1f} s  {what}{': ' if step.found else ''}{step.found}", flush=True)

    def report(self, trial: str) -> int:
        print("\n".join(f"  FAULT: {fault}" for fault in self.faults))
        print(f"{'FAILED' if self.faults else 'passed'}: {trial}, {self.taken - len(self.faults)} of {self.taken} steps, commit {commit()}")
        return 1 if self.faults else 0


@dataclass
class Step:
    found: str = ""


def commit() -> str:
    told = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(told, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


@contextmanager
def trial_folder() -> Iterator[Path]:
    """Not in memory: an overlay cannot lie upon every kind of file system, and a whole Debian is large."""
    with tempfile.TemporaryDirectory(prefix="ttm-bare-", dir="/var/tmp") as name:
        yield Path(name)


def publish(root: Path) -> None:
    """What is committed here, as the repository that the operator clones."""
    subprocess.run(["git", "clone", "--quiet", "--bare", str(ROOT), f"{root}{REPOSITORY}"], check=True)
