"""Series of bars for the tests of indicators: ones that look real, and ones that break indicators."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Series:
    """One token's bars as columns (bars, 1)."""

    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray

    def rows(self, chosen: np.ndarray) -> "Series":
        return Series(*(side[chosen] for side in (self.high, self.low, self.close, self.volume)))

    def only(self, present: np.ndarray) -> "Series":
        return Series(*(np.where(present[:, None], side, np.nan) for side in (self.high, self.low, self.close, self.volume)))


def walk(bars: int, price: float = 1.0, seed: int = 1, tokens: int = 1) -> Series:
    """A price that wanders, with calm and wild hours, and a volume that bursts."""
    random = np.random.default_rng(seed)
    pace = 0.01 * np.exp(np.cumsum(random.normal(0, 0.1, (bars, tokens)), axis=0).clip(-2, 2))
    close = price * np.exp(np.cumsum(random.normal(0, 1, (bars, tokens)) * pace, axis=0))
    opened = np.vstack([close[:1], close[:-1]])
    high = np.maximum(opened, close) * (1 + random.random((bars, tokens)) * pace)
    low = np.minimum(opened, close) * (1 - random.random((bars, tokens)) * pace)
    return Series(high, low, close, random.lognormal(8, 1, (bars, tokens)))


def flat(bars: int, price: float = 5.0) -> Series:
    level = np.full((bars, 1), price)
    return Series(level, level, level, np.full((bars, 1), 7.0))


def steps(bars: int) -> Series:
    """Stands still, then jumps: many equal prices, ranges of nothing."""
    close = np.repeat(np.array([1.0, 1.0, 2.0, 2.0, 2.0, 1.5, 3.0, 3.0]), -(-bars // 8))[:bars, None]
    return Series(close, close, close, np.full((bars, 1), 3.0))


def straight(bars: int, by: float) -> Series:
    close = 100.0 + by * np.arange(bars, dtype=np.float64)[:, None]
    return Series(close + 0.5, close - 0.5, close, np.full((bars, 1), 3.0))


def outside(bars: int) -> Series:
    """Highs and lows that widen and narrow by the same: in such bars no direction counts. Some bars move one way."""
    reach = np.array([1.0, 2.0, 4.0, 2.0, 3.0])[np.arange(bars) % 5]
    centre = 10.0 + 0.5 * (np.arange(bars) // 7 % 3)
    high, low = (centre + reach)[:, None], (centre - reach)[:, None]
    return Series(high, low, (centre + 0.25 * (-1.0) ** np.arange(bars))[:, None], np.full((bars, 1), 3.0))


SERIES = {
    "real": walk(400),
    "tiny price": walk(400, price=1e-9, seed=2),
    "large price": walk(400, price=1e5, seed=3),
    "flat": flat(100),
    "steps": steps(160),
    "only rising": straight(120, 0.25),
    "only falling": straight(120, -0.25),
    "outside bars": outside(120),
    "three bars": walk(3),
    "one bar": walk(1),
    "just enough": walk(15),
}
