"""The files an operator copies: systemd's units and nginx's site, judged by systemd and nginx themselves."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from tokens import wanted
from tothemoon import demonstration
from tothemoon.tests import papers

DEPLOY = Path(settings.BASE_DIR) / "tothemoon/deploy"
SERVICES = sorted((DEPLOY / "systemd").glob("*.service"))
WORKERS = [unit for unit in SERVICES if unit.stem != "tothemoon-backup"]
MOST_EXPOSED = 1.5

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is missing (Debian: apt install systemd)")
by_name = {"ids": lambda unit: unit.stem}


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES, **by_name)
def test_the_sandbox_of_each_unit_leaves_little_exposed(unit: Path) -> None:
    said = subprocess.run(["systemd-analyze", "security", "--offline=true", str(unit)], capture_output=True, text=True, check=True).stdout
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", said)
    assert exposure, said
    assert float(exposure[1]) <= MOST_EXPOSED


@needs_systemd
def test_systemd_reads_every_unit_without_a_complaint(tmp_path: Path) -> None:
    """With programs that exist in the places named, it must find nothing to say."""
    for unit in (DEPLOY / "systemd").iterdir():
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(re.sub(r"^Documentation=.*$", "", text, flags=re.MULTILINE))
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "tothemoon" in line]
    assert ours == []


@pytest.mark.parametrize("unit", WORKERS, **by_name)
def test_a_worker_that_hangs_or_falls_is_started_again_however_often(unit: Path) -> None:
    text = unit.read_text().splitlines()
    for line in ("Type=notify", "Restart=always", "StartLimitIntervalSec=0", "WatchdogSec=60"):
        assert line in text


@pytest.mark.parametrize("unit", SERVICES, **by_name)
def test_no_unit_holds_a_secret_itself(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    assert not [line for line in lines if re.match(r"Environment=.*(KEY|SECRET|PASSWORD|DATABASE_URL)", line)]
    assert any(line.startswith("LoadCredential=DATABASE_URL:") for line in lines)


@pytest.mark.parametrize("unit", SERVICES, **by_name)
def test_what_a_unit_starts_is_in_the_repository(unit: Path) -> None:
    program = re.search(r"^ExecStart=(.+)$", unit.read_text(), re.MULTILINE)
    assert program
    for word in program[1].split():
        if word.startswith("/opt/tothemoon/tothemoon/"):
            assert (Path(settings.BASE_DIR) / word.removeprefix("/opt/tothemoon/")).is_file()
    command = re.search(r"manage\.py (\w+)", program[1])
    assert not command or list(Path(settings.BASE_DIR).glob(f"*/management/commands/{command[1]}.py"))


@pytest.mark.parametrize("script", sorted([*DEPLOY.glob("*.sh"), DEPLOY / "manage", Path(settings.BASE_DIR) / ".ci/run"]), **by_name)
def test_every_script_can_be_started_and_stops_at_the_first_failure(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    assert "set -euo pipefail" in script.read_text()
    assert subprocess.run(["bash", "-n", str(script)], capture_output=True).returncode == 0


def test_the_example_of_the_environment_names_only_settings_that_exist() -> None:
    named = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "environment.example").read_text(), re.MULTILINE))
    for_gunicorn = set(re.findall(r'environ\.get\("([A-Z_]+)"', (DEPLOY / "gunicorn.conf.py").read_text()))
    assert named <= papers.settings_read() | for_gunicorn


def test_a_whole_watch_list_fits_into_the_first_line_of_a_request() -> None:
    first_line = f"GET /?watch={','.join(['A' * 44] * wanted.MOST_WATCHED)}&sort=liquidity&min_liquidity=5000 HTTP/1.1"
    limits = (
        re.search(r"limit_request_line = (\d+)", (DEPLOY / "gunicorn.conf.py").read_text()),
        re.search(r"limit-request-line (\d+)", " ".join(demonstration.web_words(8000))),
    )
    assert all(limit and len(first_line) < int(limit[1]) for limit in limits)
