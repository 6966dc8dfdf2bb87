"""The registry in the admin: read-only but for three decisions, each with a reason."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from ingestion.models import Heartbeat
from learning import model_watch, predictor
from learning.models import ModelVersion
from learning.tests.small_models import registered

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("models_folder")]


AGAINST = {"value": -0.05, "low": -0.08, "high": -0.02, "beaten": True}
TOLD = {
    "rows": 1234,
    "windows": 5,
    "hardest": "score",
    "passed": {"direction": True, "gross": False, "fall": True},
    "direction": {"loss": {"model": {"value": 0.91, "low": 0.9, "high": 0.92}}, "against": {"score": AGAINST}},
    "rank_correlation": {"value": None, "low": None, "high": None},
}
WEIGHT = {"slot": 1, "name": "return_1m", "value": 0.02, "low": 0.01, "high": 0.03}


@pytest.fixture
def row(models_folder: Path, now: datetime) -> Any:
    return registered(models_folder, now, metrics={"60": TOLD}, importances={"60": [WEIGHT]})


def page(row: Any) -> str:
    return reverse("admin:learning_modelversion_change", args=[row.pk])


def hand(row: Any, verb: str) -> str:
    return reverse("admin:learning_modelversion_by_hand", args=[row.pk, verb])


def test_the_page_tells_the_examination_with_intervals_and_what_the_model_leans_on(admin_client: Client, row: Any) -> None:
    said = admin_client.get(page(row)).content.decode()
    for words in ("-0.0500 (-0.0800 … -0.0200)", "0.9100 (0.9000 … 0.9200)", "1,234", "return_1m", "direction, fall", row.file_hash):
        assert words in said
    assert 'name="_save"' not in said


def test_promote_needs_a_reason_and_leaves_it_with_the_name_in_the_history(admin_client: Client, row: Any) -> None:
    assert "Give a reason" in admin_client.post(hand(row, "promote"), {"reason": " "}).content.decode()
    assert "Its predictions become signals" in admin_client.get(hand(row, "promote")).content.decode()
    said = admin_client.post(hand(row, "promote"), {"reason": "beats the score on three horizons"}, follow=True).content.decode()
    assert "is champion at place 0 now" in said
    assert ModelVersion.objects.get().role == "champion"
    assert LogEntry.objects.get().change_message == "Promote: beats the score on three horizons"


def test_what_does_not_fit_any_more_is_told_and_not_done(admin_client: Client, row: Any) -> None:
    admin_client.post(hand(row, "retire"), {"reason": "enough"})
    said = admin_client.post(hand(row, "promote"), {"reason": "again"}, follow=True).content.decode()
    row.refresh_from_db()
    assert (row.role, row.stopped_why) == ("retired", "enough")
    assert "only a challenger in service can be promoted" in said
    assert "out of service for good" in said
    assert admin_client.get(hand(row, "fly")).status_code == 404


def test_one_that_was_set_aside_shows_the_reason_and_can_be_resumed(admin_client: Client, row: Any, models_folder: Path) -> None:
    (models_folder / row.file).rename(models_folder / "away")
    assert predictor.serving() == []
    said = admin_client.get(page(row)).content.decode()
    assert "challenger at place 0, stopped" in said
    assert "cannot be read (FileNotFoundError)" in said
    (models_folder / "away").rename(models_folder / row.file)
    admin_client.post(hand(row, "resume"), {"reason": "the disk is back"})
    assert len(predictor.serving()) == 1


def test_who_may_only_look_decides_nothing(client: Client, row: Any) -> None:
    looker = User.objects.create_user("looker", password="x", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_modelversion"))
    client.force_login(looker)
    assert client.get(page(row)).status_code == 200
    assert client.post(hand(row, "promote"), {"reason": "why not"}).status_code == 403
    assert ModelVersion.objects.get().role == "challenger"


def test_nothing_is_added_or_deleted_by_hand_and_no_model_is_said_to_be_none(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = reverse("admin:learning_modelversion_changelist")
    assert "No model is in service: train one with train_model." in admin_client.get(listed).content.decode()
    assert admin_client.get(reverse("admin:learning_modelversion_add")).status_code == 403
    monkeypatch.setitem(__import__("sys").modules, "skops", None)
    assert "scikit-learn and skops are not installed" in admin_client.get(listed).content.decode()


def test_the_last_look_stands_on_the_page(admin_client: Client, row: Any, now: datetime) -> None:
    look = model_watch.watch(now, {})
    Heartbeat.objects.create(component="job:models", ts=now, started_at=now, detail={"models": look.models})
    said = admin_client.get(page(row)).content.decode()
    assert "None at the last look." in said
    assert look.models[0]["standing"] == []
    told = [{"horizon": 60, "baseline": "score", "rows": 7_000, "blocks": 9, "difference": AGAINST, "looks": 2}]
    Heartbeat.objects.update(detail={"models": [look.models[0] | {"standing": told, "troubles": ["it has drifted."]}]})
    said = admin_client.get(page(row)).content.decode()
    head, line = re.findall(r"<tr>(<th>horizon</th><th>baseline</th>.+?)</tr></thead><tbody><tr>(.+?)</tr>", said)[0]
    columns = dict(zip(re.findall("<th>(.*?)</th>", head), re.findall("<td>(.*?)</td>", line), strict=True))
    assert columns["looks worse in a row"] == "2"
    assert columns["log loss less the baseline&#x27;s"] == "-0.0500 (-0.0800 … -0.0200)"
    assert "it has drifted." in said
