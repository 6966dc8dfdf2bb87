"""The operator reads what the stages wrote, and changes none of it."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from trading.models import BacktestRun, EquityPoint, Judgement, LedgerAccount, PaperAccount, SkippedSignal
from trading.tests.test_pages import asset, position

pytestmark = pytest.mark.django_db

TABLES = ("judgement", "paperposition", "paperfill", "skippedsignal", "assetstate", "equitypoint", "ledgeraccount", "backtestrun")


@pytest.fixture
def written(now: datetime) -> None:
    PaperAccount.objects.create(capital=1000, cash=900)
    position(asset(1, now), now)
    state = asset(2, now, kept=False, refusals="liquidity_low")
    position(state, now, result=-3.0)
    SkippedSignal.objects.create(judgement=asset(3, now).judgement, time=now, reason="no_slot")
    EquityPoint.objects.create(ts=now, equity=1000, cash=900)
    LedgerAccount.objects.create(reason="gate: confidence", ts=now, since=now, blocked=3, followed=2, won=1, saved=-4.0)
    BacktestRun.objects.create(from_ts=now, to_ts=now, data_hash="x", result={"summary": {"trades": 7}}, report="var/backtests/a.html")


@pytest.mark.parametrize("table", [*TABLES, "paperaccount", "paperorder"])
def test_each_table_is_listed_and_searched(written: None, admin_client: Client, table: str) -> None:
    assert admin_client.get(f"/admin/trading/{table}/").status_code == 200
    assert admin_client.get(f"/admin/trading/{table}/add/").status_code == 403


@pytest.mark.parametrize("table", TABLES)
def test_each_table_comes_as_a_file(written: None, admin_client: Client, table: str) -> None:
    answer: Any = admin_client.get(f"/admin/trading/{table}/export.csv")
    assert len(b"".join(answer.streaming_content).splitlines()) >= 2


def test_a_judgement_says_who_when_and_why_and_cannot_be_changed(written: None, admin_client: Client) -> None:
    judged = Judgement.objects.earliest("pk")
    said = admin_client.get(f"/admin/trading/judgement/{judged.pk}/change/").content.decode()
    assert "readonly" in said
    assert 'name="_save"' not in said
    listed = admin_client.get("/admin/trading/judgement/?when=day").content.decode()
    assert 'href="/trading/T1/"' in listed
    assert "too little confidence" in listed


def test_a_back_test_names_its_report(written: None, admin_client: Client) -> None:
    assert "var/backtests/a.html" in admin_client.get("/admin/trading/backtestrun/").content.decode()
