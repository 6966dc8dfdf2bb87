"""What paper trades came to: each trade, the account's curve, and figures with the uncertainty that their number leaves.

Trades of one token on one day share their luck, so they are drawn together when an interval is taken (a block bootstrap). Where trades or
blocks are few nothing is said: a rate of three trades is a story, not a rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.book import DAY_SEC, Flags, Numbers, Places, Signals
from trading.many_bars import Fills
from trading.names import Deal

LEAST_TRADES, LEAST_BLOCKS = 20, 5  # fewer are too few for a figure
DRAWS, SEED = 2000, 20_261
COVERED = 0.95


@dataclass(frozen=True, slots=True)
class Trades:
    """One entry a position, in the order of their entries."""

    signal: Places
    key: Places
    token: Places
    side: Numbers
    opened: Places  # openings of the bars that filled the entry and the last exit, seconds since 1970; −1: still open
    closed: Places
    entry: Numbers  # before costs
    exit: Numbers  # mean price of what was sold so far, before costs
    quantity: Numbers
    left: Numbers
    invested: Numbers  # what changed hands at the entry
    fees: Numbers
    result: Numbers  # US dollars won or lost after costs; NaN while open
    risked: Numbers  # US dollars that the first stop would have cost, before costs
    how: NDArray[np.str_]  # the last exit
    targets: Places  # how many were reached
    assumed: Flags  # some fill rests on an assumed liquidity

    def __len__(self) -> int:
        return len(self.key)

    @property
    def over(self) -> Flags:
        return np.asarray(self.closed >= 0)

    @property
    def risks(self) -> Numbers:
        """The result in multiples of what was risked."""
        return self.result / np.where(self.risked > 0, self.risked, np.nan)


def trades_of(fills: Fills, signals: Signals, open_time: Places) -> Trades:
    """`open_time` (bars,): the opening of each row."""
    entries = np.flatnonzero(fills.deal == Deal.ENTRY)
    signal = fills.signal[entries]
    number = np.full(len(signals), -1)
    number[signal] = np.arange(len(signal))
    exits = np.flatnonzero(fills.deal != Deal.ENTRY)
    of, n, side = number[fills.signal[exits]], len(entries), signals.side[signal]

    def total(values: NDArray[Any]) -> Numbers:
        return np.bincount(of, weights=values, minlength=n).astype(np.float64)

    sold, paid = total(fills.quantity[exits]), total(fills.usd[exits])
    fees = fills.fee[entries] + total(fills.fee[exits])
    last = np.full(n, -1)
    last[of] = exits  # of several the last stays
    ended = (last >= 0) & ~np.char.startswith(fills.deal[last], "target") if n else np.zeros(0, dtype=bool)
    left = np.where(ended, 0.0, fills.quantity[entries] - sold)
    ended |= left <= 1e-9 * fills.quantity[entries]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_exit = total(fills.quantity[exits] * fills.price[exits]) / sold
    return Trades(
        signal=signal,
        key=signals.key[signal],
        token=signals.token[signal],
        side=side,
        opened=open_time[fills.row[entries]],
        closed=np.where(ended, open_time[fills.row[last]], -1) if n else np.zeros(0, dtype=np.int64),
        entry=fills.price[entries],
        exit=mean_exit,
        quantity=fills.quantity[entries],
        left=np.where(ended, 0.0, left),
        invested=fills.usd[entries],
        fees=fees,
        result=np.where(ended, side * (paid - fills.usd[entries]) - fees, np.nan),
        risked=fills.quantity[entries] * np.abs(fills.price[entries] - signals.stop[signal]),
        how=np.where(ended, fills.deal[last], "") if n else np.zeros(0, dtype="<U1"),
        targets=total(np.char.startswith(fills.deal[exits], "target")).astype(np.int64) if n else np.zeros(0, dtype=np.int64),
        assumed=(fills.assumed[entries] | (total(fills.assumed[exits]) > 0)) if n else np.zeros(0, dtype=bool),
    )


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and the interval that holds it in 95 of 100 draws; None where there are too few trades to say."""

    value: float | None
    low: float | None = None
    high: float | None = None


TOO_FEW = Figure(None)


