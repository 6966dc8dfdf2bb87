"""The score over history: 1,000 tokens looked at every 30 s for a day, by ours, by a plain loop, by polars; and 32 sets of weights at once.

Ours are the functions that workers use: `measure` and `weigh` over all rows at once, `smooth` tick by tick. All ways give the same scores,
which is checked. The loop is given a part of the tokens, and its time is counted for all.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from scoring import metrics
from scoring.candidates import scores_of
from scoring.metrics import METRICS, Formula, Inputs, Memory
from scoring.over_history import smooth_history
from scoring.score_models import load
from tothemoon.benches.lines import IDIOMATIC, PEER, Subject
from tothemoon.benches.tick import Line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

TICKS, INTERVAL_SEC = 2_880, 30.0
LOOPED = 20  # tokens that the plain loop is given
CANDIDATES = 32
ROUNDS = 5
TIMES_A_LOOP, TIMES_POLARS, TIMES_ONE_BY_ONE = 100.0, 2.5, 6.0
CEILING = 12.0
FORMULA = Formula(load("hybrid_momentum"), (0.25, 0.25, 0.25, 0.25), 0.3, 180.0, 1800.0)


class Different(RuntimeError):
    """Two ways have not given the same scores."""


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result; no database is needed. `number` is of tokens."""
    inputs = market(TICKS, number)
    frame, few = in_polars(inputs), first_tokens(inputs, min(LOOPED, number))
    ways: dict[str, Callable[[], Numbers]] = {
        "ours": lambda: ours(inputs),
        "polars": lambda: by_polars(frame, number),
        "loop": lambda: by_loop(few),
        "read": lambda: read_once(inputs),
    }
    seconds = in_turn(ways, say)
    same(ours(inputs), by_polars(frame, number))
    same(ours(few), by_loop(few))
    loop = seconds["loop"] * number / few.liquidity.shape[1]
    subject = Subject("scoring", "no database", f"{TICKS * number / 1e6:.3g} M token-ticks scored")
    return [
        subject.faster(IDIOMATIC, "a plain Python loop", "s of processor", seconds["ours"], loop, TIMES_A_LOOP),
        subject.faster(PEER, "polars, all tokens in one query", "s of processor", seconds["ours"], seconds["polars"], TIMES_POLARS),
        subject.times_limit("one read of the inputs", "s of processor", seconds["ours"], seconds["read"], None),
        *_candidates(inputs, say),
    ]


def _candidates(inputs: Inputs, say: Callable[[str], None]) -> list[Line]:
    """32 sets of weights over what is smoothed already, as a sweep over weights asks."""
    counted, smoothed = smoothed_history(inputs)
    smoothed = smoothed.astype(np.float32)
    weights = np.random.default_rng(5).dirichlet(np.ones(len(METRICS)), CANDIDATES)
    ways: dict[str, Callable[[], Numbers]] = {
        "ours": lambda: scores_of(smoothed, counted, weights),
        "one": lambda: one_by_one(smoothed, counted, weights),
    }
    seconds = in_turn(ways, say)
    same(ways["ours"](), ways["one"](), 1e-4)
    subject = Subject("scoring", "no database", f"{CANDIDATES} sets of weights over {smoothed[0].size / 1e6:.3g} M token-ticks")
    return [
        subject.faster(IDIOMATIC, "numpy, candidate by candidate", "s of processor", seconds["ours"], seconds["one"], TIMES_ONE_BY_ONE),
        subject.times_limit("one read of the parts", "s of processor", seconds["ours"], _read(smoothed), None),
    ]


def in_turn(ways: Mapping[str, Callable[[], Numbers]], say: Callable[[str], None]) -> dict[str, float]:
    """Seconds of the processor of each way, the median of rounds in which each has its turn, without the first.

    Of the processor, because the work is computing and other programs may run beside it; two threads of polars count twice.
    """
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, way in ways.items():
            say(f"scoring: {name}, round {turn} of {ROUNDS}")
            began = time.process_time()
            way()
            found[name].append(time.process_time() - began)
    return {name: statistics.median(times[1:]) for name, times in found.items()}


def same(one: Numbers, other: Numbers, tolerance: float = 1e-9) -> None:
    if not np.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True):
        raise Different(f"scores differ by up to {np.nanmax(np.abs(one - other)):g}")


