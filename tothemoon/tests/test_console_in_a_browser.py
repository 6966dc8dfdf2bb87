"""The console's whole story in a real chromium: a slider moves, the preview changes, the draft is saved, the next tick uses it."""

import pytest
from playwright.sync_api import expect

from scoring import console
from scoring.history import History
from scoring.models import ScoringSettings, TokenScore
from tothemoon.benches.tick import tick
from tothemoon.tests.page_rows import in_force
from tothemoon.tests.test_pages_in_a_browser import browser, page, pytestmark, said  # noqa: F401
from tothemoon.tests.test_whatif import a_market


@pytest.fixture
def market(live_server, monkeypatch, admin_client, page):  # noqa: F811
    in_force()
    monkeypatch.setattr(console, "HISTORY", History(hours=24))
    cookie = admin_client.cookies["session"]
    page.context.add_cookies([{"name": "session", "value": cookie.value, "url": live_server.url}])
    market = a_market(tokens=12, ticks=6)
    page.goto(f"{live_server.url}/admin/scoring/console/")
    return market


def move(page, name, value):  # noqa: F811
    """As a hand does: the slider takes its number along."""
    page.locator(f"input[type=range][data-for=id_{name}]").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})) }", value
    )


def test_a_slider_moves_the_preview_changes_and_the_next_tick_uses_what_was_saved(market, page, said):  # noqa: F811
    expect(page.locator("#verdict")).to_contain_text("No difference")
    move(page, "weight_vol_momentum", "0.9")
    expect(page.locator("#id_weight_vol_momentum")).to_have_value("0.9")
    expect(page.locator("#verdict")).to_contain_text("places move")
    expect(page.locator("#preview")).to_contain_text("weight_vol_momentum 0.25 → 0.9")
    page.locator("#id_note").fill("volume first")
    page.get_by_role("button", name="Save as a revision").press("Enter")
    expect(page.locator(".ttm-done")).to_contain_text("is in force")
    saved = ScoringSettings.objects.get(active=True)
    tick(market.answers(), market.now)
    assert (saved.weight_vol_momentum, saved.note) == (0.9, "volume first")
    assert set(TokenScore.objects.filter(ts=market.now).values_list("settings", flat=True)) == {saved.pk}
    assert said == []


def test_a_refused_number_says_so_beside_itself_and_the_mended_one_brings_the_preview_back(market, page, said):  # noqa: F811
    page.locator("#id_ewma_alpha").fill("0,5")
    expect(page.locator("#beside-ewma_alpha .ttm-refused")).to_contain_text("plain digits")
    page.locator("#id_ewma_alpha").fill("0.5")
    expect(page.locator("#beside-ewma_alpha")).to_contain_text("half-life")
    expect(page.locator("#beside-ewma_alpha .ttm-refused")).to_have_count(0)
    expect(page.locator("#verdict")).to_contain_text("places move")
    page.locator("text=Discard").click()
    expect(page.locator("#verdict")).to_contain_text("No difference")
    assert said == []


@pytest.mark.parametrize("width", [390, 1440])
def test_the_console_fits_the_screen_and_its_sliders_obey_the_keyboard(market, page, width):  # noqa: F811
    page.set_viewport_size({"width": width, "height": 800})
    slider = page.locator("input[type=range]").first
    slider.focus()
    slider.press("ArrowRight")
    expect(page.locator("#id_weight_tx_accel")).to_have_value("0.26")
    expect(page.locator("#preview")).to_contain_text("weight_tx_accel 0.25 → 0.26")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
