"""What befalls the database: crashed, locked, full, its sessions ended, a commit whose answer never came."""

import contextlib
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from ingestion.tests import misbehaving_http as bad
from ingestion.tests.mints import mint
from ingestion.tests.misbehaving_http import Behaviour, Request
from tothemoon.tests.soak.adversary import answers, processes
from tothemoon.tests.soak.adversary.catalogue import scenario
from tothemoon.tests.soak.adversary.lost_answers import LosesAnswers
from tothemoon.tests.soak.adversary.stage import Setting, Stage
from tothemoon.tests.soak.adversary.window import Window

LANE = "storage"
LISTENER, SCHEDULER = processes.LISTENER, processes.SCHEDULER
HELD_SEC = 5.0
SESSIONS = 20  # of the scheduler's jobs, the listener, their locks and the site together
OTHERS = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"

SETTING = Setting(processes.begin, processes.finish, processes.CHANGES)


@contextlib.contextmanager
def events(stage: Stage, a_second: float = 50.0) -> Iterator[None]:
    """While this lasts events come in."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(10 / a_second):
            stage.feed.migrate(10)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def all_is_well(stage: Stage, lines: int, line_sec: float = 10.0) -> None:
    """Stored, fresh, and still the same connection."""
    stage.all_stored(line_sec, "stored after the trouble")
    answers.recovers(stage, line_sec + answers.BACK_SEC)
    stage.expect(len(stage.feed.lines) == lines, "I7", "trouble with the database has cost the connection to the feed")


def held(stage: Stage, begin: str, statement: str, seconds: float = HELD_SEC) -> None:
    """Another session holds a lock for so long."""
    with another_session(stage) as other:
        other(begin)
        other(statement)
        stage.comes(lambda: False, seconds)
        other("ROLLBACK")


@contextlib.contextmanager
def another_session(stage: Stage) -> Iterator[Callable[[str], None]]:
    session = Window(stage.url)
    try:
        if session.on_sqlite:
            session.by_hand()
        yield session.statement
    finally:
        session.close()


@scenario(
    LANE, "H07", promise="Addresses that strangers wrote, in events, figures and pictures, are asked by nobody: no worker, not the site."
)
def addresses_of_strangers(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        there = f"http://127.0.0.1:{canary.getsockname()[1]}"
        lines = {name: f"{there}/{name}" for name in ("uri", "image", "image_uri", "metadata", "website", "twitter", "telegram")}
        numbers = [stage.feed.fresh() for _ in range(3)]
        stage.feed.tell(*(stage.feed.event(number, **lines) for number in numbers), about=[mint(number) for number in numbers])
        pictures = {"imageUrl": there, "header": there, "openGraph": there, "websites": [{"url": there}], "socials": [{"url": there}]}

        def misdeed(request: Request, honest: Any) -> Behaviour:
            for each in honest:
                stage.services.told[each["baseToken"]["address"]].add(float(each["priceUsd"]))
            return bad.answer([{**each, "url": there, "info": pictures} for each in honest])

        stage.services.rules[answers.DEX] = misdeed
        stage.all_stored()
        answers.recovers(stage)
        for path in ("/", f"/tokens/{mint(numbers[0])}/", f"/api/tokens/{mint(numbers[0])}/"):
            stage.expect(stage.page(path)[0] == 200, "played", f"{path} was not shown")
        stage.services.rules.pop(answers.DEX)
        canary.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            canary.accept()[0].close()
            stage.expect(False, "H07", "an address that a stranger wrote was asked")


@scenario(
    LANE,
    "D01",
    "W36",
    promise="Stopped immediately and started again under load: buffered, then stored; the connection to the feed is kept.",
    only_on="postgres",
)
def crashed(stage: Stage) -> None:
    assert stage.made is not None
    assert stage.made.cluster is not None
    lines = len(stage.feed.lines)
    with events(stage):
        for _ in range(3):
            stage.made.cluster.stop("immediate")
            stage.comes(lambda: False, stage.chance.uniform(0.2, 1.0))
            stage.made.cluster.start()
            stage.comes(lambda: False, stage.chance.uniform(0.2, 1.0))
    all_is_well(stage, lines)


@scenario(
    LANE,
    "W36",
    "W04",
    "D05",
    promise="Stalled for 5 s: pings are answered ≤ 1 s, everything that came is stored, pages fail fast or come ≤ 5 s.",
)
def locked(stage: Stage) -> None:
    lines, peer = len(stage.feed.lines), stage.feed.current.peer
    assert peer is not None
    begin, statement = (
        ("BEGIN EXCLUSIVE", "SELECT 1") if stage.tables.on_sqlite else ("BEGIN", "LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE")
    )
    with events(stage):
        holding = threading.Thread(target=held, args=(stage, begin, statement))
        holding.start()
        stage.comes(lambda: False, 0.5)
        asked = time.monotonic()
        peer.send(0x9, b"while it is locked")
        pong = lambda: any(word == b"while it is locked" for word, _ in peer.pongs)  # noqa: E731 - one line says it
        stage.within(1.0, pong, "I6", "a ping answered while the database is locked", asked)
        status, _, took = stage.health()
        stage.expect(took <= 1.0 * stage.pace.slack, "I10", f"/health took {took:.1f} s")
        stage.expect(status in (200, 503), "I10", f"/health answered {status}")
        holding.join()
    all_is_well(stage, lines)


@scenario(
    LANE,
    "D02",
    "S04",
    promise="Every session ended by an administrator, three times: stored ≤ 5 s, the leader's lock is taken back before the next write.",
    only_on="postgres",
)
def sessions_ended(stage: Stage) -> None:
    lines = len(stage.feed.lines)
    with events(stage):
        for _ in range(3):
            stage.tables.rows(f"SELECT pg_terminate_backend(pid) {OTHERS}")
            stage.comes(lambda: False, 1.0)
    all_is_well(stage, lines, 5.0)


@scenario(
    LANE,
    "D03",
    promise="No session to be had for 4 s: waited for, then stored; never more than 20 sessions for both workers and the site.",
    only_on="postgres",
)
def too_many_clients(stage: Stage) -> None:
    assert stage.made is not None
    assert stage.made.cluster is not None
    lines = len(stage.feed.lines)
    most = stage.tables.number(f"SELECT count(*) {OTHERS}")
    stage.expect(most <= SESSIONS, "I8", f"{most} sessions")
    name = stage.tables.rows("SELECT current_database()")[0][0]
    with psycopg.connect(f"dbname=postgres host={stage.made.cluster.folder} user=ttm", autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        with events(stage):
            stage.tables.rows(f"SELECT pg_terminate_backend(pid) {OTHERS}")
            stage.comes(lambda: False, 4.0)
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
            stage.comes(lambda: False, 1.0)
    all_is_well(stage, lines)


@scenario(
    LANE,
    "D04",
    promise="A foreign transaction that takes the same rows in the opposite order: nobody's work is lost, all fresh afterwards.",
    only_on="postgres",
)
def deadlocked(stage: Stage) -> None:
    lines = len(stage.feed.lines)
    addresses = sorted(stage.given)
    with events(stage, 20.0):
        for _ in range(4):
            with another_session(stage) as other, contextlib.suppress(psycopg.Error):
                other("BEGIN")
                other(f"UPDATE tokens SET name = name WHERE address = '{addresses[-1]}'")
                stage.comes(lambda: False, 1.5)
                other(f"UPDATE tokens SET name = name WHERE address = '{addresses[0]}'")
                other("COMMIT")
    all_is_well(stage, lines)


@scenario(
    LANE,
    "D07",
    promise="Committed, and the answer lost with the connection: done again without a trace, nothing twice.",
    only_on="postgres",
)
def answers_to_commits_lost(stage: Stage) -> None:
    assert stage.made is not None
    assert stage.made.cluster is not None
    lines, line = len(stage.feed.lines), stage.feed.current
    with LosesAnswers(stage.made.cluster.folder, stage.folder) as way:
        for name in (LISTENER, SCHEDULER):
            stage.again(name, DATABASE_URL=stage.url.replace(str(stage.made.cluster.folder), str(stage.folder)))
        line.ended_at = line.ended_at or time.monotonic()
        processes.both_work(stage, lines)
        way.cuts = 6
        with events(stage):
            stage.comes(lambda: not way.cuts)
        stage.expect(way.lost == 6, "played", f"{way.lost} answers lost")
        all_is_well(stage, lines + 1)
        line = stage.feed.current
        for name in (LISTENER, SCHEDULER):
            stage.again(name)
        line.ended_at = line.ended_at or time.monotonic()
        processes.both_work(stage, lines + 1)


@scenario(
    LANE,
    "D08",
    promise="Listener, scheduler, a writing operator and a reading back-up side by side: nobody is told “locked”, no wait beyond 2 s.",
    only_on="sqlite",
)
def four_at_once(stage: Stage) -> None:
    lines, longest = len(stage.feed.lines), 0.0
    marked = len(stage.logs())
    with events(stage, 100.0), another_session(stage) as operator, another_session(stage) as backup:
        for turn in range(15):
            began = time.monotonic()
            operator("BEGIN IMMEDIATE")
            operator("UPDATE tokens SET name = name WHERE id IN (SELECT id FROM tokens LIMIT 50)")
            operator("COMMIT")
            longest = max(longest, time.monotonic() - began)
            if turn % 5 == 0:
                backup(f"VACUUM INTO '{stage.folder / f'backup-{turn}.sqlite3'}'")
            stage.comes(lambda: False, 0.2)
    stage.outcome.figures["an operator's longest wait"] = longest
    stage.expect(longest <= 2.0 * stage.pace.slack, "I6", f"an operator waited {longest:.1f} s for his turn")
    stage.expect("locked" not in stage.logs()[marked:], "I8", "somebody was told that the database is locked")
    copy = Window(f"sqlite:///{stage.folder / 'backup-10.sqlite3'}")
    stage.expect(copy.whole() and copy.number("SELECT count(*) FROM tokens") > 0, "I2", "a back-up taken meanwhile is damaged")
    copy.close()
    all_is_well(stage, lines)


@scenario(
    LANE,
    "D06",
    promise="No room for another byte in any file: degraded and alive; with room again all that was heard is stored, the file whole.",
    only_on="sqlite",
)
def disk_full(stage: Stage) -> None:
    lines = len(stage.feed.lines)
    pids = [stage.workers[name].pid for name in (LISTENER, SCHEDULER)]
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids]
    full = min(os.path.getsize(path) for path in stage.folder.glob("stage.sqlite3")) // 2
    for pid, (_, hard) in zip(pids, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (full, hard))
    stage.feed.migrate(100)
    stage.comes(lambda: False, 3.0)
    for pid, limits in zip(pids, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    all_is_well(stage, lines, 30.0)
    stage.expect(stage.tables.whole(), "I2", "the database file is damaged")


@scenario(
    LANE,
    "S09",
    promise="A job of the tick that hangs for three intervals and ten seconds ends the process with 1; a new start works.",
)
def stuck(stage: Stage) -> None:
    begin, statement = (
        ("BEGIN EXCLUSIVE", "SELECT 1") if stage.tables.on_sqlite else ("BEGIN", "LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE")
    )
    lines, worker = len(stage.feed.lines), stage.workers[SCHEDULER]
    holding = threading.Thread(target=held, args=(stage, begin, statement, 18.0))
    holding.start()
    stage.within(17.0, lambda: not worker.running, "I6", "a stuck process has ended")
    holding.join()
    stage.expect(not worker.running and worker.wait(1) == 1, "I1", "a process that is stuck did not end with 1")
    if not worker.running:
        stage.start(SCHEDULER)
    stage.feed.migrate(1)
    all_is_well(stage, lines, 30.0)
