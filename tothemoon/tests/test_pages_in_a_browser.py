"""The public pages in a real chromium: what only a browser can tell. Skipped, with the reason, where there is none."""

import os
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ingestion.models import Heartbeat
from tokens import views
from tokens.models import Token
from tothemoon.tests.page_rows import a_whole_token, address, figures, many_whole_tokens, scored
from tothemoon.tests.suite import chromium

CHROMIUM = chromium() or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="no chromium on this machine (Debian: apt install chromium)"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this file."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # playwright runs an event loop in the test's thread
    with sync_playwright() as playwright:
        expect.set_options(timeout=15_000)  # a busy machine answers late; what never comes is waited for no longer
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def said() -> list[str]:
    """What the browser complained about: errors of scripts, of the content security policy, of loading."""
    return []


def _complaint(message) -> bool:
    """A refresh that the reader's own click overtook is no trouble, though htmx reports it as one."""
    overtaken = message.text.startswith(("htmx:sendAbort", "htmx:afterRequest"))
    return message.type in {"error", "warning"} and not overtaken


@pytest.fixture
def page(browser, said) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light", permissions=["clipboard-write"])
    tab = context.new_page()
    tab.set_default_timeout(15_000)
    tab.set_default_navigation_timeout(20_000)  # the first page of a test may wait for a busy machine
    tab.on("console", lambda message: said.append(message.text) if _complaint(message) else None)
    tab.on("pageerror", lambda error: said.append(str(error)))
    yield tab
    context.close()


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def market(live_server, now, monkeypatch):
    """Three Active tokens of a running system, on a list that refreshes faster than usual."""
    monkeypatch.setattr(views, "REFRESH_SEC", 1)
    detail = {"connected": True, "last_message_at": now.isoformat(), "ok": True, "ms": 70}
    for component in ("listener", "scheduler", "job:poll_initial", "job:poll_active", "job:score"):
        Heartbeat.objects.create(component=component, ts=now, detail=detail)
    for index, (symbol, score) in enumerate([("PI", 1.84), ("GOAT", 0.71), ("USDP", 0.97)]):
        a_whole_token(now, index, symbol=symbol, name=f"{symbol} coin", score=score)
    cache.clear()
    return live_server.url


def symbols(page):
    return page.locator("#list .symbol").all_text_contents()


def refreshed_with(page, change):
    """Carry out a change, and wait until the page has fetched the list again by itself."""
    with page.expect_response(lambda response: response.request.headers.get("hx-target") == "list" and response.status == 200):
        change()


def test_the_list_refreshes_by_itself_without_losing_scroll_or_focus(page, market, said, now):
    many_whole_tokens(now, 30, first=10)
    page.goto(market)
    page.evaluate("scrollTo(0, 400); document.querySelector('#list tbody').mark = 'the same element'")
    page.locator("#list a.open").nth(12).focus()
    where = "document.activeElement.getBoundingClientRect().top"
    before = page.evaluate(where)
    goat = Token.objects.get(symbol="GOAT")

    def goat_overtakes():
        figures(goat, timezone.now())
        scored(goat, timezone.now(), 2.5)

    refreshed_with(page, goat_overtakes)
    expect(page.locator("#list .symbol").first).to_have_text("GOAT")
    assert abs(page.evaluate(where) - before) < 2  # the row the reader looks at stays where it is on the screen
    assert page.evaluate("document.activeElement.className") == "open"
    assert page.evaluate(f"document.getElementById('t-{address(0)}').mark") == "the same element"
    assert said == []


def test_an_unchanged_list_is_not_drawn_again(page, market, said):
    page.goto(market)
    # One refresh may fall on a new minute, when the ages change; the next one cannot.
    with page.expect_response(lambda response: response.request.headers.get("hx-target") == "list" and response.status == 304):
        pass
    assert symbols(page) == ["PI", "USDP", "GOAT"]
    assert said == []


def test_the_search_narrows_the_list_while_typing_and_keeps_the_address(page, market, said):
    page.goto(market)
    page.locator("#q").press_sequentially("goa")
    expect(page.locator("#list .symbol")).to_have_count(1)
    assert page.url.endswith("/?q=goa")
    page.locator("#q").fill("nothing like it")
    expect(page.locator("#list h1")).to_contain_text("Nothing Active matches")
    assert said == []


def test_a_click_on_a_head_sorts_and_going_back_undoes_it(page, market, said):
    page.goto(market)
    page.locator("thead a", has_text="Score").click()
    expect(page.locator("#list .symbol").first).to_have_text("GOAT")
    assert page.locator("thead [aria-sort]").get_attribute("aria-sort") == "ascending"
    page.go_back()
    expect(page.locator("#list .symbol").first).to_have_text("PI")
    assert said == []


def test_the_keyboard_searches_walks_and_opens(page, market, said):
    page.goto(market)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.querySelector('.symbol').textContent") == "USDP"
    for _ in ("the score", "its line", "the transactions"):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#tip")).to_contain_text("transactions in 5 minutes")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("USDP")
    assert said == []


