"""The list under a reader's hands, in a real chromium: filters, columns, watch-list, keys, and refreshes that leave all that alone."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tokens.models import Token, TokenSnapshot
from tothemoon.tests.page_rows import a_whole_token, address, figures, many_whole_tokens, scored
from tothemoon.tests.test_accessible_in_a_browser import complaints
from tothemoon.tests.test_pages_in_a_browser import browser, market, now, page, pytestmark, refreshed_with, said, symbols  # noqa: F401

SHIFTS = """
    window.shifts = [];
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.shifts.push([entry.value, entry.sources.map((source) => source.node?.textContent)]);
    }).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture
def priced(market):  # noqa: F811
    """GOAT is shallow, USDP has no known liquidity."""
    TokenSnapshot.objects.filter(token__symbol="GOAT").update(liquidity=900.0)
    TokenSnapshot.objects.filter(token__symbol="USDP").update(liquidity=None)
    return market


def tick(**scores):
    """New figures and scores for every token, as a tick of the scheduler brings them."""
    ts = timezone.now()
    for token in Token.objects.order_by("pk"):
        figures(token, ts, price=0.00118 * (1 + ts.microsecond / 1e7), tx_count_5m=300 + ts.microsecond % 97)
        scored(token, ts, scores.get(token.symbol, token.last_score_value))


def add_filter(page, **fields):  # noqa: F811
    page.locator("#narrow summary").click()
    for name, value in fields.items():
        page.locator(f"#narrow [name={name}]").fill(value)
    page.locator("#narrow button").click()


def row(page, symbol):  # noqa: F811
    return page.locator("#list [data-token]", has=page.locator(".symbol", has_text=re.compile(f"^{symbol}$")))


def test_a_filter_is_added_shared_taken_away_and_gone_back_to(page, priced, said):  # noqa: F811
    page.goto(priced)
    add_filter(page, min_liquidity="5000", max_age="6 h")
    expect(page.locator("#list .symbol")).to_have_text(["PI"])
    assert page.url.endswith("/?min_liquidity=5k&max_age=6h")
    expect(page.locator(".chip")).to_have_count(2)
    expect(page.locator(".left-out")).to_have_text("1 token is left out because its liquidity is not known.")
    assert page.locator("#narrow").get_attribute("open") is None
    page.reload()
    assert symbols(page) == ["PI"]
    page.locator(".chip", has_text="liquidity").click()
    expect(page.locator("#list .symbol")).to_have_count(3)
    assert page.url.endswith("/?max_age=6h")
    page.go_back()
    expect(page.locator("#list .symbol")).to_have_text(["PI"])
    assert said == []


def test_filters_stay_while_sorting_searching_and_changing_the_list(page, priced, said):  # noqa: F811
    page.goto(f"{priced}/?max_liquidity=1m")
    page.locator("thead a", has_text="Price").click()
    expect(page.locator("thead [aria-sort]")).to_contain_text("Price")
    page.locator("#q").press_sequentially("pi")
    expect(page.locator("#list .symbol")).to_have_text(["PI"])
    assert page.url.endswith("/?q=pi&max_liquidity=1m&sort=-price")
    page.locator(".tabs a", has_text="Initial").click()
    expect(page.locator("#list h1")).to_contain_text("Nothing Initial matches")
    assert page.url.endswith("/?status=Initial&q=pi&max_liquidity=1m&sort=-price")
    assert said == []


def test_a_value_that_cannot_be_is_said_beside_its_field_and_nothing_else_changes(page, priced, said):  # noqa: F811
    page.goto(priced)
    add_filter(page, min_liquidity="much")
    expect(page.locator(".refusal")).to_have_text("min_liquidity is a number with a point for decimals, such as 0.5, 300, 5k or 1.2m.")
    assert page.locator("#narrow").get_attribute("open") is not None
    assert page.locator("#narrow [name=min_liquidity]").input_value() == "much"
    assert len(symbols(page)) == 3
    assert all("400" in line for line in said)


def test_what_is_typed_into_the_filters_outlives_a_refresh(page, priced, said):  # noqa: F811
    page.goto(priced)
    page.locator("#narrow summary").click()
    page.locator("#narrow [name=min_score]").press_sequentially("1.")
    refreshed_with(page, tick)
    page.locator("#narrow [name=min_score]").press_sequentially("5")
    page.keyboard.press("Enter")
    expect(page.locator("#list .symbol")).to_have_text(["PI"])
    assert page.evaluate("document.activeElement.parentElement.id") == "narrow"
    assert said == []


