"""The listener when the database fails, when it is told to stop, when clocks jump, and when too much comes at once."""

import logging
import random
import socket
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as project
from django.db import OperationalError, connection

from ingestion import listening, writing
from ingestion.intake import record_migrations
from ingestion.listening import Reader
from ingestion.models import Heartbeat, ListeningGap, QuarantinedFrame
from ingestion.pumpportal import Patience
from ingestion.tests.listener import detail, listener, stored, until
from ingestion.tests.mints import create_frame, migrate_frame, migration, mint
from ingestion.tests.misbehaving_websocket import PING, Peer, Server, acknowledged_then
from ingestion.writing import Heard, Writer
from tokens.models import StatusChange, Token

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_database_that_fails_costs_neither_the_socket_nor_an_event(small_times, monkeypatch):
    failures = iter(range(3))

    def failing(*arguments):
        if next(failures, None) is not None:
            raise OperationalError("server closed the connection unexpectedly")
        return record_migrations(*arguments)

    monkeypatch.setattr(writing, "record_migrations", failing)
    with Server([acknowledged_then(*(migrate_frame(n) for n in range(500)))]) as server, listener(small_times, server.url):
        assert stored(500)
    assert len(server.peers) == 1


def test_a_commit_whose_answer_was_lost_stores_nothing_twice(small_times, monkeypatch):
    lied = []

    def done_but_reported_failed(*arguments):
        recorded = record_migrations(*arguments)
        if not lied:
            lied.append(True)
            raise OperationalError("SSL SYSCALL error: EOF detected")
        return recorded

    monkeypatch.setattr(writing, "record_migrations", done_but_reported_failed)
    with Server([acknowledged_then(migrate_frame(1), migrate_frame(2))]) as server, listener(small_times, server.url):
        assert until(lambda: Heartbeat.objects.filter(component="listener").exists() and detail()["duplicates"] == 2)
    assert Token.objects.count() == StatusChange.objects.count() == 2


def test_pings_are_answered_while_the_database_is_away(small_times, monkeypatch):
    back = threading.Event()

    def away(*arguments):
        if not back.wait(0.5):
            raise OperationalError("away")
        return record_migrations(*arguments)

    monkeypatch.setattr(writing, "record_migrations", away)

    def strict(peer: Peer) -> None:
        peer.welcome_and_acknowledge()
        peer.text(*(migrate_frame(n) for n in range(300)))
        for n in range(5):
            asked = time.monotonic()
            peer.send(PING, f"{n}")
            assert until(lambda n=n: len(peer.pongs) == n + 1, 2)
            latencies.append(peer.pongs[n][1] - asked)
        peer.stay()

    latencies: list[float] = []
    with Server([strict, acknowledged_then()]) as server, listener(small_times, server.url):
        assert until(lambda: len(latencies) == 5)
        back.set()
        assert stored(300)
    assert max(latencies) < 1


def test_what_does_not_fit_the_queue_is_counted_never_silent(small_times, caplog):
    heard = Heard(most_rows=10)
    for n in range(0, 15, 3):
        heard.take([migration(n), migration(n + 1), migration(n + 2)], datetime.now(UTC))
    assert (heard.migrations, heard.dropped, heard.rows.qsize()) == (15, 5, 10)
    writer = Writer(heard)
    writer.start()
    writer.finish("the listener was stopped", 3)
    writer.join(5)
    assert Token.objects.count() == 10
    assert detail()["dropped"] == 5
    assert "5 migrations dropped" in caplog.text


def test_a_row_the_database_refuses_is_quarantined_and_the_others_are_stored(small_times):
    heard = Heard()
    refused = migration(2).__class__(mint(2), "s" * 500, "p" * 500)
    heard.take([migration(1), refused, migration(3)], datetime.now(UTC))
    writer = Writer(heard)
    writer.start()
    writer.finish("the listener was stopped", 3)
    writer.join(5)
    assert {mint(1), mint(3)} <= set(Token.objects.values_list("address", flat=True))
    assert Token.objects.count() + QuarantinedFrame.objects.count() == 3


# The end


def test_a_stop_on_a_quiet_feed_is_quick_and_says_goodbye(small_times):
    with Server([acknowledged_then()]) as server, listener(small_times, server.url) as run:
        assert until(lambda: Heartbeat.objects.exists() and server.peers)
        assert run.end() < 2
    assert server.peers[0].gone.wait(1)
    assert server.peers[0].closed_with == b"\x03\xe8"
    assert detail()["connected"] is False


def test_a_stop_in_the_wait_before_the_next_try_is_quick(small_times):
    small_times.PUMPPORTAL_BAN_WAIT_SEC = 300
    banned = [lambda peer: (peer.read_request(), peer.raw(b"HTTP/1.1 403 No\r\n\r\n"))]
    with Server(banned) as server, listener(small_times, server.url) as run:
        assert until(lambda: ListeningGap.objects.filter(why__contains="403").exists())
        assert run.end() < 2


def test_a_stop_while_a_name_is_being_resolved_is_quick(small_times, monkeypatch):
    asked, answered = threading.Event(), threading.Event()

    def slow(*_: object, **__: object) -> list:
        asked.set()
        answered.wait(20)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with listener(small_times, "ws://slow.example/") as run:
        assert asked.wait(3)
        assert run.end() < 3
        answered.set()


