"""simulate_market prints what to paste, serves it, and goes when told."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

ANY_PORTS = ["--port-ws", "0", "--port-birdeye", "0", "--port-dexscreener", "0"]


def test_the_first_lines_are_the_environment_and_every_variable_is_one_that_settings_read() -> None:
    said = StringIO()
    call_command("simulate_market", *ANY_PORTS, "--max-seconds", "0", stdout=said)
    lines = said.getvalue().splitlines()
    assert lines[-1] == "the market has closed"
    assert [line.partition("=")[0] for line in lines[:-1]] == [
        "PUMPPORTAL_WS_URL",
        "BIRDEYE_BASE_URL",
        "BIRDEYE_API_KEY",
        "DEXSCREENER_BASE_URL",
        "BINANCE_BASE_URL",
        "BINANCE_FUTURES_BASE_URL",
        "BINANCE_WS_URL",
    ]
    assert all(hasattr(settings, line.partition("=")[0]) for line in lines[:-1])


def test_a_port_that_is_taken_is_an_error_and_leaves_no_other_port_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = ["--port-ws", "0", "--port-birdeye", "0", "--port-dexscreener", str(taken.getsockname()[1])]
        with pytest.raises(CommandError, match="port"):
            call_command("simulate_market", *words)


@pytest.mark.parametrize("words", [["--speed", "0"], ["--speed", "nan"], ["--seed", "-1"], ["--backlog", "-1"]])
def test_nonsense_is_refused(words: list[str]) -> None:
    with pytest.raises(CommandError, match="speed"):
        call_command("simulate_market", *ANY_PORTS, *words)


@pytest.mark.slow
def test_it_serves_until_it_is_told_to_stop() -> None:
    line = [sys.executable, str(settings.BASE_DIR / "manage.py"), "simulate_market", *ANY_PORTS]
    with subprocess.Popen(line, env=os.environ, stdout=subprocess.PIPE, text=True) as market:
        assert market.stdout
        found = dict(market.stdout.readline().strip().split("=", 1) for _ in range(4))
        with urllib.request.urlopen(f"{found['DEXSCREENER_BASE_URL']}/tokens/v1/solana/nothing", timeout=10) as answer:
            assert answer.read() == b"[]"
        market.send_signal(signal.SIGTERM)
        assert market.wait(5) == 0
