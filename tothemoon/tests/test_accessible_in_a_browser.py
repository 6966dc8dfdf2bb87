"""Every page of ours by the rules of WCAG 2.2, level AA, as far as axe can tell: in the dark and in the light, wide and on a phone."""

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import expect

from ingestion.models import Heartbeat, ListeningGap, QuarantinedFrame
from learning import verdict_report
from learning.tests import markets
from learning.tests.evidence_rows import make_true_chain
from learning.tests.small_models import registered
from learning.tests.stored_markets import store
from tokens.models import Token
from tothemoon.tests.page_rows import a_pool, a_token, a_whole_token, address, changed, figures, part, scored
from tothemoon.tests.test_pages_in_a_browser import browser, market, now, page, pytestmark, said  # noqa: F401

LEVEL_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WIDTHS = {"wide": 1440, "phone": 390}


def complaints(page, *more):  # noqa: F811
    """What axe finds wrong, one line an element."""
    rules = {
        "runOnly": {"type": "tag", "values": [*LEVEL_AA, *more]},
        "rules": {"target-size": {"enabled": True}},
        "resultTypes": ["violations"],
    }
    found = Axe().run(page, options=rules).response["violations"]
    return [f"{rule['id']}: {node['target'][0]} {node['html'][:160]}" for rule in found for node in rule["nodes"]]


def faults(page, address, ready="main", more=("best-practice",)):  # noqa: F811
    """Over both themes and both widths; of our own pages also what axe calls good practice."""
    seen = {}
    for theme in ("light", "dark"):
        for name, width in WIDTHS.items():
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.set_viewport_size({"width": width, "height": 900})
            assert page.goto(address).status < 500
            expect(page.locator(ready).first).to_be_visible()
            seen |= dict.fromkeys(complaints(page, *more), f"{theme}, {name}")
    return "\n".join(f"{line}   [{where}]" for line, where in seen.items())


@pytest.fixture
def odd_tokens(market, now):  # noqa: F811
    """One of every kind that a list can hold, on a market that runs."""
    held = a_whole_token(now, 20, symbol="HELD", held=True)
    changed(held, now - timedelta(minutes=5), "Initial", "Active", "by hand: watching it", "anna")
    stale = a_token(now, 21, symbol="STALE")
    figures(stale, now - timedelta(hours=1), contradictions="price_jump")
    scored(stale, now - timedelta(hours=1), 0.3, orderflow_imbalance=part(0.1, "estimated"), holder_growth=part(None, "no_history"))
    a_token(now, 22, symbol="NEW", status="Initial")
    a_whole_token(now, 23, status="Archived", symbol="GONE")
    for number in range(12):
        a_pool(held, now, number + 1)
    return market


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/?status=Initial", "/?status=Archived", "/?q=nothing+like+it", "/?sort=nonsense"),
        *(f"/tokens/{'z' * 44}/", "/nowhere/", "/api/"),
        *("/trading/", f"/trading/{address(20)}/"),
        *("/evidence/", "/evidence/?predictor=nothing"),
    ],
)
def test_a_public_page_can_be_used_by_everybody(page, odd_tokens, path):  # noqa: F811
    assert faults(page, odd_tokens + path) == ""


@pytest.mark.parametrize("symbol", ["HELD", "STALE", "NEW", "GONE"])
def test_the_page_of_a_token_can_be_used_by_everybody(page, odd_tokens, symbol):  # noqa: F811
    assert faults(page, f"{odd_tokens}/tokens/{Token.objects.get(symbol=symbol).address}/", "#charts[data-drawn]") == ""


def test_a_verdict_can_be_read_by_everybody(page, market, now):  # noqa: F811
    store(markets.market(7, 0.12, tokens=12, hours=12), now.replace(second=0, microsecond=0))
    verdict_report.forget()
    cache.clear()
    assert faults(page, f"{market}/evidence/?predictor=tx_accel&horizon=15", ".plots") == ""


def test_signals_and_a_passport_worked_out_again_can_be_read_by_everybody(page, market, now):  # noqa: F811
    chain = make_true_chain(now.replace(second=0, microsecond=0) - timedelta(minutes=1), "EVID")
    cache.clear()
    passport = f"{market}/evidence/signals/{chain.signals['score'].pk}/"
    assert faults(page, f"{market}/evidence/signals/") == ""
    assert faults(page, passport) == ""
    page.locator("#again button").click()
    expect(page.locator(".answer-again")).to_be_visible()
    assert complaints(page, "best-practice") == []
    for path in (passport, f"{market}/evidence/signals/", f"{market}/evidence/"):
        page.set_viewport_size({"width": 320, "height": 844})
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") == 320, path


def test_the_models_and_their_pages_can_be_used_by_the_operator(page, market, now, admin_client, models_folder):  # noqa: F811
    row = registered(models_folder, now)
    page.context.add_cookies([{"name": "session", "value": admin_client.cookies["session"].value, "url": market}])
    change = f"/admin/learning/modelversion/{row.pk}/change/"
    for path in ("/admin/learning/modelversion/", change, f"/admin/learning/modelversion/{row.pk}/by-hand/promote/", "/admin/evidence/"):
        assert faults(page, market + path, "#main", more=()) == "", path


def test_a_list_in_trouble_can_be_used_by_everybody(page, market, now):  # noqa: F811
    Heartbeat.objects.update(ts=now - timedelta(hours=2))
    ListeningGap.objects.create(from_ts=now - timedelta(hours=1), why="no message for 90 s")
    cache.clear()
    assert faults(page, market, ".trouble") == ""


def test_a_list_without_anything_can_be_used_by_everybody(page, live_server):  # noqa: F811
    cache.clear()
    assert faults(page, live_server.url) == ""


def test_the_login_can_be_used_by_everybody(page, live_server):  # noqa: F811
    assert faults(page, f"{live_server.url}/admin/", "form", more=()) == ""


@pytest.mark.parametrize(
    "path",
    [
        "/admin/",
        "/admin/scoring/console/",
        "/admin/tokens/token/",
        f"/admin/tokens/token/?q={address(20)}",
        "/admin/scoring/scoringsettings/",
        "/admin/ingestion/quarantinedframe/",
    ],
)
def test_a_page_for_the_operator_can_be_used_by_everybody(page, odd_tokens, admin_client, path):  # noqa: F811
    QuarantinedFrame.objects.create(reason="not JSON", payload="{", size=1)
    page.context.add_cookies([{"name": "session", "value": admin_client.cookies["session"].value, "url": odd_tokens}])
    assert faults(page, odd_tokens + path, "#main", more=()) == ""
