"""`./run bench evidence` in a small form: the figures it tells, and that it measures marks that were really written."""

import json

import pytest
from django.core.management import call_command
from django.db import connection

from learning.models import FeatureVector, Prediction, Signal
from tothemoon.benches import evidence

pytestmark = pytest.mark.django_db


def test_the_result_tells_of_storing_and_of_the_ticks_and_its_rows_are_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "ROUNDS", 2)
    monkeypatch.setattr(evidence, "MOST_TIMES", 1e6)
    monkeypatch.setattr(evidence, "MOST_MS_A_THOUSAND", 1e6)
    call_command("bench", "evidence", "--here", "--json", "--tokens", "8")
    stored, shipped, dearest = json.loads(capsys.readouterr().out)["rows"]
    assert (stored["ours"] > 0, stored["theirs"]) == (True, 8_000.0)
    for compared in (shipped, dearest):
        assert compared["ratio"] == pytest.approx(compared["ours"] / compared["theirs"], rel=0.05)
        assert compared["ours"] > compared["theirs"]
    assert {row["database"] for row in (stored, shipped, dearest)} == {connection.vendor}
    assert "the 30 ticks" in shipped["against"]
    # In the first mark the bars are read; then two that are measured, and one by the shipped setting.
    assert (Signal.objects.count(), Prediction.objects.count(), FeatureVector.objects.count()) == (4 * 8, 16, 4 * 8 + 16)


def test_the_dearest_tick_is_the_one_with_the_dearest_looks_in_a_row_of_the_median_of_the_rounds() -> None:
    rounds = [evidence.Round([10.0, 12.0], looks) for looks in ([1.0, 5.0, 6.0, 1.0], [1.0, 5.0, 90.0, 1.0], [1.0, 5.0, 6.0, 7.0])]
    assert evidence._dearest(rounds) == (11.0 + 5.0 + 6.0, 11.0)
