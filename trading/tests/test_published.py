"""The state for programs: by the API, and over a real Redis."""

import json
import socket
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from scoring.models import ScoringSettings
from tokens.models import Token
from trading import publish, published
from trading.models import AssetState, Judgement, PaperAccount, PaperPosition
from trading.published import document
from trading.tests import real_redis

pytestmark = pytest.mark.django_db


def judged(token: Token, now: datetime, **changes: Any) -> Judgement:
    words = {"market_state": "trend", "scenario": "bullish_breakout", "recommendation": "WAIT", "recommendation_original": "BUY"}
    words |= {"basis": "scenario", "gate": "confidence", "risk_class": "medium"}
    numbers = {
        "price": 1.2e-6,
        "effective_reasons": 2.1,
        "confidence": 0.61,
        "side": 1,
        "entry": 1.2e-6,
        "stop": 1.1e-6,
        "target_1": 1.4e-6,
    }
    levels = [{"kind": "swing_micro", "price": 1.1e-6, "strength": 0.4, "distance": -0.08, "nearest": True}]
    fields = {**words, **numbers, "levels": levels, "settings": ScoringSettings.objects.get(active=True), "ts": now} | changes
    return Judgement.objects.create(key=token.pk * 1000, token=token, **fields)


def asset(number: int, now: datetime, **changes: Any) -> AssetState:
    token = Token.objects.create(address=f"T{number}", symbol=f"S{number}", status="Active")
    fields = {"ts": now, "settings": ScoringSettings.objects.get(active=True), "kept": True, "price": 1.2e-6} | changes
    return AssetState.objects.create(token=token, judgement=judged(token, now), **fields)


@pytest.fixture
def market(now: datetime) -> None:
    PaperAccount.objects.create(capital=1000, cash=1000, cycles=7)
    asset(1, now)
    asset(2, now, alert=True, triggers=[{"name": "breakout", "direction": 1, "strength": 0.7, "bars_ago": 0}])
    asset(3, now - timedelta(hours=1), kept=False, refusals="liquidity_low volume_unknown")


def test_the_document_has_the_originals_shape(market: None, now: datetime) -> None:
    told = document(now)
    assert (told["type"], told["meta"]["seq"], told["counters"]["assets"], told["counters"]["alerts"]) == ("asset_state_update", 7, 2, 1)
    assert [row["state"] for row in told["assets"]] == ["ALERT", "NORMAL", "FILTERED"]
    assert [row["current"] for row in told["assets"]] == [True, True, False]
    first = told["assets"][0]
    assert (first["symbol"], first["trigger_reasons"], first["judgement"]["gate"]) == ("S2", ["breakout"], "confidence")
    assert first["judgement"]["recommendation_original"] == "BUY"


def test_an_open_position_is_told_in_plain_prices(market: None, now: datetime) -> None:
    state = AssetState.objects.get(token__address="T2")
    amounts = {
        "entry": -2.0,
        "quantity": 5,
        "left": 5,
        "first_stop": -2.2,
        "stop": -2.2,
        "best": -2.0,
        "last_close": -1.9,
        "targets": [-1.5],
    }
    PaperPosition.objects.create(judgement=state.judgement, token=state.token, side=-1.0, opened_at=now, opened=0, **amounts)
    held = document(now)["assets"][0]["position"]
    assert (held["side"], held["entry"], held["stop"], held["targets"], held["last_price"]) == (-1, 2.0, 2.2, [1.5], 1.9)


def test_the_number_of_queries_does_not_depend_on_the_assets(market: None, now: datetime) -> None:
    with CaptureQueriesContext(connection) as few:
        document(now)
    for number in range(10, 30):
        asset(number, now)
    with CaptureQueriesContext(connection) as many:
        document(now)
    assert len(few) == len(many) <= 5


def test_the_counters_are_of_all_assets_where_not_all_are_told(market: None, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = document(now)["counters"]
    monkeypatch.setattr(published, "MOST_ASSETS", 1)
    told = document(now)
    assert len(told["assets"]) == 1
    assert told["counters"] == whole
    assert (whole["assets"], whole["alerts"], whole["filtered"]) == (2, 1, 0)


def test_what_is_looked_at_no_longer_is_told_last_and_not_counted(market: None, now: datetime) -> None:
    asset(4, now - timedelta(minutes=1), alert=True, kept=False)
    told = document(now)
    assert [(row["symbol"], row["current"]) for row in told["assets"]] == [("S2", True), ("S1", True), ("S4", False), ("S3", False)]
    assert {name: told["counters"][name] for name in ("assets", "alerts", "filtered")} == {"assets": 2, "alerts": 1, "filtered": 0}


def test_the_api_answers_it_and_says_when_nothing_has_changed(market: None, client: Client) -> None:
    answer = client.get("/api/trading/state")
    assert answer.status_code == 200
    assert answer.json()["meta"]["schema"].startswith("tothemoon.trading.state/")
    assert answer.json()["meta"]["paper_only"] is True
    assert client.get("/api/trading/state", headers={"If-None-Match": answer["ETag"]}).status_code in (200, 304)
    assert client.get("/api/trading/state?x=1").status_code == 422


def test_before_the_first_cycle_it_is_empty_and_says_so(client: Client) -> None:
    told = client.get("/api/trading/state").json()
    assert (told["assets"], told["meta"]["as_of"], told["counters"]["equity"]) == ([], None, None)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with real_redis.running() as url:
        yield url


def test_it_is_published_and_kept_for_a_cold_start(market: None, now: datetime, settings: Any, redis_url: str) -> None:
    from redis import Redis

    settings.REDIS_URL = redis_url
    listener = Redis.from_url(redis_url)
    heard = listener.pubsub()
    heard.subscribe(publish.CHANNEL)
    assert heard.get_message(timeout=5)["type"] == "subscribe"
    told = document(now)
    assert publish.publish(told) is True
    message = heard.get_message(timeout=5)
    assert json.loads(message["data"]) == told
    assert json.loads(listener.get(publish.SNAPSHOT)) == told
    assert 0 < listener.ttl(publish.SNAPSHOT) <= publish.SNAPSHOT_SEC
    heard.close()
    listener.close()


def test_without_an_address_nothing_is_tried(settings: Any) -> None:
    settings.REDIS_URL = ""
    assert publish.publish({}) is False


def test_a_redis_that_is_away_or_hangs_costs_half_a_second(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (real_redis.free_port(), silent.getsockname()[1]):
            settings.REDIS_URL = f"redis://:canary-secret@127.0.0.1:{port}/0"
            began = time.monotonic()
            assert publish.publish({"meta": {"ts": str(timezone.now())}}) is False
            assert time.monotonic() - began < 3


def test_a_redis_that_comes_back_is_used_again(settings: Any) -> None:
    port = real_redis.free_port()
    settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
    assert publish.publish({}) is False
    with real_redis.running(port):
        assert publish.publish({}) is True