def test_filters_work_without_javascript(browser, priced):  # noqa: F811
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(priced)
    add_filter(plain, min_score="0.9", max_liquidity="1m")
    assert plain.url.endswith("/?max_liquidity=1m&min_score=0.9")
    assert symbols(plain) == ["PI"]
    plain.locator(".chip", has_text="liquidity").click()
    assert symbols(plain) == ["PI", "USDP"]
    assert plain.locator("#columns").is_hidden()
    assert plain.locator(".star").first.is_hidden()
    context.close()


def test_a_column_is_put_away_by_keyboard_and_stays_away(page, market, said):  # noqa: F811
    page.goto(market)
    page.locator("#columns summary").focus()
    page.keyboard.press("Enter")
    page.locator("#columns input[value=price]").focus()
    page.keyboard.press("Space")
    expect(page.locator("thead .c-price")).to_be_hidden()
    refreshed_with(page, tick)
    expect(page.locator("#columns")).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.parentElement.id") == "columns"
    page.reload()
    expect(page.locator("td.c-price").first).to_be_hidden()
    assert page.evaluate("document.documentElement.className") == "js no-price"
    page.locator("#columns summary").click()
    page.locator("#columns input[value=price]").check()
    expect(page.locator("td.c-price").first).to_be_visible()
    assert said == []


def test_a_column_that_is_away_is_away_at_the_first_paint_and_leaves_its_room_to_the_names(page, market):  # noqa: F811
    page.goto(market)
    name = page.locator("tbody .who").first
    before = name.bounding_box()["width"]
    page.evaluate("localStorage.setItem('columns-away', '[\"flow\", \"volume\"]')")
    page.add_init_script(SHIFTS)
    page.reload()
    page.wait_for_load_state("networkidle")
    assert name.bounding_box()["width"] > before + 200
    assert page.evaluate("shifts") == []


def test_a_star_puts_a_token_into_the_watch_list_which_has_an_address(page, market, said):  # noqa: F811
    page.goto(market)
    row(page, "GOAT").locator(".star").click()
    expect(page.locator("#watched .number")).to_have_text("1")
    refreshed_with(page, tick)
    expect(row(page, "GOAT").locator(".star")).to_have_attribute("aria-pressed", "true")
    page.locator("#watched").click()
    assert page.url.endswith(f"/?watch={address(1)}")
    assert symbols(page) == ["GOAT"]
    row(page, "GOAT").locator("a.open").click()
    expect(page.locator("#token .star")).to_have_attribute("aria-pressed", "true")
    page.locator("#token .star").click()
    page.goto(market)
    expect(page.locator("#watched .number")).to_have_text("0")
    assert said == []


