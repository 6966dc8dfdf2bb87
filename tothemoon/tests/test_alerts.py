"""Alerts as the whole system has them: the jobs, the first page, the metrics, the log lines, and where no secret may stand."""

import logging
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from ingestion.errors import OutsideError
from ingestion.messengers import send
from ingestion.models import ApiUsage, Heartbeat, ListeningGap
from ingestion.tests.receiver import Receiver, answer
from scoring.alert_delivery import message_of
from scoring.alert_models import AlertChannel, AlertRule
from scoring.alert_rows import AlertDelivery, ScoreHealth
from tothemoon import jobs
from tothemoon.circumstances import circumstances
from tothemoon.jobs import Work
from tothemoon.logs import KeyValue
from tothemoon.metrics import _families
from tothemoon.tests.page_rows import a_token, figures, scored
from tothemoon.worker import StopFlag

pytestmark = pytest.mark.django_db
KEY = "canary-discord-key_0123456789"
SECRET = "canary-signing-secret"


def work(now, began_at=None):
    return Work(now, nullcontext, StopFlag(), once=True, began_at=began_at)


def a_channel(url, **fields):
    return AlertChannel.objects.create(name="bot", **{"kind": "webhook", "webhook_url": f"{url}/hook", "signing_secret": SECRET, **fields})


def test_the_two_jobs_carry_a_crossing_from_the_score_to_the_receiver():
    now = timezone.now()
    with Receiver([answer(200)]) as receiver:
        AlertRule.objects.create(name="hot", kind="score", level=1.5).channels.add(a_channel(receiver.url))
        token = a_token(now)
        for place, score in enumerate([1.0, 2.0]):
            at = now - timedelta(seconds=60 - 30 * place)
            figures(token, at)
            scored(token, at, score)
            done = jobs.alerts(work(at))
        assert (done["alerts"], done["held"], done["scores"]["state"]) == (1, 0, "ok")
        assert jobs.deliver_alerts(work(now)) == {"sent": 1, "put_off": 0, "gave_up": 0, "lost_in_a_day": 0}
    assert len(receiver.received) == 1
    assert ApiUsage.objects.get(service="webhook").calls == 1


def test_who_is_not_the_leader_neither_judges_nor_remembers(now):
    def refused():
        raise PermissionError

    AlertRule.objects.create(name="hot", kind="score", level=1.5)
    with pytest.raises(PermissionError):
        jobs.alerts(Work(now, refused, StopFlag()))
    assert AlertRule.objects.get().learned == ""


# The system's own figures


def test_a_silent_feed_is_counted_from_its_last_message_and_in_a_gap_from_its_beginning(now):
    Heartbeat.objects.create(component="listener", ts=now, detail={"last_message_at": (now - timedelta(minutes=4)).isoformat()})
    assert circumstances(now).figures["feed_silent_min"] == pytest.approx(4)
    ListeningGap.objects.create(from_ts=now - timedelta(minutes=9), why="refused by the server.")
    found = circumstances(now)
    assert found.figures["feed_silent_min"] == pytest.approx(9)
    assert found.sentences["feed_silent_min"] == "The feed of new tokens has been silent for 9 m: refused by the server."


def test_after_a_start_of_everything_the_feed_has_been_silent_since_the_start_and_no_longer(now):
    Heartbeat.objects.create(component="listener", ts=now, detail={"last_message_at": (now - timedelta(hours=8)).isoformat()})
    assert circumstances(now, began_at=now - timedelta(seconds=30)).figures["feed_silent_min"] == pytest.approx(0.5)


def test_what_cannot_be_known_is_left_out(now, settings):
    settings.BIRDEYE_API_KEY = ""
    assert circumstances(now).figures == {}


def test_the_budget_is_a_share_of_what_is_left(now, settings):
    settings.BIRDEYE_API_KEY, settings.BIRDEYE_MONTHLY_CU = "k" * 32, 1000
    ApiUsage.objects.create(day=now.date(), service="birdeye", endpoint="x", units=950)
    found = circumstances(now)
    assert found.figures["budget_left_percent"] == pytest.approx(5)
    assert "5 % of the month's Birdeye budget are left (50 units)" in found.sentences["budget_left_percent"]


# What people and monitors see


