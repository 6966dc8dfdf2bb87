"""Markets for the tests of the paper broker: small, jumpy, with gaps, made from one number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tokens.bar_grid import Grid, empty
from trading.book import Book, BrokerRules, Events, Signals, Tape
from trading.broker import opened_book, step

NAN = float("nan")
COSTLESS = {"slippage": 0, "fee": 0, "fixed_fee_usd": 0, "unknown_liquidity_usd": 1e15, "worse_side": 0}
FREE = BrokerRules(**COSTLESS, adapt_share=0, trail_atr=0, break_even=False)


def grid_of(bars: list[tuple[float, float, float, float] | None], token: int = 7, interval: int = 60) -> Grid:
    """One token's bars: open, high, low, close, or None for a gap."""
    grid = empty(interval, 100 * interval, len(bars), np.array([token]))
    for row, bar in enumerate(bars):
        for name, value in zip(("open", "high", "low", "close"), bar or [NAN] * 4, strict=True):
            getattr(grid, name)[row, 0] = value
    return grid


def one_signal(**changed: object) -> Signals:
    """A long decided after bar 0 at 100: stop 90, targets 110, 120, 130."""
    values = {"key": 1, "row": 0, "token": 7, "side": 1.0, "confidence": 0.9, "quote": 100.0, "stop": 90.0, "atr": 5.0, "refused": ""}
    targets = changed.pop("targets", [110.0, 120.0, 130.0])
    made = {name: np.array([value]) for name, value in (values | changed).items()}
    return Signals(**made, targets=np.array([targets], dtype=np.float64))


def walk(
    tape: Tape, signals: Signals, rules: BrokerRules, rows: range | None = None, book: Book | None = None
) -> tuple[Book, list[Events]]:
    """Bar by bar, as a live cycle does."""
    book, happened = opened_book(rules) if book is None else book, []
    for row in range(len(tape)) if rows is None else rows:
        book, events = step(book, tape.bar(row), signals.only(signals.row == row), rules)
        happened.append(events)
    return book, happened


def market(seed: int, bars: int = 60, width: int = 3, gaps: float = 0.1, scale: float = 1.0) -> Tape:
    """Prices that walk at random, jump over the night of a gap, and end early now and then."""
    chance = np.random.default_rng(seed)
    grid = empty(60, 6000, bars, chance.permutation(width) + 5)
    close = scale * np.exp(np.cumsum(chance.normal(0, 0.02, (bars, width)), axis=0))
    jump = chance.normal(0, 0.01, (bars, width)) * (chance.random((bars, width)) < 0.3)
    open_ = np.vstack([np.full((1, width), scale), close[:-1]]) * np.exp(jump)
    grid.open[:], grid.close[:] = open_, close
    grid.high[:] = np.maximum(open_, close) * (1 + np.abs(chance.normal(0, 0.01, (bars, width))))
    grid.low[:] = np.minimum(open_, close) * (1 - np.abs(chance.normal(0, 0.01, (bars, width))))
    missing = chance.random((bars, width)) < gaps
    missing |= np.arange(bars)[:, None] >= np.where(chance.random(width) < 0.3, chance.integers(bars // 2, bars, width), bars)
    for name in ("open", "high", "low", "close"):
        getattr(grid, name)[missing] = NAN
    liquidity = np.where(chance.random((bars, width)) < 0.5, NAN, chance.uniform(500, 1e6, (bars, width)))
    atr = np.where(chance.random((bars, width)) < 0.2, NAN, chance.uniform(0.005, 0.05, (bars, width)) * close)
    leave = chance.random((2, bars, width)) < 0.03
    leave_long, leave_short = leave
    return Tape(grid, liquidity, atr, leave_long, leave_short, in_pools=chance.random(width) < 0.6)


def signals_on(tape: Tape, seed: int, share: float = 0.3) -> Signals:
    """Longs and shorts at random bars, some without targets, stop, ATR or confidence, some refused by a gate."""
    chance = np.random.default_rng(seed)
    row, column = np.nonzero((chance.random(tape.grid.close.shape) < share) & ~np.isnan(tape.grid.close))
    n = len(row)
    side, quote = np.where(chance.random(n) < 0.6, 1.0, -1.0), tape.grid.close[row, column]
    away = chance.uniform(0.01, 0.05, (n, 1)) * np.arange(1, 4)
    targets = np.where(np.arange(3) < chance.integers(0, 4, (n, 1)), quote[:, None] * (1 + side[:, None] * away), NAN)
    stop = quote * (1 - side * chance.uniform(0.005, 0.06, n))
    return Signals(
        key=np.arange(n) + 100,
        row=row,
        token=tape.grid.tokens[column],
        side=side,
        confidence=np.where(chance.random(n) < 0.05, NAN, chance.uniform(0.5, 1, n)),
        quote=quote,
        stop=np.where(chance.random(n) < 0.05, NAN, stop),
        targets=targets,
        atr=np.where(chance.random(n) < 0.1, NAN, quote * chance.uniform(0.005, 0.03, n)),
        refused=np.where(chance.random(n) < 0.05, "low_atr", ""),
    )


def rules_of(seed: int) -> BrokerRules:
    """Rules at random, each switch both ways."""
    chance = np.random.default_rng(seed)
    pick = lambda *values: values[chance.integers(len(values))]  # noqa: E731
    return replace(
        BrokerRules(),
        short=bool(pick(True, True, False)),
        most_open=int(pick(1, 2, 3)),
        cool_down_sec=int(pick(0, 60, 300)),
        token_trades_a_day=int(pick(1, 3, 50)),
        compound=bool(pick(True, False)),
        risk_share=float(pick(0.01, 0.2)),
        position_share=float(pick(0.2, 1.0)),
        least_usd=float(pick(0, 10, 40)),
        latency_bars=int(pick(0, 1, 3)),
        patience_bars=int(pick(0, 2)),
        worse_side=float(pick(0, 0.5, 1)),
        slippage=float(pick(0, 0.002)),
        fee=float(pick(0, 0.003)),
        exchange_slippage=float(pick(0, 0.001)),
        exchange_fee=float(pick(0, 0.001)),
        break_even=bool(pick(True, False)),
        trail_atr=float(pick(0, 1, 2)),
        adapt_share=float(pick(0, 0.5, 1)),
        time_stop_sec=int(pick(60, 600, 1500, 100_000)),
        leave_on_context=bool(pick(True, False)),
        dead_after_sec=int(pick(60, 180, 420)),
    )
