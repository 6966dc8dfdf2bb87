"""The second factor as somebody lives with it: set up, logged out, in again with a code, and once without the phone."""

import re
from base64 import b32decode
from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth.models import User
from django_otp.oath import TOTP
from playwright.sync_api import expect

from tothemoon.tests.test_accessible_in_a_browser import faults
from tothemoon.tests.test_pages_in_a_browser import browser, page, pytestmark, said  # noqa: F401

RIGHT = "a-long-enough-one"


@pytest.fixture
def clock():
    """The site's, which goes on; the browser keeps its own."""
    with time_machine.travel(datetime.now(UTC), tick=True) as travelling:
        yield travelling


@pytest.fixture
def anna(live_server, clock):
    return User.objects.create_superuser("anna", password=RIGHT)


def app(secret):
    made = TOTP(b32decode(secret.replace(" ", "")))
    made.time = datetime.now(UTC).timestamp()
    return f"{made.token():06d}"


def log_in(page, site, code=None):  # noqa: F811
    page.goto(f"{site}/admin/login/")
    page.locator("#id_username").fill("anna")
    page.locator("#id_password").fill(RIGHT)
    if code is not None:
        page.get_by_label("Code of your second factor").fill(code)
    page.get_by_role("button", name="Log in").click()


def log_out(page, site):  # noqa: F811
    page.context.clear_cookies()
    page.goto(f"{site}/admin/")
    expect(page.locator("#id_password")).to_be_visible()


def set_up(page, site):  # noqa: F811
    """The secret and the recovery codes."""
    page.goto(f"{site}/admin/second-factor/")
    page.get_by_label("Your password").fill(RIGHT)
    page.get_by_role("button", name="Set it up").click()
    expect(page.locator(".ttm-qr svg")).to_be_visible()
    secret = page.locator("#secret").inner_text()
    page.get_by_label("The six digits").fill(app(secret))
    page.get_by_role("button", name="Put it in force").click()
    expect(page.get_by_role("heading", name="Write these down now")).to_be_visible()
    return secret, page.locator(".ttm-codes li").all_inner_texts()


def inside(page):  # noqa: F811
    return expect(page.get_by_text("My second factor").first)


def refused(page):  # noqa: F811
    return expect(page.get_by_text("Please enter the correct username and password"))


def test_set_up_logged_out_and_in_again(page, live_server, anna, clock, said):  # noqa: F811
    site = live_server.url
    log_in(page, site)
    inside(page).to_be_visible()
    secret, recovery = set_up(page, site)
    assert len(recovery) == 10

    clock.shift(30)
    log_out(page, site)
    log_in(page, site, "")
    refused(page).to_be_visible()
    log_in(page, site, "000000")
    refused(page).to_be_visible()

    clock.shift(60)
    code = app(secret)
    log_in(page, site, code)
    inside(page).to_be_visible()
    log_out(page, site)
    log_in(page, site, code)  # somebody who looked over a shoulder
    refused(page).to_be_visible()

    log_in(page, site, recovery[0])
    inside(page).to_be_visible()
    page.goto(f"{site}/admin/second-factor/")
    expect(page.get_by_text(re.compile("9 recovery codes\\s+are left"))).to_be_visible()
    log_out(page, site)
    log_in(page, site, recovery[0])
    refused(page).to_be_visible()
    assert said == []


def test_the_sixth_try_is_refused_with_the_right_code_too(page, live_server, anna, clock):  # noqa: F811
    site = live_server.url
    log_in(page, site)
    secret, _ = set_up(page, site)
    log_out(page, site)
    for number in range(5):
        clock.shift(60)
        log_in(page, site, f"{number:06d}")
        refused(page).to_be_visible()
    clock.shift(60)
    log_in(page, site, app(secret))
    expect(page.get_by_text("Too many tries")).to_be_visible()
    clock.shift(15 * 60)
    log_in(page, site, app(secret))
    inside(page).to_be_visible()


def test_every_state_of_the_page_can_be_used_by_everybody(page, live_server, anna, clock):  # noqa: F811
    site = live_server.url
    log_in(page, site)
    inside(page).to_be_visible()
    where = f"{site}/admin/second-factor/"
    assert faults(page, where, "#main", more=()) == ""
    page.get_by_label("Your password").fill(RIGHT)
    page.get_by_role("button", name="Set it up").click()
    assert faults(page, where, ".ttm-qr", more=()) == ""
    page.get_by_label("The six digits").fill(app(page.locator("#secret").inner_text()))
    page.get_by_role("button", name="Put it in force").click()
    expect(page.locator(".ttm-codes")).to_be_visible()
    assert faults(page, where, "#main", more=()) == ""
    page.context.clear_cookies()
    assert faults(page, f"{site}/admin/login/", "form", more=()) == ""