def test_the_choice_of_dark_or_light_is_remembered(page, market, said):
    page.goto(market)
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.locator("#theme").click()
    dark = page.evaluate(paper)
    page.reload()
    assert light != dark == page.evaluate(paper)
    assert said == []


def test_a_system_in_dark_gets_a_dark_page(browser, market):
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(market)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 19, 22)"
    context.close()


@pytest.mark.parametrize("path", ["/", "/?q=" + "x" * 80, f"/tokens/{address(7)}/", f"/tokens/{'z' * 64}/"])
def test_nothing_overflows_whatever_the_width(page, market, said, now, path):
    a_whole_token(now, 7, symbol="W" * 40, name="An endless name without a break" * 3, held=True)
    page.goto(market + path)
    for width in (1280, 1130, 1024, 768, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        expect(page.locator("html")).to_have_js_property("scrollWidth", width)  # waits: the charts follow a frame later
    assert [line for line in said if "404" not in line] == []


@pytest.mark.parametrize("language", ["uk", "ru"])
def test_longer_words_and_thousands_of_tokens_keep_to_the_narrowest_screen(browser, market, now, language):
    Token.objects.bulk_create(Token(address=f"A{number:043}", status="Archived", created_at=now) for number in range(1200))
    cache.clear()
    context = browser.new_context(locale=language, viewport={"width": 320, "height": 844})
    page = context.new_page()
    for path in ("/", "/?status=Archived", f"/tokens/{address(0)}/", "/trading/"):
        page.goto(market + path)
        assert page.evaluate("document.documentElement.scrollWidth") == 320, path
        assert page.evaluate("document.documentElement.lang") == language
    context.close()


def test_the_address_can_be_copied(page, market, said):
    page.goto(f"{market}/tokens/{address(0)}/")
    page.locator("button.copy").click()
    expect(page.locator("button.copy[data-said]")).to_have_attribute("data-said", "copied")
    assert said == []


def test_without_javascript_everything_can_be_read(browser, market):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(market)
    assert symbols(page) == ["PI", "USDP", "GOAT"]
    assert "high because" in page.locator("#list").inner_text()
    page.locator("thead a", has_text="Score").click()
    assert symbols(page) == ["GOAT", "USDP", "PI"]
    page.locator("#list a.open").first.click()
    assert "Is archived after" in page.locator("main").inner_text()
    assert page.locator("#theme").is_hidden()
    context.close()


def test_a_name_full_of_markup_runs_nothing(page, market, said, now):
    a_whole_token(now, 8, symbol="<script>alert(1)</script>", name='" onmouseover="alert(1)" x="<img src=x onerror=alert(2)>', score=9)
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(market)
    page.locator("#list a.open").first.hover()
    page.locator("#list td.metric").first.hover()
    page.locator("#list a.open").first.click()
    expect(page.locator("h1")).to_contain_text("<script>alert(1)</script>")
    assert said == []


def test_a_site_that_stops_answering_is_told_on_the_page(page, market):
    page.goto(market)
    page.route("**/*", lambda route: route.abort())
    expect(page.locator("#offline")).to_contain_text("has not been refreshed since", timeout=8_000)


def test_the_first_page_is_small(page, market, now):
    many_whole_tokens(now, 50, first=10)
    sizes = []
    page.on("response", lambda response: sizes.append(len(response.body())))
    page.goto(market)
    page.wait_for_load_state("load")
    assert sum(sizes) < 600_000  # as sent by the development server, without compression


def test_the_language_is_switched_by_a_click_kept_and_followed_by_pages_that_are_open(browser, market, said):
    context = browser.new_context(viewport={"width": 390, "height": 800}, locale="en")
    first, second = context.new_page(), context.new_page()
    for tab in (first, second):
        tab.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
        tab.goto(f"{market}/?status=Active&min_score=0.5")
        expect(tab.locator("html")).to_have_attribute("lang", "en")
    first.get_by_role("link", name="Українська").click()
    expect(first).to_have_url(f"{market}/?status=Active&min_score=0.5")
    expect(first.locator("#tabs")).to_contain_text("Активні")
    expect(first.locator("#list time[data-age=short]").first).to_contain_text("год")
    expect(second.locator("html")).to_have_attribute("lang", "uk", timeout=15_000)  # its next refresh came in another language than its own
    first.locator("a.open").first.click()
    expect(first.locator("h2").first).to_have_text("З чого складається оцінка")
    expect(first.locator("#charts [data-range]").first).to_have_text("2 год")
    first.get_by_role("link", name="English").click()
    expect(first.locator("h2").first).to_have_text("The score, part by part")
    assert said == []
    context.close()


def test_the_language_is_switched_without_javascript(browser, market):
    context = browser.new_context(java_script_enabled=False, locale="de")
    tab = context.new_page()
    tab.goto(f"{market}/?status=Initial")
    tab.get_by_role("link", name="Русский").click()
    expect(tab).to_have_url(f"{market}/?status=Initial")
    expect(tab.locator("html")).to_have_attribute("lang", "ru")
    context.close()
