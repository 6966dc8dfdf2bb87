"""DexScreener as it answers on the wire: pairs with their keys that may be missing, prices as text, batches without small pools."""

import re
from collections.abc import Mapping
from email.message import Message
from typing import Any, NamedTuple

import numpy as np

from ingestion.simulator.births import POOL_SLOTS, Quirk
from ingestion.simulator.chance import share
from ingestion.simulator.clock import MarketClock
from ingestion.simulator.identity import QUOTES
from ingestion.simulator.json_server import Answer, Rate
from ingestion.simulator.market import Market, Rows
from ingestion.simulator.reports import Window, change, known, plain, prices, told

# (dexId, labels) by the number a token's pool carries.
DEXES: tuple[tuple[str, list[str]], ...] = (
    ("pumpswap", []),
    ("raydium", ["CPMM"]),
    ("meteora", ["DLMM"]),
    ("meteora", ["DYN2"]),
    ("orca", ["wp"]),
    ("raydium", ["CLMM"]),
    ("raydium", ["CPMM"]),
)
WINDOWS = {"m5": 300.0, "h1": 3600.0, "h6": 21_600.0, "h24": 86_400.0}
SMALL_POOL = 2_000.0  # dollars; a batch leaves such a pool out when the token has a deeper one
TINY_POOL = 150.0  # and such a one in any case
A_MINUTE = 300


class _Pair(NamedTuple):
    """One pool of one token, with what is told of it."""

    row: int
    slot: int
    usd: float
    price: float
    windows: dict[str, Window]
    past_price: dict[str, float]


