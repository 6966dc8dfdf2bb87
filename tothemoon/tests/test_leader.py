import threading
import time

import psycopg
import pytest
from django.conf import settings
from django.db import connection, connections

from tothemoon.leader import AnotherIsRunning, StoppedWhileWaiting, only_one
from tothemoon.worker import StopFlag

pytestmark = pytest.mark.django_db(transaction=True)

on_postgres = pytest.mark.skipif(settings.ON_SQLITE, reason="the lock of a session")
on_sqlite = pytest.mark.skipif(not settings.ON_SQLITE, reason="the lock of a file")


def test_the_second_one_is_refused_at_once_and_says_why():
    with only_one("listener"), pytest.raises(AnotherIsRunning, match="another listener is running"), only_one("listener"):
        pass


def test_two_of_different_kinds_do_not_meet():
    with only_one("listener") as one, only_one("scheduler") as other:
        assert one.still_mine()
        assert other.still_mine()


def test_after_the_block_the_next_one_may():
    with only_one("listener"):
        pass
    with only_one("listener") as mine:
        assert mine.still_mine()


def test_after_an_error_in_the_block_the_next_one_may():
    with pytest.raises(ZeroDivisionError), only_one("listener"):
        _ = 1 / 0
    with only_one("listener") as mine:
        assert mine.still_mine()


def test_closing_djangos_connections_does_not_drop_the_lock():
    with only_one("scheduler") as mine:
        connections.close_all()
        assert mine.still_mine()
        with pytest.raises(AnotherIsRunning), only_one("scheduler"):
            pass


def test_one_that_waits_takes_over_when_the_first_is_gone():
    first_may_go, got = threading.Event(), []

    def wait_for_it() -> None:
        with only_one("listener", wait=True) as mine:
            got.append(mine.still_mine())

    with only_one("listener"):
        standby = threading.Thread(target=wait_for_it)
        standby.start()
        assert not first_may_go.wait(0.3)
        assert got == []
    standby.join(5)
    assert got == [True]


def test_a_stop_ends_the_wait_at_once():
    stop, ended = StopFlag(), []

    def wait_for_it() -> None:
        with pytest.raises(StoppedWhileWaiting), only_one("listener", stop, wait=True):
            pass
        ended.append(time.monotonic())

    with only_one("listener"):
        standby = threading.Thread(target=wait_for_it)
        standby.start()
        threading.Event().wait(0.3)
        began = time.monotonic()
        stop.set()
        standby.join(5)
    assert ended[0] - began < 0.2


@on_postgres
def test_a_lock_lost_with_its_session_is_taken_back_when_nobody_else_has_it():
    with only_one("scheduler") as mine:
        _end_other_sessions()
        assert mine.still_mine()
        with pytest.raises(AnotherIsRunning), only_one("scheduler"):
            pass


@on_postgres
def test_a_lock_that_went_to_another_is_known_to_be_lost():
    with only_one("scheduler") as mine:
        _end_other_sessions()
        with only_one("scheduler"):
            assert not mine.still_mine()
            assert mine.taken_by_another()
        assert soon(mine.still_mine)


@on_postgres
def test_a_database_that_does_not_answer_is_not_taken_for_another_holder(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise psycopg.OperationalError("connection refused")

    with only_one("scheduler") as mine:
        _end_other_sessions()
        monkeypatch.setattr(psycopg, "connect", refuse)
        assert not mine.still_mine()
        assert not mine.taken_by_another()


@on_postgres
def test_who_stood_by_for_long_gives_the_former_holder_time_to_notice():
    began, stop = time.monotonic(), StopFlag()
    holder = only_one("listener")
    holder.__enter__()
    threading.Timer(0.6, holder.__exit__, (None, None, None)).start()
    with only_one("listener", stop, wait=True, settle_sec=0.5) as mine:
        assert mine.still_mine()
        assert time.monotonic() - began > 1.1


@on_sqlite
def test_a_lock_file_that_was_deleted_no_longer_counts(tmp_path, monkeypatch):
    monkeypatch.setitem(connections["default"].settings_dict, "NAME", str(tmp_path / "db.sqlite3"))
    with only_one("listener") as mine:
        (tmp_path / "db.sqlite3.listener.lock").unlink()
        with only_one("listener"):
            assert not mine.still_mine()
            assert mine.taken_by_another()
        assert mine.still_mine()


def soon(question) -> bool:
    """The server needs a moment to see off a session that has just been closed."""
    until = time.monotonic() + 3
    while not (answer := question()) and time.monotonic() < until:
        threading.Event().wait(0.02)
    return answer


def _end_other_sessions() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
