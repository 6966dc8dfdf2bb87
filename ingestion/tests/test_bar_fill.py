"""Bars from before a token was watched: asked for once, in time, told in one line; what was judged before stays as it was."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingestion.bar_fill import NEWEST, WITHIN, fill_bars
from ingestion.birdeye_bars import MINUTE, MOST_MINUTES, NO_KEY, BirdeyeBars, Candle, Room
from ingestion.errors import OutsideError, Permanent, Temporary
from ingestion.ledger import Ledger
from ingestion.models import BarFill
from ingestion.simulator.birdeye_server import Birdeye as Service
from ingestion.simulator.clock import MarketClock
from ingestion.simulator.json_server import JsonServer
from ingestion.simulator.market import Market, still_living
from ingestion.tests.mints import mint
from ingestion.tests.test_birdeye import client_for
from tokens.bars import read_grid, write
from tokens.lifecycle import change_status
from tokens.models import Bar, BarSource, Chain, Status, Token

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
EDGE = NOW.replace(second=0)


ROOM = Room(100)


class Told:
    """A source that tells the last `minutes` of every token; what is in `instead` of some."""

    def __init__(self, minutes: int = 300, room: Room = ROOM, instead: Mapping[str, list[Candle] | OutsideError] | None = None) -> None:
        self.of, self.there, self.instead = minutes, room, instead or {}
        self.asked: list[str] = []

    def room(self, now: datetime) -> Room:
        return self.there

    def minutes(self, address: str, since: datetime, until: datetime, now: datetime) -> list[Candle] | OutsideError:
        assert until == now.replace(second=0, microsecond=0) - NEWEST
        assert until - since == MOST_MINUTES * MINUTE
        self.asked.append(address)
        told = [Candle(until - back * MINUTE, 2.0, 4.0, 1.0, 3.0, 25.0) for back in range(self.of, 0, -1)]
        return self.instead.get(address, told)


def active(number: int = 1, minutes_ago: float = 1.0) -> Token:
    """A token that became Active a while before NOW."""
    token = Token.objects.create(address=mint(number), created_at=NOW - timedelta(hours=2))
    change_status(token, Status.ACTIVE, "test", "test", NOW - timedelta(minutes=minutes_ago), hold=False)
    return token


def seen(token: Token, first: datetime, minutes: int) -> None:
    """Bars of our own, each stored 20 seconds after its end."""
    for number in range(minutes):
        at = first + number * MINUTE
        row = {"token": [token.pk], "open_time": [at.timestamp()], **{name: [2.0] for name in ("open", "high", "low", "close")}}
        row |= {name: [5.0] for name in ("volume", "trades", "buy_volume")}
        write({name: np.array(values) for name, values in row.items()}, "1m", BarSource.SNAPSHOTS, at + timedelta(seconds=80))


def test_a_token_that_became_active_gets_its_past() -> None:
    token = active()
    report = fill_bars(NOW, Told(300))
    bars = Bar.objects.filter(token=token, interval="1m")
    assert (report.filled, report.waiting, bars.count()) == (1, 0, 300)
    assert set(bars.values_list("source", "volume", "trades", "buy_volume")) == {(BarSource.BIRDEYE, 25.0, None, None)}
    assert set(Bar.objects.values_list("interval", flat=True)) == {"1m", "5m", "1h"}
    filled = BarFill.objects.get()
    assert (filled.token, filled.bars, filled.filled_from) == (token, 300, EDGE - NEWEST - 300 * MINUTE)


def test_a_bar_was_not_known_while_it_was_being_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]

    class Slow(Told):
        def minutes(self, address: str, since: datetime, until: datetime, now: datetime) -> list[Candle] | OutsideError:
            clock[0] += 40.0
            return super().minutes(address, since, until, now)

    monkeypatch.setattr("ingestion.bar_fill.time", SimpleNamespace(monotonic=lambda: clock[0]))
    active()
    fill_bars(NOW, Slow(300))
    assert set(Bar.objects.values_list("stored_at", flat=True)) == {NOW + timedelta(seconds=40)}


def test_it_is_asked_for_once() -> None:
    active()
    fill_bars(NOW, Told())
    again = Told()
    assert fill_bars(NOW + timedelta(seconds=30), again).filled == 0
    assert again.asked == []


def test_who_may_not_be_asked_for_is_not() -> None:
    Token.objects.create(address=mint(2), status=Status.INITIAL)
    Token.objects.create(address="BTCUSDT", chain=Chain.BINANCE, status=Status.ACTIVE, activated_at=NOW)
    active(3, minutes_ago=WITHIN.total_seconds() / 60 + 1)
    source = Told()
    fill_bars(NOW, source)
    assert source.asked == []


def test_the_newest_come_first_and_the_rest_waits_and_says_so() -> None:
    tokens = [active(number, minutes_ago=number) for number in (3, 1, 2)]
    source = Told(room=Room(2))
    report = fill_bars(NOW, source)
    assert source.asked == [tokens[1].address, tokens[2].address]
    assert report.waiting == 1
    assert "2 of 3 tokens" in report.says
    assert "1 waits" in report.says


def test_why_nothing_is_asked_for_is_part_of_the_line(caplog: pytest.LogCaptureFixture) -> None:
    active()
    report = fill_bars(NOW, Told(room=Room(0, NO_KEY)))
    assert report.says == f"bars filled back: 0 of 1 tokens that became Active in the last 24 hours (0 bars); 1 waits: {NO_KEY}"
    assert not BarFill.objects.exists()
    with caplog.at_level("INFO"):
        fill_bars(NOW, Told())
    assert "bars filled back: 1 of 1" in caplog.text


def test_a_token_that_is_refused_is_not_asked_for_again() -> None:
    token = active()
    report = fill_bars(NOW, Told(instead={token.address: Permanent("HTTP 400 address is invalid format")}))
    assert (report.refused, BarFill.objects.get().obstacle) == (1, "HTTP 400 address is invalid format")


def test_trouble_stops_the_run_and_the_token_keeps_its_turn() -> None:
    tokens = [active(number, minutes_ago=number) for number in (1, 2)]
    source = Told(instead={tokens[0].address: Temporary("no answer")})
    assert fill_bars(NOW, source).waiting == 2
    assert source.asked == [tokens[0].address]
    assert fill_bars(NOW + MINUTE, Told()).filled == 2


def test_a_token_nobody_knows_is_filled_with_nothing() -> None:
    token = active()
    fill_bars(NOW, Told(instead={token.address: []}))
    assert (BarFill.objects.get().bars, BarFill.objects.get().filled_from) == (0, None)


def test_our_own_bars_stay_as_they_were() -> None:
    token = active()
    seen(token, EDGE - 20 * MINUTE, 18)
    before = list(Bar.objects.order_by("pk").values())
    fill_bars(NOW, Told(100))
    assert [row for row in Bar.objects.order_by("pk").values() if row["source"] == BarSource.SNAPSHOTS] == before
    assert Bar.objects.filter(token=token, interval="1m").count() == 18 + 100 - 15


def test_what_is_filled_in_is_the_past_and_never_a_minute_that_was_judged() -> None:
    """A late bar before the first of our own counts as known ever since; one in a gap afterwards never does."""
    token = active()
    seen(token, EDGE - 30 * MINUTE, 5)
    seen(token, EDGE - 10 * MINUTE, 8)
    was = read_grid("1m", [token.pk], EDGE, 30, as_it_was=True)
    fill_bars(NOW, Told(200))
    now = read_grid("1m", [token.pk], EDGE, 200, as_it_was=True)
    for name in ("open", "close", "volume"):
        np.testing.assert_array_equal(getattr(now, name)[-30:], getattr(was, name))
    assert not np.isnan(now.close[:-30]).any()
    assert np.isnan(now.close[-25:-10]).all()
    assert not np.isnan(read_grid("1m", [token.pk], EDGE, 30).close[-25:-10]).any()  # the chart has them


def test_statements_do_not_grow_with_the_tokens() -> None:
    counts = []
    for numbers in (range(2), range(10, 22)):
        for number in numbers:
            active(number)
        with CaptureQueriesContext(connection) as queries:
            assert fill_bars(NOW, Told(5)).filled == len(numbers)
        counts.append(len(queries))
    assert counts[1] <= counts[0]


def test_the_simulated_birdeye_fills_bars_through_the_real_client() -> None:
    market, clock = Market(1), MarketClock(1.0)
    server = JsonServer(Service(market, clock, "business"), 0)
    server.start()
    cache.clear()
    try:
        now = datetime.now(UTC)
        for row in still_living(market, 30)[:3]:
            token = Token.objects.create(address=market.tokens.mint[row], created_at=now - timedelta(hours=1))
            change_status(token, Status.ACTIVE, "test", "test", now, hold=False)
        account = client_for(server.url, Ledger(), key="simulated", rps=20.0, tick_sec=10.0)
        report = fill_bars(now, BirdeyeBars(account, lambda at: 0, lambda *_: None))
        assert (report.filled, report.waiting) == (3, 0)
        bars: Any = Bar.objects.filter(interval="1m", source=BarSource.BIRDEYE)
        assert bars.count() > 100
        assert all(bar.low <= bar.open <= bar.high and bar.volume > 0 for bar in bars)
    finally:
        server.stop()