def market(ticks: int, tokens: int) -> Inputs:
    """Figures that walk at random; every metric always counts, so that all ways can be written in a few lines."""
    chance = np.random.default_rng(7)
    shape = (ticks, tokens)
    trades = np.maximum(1.0, np.floor(60 * np.exp(0.4 * chance.standard_normal(shape))))
    hour = trades * (8 + 6 * chance.random(shape))
    volume, buys = trades * (20 + 30 * chance.random(shape)), np.floor(trades * chance.random(shape))
    holders = np.maximum(50.0, 500 + np.cumsum(chance.integers(-3, 4, shape), axis=0))
    bought = volume * chance.random(shape)
    return Inputs(
        age_sec=np.broadcast_to(np.arange(ticks)[:, None] * INTERVAL_SEC + 3600, shape).copy(), liquidity=volume * 9,
        tx_count_5m=trades, tx_count_1h=hour, volume_5m=volume, volume_1h=volume * (8 + 6 * chance.random(shape)),
        holders=holders, holders_before=holders * (0.9 + 0.2 * chance.random(shape)), holders_before_sec=np.full(shape, 3600.0),
        buys_5m=buys, sells_5m=trades - buys, buys_volume_5m=bought, sells_volume_5m=volume - bought + 1,
        birdeye_age_sec=np.full(shape, 10.0), last_trade_age_sec=np.full(shape, 5.0), same_source=np.ones(shape, dtype=bool),
    )  # fmt: skip


def first_tokens(inputs: Inputs, number: int) -> Inputs:
    return Inputs(**{field.name: np.ascontiguousarray(getattr(inputs, field.name)[:, :number]) for field in fields(Inputs)})


# The ways


def smoothed_history(inputs: Inputs) -> tuple[NDArray[np.bool_], Numbers]:
    """Which metrics count, and their smoothed values: one row a metric, time × tokens."""
    measured = metrics.measure(inputs, FORMULA.freshness_limit_sec, FORMULA.holders_freshness_sec)
    counted, parts = measured.counted, FORMULA.model.parts(inputs, measured)
    ticks, tokens = parts.shape[1:]
    each = np.full(ticks * tokens, INTERVAL_SEC)
    turns = range(0, ticks * tokens + 1, tokens)
    flat = len(METRICS), -1
    smoothed, _ = smooth_history(parts.reshape(flat), counted.reshape(flat), Memory.empty(tokens), each, each, FORMULA.alpha, turns)
    return counted, smoothed.reshape(parts.shape)


def ours(inputs: Inputs) -> Numbers:
    counted, smoothed = smoothed_history(inputs)
    return metrics.add_up(metrics.weigh(smoothed, counted, FORMULA, {}))


def in_polars(inputs: Inputs) -> pl.DataFrame:
    """One row a snapshot, token by token: as it would be loaded from a file."""
    ticks, tokens = inputs.liquidity.shape
    columns = {field.name: getattr(inputs, field.name).T.ravel() for field in fields(Inputs)}
    return pl.DataFrame({"token": np.repeat(np.arange(tokens), ticks), **columns})


def by_polars(frame: pl.DataFrame, tokens: int) -> Numbers:
    """The same rules for what counts; a metric's average by polars' own `ewm_mean`, which is the same where no value is missing."""
    parts = [_polars_ratio("tx_count_5m", "tx_count_1h"), _polars_ratio("volume_5m", "volume_1h"), _polars_growth(), _polars_flow()]
    smoothed = [
        part.ewm_mean(alpha=FORMULA.alpha, adjust=False).over("token").alias(name) for part, name in zip(parts, METRICS, strict=True)
    ]
    total = pl.sum_horizontal(weight * pl.col(name) for weight, name in zip(FORMULA.weights, METRICS, strict=True))
    there = pl.sum_horizontal(weight * pl.col(name).is_not_null() for weight, name in zip(FORMULA.weights, METRICS, strict=True))
    score = frame.lazy().select(smoothed).select((total / there * sum(FORMULA.weights)).alias("score")).collect()["score"].to_numpy()
    return np.asarray(score.reshape(tokens, -1).T)


def _sane(*names: str) -> pl.Expr:
    return pl.all_horizontal((pl.col(name) >= 0) & (pl.col(name) <= metrics.LARGEST_AMOUNT) for name in names)


def _outdated() -> pl.Expr:
    age = pl.col("last_trade_age_sec")
    old = (age > 300 + FORMULA.freshness_limit_sec) & (age <= 86_400)
    return pl.col("same_source") & old & (pl.col("tx_count_5m") > 0)


def _polars_ratio(short: str, long: str) -> pl.Expr:
    ratio = pl.min_horizontal(CEILING * pl.col(short) / pl.col(long), pl.lit(CEILING))
    return pl.when(_sane(short, long) & ~_outdated() & (pl.col(long) != 0)).then(ratio)


