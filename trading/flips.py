"""What would change a recommendation: the smallest move of the price, of the newest volume, of RSI or of the confidence after which the
same judgement would say something else.

Nothing is guessed: each answer is a move that was tried, by judging once more with just that changed. Moves are tried in steps, from the
smallest to LARGEST in both directions, and the step in which the recommendation changes is tried once more in FINER steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trading import context as contexts
from trading import gates, judgement
from trading.names import Quantity
from trading.windows import WINDOW, day_bars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tokens.bar_grid import Grid
    from trading.calibration import Calibration
    from trading.context import Facts
    from trading.gates import GateMemory
    from trading.judge_rule import JudgeRule
    from trading.judgement import Judged
    from trading.scenarios import Divergences

    Numbers = NDArray[np.float64]
    Codes = NDArray[np.int8]
    Places = NDArray[np.int64]
    Tried = Callable[[Numbers], Codes]

# of the price in ATR, of the volume in powers of two, of RSI in points, of the confidence as it is
STEP = {Quantity.PRICE: 0.5, Quantity.VOLUME: 0.5, Quantity.RSI: 2.0, Quantity.CONFIDENCE: 0.02}
LARGEST = {Quantity.PRICE: 8.0, Quantity.VOLUME: 6.0, Quantity.RSI: 60.0, Quantity.CONFIDENCE: 1.0}
FINER = 8


@dataclass(frozen=True, slots=True)
class Flip:
    """(n,) each. NaN: no move of that size would change anything, or the quantity is unknown."""

    move: Numbers  # of the price and the volume as a share of what they are, of the others as a difference
    value: Numbers  # what it would then be: dollars, dollars, RSI, confidence
    recommendation: Codes  # what would then be said


@dataclass(frozen=True, slots=True)
class Asked:
    """Points of one row: the newest bar of some tokens, with all that their judgement took."""

    grid: Grid
    row: int
    columns: Places
    divergences: Divergences
    rule: JudgeRule
    calibration: Calibration | None
    facts: Facts
    memory: GateMemory  # as it was before these points passed the gates
    days: Grid | None = None


def nearest(asked: Asked) -> dict[Quantity, Flip]:
    """For each quantity the smallest move that flips the recommendation of each point."""
    near = replace(asked, grid=asked.grid.rows(slice(max(0, asked.row - WINDOW + 1), asked.row + 1)))
    near = replace(near, row=len(near.grid) - 1, days=day_bars(asked.grid) if asked.days is None else asked.days)
    base = _judged(near, near.grid, np.ones(len(near.columns), dtype=np.int64))
    atr, volume = base.context.atr, near.grid.volume[-1, near.columns]
    found = {
        Quantity.PRICE: _searched(Quantity.PRICE, near, lambda moves: _with_price(near, moves * atr[:, None])),
        Quantity.VOLUME: _searched(Quantity.VOLUME, near, lambda moves: _with_volume(near, np.exp2(moves))),
        Quantity.RSI: _searched(Quantity.RSI, near, lambda moves: _with_rsi(near, base, base.context.rsi[:, None] + moves)),
        Quantity.CONFIDENCE: _searched(
            Quantity.CONFIDENCE, near, lambda moves: _with_confidence(near, base, base.confidence[:, None] + moves)
        ),
    }
    price, traded = found[Quantity.PRICE], found[Quantity.VOLUME]
    moved, times = price.move * atr, np.exp2(traded.move)
    return {
        Quantity.PRICE: replace(price, move=moved, value=base.price * (1 + moved)),
        Quantity.VOLUME: replace(traded, move=times - 1, value=volume * times),
        Quantity.RSI: replace(found[Quantity.RSI], value=base.context.rsi + found[Quantity.RSI].move),
        Quantity.CONFIDENCE: replace(found[Quantity.CONFIDENCE], value=base.confidence + found[Quantity.CONFIDENCE].move),
    }


def _searched(quantity: Quantity, asked: Asked, tried: Tried) -> Flip:
    """`tried` gives the recommendations (n, moves) after each of these moves; −1 where it cannot be tried."""
    step, n = STEP[quantity], len(asked.columns)
    sizes = np.repeat(np.arange(1, round(LARGEST[quantity] / step) + 1), 2) * step
    ways = np.tile([1.0, -1.0], len(sizes) // 2)
    coarse = np.r_[0.0, sizes * ways]
    said = tried(np.broadcast_to(coarse, (n, len(coarse))))
    place, there = _first_flip(said)
    inner = coarse[place] - np.sign(coarse[place]) * step
    fine = inner[:, None] + np.sign(coarse[place])[:, None] * step * np.arange(1, FINER + 1) / FINER
    finer = np.concatenate([said[:, :1], tried(fine)], axis=1)
    closer, _ = _first_flip(finer)
    every = np.arange(n)
    move = np.where(there, fine[every, np.maximum(closer - 1, 0)], np.nan)
    return Flip(move, np.full(n, np.nan), np.where(there, finer[every, closer], said[:, 0]).astype(np.int8))


def _first_flip(said: Codes) -> tuple[Places, NDArray[np.bool_]]:
    other = (said != said[:, :1]) & (said >= 0) & (said[:, :1] >= 0)
    return other.argmax(axis=1), other.any(axis=1)


def _with_price(asked: Asked, moves: Numbers) -> Codes:
    """The newest bar closes elsewhere; its high or low goes along."""
    grid = asked.grid.columns(np.repeat(asked.columns, moves.shape[1]))
    close = grid.close[-1] * (1 + moves.ravel())
    grid.high[-1], grid.low[-1], grid.close[-1] = np.maximum(grid.high[-1], close), np.minimum(grid.low[-1], close), close
    return _said(asked, grid, moves, close > 0)


def _with_volume(asked: Asked, times: Numbers) -> Codes:
    """The newest bar is traded more or less, by the same hands."""
    grid = asked.grid.columns(np.repeat(asked.columns, times.shape[1]))
    grid.volume[-1] *= times.ravel()
    grid.buy_volume[-1] *= times.ravel()
    return _said(asked, grid, times, grid.volume[-1] > 0)


def _said(asked: Asked, grid: Grid, moves: Numbers, possible: NDArray[np.bool_]) -> Codes:
    each = np.full(len(asked.columns), moves.shape[1])
    said = _gated(asked, _judged(asked, grid, each), each)
    return np.where(possible, said, -1).reshape(moves.shape).astype(np.int8)


def _judged(asked: Asked, grid: Grid, each: Places) -> Judged:
    """Every column of `grid`, of which each point has some, at its newest bar."""
    whole = len(grid.tokens) == len(asked.grid.tokens) and (each == 1).all()
    columns = asked.columns if whole else np.arange(len(grid.tokens))
    rows = np.full(len(columns), asked.row)
    days = None if asked.days is None else (asked.days if whole else asked.days.columns(np.repeat(asked.columns, each)))
    return judgement.judge_at(
        grid,
        rows,
        columns,
        _repeated(asked.divergences, each),
        asked.rule,
        asked.calibration,
        _repeated(asked.facts, each),
        contexts.measure(grid),
        day_bars(grid) if days is None else days,
    )


def _with_rsi(asked: Asked, base: Judged, values: Numbers) -> Codes:
    each = np.full(len(base), values.shape[1])
    context = replace(_repeated(base.context, each), rsi=np.clip(values.ravel(), 0.0, 100.0))
    return _decided(asked, base, each, context, None, ~np.isnan(values.ravel()) & (values.ravel() >= 0) & (values.ravel() <= 100))


def _with_confidence(asked: Asked, base: Judged, values: Numbers) -> Codes:
    each, flat = np.full(len(base), values.shape[1]), values.ravel()
    return _decided(asked, base, each, _repeated(base.context, each), flat, (flat >= 0) & (flat <= 1))


def _decided(
    asked: Asked, base: Judged, each: Places, context: contexts.Context, confidence: Numbers | None, possible: NDArray[np.bool_]
) -> Codes:
    many = _repeated(base, each)
    seen = _repeated(asked.divergences, each)
    facts = _repeated(asked.facts, each)
    judged = judgement.decide(
        many.rows, many.columns, many.end, many.price, context, many.levels, seen, asked.rule, asked.calibration, facts, confidence
    )
    return np.where(possible, _gated(asked, judged, each), -1).reshape(len(base), -1).astype(np.int8)


def _gated(asked: Asked, judged: Judged, each: Places) -> Codes:
    """Each variant with the memory of its own token, as if it alone had happened."""
    tokens = np.repeat(asked.columns, each)
    memory = gates.GateMemory(asked.memory.closed[:, tokens], asked.memory.standing[tokens], asked.memory.entered_at[tokens])
    alone = replace(judged, columns=np.arange(len(judged)))
    return gates.apply(alone, memory, asked.rule)[0].recommendation


def _repeated(value: Any, each: Places) -> Any:
    """Every array inside with each point `each` times, one beside the other."""
    if is_dataclass(value):
        return replace(value, **{field.name: _repeated(getattr(value, field.name), each) for field in fields(value)})  # type: ignore[type-var]
    if isinstance(value, dict):
        return {name: _repeated(inner, each) for name, inner in value.items()}
    return np.repeat(value, each, axis=-1)
