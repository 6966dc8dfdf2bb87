"""The console's whole story in a real chromium: a slider moves, the preview changes, the draft is saved, the next tick uses it; two
revisions stand side by side; a duel is begun, follows the ticks, says what it knows and is ended."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from scoring import console
from scoring.history import History
from scoring.models import Duel, DuelLook, ScoringSettings, ShadowScore, TokenScore
from tothemoon import jobs
from tothemoon.benches.tick import FRESHNESS, record_snapshots, tick
from tothemoon.tests.page_rows import in_force
from tothemoon.tests.test_duel_page import a_duel
from tothemoon.tests.test_jobs import work
from tothemoon.tests.test_pages_in_a_browser import browser, now, page, pytestmark, said  # noqa: F401
from tothemoon.tests.test_whatif import a_market


@pytest.fixture
def market(live_server, monkeypatch, admin_client, page):  # noqa: F811
    in_force()
    monkeypatch.setattr(console, "HISTORY", History(hours=24))
    cookie = admin_client.cookies["session"]
    page.context.add_cookies([{"name": "session", "value": cookie.value, "url": live_server.url}])
    market = a_market(tokens=12, ticks=6, pause=timedelta(seconds=70))
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
    expect(page.locator("#told-weight_vol_momentum")).to_contain_text("The draft is at 0.9.")
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
    at = "element => { const box = element.getBoundingClientRect(); return [box.left, box.right] }"
    left, right = slider.evaluate(at)
    mark = sum(page.locator("#ahead-weight_tx_accel .ttm-ahead-mark").evaluate(at)) / 2
    assert abs(mark - (left + 8 + (right - left - 16) * 0.25)) <= 1  # under the middle of the thumb, which is 16 wide
    slider.focus()
    slider.press("ArrowRight")
    expect(page.locator("#id_weight_tx_accel")).to_have_value("0.26")
    expect(page.locator("#preview")).to_contain_text("weight_tx_accel 0.25 → 0.26")
    expect(slider).to_have_accessible_description(re.compile("first 5 would stay: .*The draft is at 0.26"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def work_through_a_tick(market):
    """The scheduler's own job, on what a poll has brought."""
    record_snapshots(market.answers(), market.now, FRESHNESS)
    return jobs.score(work(market.now))


def test_a_draft_is_set_aside_duels_with_what_is_in_force_and_the_page_says_what_is_known(market, page, said):  # noqa: F811
    in_force = ScoringSettings.objects.get(active=True)
    move(page, "weight_vol_momentum", "0.9")
    expect(page.locator("#verdict")).to_contain_text("places move")
    page.locator("#id_note").fill("volume first")
    page.get_by_role("button", name="Set aside for a duel").click()
    expect(page.locator(".ttm-done")).to_contain_text("is set aside, not in force")
    page.get_by_role("link", name="Let it duel").click()
    page.get_by_label("What is to be found out?").fill("does volume find the risers?")
    page.get_by_role("button", name="Start the duel").click()
    expect(page.locator("#console h2").first).to_contain_text("does volume find the risers?")
    expect(page.locator("#console h2 .ttm-badge").first).to_have_text("begins with the next tick")
    for _ in range(5):
        work_through_a_tick(market)
    page.reload()
    expect(page.locator("#console h2 .ttm-badge").first).to_have_text("running")
    expect(page.locator(".ttm-verdicts")).to_contain_text("Too few yet to say anything about")
    aside = ScoringSettings.objects.get(set_aside=True)  # one, though the preview was still to be asked for when the button was pressed
    assert set(ShadowScore.objects.values_list("side__settings", "ticks")) == {(aside.pk, 4)}
    assert set(TokenScore.objects.filter(ts=market.now).values_list("settings", flat=True)) == {in_force.pk}
    assert DuelLook.objects.count() >= 2
    page.get_by_role("button", name="Stop the duel").click()
    expect(page.locator("#console h2 .ttm-badge").first).to_have_text("over")
    assert not Duel.objects.filter(running=True).exists()
    assert said == []


@pytest.mark.parametrize("width", [390, 1440])
def test_a_duel_with_a_verdict_fits_the_screen_and_is_asked_other_questions(market, page, said, live_server, now, width):  # noqa: F811
    a_duel(now)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{live_server.url}/admin/scoring/console/duel/")
    page.locator("select[name=first]").select_option("3")
    page.locator("select[name=rise]").select_option("10")
    page.locator("select[name=minutes]").select_option("30")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator(".ttm-verdicts")).to_contain_text("finds more: of its first 3")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []


def test_two_revisions_are_chosen_in_the_list_and_compared(market, page, said):  # noqa: F811
    for name in ("cautious", "early"):
        page.get_by_label(f"Choose #{ScoringSettings.objects.get(preset=name).pk}").check()
    page.get_by_role("button", name="Compare two").click()
    expect(page.locator(".ttm-beside-each")).to_contain_text("min_tx_count")
    expect(page.locator("#console")).to_contain_text("What it would have done")
    assert said == []
