"""A pytest plugin for ./run mutants: tries each mutant in a fork of one process that has everything imported and collected.

The unchanged code goes first, with all tests: which of them reach which function, and how long they take. A mutant is then tried with those
that reach its function, the quickest first, up to the first that fails. Nothing of one mutant is left for the next: its fork is gone.

MUTANTS    a JSON file: {"names": […], "children": so many at once, "least_sec": of the processor, that each may take at least,
           "out": where {name: how its fork ended} goes}
"""

import contextlib
import json
import math
import os
import resource
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation import trampoline

SURVIVED, NOTICED, NO_TEST = 0, 1, 33
UNNOTICED = {SURVIVED, NO_TEST}
TIMES = 6  # what takes so many times as much of the processor as the unchanged code does not end
ASLEEP = 60  # times as long by the clock: it waits for something that does not come
ROOM_BYTES = 8 << 30  # of addresses: a change that asks for more shall not take the machine with it


class Reached:
    """Which tests reach a function, and what they take."""

    def __init__(self) -> None:
        self.tests: dict[str, list[pytest.Item]] = defaultdict(list)
        self.seconds: dict[pytest.Item, float] = {}

    def by(self, name: str) -> list[pytest.Item]:
        function = name.partition("__mutmut_")[0]
        return sorted(self.tests[function], key=lambda item: (self.seconds[item], item.nodeid))

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


def noticed(items: list[pytest.Item]) -> bool:
    return any(report.failed for item, following in in_turn(items) for report in runtestprotocol(item, nextitem=following, log=False))


def fork(name: str, items: list[pytest.Item], limit_sec: int) -> int:
    """The number of a process that tries one mutant and ends with SURVIVED or NOTICED, or by a signal."""
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
        code = NOTICED if noticed(items) else SURVIVED
    os._exit(code)


def tried(names: list[str], reached: Reached, children: int, least_sec: int) -> dict[str, int]:
    """How each mutant's fork ended: its exit code, or minus the signal."""
    codes: dict[str, int] = {}
    running: dict[int, str] = {}

    def one_ends() -> None:
        number, status = os.wait()
        codes[running.pop(number)] = os.waitstatus_to_exitcode(status)

    for name in names:
        items = reached.by(name)
        if not items:
            codes[name] = NO_TEST
            continue
        while len(running) >= children:
            one_ends()
        running[fork(name, items, reached.limit_sec(items, least_sec))] = name
    while running:
        one_ends()
    return codes


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    if session.testsfailed:
        return None  # a file could not be read: pytest says which
    asked: dict[str, Any] = json.loads(Path(os.environ["MUTANTS"]).read_text())
    with pytest.MonkeyPatch.context() as monkeypatch:
        reached = unchanged(session.items, monkeypatch)
    if not session.testsfailed:
        Path(asked["out"]).write_text(json.dumps(tried(asked["names"], reached, asked["children"], asked["least_sec"])))
    return True
