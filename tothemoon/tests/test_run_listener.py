"""run_listener as an operator meets it: a process, signals, exit codes, and a second one."""

import contextlib
import signal
import socket
import time
from urllib.request import urlopen

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from ingestion.models import Heartbeat, ListeningGap
from ingestion.tests.mints import migrate_frame
from ingestion.tests.misbehaving_websocket import Peer, Server, acknowledged_then
from tokens.models import Token
from tothemoon.leader import only_one
from tothemoon.tests.commands import database_url
from tothemoon.tests.soak.trial import QUICK_TIMES
from tothemoon.tests.soak.victims import Worker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CANARY = "canary-key-5b1d"


@pytest.fixture
def start(tmp_path):
    """Start run_listener as a process; at the end of the test none is left."""
    with contextlib.ExitStack() as ends:

        def begin(url: str, *arguments: str) -> Worker:
            (tmp_path / str(len(started))).mkdir()
            environment = {**QUICK_TIMES, "DATABASE_URL": database_url(), "PUMPPORTAL_WS_URL": url, "PUMPPORTAL_API_KEY": CANARY}
            started.append(
                Worker(
                    "run_listener",
                    environment | {"LOG_LEVEL": "DEBUG", "PUMPPORTAL_STALL_SEC": "60"},
                    tmp_path / str(len(started)),
                    *arguments,
                )
            )
            ends.callback(started[-1].end)
            return started[-1]

        started: list[Worker] = []
        yield begin


@pytest.fixture
def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def until(condition, seconds=30.0):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if condition():
            return True
        time.sleep(0.02)
    return False


def burst(peer: Peer) -> None:
    peer.welcome_and_acknowledge()
    for start in range(0, 5000, 100):
        peer.text(*(migrate_frame(n) for n in range(start, start + 100)))
        peer.gone.wait(0.01)
    peer.stay()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_a_burst_stores_what_was_read_and_ends_in_time(start, number):
    with Server([burst]) as server:
        listener = start(server.url)
        assert until(lambda: Token.objects.count() >= 500)
        code, took = listener.stop(number)
    assert code == 0, listener.said()
    assert took < 3
    heard = Heartbeat.objects.get(component="listener").detail
    assert Token.objects.count() == heard["migrations"] == heard["new"]
    assert ListeningGap.objects.get(to_ts=None).why == "the listener was stopped"


def test_max_seconds_ends_it_in_peace_and_it_says_what_it_heard(start):
    with Server([acknowledged_then(migrate_frame(1), migrate_frame(2), migrate_frame(2))]) as server:
        listener = start(server.url, "--max-seconds", "4")
        assert listener.wait() == 0
    assert "3 migrations heard, 2 of them new tokens" in listener.said()


def test_a_second_listener_opens_no_second_socket_and_takes_over_when_the_first_dies(start):
    with Server([acknowledged_then(migrate_frame(1)), acknowledged_then(migrate_frame(2))]) as server:
        first = start(server.url)
        assert until(lambda: Token.objects.count() == 1)
        second = start(server.url)
        assert until(lambda: "waiting: another listener is running" in second.said())
        assert len(server.peers) == 1
        first.kill()
        died = time.monotonic()
        assert until(lambda: Token.objects.count() == 2)
        assert time.monotonic() - died < 30
        assert until(lambda: ListeningGap.objects.filter(why="the listener was not running", to_ts__isnull=False).exists())
    assert server.most_at_once == 1


def test_one_that_waits_ends_at_once_when_told_and_after_its_time(start):
    with only_one("listener"):
        told, timed = start("ws://127.0.0.1:1/"), start("ws://127.0.0.1:1/", "--max-seconds", "3")
        assert until(lambda: "waiting: another listener" in told.said())
        code, took = told.stop()
        assert (code, timed.wait()) == (0, 0)
    assert took < 3
    assert "told to stop while waiting: another listener is running on this database" in timed.said()


def test_the_key_is_in_no_output_whatever_fails(start):
    answers = [
        b"HTTP/1.1 403 No\r\nX: %s\r\nContent-Length: 15\r\n\r\n%s" % (CANARY.encode(), CANARY.encode()),
        b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/?api-key=%s\r\n\r\n" % CANARY.encode(),
    ]

    def refuse(peer: Peer) -> None:
        peer.read_request()
        peer.raw(answers[len(peer.server.peers) % 2])

    with Server([refuse]) as server:
        listener = start(server.url, "--max-seconds", "5")
        assert listener.wait() == 0
        assert CANARY.encode() in server.peers[0].head
    assert "refused with HTTP 403" in listener.said() or "redirect" in listener.said()
    assert CANARY not in listener.said()


def test_a_table_that_is_not_there_yet_is_waited_for_and_named(start):
    with Server([acknowledged_then(migrate_frame(1))]) as server:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE listening_gaps RENAME TO listening_gaps_away")
        try:
            listener = start(server.url)
            assert until(lambda: "does not take what was heard" in listener.said())
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE listening_gaps_away RENAME TO listening_gaps")
        assert until(lambda: Token.objects.count() == 1)
    assert "listening_gaps" in listener.said()


def test_a_port_for_metrics_that_is_taken_is_said_and_does_not_stop_the_listener(start, monkeypatch):
    with Server([acknowledged_then(migrate_frame(1))]) as server:
        monkeypatch.setenv("METRICS_PORT_LISTENER", str(server.port))
        listener = start(server.url)
        assert until(lambda: Token.objects.count() == 1)
    assert f"no metrics on port {server.port}" in listener.said()


def test_its_metrics_are_served_on_the_port_it_was_given(start, monkeypatch, unused_port):
    monkeypatch.setenv("METRICS_PORT_LISTENER", str(unused_port))
    with Server([acknowledged_then(migrate_frame(1))]) as server:
        start(server.url)
        assert until(lambda: Token.objects.count() == 1)
        said = urlopen(f"http://127.0.0.1:{unused_port}/metrics", timeout=5).read().decode()
    assert "tothemoon_database_up 1.0" in said


@pytest.mark.parametrize("nonsense", ["-1", "nan", "inf", "soon"])
def test_a_time_that_is_none_is_refused(nonsense):
    with pytest.raises(CommandError, match="max-seconds"):
        call_command("run_listener", f"--max-seconds={nonsense}")
