import json
import os
import socket
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from ingestion.models import Heartbeat, ListeningGap
from tokens.models import Token
from tothemoon import health as health_module
from tothemoon.bounded import Bounded
from tothemoon.health import judged
from tothemoon.pulse import measure

HEALTHY = ("scheduler", "job:poll_initial", "job:poll_active", "job:score")
# The question is asked in a thread of its own, with a connection of its own: it sees only what is committed.
committed = pytest.mark.django_db(transaction=True)


def alive(now):
    for name in HEALTHY:
        Heartbeat.objects.create(component=name, ts=now, detail={"ok": True, "ms": 10})
    Heartbeat.objects.create(component="listener", ts=now, detail={"connected": True, "last_message_at": now.isoformat()})


@committed
def test_a_living_system_is_ok(client):
    alive(timezone.now())
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["status"], answer.json()["ready"]) == (200, "ok", True)
    assert answer.headers["Cache-Control"] == "no-store"


@committed
def test_a_dead_listener_is_named_and_pages_are_still_served(client):
    alive(timezone.now() - timedelta(minutes=5))
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["feed"]["state"] == "off"
    assert client.get("/health?probe=strict").status_code == 503
    assert answer.json()["components"]["listener"]["age_sec"] >= 300


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace"])
def test_only_get_and_head_are_answered(client, method):
    assert getattr(client, method)("/health").status_code == 405
    assert getattr(client, method)("/metrics").status_code == 405


def test_a_database_that_refuses_makes_503_and_says_no_more(client, monkeypatch):
    def refused():
        raise OperationalError("connection to server at db.internal, port 5432 failed: password for user ttm")

    monkeypatch.setattr(health_module, "_pulse", Bounded(refused))
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["status"], answer.json()["live"]) == (503, "down", True)
    assert b"internal" not in answer.content
    assert b"ttm" not in answer.content


@pytest.mark.measured
def test_a_database_that_never_answers_makes_503_within_a_second_and_costs_one_thread(client, monkeypatch):
    asked, forever = [], __import__("threading").Event()
    monkeypatch.setattr(health_module, "_pulse", Bounded(lambda: (asked.append(1), forever.wait(20))))
    for _ in range(3):
        began = time.monotonic()
        assert client.get("/health").status_code == 503
        assert time.monotonic() - began < 1
    forever.set()
    assert len(asked) == 1


def test_being_alive_needs_no_database(client):
    answer = client.get("/health?probe=live")  # no database mark: a query would fail this test
    assert answer.json() == {"status": "ok", "live": True}


@pytest.mark.django_db
def test_strangers_see_states_and_ages_but_no_reasons(now):
    Heartbeat.objects.create(component="listener", ts=now, detail={"connected": True, "error": "wss://db.internal/?key=1"})
    ListeningGap.objects.create(from_ts=now, why="refused by wss://db.internal/")
    public = json.dumps(judged(measure(now), details=False))
    for word in ("internal", "wss", "why", "detail", "version", "python", "postgres", "sqlite", "/work"):
        assert word not in public.lower()
    assert judged(measure(now), details=False)["gap"]["from"] == "2026-11-21T12:00:00Z"


@pytest.mark.django_db
def test_this_machine_sees_the_reasons_without_the_keys(now, settings):
    settings.PUMPPORTAL_API_KEY = "canary-pump-key"
    ListeningGap.objects.create(from_ts=now, why="refused wss://host/?api-key=canary-pump-key")
    seen = json.dumps(judged(measure(now), details=True))
    assert "refused" in seen
    assert "canary" not in seen


@committed
def test_a_visitor_through_the_proxy_is_a_stranger(client):
    alive(timezone.now())
    assert "detail" in client.get("/health").content.decode()
    assert "detail" not in client.get("/health", headers={"x-forwarded-for": "203.0.113.9"}).content.decode()


@pytest.mark.django_db
def test_a_clock_that_has_gone_back_is_a_trouble(now):
    Heartbeat.objects.create(component="scheduler", ts=now, detail={"figures_until": "2026-11-21T13:00:00+00:00"})
    assert "clock gone back" in judged(measure(now), details=False)["troubles"]


