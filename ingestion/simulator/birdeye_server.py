"""Birdeye as it answers on the wire: envelope, names, null rules, plans, quota and rates (see the payloads in the tests)."""

import math
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any

import numpy as np

from ingestion.simulator import candles
from ingestion.simulator.births import Quirk
from ingestion.simulator.chance import share
from ingestion.simulator.clock import MarketClock
from ingestion.simulator.json_server import Answer, Rate
from ingestion.simulator.market import Market, Rows
from ingestion.simulator.reports import Window, change, known, plain, prices, told

MINT = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}")
DEFAULT_FRAMES = "1m,5m,30m,1h,2h,4h,6h,8h,12h,24h"
LACKS = (
    "Your API key is either suspended or lacks sufficient permissions to access this resource. Please check your account status or "
    "upgrade to a higher plan. For assistance, contact bds.support@birdeye.so."
)


@dataclass(frozen=True)
class Plan:
    """What an account may do: compute units a month, calls a second and a minute, and its place among the plans."""

    rank: int
    units: int
    per_second: int
    per_minute: int


PLANS = {
    "standard": Plan(0, 30_000, 1, 60),
    "lite": Plan(1, 2_500_000, 15, 900),
    "starter": Plan(2, 8_000_000, 15, 900),
    "premium": Plan(3, 20_000_000, 50, 1000),
    "business": Plan(4, 100_000_000, 100, 1500),
}


@dataclass(frozen=True)
class Told:
    """What is told of one token at one moment."""

    row: int
    price: float
    liquidity: float
    holders: int
    markets: int
    last_trade: float
    frames: dict[str, tuple[Window, Window]]  # of each frame: the window, and the one before it
    past_price: dict[str, float]


class Refused(Exception):
    """A call that is answered with an error; `args` are status and message."""


