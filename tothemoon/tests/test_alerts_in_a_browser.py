"""The whole story of an alert in a real chromium: channel and rule by clicking, a test, a crossing, one message, none after a restart."""

import hashlib
import hmac
import json
import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from ingestion.tests.receiver import Receiver, answer
from scoring import console
from scoring.alert_delivery import deliver
from scoring.alert_kinds import Circumstances
from scoring.alert_models import AlertChannel, AlertRule
from scoring.alert_rows import AlertDelivery
from scoring.alerting import evaluate
from scoring.history import History
from scoring.settings_in_force import active_settings
from tothemoon.tests import papers
from tothemoon.tests.page_rows import a_token, figures, in_force, scored
from tothemoon.tests.test_pages_in_a_browser import browser, page, pytestmark, said  # noqa: F401

SECRET = "what-only-the-two-of-us-know"


@pytest.fixture
def receiver():
    with Receiver([answer(200)]) as receiver:
        yield receiver


@pytest.fixture
def desk(live_server, monkeypatch, admin_client, page):  # noqa: F811
    """The admin, logged in."""
    in_force()
    monkeypatch.setattr(console, "HISTORY", History(hours=24))
    cookie = admin_client.cookies["session"]
    page.context.add_cookies([{"name": "session", "value": cookie.value, "url": live_server.url}])
    page.goto(f"{live_server.url}/admin/")
    return live_server.url


def make_channel(page, desk, receiver):  # noqa: F811
    page.goto(f"{desk}/admin/scoring/alertchannel/add/")
    expect(page.locator("#id_signing_secret")).to_be_hidden()
    page.locator("#id_name").fill("my bot")
    page.locator("#id_kind").select_option("webhook")
    expect(page.locator("#id_bot_token")).to_be_hidden()
    page.locator("#id_webhook_url").fill(f"{receiver.url}/hook")
    page.locator("#id_signing_secret").fill(SECRET)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Now try it out")).to_be_visible()


def make_rule(page, desk):  # noqa: F811
    page.goto(f"{desk}/admin/scoring/alertrule/add/")
    page.locator("#id_name").fill("hot token")
    page.locator("#id_level").fill("1.5")
    expect(page.locator("#id_new_status")).to_be_hidden()
    page.locator("#id_channels").select_option(label="my bot")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator("#past")).to_contain_text("it would have given")


def tick(token, now, score):
    """What the scheduler's jobs do after a poll, each in a process of its own as far as memory goes."""
    figures(token, now)
    scored(token, now, score)
    evaluate(now, active_settings(), Circumstances())
    return deliver(clock=lambda: now)["sent"]


def test_a_channel_and_a_rule_by_clicking_a_test_that_arrives_and_one_alert_for_one_crossing(desk, page, receiver, said):  # noqa: F811
    make_channel(page, desk, receiver)
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("The test was sent in")).to_be_visible()
    make_rule(page, desk)
    now = timezone.now().replace(microsecond=0)
    token = a_token(now, symbol="PI")
    sent = [tick(token, now + timedelta(seconds=30 * place), score) for place, score in enumerate([1.0, 2.0, 2.1, 2.0])]
    assert sent == [0, 1, 0, 0]
    assert [json.loads(got.body)["test"] for got in receiver.received] == [True, False]
    assert all(is_ours(SECRET, got.headers, got.body) for got in receiver.received)
    page.goto(f"{desk}/admin/scoring/alertdelivery/")
    expect(page.locator("#result_list")).to_contain_text("score at 2.00 (alert from 1.50 up)")
    expect(page.locator("#result_list")).to_contain_text("The receiver took it: HTTP 200.")
    assert said == []


def is_ours(secret, headers, body):
    """Exactly what README tells a receiver to do."""
    text = (papers.HERE / "README.md").read_text().partition("## Alerts")[2].partition("\n## ")[0]
    space = {}
    exec(re.findall(r"```python\n(.+?)```", text, re.DOTALL)[0], space)
    by_name = {name: headers[name.lower()] for name in ("X-ToTheMoon-Timestamp", "X-ToTheMoon-Signature")}
    return space["is_ours"](secret, by_name, body) and not space["is_ours"]("another secret", by_name, body)


def test_what_readme_says_of_signatures_is_what_is_sent():
    body, stamp = b'{"id":"x"}', "1795254748"
    signed = "sha256=" + hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert is_ours(SECRET, {"x-tothemoon-timestamp": stamp, "x-tothemoon-signature": signed}, body)


def test_no_secret_comes_back_to_the_browser_and_a_blank_field_keeps_it(desk, page, receiver):  # noqa: F811
    make_channel(page, desk, receiver)
    channel = AlertChannel.objects.get()
    assert SECRET not in page.content()
    assert f"{receiver.url}/hook" not in page.content()
    expect(page.get_by_text(f"ends in …{SECRET[-4:]}")).to_be_visible()
    page.locator("#id_name").fill("another name")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#result_list")).to_contain_text("another name")
    assert SECRET not in page.content()
    channel.refresh_from_db()
    assert (channel.name, channel.signing_secret, channel.webhook_url) == ("another name", SECRET, f"{receiver.url}/hook")


def test_a_test_that_does_not_arrive_says_why(desk, page, receiver):  # noqa: F811
    make_channel(page, desk, receiver)
    receiver.script[:] = [answer(403)]
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("The test did not arrive. HTTP 403. It refuses us.")).to_be_visible()
    assert AlertDelivery.objects.get().state == "gave_up"


def test_a_refused_rule_says_so_beside_its_field(desk, page):  # noqa: F811
    page.goto(f"{desk}/admin/scoring/alertrule/add/")
    page.locator("#id_name").fill("x")
    page.locator("#id_quiet_zone").fill("Mars/Olympus")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("No time zone of that name")).to_be_visible()
    assert AlertRule.objects.count() == 0


@pytest.mark.parametrize("width", [390, 1440])
def test_the_pages_of_alerts_fit_the_screen(desk, page, receiver, width):  # noqa: F811
    make_channel(page, desk, receiver)
    make_rule(page, desk)
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("alertrule/", f"alertrule/{AlertRule.objects.get().pk}/change/", f"alertchannel/{AlertChannel.objects.get().pk}/change/"):
        page.goto(f"{desk}/admin/scoring/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
