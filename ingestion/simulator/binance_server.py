"""Binance's public market data as it comes over the wire: REST with its weights and refusals, and the stream of klines."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import Message
from typing import Any

import numpy as np

from ingestion.simulator.coins import COINS, Coin, log_price, minutes
from ingestion.simulator.json_server import Answer
from ingestion.simulator.websocket_server import Connection, WebSocketServer

PATH = "/stream"
BEAT = 0.1
PUSH_SEC = 2.0
MOST_ROWS = 1000
HALF_HOUR, DAY = 1800, 86_400
INTERVALS = {"1m": 60, "5m": 300, "1h": 3600, "1d": DAY}
WEIGHT_A_MINUTE = 6000
OPEN_INTEREST_MINUTES = 400  # of the volume of a minute: contracts that stay open


class Weights:
    """What was spent in the last minute; after a 429 that is not heeded comes the ban."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self._clock = limit, clock
        self._spent: deque[tuple[float, int]] = deque()
        self._refused: deque[float] = deque()
        self._banned_until = 0.0
        self._lock = threading.Lock()

    def take(self, weight: int) -> tuple[int, int, int]:
        """(status, weight used in this minute, seconds to wait)."""
        with self._lock:
            now = self._clock()
            if now < self._banned_until:
                return 418, self.limit, int(self._banned_until - now) + 1
            while self._spent and self._spent[0][0] <= now - 60:
                self._spent.popleft()
            used = sum(spent for _, spent in self._spent)
            if used + weight > self.limit:
                self._refused.append(now)
                if len([at for at in self._refused if at > now - 60]) > 5:
                    self._banned_until = now + 120
                return 429, used, int(self._spent[0][0] + 60 - now) + 1 if self._spent else 60
            self._spent.append((now, weight))
            return 200, used + weight, 0