class Birdeye:
    """One account. `units_left` counts down to the quota's end, after which every call is refused."""

    def __init__(
        self, market: Market, clock: MarketClock, plan: str = "standard", key: str = "simulated", units: int | None = None
    ) -> None:
        self.market, self.clock, self.key = market, clock, key
        self.plan = PLANS[plan]
        self.units_left = self.units = self.plan.units if units is None else units
        self._lock = threading.Lock()
        self._rates = [Rate(self.plan.per_second, 1.0), Rate(self.plan.per_minute, 60.0)]
        self._routes: dict[str, tuple[int, Callable[[Mapping[str, str]], tuple[int, Any]]]] = {
            "/defi/token_overview": (0, self._overview),
            "/defi/price": (0, self._price),
            "/defi/v3/token/market-data": (0, self._market_data),
            "/defi/v3/ohlcv": (0, self._ohlcv),
            "/utils/v1/credits": (0, self._credits),
            "/defi/v3/token/trade-data/single": (1, self._trade_data),
            "/defi/multi_price": (1, self._multi_price),
            "/defi/v3/token/market-data/multiple": (4, self._market_data_multiple),
            "/defi/v3/token/trade-data/multiple": (4, self._trade_data_multiple),
        }

    def answer(self, path: str, query: Mapping[str, str], headers: Message) -> Answer:
        if headers.get("X-API-KEY") != self.key:
            return _error(401, "Unauthorized")
        for rate in self._rates:
            if rate.take() is None:
                return _error(429, "Too many requests", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(rate.free_at())})
        if path not in self._routes:
            return _error(404, "Not found")
        rank, call = self._routes[path]
        if self.plan.rank < rank:
            return _error(401, LACKS)
        if self.units_left <= 0:
            return _error(400, "Compute units usage limit exceeded")
        try:
            cost, data = call(query)
        except Refused as refusal:
            return _error(*refusal.args)
        with self._lock:
            self.units_left -= cost
        body = {"success": True, "data": data}
        # Some answers of the real service put the data first.
        return Answer(200, body if share(path, len(query)) < 0.5 else dict(reversed(body.items())))

    # One method an endpoint: (compute units, data).

    def _overview(self, query: Mapping[str, str]) -> tuple[int, Any]:
        mint = _one_address(query)
        frames = _frames(query)
        found = self._told([mint], frames)
        if not found:
            return 25, ({} if share(mint, 3) < 0.7 else None)
        return 25, self._overview_of(mint, found[mint], frames)

    def _market_data(self, query: Mapping[str, str]) -> tuple[int, Any]:
        mint = _one_address(query)
        found = self._told([mint], {})
        return 12, self._market_data_of(mint, found[mint]) if found else {}

    def _trade_data(self, query: Mapping[str, str]) -> tuple[int, Any]:
        mint, frames = _one_address(query), _frames(query)
        found = self._told([mint], frames)
        return 12, self._trade_data_of(mint, found[mint], frames) if found else {}

    def _price(self, query: Mapping[str, str]) -> tuple[int, Any]:
        mint = _one_address(query)
        found = self._told([mint], {})
        return 3, self._price_of(found[mint], query.get("include_liquidity") == "true") if found else None

    def _ohlcv(self, query: Mapping[str, str]) -> tuple[int, Any]:
        mint = _one_address(query)
        try:
            length, since, until = candles.asked(query)
        except candles.Wrong as wrong:
            raise Refused(400, f"{wrong} {'' if str(wrong) == 'type' else 'is '}invalid format") from None
        row = known(self.market, mint, self.clock.now(), "birdeye")
        found = [] if row is None else candles.candles(self.market, self.clock, row, length, since, until)
        of = {"address": mint, "type": query["type"], "currency": "usd"}
        return candles.units(len(found)), {"is_scaled_ui_token": False, "items": [{**candle, **of} for candle in found]}

    def _multi_price(self, query: Mapping[str, str]) -> tuple[int, Any]:
        mints = _addresses(query, 100)
        found = self._told(mints, {})
        with_liquidity = query.get("include_liquidity") == "true"
        data = {mint: self._price_of(found[mint], with_liquidity) if mint in found else None for mint in mints}
        return math.ceil(5 * len(mints) ** 0.8), data

    def _market_data_multiple(self, query: Mapping[str, str]) -> tuple[int, Any]:
        mints = _addresses(query, 20)
        return math.ceil(15 * len(mints) ** 0.8), {mint: self._market_data_of(mint, one) for mint, one in self._told(mints, {}).items()}

    def _trade_data_multiple(self, query: Mapping[str, str]) -> tuple[int, Any]:
        mints, frames = _addresses(query, 20), _frames(query)
        found = self._told(mints, frames)
        return math.ceil(15 * len(mints) ** 0.8), {mint: self._trade_data_of(mint, one, frames) for mint, one in found.items()}

    def _credits(self, query: Mapping[str, str]) -> tuple[int, Any]:
        used, left = self.units - self.units_left, max(0, self.units_left)
        start = int(self.clock.unix(0.0))
        nothing = {"total": 0, "api": 0, "ws": 0}
        return 1, {
            "start_time": start,
            "end_time": start + 30 * 86_400,
            "usage": {"total": used, "api": used, "ws": 0},
            "remaining": {"api": left, "ws": 0, "total": left},
            "overage_usage": nothing,
            "overage_cost": nothing,
        }

    # What is known of the tokens asked for.

    def _told(self, mints: list[str], frames: dict[str, float]) -> dict[str, Told]:
        now = self.clock.now()
        found = {mint: row for mint in mints if (row := known(self.market, mint, now, "birdeye")) is not None}
        if not found:
            return {}
        rows = np.array(list(found.values()))
        windows, last_trades, past = self._windows(rows, now, frames)
        price = prices(self.market, rows, now)
        columns = zip(
            found.items(), price.tolist(), self.market.liquidity(rows, now).tolist(), self.market.holders(rows, now).tolist(), strict=True
        )
        opened = (self.market.tokens.pool_opens[rows] <= ((now - self.market.tokens.born[rows]) / 60)[:, None]).sum(axis=1)
        return {
            mint: Told(
                row,
                told_price,
                liquidity,
                int(holders),
                int(opened[n]),
                last_trades[n],
                {frame: (window[n], before[n]) for frame, (window, before) in windows.items()},
                {frame: values[n] for frame, values in past.items()},
            )
            for n, ((mint, row), told_price, liquidity, holders) in enumerate(columns)
        }

    def _windows(
        self, rows: Rows, now: float, frames: dict[str, float]
    ) -> tuple[dict[str, tuple[list[Window], list[Window]]], list[float], dict[str, list[float]]]:
        quirks = self.market.tokens.quirk[rows].tolist()
        counted = {frame: seconds for frame, seconds in frames.items() if frame not in _PRICE_ONLY}
        trades = self.market.trades(rows, now, max([7200.0, *(2 * seconds for seconds in counted.values())]))
        windows = {
            frame: (
                told(trades.window(now, seconds), quirks, seconds),
                told(trades.window(now - seconds, seconds), quirks, seconds),
            )
            for frame, seconds in counted.items()
        }
        past = {frame: prices(self.market, rows, now - seconds).tolist() for frame, seconds in frames.items()}
        last = trades.last_moment(now)
        last = np.where(np.isnan(last), np.maximum(self.market.tokens.born[rows], now - 7200.0), last)
        return windows, last.tolist(), past

    # The answers, key by key.

    def _overview_of(self, mint: str, one: Told, frames: dict[str, float]) -> dict[str, Any]:
        t, row = self.market.tokens, one.row
        supply = float(t.supply[row])
        decided = share(mint, 5)
        body: dict[str, Any] = {
            "address": mint,
            "decimals": 6,
            "symbol": t.symbol[row],
            "name": t.name[row],
            "marketCap": one.price * supply,
            "fdv": one.price * supply,
            "extensions": None if decided < 0.3 else {"twitter": f"https://x.com/{mint[:8]}", "description": "a simulated token"},
            "logoURI": None if decided < 0.1 else f"https://ipfs.io/ipfs/Qm{mint}",
            "liquidity": one.liquidity,
            "lastTradeUnixTime": int(self.clock.unix(one.last_trade)),
            "lastTradeHumanTime": self.clock.human(one.last_trade),
            "price": one.price,
        }
        for frame in frames:
            body[f"history{frame}Price"] = one.past_price[frame]
            body[f"priceChange{frame}Percent"] = change(one.price, one.past_price[frame])
        body |= self._wallets(one, _camel)
        body |= {"totalSupply": supply, "circulatingSupply": supply, "holder": self._holder(one)}
        body |= _flows(one, _camel, ("v", "vBuy", "vSell"))
        body["numberMarkets"] = one.markets
        if decided < 0.5:  # added in 2025: not in every answer
            body |= {"isScaledUiToken": False, "multiplier": None}
        return body

    def _trade_data_of(self, mint: str, one: Told, frames: dict[str, float]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "address": mint,
            "holder": self._holder(one),
            "market": one.markets,
            "last_trade_unix_time": int(self.clock.unix(one.last_trade)),
            "last_trade_human_time": self.clock.human(one.last_trade),
            "price": one.price,
        }
        for frame in frames:
            body[f"history_{frame}_price"] = one.past_price[frame]
            body[f"price_change_{frame}_percent"] = change(one.price, one.past_price[frame])
        body |= self._wallets(one, _snake)
        body |= _flows(one, _snake, ("volume", "volume_buy", "volume_sell"))
        return body | {"is_scaled_ui_token": False, "multiplier": None}

    def _market_data_of(self, mint: str, one: Told) -> dict[str, Any]:
        supply = float(self.market.tokens.supply[one.row])
        value = one.price * supply
        return {
            "address": mint,
            "price": one.price,
            "liquidity": one.liquidity,
            "total_supply": supply,
            "circulating_supply": supply,
            "fdv": value,
            "market_cap": value,
            "holder": self._holder(one),
            "is_scaled_ui_token": False,
            "multiplier": None,
        }

    def _price_of(self, one: Told, with_liquidity: bool) -> dict[str, Any]:
        now = self.clock.now()
        before = float(prices(self.market, np.array([one.row]), now - 86_400.0)[0])
        body = {
            "isScaledUiToken": False,
            "value": one.price,
            "updateUnixTime": int(self.clock.unix(now)),
            "updateHumanTime": self.clock.human(now),
            "priceInNative": one.price / 142.0,
            "priceChange24h": change(one.price, before),
        }
        return body | {"liquidity": one.liquidity} if with_liquidity else body

    def _holder(self, one: Told) -> int | None:
        return None if self.market.tokens.quirk[one.row] == Quirk.NO_HOLDERS else one.holders

    def _wallets(self, one: Told, named: Callable[..., str]) -> dict[str, Any]:
        stem = "uniqueWallet" if named is _camel else "unique_wallet"
        body: dict[str, Any] = {}
        counts = np.array([[window.trades, before.trades] for window, before in one.frames.values()], dtype=float)
        rows = np.array([one.row])
        for frame, (trades, trades_before) in zip(one.frames, counts, strict=True):
            wallets = int(self.market.wallets(rows, np.array([trades]))[0])
            wallets_before = int(self.market.wallets(rows, np.array([trades_before]))[0])
            body |= _counted(stem, frame, wallets, wallets_before, named)
        return body


