"""Markets for the tests of the judgement, and the two halves of a judgement with one figure set by hand."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from tokens.bar_grid import AMOUNTS, PRICES, Grid, empty
from trading.context import Context, Facts
from trading.judge_rule import JudgeRule
from trading.judgement import Judged, decide, judge
from trading.levels import EACH_SIDE, KINDS, NO_KIND, LevelKind, Levels
from trading.scenarios import Divergences

NAN = float("nan")
MIDNIGHT = 1_795_132_800  # 2026-11-20 00:00 UTC
RULE = JudgeRule(round_trip_cost=0.02)
# Of everything a little: no scenario is clear.
WEAK = {"trend_fives": 0.15, "trend_hours": -0.4, "adx": 28, "volatility": 2.2, "shock": 0.5, "variance_ratio": 1.5, "jump": 0.1}
WEAK |= {"over_high": 0.1, "under_low": -9, "band_atr": 8.0}


def market(seed: int, bars: int = 500, width: int = 4, gaps: float = 0.0, start: int = MIDNIGHT, noise: float = 0.01) -> Grid:
    """Prices that walk at random, calm and wild by turns, with drifts; some tokens begin late."""
    chance = np.random.default_rng(seed)
    grid = empty(60, start, bars, np.arange(width) + 100)
    wild = np.minimum(noise * np.exp(np.cumsum(chance.normal(0, 0.05, (bars, width)), axis=0)), 0.2)
    drift = np.repeat(chance.normal(0, 0.3 * noise, (bars // 60 + 1, width)), 60, axis=0)[:bars]
    close = np.exp(np.cumsum(wild * chance.normal(0, 1, (bars, width)) + drift, axis=0) - 9)
    open_ = np.vstack([close[:1], close[:-1]])
    grid.open[:], grid.close[:] = open_, close
    grid.high[:] = np.maximum(open_, close) * np.exp(np.abs(chance.normal(0, 0.3, (bars, width))) * wild)
    grid.low[:] = np.minimum(open_, close) * np.exp(-np.abs(chance.normal(0, 0.3, (bars, width))) * wild)
    grid.volume[:] = chance.lognormal(6, 1, (bars, width))
    grid.trades[:] = np.round(grid.volume / 50)
    grid.buy_volume[:] = grid.volume * chance.uniform(0.1, 0.9, (bars, width))
    missing = chance.random((bars, width)) < gaps
    missing |= np.arange(bars)[:, None] < np.where(chance.random(width) < 0.25, chance.integers(0, bars // 2, width), 0)
    for name in (*PRICES, *AMOUNTS):
        getattr(grid, name)[missing] = NAN
    return grid


def bars_of(closes: list[float], start: int = MIDNIGHT, reach: float = 0.0, volume: float = 1000.0) -> Grid:
    """One token; each bar opens at the close before it and goes `reach` (a share) beyond both ends. NaN is a gap."""
    close = np.array(closes, dtype=np.float64)[:, None]
    grid = empty(60, start, len(close), np.array([1]))
    before = np.vstack([close[:1], close[:-1]])
    grid.close[:], grid.open[:] = close, np.where(np.isnan(close) | ~np.isnan(before), before + 0 * close, close)
    grid.high[:], grid.low[:] = np.fmax(grid.open, close) * (1 + reach), np.fmin(grid.open, close) * (1 - reach)
    for name in AMOUNTS:
        getattr(grid, name)[:] = np.where(np.isnan(close), NAN, volume / (2 if name == "buy_volume" else 1))
    return grid


def times(grid: Grid, factor: float) -> Grid:
    """The same bars in another unit of money."""
    return replace(grid, **{name: getattr(grid, name) * factor for name in PRICES})


def newest(grid: Grid, rule: JudgeRule = RULE, **more: Any) -> Judged:
    """Every token at its newest bar, as a live cycle judges."""
    return judge(grid, np.full(len(grid.tokens), len(grid) - 1), np.arange(len(grid.tokens)), rule=rule, **more)


def arrays(value: Any, name: str = "") -> dict[str, np.ndarray]:
    """Every array inside, by its path."""
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, dict):
        return {path: found for key, inner in value.items() for path, found in arrays(inner, f"{name}.{key}").items()}
    return {name: np.asarray(value)}


def only(value: Any, place: int) -> Any:
    """One point of many."""
    if is_dataclass(value):
        return replace(value, **{field.name: only(getattr(value, field.name), place) for field in fields(value)})
    if isinstance(value, dict):
        return {key: only(inner, place) for key, inner in value.items()}
    return value[..., place : place + 1]


def assert_same(left: Any, right: Any) -> None:
    others = arrays(right)
    for path, found in arrays(left).items():
        np.testing.assert_array_equal(found, others[path], err_msg=path)


def assert_alike(left: Any, right: Any, leave_out: tuple[str, ...]) -> None:
    """Every decision the same, every figure but for rounding."""
    others = arrays(right)
    for path, found in arrays(left).items():
        if path.endswith(leave_out):
            continue
        if found.dtype == np.float64:
            np.testing.assert_allclose(found, others[path], rtol=1e-8, atol=1e-9, err_msg=path)
        else:
            np.testing.assert_array_equal(found, others[path], err_msg=path)


def context(**figures: float) -> Context:
    """One point of which nothing is known but this."""
    return Context(**{field.name: np.array([figures.get(field.name, NAN)]) for field in fields(Context)})


def levels(support: float | None = None, resistance: float | None = None, strength: float = 0.4, atr: float = 0.01) -> Levels:
    """One point with at most one level on each side, at distances in ATR."""
    kind, price = np.full((2 * EACH_SIDE, 1), NO_KIND), np.full((2 * EACH_SIDE, 1), NAN)
    for place, distance in ((0, support and -support), (EACH_SIDE, resistance)):
        if distance is not None:
            kind[place], price[place] = KINDS.index(LevelKind.SWING_MACRO), 1 + distance * atr
    known = ~np.isnan(price)
    which = [np.where(known[place], place, -1) for place in (0, EACH_SIDE)]
    return Levels(kind, price, np.where(known, strength, NAN), (price - 1) / atr, *which)


def decided(context: Context, levels: Levels, rule: JudgeRule = RULE, calibration: Any = None, **facts: Any) -> Judged:
    """The second half of a judgement, on what is seen."""
    one = replace(Facts.unknown(1), **{name: np.array([value]) for name, value in ({"liquidity": 1e6} | facts).items()})
    at = np.zeros(1, dtype=np.int64)
    return decide(at, at, at + MIDNIGHT, np.ones(1), context, levels, Divergences.unknown(1), rule, calibration, one)
