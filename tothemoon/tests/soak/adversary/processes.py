"""What befalls the workers themselves: killed, stopped, frozen, started twice, their clocks moved, their output cut off."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

from ingestion.tests.mints import mint
from tothemoon.tests.soak.adversary import answers, feed_losses, invariants, moved_clock
from tothemoon.tests.soak.adversary.catalogue import scenario
from tothemoon.tests.soak.adversary.stage import Setting, Stage
from tothemoon.tests.soak.victims import ROOT, Worker

LANE = "processes"
LISTENER, SCHEDULER = "run_listener", "run_scheduler"
TAKE_OVER_SEC = 30.0
MOVED_CLOCK = moved_clock.__name__
JUMPS = ("-3600", "3600", "3600", "-3600")


def begin(stage: Stage) -> None:
    answers.give_tokens(stage, 5)
    stage.start(SCHEDULER)
    feed_losses.begin_with_site(stage)
    stage.within(60, lambda: answers.fresh(stage, 0.0), "I6", "the first prices")


def begin_with_clocks(stage: Stage) -> None:
    """Both workers on machines whose clocks can be moved; they are replaced where they are killed or told to end."""
    answers.give_tokens(stage, 5)
    for name in (SCHEDULER, LISTENER):
        stage.start_module(MOVED_CLOCK, name, *JUMPS)
    feed_losses.hears(stage)
    stage.within(60, lambda: answers.fresh(stage, 0.0), "I6", "the first prices")


def finish(stage: Stage) -> None:
    code, took = stage.workers[SCHEDULER].stop()
    stage.expect(code == 0 and took < 30, "I1", f"the scheduler ended with {code} after {took:.1f} s")
    feed_losses.finish(stage)


CHANGES = {"BIRDEYE_API_KEY": "", "PUMPPORTAL_STALL_SEC": "60"}
SETTING = Setting(begin_with_clocks, finish, CHANGES)


def both_work(stage: Stage, lines: int, line_sec: float = 60.0) -> None:
    stage.expect(stage.feed.wait_for_line(lines + 1, stage.pace.patience), "I6", "the listener did not come back")
    stage.feed.migrate(2)
    stage.all_stored(10.0)
    answers.recovers(stage, line_sec)


@scenario(
    LANE,
    "S05",
    "W41",
    promise="The clock an hour back and home, an hour ahead and put right: no false stall, ticks go on within two intervals, all fresh "
    "≤ 10 s after it is home, and ≤ 10 s after `forget_ahead`; memory flat.",
)
def clock_moved(stage: Stage) -> None:
    stage.weigh()
    before, lines = stage.heaviest_mb, len(stage.feed.lines)
    for times in (1, 2):
        _jump(stage, times)
    answers.recovers(stage)
    _jump(stage, 3)
    answers.recovers(stage)
    _jump(stage, 4)
    _forget_ahead(stage)
    answers.recovers(stage, 10.0)
    stage.expect(len(stage.feed.lines) == lines, "I6", "a jump of the clock was taken for a stall")
    stage.weigh()
    stage.expect(stage.heaviest_mb <= before + 64, "I8", f"{stage.heaviest_mb:.0f} MB, {before:.0f} MB before the jumps")


def _jump(stage: Stage, times: int) -> None:
    """The next jump of both workers' clocks; tokens that migrate after it are asked about."""
    workers = [stage.workers[name] for name in (LISTENER, SCHEDULER)]
    _signal([worker.pid for worker in workers], signal.SIGUSR1)
    stage.comes(lambda: all(worker.said().count(moved_clock.MOVED) == times for worker in workers))
    began, new = time.monotonic(), {mint(number) for number in stage.feed.migrate(2)}
    stage.all_stored()
    stage.within(10, lambda: new <= _asked_about(stage, began), "I6", "ticks after a jump", began)


def _forget_ahead(stage: Stage) -> None:
    """As an operator does it, beside the workers: most of what there is on this stage is of the hour ahead."""
    now, later = (f"{datetime.now(UTC) + timedelta(hours=hours):%Y-%m-%d %H:%M:%S}" for hours in (0, 2))
    done = Worker("forget_ahead", stage.environment, stage.folder, "--yes", "--it-is", now, "--up-to", later)
    stage.expect(done.wait(60) == 0, "I6", f"what was written ahead was not forgotten:\n{done.said()[-800:]}")


def _asked_about(stage: Stage, since: float) -> set[str]:
    asked = stage.services.asked(answers.DEX, since)
    return {address for request in asked for address in request.path.rsplit("/", 1)[1].split(",")}


@scenario(
    LANE,
    "W39",
    "S06",
    promise="Told to end in a burst: all that was read is stored, exit 0, listener ≤ 10 s, scheduler ≤ 30 s; no half tick.",
)
def told_to_end(stage: Stage) -> None:
    line, lines = stage.feed.current, len(stage.feed.lines)
    stage.feed.migrate(150)
    line.killed_at = time.monotonic()
    for name, limit in ((LISTENER, 10.0), (SCHEDULER, 30.0)):
        code, took = stage.workers[name].stop()
        stage.expect(code == 0, "I1", f"{name} ended with {code}:\n{stage.workers[name].said()[-800:]}")
        stage.expect(took <= limit * stage.pace.slack, "I6", f"{name} took {took:.1f} s to end")
    invariants.nothing_lost(stage)
    stage.start(LISTENER)
    stage.start(SCHEDULER)
    both_work(stage, lines)


