"""./run soak --upgrade: one release and the one after it, forward and back by OPERATING.md, while visitors walk the site and a feed sends
launches. The ledgers of both are outside of the system; the machine is a bare Debian that was installed by the paper."""

import random
import subprocess
import time
from itertools import pairwise
from pathlib import Path

from tothemoon.tests.soak.bare_machine import BareMachine, CannotBoot, obstacle
from tothemoon.tests.soak.installation import SETTINGS, UNITS, psql, states
from tothemoon.tests.soak.judge import Tables, Verdict, judge
from tothemoon.tests.soak.operator_by_paper import NAME, REPOSITORY, Operator
from tothemoon.tests.soak.steps import Steps, publish, trial_folder
from tothemoon.tests.soak.visitors import Visitors, ask, ask_json
from tothemoon.tests.soak.world import World

BEFORE, AFTER = "trial-before", "trial-after"
MARK = b"<!-- the release after -->"
PATHS = ("/", "/api/tokens/", "/trading/", "/health", "/?sort=age", "/evidence/", "/static/tokens/site.css", "/api/tokens/?limit=5")
RATE = 10.0
QUIET_SEC = 5.0
SETTINGS_OF_THE_TRIAL = {"SCHED_INTERVAL_INITIAL_SEC": "10", "SCHED_INTERVAL_ACTIVE_SEC": "10", "DEXSCREENER_RPS": "30"}
SETTINGS_OF_THE_TRIAL |= {"DEXSCREENER_PAIRS_RPS": "30"}

EXPANDING = '''"""A column that the release before does not know, and an index that is made without stopping anybody."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("tokens", "{leaf}")]
    operations = [
        migrations.AddField("token", "trial_note", models.CharField(max_length=20, null=True)),
        AddIndexConcurrently("token", models.Index(fields=["trial_note"], name="tokens_trial_note")),
    ]
'''


def run(seed: int) -> int:
    if why := obstacle():
        print(f"NOT RUN: {why}")
        return 1
    steps = Steps()
    try:
        with trial_folder() as folder, World(random.Random(seed), RATE) as world, BareMachine(folder / "machine") as machine:
            publish(machine.root)
            leaf = publish_the_release_after(machine.root, folder / "clone")
            operator = Operator(machine)
            with steps.step("installed and started, line by line"):
                settings = "\n".join(f"{name}={value}" for name, value in {**world.environment, **SETTINGS_OF_THE_TRIAL}.items())
                for _ in operator.installs(f"cat >> {SETTINGS} <<'END'\n{settings}\nEND", "", release=BEFORE):
                    pass
            forward_and_back(steps, machine, operator, world, leaf)
    except CannotBoot as why_not:
        print(f"NOT RUN: {why_not}")
        return 1
    return steps.report(f"upgraded and rolled back under load, seed {seed}")


def publish_the_release_after(root: Path, clone: Path) -> str:
    """One commit upon ours: a migration that expands, a model that uses it, a page that shows it. The migration it follows."""
    there = f"{root}{REPOSITORY}"
    git = ["git", "-C", str(clone), "-c", "user.name=trial", "-c", "user.email=trial@moon.test"]
    subprocess.run(["git", "clone", "--quiet", there, str(clone)], check=True)
    subprocess.run([*git, "tag", BEFORE], check=True)
    leaf = max(path.stem for path in (clone / "tokens/migrations").glob("0*.py"))
    (clone / f"tokens/migrations/{int(leaf[:4]) + 1:04d}_trial.py").write_text(EXPANDING.format(leaf=leaf))
    changed(
        clone / "tokens/models.py", "    held = models.", "    trial_note = models.CharField(max_length=20, null=True)\n    held = models."
    )
    changed(clone / "templates/base.html", "</body>", f"{MARK.decode()}\n</body>")
    for words in (["add", "--all"], ["commit", "--quiet", "-m", "the release after"], ["tag", AFTER], ["push", "--quiet", "--tags"]):
        subprocess.run([*git, *words], check=True)
    return leaf


def changed(file: Path, there: str, here: str) -> None:
    text = file.read_text()
    if text.count(there) != 1:
        raise RuntimeError(f"{file.name} has “{there}” {text.count(there)} times: the trial's release has to be written anew")
    file.write_text(text.replace(there, here))


def forward_and_back(steps: Steps, machine: BareMachine, operator: Operator, world: World, leaf: str) -> None:
    with steps.step("tokens are heard, scored and shown"):
        machine.wait_until(lambda: (ask_json(NAME, "/health") or {}).get("status") == "ok", 180, "ok")
        machine.wait_until(lambda: int(psql(machine, "SELECT count(*) FROM token_scores")) > 100, 180, "a hundred scores")
        answers = {path: ask(NAME, path)[0] for path in PATHS}
        assert set(answers.values()) == {200}, answers
    with Visitors(NAME, PATHS, number=4, rate=4.0, keep=MARK) as visitors:
        began = time.monotonic()
        with steps.step("a migration that cannot have its lock: given up, the old release goes on") as step:
            step.found = f"{kept_waiting(machine):.1f} s"
            expect(machine, marked=False, column="0")
        behind_a_lock = (began, time.monotonic())
        with steps.step("upgraded: expanded under the old release, then deployed"):
            operator.does("Upgrade", NEW_RELEASE=AFTER)
            expect(machine, marked=True, column="1")
        with steps.step("rolled back: the old release on the new one's tables"):
            operator.does("Roll back", only="OLD_RELEASE", OLD_RELEASE=BEFORE)
            expect(machine, marked=False, column="1")
        with steps.step("contracted: the tables undone under the old release"):
            undo(machine, operator, leaf)
            expect(machine, marked=False, column="0")
        with steps.step("upgraded once more, from a folder that was there"):
            operator.does("Upgrade", only="NEW_RELEASE", NEW_RELEASE=AFTER)
            expect(machine, marked=True, column="1")
    told_by_the_visitors(steps, visitors, behind_a_lock)
    told_by_the_tables(steps, machine, world)


