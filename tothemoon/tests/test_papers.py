"""The papers cannot rot: what they name exists, what exists is named, and the examples run."""

import contextlib
import io
import re
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import get_commands

from scoring.models import ScoringSettings, TokenScore
from tokens.models import Pool, StatusChange, Token, TokenSnapshot
from tothemoon.tests import papers

PAPERS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/evidence.md", "tothemoon/deploy/OPERATING.md")
README = (papers.HERE / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.+?)```", README.partition("## Investigating in the shell")[2].partition("\n## ")[0], re.DOTALL)


def test_every_setting_and_command_is_documented_and_none_that_is_gone() -> None:
    assert list(papers.gaps()) == []


@pytest.mark.parametrize("paper", PAPERS)
def test_every_link_leads_to_a_file(paper: str) -> None:
    assert papers.broken_links(papers.HERE / paper) == []


@pytest.mark.parametrize("paper", PAPERS)
def test_every_command_that_a_paper_calls_exists(paper: str) -> None:
    called = set(re.findall(r"(?:\./run|manage(?:\.py)?) ([a-z_]{3,})", (papers.HERE / paper).read_text()))
    assert called <= set(get_commands()) | papers.STARTER | {"help"}


@pytest.mark.parametrize("paper", PAPERS)
def test_every_file_that_a_paper_names_is_there(paper: str) -> None:
    assert papers.missing_files(papers.HERE / paper) == []


def test_the_defaults_in_the_readme_are_those_of_the_settings() -> None:
    source = (papers.HERE / "tothemoon/settings.py").read_text()
    wrong = []
    for name, written in re.findall(r"^\| `([A-Z_]+)` \| (?:`|(?=\d))([^|`]+?)`? \|", README, re.MULTILINE):
        found = re.search(rf'\(\s*"{name}",\s*(?:"([^"]*)"|([\d_.]+))', source)
        default = (found[1] or (found[2] or "").replace("_", "")) if found else ""
        if default and default != written:
            wrong.append((name, written, default))
    assert wrong == []


def test_the_example_of_a_dot_env_is_accepted_with_every_line_switched_on(tmp_path: Path) -> None:
    lines = [line.removeprefix("# ") for line in (papers.HERE / ".env.example").read_text().splitlines() if re.match(r"# [A-Z_]+=", line)]
    environment = dict(line.split("=", 1) for line in lines)
    script = "import django; from django.conf import settings; settings.INSTALLED_APPS"
    done = subprocess.run(
        [papers.HERE / ".venv/bin/python", "-c", script],
        cwd=papers.HERE,
        env={**environment, "READ_DOTENV": "0", "DJANGO_SETTINGS_MODULE": "tothemoon.settings", "STATIC_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def investigated(now: datetime) -> None:
    """One Active token with a score, a pool and a past, and one Initial token on its way."""
    revision = ScoringSettings.objects.get(active=True)
    for address, status in (("ActiveMint", "Active"), ("InitialMint", "Initial")):
        token = Token.objects.create(
            address=address, symbol="MOON", status=status, last_snapshot_at=now, last_scored_at=now, last_score_value=0.7
        )
        Pool.objects.create(token=token, pool_address=f"{address}Pool", dex_name="pumpswap", quote_symbol="SOL")
        for minutes in (0, 1):
            ts = now - timedelta(minutes=minutes)
            TokenSnapshot.objects.create(token=token, ts=ts, source="pools", price=1e-5, liquidity=9e6, tx_count_5m=900, tx_count_1h=9000)
            TokenScore.objects.create(token=token, ts=ts, score=0.7, settings=revision, components={})
        StatusChange.objects.create(token=token, old="", new="Initial", reason="migrated", actor="listener", ts=now)


def test_the_readme_has_examples_for_the_shell() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.django_db
def test_the_examples_for_the_shell_run_one_after_the_other(investigated: None) -> None:
    names = {model.__name__: model for model in apps.get_models()}  # what Django's shell has at hand
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for example in EXAMPLES:
            exec(compile(example, "README.md", "exec"), names)
    assert "MOON 0.7" in said.getvalue()
    assert "InitialMint" in said.getvalue()
