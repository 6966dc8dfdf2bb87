"""What surrounds each judged point: how far and how fast its price moves, on which scales, by whose hand, and how good the data are.

Every figure is NaN when it is not known, and none is replaced by a guess. The figures of bars are `age` bars old, for the newest bar may be
missing; beyond OLDEST bars they are not known any more. Distances are in ATR of the grid's own bars (Wilder, 14), so that a coin at
$0.0000012 and Bitcoin are described alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from learning import indicators
from trading.names import Session
from trading.windows import DAY_SEC, WINDOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tokens.bar_grid import Grid
    from trading.windows import Places, Windows

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]

LENGTH = 14  # bars, of ATR, RSI and ADX
OLDEST = 10  # bars
HOUR, QUARTER = 60, 15  # bars
VOLUME_BARS, VOLUME_LEAST = 50, 15
VWAP_BARS, VWAP_LEAST = 30, 10
PLACES = 10  # figures made from indicators are rounded, so that the unit of money cannot tip a decision
SESSIONS = ((Session.ASIA, 7.0), (Session.EUROPE, 13.0), (Session.AMERICA, 22.0), (Session.ASIA, 24.0))  # each until that hour
LEAST_TRADES = 20  # of fewer it says nothing how many wallets made them
IMPACT_POOL_SIDES = 2.0  # half of a pool's liquidity is dollars


@dataclass(frozen=True, slots=True)
class Indicators:
    """Of the whole grid, (bars, tokens) each: their memory is longer than a window. Stage 1 has them already; `measure` makes them."""

    atr: Numbers
    rsi: Numbers
    adx: Numbers


def measure(grid: Grid) -> Indicators:
    moves = indicators.movement(grid.high, grid.low, grid.close, LENGTH)
    return Indicators(moves.atr, moves.rsi, moves.adx)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about each point beside its bars, (n,) each. Unknown is NaN, and False for the two that are claims."""

    liquidity: Numbers  # dollars in the pool, both sides; of an exchange symbol the depth of the book
    volume_24h: Numbers  # dollars
    trades: Numbers  # of some minutes or hours
    wallets: Numbers  # different ones among these trades
    born: Numbers  # when the token began to trade here, seconds since 1970
    round_trip_cost: Numbers  # share of the price; NaN: the rule's
    contradictory: Flags  # figures that exclude each other
    may_be_short: Flags  # an exchange symbol

    @classmethod
    def unknown(cls, n: int) -> Facts:
        liquidity, volume, trades, wallets, born, cost = np.full((6, n), np.nan)
        return cls(liquidity, volume, trades, wallets, born, cost, np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_))


@dataclass(frozen=True, slots=True)
class Context:
    """(n,) each."""

    age: Numbers  # bars since the newest known one
    bars: Numbers  # known in the window
    missing: Numbers  # share of the last hour's bars (of a younger token: since its first) that is missing
    token_age_sec: Numbers  # since `born`, else since the first bar, where the window begins before it
    hour: Numbers  # of the day in UTC, with its fraction
    day_age_sec: Numbers  # how long ago the day ended whose range is known
    atr: Numbers  # share of the price
    rsi: Numbers
    adx: Numbers
    volume_z: Numbers  # of the newest bar among the VOLUME_BARS before it
    vwap_deviation: Numbers  # price over the VWAP of VWAP_BARS, less 1
    vwap_atr: Numbers
    shock: Numbers  # move of the newest bar in ATR, with its sign
    volatility: Numbers  # range of the last five bars over the usual one
    trend_minutes: Numbers  # way made over way gone, −1 … 1: of the last quarter of an hour
    trend_fives: Numbers  # of the last two hours in bars of five minutes
    trend_hours: Numbers  # of the whole window in hours
    variance_ratio: Numbers  # moves of five bars over those of one, of two hours: 1 for a random walk, less where moves are taken back
    slope_fives: Numbers  # of the logarithm of the price, an hour, over two hours
    move_hour: Numbers  # way made in the last hour, in ATR
    band: Numbers  # last hour's range as a share of the price
    band_atr: Numbers
    band_place: Numbers  # 0 at its low, 1 at its high
    over_high: Numbers  # price over the highest of the hour before the newest bar, in ATR; below it negative
    under_low: Numbers  # the same below the lowest
    wick_low: Numbers  # share of the last three bars' range that lies below their bodies
    wick_high: Numbers
    buy_share: Numbers  # of the dollars of the last quarter of an hour
    busiest_share: Numbers  # of the last hour's dollars in its busiest bar
    value_place: Numbers  # share of the window's dollars that was traded below the price
    peak_atr: Numbers  # price over the busiest price, in ATR
    spread: Numbers  # as bars tell it (Abdi and Ranaldo), share of the price
    jump: Numbers  # between a close and the next open, mean of the last quarter of an hour, in ATR
    wallet_share: Numbers  # wallets for each trade
    turnover: Numbers  # day's volume over liquidity


