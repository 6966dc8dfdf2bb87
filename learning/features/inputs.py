"""All that a vector may be made from, as arrays: what was stored about some tokens, and about the market around them, by one moment."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tokens.bar_grid import Grid

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

WINDOW = 96  # bars of one minute that a vector looks at
LATE = 5  # rows: the newest bar of a token may be that much older than the moment; bars are written some time after their minute
ROWS = WINDOW + LATE
HOURS = 24
LAGS = (0, 5, 15, 60)  # minutes ago at which snapshots are looked at
FRESH_MIN = 5  # a snapshot counts as that of a moment up to so much later
LOOKED_AT = (
    "price",
    "liquidity",
    "holders",
    "tx_count_5m",
    "tx_count_1h",
    "volume_5m",
    "volume_1h",
    "buys_5m",
    "sells_5m",
    "buys_volume_5m",
    "sells_volume_5m",
    "unique_wallets_5m",
)
MOMENTS = ("ts", "last_trade_at")


@dataclass(frozen=True, slots=True)
class Pools:
    """A row for each pool seen lately, in the order of the tokens and then of the pools."""

    column: Places  # of its token
    liquidity: Numbers
    volume_1h: Numbers
    price: Numbers


@dataclass(frozen=True, slots=True)
class Market:
    """Every token of the chain that had a bar in the window: (rows, tokens), the last row ends with the moment's minute."""

    close: Numbers
    volume: Numbers
    born: Numbers


@dataclass(frozen=True, slots=True)
class FeatureInputs:
    """`minutes` end with the minute in which `ts` lies, or with the one before where that is only begun; `hours` with the last whole one
    that ended LATE minutes ago. `looks` are the snapshots: for each figure (lags, tokens). SOL's own bars are (rows, 1), all NaN where
    nobody watches it. `born` is when a token migrated, NaN for one that did not: an exchange's symbol."""

    ts: int
    minutes: Grid
    hours: Grid
    looks: dict[str, Numbers]
    pools: Pools
    market: Market
    sol: Numbers
    born: Numbers

    def __post_init__(self) -> None:
        for name in (*LOOKED_AT, *MOMENTS):
            if self.looks[name].shape != (len(LAGS), len(self)):
                raise ValueError(f"{name} is {self.looks[name].shape}, not {(len(LAGS), len(self))}")
        if len(self.minutes) != len(self.sol) or len(self.minutes) != len(self.market.close):
            raise ValueError("the token, the market and SOL have to be seen over the same rows")

    def __len__(self) -> int:
        return len(self.born)

    @property
    def tokens(self) -> Places:
        return self.minutes.tokens

    def columns(self, chosen: Any) -> FeatureInputs:
        """Some of the tokens, in the same market."""
        places = np.arange(len(self))[chosen]
        rows = [np.flatnonzero(self.pools.column == place) for place in places.tolist()]
        taken = np.concatenate([*rows, np.zeros(0, dtype=np.int64)]).astype(np.int64)
        column = np.repeat(np.arange(len(places)), [len(some) for some in rows])
        figures = {field.name: getattr(self.pools, field.name)[taken] for field in fields(Pools) if field.name != "column"}
        return replace(
            self,
            minutes=self.minutes.columns(places),
            hours=self.hours.columns(places),
            looks={name: np.ascontiguousarray(values[:, places]) for name, values in self.looks.items()},
            pools=Pools(column, **figures),
            born=self.born[places],
        )


def no_looks(tokens: int) -> dict[str, Numbers]:
    """As if no snapshot had been taken."""
    return {name: np.full((len(LAGS), tokens), np.nan) for name in (*LOOKED_AT, *MOMENTS)}


def no_pools() -> Pools:
    return Pools(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), np.zeros(0))
