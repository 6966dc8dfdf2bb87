"""The watch-list: bars filled back, snapshots that the score can use, gaps that stay gaps."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from ingestion.binance import Binance, Kline
from ingestion.due import due_tokens
from ingestion.exchange_bars import SNAPSHOT, Seen, snapshot
from ingestion.exchange_polling import poll_exchange
from ingestion.http import Door
from ingestion.ledger import Ledger
from ingestion.models import OpenInterest, WatchedSymbol
from ingestion.simulator import binance_server
from ingestion.simulator.coins import COINS
from ingestion.simulator.json_server import JsonServer
from tokens.models import Bar, Chain, Status, StatusChange, Token, TokenSnapshot

NOW = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def exchange() -> Iterator[Binance]:
    server = JsonServer(binance_server.Binance(clock=NOW.timestamp), 0)
    server.start()
    doors = [Door(name, server.url, {"": 500.0}, 5.0, 4, ledger=Ledger()) for name in ("binance", "binance-futures")]
    yield Binance(*doors, patience_sec=20.0)
    server.stop()


def kline(back: int, **changes: Any) -> Kline:
    figures = {"open": 2.0, "high": 4.0, "low": 1.0, "close": 3.0, "volume": 60.0, "trades": 6, "buy_volume": 30.0} | changes
    return Kline("BTCUSDT", "1m", NOW.replace(second=0) - back * MINUTE, **figures)


def row_of(finished: list[Kline], growing: Kline | None) -> dict[str, Any] | None:
    values = snapshot(Seen(7, finished, growing, 1e6), NOW)
    return dict(zip(SNAPSHOT, values, strict=True)) if values is not None else None


def test_five_minutes_are_exactly_five_minutes() -> None:
    found = row_of([kline(back) for back in range(60, 0, -1)], kline(0, volume=30.0, trades=3, buy_volume=15.0))
    assert found is not None
    assert (found["volume_5m"], found["tx_count_5m"], found["buys_volume_5m"], found["sells_volume_5m"]) == (300.0, 30, 150.0, 150.0)
    assert (found["volume_1h"], found["tx_count_1h"]) == (3600.0, 360)


def test_a_window_with_a_minute_missing_is_unknown() -> None:
    found = row_of([kline(back) for back in range(60, 0, -1) if back != 30], kline(0))
    assert found is not None
    assert (found["tx_count_1h"], found["volume_1h"]) == (None, None)
    assert found["tx_count_5m"] is not None


def test_a_symbol_that_has_fallen_silent_has_no_snapshot() -> None:
    assert row_of([kline(back) for back in range(60, 5, -1)], None) is None
    assert row_of([], None) is None


@given(st.lists(st.floats(0, 1e9), min_size=61, max_size=61), st.floats(0, 1))
def test_flow_never_exceeds_volume(volumes: list[float], share: float) -> None:
    finished = [kline(back, volume=volumes[back], buy_volume=volumes[back] * share) for back in range(60, 0, -1)]
    found = row_of(finished, kline(0, volume=volumes[0], buy_volume=volumes[0] * share))
    assert found is not None
    assert found["sells_volume_5m"] >= 0
    assert found["volume_5m"] + 1e-6 * max(volumes) >= found["sells_volume_5m"]


def test_a_new_symbol_becomes_a_token_with_a_day_of_bars(db: None, exchange: Binance) -> None:
    watched = WatchedSymbol.objects.create(symbol="BTCUSDT")
    report = poll_exchange(NOW, 30, exchange)
    token = Token.objects.get(chain=Chain.BINANCE)
    assert (token.status, token.held, report.answered, report.filled) == (Status.ACTIVE, True, 1, 1)
    assert Bar.objects.filter(token=token, interval="1m").count() == 24 * 60
    assert Bar.objects.filter(token=token, interval="1d").count() == 119  # the day that has only begun is left out at either end
    watched.refresh_from_db()
    assert watched.filled_from == NOW.replace(second=0) - timedelta(hours=24)
    assert (watched.tick_size, watched.obstacle) == (0.01, "")
    assert watched.depth is not None
    assert watched.open_interest is not None


def test_every_reading_of_open_interest_is_kept_with_its_time(db: None, exchange: Binance) -> None:
    watched = WatchedSymbol.objects.create(symbol="BTCUSDT")
    for minutes in (0, 1, 6):
        poll_exchange(NOW + minutes * MINUTE, 30, exchange)
    watched.refresh_from_db()
    rows = list(OpenInterest.objects.order_by("ts"))
    assert [row.token_id for row in rows] == [watched.token_id] * 2  # asked every five minutes, not with every tick
    assert rows[-1].usd == watched.open_interest
    assert all(timedelta() <= row.ts - at < MINUTE for row, at in zip(rows, (NOW, NOW + 6 * MINUTE), strict=True))


def test_a_symbol_without_futures_has_no_open_interest(db: None, exchange: Binance) -> None:
    symbol = next(coin.symbol for coin in COINS.values() if not coin.futures)
    WatchedSymbol.objects.create(symbol=symbol)
    assert poll_exchange(NOW, 30, exchange).answered == 1
    assert not OpenInterest.objects.exists()


def test_its_snapshot_holds_what_the_score_needs(db: None, exchange: Binance) -> None:
    WatchedSymbol.objects.create(symbol="DOGEUSDT")
    poll_exchange(NOW, 30, exchange)
    row = TokenSnapshot.objects.get()
    assert (row.source, row.ts, row.holders) == ("binance", NOW, None)
    assert None not in (row.price, row.liquidity, row.tx_count_5m, row.tx_count_1h, row.volume_5m, row.volume_1h, row.buys_volume_5m)
    assert row.volume_1h is not None
    assert row.volume_5m is not None
    assert 0 < row.volume_5m < row.volume_1h


def test_an_order_book_that_is_not_told_any_more_is_no_liquidity(db: None, exchange: Binance, monkeypatch: pytest.MonkeyPatch) -> None:
    WatchedSymbol.objects.create(symbol="DOGEUSDT")
    poll_exchange(NOW - 16 * MINUTE, 30, exchange)
    monkeypatch.setattr(exchange, "depths", lambda symbols: {})
    for back in (6, 0):
        poll_exchange(NOW - back * MINUTE, 30, exchange)
    known = [liquidity is not None for liquidity in TokenSnapshot.objects.order_by("ts").values_list("liquidity", flat=True)]
    assert known == [True, True, False]
    assert WatchedSymbol.objects.get().figures_at == NOW


def test_a_second_look_at_the_same_moment_changes_nothing(db: None, exchange: Binance) -> None:
    WatchedSymbol.objects.create(symbol="DOGEUSDT")
    poll_exchange(NOW, 30, exchange)
    assert poll_exchange(NOW, 30, exchange).bars == 0
    assert TokenSnapshot.objects.count() == 1


def test_what_binance_refuses_is_told_and_the_rest_goes_on(db: None, exchange: Binance) -> None:
    for symbol in ("NOSUCHUSDT", "ETHUSDT"):
        WatchedSymbol.objects.create(symbol=symbol)
    report = poll_exchange(NOW, 30, exchange)
    assert (report.answered, report.refused) == (1, 1)
    assert "Invalid symbol" in WatchedSymbol.objects.get(symbol="NOSUCHUSDT").obstacle


def test_off_the_list_it_is_archived_and_back_on_it_lives(db: None, exchange: Binance) -> None:
    watched = WatchedSymbol.objects.create(symbol="ETHUSDT")
    poll_exchange(NOW, 30, exchange)
    for on, status in ((False, Status.ARCHIVED), (True, Status.ACTIVE)):
        WatchedSymbol.objects.filter(pk=watched.pk).update(watched=on)
        poll_exchange(NOW + MINUTE, 30, exchange)
        assert Token.objects.get().status == status
    assert list(StatusChange.objects.order_by("pk").values_list("new", flat=True)) == ["Active", "Archived", "Active"]


@pytest.mark.parametrize("taken_off", [False, True])
def test_what_was_missed_meanwhile_is_filled_in(db: None, exchange: Binance, taken_off: bool) -> None:
    watched = WatchedSymbol.objects.create(symbol="ETHUSDT")
    before, ago = NOW - timedelta(hours=5), timedelta(hours=5)
    poll_exchange(before, 30, exchange)
    if taken_off:
        WatchedSymbol.objects.filter(pk=watched.pk).update(watched=False)
        poll_exchange(before + MINUTE, 30, exchange)
        WatchedSymbol.objects.filter(pk=watched.pk).update(watched=True)
    poll_exchange(NOW, 30, exchange)
    hours = {"1m": 60, "5m": 12, "1h": 1}
    missed = Bar.objects.filter(open_time__gte=NOW.replace(second=0) - ago, open_time__lt=NOW.replace(second=0))
    assert {name: missed.filter(interval=name).count() for name in hours} == {name: 5 * count for name, count in hours.items()}
    assert TokenSnapshot.objects.filter(ts=NOW, volume_1h__isnull=False).count() == 1


def test_statements_do_not_grow_with_the_list(db: None, exchange: Binance) -> None:
    counts = []
    for symbols in (["BTCUSDT"], ["ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT"]):
        for symbol in symbols:
            WatchedSymbol.objects.create(symbol=symbol)
        poll_exchange(NOW, 30, exchange)
        with CaptureQueriesContext(connection) as queries:
            poll_exchange(NOW + timedelta(seconds=len(symbols)), 30, exchange)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 20


def test_the_services_of_solana_are_not_asked_about_it(db: None, exchange: Binance) -> None:
    WatchedSymbol.objects.create(symbol="ETHUSDT")
    poll_exchange(NOW, 30, exchange)
    assert due_tokens(Status.ACTIVE, NOW + timedelta(hours=1), 0) == []


@pytest.mark.parametrize("symbol", ["btcusdt", "BTC/USDT", "B", "", "BTCUSDT\n", "<b>", "X" * 31])
def test_what_is_no_symbol_is_refused(symbol: str) -> None:
    with pytest.raises(ValidationError):
        WatchedSymbol(symbol=symbol).clean_fields()
