"""Processes run as one: started again when they die, given up when they will not live, stopped together, none left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tothemoon import children
from tothemoon.children import Child, Died, stop_all

FOREVER = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(0)); print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
SHORT = "print('this is how it ended'); exit(3)"


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Child]]:
    made: list[Child] = []
    yield made
    for child in made:
        child.wait_stopped(time.monotonic())


def child(started: list[Child], folder: Path, program: str, name: str = "one") -> Child:
    made = Child(name, [sys.executable, "-c", program], os.environ, folder)
    made.start()
    started.append(made)
    return made


def wait_for(true: object, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until, "it did not come to that"


def up(one: Child) -> None:
    wait_for(lambda: "up" in one.log.read_text())


def test_a_running_child_is_left_alone(started: list[Child], tmp_path: Path) -> None:
    assert child(started, tmp_path, FOREVER).keep_alive() is False


def test_a_child_that_ended_is_started_again_and_its_words_are_kept(started: list[Child], tmp_path: Path) -> None:
    one = child(started, tmp_path, SHORT)
    wait_for(lambda: one.ended_with == 3)
    assert one.keep_alive() is True
    assert "this is how it ended" in one.last_words()


def test_a_child_that_will_not_live_is_given_up_with_its_last_words(started: list[Child], tmp_path: Path) -> None:
    one = child(started, tmp_path, SHORT)

    for _ in range(children.RESTARTS_A_MINUTE):
        wait_for(lambda: one.ended_with is not None)
        one.keep_alive()
    wait_for(lambda: one.ended_with is not None)
    with pytest.raises(Died, match=r"(?s)exit code 3.*this is how it ended"):
        one.keep_alive()


def test_all_are_stopped_together_and_the_stubborn_one_is_named(
    started: list[Child], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "PATIENCE", 0.5)
    good, bad = child(started, tmp_path, FOREVER, "good"), child(started, tmp_path, STUBBORN, "bad")
    up(good), up(bad)
    assert stop_all([good, bad]) == ["bad"]
    assert (good.ended_with, bad.ended_with) == (0, -signal.SIGKILL)


def test_a_child_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys, time; sys.path.insert(0, '.'); from tothemoon.children import Child\n"
        f"one = Child('one', [sys.executable, '-c', {FOREVER!r}], os.environ, pathlib.Path({str(tmp_path)!r}))\n"
        "one.start(); print(one._process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    wait_for(lambda: "up" in (tmp_path / "one.log").read_text())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not runs(pid))


def runs(pid: int) -> bool:
    """A zombie that nobody has collected yet does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
