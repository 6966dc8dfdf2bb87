"""./run soak --scenarios: what was played, line by line, and at the end one sentence: how many of how many, seeds, commit."""

import os
import random
import signal
import subprocess
import time

from tothemoon.tests.soak.adversary.run import Report, chosen, play, templates
from tothemoon.tests.soak.adversary.stage import OPEN, Outcome, Pace
from tothemoon.tests.soak.victims import ROOT


def scenarios(databases: list[str], seed: int | None, minutes: float, only: str) -> int:
    """Every scenario once on each database, or again and again with new seeds until the minutes are over. 0 when none failed."""
    began, reports = time.monotonic(), []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    seeds = random.Random(seed)
    first = seeds.randrange(1, 900_000) if seed is None else seed
    for database in databases:
        with templates(database) as made:
            wanted, drawn, until = chosen(only, database=database), first, time.monotonic() + minutes * 60 / len(databases)
            while wanted:
                print(f"{database}, seed {drawn}: {len(wanted)} scenarios", flush=True)
                reports.append(
                    play(made, wanted, drawn, Pace(patience=60.0, slack=2.0, rounds=3), lambda outcome: print(line(outcome), flush=True))
                )
                drawn = seeds.randrange(1, 900_000)
                if time.monotonic() >= until:
                    break
    print(summary(reports, time.monotonic() - began))
    return 0 if reports and not any(report.failed for report in reports) else 1


def _leave(*_: object) -> None:
    """Told to end, leave no process behind; what stands in temporary folders is the system's to clear."""
    try:
        for stage in list(OPEN):
            stage.end_workers()
            if stage.made is not None and stage.made.cluster is not None:
                stage.made.cluster.remove()
    finally:
        os._exit(130)


def line(outcome: Outcome) -> str:
    slowest = max(outcome.figures.items(), key=lambda pair: pair[1], default=("", 0.0))
    figure = f"; longest: {slowest[0]} {slowest[1]:.1f} s" if slowest[0] else ""
    rows = " ".join(outcome.rows) or "all rows"
    said = [f"  {'FAILED' if outcome.faults else 'passed'} {outcome.name} ({rows}), {outcome.took_sec:.0f} s{figure}"]
    return "\n".join([*said, *(f"    {invariant}: {fault}" for invariant, fault in outcome.faults)])


def summary(reports: list[Report], took_sec: float) -> str:
    """The one sentence that may be quoted."""
    played = [outcome for report in reports for outcome in report.played]
    good = sum(not outcome.faults for outcome in played)
    ends = [outcome for report in reports for outcome in report.lanes]
    seeds = "/".join(dict.fromkeys(str(report.seed) for report in reports)) or "none"
    verdicts = f"{sum(not outcome.faults for outcome in ends)} of {len(ends)} lanes whole at their end"
    kinds = " and ".join(dict.fromkeys(report.database for report in reports)) or "no database"
    return f"{good} of {len(played)} scenarios, {verdicts}, seeds {seeds}, commit {commit()}, on {kinds}, {took_sec:.0f} s"


def commit() -> str:
    try:
        words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