class DexScreener:
    def __init__(self, market: Market, clock: MarketClock, calls_a_minute: int = A_MINUTE) -> None:
        self.market, self.clock = market, clock
        self._rate = Rate(calls_a_minute, 60.0)

    def answer(self, path: str, query: Mapping[str, str], headers: Message) -> Answer:
        if self._rate.take() is None:
            return Answer(429, {"message": "Too Many Requests"})
        if match := re.fullmatch(r"/tokens/v1/(\w+)/([\w,]+)", path):
            return self._batch(match[1], match[2].split(","))
        if match := re.fullmatch(r"/token-pairs/v1/(\w+)/(\w+)", path):
            return Answer(200, self.pairs([match[2]]) if match[1] == "solana" else [])
        if match := re.fullmatch(r"/latest/dex/tokens/([\w,]+)", path):
            pairs = self.pairs(match[1].split(",")[:30])[:30]
            return Answer(200, {"schemaVersion": "1.0.0", "pairs": pairs or None})
        return Answer(404, {"message": "Not Found"})

    def _batch(self, chain: str, mints: list[str]) -> Answer:
        if len(mints) > 30:
            return Answer(400, {"message": "at most 30 token addresses"})
        if chain != "solana":
            return Answer(200, [])
        return Answer(200, self.pairs(mints, leave_out_small=len(mints) > 1))

    def pairs(self, mints: list[str], leave_out_small: bool = False) -> list[dict[str, Any]]:
        """All pools of these tokens, deepest first; the bonding-curve ones, empty since the migration, come last."""
        now = self.clock.now()
        rows = [row for mint in dict.fromkeys(mints) if (row := known(self.market, mint, now, "dexscreener")) is not None]
        if not rows:
            return []
        pairs = sorted(self._open_pairs(rows, now), key=lambda pair: -pair.usd)
        if leave_out_small:
            deepest = {pair.row: pair.slot for pair in reversed(pairs)}
            least = [TINY_POOL if deepest[pair.row] == pair.slot else SMALL_POOL for pair in pairs]
            pairs = [pair for pair, usd in zip(pairs, least, strict=True) if pair.usd >= usd]
        return [self._told(pair) for pair in pairs] + [self._curve(row) for row in rows]

    def _open_pairs(self, rows: list[int], now: float) -> list[_Pair]:
        where = np.array(rows)
        t = self.market.tokens
        quirks = t.quirk[where].tolist()
        windows = self._windows(where, now, quirks)
        liquidity = self.market.liquidity(where, now)[:, None] * self.market.pool_parts(where, now)
        price = prices(self.market, where, now)
        past = {name: prices(self.market, where, now - seconds) for name, seconds in WINDOWS.items()}
        opened = t.pool_opens[where] <= ((now - t.born[where]) / 60)[:, None]
        return [
            _Pair(
                row,
                slot,
                float(liquidity[n, slot]),
                # pools of one token differ by what arbitrage leaves
                float(price[n]) * (1 + 0.004 * (share(t.pool_addresses[row][slot]) - 0.5)),
                windows[n, slot],
                {name: float(values[n]) for name, values in past.items()},
            )
            for n, row in enumerate(rows)
            for slot in range(POOL_SLOTS)
            if opened[n, slot]
        ]

    def _windows(self, rows: Rows, now: float, quirks: list[int]) -> dict[tuple[int, int], dict[str, Window]]:
        """Of each (position, slot): the four windows."""
        windows: dict[tuple[int, int], dict[str, Window]] = {}
        for slot, (positions, trades) in enumerate(self.market.trades_by_pool(rows, now, WINDOWS["h24"])):
            bent = [quirks[position] for position in positions]
            by_name = {name: told(trades.window(now, seconds), bent, seconds) for name, seconds in WINDOWS.items()}
            windows |= {(int(n), slot): {name: by_name[name][at] for name in WINDOWS} for at, n in enumerate(positions)}
        return windows

    def _told(self, pair: _Pair) -> dict[str, Any]:
        t, address = self.market.tokens, self.market.tokens.pool_addresses[pair.row][pair.slot]
        dex, labels = DEXES[int(t.pool_dex[pair.row, pair.slot])]
        symbol = list(QUOTES)[int(t.pool_quote[pair.row, pair.slot])]
        quote_usd = QUOTES[symbol][2]
        turned = bool(t.pool_turned[pair.row, pair.slot])
        base, quote = self._token(pair.row), {"address": QUOTES[symbol][0], "name": QUOTES[symbol][1], "symbol": symbol}
        own, other = pair.usd / 2 / pair.price, pair.usd / 2 / quote_usd
        body: dict[str, Any] = {"chainId": "solana", "dexId": dex, "url": f"https://dexscreener.com/solana/{address.lower()}"}
        body["pairAddress"] = address
        if labels:
            body["labels"] = labels
        # Now and then the token stands on the quote side: price and amounts are then those of the other one.
        body |= {"baseToken": quote, "quoteToken": base} if turned else {"baseToken": base, "quoteToken": quote}
        body["priceNative"] = _digits(quote_usd / pair.price if turned else pair.price / quote_usd)
        body["priceUsd"] = _digits(quote_usd if turned else pair.price)
        body["txns"] = {name: _sides(pair.windows[name], turned) for name in ("h1", "h24", "h6", "m5")}
        body["volume"] = {name: plain(round(pair.windows[name].usd, 2)) for name in ("h24", "h6", "h1", "m5")}
        body["priceChange"] = self._changes(pair, turned)
        if t.quirk[pair.row] != Quirk.NO_LIQUIDITY:
            sides = (round(other), round(own, 4)) if turned else (round(own), round(other, 4))
            body["liquidity"] = {"usd": round(pair.usd, 2), "base": sides[0], "quote": sides[1]}
        value = round(quote_usd * 6e8 if turned else pair.price * float(t.supply[pair.row]))
        body |= {"fdv": value, "marketCap": value}
        if share(address, 1) > 0.03:
            opened = float(t.born[pair.row]) + 60 * float(t.pool_opens[pair.row, pair.slot])
            body["pairCreatedAt"] = int(self.clock.unix(opened)) * 1000
        if share(address, 2) > 0.4:
            body["info"] = {"imageUrl": f"https://cdn.dexscreener.com/cms/images/{address}?width=800", "websites": [], "socials": []}
        return body

    def _changes(self, pair: _Pair, turned: bool) -> dict[str, Any]:
        """Percent; a window without a trade has no key."""
        moved = {name: change(pair.price, pair.past_price[name]) for name in WINDOWS if pair.windows[name].trades}
        return {name: round(-percent if turned else percent, 2) for name, percent in moved.items() if percent is not None}

    def _curve(self, row: int) -> dict[str, Any]:
        """The bonding curve the token has left: still listed, without liquidity or trades. Clients must not count it as a pool."""
        t = self.market.tokens
        dex = "launchlab" if t.mint[row].endswith("bonk") else "pumpfun"
        address = t.curve_address[row]
        price = float(np.exp(t.log_price[row]))
        return {
            "chainId": "solana",
            "dexId": dex,
            "url": f"https://dexscreener.com/solana/{address.lower()}",
            "pairAddress": address,
            "baseToken": self._token(row),
            "quoteToken": {"address": QUOTES["SOL"][0], "name": "Wrapped SOL", "symbol": "SOL"},
            "priceNative": _digits(price / QUOTES["SOL"][2]),
            "priceUsd": _digits(price),
            "txns": {name: {"buys": 0, "sells": 0} for name in ("h1", "h24", "h6", "m5")},
            "volume": dict.fromkeys(("h24", "h6", "h1", "m5"), 0),
            "priceChange": {},
            "fdv": round(price * float(t.supply[row])),
            "marketCap": round(price * float(t.supply[row])),
            "pairCreatedAt": int(self.clock.unix(float(t.born[row]) - 3600 * (1 + 20 * share(address)))) * 1000,
        }

    def _token(self, row: int) -> dict[str, str]:
        t = self.market.tokens
        return {"address": t.mint[row], "name": t.name[row], "symbol": t.symbol[row]}


def _sides(window: Window, turned: bool) -> dict[str, int]:
    return {"buys": window.sells, "sells": window.buys} if turned else {"buys": window.buys, "sells": window.sells}


def _digits(price: float) -> str:
    """Four significant digits, never in e-notation: "0.000004499", "2297", "142.0"."""
    if price <= 0:
        return "0"
    places = max(0, 3 - int(np.floor(np.log10(price))))
    return f"{price:.{places}f}"
