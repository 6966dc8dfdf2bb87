"""The bookkeeping of ./run mutants; the hunt itself is long and is started by hand."""

import json
import tomllib

from tothemoon.tests import mutants, plain_ids


def test_every_core_has_files_and_tests_that_are_there():
    for files, tests in mutants.CORES.values():
        assert all(list(mutants.ROOT.glob(name)) for name in files + tests)


def test_a_copy_has_the_code_of_the_core_its_tests_and_the_settings_of_the_hunt(tmp_path):
    mutants.copied(tmp_path, "status")
    settings = tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]["mutmut"]
    assert settings["only_mutate"] == ["tokens/status_rule.py"]
    assert all((tmp_path / name).is_file() for name in settings["pytest_add_cli_args_test_selection"])


def test_what_became_of_each_mutant_is_read_from_the_notes_of_the_hunt(tmp_path):
    folder = tmp_path / "mutants" / "tokens"
    folder.mkdir(parents=True)
    (folder / "rule.py.meta").write_text(json.dumps({"exit_code_by_key": {"noticed": 1, "survived": 0, "not tried": None}}))
    assert dict(mutants.exit_codes(tmp_path)) == {"noticed": 1, "survived": 0}


def test_a_survivor_has_a_reason_only_where_both_place_and_change_agree():
    reasons = [{"where": "status_rule", "change": "nan=0.0", "why": "the default"}]
    assert mutants.reason_for("tokens.status_rule._counted", "- nan=0.0 + ", reasons) == "the default"
    assert mutants.reason_for("tokens.status_rule._counted", "- a + b", reasons) is None


def test_a_score_counts_what_has_a_reason_as_unnoticed():
    found = mutants.Found("status", noticed=8, explained=["a"], unexplained=["b"])
    assert found.score == 0.8
    assert "8 of 10 noticed = 80.0%" in mutants.report(found)
    assert "UNEXPLAINED b" in mutants.report(found)


def test_the_reasons_are_whole():
    assert all(set(reason) == {"where", "change", "why"} for reason in tomllib.loads(mutants.WHY.read_text())["survivor"])


def test_a_sample_is_drawn_by_its_seed_and_the_report_says_so():
    names = [f"mutant {number}" for number in range(30)]
    assert mutants.drawn(names, 5, seed=1) == mutants.drawn(names, 5, seed=1) != mutants.drawn(names, 5, seed=2)
    assert mutants.drawn(names, 50, seed=1) == sorted(names)
    assert "a sample of 5 of 30, seed 1" in mutants.report(mutants.Found("status", noticed=5, drawn=", a sample of 5 of 30, seed 1"))


def test_all_changes_of_a_core_are_known_before_one_is_made(tmp_path):
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens/status_rule.py").write_text("def double(number):\n    return number * 2\n")
    (tmp_path / "pyproject.toml").write_text('[tool.mutmut]\nsource_paths = ["tokens"]\n')
    assert mutants.every_mutant(tmp_path, "status") == [f"tokens.status_rule.x_double__mutmut_{number}" for number in (1, 2)]


def test_a_test_of_any_text_has_a_name_that_is_found_again():
    names = [plain_ids.pytest_make_parametrize_id(value) for value in ("", "а" * 44, "a[1]::b", b"\x00")]
    assert len(set(names)) == 4
    assert all(name.isalnum() for name in names)
    assert plain_ids.pytest_make_parametrize_id(1.5) is None  # as pytest names it
