"""The long trials of what OPERATING.md tells, as far as they go without a machine of their own: what the operator types is there to be
read, the judge of the drill is on trial, and the one log that nobody but ourselves turns."""

import logging
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import settings

from tokens.models import StatusChange, Token, TokenSnapshot
from tothemoon.logs import SharedFile
from tothemoon.tests import papers
from tothemoon.tests.commands import database_url
from tothemoon.tests.soak import restore_drill, upgrading
from tothemoon.tests.soak.operator_by_paper import PAPER, blocks, meant
from tothemoon.tests.soak.restore_drill import Drill

DATABASE = "sqlite" if settings.ON_SQLITE else "postgres"
TYPED = {
    "From an empty server": {},
    "Upgrade": {"NEW_RELEASE": "v2"},
    "Roll back": {"OLD_RELEASE": "v1", "NEW_FOLDER": "f2", "APP": "tokens", "NUMBER_BEFORE": "0004"},
    "Back-up and restore": {},
}
CHANGED = {"tokens/models.py": "    held = models.", "templates/base.html": "</body>"}


@pytest.mark.parametrize("heading", TYPED)
def test_what_an_operator_types_is_shell_with_no_place_left_open(heading: str) -> None:
    typed = [meant(block, **TYPED[heading]) for block in blocks(heading, PAPER.read_text())]
    assert typed
    for block in typed:
        assert subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True).stderr == ""
        assert not [word for word in ("YOUR_", "NEW_", "OLD_", "NUMBER_") if word in block]


def test_the_first_start_comes_after_the_settings_and_the_installation() -> None:
    typed = "\n".join(blocks("From an empty server", PAPER.read_text()))
    steps = (
        "git clone",
        "createdb",
        "environment.example",
        "install.sh",
        "createsuperuser",
        "nginx -t",
        "enable --now tothemoon-listener",
        "/health",
    )
    places = [typed.index(step) for step in steps]
    assert places == sorted(places)


def test_a_block_under_a_step_of_a_list_is_typed_without_its_margin() -> None:
    paper = "\n## One\n\n1. Do:\n\n   ```sh\n   a \\\n     b\n   ```\n\n## Two\n\n```sh\nc\n```\n"
    assert blocks("One", paper) == ["a \\\n  b"]
    assert blocks("Two", paper) == ["c"]
    assert blocks("Three", paper) == []


def test_the_release_after_ours_can_still_be_made_of_ours() -> None:
    """The trial of the upgrade writes it at these places."""
    assert {file: (papers.HERE / file).read_text().count(there) for file, there in CHANGED.items()} == dict.fromkeys(CHANGED, 1)
    compile(upgrading.EXPANDING.format(leaf="0001_initial"), "0002_trial.py", "exec")


def write_lines(file: Path, writer: int) -> None:
    handler = SharedFile(file, maxBytes=200, backupCount=1000)
    for number in range(40):
        handler.emit(logging.LogRecord("x", logging.INFO, "x.py", 1, f"line {writer} {number}", (), None))
    handler.close()


@pytest.mark.skipif(not settings.ON_SQLITE, reason="says nothing about the database")
def test_no_line_of_the_log_file_is_missing_however_often_it_is_turned(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(lambda writer: write_lines(tmp_path / "all.log", writer), range(4)))
    files = [file for file in tmp_path.iterdir() if file.suffix != ".lock"]
    assert len(files) > 4
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert sorted(lines) == sorted(f"line {writer} {number}" for writer in range(4) for number in range(40))


@pytest.fixture
def restored(now: datetime, transactional_db: None) -> Token:
    """A copy with one token, whole in itself."""
    token = Token.objects.create(address="A" * 43)
    StatusChange.objects.create(token=token, old="", new="Initial", reason="migrated", actor="listener", ts=now)
    return token


def verdict(before: int, after: int, tokens: int = 0) -> list[str]:
    drill = Drill(DATABASE, tokens)
    restore_drill.judge(drill, database_url(), before, after)
    return drill.faults


def test_the_drill_acquits_a_copy_of_one_instant(restored: Token) -> None:
    assert verdict(1, 2) == []


def test_the_past_that_the_drill_makes_up_is_whole_and_a_part_of_it_missing_is_noticed(transactional_db: None) -> None:
    restore_drill.fill(database_url(), 3)
    assert verdict(3, 3, tokens=3) == []
    TokenSnapshot.objects.earliest("ts").delete()
    assert f"{3 * restore_drill.PAST - 1} snapshots of the {3 * restore_drill.PAST} that stood there before" in verdict(3, 3, tokens=3)


def test_the_drill_convicts_a_copy_with_too_few_or_too_many(restored: Token) -> None:
    assert verdict(2, 3) == ["1 tokens; 2 before the backup, 3 after it"]
    assert verdict(0, 0) == ["1 tokens; 0 before the backup, 0 after it"]


def test_the_drill_convicts_a_copy_of_two_instants(restored: Token, now: datetime) -> None:
    Token.objects.create(address="B" * 43)
    TokenSnapshot.objects.create(token=restored, ts=now, source="pools", price=1.0)
    assert verdict(2, 2) == ["1 half ticks", "1 tokens whose history leads elsewhere"]
