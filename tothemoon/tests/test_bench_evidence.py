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
    stored, shipped, at_a_mark = json.loads(capsys.readouterr().out)["rows"]
    assert (stored["ours"] > 0, stored["theirs"]) == (True, 8_000.0)
    for compared in (shipped, at_a_mark):
        assert compared["ratio"] == pytest.approx(compared["ours"] / compared["theirs"], rel=0.05)
    assert {row["database"] for row in (stored, shipped, at_a_mark)} == {connection.vendor}
    assert "the 30 ticks" in shipped["against"]
    # In the first mark the bars are read; then two that are measured, and one by the shipped setting, or two where one had just been.
    marks = Signal.objects.count() // 8
    assert marks in (4, 5)
    assert (Prediction.objects.count(), FeatureVector.objects.count()) == (16, 8 * marks + 16)
