"""The catalogue of faults, played once in its quick form. The long form is ./run soak --scenarios."""

import re

import pytest
from django.conf import settings

from tothemoon.tests.soak.adversary import rows, run, told
from tothemoon.tests.soak.adversary.catalogue import EVERY
from tothemoon.tests.soak.adversary.rows_of_the_site import HELD
from tothemoon.tests.soak.adversary.run import Report, chosen, play, templates
from tothemoon.tests.soak.adversary.stage import Outcome, Pace
from tothemoon.tests.soak.victims import ROOT

DATABASE = "sqlite" if settings.ON_SQLITE else "postgres"
# What must come is waited for; how soon it came is for ./run soak to judge. Nine lanes, which wait for their clocks most of the time,
# keep two cores busy.
PATIENT = Pace(patience=90.0, slack=10.0, at_once=9)


@pytest.mark.measured  # two dozen processes at once: nothing else may run beside them
@pytest.mark.own_database
def test_every_fault_of_the_catalogue_is_survived():
    wanted = chosen(database=DATABASE)
    with templates(DATABASE) as made:
        report = play(made, wanted, 121, PATIENT)
    assert not report.failed, "\n".join(told.line(outcome) for outcome in report.failed)
    assert {outcome.name for outcome in report.played} == {scenario.name for scenario in wanted}
    assert len(report.lanes) == len(run.LANES)


def test_every_row_of_the_catalogue_is_played_or_held_by_something_else_and_said_to_be():
    played = {row for scenario in EVERY for row in scenario.rows}
    assert set(rows.FAULTS) == (played | set(rows.BESIDES) | set(rows.NOT_HELD)) - set(HELD)
    assert {row[0] for row in rows.FAULTS} == set("WRSD")
    assert [sum(row[0] == letter for row in rows.FAULTS) for letter in "WRSD"] == [45, 26, 16, 12]


def test_every_scenario_has_a_name_of_its_own_a_lane_and_a_pass_line():
    assert len({scenario.name for scenario in EVERY}) == len(EVERY)
    assert all(scenario.lane in run.LANES and scenario.promise.endswith(".") for scenario in EVERY)


def test_the_page_of_faults_is_what_the_scenarios_say():
    assert rows.PAPER.read_text() == rows.page(), "write it anew: python -m tothemoon.tests.soak.adversary.rows"


def test_the_tests_that_hold_a_row_besides_are_there():
    named = {path for words in rows.BESIDES.values() for path in re.findall(r"`([\w/]+\.py)`", words)}
    assert all((ROOT / path).exists() for path in named)


def test_every_row_of_the_site_and_of_its_operation_names_tests_that_are_there_or_a_scenario():
    assert list(HELD) == [f"H{number:02d}" for number in range(1, 25)] + [f"O{number:02d}" for number in range(1, 10)]
    tests = [test.split("::") for held in HELD.values() for test in held.tests]
    assert [f"{path}::{name}" for path, name in tests if not re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE)] == []
    names = {scenario.name for scenario in EVERY}
    without = {row: held.besides for row, held in HELD.items() if not held.tests}
    assert all(names & set(re.findall(r"\w+", said)) for said in without.values()), without


@pytest.mark.parametrize(("asked", "names"), [("half_open", {"half_open"}), ("W01", {"half_open"}), ("d01", set()), ("nothing", set())])
def test_a_scenario_is_chosen_by_name_row_or_lane_where_its_database_is(asked, names):
    assert {scenario.name for scenario in chosen(asked, database="sqlite")} == names


def test_the_one_sentence_says_how_many_by_which_seeds_and_of_which_code():
    good, bad = Outcome("a", ("W01",)), Outcome("b", ("W02",), [("I4", "one lost")])
    report = Report("sqlite", 7, [good, bad], [Outcome("the end of losses", ())])
    assert report.failed == [bad]
    said = told.summary([report], 61.0)
    assert said.startswith("1 of 2 scenarios, 1 of 1 lanes whole at their end, seeds 7, commit ")
    assert "I4: one lost" in told.line(bad)
