"""Some of the features as people write them in pandas: token by token, rolling windows, the last row taken.

`t` holds one token: its bars (`b`, a DataFrame), the newest closes of its hours, its snapshots by lag, and the market around it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

LN2 = math.log(2.0)
Told = dict[str, float]


@dataclass(frozen=True)
class OneToken:
    b: Any  # DataFrame: open, high, low, close, volume, trades, buy_volume; the newest bar last
    hour_high: Any  # Series
    looks: dict[str, Any]  # figure → Series by lag in minutes
    born: float
    ts: int
    around: Around


@dataclass(frozen=True)
class Around:
    """What is the same for all tokens: worked out once."""

    course: Any  # Series: the median move of each minute
    moved_15: Any  # Series: each token's return of 15 minutes
    usual_15: float
    rising_60: float


def around(closes: Any) -> Around:
    """`closes`: DataFrame, a column for each token."""
    logs = np.log(closes)
    moved = logs.iloc[-1] - logs.iloc[-61]
    moved_15 = logs.iloc[-1] - logs.iloc[-16]
    return Around(logs.diff().median(axis=1), moved_15, moved_15.median(), (moved > 0).sum() / (moved != 0).sum())


def last(series: Any) -> float:
    return float(series.iloc[-1])


def returns(t: OneToken) -> Told:
    log = np.log(t.b.close)
    move = log.diff()
    up, moved = (move > 0).rolling(30).sum(), (move != 0).rolling(30).sum()
    return {
        "return_1m": last(log.diff()),
        "return_5m": last(log.diff(5)),
        "return_15m": last(log.diff(15)),
        "return_60m": last(log.diff(60)),
        "up_share_30m": last(up / moved),
        "best_minute_30m": last(move.rolling(30).max()),
        "worst_minute_30m": last(move.rolling(30).min()),
        "acceleration_5m": last(log.diff(5) - log.diff(5).shift(5)),
        "moved_since_bar": math.log(t.looks["price"][0] / last(t.b.close)),
    }


def averages(t: OneToken) -> Told:
    close = t.b.close
    mean = close.rolling(30).mean()
    return {
        "sma_gap_20m": last(np.log(close / close.rolling(20).mean())),
        "sma_gap_50m": last(np.log(close / close.rolling(50).mean())),
        "ema_gap_20m": last(np.log(close / close.ewm(span=20).mean())),
        "ema_gap_50m": last(np.log(close / close.ewm(span=50).mean())),
        "sma_5_over_20m": last(np.log(close.rolling(5).mean() / close.rolling(20).mean())),
        "median_gap_30m": last(np.log(close / close.rolling(30).median())),
        "above_average_30m": float((close.tail(30) > last(mean)).mean()),
    }


def rsi(close: Any, length: int) -> float:
    change = close.diff()
    gain = change.clip(lower=0).ewm(alpha=1 / length).mean()
    loss = (-change).clip(lower=0).ewm(alpha=1 / length).mean()
    return last(100 * gain / (gain + loss))


def oscillators(t: OneToken) -> Told:
    close, high, low = t.b.close, t.b.high, t.b.low
    lowest, highest = low.rolling(14).min(), high.rolling(14).max()
    typical = (high + low + close) / 3
    distance = (typical.tail(20) - typical.tail(20).mean()).abs().mean()
    line = close.ewm(span=12).mean() - close.ewm(span=26).mean()
    move = np.log(close).diff()
    threefold = close.ewm(span=10).mean().ewm(span=10).mean().ewm(span=10).mean()
    return {
        "rsi_7m": rsi(close, 7),
        "rsi_14m": rsi(close, 14),
        "stochastic_14m": last((100 * (close - lowest) / (highest - lowest)).rolling(3).mean()),
        "cci_20m": (last(typical) - typical.tail(20).mean()) / (0.015 * distance),
        "macd_line": last(line) / last(close),
        "macd_histogram": last(line - line.ewm(span=9).mean()) / last(close),
        "net_of_moves_20m": last(move.rolling(20).sum() / move.abs().rolling(20).sum()),
        "aroon_up_25m": 100 * float(high.tail(26).to_numpy().argmax()) / 25,
        "trix_10m": last(np.log(threefold).diff()),
    }


def volatility(t: OneToken) -> Told:
    opened, high, low, close = t.b.open, t.b.high, t.b.low, t.b.close
    move = np.log(close).diff()
    widths = np.log(high / low) ** 2
    body = np.log(close / opened) ** 2
    before = close.shift()
    true_range = np.maximum(high, before) - np.minimum(low, before)
    return {
        "volatility_15m": last(move.rolling(15).std(ddof=0)),
        "volatility_60m": last(move.rolling(60).std(ddof=0)),
        "parkinson_15m": math.sqrt(last(widths.rolling(15).mean()) / (4 * LN2)),
        "garman_klass_30m": math.sqrt(last(0.5 * widths.rolling(30).mean() - (2 * LN2 - 1) * body.rolling(30).mean())),
        "atr_14m": last(true_range.iloc[1:].ewm(alpha=1 / 14).mean()) / last(close),
        "range_60m": last(np.log(high.rolling(60).max() / low.rolling(60).min())),
        "volatility_5_over_60m": last(np.log(move.rolling(5).std(ddof=0) / move.rolling(60).std(ddof=0))),
        "volatility_weighted": math.sqrt(last((move**2).ewm(alpha=0.06).mean())),
        "fall_size_30m": math.sqrt(last((move.clip(upper=0) ** 2).rolling(30).mean())),
    }


def channels(t: OneToken) -> Told:
    close, high, low = t.b.close, t.b.high, t.b.low
    mean, deviation = close.rolling(20).mean(), close.rolling(20).std(ddof=0)
    before = close.shift()
    true_range = (np.maximum(high, before) - np.minimum(low, before)).iloc[1:]

    def place(length: int) -> float:
        lowest, highest = low.rolling(length).min(), high.rolling(length).max()
        return last((close - lowest) / (highest - lowest))

    return {
        "bollinger_place_20m": last((close - mean) / deviation),
        "bollinger_width_20m": last(deviation / mean),
        "donchian_place_20m": place(20),
        "donchian_place_50m": place(50),
        "break_up_20m": last(np.log(close / high.rolling(20).max().shift())),
        "ichimoku_base_gap": last(np.log(close / ((high.rolling(26).max() + low.rolling(26).min()) / 2))),
        "keltner_place_20m": last(close - close.ewm(span=20).mean()) / last(true_range.ewm(alpha=1 / 10).mean()),
    }


def flow(t: OneToken) -> Told:
    b = t.b
    typical = (b.high + b.low + b.close) / 3
    money, change = typical * b.volume, typical.diff()
    rising, either = money.where(change > 0, 0.0).rolling(14).sum(), money.where(change != 0, 0.0).rolling(14).sum()
    move = np.log(b.close).diff()
    volume = b.volume
    before = volume.shift().rolling(30)
    return {
        "volume_usd_5m": math.log10(1 + last(volume.rolling(5).mean())),
        "volume_5_over_60m": last(np.log(volume.rolling(5).mean() / volume.rolling(60).mean())),
        "signed_volume_30m": last((np.sign(move) * volume).rolling(30).sum() / volume.rolling(30).sum()),
        "vwap_gap_30m": last(np.log(b.close / (money.rolling(30).sum() / volume.rolling(30).sum()))),
        "buy_share_15m": last(b.buy_volume.rolling(15).sum() / volume.rolling(15).sum()),
        "trade_size_60m": math.log10(1 + last(volume.rolling(60).sum() / b.trades.rolling(60).sum())),
        "volume_surprise_30m": last((volume - before.mean()) / before.std(ddof=0)),
        "money_flow_14m": last(100 * rising / either),
        "volume_with_size_60m": last(volume.rolling(60).corr(move.abs())),
    }


def micro(t: OneToken) -> Told:
    move = np.log(t.b.close).diff().tail(30)
    first, second = move.iloc[:-1].to_numpy(), move.iloc[1:].to_numpy()
    covariance = float((first * second).mean() - first.mean() * second.mean())
    sizes = np.log(t.b.close).diff().abs()
    net = 2 * t.b.buy_volume - t.b.volume
    look = {name: values[0] for name, values in t.looks.items()}
    return {
        "roll_spread_30m": -math.copysign(2 * math.sqrt(abs(covariance)), covariance),
        "amihud_60m": math.log10(last((sizes / (t.b.volume / 1000)).rolling(60).mean())),
        "flow_with_move_30m": float(move.corr(net.tail(30))),
        "still_share_30m": float((move == 0).mean()),
        "one_sided_flow_30m": last(net.abs().rolling(30).sum() / t.b.volume.rolling(30).sum()),
        "imbalance_volume": (look["buys_volume_5m"] - look["sells_volume_5m"]) / (look["buys_volume_5m"] + look["sells_volume_5m"]),
        "turnover_1h": math.log1p(look["volume_1h"] / look["liquidity"]),
        "holder_growth_60m": math.log(look["holders"] / t.looks["holders"][60]),
        "liquidity_usd": math.log10(1 + look["liquidity"]),
    }


def levels(t: OneToken) -> Told:
    close, high, low = t.b.close, t.b.high, t.b.low
    log = np.log(close).tail(60)
    typical = ((high + low + close) / 3).tail(90)
    volume = t.b.volume.tail(90)
    return {
        "below_high_90m": last(np.log(close / high.rolling(90).max())),
        "above_low_90m": last(np.log(close / low.rolling(90).min())),
        "since_high_90m": 89.0 - float(high.tail(90).to_numpy().argmax()),
        "deepest_fall_60m": float((log - log.cummax()).min()),
        "highest_rise_60m": float((log - log.cummin()).max()),
        "value_below_90m": float(volume[typical < last(close)].sum() / volume.sum()),
        "day_high_gap": math.log(last(close) / float(t.hour_high.max())),
    }


def statistics(t: OneToken) -> Told:
    log = np.log(t.b.close)
    move = log.diff().tail(60)
    past = log.tail(90)
    standard = (move - move.mean()) / move.std(ddof=0)
    both = move.abs() * move.abs().shift()
    return {
        "autocorrelation_1_60m": float(move.autocorr(1)),
        "skew_60m": float((standard**3).mean()),
        "kurtosis_60m": math.log(float((standard**4).mean())),
        "straightness_60m": abs(float(move.sum())) / float(move.abs().sum()),
        "variance_ratio_5m": float((past.diff(5) ** 2).mean() / (5 * (past.diff() ** 2).mean())),
        "jump_part_60m": 1 - math.pi / 2 * float(both.mean() / (move**2).mean()),
        "largest_part_60m": float((move**2).max() / (move**2).sum()),
        "tail_loss_60m": float(move.nsmallest(3).mean()),
    }


def market(t: OneToken) -> Told:
    log = np.log(t.b.close)
    move, course = log.diff().tail(60), t.around.course.tail(60)
    own = last(log.diff(15))
    others = t.around.moved_15
    return {
        "market_return_15m": t.around.usual_15,
        "market_rising_60m": t.around.rising_60,
        "excess_return_15m": own - t.around.usual_15,
        "return_rank_15m": float(((others < own).sum() + (others <= own).sum()) / (2 * len(others))),
        "beta_60m": float(move.cov(course) / course.var()),
        "market_correlation_60m": float(move.corr(course)),
    }


def calendar(t: OneToken) -> Told:
    moment = import_module("pandas").Timestamp(t.ts, unit="s", tz="UTC")
    day = (moment - moment.normalize()).total_seconds() / 86_400
    week = (moment.day_of_week + day) / 7
    return {
        "age": math.log10(1 + (t.ts - t.born) / 60),
        "known_share": float(t.b.close.notna().mean()),
        "hour_sin": math.sin(2 * math.pi * day),
        "week_cos": math.cos(2 * math.pi * week),
        "europe_hours": float(7 <= moment.hour < 16),
    }


GROUPS: tuple[Callable[[OneToken], Told], ...] = (
    returns,
    averages,
    oscillators,
    volatility,
    channels,
    flow,
    micro,
    levels,
    statistics,
    market,
    calendar,
)


def of_token(token: OneToken) -> Told:
    return {name: value for group in GROUPS for name, value in group(token).items()}
