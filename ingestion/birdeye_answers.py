"""What Birdeye's answers say: names, prices, refusals. Pure, no network.

What bites: a used-up quota is HTTP 400; a 401 is either a wrong key or a plan without the endpoint, told apart by its text;
`v5m` is in tokens and `v5mUSD` in dollars; answers to `/multiple` may lack tokens that were asked for.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from ingestion.errors import Malformed, OutsideError, Permanent
from ingestion.facts import TokenFacts
from ingestion.strict_json import amount, count, moment, text

OVERVIEW, TRADES, MARKET = "token_overview", "trade-data/multiple", "market-data/multiple"
PATHS = {
    OVERVIEW: "/defi/token_overview",
    TRADES: "/defi/v3/token/trade-data/multiple",
    MARKET: "/defi/v3/token/market-data/multiple",
}
BATCH = 20  # what more than twenty would do is documented nowhere
PRICES = {OVERVIEW: 25, TRADES: 15, MARKET: 15}  # units; of a batch of N: ceil(price × N^0.8)
CLOCK_SKEW = timedelta(minutes=10)

# What a TokenFacts field is called in token_overview and in trade-data; prices and volumes in dollars.
OVERVIEW_NAMES = {
    "price": "price", "liquidity": "liquidity", "holders": "holder", "tx_count_5m": "trade5m", "tx_count_1h": "trade1h",
    "volume_5m": "v5mUSD", "volume_1h": "v1hUSD", "buys_5m": "buy5m", "sells_5m": "sell5m", "buys_volume_5m": "vBuy5mUSD",
    "sells_volume_5m": "vSell5mUSD", "unique_wallets_5m": "uniqueWallet5m", "last_trade_at": "lastTradeUnixTime",
}  # fmt: skip
TRADE_NAMES = {
    "price": "price", "holders": "holder", "tx_count_5m": "trade_5m", "tx_count_1h": "trade_1h", "volume_5m": "volume_5m_usd",
    "volume_1h": "volume_1h_usd", "buys_5m": "buy_5m", "sells_5m": "sell_5m", "buys_volume_5m": "volume_buy_5m_usd",
    "sells_volume_5m": "volume_sell_5m_usd", "unique_wallets_5m": "unique_wallet_5m", "last_trade_at": "last_trade_unix_time",
}  # fmt: skip
MARKET_NAMES = {"price": "price", "liquidity": "liquidity", "holders": "holder"}
COUNTS = {"holders", "tx_count_5m", "tx_count_1h", "buys_5m", "sells_5m", "unique_wallets_5m"}


def meaning_of(status: int, message: str) -> OutsideError:
    """Birdeye's refusals. Quota used up comes as 400, and both kinds of 401 are told apart by their text."""
    lower = message.lower()
    kind = Permanent.BAD_REQUEST
    if status in {400, 402} and "compute unit" in lower and "exceeded" in lower:
        kind = Permanent.QUOTA_USED_UP
    elif status == 401:
        kind = Permanent.PLAN_LACKS if "permission" in lower or "upgrade" in lower else Permanent.KEY_WRONG
    elif status == 403:
        kind = Permanent.BLOCKED
    return Permanent(f"HTTP {status} {message}".strip(), kind)


def refusal_in(answer: Any) -> OutsideError | None:
    """A refusal of the whole account that came as an answer: `"success": false` with its message, but with HTTP 200."""
    if not isinstance(answer, dict) or answer.get("success") is not False:
        return None
    error = meaning_of(400, text(answer.get("message"), 300))
    return error if isinstance(error, Permanent) and error.kind != Permanent.BAD_REQUEST else None


def data_in(answer: Any) -> dict[str, Any]:
    """The `data` object of an answer that says `"success": true`; anything else is Malformed. Null is what some unknown tokens get."""
    if not isinstance(answer, dict) or answer.get("success") is not True or "data" not in answer:
        raise Malformed("the answer does not say success")
    data = {} if answer["data"] is None else answer["data"]
    if not isinstance(data, dict):
        raise Malformed("the answer has no data object")
    return data


def figures(item: Mapping[str, Any], names: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """The fields that `item` has a plain value for."""
    found: dict[str, Any] = {}
    for field, name in names.items():
        value = item.get(name)
        if field == "last_trade_at":
            found[field] = moment(value, latest=now + CLOCK_SKEW)
        else:
            found[field] = count(value) if field in COUNTS else amount(value)
    return {field: value for field, value in found.items() if value is not None}


def overview(answer: Any, address: str, now: datetime) -> TokenFacts | None:
    """The facts of the one token asked for; None when the answer is about nothing, about another one, or holds no figure."""
    data = data_in(answer)
    known = figures(data, OVERVIEW_NAMES, now)
    if data.get("address") != address or not known:
        return None
    return TokenFacts(address, **known, symbol=text(data.get("symbol"), 40), name=text(data.get("name"), 120))


def of_many(answer: Any, asked: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The asked-for items of a map keyed by address whose own `address` agrees with their key."""
    data = data_in(answer)
    items = ((address, data.get(address)) for address in asked)
    return {address: item for address, item in items if isinstance(item, dict) and item.get("address") == address}


def batch_cost(endpoint: str, tokens: int) -> int:
    units: float = PRICES[endpoint] * tokens**0.8
    return ceil(units)
