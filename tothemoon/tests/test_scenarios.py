"""The catalogue of faults, played once in its quick form. The long form is ./run soak --scenarios."""

import pytest
from django.conf import settings

from tothemoon.tests.soak.adversary import told
from tothemoon.tests.soak.adversary.run import chosen, play, templates
from tothemoon.tests.soak.adversary.stage import Pace

DATABASE = "sqlite" if settings.ON_SQLITE else "postgres"
PATIENT = Pace(patience=90.0, slack=10.0)  # what must come is waited for; how soon it came is for ./run soak to judge


@pytest.mark.slow
@pytest.mark.own_database
@pytest.mark.parametrize("lanes", [("losses", "frames", "refusals", "handshakes"), ("answers", "account", "processes", "storage")])
def test_every_fault_of_the_catalogue_is_survived(lanes):
    wanted = chosen(lanes=lanes, database=DATABASE)
    with templates(DATABASE) as made:
        report = play(made, wanted, 20_261_121 % 1000, PATIENT)
    assert not report.failed, "\n".join(told.line(outcome) for outcome in report.failed)
    assert {outcome.name for outcome in report.played} == {scenario.name for scenario in wanted}
    assert len(report.lanes) == len(lanes)
