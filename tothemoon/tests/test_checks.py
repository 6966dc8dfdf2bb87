import importlib
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import ERROR
from django.core.exceptions import ImproperlyConfigured

from tothemoon import checks
from tothemoon.checks import across_settings, refuse_errors

ROOT = Path(__file__).resolve().parents[2]


def said(level=0):
    return [str(message.msg) for message in across_settings() if message.level >= level]


def test_the_defaults_break_no_rule():
    assert said() == []


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"PUMPPORTAL_PING_TIMEOUT_SEC": 15, "PUMPPORTAL_PING_SEC": 15}, ["PUMPPORTAL_PING_TIMEOUT_SEC", "PUMPPORTAL_PING_SEC"]),
        ({"PUMPPORTAL_STALL_SEC": 5, "PUMPPORTAL_PING_SEC": 15}, ["PUMPPORTAL_STALL_SEC", "PUMPPORTAL_PING_SEC"]),
        ({"PUMPPORTAL_BAN_WAIT_SEC": 10}, ["PUMPPORTAL_BAN_WAIT_SEC", "PUMPPORTAL_BACKOFF_MAX_SEC"]),
        ({"BIRDEYE_CACHE_TTL": 60}, ["BIRDEYE_CACHE_TTL", "SCHED_INTERVAL_ACTIVE_SEC"]),
        ({"HTTP_DEADLINE_SEC": 60}, ["HTTP_DEADLINE_SEC", "SCHED_INTERVAL_INITIAL_SEC"]),
        ({"BIRDEYE_API_KEY": "k", "BIRDEYE_RPS": 15}, ["BIRDEYE_RPS", "BIRDEYE_MONTHLY_CU"]),
        ({"ALLOWED_HOSTS": ["*"]}, ["ALLOWED_HOSTS"]),
        ({"CLUSTER": True, "ON_SQLITE": False}, ["CLUSTER", "REDIS_URL", "BIRDEYE_RPS"]),
    ],
)
def test_settings_that_do_not_fit_each_other_are_told_by_name(settings, changes, names):
    for name, value in changes.items():
        setattr(settings, name, value)
    assert any(all(name in sentence for name in names) for sentence in said())
    assert said(ERROR) == []


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"DEBUG": True, "ALLOWED_HOSTS": ["moon.example.com"]}, ["DEBUG", "ALLOWED_HOSTS"]),
        ({"BIRDEYE_API_KEY": "k", "BIRDEYE_BASE_URL": "http://birdeye.example.com"}, ["BIRDEYE_BASE_URL", "BIRDEYE_API_KEY"]),
        ({"PUMPPORTAL_API_KEY": "k", "PUMPPORTAL_WS_URL": "ws://feed.example.com"}, ["PUMPPORTAL_WS_URL", "PUMPPORTAL_API_KEY"]),
        ({"METRICS_PORT_LISTENER": 9100, "METRICS_PORT_SCHEDULER": 9100}, ["METRICS_PORT_LISTENER", "METRICS_PORT_SCHEDULER"]),
        ({"SECURE_SSL_REDIRECT": True, "CSRF_TRUSTED_ORIGINS": ["http://moon.example.com"]}, ["CSRF_TRUSTED_ORIGINS"]),
        ({"LOG_FILE": "/dev/null/log.txt"}, ["LOG_FILE"]),
        ({"LOG_FILE": "/tmp"}, ["LOG_FILE"]),
        ({"ALLOWED_HOSTS": ["https://moon.example.com"]}, ["ALLOWED_HOSTS"]),
        ({"CSRF_TRUSTED_ORIGINS": ["moon.example.com"]}, ["CSRF_TRUSTED_ORIGINS"]),
        ({"METRICS_ALLOW": ["everybody"]}, ["METRICS_ALLOW"]),
        ({"BIRDEYE_API_KEY": "two words"}, ["BIRDEYE_API_KEY"]),
        ({"PUMPPORTAL_API_KEY": "a\nb"}, ["PUMPPORTAL_API_KEY"]),
        ({"REDIS_URL": "localhost:6379"}, ["REDIS_URL"]),
        ({"CLUSTER": True, "ON_SQLITE": True}, ["CLUSTER", "DATABASE_URL"]),
    ],
)
def test_settings_that_would_do_harm_stop_the_start(settings, changes, names):
    for name, value in changes.items():
        setattr(settings, name, value)
    assert any(all(name in sentence for name in names) for sentence in said(ERROR))
    with pytest.raises(ImproperlyConfigured):
        refuse_errors()


