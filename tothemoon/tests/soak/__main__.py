"""./run soak [--stages | --scenarios] [--kills N | --minutes N] [--seed S] [--db sqlite|postgres|both] [--restarts N],
or --fuzz N, --attacked N, --examples N, --random-orders N: the tests that there are, with more of everything,
or --install, --upgrade, --restore-drill N: what OPERATING.md tells, done"""

import argparse
import os
import random
import subprocess
import sys
from collections.abc import Callable

from tothemoon.tests.pgtemp import postgres_programs
from tothemoon.tests.soak import restore_drill, stages
from tothemoon.tests.soak.adversary import told
from tothemoon.tests.soak.trial import Outcome, Plan, run


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./run soak", description="Kill listener and scheduler under load, and see what is in the tables."
    )
    parser.add_argument("--kills", type=int, default=0, help="kills of each worker (default 100, if no minutes are given)")
    parser.add_argument("--minutes", type=float, default=0.0, help="go on killing for so long instead")
    parser.add_argument("--seed", type=int, default=None, help="the same seed plays the same market and draws the same moments")
    parser.add_argument("--db", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--restarts", type=int, default=0, help="immediate stops of PostgreSQL under both workers, after the kills")
    parser.add_argument(
        "--stages",
        action="store_true",
        help="kill the stages in mid-cycle instead, by themselves and in run_scheduler, and compare with a run in peace",
    )
    parser.add_argument("--cluster", type=int, metavar="N", help="several machines and N tokens: kill one, cut one off, count what two do")
    parser.add_argument("--fuzz", type=int, metavar="N", help="ask the API at least N questions made from its schema, and nothing else")
    parser.add_argument("--attacked", type=int, metavar="N", help="time N visits of the site beside 200 who flood it and 500 who dawdle")
    parser.add_argument(
        "--examples", type=int, metavar="N", help="try N examples of all properties that need no database, each in proportion"
    )
    parser.add_argument("--random-orders", type=int, metavar="N", help="run the quick tests N times, each time in another order")
    parser.add_argument(
        "--scenarios",
        action="store_true",
        help="play the catalogue of faults (docs/faults.md) instead, in rounds of new seeds until --minutes",
    )
    parser.add_argument("--install", action="store_true", help="type OPERATING.md line by line on a bare Debian in a throw-away root")
    parser.add_argument("--upgrade", action="store_true", help="upgrade and roll back on such a machine, under visitors and a feed")
    parser.add_argument("--restore-drill", type=int, metavar="N", help="back up and restore N tokens with a past, under load, timed")
    parser.add_argument(
        "--only",
        default="",
        metavar="NAME",
        help="of the scenarios those of this name, row or lane (half_open, W01, losses); of examples and orders what pytest's -k takes",
    )
    asked = parser.parse_args()
    if asked.fuzz:
        return fuzz(asked.fuzz)
    if asked.attacked:
        return attacked(asked.attacked, "sqlite" if asked.db == "sqlite" else "postgres")
    if asked.cluster:
        return cluster(asked.cluster)
    if asked.examples:
        return examples(asked.examples, asked.only)
    seed = random.randrange(10**6) if asked.seed is None else asked.seed
    if asked.random_orders:
        return random_orders(range(seed, seed + asked.random_orders), asked.only)
    kills = asked.kills or (0 if asked.minutes or asked.restarts else 100)
    wanted = ["sqlite", "postgres"] if asked.db == "both" else [asked.db]
    if "postgres" in wanted and postgres_programs() is None:
        print("NOT RUN on PostgreSQL: initdb and pg_ctl are not on this machine (Debian: apt install postgresql)")
        wanted.remove("postgres")
    if asked.scenarios:
        return told.scenarios(wanted, asked.seed, asked.minutes, asked.only)
    if asked.install or asked.upgrade:
        return operations(asked.install, asked.upgrade, seed)
    if asked.restore_drill:
        return restore_drills(wanted, asked.restore_drill, seed)
    if asked.stages:
        return kill_stages(wanted, seed, asked.kills or 30)
    outcomes = []
    for database in wanted:
        outcomes.append(run(Plan(database, seed, kills, asked.minutes, asked.restarts), _progress(database)))
        print(f"\r\033[K{report(outcomes[-1])}" if sys.stdout.isatty() else report(outcomes[-1]), flush=True)
    return 0 if outcomes and all(outcome.passed for outcome in outcomes) else 1


def kill_stages(wanted: list[str], seed: int, kills: int) -> int:
    outcomes = []
    for database in wanted:
        for hunt, number in (("stage_hunt", kills), ("scheduler_hunt", max(1, kills // 2))):
            outcomes.append(stages.run(database, seed, number, hunt))
            print(stages.report(outcomes[-1]), flush=True)
    return 0 if outcomes and all(outcome.passed for outcome in outcomes) else 1


def operations(install: bool, upgrade: bool, seed: int) -> int:
    """On a machine of their own, which takes root, systemd-nspawn and debootstrap."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tothemoon.settings")  # the simulated market reads its manners there
    from tothemoon.tests.soak import installation, upgrading

    return (installation.run() if install else 0) or (upgrading.run(seed) if upgrade else 0)


def restore_drills(wanted: list[str], tokens: int, seed: int) -> int:
    drills = []
    for database in wanted:
        drills.append(restore_drill.run(database, tokens, seed))
        print(drills[-1].report(), flush=True)
    return 0 if drills and not any(drill.faults for drill in drills) else 1


def fuzz(requests: int) -> int:
    """The short trial of the tests, made long. It says how many requests it made."""
    line = [sys.executable, "-m", "pytest", "-n", "0", "tothemoon/tests/test_api_fuzz.py"]
    return subprocess.run(line, env={**os.environ, "TEST_DATABASE": "postgres", "FUZZ_REQUESTS": str(requests)}, check=False).returncode


def attacked(visits: int, database: str) -> int:
    """The short trial of the tests, made long, by the lines of the catalogue. It says what was measured."""
    line = [sys.executable, "-m", "pytest", "-n", "0", "tothemoon/tests/test_others_under_attack.py"]
    return subprocess.run(line, env={**os.environ, "TEST_DATABASE": database, "ATTACKED_VISITS": str(visits)}, check=False).returncode


def examples(many: int, only: str) -> int:
    """The properties of the arithmetic and of the readers, tried many times by two processes. It says how many examples that came to."""
    line = [sys.executable, "-m", "pytest", "-n", "2", "-p", "tothemoon.tests.tally", "-p", "tothemoon.tests.many_examples", "-k", only]
    environment = {**os.environ, "TALLY_ONLY": "arithmetic", "EXAMPLES": str(many)}
    return subprocess.run(line, env=environment, check=False).returncode


def random_orders(seeds: range, only: str) -> int:
    """The tests that need neither a browser nor the machine for themselves, in one process, so that each meets what all before it left."""
    line = [sys.executable, "-m", "pytest", "-n", "0", "-p", "tothemoon.tests.shuffled", "-m", "not browser and not measured and not slow"]
    failed = []
    for seed in seeds:
        done = subprocess.run([*line, "-k", only], env={**os.environ, "ORDER_SEED": str(seed)}, check=False)
        failed += [seed] if done.returncode else []
    print(f"{len(seeds) - len(failed)} of {len(seeds)} orders passed" + (f"; ORDER_SEED failed: {failed}" if failed else ""))
    return 1 if failed else 0


def cluster(tokens: int) -> int:
    """The short trials of the tests, with more tokens: three machines of which two are lost, and how much more two do than one."""
    line = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "0",
        "-s",
        "tothemoon/tests/test_cluster_in_trouble.py",
        "tothemoon/tests/test_cluster_pace.py",
    ]
    return subprocess.run(line, env={**os.environ, "TEST_DATABASE": "postgres", "CLUSTER_TOKENS": str(tokens)}, check=False).returncode


def _progress(database: str) -> Callable[[str], None]:
    def tell(line: str) -> None:
        if sys.stdout.isatty():
            print(f"\r\033[K{database}: {line}", end="", flush=True)

    return tell


def report(outcome: Outcome) -> str:
    plan, verdict = outcome.plan, outcome.verdict
    killed = ", ".join(f"{name} {number}{f' of {plan.kills}' if plan.kills else ''}" for name, number in outcome.killed.items())
    ends = ", ".join(f"{name} {code} in {took:.1f} s" for name, (code, took) in outcome.exits.items())
    lines = [
        f"{'passed' if outcome.passed else 'FAILED'} on {plan.database}, seed {plan.seed}, {outcome.took_sec:.0f} s",
        f"  kill -9: {killed}" + (f"; PostgreSQL stopped {plan.restarts} times" if plan.restarts and plan.database == "postgres" else ""),
        f"  migrations sent {verdict.sent}, tokens stored {verdict.stored}, unstored within 250 ms of a kill {verdict.at_risk}"
        f" (the oldest {verdict.oldest_lost_ms:.0f} ms)",
        f"  snapshots {verdict.snapshots}, scores {verdict.scores}, status changes {verdict.changes}",
        f"  deaf for {verdict.blind_sec:.1f} s, recorded as gaps {verdict.gaps_sec:.1f} s",
        f"  polite stop: {ends or 'not reached'}",
        *[f"  FAULT: {fault}" for fault in verdict.faults],
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
