"""The pages of the stages in a real chromium, on a day of simulated exchange and half an hour of live cycles."""

import json
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import expect

from scoring.models import ScoringSettings
from tokens import ready
from tothemoon.tests.page_rows import in_force
from tothemoon.tests.test_accessible_in_a_browser import complaints
from tothemoon.tests.test_pages_in_a_browser import browser, market, page, pytestmark, said  # noqa: F401
from trading.models import AssetState, EquityPoint, Judgement, PaperAccount, PaperFill, PaperPosition
from trading.run import step
from trading.tests.test_run import EAGER
from trading.tests.test_run import market as bars

HOURS, COINS, CYCLES = 24, 5, 15


@pytest.fixture(scope="module")
def now():
    """One hour for the whole file: its rows are used again and again."""
    return timezone.now()


@pytest.fixture
def traded(market, now, said):  # noqa: F811
    """The market with its cycles in the tables, and the address of the site."""
    in_force()
    ScoringSettings.objects.revise(EAGER, None, "trades a lot")
    minute = now.replace(second=0, microsecond=0)
    bars(HOURS, COINS, minute - timedelta(hours=HOURS))
    for cycle in range(CYCLES, -1, -1):
        step(minute - timedelta(minutes=2 * cycle) + timedelta(seconds=25))
    assert PaperPosition.objects.exists()
    cache.clear()
    ready.forget()
    yield market
    assert said == []


def test_the_pages_tell_what_the_tables_hold(page, traded):  # noqa: F811
    """One market for all that is looked at: making it takes longer than looking."""
    the_overview(page, traded)
    heads_sort_by_mouse_and_by_keys(page, traded)
    a_refresh_keeps_what_the_reader_has_opened(page)
    the_chart(page, traded)
    a_phone_has_room(page, traded)


def the_overview(page, traded):  # noqa: F811
    page.goto(f"{traded}/trading/")
    expect(page.locator(".paper")).to_contain_text("no order is ever sent")
    expect(page.locator("#trading .decisions li").first).to_be_visible()
    assert page.locator("tr[id^=open-]").count() == PaperPosition.objects.filter(closed_at__isnull=True).count()
    assert page.locator("tr[id^=closed-]").count() == PaperPosition.objects.filter(closed_at__isnull=False).count()
    assert page.locator("svg.curve").count() == (2 if EquityPoint.objects.count() > 1 else 0)
    expect(page.locator(".sections [aria-current=page]")).to_have_text("Trading")
    page.get_by_role("link", name="All", exact=True).click()
    page.wait_for_url("**show=all#assets")
    assert page.locator("tr[id^=asset-]").count() == AssetState.objects.count()


def heads_sort_by_mouse_and_by_keys(page, traded):  # noqa: F811
    def names():
        return page.locator("tr[id^=asset-] th").all_inner_texts()

    head = page.locator("#assets thead").get_by_role("link", name="Asset")
    head.click()
    page.wait_for_url("**sort=name*")
    expect(page.locator("#assets th[aria-sort=ascending]")).to_have_count(1)
    assert names() == sorted(names())
    head.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**sort=-name*")
    expect(page.locator("#assets th[aria-sort=descending]")).to_have_count(1)
    assert names() == sorted(names(), reverse=True)
    assert page.evaluate("document.activeElement.innerText").startswith("Asset")
    shared = names()
    page.goto(page.url)
    assert names() == shared
    page.goto(f"{traded}/trading/?show=all")


def a_refresh_keeps_what_the_reader_has_opened(page):  # noqa: F811
    row = page.locator("tr[id^=asset-]").first
    page.evaluate("document.querySelector('tr[id^=asset-]').mark = 'the same element'")
    page.locator("#assets input[name=q]").fill("half a wo")
    page.evaluate("scrollTo(0, 500)")
    AssetState.objects.update(alert=True)
    PaperAccount.objects.update(cycles=PaperAccount.objects.get().cycles + 1)
    expect(row.locator(".alert")).to_be_visible(timeout=15_000)
    expect(page.locator("#assets input[name=q]")).to_have_value("half a wo")
    assert page.evaluate("scrollY") == 500
    assert page.evaluate("document.querySelector('tr[id^=asset-]').mark") == "the same element"


def the_chart(page, traded):  # noqa: F811
    traded_one = PaperPosition.objects.order_by("-opened_at").first()
    with page.expect_response("**/chart.json?*") as answered:
        page.goto(f"{traded}/trading/{traded_one.token.address}/")
    told = json.loads(answered.value.text())
    fills = PaperFill.objects.filter(position__token=traded_one.token).count()
    assert sum(point["kind"] in ("entry", "exit") for point in told["points"]) == fills
    assert sum(point["kind"] == "trigger" for point in told["points"]) == Judgement.objects.filter(token=traded_one.token).count()
    assert {line["kind"] for line in told["lines"]} >= {"level", "entry", "stop", "target"}
    expect(page.locator("#charts[data-drawn='2']")).to_be_visible()
    assert ink(page, "--up") > 0  # targets and what was bought are on the canvas, in their own colour
    page.locator("#charts .panels").focus()
    for _ in range(200):
        page.keyboard.press("Shift+ArrowLeft")
        if "→" in page.locator("#charts [data-at]").inner_text():
            break
    expect(page.locator("#charts [data-at]")).to_contain_text("→")  # the crosshair names what was decided there
    before = page.locator("#charts").get_attribute("data-view")
    page.keyboard.press("+")
    expect(page.locator("#charts")).not_to_have_attribute("data-view", before)
    page.get_by_role("link", name="Figures and score").click()
    page.get_by_role("link", name="Paper trading").first.click()
    expect(page.locator("#asset h1")).to_contain_text(traded_one.token.address)


def ink(page, name):  # noqa: F811
    """How many pixels of the price panel have a colour of the palette."""
    return page.evaluate(
        """name => {
        const probe = Object.assign(document.createElement("i"), {hidden: false});
        document.body.append(probe); probe.style.color = getComputedStyle(document.documentElement).getPropertyValue(name);
        const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number); probe.remove();
        const canvas = document.querySelector("#charts .panel[data-panel=price] canvas");
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let found = 0;
        for (let at = 0; at < data.length; at += 4)
            if (Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) < 12) found++;
        return found;
    }""",
        name,
    )


def everybody_can_use_them(page):  # noqa: F811
    assert complaints(page, "best-practice") == []


def a_phone_has_room(page, traded):  # noqa: F811
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/trading/", page.url.removeprefix(traded)):
        page.goto(traded + path)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        expect(page.get_by_role("link", name="Trading", exact=True)).to_be_visible()
        everybody_can_use_them(page)
    for result in page.locator(".trades .won").all():
        there = result.bounding_box()
        assert there is not None
        assert there["x"] + there["width"] <= 390


def test_before_the_first_cycle_the_page_says_what_it_waits_for(page, market, said):  # noqa: F811
    page.goto(f"{market}/trading/")
    expect(page.locator("#trading")).to_contain_text("The stages have not run yet")
    assert said == []