def describe(
    windows: Windows, facts: Facts, found: Indicators, rows: Places, columns: Places, profile: tuple[Numbers, Numbers, Numbers]
) -> Context:
    """`profile` is `level_sources.volume_by_price` of the same windows."""
    with np.errstate(all="ignore"):
        atr = np.round(_newest(found.atr, windows, rows, columns) / windows.last, 12)
        known = {
            "atr": atr,
            "rsi": np.round(_newest(found.rsi, windows, rows, columns), PLACES),
            "adx": np.round(_newest(found.adx, windows, rows, columns), PLACES),
            **_data(windows, facts),
            **_volume(windows, atr, profile),
            **_moves(windows, atr),
            **_trends(windows),
            **_bars(windows, atr),
        }
        old = ~(windows.age <= OLDEST)
        for name in known.keys() - _DATA:
            known[name] = np.where(old, np.nan, known[name])
    return Context(**known)


_DATA = {"age", "bars", "missing", "token_age_sec", "hour", "day_age_sec", "wallet_share", "turnover"}


def _newest(values: Numbers, windows: Windows, rows: Places, columns: Places) -> Numbers:
    """An indicator at each point's newest known bar."""
    row = rows - np.where(np.isnan(windows.age), 0.0, windows.age).astype(np.int64)
    return np.where(np.isnan(windows.age), np.nan, values[np.maximum(row, 0), columns])


def _data(windows: Windows, facts: Facts) -> dict[str, Numbers]:
    begun = np.where(np.isnan(windows.first), WINDOW - 1.0, windows.first)
    rows = np.minimum(WINDOW - begun, HOUR)
    seen = windows.known[-HOUR:].sum(axis=0)
    born_here = np.where(windows.first > 0, (WINDOW - windows.first) * windows.interval_sec, np.nan)
    wallets = np.where((facts.wallets >= 0) & (facts.wallets <= facts.trades), facts.wallets, np.nan)
    trades = np.where(facts.trades >= LEAST_TRADES, facts.trades, np.nan)
    volume, pool = np.where(facts.volume_24h >= 0, facts.volume_24h, np.nan), np.where(facts.liquidity > 0, facts.liquidity, np.nan)
    return {
        "age": windows.age,
        "bars": np.full(len(windows), float(WINDOW)) if windows.gapless else windows.known.sum(axis=0).astype(np.float64),
        "missing": np.where(np.isnan(windows.first), np.nan, 1.0 - seen / rows),
        "token_age_sec": np.where(facts.born <= windows.end, windows.end - facts.born, born_here),
        "hour": (windows.end % DAY_SEC) / 3600.0,
        "day_age_sec": np.where(np.isnan(windows.day_high), np.nan, windows.end % DAY_SEC),
        "wallet_share": wallets / trades,
        "turnover": volume / pool,
    }


