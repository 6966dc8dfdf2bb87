"""The admin's first page tells how far bars have been filled back."""

from datetime import timedelta

import pytest

from ingestion.models import Heartbeat
from tothemoon.front_page import front_page

pytestmark = pytest.mark.django_db


def test_the_line_of_the_last_run_is_told_until_it_is_old(now):
    says = "bars filled back: 3 of 5 tokens that became Active in the last 24 hours (2,880 bars); 2 wait"
    Heartbeat.objects.create(component="job:fill_bars", ts=now, detail={"says": says, "ok": True})
    assert front_page(now)["filling"] == "B" + says[1:]
    assert front_page(now + timedelta(hours=1))["filling"] == ""


def test_without_a_scheduler_there_is_no_line(now, admin_client):
    assert front_page(now)["filling"] == ""
    assert "filled back" not in admin_client.get("/admin/").content.decode()


def test_the_page_prints_it_as_text(admin_client):
    Heartbeat.objects.create(component="job:fill_bars", detail={"says": "bars filled back: 0 of 0 <tokens>"})
    assert "Bars filled back: 0 of 0 &lt;tokens&gt;." in admin_client.get("/admin/").content.decode()