def kept_waiting(machine: BareMachine) -> float:
    """Somebody reads the table of the tokens for long; the new release's migration has to wait behind him. How long it did."""
    machine.run("cd /opt/tothemoon-source && git fetch --quiet --tags")
    reading = "BEGIN; SELECT count(*) FROM tokens; SELECT pg_sleep(3600)"
    machine.run(f"cd / && (runuser -u postgres -- psql -qd tothemoon -c '{reading}' >/dev/null 2>&1 &)")
    done = machine.run(
        f'/opt/tothemoon-source/tothemoon/deploy/install.sh {AFTER} | while read -r line; do echo "$(date +%s.%N) $line"; done', check=False
    )
    ended = float(machine.says("date +%s.%N"))
    psql(machine, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND pid <> pg_backend_pid()")
    assert done.returncode, "install.sh went through"
    began = [float(line.split()[0]) for line in done.stdout.splitlines() if line.endswith("── database")]
    assert began, f"install.sh did not come to its migrations: {done.stdout[-500:]}{done.stderr[-500:]}"
    assert "lock timeout" in done.stderr, done.stderr[-500:]
    return ended - began[0]


def undo(machine: BareMachine, operator: Operator, leaf: str) -> None:
    new = machine.says('ls -t /opt/tothemoon-releases | grep -v "$(basename $(readlink -f /opt/tothemoon))" | head -1')
    operator.does("Roll back", only="NEW_FOLDER", NEW_FOLDER=new, APP="tokens", NUMBER_BEFORE=leaf)


def expect(machine: BareMachine, marked: bool, column: str) -> None:
    """The release that is to run is the one that answers, and the tables are as they are to be."""
    machine.wait_until(lambda: all((MARK in ask(NAME, "/trading/")[1]) is marked for _ in range(10)), 60, "answered by the right release")
    found = psql(machine, "SELECT count(*) FROM information_schema.columns WHERE table_name = 'tokens' AND column_name = 'trial_note'")
    assert found == column, f"columns: {found}"
    broken = psql(machine, "SELECT count(*) FROM pg_index WHERE NOT indisvalid")
    assert broken == "0", f"{broken} indexes that are not valid"
    assert all(state == ("active", 0) for state in states(machine).values()), states(machine)


def told_by_the_visitors(steps: Steps, visitors: Visitors, behind_a_lock: tuple[float, float]) -> None:
    """Pages wait for the lock with the migration; /health waits for nobody longer than a second, and says so: the truth, no fault."""
    begins, ends = behind_a_lock
    with steps.step("every visit was answered, by both releases") as step:
        honest = [visit for visit in visitors.visits if (visit.path, visit.status) == ("/health", 503) and begins <= visit.at <= ends]
        bad = [visit for visit in visitors.visits if not visit.well and visit not in honest]
        marked = sum(bool(visit.body) for visit in visitors.visits)
        slowest = max(visit.took_sec for visit in visitors.visits)
        step.found = f"{len(visitors.visits)} visits, {marked} of them of the new release; the slowest {slowest:.1f} s"
        step.found += f"; /health said {len(honest)} times that the database was behind a lock" if honest else ""
        assert not bad, f"{len(bad)} of {len(visitors.visits)}: " + "; ".join(f"{v.path} {v.status} {v.why}" for v in bad[:5])
        assert 0 < marked < len(visitors.visits)


def told_by_the_tables(steps: Steps, machine: BareMachine, world: World) -> None:
    with steps.step("what the feed sent is stored, once, and what was not heard is on record") as step:
        world.quiet.set()
        time.sleep(QUIET_SEC)
        machine.run(f"systemctl stop {' '.join(UNITS)}")
        machine.run("cd / && runuser -u postgres -- psql -qd tothemoon -c 'CREATE ROLE root LOGIN; GRANT pg_read_all_data TO root'")
        url = f"postgresql:///tothemoon?host=/proc/{machine.leader}/root/run/postgresql&user=root"
        verdict = judge(world, url)
        step.found = counted(verdict)
        assert not verdict.faults, "; ".join(verdict.faults)
        assert not verdict.at_risk, f"{verdict.at_risk} written to an open connection and not stored"
    with steps.step("pauses") as step:
        deaf = [later.subscribed_at - earlier.ended_at for earlier, later in pairwise(world.connections)]
        ticks = [moment for (moment,) in rows(url, "SELECT DISTINCT extract(epoch FROM ts) FROM token_snapshots ORDER BY 1")]
        longest = max(float(later) - float(earlier) for earlier, later in pairwise(ticks))
        told = ", ".join(f"{seconds:.1f}" for seconds in deaf)
        step.found = f"listener deaf for {told} s; no more than {longest:.1f} s between two ticks (10 s apart)"
        assert len(deaf) == 3, f"{len(deaf)} times without a connection, in three changes of the release"
        assert max(deaf) <= 60, step.found


def counted(verdict: Verdict) -> str:
    stored = f"{verdict.stored} tokens, {verdict.snapshots} snapshots, {verdict.scores} scores"
    return f"{verdict.sent} launches sent, {stored}; deaf for {verdict.blind_sec:.1f} s, gaps of {verdict.gaps_sec:.1f} s"


def rows(url: str, question: str) -> list[tuple[float, ...]]:
    tables = Tables(url)
    try:
        return tables.rows(question)
    finally:
        tables.close()
