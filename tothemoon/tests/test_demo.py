"""One command shows everything: what it says, what it leaves out of the environment, and the whole of it once for real."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from ingestion.models import WatchedSymbol
from ingestion.simulator.coins import COINS
from scoring.models import ScoringSettings
from tokens.models import Status, Token
from tothemoon.demonstration import (
    EAGER,
    EAGER_NOTE,
    WATCHED,
    CannotStart,
    alone_in,
    demo_environment,
    free_port,
    make_login,
    watch_exchange_symbols,
)
from tothemoon.milestones import Milestones, Progress, progress

MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]


def test_nothing_an_operator_has_set_reaches_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUMPPORTAL_API_KEY", "a real key")
    monkeypatch.setenv("DATABASE_URL", "postgresql:///the-real-one")
    monkeypatch.setenv("SECRET_KEY_FILE", "/etc/tothemoon/key")
    monkeypatch.setenv("PUMPPORTAL_BACKOFF_MAX_SEC", "3600")
    environment = demo_environment(10, tmp_path / "demo")
    assert not {"PUMPPORTAL_API_KEY", "SECRET_KEY_FILE", "PUMPPORTAL_BACKOFF_MAX_SEC"} & set(environment)
    assert environment["DATABASE_URL"] == f"sqlite:///{tmp_path}/demo.sqlite3"
    assert (environment["SIMULATED"], environment["READ_DOTENV"]) == ("1", "0")


@pytest.mark.django_db
def test_a_fresh_demo_watches_exchange_symbols_and_trades_more_often_and_says_so():
    watch_exchange_symbols()
    revision = ScoringSettings.objects.get(active=True)
    assert set(WatchedSymbol.objects.values_list("symbol", flat=True)) == set(WATCHED) <= set(COINS)
    assert (revision.note, revision.paper_fee) == (EAGER_NOTE, EAGER["paper_fee"])


@pytest.mark.django_db
def test_what_an_operator_has_made_of_a_kept_demo_is_left_alone():
    watch_exchange_symbols()
    ScoringSettings.objects.revise({"paper_fee": 0.02}, None, "mine")
    watch_exchange_symbols()
    assert ScoringSettings.objects.get(active=True).note == "mine"


@pytest.mark.parametrize(("speed", "interval"), [(1, "30"), (3, "10"), (10, "5"), (1000, "5"), (0.1, "30")])
def test_a_faster_market_is_looked_at_more_often_within_reason(tmp_path: Path, speed: float, interval: str) -> None:
    environment = demo_environment(speed, tmp_path / "demo")
    assert environment["SCHED_INTERVAL_ACTIVE_SEC"] == environment["SCHED_INTERVAL_INITIAL_SEC"] == interval


@pytest.mark.django_db
def test_the_login_that_is_told_works() -> None:
    login = make_login(demo=True)
    assert login
    assert authenticate(username=login[0], password=login[1])


@pytest.mark.django_db
def test_a_demo_on_a_kept_database_gets_a_new_password() -> None:
    first, second = make_login(demo=True), make_login(demo=True)
    assert first != second
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_live_makes_no_login_where_somebody_can_log_in_already() -> None:
    User.objects.create_superuser("owner", password="x" * 12)
    assert make_login(demo=False) is None
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_progress_counts_and_keeps_control_characters_out_of_the_terminal(now: datetime) -> None:
    Token.objects.create(address="A" * 40, symbol="UP\x1b[2J\u202eX", status=Status.ACTIVE, last_score_value=1.5)
    Token.objects.create(address="B" * 40, symbol="LOW", status=Status.ACTIVE, last_score_value=0.5)
    Token.objects.create(address="C" * 40)
    assert progress() == Progress(tokens=3, initial=1, active=2, archived=0, scored=2, scored_active=2, best="UP[2JX 1.50")


def test_a_summary_says_what_is_wrong_and_lets_no_stranger_steer_the_terminal() -> None:
    said: list[str] = []
    milestones = Milestones(said.append, time.monotonic() - 31, "http://x/")
    milestones.look(Progress(0, 0, 0, 0, 0, 0, ""), web=False, troubles=lambda: ["New tokens are not being heard: \x1b[2Jno route."])
    assert [line.partition("s  ")[2] for line in said] == [
        "0 tokens: 0 Initial, 0 Active, 0 Archived; 0 scored",
        "New tokens are not being heard: [2Jno route.",
    ]


def test_each_step_is_said_once_and_shown_means_a_page_with_a_scored_active_token() -> None:
    said: list[str] = []
    milestones = Milestones(said.append, time.monotonic(), "http://x/")
    full = Progress(5, 3, 2, 0, 4, 2, "UP 1.50")
    milestones.look(full, web=False, troubles=list)
    assert not milestones.shown
    milestones.look(full, web=True, troubles=list)
    milestones.look(full, web=True, troubles=list)
    assert milestones.shown
    assert [line.partition("s  ")[2] for line in said] == [
        "the first 5 tokens found",
        "the first score",
        "the first scored Active token (UP 1.50)",
        "the web site answers at http://x/",
        "open http://x/",
    ]


@pytest.mark.django_db
def test_live_leaves_an_account_called_admin_as_it_is() -> None:
    User.objects.create_user("admin", password="y" * 12)
    login = make_login(demo=False)
    assert login
    assert login[0].startswith("admin-")
    assert authenticate(username="admin", password="y" * 12)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotStart, match=str(taken.getsockname()[1])):
        free_port(taken.getsockname()[1])


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    with alone_in(tmp_path / "demo"), pytest.raises(CannotStart, match="running already"), alone_in(tmp_path / "demo"):
        pass
    with alone_in(tmp_path / "demo"):
        pass


@pytest.mark.parametrize("words", [["--speed", "0"], ["--speed", "nan"], ["--seed", "-1"]])
def test_nonsense_is_refused_before_anything_starts(words: list[str]) -> None:
    with pytest.raises(CommandError, match="speed"):
        call_command("demo", *words)


def demo(folder: Path, *words: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    line = [*MANAGE, "demo", "--port", "0", "--folder", str(folder), *words]
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def in_use(folder: Path) -> list[str]:
    """Processes that still write into the demo's folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/fd/1"):
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        found += [target] if target.startswith(str(folder)) else []
    return found


@pytest.mark.slow
@pytest.mark.measured  # a minute by the clock: nothing else may run beside its five processes
def test_within_a_minute_a_page_shows_scored_active_tokens_and_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = demo(folder)
    assert process.stdout
    said = ""
    page = ""
    for line in process.stdout:
        said += line
        if match := re.search(r"open (http://127\.0\.0\.1:\d+/)", line):
            page = urllib.request.urlopen(match[1], timeout=20).read().decode()
            process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0, said
    process.stdout.close()
    assert re.search(r"name: admin   password: \S{12}", said)
    assert "SIMULATED" in page
    assert float(re.findall(r"([\d.]+) s  the first scored Active token", said)[0]) < 60
    assert in_use(folder) == []


@pytest.mark.slow
def test_a_demo_that_had_no_time_to_show_anything_says_so_with_its_exit_code(tmp_path: Path) -> None:
    process = demo(tmp_path / "demo", "--seconds", "0.1")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "no scored Active token" in said
