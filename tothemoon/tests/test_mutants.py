"""./run mutants on cores as small as a test can have them; the hunt through the real ones is long and is started by hand."""

import tomllib
from pathlib import Path

import pytest

from tothemoon.tests import mutants

CORE = """def doubled(number):
    return number * 2


def counted_down(number):
    while number > 0:
        number = number - 1
    return number


def told(name):
    return "the " + name


def never_asked():
    return 1
"""
TESTS = """from core.sums import counted_down, doubled, told


def test_double():
    assert doubled(3) == 6


def test_down():
    assert counted_down(2) == 0


def test_told():
    assert told("moon").endswith("moon")
"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one core, of which its tests ask too little."""
    for place, text in (("core/sums.py", CORE), ("core/tests/test_sums.py", TESTS), ("pyproject.toml", mutants.SETTINGS)):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text)
    (tmp_path / "tothemoon").symlink_to(mutants.ROOT / "tothemoon")
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")
    monkeypatch.setitem(mutants.CORES, "small", (["core/*"], ["core/tests"]))
    return tmp_path


def test_a_change_is_noticed_or_not_and_what_does_not_end_is_stopped(small):
    changes = mutants.changed(small, mutants.files_of("small", small))
    ends = mutants.outcomes(small, list(changes), ["core/tests"], children=1, least_sec=1)
    found = mutants.judged(mutants.Found("small"), ends, changes, [])
    assert (found.noticed, found.stopped, found.total) == (7, 1, 11)
    assert found.unexplained == [
        "core.sums.counted_down: - number = number - 1 + number = number - 2",
        'core.sums.told: - return "the " + name + return "XXthe XX" + name',
        'core.sums.told: - return "the " + name + return "THE " + name',
        "core.sums.never_asked: - return 1 + return 2",
    ]


def test_nothing_is_tried_where_the_tests_do_not_pass_even_unchanged(small):
    (small / "core/tests/test_sums.py").write_text("def test_wrong():\n    assert False\n")
    with pytest.raises(SystemExit, match=r"do not pass even unchanged(.|\n)*test_wrong"):
        mutants.outcomes(small, [], ["core/tests"], children=1)


def test_every_core_has_files_and_tests_that_are_there():
    for files, tests in mutants.CORES.values():
        assert all(list(mutants.ROOT.glob(name)) for name in files + tests)


def test_a_copy_has_the_code_of_every_core_and_the_settings_of_the_hunt(tmp_path):
    mutants.copied(tmp_path)
    assert tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]["mutmut"]
    assert Path("tokens/status_rule.py") in mutants.files_of("status", tmp_path)


@pytest.mark.parametrize(
    ("mutant", "place"),
    [("trading.broker.xǁ_Turnǁadmit__mutmut_3", "trading.broker._Turn.admit"), ("a.x_box_x__mutmut_12", "a.box_x")],
)
def test_a_mutant_says_where_it_lies(mutant, place):
    assert mutants.place_of(mutant) == place


REASONS = [mutants.Reason("status_rule.counted", "nan=0.0", "the default"), mutants.Reason("*", "reshape(-2", "as minus one")]
CHANGES = {"status_rule.x_counted__mutmut_1": "- nan=0.0 + ", "status_rule.x_counted__mutmut_2": "- a + b"}
CHANGES |= {"status_rule.x_other__mutmut_1": "- nan=0.0 + ", "status_rule.x_other__mutmut_2": "- reshape(-1) + reshape(-2)"}


def test_a_survivor_has_a_reason_only_where_both_place_and_change_agree():
    found = mutants.judged(mutants.Found("status"), dict.fromkeys(CHANGES, 0), CHANGES, REASONS)
    assert [line.rpartition(" (")[2] for line in found.explained] == ["the default)", "as minus one)"]
    assert found.unexplained == ["status_rule.counted: - a + b", "status_rule.other: - nan=0.0 + "]
    assert not found.outdated


def test_a_reason_for_what_a_test_notices_is_told():
    found = mutants.judged(mutants.Found("status"), dict.fromkeys(CHANGES, 1), CHANGES, REASONS)
    assert found.outdated == ["status_rule.counted: nan=0.0"]
    assert "A REASON FOR NOTHING status_rule.counted: nan=0.0" in mutants.report(found)


def test_a_score_counts_what_has_a_reason_as_unnoticed():
    found = mutants.Found("status", noticed=8, explained=["a"], unexplained=["b"])
    assert found.score == 0.8
    assert "8 of 10 noticed = 80.0%" in mutants.report(found)
    assert "UNEXPLAINED b" in mutants.report(found)


@pytest.mark.parametrize(
    ("found", "sound"),
    [
        (mutants.Found("status", noticed=9, explained=["a"]), True),
        (mutants.Found("status", noticed=8, explained=["a", "b"]), False),
        (mutants.Found("status", noticed=9, unexplained=["a"]), False),
        (mutants.Found("status", noticed=9, outdated=["a"]), False),
        (mutants.Found("status"), False),
    ],
)
def test_a_core_is_sound_where_enough_is_noticed_and_the_reasons_are_those_of_the_rest(found, sound):
    assert found.sound == sound


def test_the_reasons_are_whole_and_of_a_core():
    modules = {mutants.module_of(path) for core in mutants.CORES for path in mutants.files_of(core, mutants.ROOT)}
    found = mutants.reasons()
    assert len(set(found)) == len(found)
    assert all(reason.where == "*" or any(reason.where.startswith(f"{module}.") for module in modules) for reason in found)
    assert all(reason.change and reason.why for reason in found)


def test_a_sample_is_drawn_by_its_seed_and_the_report_says_so():
    names = [f"mutant {number}" for number in range(30)]
    assert mutants.drawn(names, 5, seed=1) == mutants.drawn(names, 5, seed=1) != mutants.drawn(names, 5, seed=2)
    assert mutants.drawn(names, 50, seed=1) == sorted(names)
    assert "a sample of 5 of 30, seed 1" in mutants.report(mutants.Found("status", noticed=5, drawn=", a sample of 5 of 30, seed 1"))
