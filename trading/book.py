"""What the paper broker knows: its rules, its account, its orders and positions. Plain values, that a table's rows can hold exactly.

Moments are seconds since 1970. A position's prices are mirrored, as in `trading.fills`: times −1 for a short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.stage_parameters import built, default_of
from tokens.bar_grid import Grid
from trading.fills import Costs
from trading.names import Deal, Skip

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]

TARGETS = (Deal.TARGET_1, Deal.TARGET_2, Deal.TARGET_3)
DAY_SEC = 86_400


@dataclass(frozen=True, slots=True)
class BrokerRules:
    """What the operator sets; each is described in `scoring.stage_parameters`."""

    long: bool = default_of("paper_long")
    short: bool = default_of("paper_short")
    least_confidence: float = default_of("paper_least_confidence")
    most_open: int = default_of("paper_most_open")
    cool_down_sec: int = default_of("paper_cool_down_sec")
    token_trades_a_day: int = default_of("paper_token_trades_a_day")
    capital_usd: float = default_of("paper_capital_usd")
    compound: bool = default_of("paper_compound")
    risk_share: float = default_of("paper_risk_share")
    position_share: float = default_of("paper_position_share")
    liquidity_share: float = default_of("paper_liquidity_share")
    least_usd: float = default_of("paper_least_usd")
    latency_bars: int = default_of("paper_latency_bars")
    patience_bars: int = default_of("paper_patience_bars")
    worse_side: float = default_of("paper_worse_side")
    slippage: float = default_of("paper_slippage")
    fee: float = default_of("paper_fee")
    fixed_fee_usd: float = default_of("paper_fixed_fee_usd")
    exchange_slippage: float = default_of("paper_exchange_slippage")
    exchange_fee: float = default_of("paper_exchange_fee")
    unknown_liquidity_usd: float = default_of("paper_unknown_liquidity_usd")
    share_1: float = default_of("paper_share_1")
    share_2: float = default_of("paper_share_2")
    break_even: bool = default_of("paper_break_even")
    trail_atr: float = default_of("paper_trail_atr")
    adapt_share: float = default_of("paper_adapt_share")
    time_stop_sec: int = default_of("paper_time_stop_sec")
    leave_on_context: bool = default_of("paper_leave_on_context")
    dead_after_sec: int = default_of("paper_dead_after_sec")
    dead_haircut: float = default_of("paper_dead_haircut")

    def __post_init__(self) -> None:
        if not (0 < self.share_1 < 1 and 0 < self.share_2 < 1):
            raise ValueError("a target sells a part: its share lies between 0 and 1")

    def costs(self, in_pool: bool) -> Costs[float]:
        """An exchange takes no network fee."""
        return Costs(self.slippage, self.fee, self.fixed_fee_usd) if in_pool else Costs(self.exchange_slippage, self.exchange_fee, 0.0)

    def costs_of(self, in_pools: Flags) -> Costs[Numbers]:
        """The same for many, entry by entry."""
        pool, exchange = self.costs(True), self.costs(False)
        return Costs(*(np.where(in_pools, getattr(pool, part.name), getattr(exchange, part.name)) for part in fields(pool)))

    @property
    def target_counts_at_entry(self) -> bool:
        """Filled at the open, the whole bar comes after; filled later in it, its best may have come before. Its worst counts always."""
        return self.worse_side <= 0


def from_settings(values: Mapping[str, Any]) -> BrokerRules:
    return built(BrokerRules, values, "paper_")


@dataclass(frozen=True, slots=True)
class Signals:
    """What Stage 2 would trade, one entry each. `key` is the signal's own number; NaN is "none": no stop, fewer targets, no ATR."""

    key: Places
    row: Places  # the bar after which it was decided
    token: Places
    side: Numbers  # 1 long, −1 short, 0 none
    confidence: Numbers
    quote: Numbers  # the price at the decision
    stop: Numbers
    targets: Numbers  # (n, 3), the nearest first
    atr: Numbers
    refused: NDArray[np.str_]  # the gate that stopped it, or ""

    def __len__(self) -> int:
        return len(self.key)

    def only(self, chosen: Any) -> Signals:
        return Signals(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Bar:
    """One moment of every token's market."""

    open_time: int
    interval_sec: int
    tokens: Places
    open: Numbers
    high: Numbers
    low: Numbers
    close: Numbers
    liquidity: Numbers  # of the pool, both sides together, in US dollars
    atr: Numbers  # known when the bar is over
    leave_long: Flags  # the judgement after this bar is against a long
    leave_short: Flags
    observed: bool  # were we looking? Time in which nobody looked does not make a token dead
    in_pools: Flags  # traded in constant-product pools; else on an exchange, at an exchange's costs

    @property
    def end(self) -> int:
        return self.open_time + self.interval_sec


@dataclass(frozen=True, slots=True)
class Tape:
    """Many moments of every token's market, time first: what `Bar` is, for all rows. Left out: nothing known, nobody leaves, a row counts
    as observed if any token has a bar in it, and every token pays what a pool takes."""

    grid: Grid
    liquidity: Numbers | None = None
    atr: Numbers | None = None
    leave_long: Flags | None = None
    leave_short: Flags | None = None
    observed: Flags | None = None
    in_pools: Flags | None = None  # by token

    def __len__(self) -> int:
        return len(self.grid)

    def watched(self) -> Flags:
        return np.asarray(~np.isnan(self.grid.close).all(axis=1)) if self.observed is None else self.observed

    def pooled(self) -> Flags:
        return np.ones(len(self.grid.tokens), dtype=bool) if self.in_pools is None else self.in_pools

    def bar(self, row: int) -> Bar:
        grid, width = self.grid, len(self.grid.tokens)
        unknown, nobody = np.full(width, np.nan), np.zeros(width, dtype=bool)
        return Bar(
            open_time=int(grid.open_time[row]),
            interval_sec=grid.interval_sec,
            tokens=grid.tokens,
            open=grid.open[row],
            high=grid.high[row],
            low=grid.low[row],
            close=grid.close[row],
            liquidity=unknown if self.liquidity is None else self.liquidity[row],
            atr=unknown if self.atr is None else self.atr[row],
            leave_long=nobody if self.leave_long is None else self.leave_long[row],
            leave_short=nobody if self.leave_short is None else self.leave_short[row],
            observed=bool((~np.isnan(grid.close[row])).any() if self.observed is None else self.observed[row]),
            in_pools=self.pooled(),
        )


@dataclass(frozen=True, slots=True)
class Order:
    """A decision on its way to the market."""

    key: int
    token: int
    side: float
    quote: float  # mirrored, as stop and targets
    stop: float
    targets: tuple[float, ...]
    atr: float
    due: int  # the first bar that may fill it opens then
    until: int  # and the last


@dataclass(frozen=True, slots=True)
class Position:
    """What was bought (or sold short), and how far it has come. All that a later bar needs: nothing is computed from an earlier stop."""

    key: int
    token: int
    side: float
    opened: int
    entry: float  # mirrored, before the trade's own impact, slippage and fee
    quantity: float
    left: float
    stop: float
    targets: tuple[float, ...]
    reached: int
    atr: float  # at the decision
    atr_now: float
    best: float  # the mirrored best price since the entry
    last_close: float
    silent_sec: int
    leaving: str = ""  # why it is about to be closed
    leave_due: int = 0
    leave_quote: float = 0.0


@dataclass(frozen=True, slots=True)
class Book:
    """The paper account between two bars. Positions in the order of their tokens, orders in the order of their decisions."""

    cash: float
    until: int = -1  # the opening of the last bar that was taken in: no bar is taken in twice
    positions: tuple[Position, ...] = ()
    orders: tuple[Order, ...] = ()
    entered: tuple[tuple[int, int], ...] = ()  # (token, moment) of the last day's entries
    closed: tuple[tuple[int, int], ...] = ()  # (token, moment) of those still cooling down

    @property
    def equity(self) -> float:
        return valued(self.cash, self.positions)


def valued(cash: float, positions: tuple[Position, ...]) -> float:
    """Cash and what is held at its last price, added up in the order of the tokens."""
    total = cash
    for position in positions:
        total += position.left * position.last_close
    return total


@dataclass(frozen=True, slots=True)
class Fill:
    """One paper fill. No order was sent anywhere."""

    key: int
    token: int
    time: int  # the opening of its bar
    deal: Deal
    price: float  # before costs
    quantity: float
    usd: float  # what changed hands, impact and slippage included, the fee not
    fee: float
    assumed: bool  # the pool's liquidity was not known: the rule's assumption was taken


@dataclass(frozen=True, slots=True)
class Skipped:
    key: int
    token: int
    time: int
    reason: Skip


@dataclass(frozen=True, slots=True)
class Events:
    fills: tuple[Fill, ...] = ()
    skipped: tuple[Skipped, ...] = ()