_PRICE_ONLY = ("6h", "12h")  # told for prices, never for trades
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def _camel(stem: str, frame: str, *, history: bool = False, dollars: bool = False, percent: bool = False) -> str:
    return f"{stem}{'History' if history else ''}{frame}{'USD' if dollars else ''}{'ChangePercent' if percent else ''}"


def _snake(stem: str, frame: str, *, history: bool = False, dollars: bool = False, percent: bool = False) -> str:
    return f"{stem}_{'history_' if history else ''}{frame}{'_usd' if dollars else ''}{'_change_percent' if percent else ''}"


def _counted(stem: str, frame: str, now: int, before: int, named: Callable[..., str]) -> dict[str, Any]:
    return {named(stem, frame): now, named(stem, frame, history=True): before, named(stem, frame, percent=True): change(now, before)}


def _flows(one: Told, named: Callable[..., str], stems: tuple[str, str, str]) -> dict[str, Any]:
    """Trades, sells, buys, and volumes in units and in dollars, frame by frame."""
    body: dict[str, Any] = {}
    for frame, (now, before) in one.frames.items():
        body |= _counted("trade", frame, now.trades, before.trades, named)
        body |= _counted("sell", frame, now.sells, before.sells, named)
        body |= _counted("buy", frame, now.buys, before.buys, named)
        amounts = (
            (now.units, now.usd, before.units, before.usd),
            (now.buys_units, now.buys_usd, before.buys_units, before.buys_usd),
            (now.sells_units, now.sells_usd, before.sells_units, before.sells_usd),
        )
        for stem, (units, usd, units_before, usd_before) in zip(stems, amounts, strict=True):
            body[named(stem, frame)] = plain(units)
            body[named(stem, frame, dollars=True)] = plain(usd)
            body[named(stem, frame, history=True)] = plain(units_before)
            body[named(stem, frame, history=True, dollars=True)] = plain(usd_before)
            body[named(stem, frame, percent=True)] = change(units, units_before)
    return body


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, {"success": False, "message": message}, headers or {})


