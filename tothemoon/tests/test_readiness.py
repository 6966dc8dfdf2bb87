import logging

import pytest
from django.db import OperationalError
from django.db.migrations.recorder import MigrationRecorder

from tothemoon import readiness
from tothemoon.readiness import obstacle, wait_until_ready
from tothemoon.worker import StopFlag

pytestmark = pytest.mark.django_db


def refused(connection):
    raise OperationalError("connection refused\n\tIs the server running?")


def test_a_migrated_database_stands_in_nobodys_way():
    assert obstacle() == ""
    assert wait_until_ready(StopFlag())


def test_a_missing_migration_is_named_with_what_to_do():
    MigrationRecorder.Migration.objects.filter(app="scoring").order_by("-pk")[:1].get().delete()
    assert obstacle() == "the database lacks 1 migration: run `manage.py migrate`"


def test_a_database_that_is_down_is_named_in_one_line(monkeypatch):
    monkeypatch.setattr(readiness, "MigrationExecutor", refused)
    assert obstacle() == "the database does not answer (connection refused)"


def test_the_wait_ends_when_the_database_is_back_and_each_cause_is_said_once(monkeypatch, caplog):
    causes = iter(["down", "down", "down", "lacks", ""])
    monkeypatch.setattr(readiness, "obstacle", lambda: next(causes))
    stop, alive = StopFlag(), []
    monkeypatch.setattr(stop, "wait", lambda seconds: False)
    with caplog.at_level(logging.WARNING, readiness.__name__):
        assert wait_until_ready(stop, lambda: alive.append(1))
    assert [record.getMessage() for record in caplog.records] == [
        "waiting: down",
        "waiting: lacks",
        "the wait is over: the database is ready",
    ]
    assert len(alive) == 4


def test_who_is_told_to_stop_waits_no_longer(monkeypatch):
    monkeypatch.setattr(readiness, "obstacle", lambda: "down")
    stop = StopFlag()
    stop.set()
    assert not wait_until_ready(stop)
