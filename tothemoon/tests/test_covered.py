"""What ./run coverage makes of coverage's own report; the measuring itself is long and is started by hand."""

import pytest

from tothemoon.tests import covered

WHOLE = {"summary": {"covered_lines": 8, "num_statements": 8, "covered_branches": 2, "num_branches": 2}, "missing_lines": []}
PARTLY = {
    "summary": {"covered_lines": 6, "num_statements": 8, "covered_branches": 1, "num_branches": 4},
    "missing_lines": [11, 12],
    "missing_branches": [[10, 11], [14, -3], [14, 20]],
}


def test_the_pure_cores_are_the_modules_of_the_contract_packages_with_all_that_is_in_them():
    files = covered.pure_files()
    assert {"tokens/status_rule.py", "scoring/metrics.py", "trading/broker.py", "learning/indicators/windows.py"} <= files
    assert all((covered.ROOT / name).is_file() for name in files)


def test_lines_and_branches_are_counted_together():
    found = covered.share_of({"a.py": WHOLE, "b.py": PARTLY}, ["a.py", "b.py"])
    assert (found.taken, found.there, found.share) == (17, 22, pytest.approx(17 / 22))


def test_what_no_test_took_is_named_and_a_branch_into_a_missing_line_only_once():
    assert covered.share_of({"a.py": WHOLE, "b.py": PARTLY}, ["b.py", "a.py"]).missing == ["b.py: 11, 12, 14→out, 14→20"]


def test_a_core_that_was_not_measured_is_no_core_without_gaps():
    found = covered.share_of({"a.py": WHOLE}, ["a.py", "gone.py"])
    assert found.share < 1
    assert found.missing == ["gone.py: not measured"]


def test_the_report_says_how_much_is_asked():
    said = covered.told("pure cores", covered.share_of({"b.py": PARTLY}, ["b.py"]), covered.PURE_LEAST)
    assert said.splitlines()[0] == "pure cores: 58.33% of 12 lines and branches (at least 100%)"
    assert said.splitlines()[1] == "  not taken: b.py: 11, 12, 14→out, 14→20"
