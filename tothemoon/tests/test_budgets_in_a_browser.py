"""How light and how calm the public pages are, as a browser sees them: bytes over the wire, layout shifts, complaints, foreign hosts."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from ingestion.models import Heartbeat
from tokens import views
from tokens.models import Token
from tothemoon.tests.page_rows import address, figures, many_whole_tokens, scored
from tothemoon.tests.test_pages_in_a_browser import browser, now, page, pytestmark, said  # noqa: F401

FIRST_PAGE_KB = 150
ROWS = 60
CALM = 0.01  # a tenth of what Lighthouse still calls good
SHIFTS = (
    "new PerformanceObserver(list => (window.shifts ??= []).push(...list.getEntries())).observe({type: 'layout-shift', buffered: true})"
)


def alive():
    """All parts of the system have just been heard of."""
    moment = timezone.now()
    detail = {"connected": True, "last_message_at": moment.isoformat(), "ok": True, "ms": 70}
    for component in ("listener", "scheduler", "job:poll_initial", "job:poll_active", "job:score"):
        Heartbeat.objects.update_or_create(component=component, defaults={"ts": moment, "detail": detail})


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """The static files as an installation has them: in one folder, with compressed ones beside them."""
    folder = tmp_path_factory.mktemp("static")
    with override_settings(STATIC_ROOT=folder):
        call_command("collectstatic", interactive=False, verbosity=0)
    return folder


@pytest.fixture
def site(transactional_db, collected, settings, monkeypatch, now):  # noqa: F811
    """The site as it is installed, whitenoise and all, with a page of tokens on it."""
    settings.STATIC_ROOT, settings.WHITENOISE_USE_FINDERS = collected, False
    monkeypatch.setattr("django.contrib.staticfiles.handlers.StaticFilesHandler", lambda application: application)
    monkeypatch.setattr(views, "REFRESH_SEC", 1)
    alive()
    token = many_whole_tokens(now, ROWS)[0]
    for minute in range(120, 0, -1):
        figures(token, now - timedelta(minutes=minute), price=1e-5 * (200 + minute))
        scored(token, now - timedelta(minutes=minute), 0.5 + minute / 1000)
    figures(token, now)
    scored(token, now, 0.9)
    cache.clear()
    server = LiveServer("localhost")
    yield server.url
    server.stop()


@pytest.fixture
def wire(page):  # noqa: F811
    """Bytes of every answer as they came over the wire, by address, and the hosts that were asked."""
    session, addresses, sizes = page.context.new_cdp_session(page), {}, {}
    session.on("Network.requestWillBeSent", lambda event: addresses.setdefault(event["requestId"], event["request"]["url"]))
    session.on("Network.loadingFinished", lambda event: sizes.setdefault(addresses[event["requestId"]], event["encodedDataLength"]))
    session.send("Network.enable")
    return sizes


def watch_shifts(page):  # noqa: F811
    page.add_init_script(SHIFTS)


def arrived(page):  # noqa: F811
    """Two frames after it is whole. What a browser has of a page is drawn while the rest arrives; a line that goes on then is a shift."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.evaluate("window.arrived = performance.now()")


def shift_while_arriving(page):  # noqa: F811
    return page.evaluate(
        "(window.shifts ?? []).filter(shift => shift.startTime <= window.arrived).reduce((sum, { value }) => sum + value, 0)"
    )


def shifts(page):  # noqa: F811
    """What moved in the whole page without the reader's doing, and from where to where. A longer figure in a column that is aligned at its
    right begins further left: a browser calls that a shift of its text; nothing around it moves, so it is none here."""
    return page.evaluate(
        """(window.shifts ?? []).filter(shift => shift.startTime > window.arrived && !shift.hadRecentInput)
            .flatMap(({ value, sources }) => sources
            .filter(({ node, previousRect, currentRect }) => node?.nodeType === 1 || previousRect.y !== currentRect.y)
            .map(({ node, previousRect, currentRect }) => {
                const name = node?.nodeType === 1 ? node : node?.parentElement;
                const rect = ({ x, y, width, height }) => [x, y, width, height].join();
                return `${value.toFixed(4)} ${name?.outerHTML.slice(0, 120)} ${rect(previousRect)} → ${rect(currentRect)}`;
            }))"""
    )


PAGES = {"list": ("/", "#list .token"), "token": (f"/tokens/{address(0)}/", "#charts[data-drawn='5']")}


@pytest.mark.parametrize("name", PAGES)
def test_a_first_page_is_small_asks_nobody_else_and_says_nothing_wrong(page, site, wire, said, name):  # noqa: F811
    path, ready = PAGES[name]
    page.goto(site + path, timeout=20_000)
    expect(page.locator(ready).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert len(wire) >= 8
    assert sum(wire.values()) < FIRST_PAGE_KB * 1024, sorted(wire.items(), key=lambda pair: -pair[1])
    assert [asked for asked in wire if not asked.startswith((site, "data:"))] == []
    assert said == []


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_moves_while_a_page_is_drawn_and_refreshed(page, site, said, name, width):  # noqa: F811
    """Figures get longer and shorter, states come and go; the order of the list stays, for a row that overtakes has to move."""
    path, ready = PAGES[name]
    page.set_viewport_size({"width": width, "height": 900})
    watch_shifts(page)
    page.goto(site + path, timeout=20_000)
    expect(page.locator(ready).first).to_be_visible()
    page.wait_for_load_state("load")
    arrived(page)
    token, part = Token.objects.get(address=address(0)), "list" if name == "list" else "token"
    for price, holders, volume in ((1.5, 999_999, 3.0), (0.0000000123, None, 123_456_789.0), (0.02, 7, None)):
        with page.expect_response(lambda answer: answer.request.headers.get("hx-target") == part and answer.status == 200, timeout=15_000):
            alive()
            figures(token, timezone.now(), price=price, holders=holders, volume_5m=volume)
            scored(token, timezone.now(), 0.9)
        page.wait_for_timeout(300)  # a shift is noted with the next frames
    assert "\n".join(shifts(page)) == ""
    assert shift_while_arriving(page) < CALM
    assert said == []
