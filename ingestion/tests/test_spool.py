"""What was heard outlives the process that heard it."""

import os

import pytest

from ingestion.facts import Migration
from ingestion.models import ListeningGap
from ingestion.spool import Spool, spool_path
from ingestion.tests.listener import listener, stored
from ingestion.tests.mints import migrate_frame, mint
from ingestion.tests.misbehaving_websocket import Server, acknowledged_then
from tokens.models import Token


def heard(number: int) -> Migration:
    return Migration(mint=mint(number), signature=f"signature {number}", pool="pump-amm")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "listener.spool"


def test_what_was_not_stored_is_there_for_the_next_process(path, now):
    Spool(path).add([heard(1)], now)
    assert Spool(path).left_over == [(heard(1), now)]


def test_what_was_stored_is_not_stored_again(path, now):
    spool = Spool(path)
    spool.add([heard(1)], now)
    spool.stored(1)
    assert Spool(path).left_over == []


def test_one_that_is_still_on_its_way_keeps_the_file(path, now):
    spool = Spool(path)
    spool.add([heard(1)], now)
    spool.add([heard(2)], now)
    spool.stored(1)
    assert [migration for migration, _ in Spool(path).left_over] == [heard(1), heard(2)]


def test_a_line_that_a_kill_cut_off_swallows_neither_its_neighbours_nor_the_start(path, now):
    Spool(path).add([heard(1)], now)
    with path.open("ab") as file:
        file.write(b'["half a mi')
    Spool(path).add([heard(2)], now)
    assert [migration for migration, _ in Spool(path).left_over] == [heard(1), heard(2)]


def test_the_file_goes_when_nothing_is_left_in_it(path, now):
    spool = Spool(path)
    spool.add([heard(1)], now)
    spool.stored(1)
    spool.close()
    assert not path.exists()
    spool.add([heard(2)], now)
    spool.close()


def test_a_full_spool_takes_no_more_and_stops_nothing(path, now, monkeypatch):
    monkeypatch.setattr("ingestion.spool.MOST_BYTES", 10)
    spool = Spool(path)
    spool.add([heard(1)], now)
    spool.add([heard(2)], now)
    assert len(Spool(path).left_over) == 1


def test_a_folder_that_cannot_be_written_is_said_and_listening_goes_on(tmp_path, now, caplog):
    (tmp_path / "taken").write_text("a file where the folder should be")
    spool = Spool(tmp_path / "taken" / "listener.spool")
    spool.add([heard(1)], now)
    spool.stored(1)
    spool.close()
    assert "no spool" in caplog.text


def test_two_databases_never_share_a_spool(tmp_path):
    one = {"ENGINE": "django.db.backends.postgresql", "HOST": "a", "NAME": "moon", "OPTIONS": {}}
    paths = {spool_path(one, tmp_path), spool_path({**one, "HOST": "b"}, tmp_path), spool_path({**one, "NAME": "sun"}, tmp_path)}
    paths.add(spool_path({**one, "HOST": "", "OPTIONS": {"host": "/run/c"}}, tmp_path))
    paths.add(spool_path({"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "db.sqlite3"}, tmp_path))
    assert len(paths) == 5


@pytest.mark.django_db(transaction=True)
def test_a_listener_first_stores_what_the_one_before_it_had_heard(small_times, now, tmp_path):
    small_times.SPOOL_DIR = tmp_path
    path = spool_path(small_times.DATABASES["default"], tmp_path)
    Spool(path).add([heard(7)], now)
    with Server([acknowledged_then(migrate_frame(1))]) as server, listener(small_times, server.url):
        assert stored(2)
    assert Token.objects.get(address=mint(7)).created_at == now
    assert not os.path.exists(path)
    assert ListeningGap.objects.exists()
