import os
import signal
import socket
import threading
import time

import pytest

from tothemoon import worker
from tothemoon.worker import StopFlag


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_flag_and_nothing_else(number):
    with StopFlag() as stop:
        assert not stop.wait(0)
        os.kill(os.getpid(), number)
        assert stop.wait(1)
        assert stop.is_set()


def test_a_worker_outlives_the_terminal_it_was_started_in():
    with StopFlag(outlives_terminal=True) as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stop.wait(0)


def test_the_former_handlers_are_put_back():
    signals = (*worker.SIGNALS, signal.SIGHUP)
    before = [signal.getsignal(number) for number in signals]
    with StopFlag(outlives_terminal=True):
        assert [signal.getsignal(number) for number in signals] != before
    assert [signal.getsignal(number) for number in signals] == before


def test_everybody_who_waits_is_woken_at_once():
    stop, woken = StopFlag(), []
    waiting = [threading.Thread(target=lambda: woken.append(stop.wait(30))) for _ in range(5)]
    for thread in waiting:
        thread.start()
    began = time.monotonic()
    stop.set()
    stop.set()
    for thread in waiting:
        thread.join(5)
    assert woken == [True] * 5
    assert time.monotonic() - began < 1


def test_a_wait_without_a_stop_lasts_its_time_and_says_no():
    began = time.monotonic()
    assert StopFlag().wait(0.05) is False
    assert 0.04 < time.monotonic() - began < 1


def test_a_flag_with_a_time_sets_itself_when_it_is_over():
    stop, began = StopFlag(after=0.1), time.monotonic()
    assert not stop.is_set()
    assert stop.wait()
    assert stop.is_set()
    assert 0.09 < time.monotonic() - began < 1


def test_a_very_long_time_is_no_trouble():
    stop = StopFlag(after=1e12)
    threading.Timer(0.05, stop.set).start()
    assert stop.wait(1e11)


def test_a_storm_of_signals_while_waiting_in_short_turns_is_survived():
    with StopFlag() as stop:
        sender = threading.Thread(target=lambda: [os.kill(os.getpid(), signal.SIGTERM) for _ in range(200)])
        sender.start()
        while not stop.wait(0.0001):
            pass
        sender.join(5)
    assert stop.is_set()


def test_outside_the_main_thread_it_takes_no_signals():
    seen = []

    def run() -> None:
        with StopFlag() as stop:
            seen.append(stop.wait(0))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(5)
    assert seen == [False]


def test_systemd_hears_ready_alive_and_stopping(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        worker.ready()
        worker.alive()
        worker.stopping()
        assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_an_abstract_notify_socket_is_found_as_well(monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0ttm-test-{os.getpid()}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@ttm-test-{os.getpid()}")
        worker.ready()
        assert systemd.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nowhere/at/all"])
def test_without_systemd_nothing_happens(monkeypatch, address):
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    worker.alive()
