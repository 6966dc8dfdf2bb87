"""./run, ./run test and ./run check: what they decide, without making an environment or running a suite."""

import fcntl
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from tothemoon.tests import checkup, papers, suite, tally
from tothemoon.tests.suite import Run


@pytest.fixture
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script ./run, in a folder of its own with a .venv that looks whole."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("starter", str(papers.HERE / "run"))
    module = module_from_spec(spec_from_loader("starter", loader))  # type: ignore[arg-type]
    loader.exec_module(module)
    for name, path in {"HERE": ".", "VENV": ".venv", "PYTHON": ".venv/bin/python", "MARKER": ".venv/made-from"}.items():
        monkeypatch.setattr(module, name, tmp_path / path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    (tmp_path / ".venv/lib/python3.11/site-packages/django-5.dist-info").mkdir(parents=True)
    (tmp_path / "requirements.lock").write_text("django==5\n")
    (tmp_path / "requirements-dev.lock").write_text("django==5\npytest==9\n")
    marks = [module.fingerprint(tmp_path / "requirements.lock")]
    module.MARKER.write_text("\n".join(marks) + "\n\ndjango-5.dist-info\n")
    return module


@pytest.fixture
def made(starter: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """What ./run would have installed: the lock file, and whether it starts anew."""
    calls: list[tuple[str, bool]] = []

    def make(lock: Path, anew: bool) -> None:
        calls.append((lock.name, anew))
        starter.PYTHON.unlink(missing_ok=True)
        starter.PYTHON.symlink_to(sys.executable)

    monkeypatch.setattr(starter, "make", make)
    return calls


def test_a_whole_environment_is_used_as_it_is(starter: ModuleType, made: list[tuple[str, bool]]) -> None:
    starter.prepare(with_tools=False)
    assert made == []


def test_the_tools_are_added_to_what_is_there(starter: ModuleType, made: list[tuple[str, bool]]) -> None:
    starter.prepare(with_tools=True)
    assert made == [("requirements-dev.lock", False)]
    starter.prepare(with_tools=False)  # the development lock holds the other one whole
    assert len(made) == 1


@pytest.mark.parametrize("broken", ["no python", "half made", "a package is gone", "another lock file", "rubbish in the marker"])
def test_a_broken_environment_is_made_anew(broken: str, starter: ModuleType, made: list[tuple[str, bool]], tmp_path: Path) -> None:
    if broken == "no python":
        starter.PYTHON.unlink()
        starter.PYTHON.symlink_to("/nowhere/python3")
    elif broken == "half made":
        starter.MARKER.unlink()
    elif broken == "a package is gone":
        (starter.VENV / "lib/python3.11/site-packages/django-5.dist-info").rmdir()
    elif broken == "another lock file":
        (tmp_path / "requirements.lock").write_text("django==6\n")
    else:
        starter.MARKER.write_text("rubbish")
    starter.prepare(with_tools=False)
    assert made == [("requirements.lock", True)]
    starter.prepare(with_tools=False)
    assert len(made) == 1


def test_of_two_at_once_the_second_waits_and_then_says_so(
    starter: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def busy(_file: object, operation: int) -> None:
        asked.append(operation)
        if operation & fcntl.LOCK_NB:
            raise BlockingIOError

    monkeypatch.setattr(fcntl, "flock", busy)
    starter.waiting_for_others().close()
    assert asked == [fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_EX]
    assert "waiting for it" in capsys.readouterr().err


def test_a_python_without_ensurepip_is_told_which_package_to_install(starter: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        starter.make(starter.HERE / "requirements.lock", anew=True)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["test", "-k", "x"], ["-m", "tothemoon.tests.suite", "-k", "x"]),
        (["check"], ["-m", "tothemoon.tests.checkup"]),
        (["live", "--port", "1"], ["manage.py", "demo", "--live", "--port", "1"]),
        (["migrate", "tokens"], ["manage.py", "migrate", "tokens"]),
    ],
)
def test_what_follows_the_name_is_handed_on(words: list[str], line: list[str], starter: ModuleType) -> None:
    assert starter.command(words) == [str(starter.PYTHON), *line]


def both(sqlite: dict[str, object], postgres: dict[str, object]) -> list[Run]:
    return [Run("SQLite", **sqlite), Run("PostgreSQL", **postgres)]  # type: ignore[arg-type]


def test_the_suite_passes_when_both_databases_do() -> None:
    runs = both({"ran": {"a": 1.0, "b": 0.1}}, {"ran": {"a": 1.0}})
    assert suite.verdict(runs, [], strict=True) == 0
    assert suite.closing_lines(runs, [], 61.0)[-1] == "3 passed, 0 failed"


def test_a_failure_on_one_database_is_a_failure() -> None:
    runs = both({"ran": {"a": 1.0}}, {"ran": {"a": 1.0}, "failed": ["a"], "exit_code": 1})
    assert suite.verdict(runs, [], strict=False) == 1
    assert suite.closing_lines(runs, [], 1.0)[-1] == "1 passed, 1 failed"


def test_pytest_that_did_not_start_is_a_failure() -> None:
    assert suite.verdict(both({"ran": {"a": 1.0}}, {"exit_code": 4}), [], strict=False) == 1


def test_no_test_at_all_is_no_success() -> None:
    assert suite.verdict(both({"exit_code": 5}, {"exit_code": 5}), [], strict=False) == 5
    assert suite.verdict(both({"ran": {"a": 1.0}}, {"exit_code": 5}), [], strict=False) == 0


def test_what_raced_the_clock_and_passes_alone_is_unsteady_and_named() -> None:
    run = Run("SQLite", 1, 9.0, {"page": 5.0, "sum": 0.1}, ["page"])
    again = suite.looked_at_again(run, lambda names: Run("SQLite", 0, 2.0, dict.fromkeys(names, 1.0)))
    assert (again.exit_code, again.failed, again.unsteady, again.passed) == (0, [], ["page"], 2)
    assert "  unsteady: page (SQLite) failed beside others and passed alone" in suite.closing_lines([again], [], 1.0)


def test_what_fails_alone_as_well_has_failed() -> None:
    run = Run("SQLite", 1, 9.0, {"page": 5.0}, ["page"])
    again = suite.looked_at_again(run, lambda names: Run("SQLite", 1, 2.0, {"page": 1.0}, ["page"]))
    assert (suite.verdict([again], [], strict=True), again.failed, again.unsteady) == (1, ["page"], [])


def test_more_failures_than_a_busy_machine_explains_get_no_second_look() -> None:
    names = [f"page {number}" for number in range(suite.SECOND_LOOKS + 1)]
    run = Run("SQLite", 1, 9.0, dict.fromkeys(names, 5.0), names)
    assert suite.looked_at_again(run, lambda names: pytest.fail("looked again")) is run


def test_a_test_for_one_database_counts_as_run_by_the_other_pass() -> None:
    runs = both({"ran": {"a": 1.0}, "skipped": {"p": "says something about PostgreSQL"}}, {"ran": {"p": 1.0}})
    assert suite.ran_nowhere(runs) == {}
    assert suite.verdict(runs, [], strict=True) == 0


def test_what_ran_nowhere_is_named_and_fails_only_in_ci() -> None:
    runs = both({"ran": {"a": 1.0}, "skipped": {"n": "nginx is missing (Debian: apt install nginx)"}}, {"ran": {"a": 1.0}})
    assert (suite.verdict(runs, [], strict=False), suite.verdict(runs, [], strict=True)) == (0, 1)
    lines = suite.closing_lines(runs, [suite.NO_CHROMIUM], 1.0)
    assert any("apt install nginx" in line for line in lines)
    assert any("apt install chromium" in line for line in lines)
    assert lines[-1] == "2 passed, 0 failed, 1 skipped"


def test_the_tally_says_what_ran_what_was_left_out_and_what_failed(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert False\n"
        "@pytest.mark.skip(reason='moon is missing')\ndef test_left(): pass\n"
        "@pytest.mark.browser\ndef test_page(): pass\n"
    )
    line = [sys.executable, "-m", "pytest", "-c", "/dev/null", "-p", "tothemoon.tests.tally", "-p", "no:cacheprovider"]
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TALLY_FILE": str(tmp_path / "tally.json"), "TALLY_WITHOUT": "browser"}
    subprocess.run([*line, str(tmp_path)], cwd=papers.HERE, env=environment, capture_output=True)
    facts = suite.json.loads((tmp_path / "tally.json").read_text())
    assert [name.split("::")[1] for name in facts["ran"]] == ["test_good", "test_bad"]
    assert [name.split("::")[1] for name in facts["failed"]] == ["test_bad"]
    assert list(facts["skipped"].values()) == ["moon is missing"]


def test_a_run_for_the_database_leaves_out_what_asks_none_and_begins_with_what_waits_and_what_is_long(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(
        "import pytest\n"
        "@pytest.fixture\ndef db(): pass\n"
        "def test_pure(): pass\n"
        "def test_by_fixture(db): pass\n"
        "@pytest.mark.django_db\ndef test_by_marker(): pass\n"
    )
    own = "import pytest\n@pytest.mark.own_database\ndef test_of_{}(): pass\n"
    (tmp_path / "test_training.py").write_text(own.format("the_long"))
    (tmp_path / "test_soak.py").write_text(own.format("those_that_wait"))
    line = [sys.executable, "-m", "pytest", "-c", "/dev/null", "-p", "tothemoon.tests.tally", "-p", "no:cacheprovider"]
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TALLY_FILE": str(tmp_path / "tally.json"), "TALLY_ONLY": "database"}
    subprocess.run([*line, str(tmp_path)], cwd=papers.HERE, env=environment, capture_output=True)
    facts = suite.json.loads((tmp_path / "tally.json").read_text())
    names = [name.split("::")[1] for name in facts["ran"]]
    assert names == ["test_of_those_that_wait", "test_of_the_long", "test_by_fixture", "test_by_marker"]


def test_half_of_the_workers_leave_what_waits_to_the_others_while_there_is_anything_else() -> None:
    scopes = ["a/test_soak.py::test_one", "a/test_soak.py::test_two", "a/test_sums.py::test_one", "a/test_sums.py::test_two"]
    assert tally.next_of(scopes, computing=False) == scopes[0]
    assert tally.next_of(scopes, computing=True) == scopes[2]
    assert tally.next_of(scopes[:2], computing=True) == scopes[0]
    assert tally.next_of(scopes[2:], computing=False) == scopes[2]


def test_the_files_that_are_taken_in_turn_are_there() -> None:
    there = [str(path.relative_to(papers.HERE)) for path in papers.HERE.glob("*/tests/test_*.py")]
    assert [name for name in (*tally.WAITING, *tally.LONGEST, *tally.TOGETHER) if not any(path.endswith(name) for path in there)] == []


def test_what_is_compiled_is_kept_for_the_processes_of_a_run_and_beside_no_source_where_that_is_not_wanted(tmp_path: Path) -> None:
    usual = {"HOME": "/nowhere"}
    assert suite.compiled_once(usual, tmp_path) == usual
    told = suite.compiled_once({**usual, "PYTHONDONTWRITEBYTECODE": "1"}, tmp_path)
    (tmp_path / "some.py").write_text("")
    subprocess.run([sys.executable, "-c", "import some"], cwd=tmp_path, env=told, check=True)
    assert not (tmp_path / "__pycache__").exists()
    assert list((tmp_path / "bytecode").rglob("some.*.pyc"))


def test_the_files_of_the_clock_are_those_with_tests_that_are_measured() -> None:
    files = suite.files_of_the_clock()
    assert "tothemoon/tests/test_bench_ratios.py" in files
    assert "tothemoon/tests/test_run_command.py" not in files
    assert 5 <= len(files) <= 20


def test_what_only_the_first_run_had_is_said() -> None:
    runs = both({"ran": {"a": 1.0, "b": 0.1}}, {"ran": {"a": 1.0}})
    lines = suite.closing_lines(runs, [], 1.0)
    assert any(line.endswith("; 1 that ask no database or need a browser ran on SQLite alone") for line in lines)


def test_every_check_has_a_name_and_a_sentence() -> None:
    names = [name for name, _, _ in checkup.CHECKS]
    assert len(set(names)) == len(names) >= 12
    assert all(advice.endswith(".") for _, _, advice in checkup.CHECKS)


def test_a_check_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    checks = [("bad", lambda: iter(["it is bad"]), "Mend it."), ("good", lambda: iter([]), "Never said.")]
    monkeypatch.setattr(checkup, "CHECKS", checks)
    assert checkup.main() == 1
    said = capsys.readouterr().out.splitlines()
    assert said == ["FAIL  bad", "      Mend it.", "      it is bad", "ok    good", "1 passed, 1 failed"]


def test_the_lock_files_hold_no_address_and_all_that_is_asked_for() -> None:
    assert list(checkup.locks_without_addresses()) == []
    assert list(checkup.locks_follow_pyproject()) == []


def test_a_lock_file_with_an_address_or_without_a_dependency_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "HERE", tmp_path)
    monkeypatch.setattr(checkup, "EXTRAS", {"fast": "requirements-fast.lock"})
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["Django>=5", "numpy"]\n[project.optional-dependencies]\nfast = ["redis"]\n'
        '[dependency-groups]\ndev = ["pytest"]\n'
    )
    (tmp_path / "requirements-fast.lock").write_text("django==4\n")
    (tmp_path / "requirements.lock").write_text("django==5 \\\n    --hash=sha256:00\n")
    (tmp_path / "requirements-dev.lock").write_text("--index-url https://example.org/simple\ndjango==5\nnumpy==2\n")
    assert [line.split(":")[0] for line in checkup.locks_without_addresses()] == ["requirements-dev.lock"]
    assert list(checkup.locks_follow_pyproject()) == [
        "numpy stands in pyproject.toml, not in requirements.lock",
        "pytest stands in pyproject.toml, not in requirements-dev.lock",
        "redis stands in pyproject.toml [fast], not in requirements-fast.lock",
        "django==5 stands in requirements.lock, not in requirements-fast.lock",
    ]
