"""The same features as people write them in polars: one frame of all tokens' bars, expressions over groups, all at once.

The frame has a row for each bar, the tokens one after the other, the newest bar last; `looks` has a row for each token.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import import_module
from typing import Any

LN2 = math.log(2.0)
pl: Any = import_module("polars")

OPEN, HIGH, LOW, CLOSE = (pl.col(name) for name in ("open", "high", "low", "close"))
VOLUME, TRADES, BOUGHT = (pl.col(name) for name in ("volume", "trades", "buy_volume"))
LOG, MOVE, TYPICAL, TRUE_RANGE, LAST = (pl.col(name) for name in ("log", "move", "typical", "true_range", "newest"))
COURSE = pl.col("course")


def prepared(bars: Any) -> Any:
    """What many of the expressions share, worked out once: within each token."""
    bars = bars.with_columns(CLOSE.log().alias("log"), ((HIGH + LOW + CLOSE) / 3).alias("typical"))
    before = CLOSE.shift().over("token")
    bars = bars.with_columns(
        (LOG - LOG.shift().over("token")).alias("move"),
        (pl.max_horizontal(HIGH, before) - pl.min_horizontal(LOW, before)).alias("true_range"),
    )
    course = bars.group_by("row").agg(MOVE.median().alias("course"))
    return bars.join(course, on="row", maintain_order="left")


def back(series: Any, rows: int) -> Any:
    """The value of so many rows before the newest."""
    return series.get(-1 - rows)


def ewm(series: Any, **weights: float) -> Any:
    return series.ewm_mean(**weights, adjust=True)


def returns() -> Iterator[Any]:
    for minutes in (1, 5, 15, 60):
        yield (back(LOG, 0) - back(LOG, minutes)).alias(f"return_{minutes}m")
    move = MOVE.tail(30)
    yield ((move > 0).sum() / (move != 0).sum()).alias("up_share_30m")
    yield move.max().alias("best_minute_30m")
    yield move.min().alias("worst_minute_30m")
    yield (back(LOG, 0) - 2 * back(LOG, 5) + back(LOG, 10)).alias("acceleration_5m")


def averages() -> Iterator[Any]:
    for minutes in (20, 50):
        yield (CLOSE.last() / CLOSE.tail(minutes).mean()).log().alias(f"sma_gap_{minutes}m")
        yield (CLOSE.last() / ewm(CLOSE, span=minutes).last()).log().alias(f"ema_gap_{minutes}m")
    yield (CLOSE.tail(5).mean() / CLOSE.tail(20).mean()).log().alias("sma_5_over_20m")
    yield (CLOSE.last() / CLOSE.tail(30).median()).log().alias("median_gap_30m")
    yield (CLOSE.tail(30) > CLOSE.tail(30).mean()).mean().alias("above_average_30m")


def rsi(length: int) -> Any:
    change = CLOSE.diff()
    gain, size = ewm(change.clip(lower_bound=0), alpha=1 / length), ewm(change.abs(), alpha=1 / length)
    return 100 * gain.last() / size.last()


def oscillators() -> Iterator[Any]:
    yield rsi(7).alias("rsi_7m")
    yield rsi(14).alias("rsi_14m")
    lowest, highest = LOW.rolling_min(14), HIGH.rolling_max(14)
    yield (100 * (CLOSE - lowest) / (highest - lowest)).tail(3).mean().alias("stochastic_14m")
    typical = TYPICAL.tail(20)
    yield ((TYPICAL.last() - typical.mean()) / (0.015 * (typical - typical.mean()).abs().mean())).alias("cci_20m")
    line = ewm(CLOSE, span=12) - ewm(CLOSE, span=26)
    yield (line.last() / CLOSE.last()).alias("macd_line")
    yield ((line.last() - ewm(line, span=9).last()) / CLOSE.last()).alias("macd_histogram")
    yield (MOVE.tail(20).sum() / MOVE.tail(20).abs().sum()).alias("net_of_moves_20m")
    yield (100 * HIGH.tail(26).arg_max() / 25).alias("aroon_up_25m")
    threefold = ewm(ewm(ewm(CLOSE, span=10), span=10), span=10)
    yield (threefold.last() / back(threefold, 1)).log().alias("trix_10m")


def volatility() -> Iterator[Any]:
    for minutes in (15, 60):
        yield MOVE.tail(minutes).std(ddof=0).alias(f"volatility_{minutes}m")
    widths = (HIGH / LOW).log() ** 2
    body = (CLOSE / OPEN).log() ** 2
    yield (widths.tail(15).mean() / (4 * LN2)).sqrt().alias("parkinson_15m")
    yield (0.5 * widths.tail(30).mean() - (2 * LN2 - 1) * body.tail(30).mean()).sqrt().alias("garman_klass_30m")
    yield (ewm(TRUE_RANGE.tail(95), alpha=1 / 14).last() / CLOSE.last()).alias("atr_14m")
    yield (HIGH.tail(60).max() / LOW.tail(60).min()).log().alias("range_60m")
    yield (MOVE.tail(5).std(ddof=0) / MOVE.tail(60).std(ddof=0)).log().alias("volatility_5_over_60m")
    yield ewm(MOVE**2, alpha=0.06).last().sqrt().alias("volatility_weighted")
    yield (MOVE.tail(30).clip(upper_bound=0) ** 2).mean().sqrt().alias("fall_size_30m")


def channels() -> Iterator[Any]:
    close = CLOSE.tail(20)
    yield ((CLOSE.last() - close.mean()) / close.std(ddof=0)).alias("bollinger_place_20m")
    yield (close.std(ddof=0) / close.mean()).alias("bollinger_width_20m")
    for minutes in (20, 50):
        lowest, highest = LOW.tail(minutes).min(), HIGH.tail(minutes).max()
        yield ((CLOSE.last() - lowest) / (highest - lowest)).alias(f"donchian_place_{minutes}m")
    yield (CLOSE.last() / HIGH.slice(-21, 20).max()).log().alias("break_up_20m")
    yield (CLOSE.last() / ((HIGH.tail(26).max() + LOW.tail(26).min()) / 2)).log().alias("ichimoku_base_gap")
    reach = ewm(TRUE_RANGE.tail(95), alpha=1 / 10).last()
    yield ((CLOSE.last() - ewm(CLOSE, span=20).last()) / reach).alias("keltner_place_20m")


def flow() -> Iterator[Any]:
    yield (1 + VOLUME.tail(5).mean()).log(10).alias("volume_usd_5m")
    yield (VOLUME.tail(5).mean() / VOLUME.tail(60).mean()).log().alias("volume_5_over_60m")
    yield ((MOVE.sign() * VOLUME).tail(30).sum() / VOLUME.tail(30).sum()).alias("signed_volume_30m")
    yield (CLOSE.last() / ((TYPICAL * VOLUME).tail(30).sum() / VOLUME.tail(30).sum())).log().alias("vwap_gap_30m")
    yield (BOUGHT.tail(15).sum() / VOLUME.tail(15).sum()).alias("buy_share_15m")
    yield (1 + VOLUME.tail(60).sum() / TRADES.tail(60).sum()).log(10).alias("trade_size_60m")
    before = VOLUME.slice(-31, 30)
    yield ((VOLUME.last() - before.mean()) / before.std(ddof=0)).alias("volume_surprise_30m")
    money, change = (TYPICAL * VOLUME).tail(14), TYPICAL.diff().tail(14)
    yield (100 * money.filter(change > 0).sum() / money.filter(change != 0).sum()).alias("money_flow_14m")
    yield pl.corr(VOLUME.tail(60), MOVE.tail(60).abs()).alias("volume_with_size_60m")


def micro() -> Iterator[Any]:
    first, second = MOVE.slice(-30, 29), MOVE.slice(-29, 29)
    covariance = (first * second).mean() - first.mean() * second.mean()
    yield (-2 * covariance.sign() * covariance.abs().sqrt()).alias("roll_spread_30m")
    yield (MOVE.abs() / (VOLUME / 1000)).tail(60).mean().log(10).alias("amihud_60m")
    net = 2 * BOUGHT - VOLUME
    yield pl.corr(MOVE.tail(30), net.tail(30)).alias("flow_with_move_30m")
    yield (MOVE.tail(30) == 0).mean().alias("still_share_30m")
    yield (net.tail(30).abs().sum() / VOLUME.tail(30).sum()).alias("one_sided_flow_30m")


def levels() -> Iterator[Any]:
    yield (CLOSE.last() / HIGH.tail(90).max()).log().alias("below_high_90m")
    yield (CLOSE.last() / LOW.tail(90).min()).log().alias("above_low_90m")
    yield (89.0 - HIGH.tail(90).arg_max()).alias("since_high_90m")
    log = LOG.tail(60)
    yield (log - log.cum_max()).min().alias("deepest_fall_60m")
    yield (log - log.cum_min()).max().alias("highest_rise_60m")
    volume = VOLUME.tail(90)
    yield (volume.filter(TYPICAL.tail(90) < CLOSE.last()).sum() / volume.sum()).alias("value_below_90m")


def statistics() -> Iterator[Any]:
    move = MOVE.tail(60)
    size, squares = move.abs(), move**2
    yield pl.corr(MOVE.slice(-59, 59), MOVE.slice(-60, 59)).alias("autocorrelation_1_60m")
    yield move.skew().alias("skew_60m")
    yield move.kurtosis(fisher=False).log().alias("kurtosis_60m")
    yield (move.sum().abs() / size.sum()).alias("straightness_60m")
    past = LOG.tail(90)
    yield ((past.diff(5) ** 2).mean() / (5 * (past.diff() ** 2).mean())).alias("variance_ratio_5m")
    both = (MOVE.slice(-59, 59) * MOVE.slice(-60, 59)).abs()
    yield (1 - math.pi / 2 * both.mean() / squares.mean()).alias("jump_part_60m")
    yield (squares.max() / squares.sum()).alias("largest_part_60m")
    yield move.bottom_k(3).mean().alias("tail_loss_60m")


def market() -> Iterator[Any]:
    move, course = MOVE.tail(60), COURSE.tail(60)
    yield (pl.cov(move, course) / course.var()).alias("beta_60m")
    yield pl.corr(move, course).alias("market_correlation_60m")


def of_all() -> Iterator[Any]:
    """Columns that need all tokens side by side, after the groups."""
    moved, hour = pl.col("return_15m"), pl.col("return_60m")
    yield moved.median().alias("market_return_15m")
    yield ((hour > 0).sum() / (hour != 0).sum()).alias("market_rising_60m")
    yield (moved - moved.median()).alias("excess_return_15m")
    yield ((moved.rank() - 0.5) / pl.len()).alias("return_rank_15m")


def of_looks(ts: int) -> Iterator[Any]:
    """Snapshots, age and time."""
    moment = pl.from_epoch(pl.lit(ts))
    day = (ts % 86_400) / 86_400
    week = (moment.dt.weekday() - 1 + day) / 7
    bought, sold = pl.col("buys_volume_5m"), pl.col("sells_volume_5m")
    yield (pl.col("price") / LAST).log().alias("moved_since_bar")
    yield ((bought - sold) / (bought + sold)).alias("imbalance_volume")
    yield (pl.col("volume_1h") / pl.col("liquidity")).log1p().alias("turnover_1h")
    yield (pl.col("holders") / pl.col("holders_60")).log().alias("holder_growth_60m")
    yield (1 + pl.col("liquidity")).log(10).alias("liquidity_usd")
    yield (LAST / pl.col("day_high")).log().alias("day_high_gap")
    yield (1 + (ts - pl.col("born")) / 60).log(10).alias("age")
    yield pl.lit(math.sin(2 * math.pi * day)).alias("hour_sin")
    yield (2 * math.pi * week).cos().alias("week_cos")
    yield moment.dt.hour().is_between(7, 15).cast(pl.Float64).alias("europe_hours")


GROUPS = (returns, averages, oscillators, volatility, channels, flow, micro, levels, statistics, market)


def of_tokens(bars: Any, looks: Any, ts: int) -> Any:
    """A row for each token, in the order of the bars."""
    known = (CLOSE.is_not_nan().mean()).alias("known_share")
    expressions = [expression for group in GROUPS for expression in group()]
    found = prepared(bars).group_by("token", maintain_order=True).agg(CLOSE.last().alias("newest"), known, *expressions)
    return pl.concat([found, looks], how="horizontal").with_columns(*of_all(), *of_looks(ts))
