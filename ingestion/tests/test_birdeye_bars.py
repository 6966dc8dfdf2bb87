"""Birdeye's OHLCV: what is read, what is refused, and what it may cost."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st

from ingestion.birdeye import Birdeye
from ingestion.birdeye_bars import MINUTE, NO_KEY, OHLCV, SHARE, UNITS, BirdeyeBars, Candle, candles
from ingestion.budget import Budget, budget_at
from ingestion.errors import Malformed, OutsideError, Permanent, Temporary
from ingestion.ledger import Ledger
from ingestion.tests.misbehaving_http import Behaviour, MisbehavingServer, answer, drip_body, gzipped, reset_in_body, short_body, silence
from ingestion.tests.test_birdeye import FORBIDDEN, NOT_IN_PLAN, PAYLOADS, QUOTA, QUOTA_IN_AN_ANSWER, UNAUTHORIZED, A, client_for

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SINCE, UNTIL = NOW - 10 * MINUTE, NOW


def item(back: int = 5, **changes: Any) -> dict[str, Any]:
    at = int((NOW - back * MINUTE).timestamp())
    figures = {"o": 2.0, "h": 4.0, "l": 1.0, "c": 3.0, "v": 10.0, "v_usd": 25.0, "unix_time": at}
    return figures | {"address": A, "type": "1m", "currency": "usd"} | changes


def told(*items: Any) -> dict[str, Any]:
    return {"success": True, "data": {"is_scaled_ui_token": False, "items": list(items)}}


def read(*items: Any) -> list[Candle]:
    return candles(told(*items), A, SINCE, UNTIL)


def test_the_documented_candle_is_read_in_dollars() -> None:
    documented = json.loads((PAYLOADS / "birdeye_doc_v3_ohlcv.json").read_text())
    for candle in documented["data"]["items"]:
        candle["type"] = "1m"
    address, at = documented["data"]["items"][0]["address"], datetime(2024, 9, 18, 14, 45, tzinfo=UTC)
    found = candles(documented, address, at, at + timedelta(hours=1))
    assert [candle.open_time for candle in found] == [at, at + timedelta(minutes=15)]
    assert found[0].volume == 7506048  # v_usd; v is 58,641 tokens
    assert (found[0].open, found[0].high, found[0].low, found[0].close) == (
        *(128.27328370924414, 128.6281001340782),
        *(127.91200927364626, 127.97284640184616),
    )


def test_candles_come_sorted_each_minute_once_and_only_of_the_time_asked_for() -> None:
    found = read(item(3), item(7), item(3, c=2.5), item(11), item(0))
    assert [candle.open_time for candle in found] == [NOW - 7 * MINUTE, NOW - 3 * MINUTE]


WRONG = {
    "no trade": {"v": 0, "v_usd": 0},
    "padded, volume not told": {"v": 0, "v_usd": None},
    "another token": {"address": "B" * 44},
    "another length": {"type": "15m"},
    "in SOL": {"currency": "native"},
    "between minutes": {"unix_time": int(NOW.timestamp()) - 299},
    "no time": {"unix_time": None},
    "high below close": {"h": 2.5},
    "low above open": {"l": 2.5},
    "no price": {"c": None},
    "price of nothing": {"o": 0, "l": 0},
    "negative": {"l": -1.0},
    "text": {"h": "many"},
    "true": {"o": True},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_a_candle_that_cannot_be_costs_only_itself(changes: dict[str, Any]) -> None:
    assert [candle.open_time for candle in read(item(5, **changes), item(4))] == [NOW - 4 * MINUTE]


def test_a_volume_that_is_not_told_is_unknown_and_not_nought() -> None:
    assert [candle.volume for candle in read(item(5, v_usd=None))] == [None]


@pytest.mark.parametrize("wrong", [None, [], {"success": False}, {"success": True, "data": []}, {"success": True, "data": {"items": {}}}])
def test_an_answer_of_another_shape_is_malformed(wrong: Any) -> None:
    with pytest.raises(Malformed):
        candles(wrong, A, SINCE, UNTIL)


def test_a_token_that_birdeye_does_not_know_has_no_candles() -> None:
    assert candles({"success": True, "data": None}, A, SINCE, UNTIL) == []
    assert candles({"success": True, "data": {}}, A, SINCE, UNTIL) == []


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["o", "h", "l", "c", "v", "items"]), inner),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(list(item())), anything).map(lambda changes: {**item(), **changes}), max_size=4))
def test_whatever_comes_bars_are_bars(items: list[Any]) -> None:
    for candle in read(*items):
        assert 0 < candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high <= 1e18
        assert candle.volume is None or 0 < candle.volume <= 1e18


# Asking


@dataclass
class Scene:
    server: MisbehavingServer
    ledger: Ledger
    account: Birdeye
    bars: BirdeyeBars
    spent: list[int] = field(default_factory=lambda: [0])

    def ask(self) -> list[Candle] | OutsideError:
        return self.bars.minutes(A, SINCE, UNTIL, NOW)

    def state(self, endpoint: str = OHLCV) -> str:
        standing = self.ledger._standings.get(("birdeye", endpoint))
        return standing.state if standing else ""


@pytest.fixture
def played() -> Iterator[Any]:
    servers = []

    def play(*script: Behaviour, budget: Budget | None = None, key: str = "canary-77") -> Scene:
        server = MisbehavingServer(list(script))
        servers.append(server)
        ledger, spent = Ledger(), [0]
        account = client_for(server.url, ledger, key=key, budget=(lambda now: budget) if budget else None)
        return Scene(server, ledger, account, BirdeyeBars(account, lambda now: spent[0], lambda *_: None), spent)

    cache.clear()
    yield play
    for server in servers:
        server.__exit__()


def test_one_request_in_seconds_for_one_minute_candles_in_dollars(played: Any) -> None:
    scene = played(answer(told(item(5), item(4))))
    assert [candle.close for candle in scene.ask()] == [3.0, 3.0]
    (request,) = scene.server.requests
    assert request.path == "/defi/v3/ohlcv"
    moments = {"time_from": f"{SINCE.timestamp():.0f}", "time_to": f"{UNTIL.timestamp():.0f}"}
    assert request.params == {"address": A, "type": "1m", "currency": "usd"} | moments
    assert scene.ledger.unwritten_units("birdeye", OHLCV) == UNITS
    assert scene.account.take_spend() == {A: UNITS}


@pytest.mark.parametrize("behaviour", [silence, drip_body, reset_in_body, short_body, answer(b"<html>", 502), answer({}, 429)])
def test_a_server_that_does_not_answer_is_tried_again_later(played: Any, behaviour: Behaviour) -> None:
    scene = played(behaviour)
    assert isinstance(scene.ask(), Temporary)
    assert scene.state() == ""


@pytest.mark.parametrize(
    "behaviour", [answer(b"NaN"), answer(b"["), gzipped(b"x"), answer({"success": True}), answer({"success": False, "message": "no"})]
)
def test_what_nobody_can_read_is_malformed_and_counted(played: Any, behaviour: Behaviour) -> None:
    scene = played(behaviour)
    assert isinstance(scene.ask(), Malformed | Temporary)
    assert scene.account.in_trouble(NOW) is False


@pytest.mark.parametrize(("kind", "refusal"), {"plan_lacks": NOT_IN_PLAN, "key_wrong": UNAUTHORIZED, "blocked": FORBIDDEN}.items())
def test_a_plan_without_ohlcv_rests_for_an_hour_and_the_figures_go_on(played: Any, kind: str, refusal: Behaviour) -> None:
    scene = played(refusal)
    assert isinstance(scene.ask(), Permanent)
    assert (scene.state(), scene.state("")) == (kind, "")
    assert scene.bars.room(NOW + timedelta(minutes=59)).tokens == 0
    assert "13:00 UTC" in scene.bars.room(NOW).why
    assert scene.bars.room(NOW + timedelta(minutes=61)).tokens > 0
    assert scene.account.usable(NOW)


@pytest.mark.parametrize("refusal", [QUOTA, QUOTA_IN_AN_ANSWER])
def test_a_quota_that_is_used_up_stops_the_figures_too(played: Any, refusal: Behaviour) -> None:
    scene = played(refusal)
    assert isinstance(scene.ask(), Permanent)
    assert scene.state("") == "quota_used_up"
    assert scene.bars.room(NOW).tokens == 0
    assert not scene.account.usable(NOW)


def test_without_a_key_nothing_is_asked_and_the_reason_told(played: Any) -> None:
    scene = played(answer(told()), key="")
    assert (scene.bars.room(NOW).tokens, scene.bars.room(NOW).why) == (0, NO_KEY)
    assert scene.server.requests == []


def test_bars_may_take_a_fifth_of_a_day_and_no_more(played: Any) -> None:
    budget = budget_at(NOW, 30_000, 10_000, 0)
    share = int(budget.share_today * SHARE)
    scene = played(answer(told()), budget=budget)
    assert scene.bars.room(NOW).tokens == share // UNITS > 0
    scene.spent[0] = share - UNITS + 1
    assert scene.bars.room(NOW).tokens == 0
    assert "compute units" in scene.bars.room(NOW).why


def test_a_budget_that_is_spent_leaves_nothing_for_bars(played: Any) -> None:
    assert played(answer(told()), budget=budget_at(NOW, 30_000, 30_000, 100)).bars.room(NOW).tokens == 0


def test_a_refusal_that_an_earlier_process_stored_still_rests(played: Any) -> None:
    from ingestion.models import ServiceState

    kept = ServiceState(service="birdeye", endpoint=OHLCV, state="plan_lacks", until=NOW + timedelta(minutes=30))
    bars = BirdeyeBars(played(answer(told())).account, lambda now: 0, lambda *_: kept)
    assert bars.room(NOW).tokens == 0
    assert bars.room(NOW + timedelta(minutes=31)).tokens > 0


def test_bars_take_a_quarter_of_the_rate_so_that_the_figures_keep_theirs(played: Any) -> None:
    server = played(answer(told())).server
    slow = client_for(server.url, Ledger(), rps=1.0, tick_sec=30.0)
    assert BirdeyeBars(slow, lambda now: 0, lambda *_: None).room(NOW).tokens == 6