def test_a_stop_while_the_database_is_away_is_quick_and_honest(small_times, monkeypatch, caplog):
    def away(*_: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(writing, "record_migrations", away)
    with Server([acknowledged_then(*(migrate_frame(n) for n in range(7)))]) as server, listener(small_times, server.url) as run:
        assert until(lambda: "does not take what was heard" in caplog.text)
        assert run.end() < 3.2
    assert run.ended[0].unsaved == 7
    assert "7 migrations heard and not stored" in caplog.text


@pytest.mark.slow
def test_a_stop_in_a_burst_stores_all_that_was_read(small_times):
    def burst(peer: Peer) -> None:
        peer.welcome_and_acknowledge()
        for n in range(1000):
            peer.text(*(migrate_frame(n * 100 + i) for i in range(100)))

    with Server([burst]) as server, listener(small_times, server.url) as run:
        assert stored(1)
        assert run.end() < 3.2
    assert Token.objects.count() == run.ended[0].migrations == run.ended[0].new
    assert run.ended[0].unsaved == 0


def test_when_another_process_has_the_lock_this_one_hangs_up_and_ends(small_times):
    taken = threading.Event()
    with Server([acknowledged_then(migrate_frame(1))]) as server, listener(small_times, server.url, lock_lost=taken.is_set) as run:
        assert stored(1)
        taken.set()
        assert until(lambda: run.ended)
        assert server.peers[0].gone.wait(1)
    assert run.ended[0].taken_over


def test_an_error_that_nobody_expected_is_raised_after_the_rest_was_stored(small_times, monkeypatch):
    def script(peer: Peer) -> None:
        peer.welcome_and_acknowledge()
        peer.text(migrate_frame(1))
        peer.text(create_frame(2))
        peer.stay()

    def broken(raw: bytes) -> object:
        if b'"create"' in raw:
            raise ValueError("a bug")
        return honest(raw)

    honest = listening.pumpportal.parse
    monkeypatch.setattr(listening.pumpportal, "parse", broken)
    with Server([script]) as server, listener(small_times, server.url) as run:
        assert until(lambda: run.failed)
    assert str(run.failed[0]) == "a bug"
    assert Token.objects.count() == 1


def test_it_says_that_it_is_alive_while_it_works(small_times):
    said = threading.Semaphore(0)
    with Server([acknowledged_then()]) as server, listener(small_times, server.url, alive=said.release):
        assert said.acquire(timeout=3)


# Times and words


@pytest.mark.parametrize("jump", [timedelta(hours=1), -timedelta(hours=1)])
def test_a_jump_of_the_wall_clock_is_no_stall(small_times, monkeypatch, jump):
    offset = [timedelta(0)]
    for module in (listening, writing):
        monkeypatch.setattr(module, "utc_now", lambda: datetime.now(UTC) + offset[0])

    def script(peer: Peer) -> None:
        peer.welcome_and_acknowledge()
        peer.text(migrate_frame(1))
        peer.gone.wait(0.5)
        offset[0] = jump
        peer.text(migrate_frame(2))
        peer.stay()

    with Server([script]) as server, listener(small_times, server.url):
        assert stored(2)
        assert until(lambda: detail()["frames"] == 4)
    assert len(server.peers) == 1


def test_a_storm_of_losses_is_a_few_lines_in_the_log(small_times, caplog):
    heard = Heard()
    patience = Patience(60, 300, random.Random(1))
    patience.after = lambda *_: 0.0
    reader = Reader(heard, patience=patience)
    small_times.PUMPPORTAL_WS_URL = "ws://127.0.0.1:1/"
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            reader._once()
    assert len(caplog.records) == 1
    assert "127.0.0.1 cannot be reached" in caplog.text
    assert len(heard.changes) == 100


@pytest.mark.parametrize("end", ["refused", "closed", "redirect"])
def test_the_key_is_in_no_log_and_no_row(small_times, caplog, end):
    small_times.PUMPPORTAL_API_KEY = "canary key/7f3a"
    answers = {"refused": b"HTTP/1.1 403 No\r\n\r\n", "redirect": b"HTTP/1.1 302 Found\r\nLocation: ws://x.example/?api-key=canary\r\n\r\n"}

    def script(peer: Peer) -> None:
        if end == "closed":
            peer.welcome_and_acknowledge()
            peer.close()
        else:
            peer.read_request()
            peer.raw(answers[end])

    with caplog.at_level(logging.DEBUG), Server([script]) as server, listener(small_times, server.url):
        assert until(
            lambda: (
                ListeningGap.objects.filter(to_ts=None).exclude(why__contains="starting for the first time").exists()
                or "; now: " in "".join(ListeningGap.objects.values_list("why", flat=True))
            )
        )
    assert b"api-key=canary%20key%2F7f3a" in server.peers[0].head
    assert "canary" not in caplog.text
    assert "canary" not in repr(list(ListeningGap.objects.values())) + repr(list(Heartbeat.objects.values()))


@pytest.mark.slow
def test_ten_thousand_frames_at_once_are_all_stored_on_one_connection(small_times):
    small_times.PUMPPORTAL_PING_SEC, small_times.PUMPPORTAL_PING_TIMEOUT_SEC = 1, 5
    frames = [migrate_frame(n) for n in range(10_000)]
    with Server([acknowledged_then(*frames)]) as server, listener(small_times, server.url):
        began = time.monotonic()
        assert until(lambda: Token.objects.count() == 10_000, 60)
        took = time.monotonic() - began
    assert len(server.peers) == 1
    assert StatusChange.objects.count() == 10_000
    assert took < (10 if sys.gettrace() is None else 60)  # a coverage run traces every line


@pytest.mark.skipif(project.ON_SQLITE, reason="sessions that an administrator ends")
def test_a_session_ended_by_an_administrator_is_opened_again(small_times):
    def script(peer: Peer) -> None:
        peer.welcome_and_acknowledge()
        for n in range(300):
            peer.text(migrate_frame(n))
            peer.gone.wait(0.01)
        peer.stay()

    with Server([script]) as server, listener(small_times, server.url):
        for wanted in (50, 120, 200):
            assert stored(wanted)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
        assert stored(300)
    assert len(server.peers) == 1
