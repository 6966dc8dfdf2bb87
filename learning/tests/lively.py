"""A lively market for the tests of the features: tokens of many ages and sizes over some hours, with gaps, made from one number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learning.features.inputs import HOURS, LAGS, LOOKED_AT, MOMENTS, ROWS, FeatureInputs, Market, Pools, no_looks, no_pools
from tokens.bar_grid import Grid, coarser, empty

Numbers = NDArray[np.float64]

START = 1_760_000_400 // 3600 * 3600
MINUTE = 60


class World:
    """`minutes` of a market; `inputs(at)` is what was known at a minute of it."""

    def __init__(self, seed: int, tokens: int = 60, minutes: int = 60 * 30, gaps: float = 0.02, young: float = 0.25) -> None:
        chance = np.random.default_rng(seed)
        self.chance, self.tokens = chance, tokens
        self.bars = _bars(chance, minutes, tokens, gaps)
        old = START - 3600.0 * np.arange(1, tokens + 1)
        self.born = np.where(chance.random(tokens) < young, START + MINUTE * chance.integers(0, minutes, tokens), old)
        for name in ("open", "high", "low", "close", "volume", "trades", "buy_volume"):
            getattr(self.bars, name)[self.bars.open_time[:, None] < self.born] = np.nan
        self.sol = np.exp(np.cumsum(chance.normal(0, 5e-4, minutes)))[:, None] * 180.0
        self.holders = np.round(200 * np.exp(np.cumsum(chance.normal(5e-4, 4e-3, (minutes, tokens)), axis=0)))
        self.liquidity = 2e4 * np.exp(chance.normal(0, 1, tokens) + np.cumsum(chance.normal(0, 4e-3, (minutes, tokens)), axis=0))
        self.tells_holders = chance.random(tokens) < 0.8
        self.pools_of = chance.integers(0, 4, tokens)
        self.pool_share = chance.dirichlet(np.ones(3), tokens)

    def inputs(self, at: int, late: int = 1) -> FeatureInputs:
        """After `at` minutes; the newest `late` of them have no bar yet."""
        ts = START + MINUTE * at
        rows = self.bars.rows(slice(max(0, at - ROWS), at))
        hidden = rows.open_time >= ts - MINUTE * late
        for name in ("open", "high", "low", "close", "volume", "trades", "buy_volume"):
            values = getattr(rows, name).copy()
            values[hidden] = np.nan
            object.__setattr__(rows, name, values)
        hours = coarser(self.bars.rows(slice(0, at)), 3600)
        sol = self.sol[max(0, at - ROWS) : at].copy()
        sol[hidden] = np.nan
        return FeatureInputs(
            ts=ts + 7,
            minutes=rows,
            hours=hours.rows(slice(max(0, len(hours) - HOURS), None)),
            looks=self._looks(at, ts),
            pools=self._pools(at),
            market=Market(rows.close, rows.volume, self.born),
            sol=sol,
            born=self.born,
        )

    def _looks(self, at: int, ts: int) -> dict[str, Numbers]:
        looks = {name: np.full((len(LAGS), self.tokens), np.nan) for name in (*LOOKED_AT, *MOMENTS)}
        chance = np.random.default_rng(at)  # the same moment is the same, however much lies after it
        for place, lag in enumerate(LAGS):
            row = at - lag - 1
            hour, five = slice(max(0, row - 59), row + 1), slice(max(0, row - 4), row + 1)
            if row < 0:
                continue
            seen = ~np.isnan(self.bars.close[row])
            volume, trades = (np.nansum(values[five], axis=0) for values in (self.bars.volume, self.bars.trades))
            bought = np.minimum(np.nansum(self.bars.buy_volume[five], axis=0), volume)
            buys = np.round(trades * np.clip(bought / np.maximum(volume, 1) + chance.normal(0, 0.1, self.tokens), 0, 1))
            figures = {
                "price": self.bars.close[row] * np.exp(chance.normal(0, 2e-3, self.tokens)),
                "liquidity": self.liquidity[row],
                "holders": np.where(self.tells_holders, self.holders[row], np.nan),
                "tx_count_5m": np.round(trades),
                "tx_count_1h": np.round(np.nansum(self.bars.trades[hour], axis=0)),
                "volume_5m": volume,
                "volume_1h": np.nansum(self.bars.volume[hour], axis=0),
                "buys_5m": buys,
                "sells_5m": np.maximum(np.round(trades) - buys, 0),
                "buys_volume_5m": bought,
                "sells_volume_5m": volume - bought,
                "unique_wallets_5m": np.round(trades * chance.uniform(0.2, 0.9, self.tokens)),
                "ts": np.full(self.tokens, ts - MINUTE * lag - chance.integers(0, 30, self.tokens)),
            }
            figures["last_trade_at"] = figures["ts"] - chance.exponential(20, self.tokens)
            for name, values in figures.items():
                looks[name][place] = np.where(seen, values, np.nan)
        return looks

    def _pools(self, at: int) -> Pools:
        column = np.repeat(np.arange(self.tokens), self.pools_of)
        which = np.concatenate([np.arange(number) for number in self.pools_of] or [np.zeros(0)]).astype(np.int64)
        chance = np.random.default_rng(at)
        wobble = np.exp(chance.normal(0, 0.1, (2, len(column))))
        share = self.pool_share[column, which]
        price = np.exp(chance.normal(0, 5e-3, len(column)))
        return Pools(column, share * self.liquidity[at - 1, column] * wobble[0], share**2 * 1e4 * wobble[1], price)


def _bars(chance: np.random.Generator, minutes: int, tokens: int, gaps: float) -> Grid:
    """Prices that trend, swing and jump by turns, some of tokens nobody trades for a while."""
    mood = np.cumsum(chance.random((minutes, tokens)) < 1 / 60, axis=0) % 5
    width = np.array([2e-3, 8e-3, 4e-3, 1.5e-2, 1e-3])[mood]
    common = chance.normal(0, 1.5e-3, (minutes, 1))
    moves = chance.standard_t(4, (minutes, tokens)) * width + common + np.array([3e-4, -6e-4, 0, 8e-4, 0])[mood]
    moves[chance.random((minutes, tokens)) < 0.05] = 0.0
    grid = empty(MINUTE, START, minutes, np.arange(tokens) + 11)
    close = np.exp(np.cumsum(moves, axis=0) + chance.normal(-9, 2, tokens))
    grid.close[:] = close
    grid.open[:] = np.vstack([close[:1], close[:-1]]) * np.exp(chance.normal(0, 1, close.shape) * width / 4)
    grid.high[:] = np.maximum(grid.open, close) * np.exp(np.abs(chance.normal(0, 0.5, close.shape)) * width)
    grid.low[:] = np.minimum(grid.open, close) * np.exp(-np.abs(chance.normal(0, 0.5, close.shape)) * width)
    pace = np.exp(chance.normal(5, 1, tokens) + np.cumsum(chance.normal(0, 0.02, close.shape), axis=0))
    grid.volume[:] = pace * np.exp(chance.normal(0, 0.8, close.shape)) * (1 + 100 * np.abs(moves))
    grid.trades[:] = np.maximum(np.round(grid.volume / chance.uniform(20, 60, tokens) * np.exp(chance.normal(0, 0.2, close.shape))), 1)
    grid.buy_volume[:] = grid.volume * np.clip(0.5 + 8 * moves + chance.normal(0, 0.15, close.shape), 0, 1)
    missing = chance.random(close.shape) < gaps
    for name in ("open", "high", "low", "close", "volume", "trades", "buy_volume"):
        getattr(grid, name)[missing] = np.nan
    return grid


def moment_of(close: Numbers, born_ago: float = 1e6) -> FeatureInputs:
    """A moment of which only closes are known, and a dollar's volume for each; (rows, tokens)."""
    rows, tokens = close.shape
    ts = START + MINUTE * rows
    grid = empty(MINUTE, START, rows, np.arange(tokens) + 1)
    for name in ("open", "high", "low", "close"):
        getattr(grid, name)[:] = close
    for name, amount in (("volume", 10.0), ("trades", 2.0), ("buy_volume", 5.0)):
        getattr(grid, name)[:] = np.where(np.isnan(close), np.nan, amount)
    born = np.full(tokens, ts - born_ago)
    return FeatureInputs(
        ts=ts,
        minutes=grid,
        hours=empty(3600, START, 0, grid.tokens),
        looks=no_looks(tokens),
        pools=no_pools(),
        market=Market(grid.close, grid.volume, born),
        sol=np.full((rows, 1), np.nan),
        born=born,
    )


