"""DexScreener: the pools of a token with their trades, volume and liquidity, and the token's name. Free, no key.

What bites: prices are strings and belong to the base token; the token asked for may stand on either side of a pair; a batch
of thirty may leave out small pools; bonding-curve pools are listed as if they were exchanges.
"""

import functools
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from ingestion.errors import Malformed, OutsideError
from ingestion.facts import PoolFacts
from ingestion.http import Call, Door, in_batches, shared_slots
from ingestion.ledger import Counts
from ingestion.strict_json import MAX_COUNT, amount, count, moment, text
from ingestion.turns import SINGLE_RUN_SEC

SERVICE = "dexscreener"
TOKENS, PAIRS = "tokens/v1", "token-pairs/v1"
BATCH = 30
MAX_PAIRS = 3000  # of one answer; thirty tokens with a hundred pools each
CLOCK_SKEW = timedelta(minutes=10)
# Places where a token trades before it migrates: their liquidity is virtual. PumpSwap (“pumpswap”) is not one of them.
BONDING_CURVES = frozenset({"pumpfun", "pump", "launchlab", "letsbonk", "moonshot", "moonit", "boop", "boopfun", "meteoradbc", "dbc"})

_ADDRESS = re.compile(r"[0-9A-Za-z]{1,64}", re.ASCII)


# Reading answers: pure


def pairs_in(answer: Any) -> list[dict[str, Any]]:
    """The pairs of either form of answer: a list, or an object whose `pairs` is a list or null."""
    if isinstance(answer, dict) and "pairs" in answer:
        answer = answer["pairs"] if answer["pairs"] is not None else []
    if not isinstance(answer, list):
        raise Malformed("the answer is not a list of pairs")
    if len(answer) > MAX_PAIRS:
        raise Malformed(f"{len(answer)} pairs in one answer")
    return [pair for pair in answer if isinstance(pair, dict)]


def pools(answer: Any, asked: Iterable[str], now: datetime) -> dict[str, list[PoolFacts]]:
    """Each asked-for mint's pools, the deepest first; a mint without any pool has an empty list."""
    found: dict[str, dict[str, PoolFacts]] = {mint: {} for mint in asked}
    for pair in pairs_in(answer):
        for side in ("baseToken", "quoteToken"):
            mint = _part(pair, side).get("address")
            if isinstance(mint, str) and mint in found:
                pool = pool_facts(pair, mint, now)
                if pool is not None:
                    found[mint].setdefault(pool.pool_address, pool)
    return {mint: sorted(of_mint.values(), key=lambda pool: -(pool.liquidity or 0.0)) for mint, of_mint in found.items()}


def pool_facts(pair: dict[str, Any], mint: str, now: datetime) -> PoolFacts | None:
    """One pair seen from `mint`, which may be its base or its quote token. None for another chain, a bonding curve, a pair without
    address, and a pair of a token with itself."""
    pool_address, dex = pair.get("pairAddress"), text(pair.get("dexId"), 40)
    base, quote = _part(pair, "baseToken"), _part(pair, "quoteToken")
    if not isinstance(pool_address, str) or not _ADDRESS.fullmatch(pool_address) or pool_address == mint:
        return None
    if pair.get("chainId", "solana") != "solana" or not dex or dex.lower() in BONDING_CURVES:
        return None
    if base.get("address") == quote.get("address"):
        return None
    as_base = base.get("address") == mint
    own, other = (base, quote) if as_base else (quote, base)
    bought, sold = ("buys", "sells") if as_base else ("sells", "buys")  # who buys the base token sells the quote token
    trades_5m, trades_1h = _part(_part(pair, "txns"), "m5"), _part(_part(pair, "txns"), "h1")
    volume = _part(pair, "volume")
    return PoolFacts(
        token_address=mint,
        pool_address=pool_address,
        dex_name=dex,
        quote_symbol=text(other.get("symbol"), 40),
        opened_at=moment(pair.get("pairCreatedAt"), latest=now + CLOCK_SKEW),
        price=_price(pair, as_base),
        liquidity=amount(_part(pair, "liquidity").get("usd")),
        tx_count_5m=_both(trades_5m),
        tx_count_1h=_both(trades_1h),
        volume_5m=amount(volume.get("m5")),
        volume_1h=amount(volume.get("h1")),
        buys_5m=count(trades_5m.get(bought)),
        sells_5m=count(trades_5m.get(sold)),
        symbol=text(own.get("symbol"), 40),
        name=text(own.get("name"), 120),
    )


