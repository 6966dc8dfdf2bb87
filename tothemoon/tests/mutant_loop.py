"""A pytest plugin for ./run mutants: tries each mutant in a fork of one process that has everything imported and collected.

The unchanged code goes first, with all tests: which of them reach which function, and how long they take. A mutant is then tried with those
that reach its function, up to the first that fails: those first that noticed others of the function, then the quickest. Nothing of one
mutant is left for the next: its fork is gone.

MUTANTS    a JSON file: {"names": […], "children": so many at once, "least_sec": of the processor, that each may take at least,
           "out": where {name: how its fork ended} goes}
"""

import contextlib
import json
import math
import os
import resource
import signal
import struct
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation import trampoline

SURVIVED, NOTICED, NO_TEST = 0, 1, 33
UNNOTICED = {SURVIVED, NO_TEST}
LEAST_TEST_SEC = 0.005  # what a test takes that takes nothing
TIMES = 6  # what takes so many times as much of the processor as the unchanged code does not end
ASLEEP = 60  # times as long by the clock: it waits for something that does not come
TOLD = struct.Struct("ii")  # a fork, and which of its tests noticed the mutant
ROOM_BYTES = 8 << 30  # of addresses: a change that asks for more shall not take the machine with it


class Reached:
    """Which tests reach a function, and what they take."""

    def __init__(self) -> None:
        self.tests: dict[str, list[pytest.Item]] = defaultdict(list)
        self.seconds: dict[pytest.Item, float] = {}
        self.noticed: Counter[tuple[str, pytest.Item]] = Counter()  # of a function's mutants, by each test

    def by(self, function: str) -> list[pytest.Item]:
        def worth(item: pytest.Item) -> tuple[float, float, str]:
            return -self.noticed[function, item] / (LEAST_TEST_SEC + self.seconds[item]), self.seconds[item], item.nodeid

        return sorted(self.tests[function], key=worth)

    def limit_sec(self, items: list[pytest.Item], least: int) -> int:
        return max(least, math.ceil(TIMES * sum(self.seconds[item] for item in items)))


def unchanged(items: list[pytest.Item], monkeypatch: pytest.MonkeyPatch) -> Reached:
    reached, hit = Reached(), set[str]()
    monkeypatch.setattr(trampoline, "record_trampoline_hit", lambda name, caller=None: hit.add(name))
    trampoline.set_mutant_under_test("stats")
    for item, following in in_turn(items):
        hit.clear()
        begin = time.process_time()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        reached.seconds[item] = time.process_time() - begin
        for name in hit:
            reached.tests[name].append(item)
    return reached


def in_turn(items: list[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    """Each with the one after it, for what both have set up stays."""
    return pairwise([*items, None])  # type: ignore[arg-type]


def first_to_notice(items: list[pytest.Item]) -> int | None:
    for place, (item, following) in enumerate(in_turn(items)):
        if any(report.failed for report in runtestprotocol(item, nextitem=following, log=False)):
            return place
    return None


def fork(name: str, items: list[pytest.Item], limit_sec: int, tell: int) -> int:
    """The number of a process that tries one mutant and ends with SURVIVED or NOTICED, or by a signal. Which test noticed it is written
    to `tell`, with the number."""
    number = os.fork()
    if number:
        return number
    code = NOTICED  # whatever way it ends before its last test
    with contextlib.suppress(BaseException):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        signal.alarm(limit_sec * ASLEEP)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (limit_sec, limit_sec + 1))
        resource.setrlimit(resource.RLIMIT_AS, (ROOM_BYTES, ROOM_BYTES))
        trampoline.set_mutant_under_test(name)
        place = first_to_notice(items)
        if place is None:
            code = SURVIVED
        else:
            os.write(tell, TOLD.pack(os.getpid(), place))
    os._exit(code)


class Trial:
    """All mutants, so many at once. `codes`: how each one's fork ended, its exit code or minus the signal."""

    def __init__(self, reached: Reached, children: int, least_sec: int) -> None:
        self.reached, self.children, self.least_sec = reached, children, least_sec
        self.codes: dict[str, int] = {}
        self.running: dict[int, tuple[str, list[pytest.Item]]] = {}
        self.hear, self.tell = os.pipe()
        os.set_blocking(self.hear, False)

    def go(self, names: list[str]) -> None:
        for name in names:
            items = self.reached.by(function_of(name))
            if not items:
                self.codes[name] = NO_TEST
                continue
            while len(self.running) >= self.children:
                self.one_ends()
            self.running[fork(name, items, self.reached.limit_sec(items, self.least_sec), self.tell)] = name, items
        while self.running:
            self.one_ends()

    def one_ends(self) -> None:
        number, status = os.wait()
        with contextlib.suppress(BlockingIOError):
            for teller, place in TOLD.iter_unpack(os.read(self.hear, TOLD.size * 1000)):
                name, items = self.running[teller]
                self.reached.noticed[function_of(name), items[place]] += 1
        self.codes[self.running.pop(number)[0]] = os.waitstatus_to_exitcode(status)


def function_of(name: str) -> str:
    return name.partition("__mutmut_")[0]


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    if session.testsfailed:
        return None  # a file could not be read: pytest says which
    asked: dict[str, Any] = json.loads(Path(os.environ["MUTANTS"]).read_text())
    with pytest.MonkeyPatch.context() as monkeypatch:
        reached = unchanged(session.items, monkeypatch)
    if not session.testsfailed:
        trial = Trial(reached, asked["children"], asked["least_sec"])
        trial.go(asked["names"])
        Path(asked["out"]).write_text(json.dumps(trial.codes))
    return True