def test_two_tabs_have_one_watch_list(page, market):  # noqa: F811
    page.goto(market)
    other = page.context.new_page()
    other.goto(market)
    row(other, "PI").locator(".star").click()
    expect(row(page, "PI").locator(".star")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#watched .number")).to_have_text("1")


def test_a_shared_watch_list_changes_nobodys_own(page, market, said):  # noqa: F811
    page.goto(f"{market}/?watch={address(0)},{'z' * 40}")
    assert symbols(page) == ["PI"]
    expect(page.locator(".left-out")).to_have_text("Not known here: zzzz…zzzz.")
    expect(page.locator("#watched .number")).to_have_text("0")
    assert said == []


def test_the_whole_list_is_used_by_keyboard(page, market, said):  # noqa: F811
    page.goto(market)
    focused = "document.activeElement.querySelector('.symbol').textContent"
    for key, symbol in [("j", "PI"), ("j", "USDP"), ("ArrowDown", "GOAT"), ("k", "USDP"), ("ArrowUp", "PI")]:
        page.keyboard.press(key)
        assert page.evaluate(focused) == symbol
    page.keyboard.press("w")
    expect(row(page, "PI").locator(".star")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    assert page.evaluate(focused) == "PI"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    page.keyboard.press("/")
    page.keyboard.type("wjk?")
    assert page.locator("#q").input_value() == "wjk?"
    assert said == []


def test_who_speaks_to_the_computer_turns_the_letters_off(page, market):  # noqa: F811
    page.goto(market)
    page.locator("[data-keys]").click()
    page.locator("#keys-on").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    for key in ("j", "/", "?"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    assert page.locator("#keys").is_hidden()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.className") == "open"


def test_a_refresh_says_what_has_changed_and_who_has_moved(page, market, said):  # noqa: F811
    page.goto(market)
    refreshed_with(page, lambda: tick(GOAT=2.5))
    expect(row(page, "GOAT").locator(".place")).to_have_attribute("data-moved", "▲2")
    expect(row(page, "PI").locator(".place")).to_have_attribute("data-moved", "▼1")
    expect(row(page, "GOAT").locator("td.score")).to_have_attribute("data-changed", "")
    assert row(page, "GOAT").locator("td.c-age").get_attribute("data-changed") is None
    expect(row(page, "GOAT").locator("td.score")).not_to_have_attribute("data-changed", "")  # it fades away
    refreshed_with(page, lambda: a_whole_token(timezone.now(), 9, symbol="FRESH", score=9))
    expect(row(page, "FRESH").locator(".place")).to_have_attribute("data-moved", "new")
    assert row(page, "USDP").locator(".place").get_attribute("data-moved") != "▼2"  # a newcomer moves nobody
    assert said == []


def test_nothing_jumps_while_the_list_refreshes(page, market, said, now):  # noqa: F811
    many_whole_tokens(now, 20, first=10)
    page.add_init_script(SHIFTS)
    page.goto(market)
    page.evaluate("document.fonts.ready.then(() => { shifts.length = 0 })")  # how it arrives is another test's matter
    for lift in (2.5, 0.1, 3.0):
        refreshed_with(page, lambda lift=lift: tick(GOAT=lift, T12=lift / 2, T15=lift + 1))
        page.wait_for_timeout(500)  # the rows glide to their places
    assert page.evaluate("shifts") == []
    assert said == []


def test_nothing_jumps_on_a_phone_either_and_all_that_matters_is_on_the_screen(page, market, said):  # noqa: F811
    page.set_viewport_size({"width": 390, "height": 844})
    page.add_init_script(SHIFTS)
    page.goto(f"{market}/?min_score=0.1")
    refreshed_with(page, lambda: tick(GOAT=2.5))
    page.wait_for_timeout(500)
    assert page.evaluate("shifts") == []
    for column in ("score", "tx", "volume", "holders", "flow", "price", "liquidity", "age"):
        box = row(page, "GOAT").locator(f"td.c-{column}").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    assert said == []


def test_a_refresh_keeps_hover_tip_scroll_and_selection(page, market, said, now):  # noqa: F811
    many_whole_tokens(now, 40, first=10)
    page.goto(market)
    page.evaluate("scrollTo(0, 500)")
    page.locator("#list td.c-tx").nth(14).hover()
    tip = page.locator("#tip")
    expect(tip).to_contain_text("transactions in 5 minutes")
    page.evaluate("getSelection().selectAllChildren(document.querySelectorAll('#list .symbol')[15])")
    refreshed_with(page, tick)
    expect(tip).to_be_visible()
    assert page.evaluate("scrollY") == 500
    assert page.evaluate("getSelection().toString()") == page.locator("#list .symbol").nth(15).text_content()
    assert said == []


def test_a_line_tells_its_score_and_moment_under_the_pointer_and_a_hole_as_a_hole(page, market, said, now):  # noqa: F811
    pi = Token.objects.get(symbol="PI")
    scored(pi, now - timedelta(minutes=60), 1.25)
    page.goto(market)
    line = row(page, "PI").locator("td.spark svg")
    box = line.bounding_box()
    newest = int(now.timestamp()) // 120 * 120
    place = 60 - (newest - int((now - timedelta(minutes=60)).timestamp()) // 120 * 120) // 120
    page.mouse.move(box["x"] + box["width"] * place / 60, box["y"] + 10)
    expect(page.locator("#tip .said")).to_have_text(
        f"{now - timedelta(minutes=60) - timedelta(seconds=(now - timedelta(minutes=60)).timestamp() % 120):%H:%M} UTC · 1.25"
    )
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + 10)
    expect(page.locator("#tip .said")).to_contain_text("no score")
    ends = page.locator("#tip .axis span").all_text_contents()
    assert len(ends) == 3
    page.mouse.move(2, 400)
    expect(page.locator("#tip")).to_be_hidden()
    row(page, "PI").locator("a.open").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tip .said")).to_contain_text("1.84")
    assert said == []


def test_the_list_is_taken_away_as_a_file(page, priced, said):  # noqa: F811
    page.goto(f"{priced}/?min_liquidity=5k")
    with page.expect_download() as download:
        page.locator("a", has_text="CSV").click()
    text = download.value.path().read_text()
    assert download.value.suggested_filename.startswith("Active-")
    assert [line.split(",")[1] for line in text.splitlines()] == ["symbol", "PI"]
    assert said == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_filters_menus_and_help_can_be_used_by_everybody(page, priced, said, theme):  # noqa: F811
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{priced}/?min_liquidity=5k&dex=orca,pumpswap")
        for menu in ("narrow", "columns"):
            page.locator(f"#{menu} summary").click()
            assert complaints(page, "best-practice") == []
            page.keyboard.press("Escape")
        page.locator("[data-keys]").click()
        assert complaints(page, "best-practice") == []
    page.goto(f"{priced}/?watch={address(0)},{'z' * 40}")
    assert complaints(page, "best-practice") == []
    assert said == []
