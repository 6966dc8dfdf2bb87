import json
import os
import select
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from tokens.models import PoolSnapshot, Token, TokenSnapshot
from tothemoon.benches.orm_way import OrmWay, SaveWay
from tothemoon.benches.tick import Line, Market, tick

pytestmark = pytest.mark.django_db


def test_the_result_has_the_shape_that_others_read(capsys, monkeypatch):
    monkeypatch.setattr("tothemoon.benches.tick.ROUNDS", 1)
    for name, floor in (("FLOORS", 0.001), ("TIMES_SAVE", 0.001), ("MOST_TIMES_LIMIT", 1e6)):
        monkeypatch.setattr(f"tothemoon.benches.tick.{name}", {"postgresql": floor, "sqlite": floor})
    monkeypatch.setattr("tothemoon.benches.tick.MEMORY_MB", 1e6)  # this process is a whole suite of tests
    call_command("bench", "tick", "--here", "--json", "--tokens", "20")
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [set(row) for row in rows] == [set(Line.__annotations__)] * 5
    assert [row["unit"] for row in rows] == ["ms", "ms", "ms", "statements", "MB"]
    assert all(row["holds"] for row in rows)


def test_a_floor_that_does_not_hold_fails_the_command(monkeypatch):
    monkeypatch.setattr("tothemoon.benches.tick.ROUNDS", 1)
    monkeypatch.setattr("tothemoon.benches.tick.FLOORS", {"postgresql": 1e9, "sqlite": 1e9})
    with pytest.raises(CommandError, match="a floor does not hold: tick on "):
        call_command("bench", "tick", "--here", "--tokens", "5")


def test_who_reads_json_finds_the_floor_in_the_rows_and_nothing_else_is_said(monkeypatch, capsys):
    monkeypatch.setattr("tothemoon.benches.tick.ROUNDS", 1)
    monkeypatch.setattr("tothemoon.benches.tick.FLOORS", {"postgresql": 1e9, "sqlite": 1e9})
    with pytest.raises(SystemExit) as ended:
        call_command("bench", "tick", "--here", "--json", "--tokens", "5")
    told = capsys.readouterr()
    assert (ended.value.code, told.err) == (1, "")
    assert not all(row["holds"] for row in json.loads(told.out)["rows"])


def test_a_database_that_holds_tokens_is_not_measured_on():
    Token.objects.create(address="A" * 44)
    with pytest.raises(CommandError, match="holds tokens"):
        call_command("bench", "tick", "--here")


@pytest.mark.parametrize("way", [OrmWay, SaveWay])
def test_all_ways_write_the_same_rows(way):
    market = Market(12)
    tick(market.answers(), market.now)
    answers, fields = market.answers(), [field.name for field in TokenSnapshot._meta.fields if field.name != "id"]
    tick(answers, market.now)
    ours = list(TokenSnapshot.objects.filter(ts=market.now).order_by("token").values_list(*fields))
    for model in (TokenSnapshot, PoolSnapshot):
        model.objects.filter(ts=market.now).delete()
    with way().in_place():
        tick(answers, market.now)
    assert list(TokenSnapshot.objects.filter(ts=market.now).order_by("token").values_list(*fields)) == ours


def test_all_benches_together_are_measured_on_databases_of_their_own():
    with pytest.raises(CommandError, match="need its name"):
        call_command("bench", "--here")
    with pytest.raises(CommandError, match="need its name"):
        call_command("bench", "all", "--tokens", "5")


A_SERVER_AND_NO_END = """
import pathlib, signal, django
django.setup()
from tothemoon.benches.web_servers import gunicorn
with gunicorn(pathlib.Path({log!r}), "tothemoon.wsgi:application") as server:
    print(server.pid, flush=True)
    signal.pause()
"""


@pytest.mark.slow
def test_a_bench_that_is_killed_leaves_no_server_behind(tmp_path):
    surroundings = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'none.sqlite3'}", "DJANGO_SETTINGS_MODULE": "tothemoon.settings"}
    code = A_SERVER_AND_NO_END.format(log=str(tmp_path / "log"))
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=settings.BASE_DIR, env=surroundings, stdout=subprocess.PIPE, text=True
    ) as bench:
        server = os.pidfd_open(int(bench.stdout.readline()))
        bench.kill()
    gone, _, _ = select.select([server], [], [], 120)
    os.close(server)
    assert gone