def _volume(windows: Windows, atr: Numbers, profile: tuple[Numbers, Numbers, Numbers]) -> dict[str, Numbers]:
    minutes, volume, bought = windows.minutes, windows.volume[-HOUR:], windows.buy_volume[-QUARTER:]
    high, low, close, traded_last = (
        _to_newest(values, windows, VWAP_BARS) for values in (minutes.high, minutes.low, minutes.close, windows.volume)
    )
    vwap = indicators.vwap_of_all(high, low, close, traded_last, VWAP_LEAST)
    both = ~np.isnan(bought) & ~np.isnan(volume[-QUARTER:])
    dollars = np.where(both, volume[-QUARTER:], 0.0).sum(axis=0)
    hour = np.where(np.isnan(volume), 0.0, volume)
    traded, lowest, step = profile
    middles = lowest + (np.arange(len(traded))[:, None] + 0.5) * step
    total = traded.sum(axis=0)
    peak = middles[np.where(np.isnan(traded), -1.0, traded).argmax(axis=0), np.arange(len(windows))]
    return {
        "volume_z": np.round(indicators.z_score_of_last(_to_newest(windows.volume, windows, VOLUME_BARS + 1), VOLUME_LEAST), PLACES),
        "vwap_deviation": np.round(1.0 / vwap - 1.0, PLACES),
        "vwap_atr": np.round(_in_atr(1.0 - vwap, atr), PLACES),
        "buy_share": np.where(dollars > 0, np.where(both, bought, 0.0).sum(axis=0) / dollars, np.nan),
        "busiest_share": np.where(hour.sum(axis=0) > 0, hour.max(axis=0) / hour.sum(axis=0), np.nan),
        "value_place": np.where(middles <= 1.0, traded, 0.0).sum(axis=0) / np.where(total > 0, total, np.nan),
        "peak_atr": np.round(_in_atr(1.0 - peak, atr), PLACES),
    }


def _in_atr(distance: Numbers, atr: Numbers) -> Numbers:
    return np.where(atr > 0, distance / atr, np.nan)


def _to_newest(values: Numbers, windows: Windows, bars: int) -> Numbers:
    """(bars, n): so many rows up to each point's newest known bar. Where that is too old to be spoken of, the last rows."""
    age = np.where(windows.age <= OLDEST, windows.age, 0.0).astype(np.int64)
    if not age.any():
        return values[-bars:]
    found: Numbers = values[WINDOW - bars - age + np.arange(bars)[:, None], np.arange(len(windows))]
    return found


def _moves(windows: Windows, atr: Numbers) -> dict[str, Numbers]:
    minutes = windows.minutes
    close, high, low = (_to_newest(values, windows, HOUR + 1)[:-1] for values in (minutes.close, minutes.high, minutes.low))
    seen = (~np.isnan(close)).sum(axis=0) >= QUARTER
    highest, lowest = (np.where(seen, found, np.nan) for found in (np.fmax.reduce(high, axis=0), np.fmin.reduce(low, axis=0)))
    top, bottom = np.fmax.reduce(minutes.high[-HOUR:], axis=0), np.fmin.reduce(minutes.low[-HOUR:], axis=0)
    ranges = minutes.high[-245:] - minutes.low[-245:]
    usual, recent = _mean(ranges[:-5], 30), _mean(ranges[-5:], 2)
    hour = np.diff(np.log(windows.fives.close[-13:]), axis=0)
    band = top - bottom
    return {
        "shock": _in_atr(1.0 - close[-1], atr),
        "volatility": np.where(usual > 0, recent / usual, np.nan),
        "move_hour": np.round(_in_atr(_mean(hour, 6) * len(hour), atr), PLACES),
        "band": band,
        "band_atr": np.round(_in_atr(band, atr), PLACES),
        "band_place": np.where(band > 0, (1.0 - bottom) / band, np.nan),
        "over_high": np.round(_in_atr(1.0 - highest, atr), PLACES),
        "under_low": np.round(_in_atr(lowest - 1.0, atr), PLACES),
    }