def written(tokens: int = 8) -> FeatureInputs:
    """A market of sines, without chance: the same wherever and whenever it is made."""
    row, token = np.arange(ROWS, dtype=np.float64)[:, None], np.arange(tokens, dtype=np.float64)
    logs = (
        0.05 * np.sin(row / (5.0 + token))
        + 0.02 * np.sin(row * (0.9 + 0.11 * token))
        + 0.001 * row * np.cos(token)
        + 0.01 * np.sin(row**1.5)
    )
    ts = START + 17 * 3600 + MINUTE * 36
    grid = empty(MINUTE, ts - MINUTE * ROWS, ROWS, np.arange(tokens) + 1)
    grid.close[:] = 1e-5 * np.exp(logs)
    grid.open[:] = np.vstack([grid.close[:1], grid.close[:-1]]) * (1 + 0.001 * np.cos(row))
    grid.high[:] = np.maximum(grid.open, grid.close) * (1 + 0.002 * np.sin(row + token) ** 2)
    grid.low[:] = np.minimum(grid.open, grid.close) * (1 - 0.002 * np.cos(row * token) ** 2)
    grid.volume[:] = 1000.0 * np.exp(np.sin(row / 3 + token) + np.cos(row * 0.7))
    grid.trades[:] = np.round(grid.volume / (30 + 10 * np.sin(row / 9)))
    grid.buy_volume[:] = grid.volume * (0.5 + 0.4 * np.sin(row / 2 + token))
    hour = np.arange(HOURS, dtype=np.float64)[:, None]
    hours = empty(3600, ts // 3600 * 3600 - 3600 * HOURS, HOURS, grid.tokens)
    hours.close[:] = hours.open[:] = 1e-5 * np.exp(0.3 * np.sin(hour / 4 + token))
    hours.high[:], hours.low[:], hours.volume[:] = hours.close * 1.05, hours.close * 0.93, 5e4 * np.exp(np.sin(hour + token))
    looks = no_looks(tokens)
    for place, name in enumerate(LOOKED_AT):
        looks[name][:] = (
            1e-5 if name == "price" else np.round(1e4 / (place + 1) * np.exp(0.1 * np.sin(np.arange(4)[:, None] + token * place)))
        )
    looks["ts"][:], looks["last_trade_at"][:] = ts - 60.0 * np.array(LAGS)[:, None] - 11.0, ts - 31.0
    column = np.repeat(np.arange(tokens), 2)
    which: Numbers = np.tile([1.0, 3.0], tokens) + column.astype(np.float64)
    born = ts - 3600.0 * 30 - 999.0 * token
    return FeatureInputs(
        ts=ts,
        minutes=grid,
        hours=hours,
        looks=looks,
        pools=Pools(column, 1e4 * which, 5e3 * np.sqrt(which), 1e-5 * (1 + 0.01 * which)),
        market=Market(grid.close, grid.volume, born),
        sol=180.0 * np.exp(0.01 * np.sin(row / 7)),
        born=born,
    )