def _polars_growth() -> pl.Expr:
    now, before, between = pl.col("holders"), pl.col("holders_before"), pl.col("holders_before_sec")
    known = (pl.col("birdeye_age_sec") <= FORMULA.holders_freshness_sec) & (between >= 3000) & (between <= 4500) & (now > 0) & (before > 0)
    return pl.when(_sane("holders", "holders_before") & known).then((now / before).log() * (3600 / between))


def _polars_flow() -> pl.Expr:
    fresh = (pl.col("birdeye_age_sec") <= FORMULA.freshness_limit_sec) & ~_outdated()
    buys = pl.when(fresh).then(pl.col("buys_volume_5m")).otherwise(pl.col("buys_5m"))
    sells = pl.when(fresh).then(pl.col("sells_volume_5m")).otherwise(pl.col("sells_5m"))
    sane = (buys >= 0) & (buys <= metrics.LARGEST_AMOUNT) & (sells >= 0) & (sells <= metrics.LARGEST_AMOUNT)
    return pl.when(sane & ~_outdated() & (buys + sells != 0)).then((buys - sells) / (buys + sells))


def by_loop(inputs: Inputs) -> Numbers:
    """As one begins: for each token, for each of its snapshots."""
    ticks, tokens = inputs.liquidity.shape
    names = [field.name for field in fields(Inputs)]
    scores = np.empty((ticks, tokens))
    for token in range(tokens):
        columns = [getattr(inputs, name)[:, token].tolist() for name in names]
        snapshots = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        smoothed: list[float | None] = [None] * len(METRICS)
        for tick, snapshot in enumerate(snapshots):
            scores[tick, token] = _scored(snapshot, smoothed)
    return scores


def _scored(snapshot: dict[str, float], smoothed: list[float | None]) -> float:
    trade_age = snapshot["last_trade_age_sec"] if snapshot["same_source"] else 0.0
    outdated = 300 + FORMULA.freshness_limit_sec < trade_age <= 86_400 and snapshot["tx_count_5m"] > 0
    raw = [
        None if outdated else _ratio(snapshot["tx_count_5m"], snapshot["tx_count_1h"]),
        None if outdated else _ratio(snapshot["volume_5m"], snapshot["volume_1h"]),
        _growth(snapshot),
        None if outdated else _flow(snapshot),
    ]
    total = there = 0.0
    for place, value in enumerate(raw):
        if value is None:
            continue
        last = smoothed[place]
        smoothed[place] = now = value if last is None else value + (1 - FORMULA.alpha) * (last - value)
        total += FORMULA.weights[place] * now
        there += FORMULA.weights[place]
    return total / there * sum(FORMULA.weights) if there else math.nan


def _possible(*values: float) -> bool:
    return all(0 <= value <= metrics.LARGEST_AMOUNT for value in values)


def _ratio(short: float, long: float) -> float | None:
    return min(CEILING * short / long, CEILING) if _possible(short, long) and long else None


def _growth(snapshot: dict[str, float]) -> float | None:
    now, before, between = snapshot["holders"], snapshot["holders_before"], snapshot["holders_before_sec"]
    fresh = snapshot["birdeye_age_sec"] <= FORMULA.holders_freshness_sec
    known = _possible(now, before) and fresh and 3000 <= between <= 4500 and now and before
    return math.log(now / before) * 3600 / between if known else None


def _flow(snapshot: dict[str, float]) -> float | None:
    kind = "_volume_5m" if snapshot["birdeye_age_sec"] <= FORMULA.freshness_limit_sec else "_5m"
    buys, sells = snapshot[f"buys{kind}"], snapshot[f"sells{kind}"]
    return (buys - sells) / (buys + sells) if _possible(buys, sells) and buys + sells else None


def one_by_one(smoothed: Numbers, counted: NDArray[np.bool_], weights: Numbers) -> Numbers:
    """The usual way in numpy: each candidate's weights times the parts, added up."""
    known = np.where(counted, smoothed, 0)
    found = []
    for each in weights.astype(np.float32):
        total = sum(weight * part for weight, part in zip(each, known, strict=True))
        there = sum(weight * there for weight, there in zip(each, counted, strict=True))
        found.append(total / there * each.sum())
    return np.stack(found)


def read_once(inputs: Inputs) -> Numbers:
    return np.array([getattr(inputs, field.name).sum() for field in fields(Inputs)])


def _read(smoothed: Numbers) -> float:
    began = time.process_time()
    smoothed.sum()
    return time.process_time() - began
