"""./run soak --install: OPERATING.md typed line by line on a bare Debian with a systemd of its own, against the simulated market; then
everything that the paper promises of the units is tried on them."""

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ingestion.simulator.exchange import Exchange
from tothemoon.tests.soak.bare_machine import BareMachine, CannotBoot, obstacle
from tothemoon.tests.soak.operator_by_paper import NAME, Operator
from tothemoon.tests.soak.steps import Steps, publish, trial_folder
from tothemoon.tests.soak.visitors import Visitors, ask, ask_json

UNITS = ("tothemoon-listener", "tothemoon-scheduler", "tothemoon-web")
KEY = f"birdeye-canary-{secrets.token_hex(6)}"  # another one each time: the sources are on the machine too
SETTINGS = "/etc/tothemoon/environment"
MOST_EXPOSED = 1.5
HANG_SEC, CRASH_SEC, START_SEC, LATE_DATABASE_SEC = 65.0, 10.0, 60.0, 60.0
WEEK_SEC = 7 * 86_400


def run() -> int:
    if why := obstacle():
        print(f"NOT RUN: {why}")
        return 1
    steps = Steps()
    with trial_folder() as folder, market() as services:
        try:
            with BareMachine(folder / "machine") as machine:
                publish(machine.root)
                walk(steps, machine, services)
        except CannotBoot as why_not:
            print(f"NOT RUN: {why_not}")
            return 1
    return steps.report("installed on a bare Debian")


def walk(steps: Steps, machine: BareMachine, services: dict[str, str]) -> None:
    operator = Operator(machine)
    settings = "\n".join(f"{name}={value}" for name, value in services.items())
    with steps.step("installed and started, line by line"):
        for line in operator.installs(f"cat >> {SETTINGS} <<'END'\n{settings}\nEND", KEY):
            print(f"            {line[:100]}", flush=True)
    judge(steps, machine, operator)


def judge(steps: Steps, machine: BareMachine, operator: Operator) -> None:
    alive_and_scoring(steps, machine)
    closed(steps, machine)
    hung_and_fallen(steps, machine)
    late_database(steps, machine)
    logs_turned(steps, machine)
    restored(steps, machine, operator)


@contextmanager
def market() -> Iterator[dict[str, str]]:
    """The simulated services, in this process, and where they are. Birdeye takes the key that the operator pastes, and no other."""
    exchange = Exchange(seed=7, backlog=40)
    exchange.birdeye.key = KEY
    exchange.start()
    try:
        yield {name: value for name, value in exchange.environment.items() if name != "BIRDEYE_API_KEY"}
    finally:
        exchange.stop()


def alive_and_scoring(steps: Steps, machine: BareMachine) -> None:
    with steps.step("health says ok, through nginx") as step:
        took = machine.wait_until(lambda: (ask_json(NAME, "/health") or {}).get("status") == "ok", 180, "ok")
        step.found = f"{took:.0f} s after the start"
    with steps.step("a token with a score on the list"):
        machine.wait_until(lambda: b"/tokens/" in ask(NAME, "/")[1] and bool(ranked()), 180, "a scored token")
    with steps.step("nothing failed, nothing was started twice"):
        assert states(machine) == dict.fromkeys(UNITS, ("active", 0)), states(machine)
        assert not machine.says("systemctl --failed --plain --no-legend"), machine.says("systemctl --failed --plain --no-legend")


def ranked() -> list[Any]:
    answer = ask_json(NAME, "/api/tokens/")
    tokens = answer.get("tokens", []) if isinstance(answer, dict) else []
    return [token for token in tokens if token.get("score") is not None]


def states(machine: BareMachine) -> dict[str, tuple[str, int]]:
    """Of each unit whether it runs, and how often it was started again."""
    told = machine.says(f"systemctl show --value --property=ActiveState --property=NRestarts {' '.join(UNITS)}").split()
    pairs = zip(told[::2], told[1::2], strict=True)
    return {unit: _in_order(*pair) for unit, pair in zip(UNITS, pairs, strict=True)}


def _in_order(one: str, other: str) -> tuple[str, int]:
    return (other, int(one)) if one.isdigit() else (one, int(other))


def closed(steps: Steps, machine: BareMachine) -> None:
    with steps.step("sandbox as systemd sees it at work") as step:
        told = {unit: machine.says(f"systemd-analyze security --no-pager {unit}") for unit in UNITS}
        found = {unit: re.search(r"exposure level for \S+: ([0-9.]+)", said) for unit, said in told.items()}
        step.found = ", ".join(f"{unit.partition('-')[2]} {level[1] if level else '?'}" for unit, level in found.items())
        assert all(level and float(level[1]) <= MOST_EXPOSED for level in found.values()), step.found
    with steps.step("the key is in no unit, argument, environment that all may read, log or file but its own"):
        pattern = f"{KEY[:-1]}[{KEY[-1]}]"  # so that the question does not find itself among the arguments
        looked_at = (
            "systemctl show 'tothemoon-*'",
            "cat /proc/[0-9]*/cmdline",
            "journalctl --no-pager",
            f"grep -rhsa '{pattern}' /etc/systemd /etc/tothemoon /opt/tothemoon/tothemoon /var/lib/tothemoon /var/log",
        )
        for place in looked_at:
            said = machine.says(f"({place} || true) | tr '\\0' ' ' | grep -ca '{pattern}' || true")
            assert said == "0", f"{place}: {said}"
        assert KEY in machine.says("cat /etc/credstore/tothemoon.BIRDEYE_API_KEY")