@dataclass(frozen=True, slots=True)
class Summary:
    trades: int
    blocks: int  # (token, day) with a trade: the number of independent pieces of luck
    won: int
    result: float  # US dollars, a sum, which needs no minimum
    fees: float
    win_rate: Figure
    expectancy: Figure  # US dollars a trade
    expectancy_risks: Figure  # multiples of the risked
    profit_factor: Figure  # won over lost; infinite where nothing was lost

    @property
    def too_few(self) -> bool:
        return self.expectancy.value is None


def summary(trades: Trades, chosen: Flags | None = None) -> Summary:
    """Of the trades that are over."""
    some = trades.over if chosen is None else trades.over & chosen
    result, risks = trades.result[some], trades.risks[some]
    block = _blocks(trades.token[some], trades.opened[some])
    figures = _figures(result, risks, block)
    return Summary(
        trades=len(result),
        blocks=int(block.max(initial=-1)) + 1,
        won=int((result > 0).sum()),
        result=float(result.sum()),
        fees=float(trades.fees[some].sum()),
        **figures,
    )


def _blocks(token: Places, moment: Places) -> Places:
    """(n,): the number of each one's token and day."""
    pairs = np.column_stack([token, moment // DAY_SEC])
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1) if len(pairs) else np.zeros(0, dtype=np.int64)


def _figures(result: Numbers, risks: Numbers, block: Places) -> dict[str, Figure]:
    count = int(block.max(initial=-1)) + 1
    if len(result) < LEAST_TRADES or count < LEAST_BLOCKS:
        return dict.fromkeys(("win_rate", "expectancy", "expectancy_risks", "profit_factor"), TOO_FEW)
    known = ~np.isnan(risks)
    of_block = np.column_stack(
        [
            np.bincount(block, weights=values, minlength=count)
            for values in (
                np.ones(len(result)),
                result,
                result > 0,
                np.maximum(result, 0),
                np.maximum(-result, 0),
                known,
                np.where(known, risks, 0),
            )
        ]
    )
    drawn = np.vstack([of_block.sum(axis=0), _draws(count) @ of_block])  # the first row is what was seen
    number, total, won, gained, lost, measured, in_risks = drawn.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "win_rate": _interval(won / number),
            "expectancy": _interval(total / number),
            "expectancy_risks": _interval(in_risks / measured),
            "profit_factor": _interval(np.where((lost == 0) & (gained == 0), np.nan, gained / lost)),
        }


def _draws(blocks: int) -> Numbers:
    """(DRAWS, blocks): how often each block is drawn. The same for the same number: a report that is made again says the same."""
    chance = np.random.default_rng(SEED)
    drawn: Numbers = chance.multinomial(blocks, np.full(blocks, 1 / blocks), size=DRAWS).astype(np.float64)
    return drawn


def _interval(values: Numbers) -> Figure:
    seen, drawn = float(values[0]), np.sort(values[1:][~np.isnan(values[1:])])
    if np.isnan(seen) or not len(drawn):
        return TOO_FEW
    edge = int(len(drawn) * (1 - COVERED) / 2)
    return Figure(seen, float(drawn[edge]), float(drawn[-edge - 1]))


@dataclass(frozen=True, slots=True)
class Line:
    group: str
    name: str
    summary: Summary


def lines(trades: Trades, groups: Mapping[str, Mapping[str, Flags]]) -> list[Line]:
    """`groups`: for each kind of group (trigger, scenario …) the trades of each of its names. One trade may have several triggers."""
    return [Line(group, name, summary(trades, flags)) for group, names in groups.items() for name, flags in names.items() if flags.any()]


def by_name(names: Sequence[str] | NDArray[np.str_]) -> dict[str, Flags]:
    """The groups of a column of names."""
    column = np.asarray(names)
    return {str(name): column == name for name in np.unique(column)}


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall from a high, as a share of that high, and the longest time below one, in bars."""

    depth: float
    high_at: int
    low_at: int
    longest: int


def drawdown(equity: Numbers) -> Drawdown:
    if not len(equity):
        return Drawdown(0.0, 0, 0, 0)
    high = np.maximum.accumulate(equity)
    fall = np.where(high > 0, 1 - equity / np.where(high > 0, high, 1), 0.0)
    low_at = int(np.argmax(fall))
    at_high = np.flatnonzero(equity >= high)
    waits = np.diff(np.concatenate([at_high, [len(equity)]])) - 1
    return Drawdown(float(fall[low_at]), int(np.argmax(equity[: low_at + 1])), low_at, int(waits.max(initial=0)))