def _mean(values: Numbers, least: int) -> Numbers:
    known = ~np.isnan(values)
    if known.all() and len(values) >= least:
        found: Numbers = values.sum(axis=0) / len(values)
        return found
    count = known.sum(axis=0)
    return np.where(count >= least, np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _trends(windows: Windows) -> dict[str, Numbers]:
    fives = np.log(windows.fives.close[-25:])
    return {
        "trend_minutes": _efficiency(np.log(windows.minutes.close[-QUARTER - 1 :]), 8),
        "trend_fives": _efficiency(fives, 12),
        "trend_hours": _efficiency(np.log(windows.hours.close), 4),
        "variance_ratio": _variance_ratio(windows),
        "slope_fives": np.round(12.0 * indicators.slope(fives[-24:], 24)[-1], PLACES),
    }


def _variance_ratio(windows: Windows) -> Numbers:
    single = _mean(np.diff(windows.minutes.close[-121:], axis=0) ** 2, 60)
    five = _mean(np.diff(windows.fives.close[-25:], axis=0) ** 2, 12)
    found: Numbers = np.where(single > 1e-22, five / (5.0 * single), np.nan)
    return np.round(found, PLACES, out=found)


def _efficiency(logs: Numbers, least: int) -> Numbers:
    """Way made over way gone between neighbouring bars (Kaufman), with its sign. Rounding is no way: a flat price has no trend."""
    steps = np.diff(logs, axis=0)
    steps[np.abs(steps) < 1e-11] = 0.0
    known = ~np.isnan(steps)
    steps = np.where(known, steps, 0.0)
    gone = np.abs(steps).sum(axis=0)
    found: Numbers = np.where((known.sum(axis=0) >= least) & (gone > 0), steps.sum(axis=0) / gone, np.nan)
    return np.round(found, PLACES, out=found)


def _bars(windows: Windows, atr: Numbers) -> dict[str, Numbers]:
    """What the shape of the newest bars tells."""
    open_, close = windows.open[-HOUR:], windows.minutes.close[-HOUR:]
    high, low = windows.minutes.high[-HOUR:], windows.minutes.low[-HOUR:]
    body_low, body_high, ranges = np.minimum(open_, close), np.maximum(open_, close), high - low
    three = np.nansum(ranges[-3:], axis=0)
    middle, last = (np.log(high) + np.log(low)) / 2.0, np.log(close[:-1])
    product = 4.0 * (last - middle[:-1]) * (last - middle[1:])
    return {
        "wick_low": np.where(three > 0, np.nansum((body_low - low)[-3:], axis=0) / three, np.nan),
        "wick_high": np.where(three > 0, np.nansum((high - body_high)[-3:], axis=0) / three, np.nan),
        "spread": np.round(np.sqrt(np.maximum(_mean(product, 20), 0.0)), PLACES),
        "jump": np.round(_in_atr(_mean(np.abs(open_[-QUARTER:] - close[-QUARTER - 1 : -1]), 5), atr), PLACES),
    }


def session(hour: float) -> Session:
    """Where it is day at this hour in UTC."""
    return next(name for name, until in SESSIONS if hour % 24 < until)


def impact(facts: Facts, order_usd: float, assumed_liquidity: float) -> Numbers:
    """How far the order moves the price of a constant-product pool: (1 + order / dollars in it)² − 1."""
    with np.errstate(all="ignore"):
        dollars = np.where(facts.liquidity > 0, facts.liquidity, assumed_liquidity) / IMPACT_POOL_SIDES
        dollars = np.where(facts.liquidity == 0, 0.0, dollars)
        return np.where(dollars > 0, (1.0 + order_usd / np.where(dollars > 0, dollars, 1.0)) ** 2 - 1.0, np.inf)
