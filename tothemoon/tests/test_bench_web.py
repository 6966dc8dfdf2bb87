"""The bench of the web site in a small form: a ratio that falls below its floor by more than 30 % is a failure here too."""

import json
import shutil

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from tothemoon.benches import web
from tothemoon.benches.tick import Line

SLACK = 0.7

pytestmark = [
    pytest.mark.django_db(transaction=True),  # gunicorn reads what is committed
    pytest.mark.skipif(not settings.ON_SQLITE, reason="bytes that are ready ask no database: measured on SQLite"),
    pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not on this machine (Debian: apt install wrk)"),
]


@pytest.fixture
def small(monkeypatch):
    """A fifth of the tokens and less time; lines of two hours, as on the site. The limits in milliseconds are for a machine that does
    nothing else: the whole bench asks."""
    short = {"ROUNDS": 3, "COLD_ROUNDS": 3, "ASKED_AGAIN": 200, "FORMS": web.FORMS[:1], "OTHERS": ()}
    for name, value in short.items():
        monkeypatch.setattr(web, name, value)
    for name in ("WARM", "COLD"):
        monkeypatch.setattr(web, name, getattr(web, name) * SLACK)
    monkeypatch.setattr(web, "WARM_BY_THE_CLOCK", web.WARM / 2)  # who else is at work here takes from one more than from the other
    for name in ("P99_MS", "UNCHANGED_MS"):
        monkeypatch.setattr(web, name, getattr(web, name) * 20)


@pytest.mark.measured
def test_pages_are_ready_and_those_that_are_not_are_drawn_quickly(small, capsys):
    call_command("bench", "web", "--here", "--json", "--tokens", "220")
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {frozenset(row) for row in rows} == {frozenset(Line.__annotations__)}
    assert [row["unit"] for row in rows if row["floor"] == web.COLD] == ["ms"]
    assert [row["unit"] for row in rows if row["floor"] in (web.WARM, web.WARM_BY_THE_CLOCK)] == ["requests/s"] * 2
    assert all(row["holds"] for row in rows)


def test_a_floor_that_does_not_hold_fails_the_command(small, monkeypatch):
    monkeypatch.setattr(web, "COLD", 1e9)
    monkeypatch.setattr(web, "TICKS", 4)
    monkeypatch.setattr(web, "_loaded", lambda *words: [])
    with pytest.raises(CommandError, match="floor"):
        call_command("bench", "web", "--here", "--tokens", "20")
