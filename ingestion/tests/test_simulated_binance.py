"""The simulated Binance answers as the documented one does, and its weights and bans bite."""

import json
from email.message import Message
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingestion.simulator.binance_server import Binance, Weights, frame_of
from ingestion.simulator.coins import COINS, minutes

PAYLOADS = Path(__file__).parent / "payloads"
NOW = 1_763_726_430.0


def documented(name: str) -> Any:
    return json.loads((PAYLOADS / f"binance_{name}.json").read_text())


def asked(path: str, **query: str) -> Any:
    answer = Binance(clock=lambda: NOW).answer(path, query, Message())
    assert answer.status == 200
    return answer.body


def kinds(value: Any) -> Any:
    return (
        [type(part).__name__ for part in value] if isinstance(value, list) else {name: type(part).__name__ for name, part in value.items()}
    )


def test_a_kline_has_the_documented_parts() -> None:
    (row,) = asked("/api/v3/klines", symbol="BTCUSDT", interval="1m", limit="1")
    assert kinds(row) == kinds(documented("doc_klines")[0])


def test_a_pushed_kline_has_the_documented_parts() -> None:
    frame = frame_of(COINS["BTCUSDT"], int(NOW) // 60 * 60, NOW)
    told = documented("doc_ws_kline")
    assert kinds(frame) == kinds(told)
    assert kinds(frame["k"]) == kinds(told["k"])


def test_the_books_sides_stand_on_their_sides() -> None:
    book = asked("/api/v3/depth", symbol="PEPEUSDT", limit="100")
    assert kinds(book) == kinds(documented("doc_depth"))
    assert float(book["bids"][0][0]) < float(book["asks"][0][0])


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/api/v3/klines", {"symbol": "NOSUCH", "interval": "1m"}, -1121),
        ("/api/v3/klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ("/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "5000"}, -1130),
        ("/api/v3/ticker/24hr", {"symbols": "["}, -1100),
        ("/fapi/v1/openInterest", {"symbol": "OLDUSDT"}, -1121),
    ],
)
def test_what_is_wrong_is_refused_with_its_code(path: str, query: dict[str, str], code: int) -> None:
    answer = Binance(clock=lambda: NOW).answer(path, query, Message())
    assert (answer.status, answer.body["code"]) == (400, code)


def test_the_same_minute_is_the_same_whenever_it_is_asked_for() -> None:
    coin = COINS["SOLUSDT"]
    whole, part = minutes(coin, 1_763_700_000, 300, NOW), minutes(coin, 1_763_706_000, 10, NOW + 86_400)
    np.testing.assert_array_equal(whole.close[100:110], part.close)
    np.testing.assert_array_equal(whole.volume[100:110], part.volume)


def test_minutes_follow_each_other_without_a_jump() -> None:
    found = minutes(COINS["BTCUSDT"], 1_763_700_000, 400, NOW)
    np.testing.assert_allclose(found.close[:-1], found.open[1:], rtol=1e-9)
    assert (found.low <= np.minimum(found.open, found.close)).all()
    assert (found.bought <= found.volume).all()


def test_who_does_not_heed_a_429_is_banned() -> None:
    clock = [0.0]
    weights = Weights(10, lambda: clock[0])
    assert [weights.take(5)[0] for _ in range(2)] == [200, 200]
    assert [weights.take(5)[0] for _ in range(7)] == [429] * 6 + [418]
    clock[0] = 200.0
    assert weights.take(5)[0] == 200
