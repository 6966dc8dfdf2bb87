"""The charts of a token in a real chromium: one crosshair, hands on the time axis, outages, marks, refreshes that leave all that alone."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from ingestion.models import ListeningGap
from scoring.models import ScoringSettings
from tokens.models import Token, TokenSnapshot
from tothemoon.tests.page_rows import a_pool, a_token, changed, figures, scored, usual_figures
from tothemoon.tests.test_pages_in_a_browser import browser, market, now, page, pytestmark, said  # noqa: F401

OVER = "#charts .panel[data-panel=price] .u-over"
OUTAGE = (3000, 2000)  # seconds ago


@pytest.fixture
def token(market, now):  # noqa: F811
    """Four hours at one snapshot a minute, with an outage, a change of status, one of settings, and a feed that fell silent."""
    token = a_token(now, 50, symbol="CHART", created_at=now - timedelta(hours=4), status_changed_at=now - timedelta(minutes=20))
    moments = [now - timedelta(seconds=second) for second in range(4 * 3600, 0, -60) if not OUTAGE[1] < second < OUTAGE[0]]
    rows = [{**usual_figures(ts), "price": 1e-9 * (100 + place)} for place, ts in enumerate(moments)]
    TokenSnapshot.objects.bulk_create(TokenSnapshot(token=token, ts=ts, **row) for ts, row in zip(moments, rows, strict=True))
    figures(token, now, price=5e-7)
    scored(token, now - timedelta(minutes=30), 0.5)
    ScoringSettings.objects.revise({"min_tx_count": 26}, author=None, note="more")
    scored(token, now - timedelta(minutes=10), 0.7)
    scored(token, now, 0.9)
    changed(token, now - timedelta(minutes=20), "Initial", "Active", "enough liquidity")
    ListeningGap.objects.create(from_ts=now - timedelta(minutes=90), to_ts=now - timedelta(minutes=80), why="the socket fell silent")
    a_pool(token, now)
    return token


@pytest.fixture
def charts(page, market, token):  # noqa: F811
    page.goto(f"{market}/tokens/{token.address}/")
    expect(page.locator("#charts[data-drawn='5']")).to_be_visible()
    page.locator(OVER).scroll_into_view_if_needed()
    page.wait_for_timeout(400)  # a wheel that follows a scroll at once would scroll on
    return page.locator("#charts")


def view(charts):
    return tuple(float(end) for end in charts.get_attribute("data-view").split())


def width(charts):
    start, end = view(charts)
    return end - start


def spot(page, share):  # noqa: F811
    """A point of the price panel, by its share of the width."""
    box = page.locator(OVER).bounding_box()
    return box["x"] + box["width"] * share, box["y"] + box["height"] / 2


def colour_at(page, share, high):  # noqa: F811
    """The colour painted at a point of the price panel."""
    return page.evaluate(
        """([share, high]) => {
            const canvas = document.querySelector("#charts canvas"), over = canvas.parentElement.querySelector(".u-over");
            const x = Math.round((over.offsetLeft + over.clientWidth * share) * devicePixelRatio);
            const y = Math.round((over.offsetTop + over.clientHeight * high) * devicePixelRatio);
            const small = new OffscreenCanvas(8, 8).getContext("2d", { willReadFrequently: true });
            small.drawImage(canvas, x - 4, y - 4, 8, 8, 0, 0, 8, 8);
            return [...small.getImageData(0, 0, 8, 8).data].join();
        }""",
        [share, high],
    )


def test_one_crosshair_runs_through_all_panels_and_every_value_is_read_at_its_moment(charts, page, said):  # noqa: F811
    page.mouse.move(*spot(page, 0.9))
    lines = page.locator("#charts .u-cursor-x").evaluate_all("lines => lines.map(line => line.style.transform)")
    assert len(lines) == 5
    assert len(set(lines)) == 1
    expect(charts.locator("[data-at]")).to_contain_text("UTC")
    expect(charts.locator("[data-panel=price] [data-value]")).to_contain_text("$0.0₆")
    expect(charts.locator("[data-panel=holders] [data-value]")).to_have_text("1,204")
    page.mouse.move(5, 5)
    expect(charts.locator("[data-at]")).to_have_text("")
    expect(charts.locator("[data-panel=price] [data-value]")).to_have_text("$0.0₆5")
    assert said == []


def test_the_wheel_zooms_where_the_hand_is_and_a_double_click_shows_the_whole_again(charts, page, said):  # noqa: F811
    whole = view(charts)
    page.mouse.move(*spot(page, 0.25))
    page.mouse.wheel(0, -500)
    expect(charts).not_to_have_attribute("data-view", " ".join(f"{end:.1f}" for end in whole))
    start, end = view(charts)
    under_the_hand = whole[0] + 0.25 * (whole[1] - whole[0])
    assert end - start < 0.5 * (whole[1] - whole[0])
    assert abs(start + 0.25 * (end - start) - under_the_hand) < 30
    page.mouse.dblclick(*spot(page, 0.5))
    assert width(charts) == pytest.approx(7200, abs=1)
    assert said == []


def test_dragging_moves_all_panels_into_the_past_and_fetches_what_is_missing(charts, page, said):  # noqa: F811
    before = view(charts)
    page.mouse.move(*spot(page, 0.2))
    page.mouse.down()
    page.mouse.move(*spot(page, 0.8), steps=6)
    with page.expect_response(lambda response: "chart.json?from=" in response.url):
        page.mouse.up()
    start, end = view(charts)
    assert end - start == pytest.approx(7200, abs=1)
    assert before[0] - start == pytest.approx(0.6 * 7200, abs=120)
    axes = page.evaluate("[...document.querySelectorAll('#charts .u-over')].map(over => over.clientWidth)")
    assert len(set(axes)) == 1
    assert said == []


def test_nobody_gets_beyond_what_there_is(charts, page, token, said):  # noqa: F811
    for _ in range(12):
        page.get_by_role("button", name="Zoom out").click()
    start, end = view(charts)
    assert start >= token.created_at.timestamp() - 1
    assert end - start == pytest.approx(4 * 3600, abs=30)
    for _ in range(30):
        page.get_by_role("button", name="Zoom in").click()
    assert width(charts) == pytest.approx(60, abs=1)
    assert said == []


def test_the_range_is_changed_without_loading_the_page_again(charts, page, said):  # noqa: F811
    page.evaluate("document.mark = 'the same page'")
    charts.get_by_role("button", name="All").click()
    assert width(charts) == pytest.approx(4 * 3600, abs=30)
    expect(charts.get_by_role("button", name="All")).to_have_attribute("aria-pressed", "true")
    expect(charts.get_by_role("button", name="2 h")).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("document.mark") == "the same page"
    assert said == []


def test_the_keyboard_moves_zooms_and_reads_from_point_to_point(charts, page, said):  # noqa: F811
    page.locator("#charts .panels").focus()
    for key in ("+", "ArrowLeft"):
        page.keyboard.press(key)
    start, end = view(charts)
    assert end - start == pytest.approx(7200 / 1.25, abs=1)
    page.keyboard.press("Shift+ArrowLeft")
    first = charts.locator("[data-spoken]").text_content()
    page.keyboard.press("Shift+ArrowLeft")
    assert "Price $0.0₆" in first
    assert charts.locator("[data-spoken]").text_content() != first
    page.keyboard.press("End")
    page.keyboard.press("0")
    assert width(charts) == pytest.approx(7200, abs=1)
    assert said == []


def test_an_outage_is_hatched_no_line_crosses_it_and_the_crosshair_says_how_long_it_was(charts, page, now, said):  # noqa: F811
    outages = json.loads(charts.get_attribute("data-outages"))
    assert [round(end - start) for start, end in outages] == [17 * 60]
    start, end = view(charts)
    inside = ((outages[0][0] + outages[0][1]) / 2 - start) / (end - start)
    assert colour_at(page, inside, 0.15) != colour_at(page, inside - 0.2, 0.15)
    page.mouse.move(*spot(page, inside))
    expect(charts.locator("[data-at]")).to_contain_text("no figures came in for 17 m")
    expect(charts.locator("[data-panel=price] [data-value]")).to_have_text("–")
    assert said == []


def test_changes_of_status_and_settings_and_a_silent_feed_are_named_at_the_crosshair(charts, page, now, said):  # noqa: F811
    start, end = view(charts)
    for ago, words in (
        (20, "Initial → Active: enough liquidity"),
        (10, "“more”"),
        (85, "not listening for new tokens: the socket fell silent"),
    ):
        page.mouse.move(*spot(page, ((now - timedelta(minutes=ago)).timestamp() - start) / (end - start)))
        expect(charts.locator("[data-at]")).to_contain_text(words)
    expect(charts.locator("[data-blind-key]")).to_be_visible()
    assert said == []


def test_a_refresh_brings_new_figures_and_leaves_zoom_pointer_and_canvas_alone(charts, page, token, said):  # noqa: F811
    for _ in range(2):
        page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Earlier").click()
    page.mouse.move(*spot(page, 0.5))
    page.evaluate("for (const canvas of document.querySelectorAll('#charts canvas')) canvas.mark = 'the same'")
    before, pointed = view(charts), charts.locator("[data-at]").text_content()
    with page.expect_response(lambda response: "after=" in response.url and response.status == 200, timeout=20_000) as refreshed:
        figures(Token.objects.get(pk=token.pk), timezone.now(), price=9e-7)
        scored(token, timezone.now(), 1.1)
    assert len(refreshed.value.json()["ts"]) <= 5
    expect(page.locator(".figures dd").first).to_have_text("$0.0₆9")
    assert view(charts) == before
    assert charts.locator("[data-at]").text_content() == pointed
    assert page.evaluate("[...document.querySelectorAll('#charts canvas')].every(canvas => canvas.mark)")
    page.mouse.move(5, 5)
    expect(charts.locator("[data-panel=price] [data-value]")).to_have_text("$0.0₆9")
    assert said == []


def test_prices_of_a_billionth_are_told_apart_on_the_axis_linear_and_by_powers(charts, page, said):  # noqa: F811
    charts.get_by_role("button", name="Log price").click()
    expect(charts.get_by_role("button", name="Log price")).to_have_attribute("aria-pressed", "true")
    texts = page.evaluate(
        """async () => {
            const { ticks, logTicks, tickTexts, WRITERS } = await import("/static/tokens/chart_figures.js");
            const linear = ticks(1.01e-9, 1.02e-9, 5), powers = logTicks(Math.log10(1e-9), Math.log10(5e-6), 5).map((power) => 10 ** power);
            return [tickTexts(linear, WRITERS.money), tickTexts(powers, WRITERS.money)];
        }"""
    )
    assert texts[0][:2] == ["$0.0₈101", "$0.0₈1012"]
    assert texts[1] == ["$0.0₈1", "$0.0₇1", "$0.0₆1", "$0.000001"]
    assert all(len(set(axis)) == len(axis) >= 4 for axis in texts)
    assert said == []


def test_dark_and_light_are_followed_without_loading_anything(charts, page, said):  # noqa: F811
    drawn = "document.querySelector('#charts canvas').toDataURL()"
    light = page.evaluate(drawn)
    page.locator("#theme").click()
    page.wait_for_function(f"light => {drawn} !== light", arg=light)
    page.locator("#theme").click()
    page.wait_for_function(f"light => {drawn} === light", arg=light)
    assert said == []


def test_fingers_move_zoom_and_point_on_a_phone(browser, market, token, said):  # noqa: F811
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    phone = context.new_page()
    phone.on("pageerror", lambda error: said.append(str(error)))
    phone.goto(f"{market}/tokens/{token.address}/")
    charts = phone.locator("#charts[data-drawn='5']")
    phone.locator(OVER).scroll_into_view_if_needed()
    phone.touchscreen.tap(*spot(phone, 0.9))
    expect(charts.locator("[data-at]")).to_contain_text("UTC")
    before = view(charts)
    touch = context.new_cdp_session(phone)

    def fingers(kind, *points):
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(points)]},
        )

    x, y = spot(phone, 0.3)
    fingers("touchStart", (x, y))
    for step in range(1, 9):
        fingers("touchMove", (x + 15 * step, y))
    fingers("touchEnd")
    assert view(charts)[0] < before[0] - 600
    wide = width(charts)
    fingers("touchStart", (x, y), (x + 60, y))
    for step in range(1, 9):
        fingers("touchMove", (x - 5 * step, y), (x + 60 + 10 * step, y))
    fingers("touchEnd")
    assert width(charts) < wide / 2
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    assert said == []
    context.close()


@pytest.mark.parametrize("moments", [[], [5], [90, 60, 30]], ids=["empty", "one point", "young"])
def test_a_token_with_little_to_show_shows_that(page, market, now, said, moments):  # noqa: F811
    token = a_token(now, 51, created_at=now - timedelta(seconds=100))
    for ago in moments:
        figures(token, now - timedelta(seconds=ago))
    page.goto(f"{market}/tokens/{token.address}/")
    expect(page.locator(f"#charts[data-drawn='{4 if moments else 0}']")).to_be_visible()
    assert page.locator("#charts [data-message]").is_visible() == (not moments)
    assert page.locator("#charts .panel.unknown").count() == (1 if moments else 5)
    assert said == []
