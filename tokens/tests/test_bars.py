"""Bars out of snapshots, in the table and back."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tokens import cleanup
from tokens.bars import in_time, read_grid, record_bars, write
from tokens.models import Bar, BarSource, Token, TokenSnapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def token() -> Token:
    return Token.objects.create(address="A" * 44)


def seen(token: Token, at: datetime, price: float | None, **figures: Any) -> None:
    TokenSnapshot.objects.create(token=token, ts=at, source="pools", price=price, **figures)


def bars(interval: str = "1m") -> list[tuple[Any, ...]]:
    return list(Bar.objects.filter(interval=interval).order_by("open_time").values_list("open", "high", "low", "close", "volume", "trades"))


def test_a_minute_shows_the_prices_that_were_seen_in_it(token: Token, now: datetime) -> None:
    for second, price in ((0, 2.0), (20, 5.0), (30, 1.0), (50, 3.0)):
        seen(token, now + timedelta(seconds=second), price)
    assert record_bars(now + timedelta(seconds=80)) == 1
    assert bars() == [(2.0, 5.0, 1.0, 3.0, None, None)]


def test_a_minutes_amounts_are_a_fifth_of_the_last_five_minutes(token: Token, now: datetime) -> None:
    seen(token, now, 1.0, volume_5m=10.0, tx_count_5m=4)
    seen(token, now + timedelta(seconds=30), 1.0, volume_5m=20.0, tx_count_5m=7, buys_volume_5m=15.0)
    record_bars(now + timedelta(seconds=80))
    assert bars()[0][4:] == (4.0, 1.4)
    assert Bar.objects.get().buy_volume == 3.0


def test_a_minute_that_may_still_get_figures_has_no_bar_yet(token: Token, now: datetime) -> None:
    seen(token, now, 1.0)
    assert record_bars(now + timedelta(seconds=79)) == 0


@pytest.mark.parametrize("figures", [{"price": None}, {"price": 0.0}, {"price": 1.0, "contradictions": "dust_price"}])
def test_unknown_zero_and_contradictory_prices_make_no_bar(token: Token, now: datetime, figures: dict[str, Any]) -> None:
    seen(token, now, **figures)
    assert record_bars(now + timedelta(minutes=2)) == 0


def test_a_minute_in_which_nothing_was_seen_is_a_gap(token: Token, now: datetime) -> None:
    seen(token, now, 1.0)
    seen(token, now + timedelta(minutes=2), 3.0)
    record_bars(now + timedelta(minutes=4))
    grid = read_grid("1m", [token.pk], now + timedelta(minutes=3), 3)
    np.testing.assert_array_equal(grid.close[:, 0], [1.0, np.nan, 3.0])


def test_a_second_run_adds_nothing(token: Token, now: datetime) -> None:
    seen(token, now, 1.0)
    later = now + timedelta(minutes=2)
    assert (record_bars(later), record_bars(later)) == (1, 0)


def test_what_comes_too_late_changes_no_bar(token: Token, now: datetime) -> None:
    seen(token, now, 1.0)
    record_bars(now + timedelta(minutes=2))
    seen(token, now + timedelta(seconds=30), 9.0)
    record_bars(now + timedelta(minutes=3))
    assert bars()[0][1] == 1.0


def test_longer_bars_are_added_up_when_they_end(token: Token, now: datetime) -> None:
    for minute, price in enumerate((4.0, 2.0, 8.0, 5.0, 6.0)):
        seen(token, now + timedelta(minutes=minute), price, volume_5m=5.0)
    record_bars(now + timedelta(minutes=4, seconds=30))
    assert bars("5m") == []
    record_bars(now + timedelta(minutes=5, seconds=30))
    assert bars("5m") == [(4.0, 8.0, 2.0, 6.0, 5.0, None)]


def test_the_number_of_statements_does_not_depend_on_the_tokens(now: datetime) -> None:
    counts = []
    for many in (1, 40):
        for number in range(many):
            seen(Token.objects.create(address=f"{many}-{number}"), now + timedelta(minutes=5 * many), 1.0)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            record_bars(now + timedelta(minutes=5 * many + 6))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 20


def test_who_was_not_told_yet_does_not_see_it(token: Token, now: datetime) -> None:
    rows = {name: np.array([1.0]) for name in ("open", "high", "low", "close", "volume", "trades", "buy_volume")}
    rows |= {"token": np.array([float(token.pk)]), "open_time": np.array([now.timestamp()])}
    write(rows, "1m", BarSource.BIRDEYE, now + timedelta(hours=1))
    until = now + timedelta(minutes=1)
    assert np.isnan(read_grid("1m", [token.pk], until, 1, known_by=now + timedelta(minutes=5)).close).all()
    assert read_grid("1m", [token.pk], until, 1).close[0, 0] == 1.0


def test_an_unknown_length_is_refused() -> None:
    with pytest.raises(KeyError):
        read_grid("2m", [1], datetime.fromisoformat("2026-11-21T12:00:00+00:00"), 1)


def test_old_bars_go_and_longer_ones_stay_longer(token: Token, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "ROWS_A_BATCH", 2)
    for interval, days in (("1m", 4), ("1m", 4.5), ("1m", 5), ("1m", 1), ("5m", 4), ("5m", 15), ("1d", 900)):
        Bar.objects.create(token=token, interval=interval, open_time=now - timedelta(days=days), open=1, high=1, low=1, close=1)
    assert cleanup.delete_old_bars(now, now - timedelta(days=3)) == 4
    assert sorted(Bar.objects.values_list("interval", flat=True)) == ["1d", "1m", "5m"]


def test_what_filled_a_gap_afterwards_was_not_there_when_it_was_judged() -> None:
    opens, lateness = [0, 60, 120, 180, 240], [9e4, 9e4, 10, 9e4, 119]
    rows = {"token": np.full(5, 7.0), "open_time": np.array(opens, dtype=float), "stored_at": np.array(opens) + 60 + np.array(lateness)}
    assert in_time(rows, 60).tolist() == [True, True, True, False, True]
    alone = {name: column[:1] for name, column in rows.items()}
    assert in_time(alone, 60).tolist() == [True]
    assert in_time({name: column[:0] for name, column in rows.items()}, 60).tolist() == []