class Binance:
    """Spot and futures paths in one service: their names do not meet."""

    def __init__(self, clock: Callable[[], float] = time.time, weight_a_minute: int = WEIGHT_A_MINUTE) -> None:
        self._clock = clock
        self.weights = Weights(weight_a_minute)
        self._paths: dict[str, tuple[int, Callable[[Mapping[str, str]], Answer]]] = {
            "/api/v3/klines": (2, self._klines),
            "/api/v3/ticker/24hr": (40, self._ticker),
            "/api/v3/depth": (5, self._depth),
            "/api/v3/exchangeInfo": (20, self._rules),
            "/api/v3/time": (1, lambda query: Answer(200, {"serverTime": int(self._clock() * 1000)})),
            "/api/v3/ping": (1, lambda query: Answer(200, {})),
            "/fapi/v1/openInterest": (1, self._open_interest),
        }

    def answer(self, path: str, query: Mapping[str, str], headers: Message) -> Answer:
        if path not in self._paths:
            return Answer(404, {"code": -1000, "msg": "Unknown path."})
        weight, reply = self._paths[path]
        status, used, wait = self.weights.take(weight)
        spent = {"x-mbx-used-weight": str(used), "x-mbx-used-weight-1m": str(used)}
        if status != 200:
            words = "Way too much request weight used; IP banned" if status == 418 else "Too much request weight used"
            return Answer(status, {"code": -1003, "msg": f"{words}."}, spent | {"Retry-After": str(wait)})
        found = reply(query)
        return Answer(found.status, found.body, spent)

    def _klines(self, query: Mapping[str, str]) -> Answer:
        coin = COINS.get(query.get("symbol", ""))
        if coin is None:
            return _refused(-1121, "Invalid symbol.")
        length = INTERVALS.get(query.get("interval", ""))
        if length is None:
            return _refused(-1120, "Invalid interval.")
        limit = query.get("limit", "500")
        if not limit.isdecimal() or not 1 <= int(limit) <= MOST_ROWS:
            return _refused(-1130, "Data sent for parameter 'limit' is not valid.")
        now = self._clock()
        newest = int(now) // length * length
        first = newest - length * (int(limit) - 1)
        if query.get("startTime", "").isdecimal():
            first = -(-int(query["startTime"]) // (1000 * length)) * length
        last = min(newest, first + length * (int(limit) - 1))
        if query.get("endTime", "").isdecimal():
            last = min(last, int(query["endTime"]) // 1000 // length * length)
        return Answer(200, rows_of(coin, first, (last - first) // length + 1, length, now))

    def _ticker(self, query: Mapping[str, str]) -> Answer:
        try:
            asked = json.loads(query["symbols"]) if "symbols" in query else [query["symbol"]] if "symbol" in query else list(COINS)
        except ValueError:
            return _refused(-1100, "Illegal characters found in parameter 'symbols'; legal range is '[...]'.")
        if any(symbol not in COINS for symbol in asked):
            return _refused(-1121, "Invalid symbol.")
        found = [self._day(COINS[symbol]) for symbol in asked]
        return Answer(200, found if "symbol" not in query else found[0])

    def _day(self, coin: Coin) -> dict[str, Any]:
        now = self._clock()
        end = int(now) // HALF_HOUR * HALF_HOUR
        day = minutes(coin, end - DAY + HALF_HOUR, DAY // HALF_HOUR, now, HALF_HOUR)
        first, last = float(day.open[0]), float(day.close[-1])
        return {
            "symbol": coin.symbol,
            "priceChange": _digits(last - first),
            "priceChangePercent": f"{100 * (last / first - 1):.3f}",
            "weightedAvgPrice": _digits(float(day.volume.sum() / (day.volume / day.close).sum())),
            "lastPrice": _digits(last),
            "openPrice": _digits(first),
            "highPrice": _digits(float(day.high.max())),
            "lowPrice": _digits(float(day.low.min())),
            "volume": _digits(float((day.volume / day.close).sum())),
            "quoteVolume": _digits(float(day.volume.sum())),
            "openTime": int(day.opened[0]) * 1000,
            "closeTime": int(now * 1000),
            "firstId": 1,
            "lastId": int(day.trades.sum()),
            "count": int(day.trades.sum()),
        }

    def _depth(self, query: Mapping[str, str]) -> Answer:
        coin = COINS.get(query.get("symbol", ""))
        if coin is None:
            return _refused(-1121, "Invalid symbol.")
        price = float(np.exp(log_price(coin, np.array([self._clock()]))[0]))
        away = 0.0001 * 1.09 ** np.arange(50)
        size = coin.dollars_a_minute * 0.02 * (1 + np.arange(50)) / price
        bids = [[_digits(price * (1 - float(step))), _digits(float(much))] for step, much in zip(away, size, strict=True)]
        asks = [[_digits(price * (1 + float(step))), _digits(float(much))] for step, much in zip(away, size, strict=True)]
        return Answer(200, {"lastUpdateId": int(self._clock() * 10), "bids": bids, "asks": asks})

    def _rules(self, query: Mapping[str, str]) -> Answer:
        try:
            asked = json.loads(query["symbols"]) if "symbols" in query else list(COINS)
        except ValueError:
            return _refused(-1100, "Illegal characters found in parameter 'symbols'; legal range is '[...]'.")
        if any(symbol not in COINS for symbol in asked):
            return _refused(-1121, "Invalid symbol.")
        limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self.weights.limit}]
        symbols = [
            {
                "symbol": coin.symbol,
                "status": "TRADING",
                "baseAsset": coin.base,
                "quoteAsset": "USDT",
                "filters": [{"filterType": "PRICE_FILTER", "minPrice": coin.tick, "maxPrice": "1000000.00000000", "tickSize": coin.tick}],
            }
            for coin in map(COINS.__getitem__, asked)
        ]
        return Answer(200, {"timezone": "UTC", "serverTime": int(self._clock() * 1000), "rateLimits": limits, "symbols": symbols})

    def _open_interest(self, query: Mapping[str, str]) -> Answer:
        coin = COINS.get(query.get("symbol", ""))
        if coin is None or not coin.futures:
            return _refused(-1121, "Invalid symbol.")
        contracts = OPEN_INTEREST_MINUTES * coin.dollars_a_minute / coin.price
        return Answer(200, {"openInterest": _digits(contracts), "symbol": coin.symbol, "time": int(self._clock() * 1000)})


def rows_of(coin: Coin, first: int, count: int, length: int, now: float) -> list[list[Any]]:
    """Klines of any length, each made of its minutes; none that has not begun."""
    step = 60 if length < DAY else HALF_HOUR
    each = length // step
    whole = minutes(coin, first, max(0, count) * each, now, step)
    found = []
    for begin in range(0, len(whole.opened), each):
        inside = slice(begin, begin + each)
        opened, volume, bought = int(whole.opened[begin]), whole.volume[inside], whole.bought[inside]
        prices = (whole.open[begin], whole.high[inside].max(), whole.low[inside].min(), whole.close[inside][-1])
        units, bought_units = ((dollars / whole.close[inside]).sum() for dollars in (volume, bought))
        found.append(
            [
                opened * 1000,
                *(_digits(float(price)) for price in prices),
                _digits(float(units)),
                (opened + length) * 1000 - 1,
                _digits(float(volume.sum())),
                int(whole.trades[inside].sum()),
                _digits(float(bought_units)),
                _digits(float(bought.sum())),
                "0",
            ]
        )
    return found


class KlineStream:
    """`/stream`: what a client subscribes to by SUBSCRIBE is pushed every two seconds, and at once when a minute ends."""

    def __init__(self, port: int = 0, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._stop = threading.Event()
        self._server = WebSocketServer(PATH, port, _anyone, self._serve)
        self.url = self._server.url.removesuffix(PATH)

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._stop.set()
        self._server.stop()

    def _serve(self, connection: Connection) -> None:
        wanted: set[str] = set()
        pusher = threading.Thread(target=self._push, args=(connection, wanted), name="klines", daemon=True)
        pusher.start()
        while True:
            self._command(connection, wanted, connection.receive())

    def _command(self, connection: Connection, wanted: set[str], text: str) -> None:
        try:
            asked = json.loads(text)
            names, number = [str(name) for name in asked.get("params", [])], asked.get("id")
        except (ValueError, AttributeError):
            connection.send('{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}')
            return
        if asked.get("method") == "SUBSCRIBE":
            wanted |= set(names)  # a name that does not exist is acknowledged as well, and stays silent
        elif asked.get("method") == "UNSUBSCRIBE":
            wanted -= set(names)
        else:
            connection.send('{"code":2,"msg":"Invalid request: unknown variant"}')
            return
        connection.send(json.dumps({"result": None, "id": number}))

    def _push(self, connection: Connection, wanted: set[str]) -> None:
        pushed_at, minute = 0.0, int(self._clock()) // 60
        with suppress(OSError):
            while connection.open and not self._stop.wait(BEAT):
                now = self._clock()
                if int(now) // 60 != minute:
                    ended, minute = minute, int(now) // 60
                    self._send(connection, wanted, ended * 60, now)
                    pushed_at = 0.0
                if now - pushed_at >= PUSH_SEC:
                    pushed_at = now
                    self._send(connection, wanted, minute * 60, now)

    def _send(self, connection: Connection, wanted: set[str], opened: int, now: float) -> None:
        for name in sorted(wanted):
            coin = COINS.get(name.removesuffix("@kline_1m").upper())
            if coin is not None and name.endswith("@kline_1m"):
                connection.send(json.dumps({"stream": name, "data": frame_of(coin, opened, now)}))


def frame_of(coin: Coin, opened: int, now: float) -> dict[str, Any]:
    """The kline of the minute that begins at `opened`, as the stream tells it; final when the minute is over."""
    (row,) = rows_of(coin, opened, 1, 60, now)
    names = {"t": 0, "o": 1, "h": 2, "l": 3, "c": 4, "v": 5, "T": 6, "q": 7, "n": 8, "V": 9, "Q": 10, "B": 11}
    body = {name: row[place] for name, place in names.items()}
    body |= {"s": coin.symbol, "i": "1m", "f": 100, "L": 200, "x": now >= opened + 60}
    return {"e": "kline", "E": int(now * 1000), "s": coin.symbol, "k": body}


@contextmanager
def _anyone() -> Iterator[None]:
    yield


def _refused(code: int, words: str) -> Answer:
    return Answer(400, {"code": code, "msg": words})


def _digits(number: float) -> str:
    """Plain decimals, never in e-notation, with eight significant digits."""
    if number == 0:
        return "0.00000000"
    places = max(2, 7 - int(np.floor(np.log10(abs(number)))))
    return f"{number:.{min(places, 18)}f}"
