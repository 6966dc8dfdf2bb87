"""The readers of the environment: secrets from files, and wrong values that name their variable."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from tothemoon import environment as env

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def only_what_the_test_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("THING", "THING_FILE", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


def test_a_secret_may_lie_in_a_file_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "key"))
    assert env.text("THING") == "s3cret"


def test_a_credential_handed_over_by_systemd_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "THING").write_text("from systemd")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert env.text("THING", "default") == "from systemd"
    assert env.text("ANOTHER_THING", "default") == "default"


def test_a_value_in_the_environment_itself_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "THING").write_text("from systemd")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("THING", "from the environment")
    assert env.text("THING") == "from the environment"


def test_a_named_file_that_is_missing_stops_the_start_and_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(ImproperlyConfigured, match="THING: its file"):
        env.text("THING")


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda: env.flag("THING", False), "perhaps"),
        (lambda: env.number("THING", 1, 0, 10), "eleven"),
        (lambda: env.number("THING", 1, 0, 10), "11"),
        (lambda: env.number("THING", 1, 0, 10), "nan"),
        (lambda: env.whole("THING", 1, 0, 10), "1.5"),
        (lambda: env.choice("THING", "a", ["a", "b"]), "c"),
        (lambda: env.address("THING", "", ["https"]), "ftp://example.org"),
        (lambda: env.address("THING", "", ["https"]), "https://user:secret@example.org"),
        (lambda: env.folder("THING", ROOT), "/dev/null/models"),
        (lambda: env.database("THING", ""), "mysql://somewhere/db"),
        (lambda: env.cache("THING", ""), "carrier-pigeon://loft"),
    ],
)
def test_a_wrong_value_stops_the_start_with_a_sentence_that_names_the_variable(
    read: Callable[[], object], value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THING", value)
    with pytest.raises(ImproperlyConfigured, match="THING"):
        read()


@pytest.mark.parametrize("value", ["mysql://me:hunter2@somewhere/db", "https://me:hunter2@example.org"])
def test_what_is_said_of_a_wrong_value_holds_no_password(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", value)
    for read in (lambda: env.database("THING", ""), lambda: env.address("THING", "", ["https"])):
        with pytest.raises(ImproperlyConfigured) as caught:
            read()
        assert "hunter2" not in str(caught.value)


def test_an_empty_value_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", "")
    assert env.number("THING", 7, 0, 10) == 7
    assert env.words("THING", ["a"]) == ["a"]
    assert str(env.database("THING", "sqlite:////tmp/x")["ENGINE"]).endswith("sqlite3")


def test_a_command_started_with_a_wrong_value_says_the_sentence_and_nothing_else() -> None:
    environment = {**os.environ, "PUMPPORTAL_STALL_SEC": "soon", "READ_DOTENV": "0"}
    done = subprocess.run([sys.executable, "manage.py", "run_listener"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "PUMPPORTAL_STALL_SEC is “soon”: write a number from 1 to 3600.\n"
