"""The three stages against what traders know: TA-Lib, vectorbt, freqtrade's pace. No database: arrays in, arrays out.

What is compared runs in one process on the same data, in turns, and medians are compared; imports and compiling are done before. vectorbt
and TA-Lib are no part of the product: where one is missing its row says so, and how it is had (`MISSING`).
"""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.indicators import ema, macd, movement
from tokens.bar_grid import Grid, empty
from trading.backtest import Material, Replayed, only_liquidity, replay
from trading.book import BrokerRules, Signals, Tape
from trading.broker import run
from trading.judge_rule import JudgeRule
from trading.names import Deal
from trading.pipeline import Decided, Known, Memory, StageRules, decide
from trading.reasons import AlertRule
from trading.windows import WINDOW

Numbers = NDArray[np.float64]

ROUNDS = 7
MINUTE_SEC = 60
SHORT, MONTH, MAJORS = 96, 43_200, 20  # bars of the indicators' bench, bars of thirty days, assets of the others
ALERT_BARS = 43  # one signal in so many bars: ten thousand in the month, one every three quarters of an hour and asset
TALIB_FLOOR, LIVE_MS, VECTORBT_FLOOR, FREQTRADE_FLOOR = 4.0, 250.0, 1.0, 50.0
FREQTRADE_BARS_A_SECOND = 20_140  # measured: back-testing of 20 pairs over 30 days, one crossing of averages, without loading data
MISSING = "not installed here; the README's “The stages, measured” has the one command for an environment with it"
FEE = SLIPPAGE = 0.001
CAPITAL, EACH = 1e7, 1000.0
STOP, TARGET = 0.01, 0.02


@dataclass(frozen=True)
class Line:
    """As `tick.Line`; `memory_mb` is what the process grew by at its peak. `theirs` is None where it is not on this machine."""

    bench: str
    database: str
    against: str
    unit: str
    ours: float
    theirs: float | None
    ratio: float | None
    floor: float | None
    holds: bool
    memory_mb: float
    memory_of_theirs_mb: float | None = None


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """`number` tokens for the first two; the others have 20 assets over thirty days."""
    say("indicators")
    lines = [_indicators(number)]
    say("Stage 1 and 2, live")
    lines += [_live(number, StageRules()), _live(number, replace(StageRules(), alert=AlertRule(least_effective=1.0)))]
    month = market(MONTH, MAJORS)
    for title, entries, leaves in (("crossings", *_crossings(month)), ("alerts", _alerts(month), None)):
        say(f"paper broker, {title}")
        lines.append(_broker(month, title, entries, leaves))
    say("back-test")
    return [*lines, _backtest(month)]