def _one_address(query: Mapping[str, str]) -> str:
    address = query.get("address", "")
    if not MINT.fullmatch(address):
        raise Refused(400, "address is invalid format")
    return address


def _addresses(query: Mapping[str, str], most: int) -> list[str]:
    addresses = [address for address in query.get("list_address", "").split(",") if address]
    if not addresses or len(addresses) > most or not all(MINT.fullmatch(address) for address in addresses):
        raise Refused(400, "list_address is invalid format")
    return addresses


def _frames(query: Mapping[str, str]) -> dict[str, float]:
    """The frames asked for with their seconds; unsupported ones are silently dropped, as the real service does."""
    asked = query.get("frames", "")
    wanted = asked.split(",")[:8] if asked else DEFAULT_FRAMES.split(",")
    return {frame: seconds for frame in wanted if (seconds := _frame_seconds(frame, bool(asked))) is not None}


def _frame_seconds(frame: str, asked: bool) -> float | None:
    match = re.fullmatch(r"([1-9]\d{0,3})([smh])", frame)
    if match is None:
        return None
    number, unit = int(match[1]), match[2]
    hours = (1, 2, 4, 8, 24) if asked else (1, 2, 4, 6, 8, 12, 24)
    supported = {"s": number % 5 == 0 and number <= 3600, "m": number <= 1440, "h": number in hours}[unit]
    return float(number * _SECONDS[unit]) if supported else None
