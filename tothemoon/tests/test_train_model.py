"""train_model: from stored evidence to a model that predicts at a mark, or to a refusal that says why."""

import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from learning import predictor, registry, schema, training_run
from learning.models import ModelVersion
from learning.tests.past import KNOWN, SLOT, make_past

pytestmark = pytest.mark.django_db
QUICK = ("--horizons", "15", "--trees", "4", "--days", "3")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.MODELS_DIR = tmp_path / "models"
    predictor.forget()
    return tmp_path / "models"


def train(now: datetime, *more: str) -> tuple[int, str]:
    """Exit code and what was printed."""
    out = io.StringIO()
    try:
        call_command("train_model", *QUICK, "--to", now.isoformat(), *more, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_a_planted_effect_is_learnt_registered_and_predicts_at_the_next_mark(now: datetime, folder: Path) -> None:
    make_past(now, effect=0.05, tokens=12)
    code, said = train(now)
    row = ModelVersion.objects.get()
    assert (code, row.role, row.place, row.horizons) == (0, "challenger", 0, [15])
    assert f"registered: boosted 1, a challenger at place 0, in {row.file}" in said
    assert [path.name for path in folder.iterdir()] == [row.file]
    assert row.metrics["15"]["direction"]["against"]["score"]["high"] < 0
    assert row.importances["15"][0]["name"] == schema.NAMES[SLOT]
    assert set(row.baselines["15"]) == {"constant", "momentum", "score"}
    assert now - timedelta(days=2) <= row.trained_from < row.trained_to < now
    assert row.settings["rows"] == 96 * 12
    values = np.full((2, schema.SIZE), np.nan, dtype=np.float32)
    values[:, KNOWN], values[0, SLOT], values[1, SLOT] = 0.0, 2.0, -2.0
    registry.promote(row.pk)
    ((served, predicted),) = predictor.predictions(values)
    assert predictor.calls(served, predicted)[0] == ["up", "down"]


def test_noise_is_refused_with_exit_3_and_the_refusal_is_in_the_registry_without_a_file(now: datetime, folder: Path) -> None:
    make_past(now, seed=3, tokens=12)
    code, said = train(now)
    row = ModelVersion.objects.get()
    assert (code, row.role, row.file, row.horizons) == (3, "refused", "", [])
    assert "15 min: does not beat" in row.stopped_why
    assert "refused: boosted 1" in said
    assert "does not pass" in said
    assert not folder.exists()
    assert predictor.predictions(np.zeros((1, schema.SIZE), dtype=np.float32)) == []


def test_a_program_reads_the_same_as_json_and_nothing_besides(now: datetime) -> None:
    make_past(now, marks=20, tokens=12)
    code, said = train(now, "--json", "--name", "nightly")
    told = json.loads(said)
    assert (code, told["refused"], told["name"], told["number"]) == (3, True, "nightly", 1)
    assert "rows to learn from" in told["metrics"]["15"]["why_not"]
    assert told["settings"]["horizons"] == [15]


def test_too_little_evidence_is_an_error_and_leaves_no_row(now: datetime) -> None:
    make_past(now, marks=5, tokens=5)
    with pytest.raises(CommandError, match="25 vectors, 25 of them with a known outcome: at least 200 are needed"):
        train(now)
    assert not ModelVersion.objects.exists()


def test_without_the_extra_the_command_says_how_to_get_it(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    with pytest.raises(CommandError, match=r"requirements-ml\.lock"):
        train(now)


def test_where_no_place_is_free_nothing_is_trained(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        registry.register("other", number, 1, 2, now, file="x.skops", file_hash="0" * 64)
    monkeypatch.setattr(training_run.training_rows, "read", None)
    with pytest.raises(CommandError, match="all 4 places are taken"):
        train(now)


@pytest.mark.parametrize(
    "wrong",
    [
        ("--folds", "4"),
        ("--trees", "0"),
        ("--horizons", "30"),
        ("--name", "../../etc"),
        ("--most-rows", "10"),
        ("--days", "nan"),
        ("--from", "yesterday"),
        ("--from", "2027-01-01"),
    ],
)
def test_a_wrong_argument_is_refused(now: datetime, wrong: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        train(now, *wrong)


def test_a_bar_is_drawn_on_a_terminal_only(now: datetime) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    make_past(now, marks=20, tokens=12)
    drawn, plain = Terminal(), io.StringIO()
    for stream in (drawn, plain):
        with pytest.raises(SystemExit):
            call_command("train_model", *QUICK, "--to", now.isoformat(), stderr=stream, stdout=io.StringIO())
    assert "] evidence read\r" in drawn.getvalue()
    assert drawn.getvalue().endswith("\r\x1b[K")
    assert plain.getvalue() == ""