@pytest.mark.parametrize("command", ["run_listener", "run_scheduler"])
def test_a_worker_refuses_debug_outside_development(settings, monkeypatch, command):
    monkeypatch.setattr(sys, "argv", ["manage.py", command])
    settings.DEBUG, settings.ON_SQLITE = True, False
    assert any("DEBUG" in sentence for sentence in said(ERROR))
    settings.ON_SQLITE = True
    assert checks.machine is not None
    assert not any("DEBUG" in sentence for sentence in said(ERROR))


def test_several_machines_without_the_extra_are_told_what_is_missing(settings, monkeypatch):
    settings.CLUSTER, settings.ON_SQLITE = True, False
    assert said(ERROR) == []
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    assert any("outgrow.md" in sentence for sentence in said(ERROR))


def test_no_key_is_ever_shown(settings):
    settings.BIRDEYE_API_KEY = settings.PUMPPORTAL_API_KEY = "canary key"
    settings.REDIS_URL = "http://:canary-key@x"
    assert "canary" not in " ".join(said())


WRONG = {
    "DATABASE_URL": ["mysql://x/y", "nonsense", "postgres", "://"],
    "CACHE_URL": ["nonsense", "carrier-pigeon://x"],
    "MODELS_DIR": ["/dev/null", "/dev/null/models"],
    "DEBUG": ["maybe", "2"],
    "PUMPPORTAL_WS_URL": ["https://pumpportal.fun/", "nonsense", "wss://user:pass@host/"],
    "PUMPPORTAL_STALL_SEC": ["0", "-1", "nan", "inf", "1e400", "0,5", "ninety"],
    "PUMPPORTAL_PING_SEC": ["0", "abc"],
    "PUMPPORTAL_PING_TIMEOUT_SEC": ["0", "1e9"],
    "PUMPPORTAL_BACKOFF_MAX_SEC": ["0", "-5"],
    "PUMPPORTAL_BAN_WAIT_SEC": ["0", "x"],
    "HTTP_DEADLINE_SEC": ["0", "1000", "NaN"],
    "BIRDEYE_BASE_URL": ["ftp://x", "birdeye.so"],
    "BIRDEYE_CACHE_TTL": ["-1", "99999"],
    "BIRDEYE_RPS": ["0", "-1", "infinity"],
    "BIRDEYE_MONTHLY_CU": ["-1", "1.5", "many"],
    "DEXSCREENER_BASE_URL": ["ws://x", "//x"],
    "TELEGRAM_BASE_URL": ["ftp://x", "api.telegram.org"],
    "BINANCE_BASE_URL": ["x"],
    "BINANCE_FUTURES_BASE_URL": ["x"],
    "BINANCE_WS_URL": ["https://x"],
    "EXT_MAX_CONCURRENCY": ["0", "65", "2.5"],
    "SCHED_INTERVAL_INITIAL_SEC": ["0", "-30", "4000"],
    "SCHED_INTERVAL_ACTIVE_SEC": ["0.5", "never"],
    "DATABASE_STATEMENT_SEC": ["-1", "4000", "soon"],
    "CLUSTER": ["three"],
    "CLUSTER_LEASE_SEC": ["0", "short"],
    "CLUSTER_SHARE": ["0", "29", "2.5"],
    "SECOND_FACTOR": ["yes", "off", "Required"],
    "LOG_LEVEL": ["LOUD", "info"],
    "LOG_FORMAT": ["xml"],
    "METRICS_PORT_LISTENER": ["-1", "70000", "http"],
    "METRICS_PORT_SCHEDULER": ["65536"],
}
JUDGED_BY_CHECKS = {
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "REDIS_URL",
    "LOG_FILE",
    "PUMPPORTAL_API_KEY",
    "BIRDEYE_API_KEY",
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_stops_the_start_with_a_sentence_that_names_the_variable(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=f"^{name}\\b"):
        runpy.run_path(str(ROOT / "tothemoon" / "settings.py"))


def test_every_variable_is_tried_with_a_wrong_value():
    text = (ROOT / "tothemoon" / "settings.py").read_text()
    typed = set(re.findall(r'env\.(?:number|whole|flag|choice|address|folder|database|cache)\("(\w+)"', text))
    assert typed - {"SIMULATED", "HTTPS_ONLY", "DEXSCREENER_RPS", "DEXSCREENER_PAIRS_RPS"} <= set(WRONG)
    assert all(hasattr(importlib.import_module("tothemoon.settings"), name) for name in JUDGED_BY_CHECKS)


def test_check_deploy_has_nothing_to_say_about_a_production_environment(tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "READ_DOTENV": "0",
        "SECRET_KEY": "f3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855-+x",
        "ALLOWED_HOSTS": "moon.example.com",
        "CSRF_TRUSTED_ORIGINS": "https://moon.example.com",
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
    }
    command = [sys.executable, "-W", "error", "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout + done.stderr