@scenario(
    LANE,
    "W40",
    "S07",
    "D09",
    promise="kill -9 of both in a burst: nothing lost that was written more than 250 ms before, nothing twice, no half tick.",
)
def killed(stage: Stage) -> None:
    for _ in range(stage.pace.rounds):
        line, lines = stage.feed.current, len(stage.feed.lines)
        stage.feed.migrate(stage.chance.randrange(50, 150))
        line.killed_at = stage.workers[LISTENER].kill()
        stage.workers[SCHEDULER].kill()
        stage.start(LISTENER)
        stage.start(SCHEDULER)
        both_work(stage, lines)
        invariants.nothing_lost(stage)
        stage.expect(stage.tables.whole(), "I2", "the database file is damaged")


@scenario(
    LANE,
    "W37",
    "S03",
    promise="A second of each waits, and says why; it takes over ≤ 30 s after the first is killed; never two connections.",
)
def started_twice(stage: Stage) -> None:
    second = {name: stage.start(name, f"{name}-second") for name in (LISTENER, SCHEDULER)}
    for name, worker in second.items():
        said = f"another {name.removeprefix('run_')} is running"
        stage.within(60, lambda worker=worker, said=said: said in worker.said(), "I10", f"the second {name} waits")
    line, lines = stage.feed.current, len(stage.feed.lines)
    line.killed_at = stage.workers[LISTENER].kill()
    stage.workers[SCHEDULER].kill()
    stage.within(TAKE_OVER_SEC, lambda: len(stage.feed.lines) > lines, "I6", "taken over", line.killed_at)
    for name in (LISTENER, SCHEDULER):
        stage.workers[name] = stage.workers.pop(f"{name}-second")
    both_work(stage, lines)


@scenario(LANE, "S16", promise="A tick by hand beside the scheduler is refused; after its end the same tick twice leaves the same rows.")
def the_same_tick_twice(stage: Stage) -> None:
    beside = _once(stage, "beside")
    stage.expect(
        beside.wait(60) == 1 and "another scheduler is running" in beside.said(), "I2", "a tick beside the scheduler was not refused"
    )
    code, _ = stage.workers[SCHEDULER].stop()
    stage.expect(code == 0, "I1", f"the scheduler ended with {code}")
    by_hand = [_once(stage, f"by-hand-{turn}") for turn in range(2)]
    codes = [worker.wait(120) for worker in by_hand]
    stage.expect(0 in codes, "I1", f"ticks by hand ended with {codes}")
    stage.start(SCHEDULER)
    answers.recovers(stage, 60.0)
    invariants.no_duplicates(stage)


def _once(stage: Stage, name: str) -> Worker:
    (stage.folder / name).mkdir(exist_ok=True)
    return Worker(SCHEDULER, stage.environment, stage.folder / name, "--once")


@scenario(
    LANE, "S02", "S10", promise="Frozen for 4 s and starved for another 4: nothing lost, nothing twice, the jobs run ≤ 5 s after they can."
)
def frozen(stage: Stage) -> None:
    pids = [stage.workers[name].pid for name in (LISTENER, SCHEDULER)]
    _signal(pids, signal.SIGSTOP)
    stage.feed.migrate(50)
    stage.comes(lambda: False, 4.0)
    _signal(pids, signal.SIGCONT)
    for _ in range(4):
        _signal(pids, signal.SIGSTOP)
        stage.comes(lambda: False, 0.8)
        _signal(pids, signal.SIGCONT)
        stage.comes(lambda: False, 0.2)
    began = time.monotonic()
    before = answers.highest_told(stage)
    stage.within(5.0, lambda: answers.fresh(stage, before), "I6", "fresh after a freeze", began)
    stage.feed.migrate(1)
    stage.all_stored()


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        os.kill(pid, number)


@scenario(LANE, "S15", promise="A hang-up, a broken pipe and an output that nobody reads any more end no worker.")
def output_cut_off(stage: Stage) -> None:
    pids = [stage.workers[name].pid for name in (LISTENER, SCHEDULER)]
    _signal(pids, signal.SIGHUP)
    _signal(pids, signal.SIGPIPE)
    stage.feed.migrate(2)
    stage.all_stored()
    answers.recovers(stage)
    stage.workers[SCHEDULER].stop()
    reading, writing = os.pipe()
    deaf = subprocess.Popen(
        [sys.executable, "manage.py", SCHEDULER],
        env={**os.environ, **stage.environment, "LOG_FILE": str(stage.folder / "deaf.log")},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=writing,
        start_new_session=True,
    )
    os.close(writing)
    try:
        answers.recovers(stage, 60.0)
        os.close(reading)  # from now on every line that it writes is refused
        stage.services.next_up[answers.DEX].extend([answers.body(b"no", 503)] * 4)
        stage.comes(lambda: not stage.services.next_up[answers.DEX])
        answers.recovers(stage)
        stage.expect(deaf.poll() is None, "I1", f"without a reader of its output the scheduler ended: {deaf.poll()}")
    finally:
        deaf.terminate()
        deaf.wait(60)
    stage.start(SCHEDULER)
    answers.recovers(stage, 60.0)
