"""The pages of the stages: state first, every figure with its reason, and never more queries for more rows."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from scoring.models import ScoringSettings
from tokens import ready
from tokens.models import Token
from trading import asset_chart, overview, records
from trading.asset_list import SORTS, Wanted, heads, wanted
from trading.models import AssetState, EquityPoint, Judgement, LedgerAccount, PaperAccount, PaperFill, PaperPosition, SkippedSignal
from trading.tests.test_published import judged

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    """The pages read the clock themselves; the rows stand around that moment."""
    return timezone.now().replace(microsecond=0)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()
    ready.forget()


def asset(number: int, now: datetime, **changes: Any) -> AssetState:
    token = Token.objects.create(address=f"T{number}", symbol=f"S{number}", status="Active", chain="solana")
    fields = {"ts": now, "settings": ScoringSettings.objects.get(active=True), "kept": True, "price": 1.2e-6} | changes
    return AssetState.objects.create(token=token, judgement=judged(token, now), **fields)


def position(state: AssetState, now: datetime, result: float | None = None, side: float = 1.0, minutes: int = 30) -> PaperPosition:
    """Bought for $100 with a fee of $1; open, or closed with this result."""
    closed = {"closed_at": now, "result": result, "exit": "stop", "left": 0.0} if result is not None else {"left": 50.0}
    assert state.judgement is not None
    opened = now - timedelta(minutes=minutes)
    prices = {"entry": side * 2.0, "first_stop": side * 1.8, "stop": side * 1.9, "best": side * 2.1, "last_close": side * 2.2}
    row = PaperPosition.objects.create(
        judgement=state.judgement,
        token=state.token,
        side=side,
        opened_at=opened,
        opened=int(opened.timestamp()),
        quantity=50.0,
        targets=[side * 2.1, side * 2.4],
        reached=1,
        invested=100.0,
        risked=10.0,
        **{**prices, **closed},
    )
    PaperFill.objects.create(position=row, time=opened, deal="entry", price=2.0, quantity=50.0, usd=100.0, fee=1.0)
    return row


def get(path: str, client: Client | None = None, **headers: str) -> Any:
    return (client or Client()).get(path, headers=headers)


def page(path: str = "/trading/") -> str:
    answer = get(path)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_before_the_first_cycle_the_page_says_so() -> None:
    said = page()
    assert "The stages have not run yet" in said
    assert "no order is ever sent" in said


def test_what_is_open_is_told_with_its_result_so_far(now: datetime) -> None:
    PaperAccount.objects.create(capital=1000, cash=899)
    position(asset(1, now), now)
    said = page()
    assert "+$9.00" in said  # 50 at $2.20 for $100 and $1
    assert "+9 %" in said
    assert "✓ $2.1" in said


def test_a_short_gains_when_the_price_falls(now: datetime) -> None:
    PaperAccount.objects.create(capital=1000, cash=1099)
    row = position(asset(1, now), now, side=-1.0)
    PaperPosition.objects.filter(pk=row.pk).update(last_close=-1.9)
    told = overview.positions.open_positions()[0]
    assert told.result == pytest.approx(4.0)  # sold for $100, worth $95 now, $1 of fees
    assert (told.entry, told.now, told.stop) == (2.0, 1.9, 1.9)


def test_what_is_looked_at_no_longer_is_neither_counted_nor_an_alert(now: datetime) -> None:
    PaperAccount.objects.create(capital=1000, cash=1000)
    asset(1, now, alert=True)
    asset(2, now - timedelta(minutes=1), alert=True, kept=False, refusals="liquidity_low")
    told = overview.context(wanted({"show": "alerts"}), now)
    assert {name: told["seen"][name] for name in ("assets", "kept", "alerts")} == {"assets": 1, "kept": 1, "alerts": 1}
    assert [row.state.token.symbol for row in told["rows"]] == ["S1"]
    assert told["refused"] == []
    assert [row.current for row in overview.context(wanted({"show": "all", "sort": "name"}), now)["rows"]] == [True, False]


def test_a_decision_names_the_gate_and_what_was_meant(now: datetime) -> None:
    PaperAccount.objects.create(capital=1000, cash=1000)
    asset(1, now)
    said = page()
    assert "was buy, gate: too little confidence" in said
    assert "score 0.61" in said
    Judgement.objects.update(confidence_is_probability=True)
    ready.forget()
    assert "probability 61 %" in page()


def test_what_was_held_back_is_counted_by_reason(now: datetime) -> None:
    PaperAccount.objects.create(capital=1000, cash=1000)
    for number in (1, 2, 3):
        state = asset(number, now)
        SkippedSignal.objects.create(judgement=state.judgement, time=now, reason="no_slot")
    SkippedSignal.objects.filter(judgement=state.judgement).update(time=now - timedelta(hours=25))
    held = overview.held_back(now)
    assert list(held.gates) == [("too little confidence", 3)]
    assert list(held.skips) == [("as many positions open as allowed", 2)]


def test_the_filters_refusals_are_counted_each(now: datetime) -> None:
    asset(1, now, kept=False, refusals="liquidity_low volume_unknown")
    asset(2, now, kept=False, refusals="liquidity_low")
    asset(3, now)
    assert overview.refused() == [("liquidity too low", 2), ("volume not known", 1)]


@pytest.mark.parametrize(("minutes", "late"), [(2, False), (10, True)])
def test_stages_that_are_late_are_called_late(now: datetime, minutes: int, late: bool) -> None:
    asset(1, now - timedelta(minutes=minutes))
    assert overview.context(Wanted(), now)["stale"] is late


@pytest.mark.parametrize(("query", "names"), [("", {"S1", "S2"}), ("show=alerts", {"S2"}), ("show=all", {"S1", "S2", "S3"})])
def test_assets_can_be_chosen(now: datetime, query: str, names: set[str]) -> None:
    asset(1, now)
    asset(2, now, alert=True)
    asset(3, now, kept=False, refusals="liquidity_low")
    said = page(f"/trading/?{query}").split('id="assets"')[1].split("Results")[0]
    assert {name for name in ("S1", "S2", "S3") if f">{name}<" in said} == names


def test_the_search_finds_by_symbol_and_address(now: datetime) -> None:
    asset(1, now)
    asset(2, now)
    found = overview.context(Wanted(q="s2"), now)["rows"]
    assert [row.state.token.symbol for row in found] == ["S2"]


@pytest.mark.parametrize("query", ["page=0", "page=99999999999", "page=x", "sort=nonsense", "show=%00", "q=%00%ff", "q=" + "a" * 500])
def test_an_odd_address_still_gets_the_page(now: datetime, query: str) -> None:
    asset(1, now)
    assert get(f"/trading/?{query}").status_code == 200


def test_what_is_usual_is_not_written_into_the_address() -> None:
    assert Wanted().link(page=1) == "?"
    assert wanted({"show": "all", "page": "3"}).link(q="a b") == "?show=all&q=a+b&page=3"


@pytest.mark.parametrize("key", SORTS)
def test_every_head_sorts_both_ways_with_the_unknown_last(now: datetime, key: str) -> None:
    for number in (1, 2, 3):
        state = asset(number, now, price=float(number), alert=number > 1, effective_reasons=number / 2, market_state=f"m{number}")
        Judgement.objects.filter(pk=state.judgement_id).update(
            confidence=number / 10, reward_risk=float(number), ts=now - timedelta(hours=9 - number)
        )
    asset(4, now, price=None, market_state="n", effective_reasons=9.0, alert=True)
    AssetState.objects.filter(token__symbol="S4").update(judgement=None)
    orders = [[row.state.token.symbol for row in overview.context(wanted({"sort": sign + key}), now)["rows"]] for sign in ("", "-")]
    known = [[symbol for symbol in order if symbol != "S4"] for order in orders]
    assert known == [["S1", "S2", "S3"], ["S3", "S2", "S1"]]
    if key in ("price", "judged", "confidence", "reward"):
        assert [order[-1] for order in orders] == ["S4", "S4"]


def test_a_head_leads_to_its_order_and_then_to_the_other_and_keeps_the_rest(now: datetime) -> None:
    asset(1, now)
    found = heads(wanted({"show": "all", "q": "s", "page": "2"}))
    assert (found["confidence"].link, found["confidence"].order) == ("?show=all&sort=-confidence&q=s", "")
    assert (found["state"].link, found["state"].order) == ("?show=all&sort=state&q=s", "descending")
    assert heads(wanted({"sort": "name"}))["name"].link == "?sort=-name"
    said = page("/trading/?sort=name")
    assert said.count("aria-sort=") == 1
    assert '<input type="hidden" name="sort" value="name">' in said


def test_few_trades_have_no_expectancy_and_many_have_an_interval(now: datetime) -> None:
    account = PaperAccount.objects.create(capital=1000, cash=1000)
    for number in range(30):
        position(asset(number, now - timedelta(hours=number)), now, result=5.0 if number % 3 else -4.0, minutes=60 * number)
        if number == 3:
            assert overview.past(account, now)["figures"]["risks"] == ""
            PaperPosition.objects.update(closed_at=now - timedelta(minutes=1))
    told = overview.past(account, now)
    assert told["record"].whole.result == pytest.approx(20 * 5 - 10 * 4)
    value, low, high = told["figures"]["risks"].replace("−", "-").replace("(", "").replace(")", "").replace("… ", "").split()
    assert float(low) < float(value) == 0.2 < float(high)


@pytest.mark.parametrize(("followed", "saved", "told"), [(0, 0.0, "–"), (2, 4.0, '<span class="up">+$4.00</span>')])
def test_what_a_gate_saved_is_not_known_before_any_of_it_was_followed(now: datetime, followed: int, saved: float, told: str) -> None:
    asset(1, now)
    PaperAccount.objects.create(capital=1000, cash=1000)
    LedgerAccount.objects.create(reason="gate: too_few_bars", ts=now, since=now, blocked=3, followed=followed, won=0, saved=saved)
    assert f'too few bars</th><td class="n">3</td><td class="n">{followed}</td><td class="n">0</td><td class="n">{told}</td>' in page()


def test_results_are_read_again_when_a_position_closes(now: datetime) -> None:
    account = PaperAccount.objects.create(capital=1000, cash=1000)
    position(asset(1, now), now - timedelta(hours=1), result=3.0)
    assert records.record(account).whole.result == 3.0
    with CaptureQueriesContext(connection) as queries:
        assert records.record(account).whole.trades == 1
    assert len(queries) == 1
    position(asset(2, now), now, result=-1.0)
    assert records.record(account).whole.result == 2.0


def test_queries_do_not_grow_with_the_rows(now: datetime) -> None:
    account = PaperAccount.objects.create(capital=1000, cash=1000)
    counts = []
    for first, last in ((0, 3), (3, 40)):
        for number in range(first, last):
            state = asset(number, now, alert=number % 2 == 0)
            position(state, now, result=None if number % 2 else 1.0)
            EquityPoint.objects.create(ts=now - timedelta(minutes=number), equity=1000 + number, cash=900)
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            overview.context(Wanted(show="all"), now)
        counts.append(len(queries))
    assert account.pk == 1
    assert counts[0] == counts[1] <= 20


def test_a_page_that_has_not_changed_is_not_sent_again_and_a_cycle_changes_it(now: datetime, still: None) -> None:
    PaperAccount.objects.create(capital=1000, cash=1000, cycles=1)
    asset(1, now)
    first = get("/trading/")
    assert get("/trading/", **{"If-None-Match": first["ETag"]}).status_code == 304
    PaperAccount.objects.update(cycles=2)
    ready.forget()
    assert get("/trading/", **{"If-None-Match": first["ETag"]}).status_code == 200


def test_the_page_of_an_asset_tells_why(now: datetime) -> None:
    asset(1, now, triggers=[{"name": "breakout", "direction": 1, "strength": 0.7, "bars_ago": 0}])
    said = page("/trading/T1/")
    assert "gate: too little confidence" in said
    assert "small swing" in said
    assert 'href="/tokens/T1/"' in said
    assert 'href="/trading/T1/"' in page("/tokens/T1/")


@pytest.mark.parametrize(("alert", "why"), [(True, "It was on alert before"), (False, "a judgement needs an alert")])
def test_an_asset_without_a_judgement_says_what_it_waits_for(now: datetime, alert: bool, why: str) -> None:
    asset(1, now, alert=alert)
    AssetState.objects.update(judgement=None)
    Judgement.objects.all().delete()
    assert why in page("/trading/T1/")


def test_an_asset_that_was_never_looked_at_says_so() -> None:
    Token.objects.create(address="Never", status="Archived")
    assert "never looked at this asset" in page("/trading/Never/")


@pytest.mark.parametrize("address", ["Unknown", "no-address", "%00", "a" * 200])
def test_an_unknown_asset_is_not_found(address: str) -> None:
    assert get(f"/trading/{address}/").status_code == 404
    assert get(f"/trading/{address}/chart.json").status_code == 404


def test_a_name_cannot_become_markup(now: datetime) -> None:
    state = asset(1, now)
    Token.objects.filter(pk=state.token.pk).update(symbol="<script>", name='"><b>')
    assert "<script>" not in page("/trading/T1/").split("</head>")[1]
    assert "&lt;script&gt;" in page("/trading/?show=all")


def test_the_chart_is_strict_json_with_levels_plans_and_points(now: datetime) -> None:
    state = asset(1, now)
    position(state, now, side=-1.0)
    told = json.loads(get("/trading/T1/chart.json").content, parse_constant=lambda name: pytest.fail(name))
    assert {(line["kind"], line["price"]) for line in told["lines"]} >= {("stop", 1.9), ("target", 2.1), ("entry", 2.0), ("level", 1.1e-6)}
    assert [(point["kind"], point["way"]) for point in told["points"] if point["kind"] == "entry"] == [("entry", -1)]
    assert any("wait (buy: too little confidence)" in point["text"] for point in told["points"])


def test_a_stretch_that_cannot_be_is_refused_in_a_sentence(now: datetime) -> None:
    asset(1, now)
    answer = get("/trading/T1/chart.json?from=9&to=3")
    assert (answer.status_code, answer.json()) == (400, {"error": "`from` lies before `to`"})


def test_missing_bars_interrupt_the_line() -> None:
    import numpy as np

    at = datetime(2026, 11, 20, tzinfo=UTC).timestamp()
    ts = at + 60.0 * np.array([1, 2, 3, 10, 11, 12])
    outages = asset_chart._outages(ts, 60, at, at + 720)
    assert outages == [(at + 180, at + 600)]
    rows = asset_chart._interrupted({"ts": ts, "price": np.ones(6)}, outages)
    assert [value == value for value in rows["price"].tolist()] == [True, True, True, False, True, True, True]