def _part(whole: dict[str, Any], name: str) -> dict[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def _both(trades: dict[str, Any]) -> int | None:
    buys, sells = count(trades.get("buys")), count(trades.get("sells"))
    return buys + sells if buys is not None and sells is not None and buys + sells <= MAX_COUNT else None


def _price(pair: dict[str, Any], as_base: bool) -> float | None:
    """Dollars. `priceUsd` is of the base token and `priceNative` says how many quote tokens that is."""
    dollars, in_quote = amount(pair.get("priceUsd")), amount(pair.get("priceNative"))
    if as_base or dollars is None:
        return dollars
    return amount(dollars / in_quote) if in_quote else None


# Asking


class DexScreener:
    """The client. One for a process, so that all jobs keep its rates together."""

    def __init__(self, door: Door, *, tick_sec: float = 30.0, cache_sec: float = 0.0) -> None:
        self._door, self._tick_sec, self._cache_sec = door, tick_sec, cache_sec

    def affordable(self) -> int:
        """How many mints fit into four fifths of a tick at the permitted rate."""
        return max(1, int(self._door.rates[TOKENS] * self._tick_sec * 0.8)) * BATCH

    def pools(self, mints: Sequence[str], now: datetime) -> dict[str, list[PoolFacts]]:
        """A key for every mint whose request was answered, possibly with an empty list; no key where the request failed."""
        wanted = [mint for mint in dict.fromkeys(mints) if _ADDRESS.fullmatch(mint)]
        groups = list(in_batches(wanted, BATCH))
        calls = [Call(TOKENS, "/tokens/v1/solana/" + ",".join(group), about=tuple(group), cache_sec=self._cache_sec) for group in groups]
        found: dict[str, list[PoolFacts]] = {}
        for group, answer in zip(groups, self._door.fetch_all(calls, patience=self._tick_sec * 0.9), strict=True):
            found |= self._understood(TOKENS, answer, group, now)
        return found

    def pools_of(self, mint: str, now: datetime) -> list[PoolFacts] | None:
        """All pools of one mint, the small ones included; None when the request failed."""
        if not _ADDRESS.fullmatch(mint):
            return None
        call = Call(PAIRS, f"/token-pairs/v1/solana/{mint}", about=(mint,), cache_sec=self._cache_sec)
        answer = self._door.fetch_all([call], patience=self._tick_sec / 3)[0]
        return self._understood(PAIRS, answer, [mint], now).get(mint)

    def _understood(self, endpoint: str, answer: Any, asked: Sequence[str], now: datetime) -> dict[str, list[PoolFacts]]:
        if isinstance(answer, OutsideError):
            return {}
        try:
            return pools(answer, asked, now)
        except Malformed:
            self._door.ledger.count(SERVICE, endpoint, Counts(malformed=1))
            return {}


def from_settings(once: bool = False) -> DexScreener:
    """The process's one client for the present settings; for a single run (`once`) one that has time and asks anew."""
    tick_sec = min(settings.SCHED_INTERVAL_INITIAL_SEC, settings.SCHED_INTERVAL_ACTIVE_SEC)
    return _client(
        settings.DEXSCREENER_BASE_URL,
        settings.DEXSCREENER_RPS,
        settings.DEXSCREENER_PAIRS_RPS,
        max(tick_sec, SINGLE_RUN_SEC) if once else tick_sec,
        0.0 if once else min(30.0, tick_sec / 2),
        settings.HTTP_DEADLINE_SEC,
        settings.EXT_MAX_CONCURRENCY,
    )


@functools.lru_cache(maxsize=4)
def _client(
    base_url: str, rps: float, pairs_rps: float, tick_sec: float, cache_sec: float, deadline_sec: float, concurrency: int
) -> DexScreener:
    door = Door(SERVICE, base_url, {TOKENS: rps, PAIRS: pairs_rps}, deadline_sec, concurrency, slots=shared_slots(concurrency))
    return DexScreener(door, tick_sec=tick_sec, cache_sec=cache_sec)