def market(bars: int, tokens: int, seed: int = 7) -> Grid:
    """Prices that trend, stand still and panic by turns, each close the next open: the same for the same seed."""
    chance = np.random.default_rng(seed)
    mood = np.cumsum(chance.random((bars, tokens)) < 1 / 300, axis=0) % 5
    drift, width = np.array([-6e-4, 0, 7.5e-4, 0, 0])[mood], np.array([1.5e-3, 4e-4, 1.2e-3, 6e-4, 3e-3])[mood]
    close = np.exp(np.cumsum(drift + chance.standard_t(4, (bars, tokens)) * width, axis=0))
    grid = empty(MINUTE_SEC, 1_760_000_000 // 86_400 * 86_400, bars, np.arange(1, tokens + 1))
    grid.close[:], grid.open[:] = close, np.vstack([np.ones((1, tokens)), close[:-1]])
    grid.high[:] = np.maximum(grid.open, close) * (1 + np.abs(chance.normal(0, 0.3, close.shape)) * width)
    grid.low[:] = np.minimum(grid.open, close) * (1 - np.abs(chance.normal(0, 0.3, close.shape)) * width)
    grid.volume[:] = np.exp(chance.normal(8, 0.5, close.shape)) * width / 1e-3
    grid.trades[:], grid.buy_volume[:] = grid.volume / 50, grid.volume * (0.5 + 100 * drift)
    return grid


def in_turns(ours: Callable[[], Any], theirs: Callable[[], Any] | None, rounds: int = ROUNDS) -> tuple[float, float | None]:
    """Median seconds of the processor, of each: all of it runs in one thread, and what else the machine does is no part of it. The first
    run of both does not count: it compiles, and fills caches."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 1):
        for taken, call in zip(seconds, (ours, theirs), strict=True):
            if call is None:
                continue
            began = time.process_time()
            call()
            if turn:
                taken.append(time.process_time() - began)
    return statistics.median(seconds[0]), statistics.median(seconds[1]) if theirs else None


def peak_mb(call: Callable[[], Any]) -> float:
    """What one run needs beyond what is there already: asked of a process of its own, for a peak is never taken back."""
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        call()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        os.write(sending, str(grown).encode())
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving) as answer:
        told = answer.read()
    os.waitpid(child, 0)
    return round(int(told) / 1024, 1) if told else float("nan")


def _line(
    against: str, unit: str, ours: float, theirs: float | None, floor: float, missing: str, memory: float, other: float | None
) -> Line:
    """Times in seconds, told in milliseconds."""
    if theirs is None:
        return Line("stages", "no database", f"{against}: {missing}", unit, round(ours * 1000, 1), None, None, floor, True, memory)
    ratio = theirs / ours
    told = round(ours * 1000, 2), round(theirs * 1000, 2), round(ratio, 2)
    return Line("stages", "no database", against, unit, *told, floor, ratio >= floor, memory, other)


# (a) five indicators


def five(grid: Grid) -> tuple[Numbers, ...]:
    moves = movement(grid.high, grid.low, grid.close)
    return moves.rsi, moves.atr, moves.adx, ema(grid.close, 20), macd(grid.close)[0]


def five_by_talib(grid: Grid) -> list[tuple[Numbers, ...]]:
    talib: Any = import_module("talib")
    found: list[tuple[Numbers, ...]] = []
    for column in range(len(grid.tokens)):
        high, low, close = (np.ascontiguousarray(values[:, column]) for values in (grid.high, grid.low, grid.close))
        found.append(
            (talib.RSI(close), talib.ATR(high, low, close), talib.ADX(high, low, close), talib.EMA(close, 20), talib.MACD(close)[0])
        )
    return found


def _indicators(number: int) -> Line:
    grid = market(SHORT, number)
    there = find_spec("talib") is not None
    theirs = (lambda: five_by_talib(grid)) if there else None
    if theirs is not None:
        for ours, columns in zip(five(grid), zip(*theirs(), strict=True), strict=True):
            their = np.column_stack(columns)
            both = ~np.isnan(ours) & ~np.isnan(their)
            np.testing.assert_allclose(ours[both], their[both], rtol=1e-9, atol=1e-12)
            np.testing.assert_array_equal(both[-1], True)
    seconds = in_turns(lambda: five(grid), theirs, rounds=3 * ROUNDS)
    memory = peak_mb(lambda: five(grid)), peak_mb(theirs) if theirs else None
    return _line(f"TA-Lib, token by token: five indicators, {number} × {SHORT} bars", "ms", *seconds, TALIB_FLOOR, MISSING, *memory)


# (b) one live cycle


def _live(number: int, rules: StageRules) -> Line:
    """The operator's defaults, which seldom alert, and rules under which every reason is one."""
    grid = market(WINDOW + 1, number, seed=8)

    def call() -> Decided:
        return decide(grid, rules, Memory.empty(number), first_row=WINDOW)

    seconds, _ = in_turns(call, None)
    judged = len(call().judged)
    limit = f"limit: Stage 1 and 2 of one minute, {number} assets, {judged} of them judged"
    told = round(seconds * 1000, 1), LIVE_MS, round(seconds * 1000 / LIVE_MS, 2)
    return Line("stages", "no database", limit, "ms", *told, 1.0, seconds * 1000 <= LIVE_MS, peak_mb(call))


# (c) the paper broker


def _crossings(grid: Grid) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Entries and exits of a crossing of averages of 10 and 30 bars."""
    fast, slow = (_mean(grid.close, length) for length in (10, 30))
    above = fast > slow
    entries, exits = np.zeros_like(above), np.zeros_like(above)
    entries[30:], exits[30:] = above[30:] & ~above[29:-1], ~above[30:] & above[29:-1]
    return entries, exits


def _mean(values: Numbers, length: int) -> Numbers:
    summed = np.vstack([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return np.vstack([np.full((length - 1, values.shape[1]), np.nan), (summed[length:] - summed[:-length]) / length])


def _alerts(grid: Grid) -> NDArray[np.bool_]:
    return np.random.default_rng(9).random(grid.close.shape) < 1 / ALERT_BARS


def same_costs(leaves: bool) -> BrokerRules:
    """The rules under which our broker and vectorbt model the same thing: the open of the next bar (the close of this one), a fixed size,
    fees and slippage, one stop, one target, no pool, nothing that ages. vectorbt takes one signal a bar, so that none is entered in the
    bar of a stop; where signals to leave are given, an entry may follow one at once."""
    return BrokerRules(
        fee=FEE,
        slippage=SLIPPAGE,
        fixed_fee_usd=0.0,
        worse_side=0.0,
        unknown_liquidity_usd=1e18,
        liquidity_share=1.0,
        compound=False,
        capital_usd=CAPITAL,
        position_share=EACH / CAPITAL,
        risk_share=0.2,
        least_usd=0.0,
        most_open=MAJORS,
        cool_down_sec=0 if leaves else MINUTE_SEC,
        token_trades_a_day=1_000_000,
        break_even=False,
        trail_atr=0.0,
        adapt_share=0.0,
        time_stop_sec=10**9,
    )


def signals_at(grid: Grid, entries: NDArray[np.bool_]) -> Signals:
    row, column = np.nonzero(entries)
    n, quote = len(row), grid.close[row, column]
    nothing = np.full(n, np.nan)
    targets = np.column_stack([quote * (1 + TARGET), nothing, nothing])
    return Signals(
        np.arange(n), row, grid.tokens[column], np.ones(n), np.ones(n), quote, quote * (1 - STOP), targets, nothing, np.full(n, "")
    )


def by_vectorbt(grid: Grid, entries: NDArray[np.bool_], leaves: NDArray[np.bool_] | None) -> Any:
    pandas, vectorbt = import_module("pandas"), import_module("vectorbt")
    return vectorbt.Portfolio.from_signals(
        pandas.DataFrame(grid.close),
        entries,
        np.zeros_like(entries) if leaves is None else leaves,
        open=grid.open,
        high=grid.high,
        low=grid.low,
        size=EACH / (grid.close * (1 + SLIPPAGE)),  # as we do: what the money buys at the price that is paid
        init_cash=CAPITAL,
        fees=FEE,
        slippage=SLIPPAGE,
        sl_stop=STOP,
        tp_stop=TARGET,
        stop_exit_price="stopmarket",  # with slippage; a limit order would have none
        freq="1min",
    )


def compare_fills(grid: Grid, signals: Signals, leaves: NDArray[np.bool_] | None, theirs: Any) -> int:
    """Raises where one fill differs in bar, asset, side, price or quantity. Returns how many were compared."""
    ours = run(Tape(grid, leave_long=leaves), signals, same_costs(leaves is not None)).fills
    column = signals.token[ours.signal] - 1
    bought = ours.deal == Deal.ENTRY
    paid = ours.price * np.where(bought, 1 + SLIPPAGE, 1 - SLIPPAGE)
    at_close = bought | (ours.deal == Deal.CONTEXT)  # vectorbt trades at the close at which we fill at the next open
    row = ours.row - at_close
    record = theirs.order_records
    record = record[record["idx"] < len(grid) - 1]
    mine = np.lexsort((~bought, row, column))
    mine = mine[row[mine] < len(grid) - 1]
    other = np.lexsort((record["side"], record["idx"], record["col"]))
    for name, values in (("idx", row), ("col", column), ("side", ~bought), ("price", paid), ("size", ours.quantity)):
        np.testing.assert_allclose(values[mine].astype(np.float64), record[name][other].astype(np.float64), rtol=1e-9, err_msg=name)
    return len(mine)


def _broker(grid: Grid, title: str, entries: NDArray[np.bool_], leaves: NDArray[np.bool_] | None) -> Line:
    signals, rules, tape = signals_at(grid, entries), same_costs(leaves is not None), Tape(grid, leave_long=leaves)
    ours: Callable[[], Any] = lambda: run(tape, signals, rules)  # noqa: E731
    against = f"vectorbt from_signals: {title}, {len(signals):,} signals on {grid.close.size:,} bars"
    if find_spec("vectorbt") is None:
        seconds, _ = in_turns(ours, None)
        return _line(against, "ms", seconds, None, VECTORBT_FLOOR, MISSING, peak_mb(ours), None)
    theirs: Callable[[], Any] = lambda: by_vectorbt(grid, entries, leaves)  # noqa: E731
    compared = compare_fills(grid, signals, leaves, theirs())
    mine, other = in_turns(ours, theirs)
    memory = peak_mb(ours), peak_mb(theirs)
    return _line(f"{against}, {compared:,} fills equal", "ms", mine, other, VECTORBT_FLOOR, "", *memory)


# (d) the whole back-test


def _backtest(grid: Grid) -> Line:
    """At the costs of an exchange: at those of a young pool no plan of such calm prices pays, and nothing would be traded."""
    names = tuple(f"T{token}" for token in grid.tokens)
    pool = np.full(grid.close.shape, 1e7)
    material = Material(grid, names, names, 0, Known(names, at_points=only_liquidity(pool)), pool)
    rules = replace(StageRules(), judge=JudgeRule(round_trip_cost=2 * (FEE + SLIPPAGE)), broker=BrokerRules(most_open=MAJORS))

    def call() -> Replayed:
        return replay(material, rules)

    seconds, _ = in_turns(call, None, rounds=3)
    found = call()
    pace = grid.close.size / seconds
    against = f"freqtrade's back-testing: {len(found.decided.judged):,} points judged, {len(found.trades):,} trades"
    ratio = pace / FREQTRADE_BARS_A_SECOND
    told = round(pace), float(FREQTRADE_BARS_A_SECOND), round(ratio, 1)
    return Line("stages", "no database", against, "bars/s", *told, FREQTRADE_FLOOR, ratio >= FREQTRADE_FLOOR, peak_mb(call))
