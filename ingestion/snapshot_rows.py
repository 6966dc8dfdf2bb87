"""What the services answered in one tick → the columns of token_snapshots and pool_snapshots. Arithmetic only, all tokens at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from ingestion import contradictions
from ingestion.facts import PoolFacts, TokenFacts
from tokens.models import LARGEST_AMOUNT, LARGEST_COUNT, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

AMOUNTS = ("price", "liquidity", "volume_5m", "volume_1h")
COUNTS = ("tx_count_5m", "tx_count_1h", "buys_5m", "sells_5m")
ADDED_UP = ("liquidity", "volume_5m", "volume_1h", *COUNTS)
FLOW = ("buys_volume_5m", "sells_volume_5m", "unique_wallets_5m")
LIMITS = {
    **dict.fromkeys((*AMOUNTS, "holders", "buys_volume_5m", "sells_volume_5m"), LARGEST_AMOUNT),
    **dict.fromkeys((*COUNTS, "unique_wallets_5m"), float(LARGEST_COUNT)),
}


@dataclass(frozen=True, slots=True)
class LastRow:
    """What the next row needs of the one before it."""

    ts: datetime
    price: float | None = None
    liquidity: float | None = None
    tx_count_5m: int | None = None
    holders: int | None = None
    buys_volume_5m: float | None = None
    sells_volume_5m: float | None = None
    unique_wallets_5m: int | None = None
    last_trade_at: datetime | None = None
    birdeye_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What this tick brought for one token. `facts` and `pools` are None where that service did not answer for it.

    The rest is for the token's own row: when to ask again, what asking cost, and symbol and name where they were not known before.
    """

    token_id: int
    next_poll_at: datetime
    last: LastRow | None = None
    facts: TokenFacts | None = None
    pools: Sequence[PoolFacts] | None = None
    poll_failures: int = 0
    units: int = 0
    names: tuple[str, str] | None = None

    @property
    def answered(self) -> bool:
        return self.facts is not None or self.pools is not None


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long Birdeye's figures are carried forward, in seconds."""

    flow_sec: float
    holders_sec: float


def column(values: Sequence[Any], name: str) -> Floats:
    """The field `name` of all values as an array, NaN where there is none or where it is not a sane number."""
    return _sane(np.array([None if value is None else getattr(value, name) for value in values], dtype=np.float64), LIMITS[name])


def _columns(values: Sequence[Any], names: Sequence[str]) -> dict[str, Floats]:
    """The same for several fields of values that are all there, each value looked at once."""
    table = np.array(list(map(attrgetter(*names), values)), dtype=np.float64).reshape(len(values), len(names))
    return {name: _sane(table[:, place], LIMITS[name]) for place, name in enumerate(names)}


def _sane(numbers: Floats, limit: float) -> Floats:
    return np.where((numbers >= 0) & (numbers <= limit), numbers, np.nan)


def token_columns(answers: Sequence[Answer], ts: datetime, freshness: Freshness) -> dict[str, Any]:
    """One row a token: Birdeye's figures where it answered now, else the sums over the pools with what is still fresh of Birdeye."""
    last = [answer.last for answer in answers]
    facts = [answer.facts for answer in answers]
    told = np.array([fact is not None for fact in facts], dtype=bool)
    figures = _from_pools(answers)
    for name in (*AMOUNTS, *COUNTS):
        figures[name] = np.where(told, column(facts, name), figures[name])
    age = _seconds_since([None if row is None else row.birdeye_at for row in last], ts)
    flow, holders = ~told & (age <= freshness.flow_sec), ~told & (age <= freshness.holders_sec)
    for name, fresh in [*((name, flow) for name in FLOW), ("holders", holders)]:
        figures[name] = np.where(told, column(facts, name), np.where(fresh, column(last, name), np.nan))
    carried = (flow & np.any([np.isfinite(figures[name]) for name in FLOW], axis=0)) | (holders & np.isfinite(figures["holders"]))
    before = column(last, "price")
    since = _seconds_since([None if row is None else row.ts for row in last], ts)
    return {
        "token": [answer.token_id for answer in answers],
        "ts": [ts] * len(answers),
        "source": np.where(told, Source.BIRDEYE.value, np.where(carried, Source.POOLS_BIRDEYE.value, Source.POOLS.value)).tolist(),
        **figures,
        "last_trade_at": _last_trades(answers, flow, ts),
        "birdeye_at": [
            # Kept when nothing is left to carry, too: whoever was told about longest ago is asked about first.
            ts if now else None if row is None else row.birdeye_at
            for row, now in zip(last, told.tolist(), strict=True)
        ],
        "contradictions": contradictions.found_in(figures, before, since),
    }


def _from_pools(answers: Sequence[Answer]) -> dict[str, Floats]:
    """Per token the sums over its pools, of what is known of them, and the price of the deepest pool that has one."""
    owned = [(index, pool) for index, answer in enumerate(answers) for pool in answer.pools or ()]
    owner = np.array([index for index, _ in owned], dtype=np.int64)
    told = _columns([pool for _, pool in owned], ("price", *ADDED_UP))
    figures = {name: _sane(_sums(owner, told[name], len(answers)), LIMITS[name]) for name in ADDED_UP}
    price = np.full(len(answers), np.nan)
    prices, depths = told["price"], told["liquidity"]
    priced = np.flatnonzero(np.isfinite(prices))
    shallow_first = priced[np.argsort(np.where(np.isfinite(depths), depths, -1)[priced], kind="stable")]
    price[owner[shallow_first]] = prices[shallow_first]  # the last one written stays
    return {**figures, "price": price}


def _sums(owner: NDArray[np.int64], values: Floats, tokens: int) -> Floats:
    """A sum of nothing known is unknown, not zero."""
    known = np.isfinite(values)
    total = np.bincount(owner[known], weights=values[known], minlength=tokens)
    return np.where(np.bincount(owner[known], minlength=tokens) > 0, total, np.nan)


def _seconds_since(moments: Sequence[datetime | None], ts: datetime) -> Floats:
    return np.array([None if moment is None else (ts - moment).total_seconds() for moment in moments], dtype=np.float64)


def _last_trades(answers: Sequence[Answer], flow: NDArray[np.bool_], ts: datetime) -> list[datetime | None]:
    trades = [
        answer.facts.last_trade_at if answer.facts is not None else answer.last.last_trade_at if fresh and answer.last is not None else None
        for answer, fresh in zip(answers, flow.tolist(), strict=True)
    ]
    return [trade if trade is not None and trade <= ts else None for trade in trades]  # a trade of the future is no fact


def pool_columns(pools: Sequence[PoolFacts], pool_ids: Sequence[int], ts: datetime) -> dict[str, Any]:
    """One row a pool."""
    return {"pool": pool_ids, "ts": [ts] * len(pools), **_columns(pools, (*AMOUNTS, *COUNTS))}
