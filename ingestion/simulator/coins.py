"""Make-believe exchange symbols. Pure: a symbol and a minute go in, a kline comes out; every minute of the past can be asked for.

The logarithm of the price is a sum of smooth noises of different lengths, each a line through draws that hang on the symbol and the time
alone. A minute is looked at every five seconds; its volume grows with what the price has moved.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingestion.simulator.chance import crossed, mixed, uniform

Floats = NDArray[np.float64]

LOOKS = 13  # of a minute: at 0, 5 … 60 s
# Length in seconds → how far that noise moves the price (as a share of it, for a symbol of middling calm).
NOISES = {45: 0.0004, 300: 0.0015, 1_800: 0.004, 14_400: 0.015, 86_400: 0.03, 604_800: 0.06}


@dataclass(frozen=True)
class Coin:
    symbol: str
    base: str
    price: float
    calm: float  # the higher, the less it moves
    dollars_a_minute: float
    tick: str
    futures: bool = True


COINS = {
    coin.symbol: coin
    for coin in (
        Coin("BTCUSDT", "BTC", 97_000.0, 1.6, 1_400_000.0, "0.01000000"),
        Coin("ETHUSDT", "ETH", 3_350.0, 1.2, 800_000.0, "0.01000000"),
        Coin("SOLUSDT", "SOL", 182.0, 0.9, 310_000.0, "0.01000000"),
        Coin("BNBUSDT", "BNB", 640.0, 1.3, 160_000.0, "0.01000000"),
        Coin("XRPUSDT", "XRP", 1.42, 1.0, 240_000.0, "0.00010000"),
        Coin("DOGEUSDT", "DOGE", 0.187, 0.8, 150_000.0, "0.00001000"),
        Coin("PEPEUSDT", "PEPE", 0.0000112, 0.55, 90_000.0, "0.00000001"),
        Coin("BONKUSDT", "BONK", 0.0000217, 0.5, 24_000.0, "0.00000001"),
        Coin("WIFUSDT", "WIF", 1.93, 0.55, 18_000.0, "0.00010000"),
        Coin("OLDUSDT", "OLD", 0.0412, 1.0, 700.0, "0.00010000", futures=False),
    )
}


@dataclass(frozen=True)
class Minutes:
    """Klines of one symbol in a row; volumes in dollars."""

    opened: NDArray[np.int64]  # seconds
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    trades: Floats
    bought: Floats


def log_price(coin: Coin, at: Floats) -> Floats:
    total = np.full(at.shape, np.log(coin.price))
    for length, reach in NOISES.items():
        place, part = np.divmod(at, length)
        smooth = part / length
        smooth = smooth * smooth * (3 - 2 * smooth)
        before, after = (_draw(coin, place.astype(np.int64) + step, length) for step in (0, 1))
        total = total + 2.2 * reach / coin.calm * (before * (1 - smooth) + after * smooth)
    return total


def minutes(coin: Coin, first: int, count: int, now: float, step: int = 60) -> Minutes:
    """`count` klines from the one that begins at `first` (seconds); of the one in which `now` lies, what has happened so far.

    `step` is their length: a longer one than a minute is looked at as often as a minute, for days that nobody looks into."""
    opened = first + step * np.arange(count, dtype=np.int64)
    opened = opened[opened <= now]
    looks = opened[:, None] + np.linspace(0.0, float(step), LOOKS)[None, :]
    prices = np.exp(log_price(coin, np.minimum(looks, now)))
    passed = np.clip((now - opened) / step, 0.0, 1.0) * (step / 60)
    moved = np.abs(np.diff(np.log(prices), axis=1)).sum(axis=1)
    chance = crossed(mixed(_keys(coin)), opened // step)
    busy = 0.25 - 0.75 * np.log(uniform(chance, 0))
    spike = np.where(uniform(chance, 1) > 0.992, 6.0, 1.0)
    volume = coin.dollars_a_minute * passed * (busy * spike + 120 * coin.calm * moved)
    share = np.clip(0.5 + 60 * coin.calm * np.log(prices[:, -1] / prices[:, 0]) + 0.2 * (uniform(chance, 2) - 0.5), 0.03, 0.97)
    trades = np.ceil(volume / (40 + 900 * uniform(chance, 3)))
    return Minutes(opened, prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, -1], volume, trades, volume * share)


def _keys(coin: Coin, salt: int = 0) -> NDArray[np.uint64]:
    number = salt
    for letter in coin.symbol.encode():
        number = (number * 1_000_003 + letter) & 0xFFFFFFFFFFFFFFFF
    return np.array([number], dtype=np.uint64)


def _draw(coin: Coin, place: NDArray[np.int64], length: int) -> Floats:
    """In (−1, 1)."""
    return 2 * uniform(crossed(_keys(coin, length), place), 1) - 1
