"""From a frame on the wire to a ranked token, by the commands alone: market, listener and scheduler as processes of their own."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings

from tothemoon.tests.migrated import migrate

pytestmark = [pytest.mark.slow, pytest.mark.own_database]
MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]
METRICS = {"tx_accel", "vol_momentum", "holder_growth", "orderflow_imbalance"}
Ask = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database of its own of the kind this run is about."""
    if settings.ON_SQLITE:
        return f"sqlite:///{tmp_path_factory.mktemp('end-to-end')}/db.sqlite3"
    name = f"end_to_end_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(f"CREATE DATABASE {name}")
    return os.environ["DATABASE_URL"].replace("/postgres?", f"/{name}?")


def run(environment: dict[str, str], *words: str) -> None:
    done = subprocess.run([*MANAGE, *words], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-3000:]}"


def listen_until_forty_are_known(environment: dict[str, str], ask: Ask) -> None:
    with subprocess.Popen([*MANAGE, "run_listener", "--max-seconds", "50"], env=environment) as listener:
        while listener.poll() is None and ask("SELECT count(*) FROM tokens")[0][0] < 40:
            with suppress(subprocess.TimeoutExpired):
                listener.wait(0.2)
        listener.terminate()
        assert listener.wait(10) == 0


@pytest.fixture(scope="module")
def ask(database: str) -> Ask:
    """Runs everything once; then answers questions in SQL."""
    environment = os.environ | {
        "DATABASE_URL": database,
        "SCHED_INTERVAL_INITIAL_SEC": "1",
        "SCHED_INTERVAL_ACTIVE_SEC": "1",
        "BIRDEYE_CACHE_TTL": "0",
        "BIRDEYE_RPS": "50",
        "BIRDEYE_MONTHLY_CU": "0",
    }
    words = ["simulate_market", "--port-ws", "0", "--port-birdeye", "0", "--port-dexscreener", "0", "--plan", "business", "--speed", "60"]
    with subprocess.Popen([*MANAGE, *words], env=environment, stdout=subprocess.PIPE, text=True) as market:
        try:
            assert market.stdout
            environment |= dict(market.stdout.readline().strip().split("=", 1) for _ in range(4))
            migrate(database)
            listen_until_forty_are_known(environment, question_to(database))
            run(environment, "run_scheduler", "--once")
            run(environment, "run_scheduler", "--once")
        finally:
            market.terminate()
            assert market.wait(10) == 0
    return question_to(database)


def question_to(database: str) -> Ask:
    def on_sqlite(sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(Path(database.removeprefix("sqlite:///")))
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def on_postgres(sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(database) as connection:
            return connection.execute(sql.encode()).fetchall()

    return on_sqlite if database.startswith("sqlite") else on_postgres


def test_every_migration_became_a_token_and_no_created_token_did(ask: Ask) -> None:
    ((tokens, signatures),) = ask("SELECT count(*), count(DISTINCT migrated_signature) FROM tokens WHERE length(address) = 44")
    assert tokens == signatures >= 40
    assert ask("SELECT count(*) FROM tokens WHERE address = 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v'") == [(0,)]


def test_pools_of_exchanges_are_kept_and_bonding_curves_are_not(ask: Ask) -> None:
    exchanges = {name for (name,) in ask("SELECT DISTINCT dex_name FROM pools")}
    assert "pumpswap" in exchanges
    assert not exchanges & {"pumpfun", "launchlab"}
    assert ask("SELECT count(*) FROM pool_snapshots")[0][0] >= 40


def test_snapshots_hold_figures_of_both_services_and_of_two_ticks(ask: Ask) -> None:
    full = "source = 'birdeye' AND holders > 0 AND liquidity IS NOT NULL AND tx_count_1h > 0"
    assert ask(f"SELECT count(*) FROM token_snapshots WHERE {full}")[0][0] >= 20
    assert ask("SELECT max(n) FROM (SELECT count(*) AS n FROM token_snapshots GROUP BY token_id) AS ticks")[0][0] >= 2


def test_figures_that_contradict_each_other_are_flagged_and_the_others_are_not(ask: Ask) -> None:
    honest = ask("SELECT count(*) FROM token_snapshots WHERE contradictions = '' AND tx_count_5m > tx_count_1h")
    assert honest == [(0,)]
    ((flagged, rows),) = ask("SELECT count(CASE WHEN contradictions <> '' THEN 1 END), count(*) FROM token_snapshots")
    assert flagged < rows / 4


def test_every_score_explains_itself_and_names_its_settings(ask: Ask) -> None:
    rows = ask("SELECT score, components, settings_id FROM token_scores")
    assert len(rows) >= 40
    for _, components, settings_id in rows:
        parts = json.loads(components) if isinstance(components, str) else components
        assert set(parts) >= METRICS
        assert all({"raw", "smoothed", "weight", "state", "inputs"} <= set(parts[name]) for name in METRICS)
        assert settings_id is not None


def test_active_tokens_are_scored_and_every_change_of_status_is_a_row_with_its_reason(ask: Ask) -> None:
    ((active, scored),) = ask("SELECT count(*), count(last_score_value) FROM tokens WHERE status = 'Active'")
    assert active >= scored >= 10
    found, activated = (
        ask(f"SELECT count(DISTINCT token_id) FROM status_changes WHERE new = '{new}' AND actor = '{actor}' AND reason <> ''")[0][0]
        for new, actor in (("Initial", "listener"), ("Active", "rule:activate"))
    )
    assert found == ask("SELECT count(*) FROM tokens")[0][0]
    assert activated == active


def test_the_processes_left_signs_of_life_and_the_bill(ask: Ask) -> None:
    components = {name for (name,) in ask("SELECT component FROM heartbeats")}
    assert {"listener", "scheduler", "job:poll_initial", "job:poll_active", "job:score"} <= components
    used = dict(ask("SELECT service, sum(calls) FROM api_usage GROUP BY service"))
    assert used["dexscreener"] > 0 < used["birdeye"]
    assert ask("SELECT sum(units) FROM api_usage WHERE service = 'birdeye'")[0][0] > 0