def test_the_first_page_says_how_the_scores_look_and_how_many_alerts_were_lost(admin_client):
    detail = {"ok": True, "scores": {"state": "suspicious", "odd": "90% of 30 scores are the same number.", "scored": 30, "tokens": 30}}
    Heartbeat.objects.create(component="job:alerts", ts=timezone.now(), detail=detail)
    Heartbeat.objects.create(component="job:deliver_alerts", ts=timezone.now(), detail={"ok": True, "lost_in_a_day": 2})
    text = " ".join(admin_client.get(reverse("admin:index")).content.decode().split())
    assert "The scores look wrong: 90% of 30 scores are the same number." in text
    assert "2 alerts of the last day were given up." in text
    Heartbeat.objects.update(ts=timezone.now() - timedelta(hours=1))
    cache.clear()  # the pulse is remembered for two seconds
    assert "The scores look wrong" not in admin_client.get(reverse("admin:index")).content.decode()


def test_the_metrics_count_alerts_by_what_became_of_them_and_tell_of_the_scores():
    AlertDelivery.objects.create(rule_name="x", kind="score", sentence="x", state="gave_up")
    ScoreHealth.objects.create(
        ts=timezone.now(), revision=1, tokens=9, scored=9, median=0.5, spread=0.1, identical=0.2, missing=[], capped=0, estimated=[]
    )
    samples = {(sample.name, sample.labels.get("state", "")): sample.value for family in _families() for sample in family.samples}
    assert samples[("tothemoon_alerts_last_hour", "gave_up")] == 1
    assert samples[("tothemoon_alerts_last_hour", "sent")] == 0
    assert (samples[("tothemoon_scores_suspicious", "")], samples[("tothemoon_scores_median", "")]) == (0, 0.5)


# Secrets


def broken_headers(handler):
    """Headers that urllib3 complains about in its log, with the whole address."""
    handler.wfile.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nno colon here\r\n\r\n")
    handler.close_connection = True


def test_not_even_a_librarys_log_line_or_a_traceback_shows_an_address(caplog):
    caplog.set_level(logging.DEBUG)
    with Receiver([broken_headers]) as receiver:
        url = f"{receiver.url}/api/webhooks/123456789/{KEY}"
        channel = AlertChannel.objects.create(name="d", kind="discord", webhook_url=url)
        row = AlertDelivery(rule_name="x", kind="score", sentence="x", made_at=datetime.now(UTC))
        try:
            send(channel.channel(), message_of(row))
        except OutsideError:
            logging.getLogger("tothemoon").exception("it failed for %s", url)
    assert any(KEY in record.getMessage() for record in caplog.records)  # else this test would prove nothing
    assert KEY not in "\n".join(KeyValue().format(record) for record in caplog.records)


def test_no_page_no_export_and_no_history_of_the_admin_holds_a_secret(admin_client):
    form = {"name": "bot", "kind": "webhook", "enabled": "on", "webhook_url": "http://127.0.0.1:9/canary-hook", "signing_secret": SECRET}
    admin_client.post(reverse("admin:scoring_alertchannel_add"), form)
    channel = AlertChannel.objects.get()
    AlertDelivery.objects.create(channel=channel, channel_name="bot", rule_name="x", kind="score", sentence="x")
    changed = {"name": "bot 2", "kind": "webhook", "webhook_url": "not an address", "signing_secret": "short-canary"}
    pages = [
        admin_client.get(reverse("admin:scoring_alertchannel_changelist")),
        admin_client.get(reverse("admin:scoring_alertchannel_change", args=[channel.pk])),
        admin_client.post(reverse("admin:scoring_alertchannel_change", args=[channel.pk]), changed),
        admin_client.get(reverse("admin:scoring_alertdelivery_changelist")),
        admin_client.get(reverse("admin:scoring_alertdelivery_csv")),
        admin_client.get(reverse("admin:scoring_alertdelivery_change", args=[AlertDelivery.objects.get().pk])),
        admin_client.get(reverse("admin:scoring_alertchannel_delete", args=[channel.pk])),
    ]
    texts = [page.getvalue().decode() if page.streaming else page.content.decode() for page in pages]
    assert [text.count("canary") for text in texts] == [0] * len(pages)
    assert {page.status_code for page in pages} == {200}
    assert "canary" not in "".join(LogEntry.objects.values_list("change_message", flat=True))


def test_only_who_may_change_channels_may_send_a_test(client, django_user_model):
    channel = a_channel("http://127.0.0.1:9")
    client.force_login(django_user_model.objects.create_user("anna", password="a-long-enough-one", is_staff=True))
    address = reverse("admin:scoring_alertchannel_test", args=[channel.pk])
    assert (client.post(address).status_code, client.get(address).status_code) == (403, 405)
    assert AlertDelivery.objects.count() == 0