def hung_and_fallen(steps: Steps, machine: BareMachine) -> None:
    with steps.step("frozen with SIGSTOP, all three at once: started again") as step:
        step.found = signalled(machine, "STOP", HANG_SEC)
    with steps.step("killed with SIGKILL, all three at once: started again") as step:
        step.found = signalled(machine, "KILL", CRASH_SEC)
    with steps.step("health says ok again"):
        machine.wait_until(lambda: (ask_json(NAME, "/health") or {}).get("status") == "ok", 120, "ok")


def signalled(machine: BareMachine, name: str, seconds: float) -> str:
    before = states(machine)
    machine.run(f"systemctl kill --kill-whom=main --signal={name} {' '.join(UNITS)}")
    took: dict[str, float] = {}
    began = time.monotonic()

    def all_started_again() -> bool:
        for unit, (_, starts) in states(machine).items():
            if starts > before[unit][1]:
                took.setdefault(unit, time.monotonic() - began)
        return len(took) == len(UNITS)

    machine.wait_until(all_started_again, seconds, f"started again: {took}")
    machine.wait_until(lambda: all(state == "active" for state, _ in states(machine).values()), START_SEC, "at work")
    return ", ".join(f"{unit.partition('-')[2]} {took[unit]:.0f} s" for unit in UNITS)


def late_database(steps: Steps, machine: BareMachine) -> None:
    with steps.step("the machine boots without its database: all wait, none falls"):
        machine.run("systemctl disable --now postgresql")
        machine.halt()
        machine.boot()
        machine.wait_until(lambda: (ask_json(NAME, "/health") or {}).get("status") == "down", 60, "503")
        time.sleep(10)  # long enough to fall a few times, were it going to
        assert {state for state, _ in states(machine).values()} <= {"active", "activating"}, states(machine)
        assert not any(starts for _, starts in states(machine).values()), states(machine)
    with steps.step("the database comes: at work again") as step:
        machine.run("systemctl enable --now postgresql")
        step.found = f"{machine.wait_until(at_work, LATE_DATABASE_SEC, 'at work'):.0f} s"


def at_work() -> bool:
    said = ask_json(NAME, "/health") or {}
    return said.get("status") == "ok" and (said.get("tick") or {}).get("age_sec", 1e9) < LATE_DATABASE_SEC


def logs_turned(steps: Steps, machine: BareMachine) -> None:
    with steps.step("nginx's log turned under visitors: every visit has its line") as step:
        with Visitors(NAME, ["/health?turned"], number=4, rate=4.0) as visitors:
            for _ in range(3):
                time.sleep(2)
                machine.run("logrotate --force /etc/logrotate.d/nginx")
        time.sleep(2)
        lines = int(machine.says("zcat --force /var/log/nginx/access.log* | grep -cF '/health?turned'"))
        step.found = f"{lines} lines of {len(visitors.visits)} visits, 3 turns"
        assert lines == len(visitors.visits), step.found
    with steps.step("the journal turned and cut while it is written: no line is missing") as step:
        writing = "for n in $(seq 3000); do echo turned-$n; done | systemd-cat -t turned"
        machine.run(f"{writing} & for n in 1 2 3; do journalctl --quiet --rotate; done; wait")
        machine.run("journalctl --quiet --sync")
        lines = int(machine.says("journalctl --no-pager -o cat -t turned | sort -u | grep -c '^turned-'"))
        step.found = f"{lines} lines of 3000, 3 turns"
        assert lines == 3000, step.found
    with steps.step("what the logs of a week come to") as step:
        first = float(machine.says("journalctl --no-pager -o short-unix -u 'tothemoon-*' | awk 'NR == 1 { print $1 }'"))
        since = time.time() - first
        said = int(machine.says("journalctl --no-pager -o cat -u 'tothemoon-*' | wc --bytes"))
        step.found = f"{said / since * WEEK_SEC / 1e6:.0f} MB of text at the rate of this trial; {machine.says('journalctl --disk-usage')}"


def restored(steps: Steps, machine: BareMachine, operator: Operator) -> None:
    with steps.step("backed up by its unit, restored by the paper, and at work on what was restored"):
        machine.run("systemctl start tothemoon-backup")
        before = int(psql(machine, "SELECT count(*) FROM tokens"))
        operator.does("Back-up and restore")
        machine.wait_until(at_work, 120, "at work")
        now = int(psql(machine, "SELECT count(*) FROM tokens"))
        assert now >= before > 0, f"{before} tokens before, {now} after"
        assert psql(machine, "SELECT count(*) FROM pg_database WHERE datname = 'tothemoon_broken'") == "1"


def psql(machine: BareMachine, question: str) -> str:
    return machine.says(f'cd / && runuser -u postgres -- psql -qAtd tothemoon -c "{question}"')
