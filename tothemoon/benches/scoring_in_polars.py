"""The scores of a day in polars: one query over all tokens, each average by polars' own `ewm_mean_by`, which waits over what is missing."""

from __future__ import annotations

import math
from datetime import timedelta

import polars as pl

from scoring.metrics import (
    CAPPED,
    ERROR,
    ESTIMATED,
    HOUR_AGO_SEC,
    LARGEST_AMOUNT,
    LARGEST_RATIO,
    METRICS,
    NO_ACTIVITY,
    NO_HISTORY,
    OK,
    ROUNDING,
    STALE,
    Formula,
)

TWO = ("earlier", "later")


def by_polars(frame: pl.DataFrame, by: Formula, interval_sec: float) -> pl.DataFrame:
    """The score of each row."""
    half_life = timedelta(seconds=interval_sec * math.log(2) / -math.log1p(-by.alpha))
    weights = list(zip(by.weights, METRICS, strict=True))
    total = pl.sum_horizontal(weight * pl.col(f"{name}.smoothed") * (pl.col(f"{name}.state") <= CAPPED) for weight, name in weights)
    there = pl.sum_horizontal(weight * (pl.col(f"{name}.state") <= CAPPED) for weight, name in weights)
    values = {name: pl.when(pl.col(f"{name}.state") <= CAPPED).then(pl.col(name)) for name in METRICS}
    return (
        frame.lazy()
        .with_columns(*_ages(), *_before(), moment=(pl.col("ts") * 1e6).round().cast(pl.Datetime("us")))
        .with_columns(_nearer("holders", "holders_before"), _nearer("at", "holders_before_sec"), outdated=_outdated(by.freshness_limit_sec))
        .with_columns(_of_volumes(by.freshness_limit_sec))
        .with_columns(*_in_reach(), *_flow())
        .with_columns(*_states(by), *_values())
        .with_columns(value.alias(name) for name, value in values.items())
        .with_columns(pl.col(name).ewm_mean_by("moment", half_life=half_life).over("token").alias(f"{name}.smoothed") for name in METRICS)
        .select(pl.when(there > 0).then(total / there * sum(by.weights)).alias("score"))
        .collect()
    )


def _ages() -> list[pl.Expr]:
    return [
        (pl.col("ts") - pl.col("birdeye_at")).alias("birdeye_age_sec"),
        (pl.col("ts") - pl.col("last_trade_at")).alias("last_trade_age_sec"),
    ]


def _before() -> list[pl.Expr]:
    counted_at = pl.coalesce("birdeye_at", "ts")
    return [(counted_at - pl.col(f"{name}_at")).alias(f"{name}_sec") for name in TWO]


def _nearer(what: str, name: str) -> pl.Expr:
    """Of the two counts the one nearer to an hour before."""
    use_later = pl.col("earlier_sec").is_null() | ((pl.col("later_sec") - 3600).abs() < (pl.col("earlier_sec") - 3600).abs()).fill_null(
        False
    )
    earlier, later = (f"{each}_sec" if what == "at" else f"{each}_{what}" for each in TWO)
    return pl.when(use_later).then(pl.col(later)).otherwise(pl.col(earlier)).alias(name)


def _in_reach() -> list[pl.Expr]:
    between = pl.col("holders_before_sec")
    near = (between >= HOUR_AGO_SEC[0]) & (between <= HOUR_AGO_SEC[1])
    return [pl.when(near).then(pl.col(name)).alias(name) for name in ("holders_before", "holders_before_sec")]


def _outdated(limit: float) -> pl.Expr:
    age = pl.col("last_trade_age_sec")
    old = (pl.col("same_source") == 1) & (age > 300 + limit) & (age <= 86_400) & (pl.col("tx_count_5m") > 0)
    return old.fill_null(False)


def _impossible(*names: str) -> pl.Expr:
    return pl.any_horizontal(((pl.col(name) < 0) | (pl.col(name) > LARGEST_AMOUNT)).fill_null(False) for name in names)


def _of_volumes(limit: float) -> pl.Expr:
    known = pl.col("buys_volume_5m").is_not_null() & pl.col("sells_volume_5m").is_not_null()
    return (known & ~(pl.col("birdeye_age_sec") > limit).fill_null(False) & ~pl.col("outdated")).alias("of_volumes")


def _flow() -> list[pl.Expr]:
    return [
        pl.when("of_volumes").then(pl.col(f"{side}_volume_5m")).otherwise(pl.col(f"{side}_5m")).alias(name)
        for side, name in (("buys", "bought"), ("sells", "sold"))
    ]


def _states(by: Formula) -> list[pl.Expr]:
    holders, before, stale = pl.col("holders"), pl.col("holders_before"), pl.col("birdeye_age_sec") > by.holders_freshness_sec
    growth = (
        pl.when(_impossible("holders", "holders_before")).then(ERROR).when(holders.is_null()).then(NO_HISTORY).when(stale).then(STALE)
        .when(before.is_null()).then(NO_HISTORY).when((holders == 0) | (before == 0)).then(NO_ACTIVITY).otherwise(OK)
    )  # fmt: skip
    counts = pl.col("buys_5m").is_not_null() & pl.col("sells_5m").is_not_null() & ~pl.col("outdated")
    volumes = pl.col("buys_volume_5m").is_not_null() & pl.col("sells_volume_5m").is_not_null()
    neither = ~pl.col("of_volumes") & ~counts
    flow = (
        pl.when(_impossible("bought", "sold")).then(ERROR).when(neither & (volumes | pl.col("outdated"))).then(STALE)
        .when(neither).then(NO_HISTORY).when(pl.col("bought") + pl.col("sold") == 0).then(NO_ACTIVITY)
        .when("of_volumes").then(OK).otherwise(ESTIMATED)
    )  # fmt: skip
    ratios = [_ratio_state("tx_count_5m", "tx_count_1h"), _ratio_state("volume_5m", "volume_1h")]
    return [state.cast(pl.Int8).alias(f"{name}.state") for state, name in zip((*ratios, growth, flow), METRICS, strict=True)]


def _ratio_state(short: str, long: str) -> pl.Expr:
    unknown = pl.col(short).is_null() | pl.col(long).is_null()
    return (
        pl.when(_impossible(short, long)).then(ERROR).when(unknown).then(NO_HISTORY).when("outdated").then(STALE)
        .when(pl.col(long) == 0).then(NO_ACTIVITY).when(pl.col(short) > pl.col(long) * (1 + ROUNDING)).then(CAPPED).otherwise(OK)
    )  # fmt: skip


def _values() -> list[pl.Expr]:
    ratios = [
        pl.min_horizontal(LARGEST_RATIO * pl.col(short) / pl.col(long), pl.lit(LARGEST_RATIO))
        for short, long in (("tx_count_5m", "tx_count_1h"), ("volume_5m", "volume_1h"))
    ]
    growth = (pl.col("holders") / pl.col("holders_before")).log() * (3600 / pl.col("holders_before_sec"))
    flow = (pl.col("bought") - pl.col("sold")) / (pl.col("bought") + pl.col("sold"))
    return [value.alias(name) for value, name in zip((*ratios, growth, flow), METRICS, strict=True)]
