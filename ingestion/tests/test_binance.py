"""Binance's answers: what is finished, what contradicts itself, and that its limits are kept."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from ingestion import binance
from ingestion.binance import Binance, days, depth_usd, klines, tick_sizes
from ingestion.errors import Malformed, Permanent, Temporary
from ingestion.http import Call, Door
from ingestion.ledger import Ledger, stored_state
from ingestion.models import ServiceState
from ingestion.tests.misbehaving_http import Behaviour, MisbehavingServer, answer, by_request

NOW = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
PAYLOADS = Path(__file__).parent / "payloads"


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"binance_{name}.json").read_text())


def row(opened: datetime, **changes: Any) -> list[Any]:
    parts = {"open": "2.0", "high": "4.0", "low": "1.0", "close": "3.0", "quote": "500.0", "trades": 9, "bought": "200.0"} | changes
    at = int(opened.timestamp() * 1000)
    prices = [parts[name] for name in ("open", "high", "low", "close")]
    return [at, *prices, "250.0", at + 59_999, parts["quote"], parts["trades"], "100.0", parts["bought"], "0"]


def client(server: MisbehavingServer, **changes: Any) -> Binance:
    def door(name: str) -> Door:
        return Door(name, server.url, {"": 200.0}, 2.0, 4, meaning_of=binance.meaning_of, ledger=Ledger(), backoff_sec=0.01)

    return Binance(door("binance"), door("binance-futures"), patience_sec=changes.get("patience_sec", 3.0))


def test_the_documented_kline_is_read() -> None:
    found, growing = klines(payload("doc_klines"), "BNBBTC", "1d", NOW)
    assert growing is None
    assert (found[0].open, found[0].high, found[0].low, found[0].close) == (0.0163479, 0.8, 0.015758, 0.015771)
    assert (found[0].volume, found[0].trades, found[0].buy_volume) == (2434.19055334, 308, 28.46694368)


def test_the_kline_that_is_still_growing_is_not_finished() -> None:
    minute = NOW.replace(second=0)
    found, growing = klines([row(minute), row(minute - timedelta(minutes=1))], "BTCUSDT", "1m", NOW)
    assert [kline.open_time for kline in found] == [minute - timedelta(minutes=1)]
    assert growing is not None
    assert growing.open_time == minute


@pytest.mark.parametrize(
    "changes",
    [
        *({name: value} for name in ("open", "high", "low", "close") for value in ("0", "-1", "NaN", "1e400", None, "")),
        *({"high": "2.5"}, {"low": "2.5"}, {"quote": "-1"}, {"trades": 1.5}, {"trades": "many"}, {"bought": "501"}, {"bought": None}),
    ],
)
def test_a_kline_that_cannot_be_true_is_left_out(changes: dict[str, Any]) -> None:
    minute = NOW.replace(second=0) - timedelta(minutes=5)
    found, _ = klines([row(minute, **changes), row(minute + timedelta(minutes=1))], "BTCUSDT", "1m", NOW)
    assert [kline.open_time for kline in found] == [minute + timedelta(minutes=1)]


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_whatever_comes_is_read_or_malformed(value: Any) -> None:
    for reading in (lambda: klines(value, "X", "1m", NOW), lambda: days(value), lambda: depth_usd(value), lambda: tick_sizes(value)):
        with suppress(Malformed):
            reading()


def test_the_last_day_is_read_from_the_documented_ticker() -> None:
    (day,) = days([payload("doc_ticker_24hr_full")]).values()
    assert (day.symbol, day.last_price, day.volume, day.trades) == ("BNBBTC", 4.000002, 15.3, 76)
    assert day.change == pytest.approx(-0.9596, abs=1e-4)


def test_depth_is_what_lies_near_the_price_on_the_thinner_side() -> None:
    book = {"bids": [["99", "10"], ["97.9", "1000"]], "asks": [["101", "5"], ["150", "1000"]]}
    assert depth_usd(book) == 505.0
    assert depth_usd(payload("doc_depth")) == pytest.approx(12 * 4.000002)


@pytest.mark.parametrize("book", [{"bids": [], "asks": [["1", "1"]]}, {"bids": [["2", "1"]], "asks": [["1", "1"]]}, [], None])
def test_an_order_book_that_cannot_be_is_malformed(book: Any) -> None:
    with pytest.raises(Malformed):
        depth_usd(book)


def test_tick_sizes_come_from_the_price_filter() -> None:
    assert tick_sizes(payload("composed_exchangeInfo_with_filters")) == {"ETHBTC": 0.000001}


def test_our_rates_stay_within_the_weight_of_a_minute() -> None:
    spent = sum(binance.RATES[endpoint] * weight * 60 for endpoint, weight in binance.WEIGHTS.items())
    assert spent <= binance.WEIGHT_A_MINUTE * 0.75
    assert sum(binance.FUTURES_RATES.values()) * 60 <= binance.FUTURES_WEIGHT_A_MINUTE * 0.75


def test_a_refused_symbol_costs_the_others_nothing(db: None) -> None:
    def reply(request: Any) -> Behaviour:
        known = request.params["symbol"] == "BTCUSDT"
        return answer([row(NOW.replace(second=0) - timedelta(minutes=1))]) if known else answer(payload("doc_error_invalid_symbol"), 400)

    with MisbehavingServer([by_request(reply)]) as server:
        found = client(server).klines({"BTCUSDT": NOW, "NOSUCH": NOW, "bad symbol": NOW}, NOW)
    assert isinstance(found["BTCUSDT"], tuple)
    assert isinstance(found["NOSUCH"], Permanent)
    assert "Invalid symbol" in str(found["NOSUCH"])
    assert set(found) == {"BTCUSDT", "NOSUCH"}


@pytest.mark.parametrize(("status", "wait"), [(429, "7"), (418, "259200")])
def test_told_to_wait_it_waits_as_long_as_it_was_told(db: None, status: int, wait: str) -> None:
    with MisbehavingServer([answer({"code": -1003, "msg": "Too much."}, status, {"Retry-After": wait})]) as server:
        asked = client(server)
        assert asked.klines({"BTCUSDT": NOW}, NOW) == {}
        assert asked.klines({"BTCUSDT": NOW}, NOW) == {}
        assert len(server.requests) == 1
        assert asked._spot.gate.resting_for() == pytest.approx(float(wait) * 1.05, rel=0.06)


@pytest.mark.parametrize(("status", "kind"), [(403, Permanent.BLOCKED), (451, Permanent.BLOCKED), (400, Permanent.BAD_REQUEST)])
def test_what_a_refusal_means(status: int, kind: str) -> None:
    refusal = binance.meaning_of(status, "words")
    assert isinstance(refusal, Permanent)
    assert refusal.kind == kind


def test_open_interest_is_left_out_where_there_are_no_futures(db: None) -> None:
    def reply(request: Any) -> Behaviour:
        known = request.params["symbol"] == "BTCUSDT"
        return answer(payload("doc_fapi_openInterest")) if known else answer(payload("doc_error_invalid_symbol"), 400)

    with MisbehavingServer([by_request(reply)]) as server:
        assert client(server).open_interest(["BTCUSDT", "OLDUSDT"]) == {"BTCUSDT": 10659.509}


def restarted(url: str, later: timedelta = timedelta()) -> Door:
    """The door of a process that has just begun."""
    return Door("binance", url, {"": 200.0}, 2.0, 4, ledger=Ledger(), stored_state=stored_state, wall=lambda: timezone.now() + later)


def test_a_ban_outlives_the_process_that_was_banned(db: None) -> None:
    call = Call("klines", "/api/v3/klines")
    with MisbehavingServer([answer({"code": -1003}, 418, {"Retry-After": "7200"})]) as server:
        for door in (restarted(server.url), restarted(server.url), restarted(server.url, timedelta(hours=1, minutes=59))):
            with pytest.raises(Temporary, match="wait"):
                door.fetch(call)
            assert len(server.requests) == 1
        with pytest.raises(Temporary, match="HTTP 418"):
            restarted(server.url, timedelta(hours=3)).fetch(call)
        assert len(server.requests) == 2
    assert ServiceState.objects.get(service="binance").state == ServiceState.State.THROTTLED


def test_a_ban_that_is_over_is_forgotten(db: None) -> None:
    over = {"until": timezone.now() - timedelta(seconds=1), "state": ServiceState.State.THROTTLED}
    ServiceState.objects.create(service="binance", endpoint="connection", **over)
    with MisbehavingServer([answer({"fine": True})]) as server:
        door = restarted(server.url)
        assert door.fetch(Call("klines", "/api/v3/klines")) == {"fine": True}
        door.ledger.flush(timezone.now())
    assert ServiceState.objects.get(service="binance").state == ServiceState.State.OK


def test_the_client_of_the_process_remembers_bans() -> None:
    client = binance.from_settings()
    assert client._spot.stored_state is client._futures.stored_state is stored_state
