"""A mark with a model in service: predictions and signals in one transaction; without one, or with a broken one, the mark all the same."""

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learning import keys, predictor, recording, registry
from learning.models import ModelVersion, Prediction, Signal
from learning.tests import evidence_rows as rows
from learning.tests.small_models import contents, registered
from learning.training.plan import Plan

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def scored(now: datetime, tmp_path: Path, settings: Any) -> list[Any]:
    """Three Active tokens with a past and a score at the mark."""
    settings.MODELS_DIR = tmp_path
    predictor.forget()
    tokens = [rows.make_token(now, name) for name in "ABC"]
    for token in tokens:
        rows.see(token, now)
        rows.make_score(token, now)
        type(token).objects.filter(pk=token.pk).update(last_scored_at=now, last_score_value=1.2)
    return tokens


def at_the_mark(now: datetime) -> recording.Recorded:
    return recording.record(now + recording.LATENESS)


def test_the_champion_speaks_a_challenger_is_only_measured(now: datetime, scored: list[Any], tmp_path: Path) -> None:
    champion, challenger = registered(tmp_path, now), registered(tmp_path, now, contents(horizons=(15,)), number=2)
    registry.promote(champion.pk)
    done = at_the_mark(now)
    assert (done.vectors, done.predictions, done.signals) == (3, 6, 6)
    assert {each.place for each in (champion, challenger)} == {pk & 31 for pk in Prediction.objects.values_list("pk", flat=True)}
    for signal in Signal.objects.filter(source="model").select_related("prediction", "vector"):
        said = signal.prediction
        assert said.model_id == champion.pk
        assert signal.confidence == pytest.approx(max(said.up_1h, said.flat_1h, said.down_1h), rel=1e-6)
        assert (said.up_15m, said.return_4h, said.risk_12h) == (None, None, None)
        assert said.up_1h + said.flat_1h + said.down_1h == pytest.approx(1, abs=1e-6)
        (again,) = [each for served, each in predictor.predictions(signal.vector.as_array()[None]) if served.row.pk == champion.pk]
        assert np.frombuffer(bytes(said.raw), dtype="<f4").tobytes() == again.raw[0].tobytes()


def test_without_a_model_and_with_a_broken_one_the_mark_is_written_all_the_same(now: datetime, scored: list[Any], tmp_path: Path) -> None:
    row = registered(tmp_path, now)
    registry.promote(row.pk)
    (tmp_path / row.file).write_bytes(b"broken")
    done = at_the_mark(now)
    assert (done.vectors, done.predictions, done.signals) == (3, 0, 3)
    assert "not the file that was registered" in ModelVersion.objects.get().stopped_why


def test_without_the_extra_the_mark_is_written_all_the_same(
    now: datetime, scored: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.promote(registered(tmp_path, now).pk)
    for name in ("sklearn", "skops"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    done = at_the_mark(now)
    assert (done.vectors, done.predictions, done.signals) == (3, 0, 3)
    assert ModelVersion.objects.get().stopped_at is None


def test_where_the_extra_was_never_installed_the_site_and_the_jobs_start(tmp_path: Path) -> None:
    blocked = "import sys; sys.modules.update(dict.fromkeys(('sklearn', 'skops', 'scipy', 'joblib', 'threadpoolctl')))"
    loaded = "import django; django.setup(); import tothemoon.jobs, tothemoon.urls, learning.admin, learning.training_run"
    asked = "from learning import model_file; assert not model_file.installed()"
    environment = {"PATH": os.environ["PATH"], "READ_DOTENV": "0", "DJANGO_SETTINGS_MODULE": "tothemoon.settings"}
    environment |= {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3", "STATIC_ROOT": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", "; ".join((blocked, loaded, asked))], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_usual_plan_tries_every_horizon_of_the_outcomes() -> None:
    assert Plan().horizons == keys.HORIZONS_MIN