@pytest.mark.django_db
def test_the_answer_is_strict_json_whatever_a_heartbeat_holds(now):
    Heartbeat.objects.create(component="job:score", ts=now, detail={"ms": "slow", "ok": True})
    json.loads(json.dumps(judged(measure(now), details=True), allow_nan=False), parse_constant=pytest.fail)


def names_in(value):
    """Every key of an answer, however deep."""
    if isinstance(value, dict):
        return set(value) | {name for inner in value.values() for name in names_in(inner)}
    return {name for inner in value for name in names_in(inner)} if isinstance(value, list) else set()


@committed
def test_a_stranger_is_told_these_things_and_nothing_else(client):
    """A list of what is allowed: something new in the answer needs a decision here."""
    now = timezone.now()
    alive(now)
    ListeningGap.objects.create(from_ts=now, why="refused by wss://db.internal/?api-key=1")
    told = client.get("/health", headers={"x-forwarded-for": "203.0.113.9"}).json()
    allowed = {"status", "live", "ready", "as_of", "simulated", "feed", "tick", "tokens", "components", "gap", "recent_gaps", "troubles"}
    allowed |= {"state", "age_sec", "since", "ms", "from", "to", "sec"}
    assert names_in(told) - allowed <= {"listener", *HEALTHY, "Active", "Initial", "Archived"}


@committed
def test_metrics_are_for_this_machine(client):
    assert client.get("/metrics", headers={"x-forwarded-for": "203.0.113.9"}).status_code == 403
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert b"tothemoon_database_up 1.0" in answer.content
    assert answer.headers["Content-Type"].startswith("text/plain")


@committed
def test_the_number_of_series_does_not_grow_with_the_tokens(client):
    alive(timezone.now())
    before = client.get("/metrics").content.count(b"\n")
    Token.objects.bulk_create(Token(address=f"T{number}", symbol=f"S{number}") for number in range(1000))
    Heartbeat.objects.bulk_create(Heartbeat(component=f"odd:{number}") for number in range(40))
    after = client.get("/metrics").content.decode()
    assert after.count("\n") == before < 500
    assert 'tothemoon_tokens{status="initial"} 1000.0' in after
    assert "S17" not in after


@pytest.mark.slow
@pytest.mark.measured
def test_a_whole_site_before_a_black_hole_answers_503_within_a_second(tmp_path):
    """A real server whose PostgreSQL accepts connections and never says a word."""
    hole = socket.create_server(("127.0.0.1", 0))
    url = f"postgresql://ttm:canary-db-password@127.0.0.1:{hole.getsockname()[1]}/ttm"
    code = """
import os, time, django
django.setup()
from django.test import Client
client = Client()
client.get("/health?probe=live")
for path in ("/health", "/health", "/metrics"):
    began = time.monotonic()
    answer = client.get(path)
    print(path, answer.status_code, round(time.monotonic() - began, 2), "canary" in answer.content.decode(), flush=True)
os._exit(0)
"""
    environment = {
        "PATH": "/usr/bin:/bin",
        "READ_DOTENV": "0",
        "DJANGO_SETTINGS_MODULE": "tothemoon.settings",
        "DATABASE_URL": url,
        "SECRET_KEY": "k" * 60,
        "ALLOWED_HOSTS": "testserver",
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [(path, status) for path, status, _, _ in rows] == [("/health", "503"), ("/health", "503"), ("/metrics", "200")]
    assert all(float(seconds) < 1 for path, _, seconds, _ in rows if path == "/health")
    assert "canary-db-password" not in done.stdout + done.stderr
    hole.close()


@pytest.mark.own_database
@pytest.mark.skipif(settings.ON_SQLITE, reason="SQLite has no such limit")
def test_the_web_site_gives_up_a_question_that_takes_too_long_and_a_worker_does_not():
    code = "import {0}; from django.db import connection as c; k = c.cursor(); k.execute('SHOW statement_timeout'); print(k.fetchone()[0])"
    for module, limit in (("tothemoon.wsgi", "20s"), ("django; django.setup()", "0")):
        done = subprocess.run([sys.executable, "-c", code.format(module)], capture_output=True, text=True, check=True, env=os.environ)
        assert done.stdout.split() == [limit]
