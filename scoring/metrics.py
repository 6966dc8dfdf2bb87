"""The four metrics, their states, the smoothing and the weighing: pure, over all tokens at once.

Every column is float64 with NaN for unknown. All functions but `smooth` take columns of any shape, so that a whole history (time × tokens)
goes through them at once; `smooth` makes one step in time, and a replay calls it tick by tick. States by metric:

    tx_accel, vol_momentum    no_history: a window is unknown. stale: trades are claimed, though the same source has known of none for
                              longer. no_activity: nothing in the hour. capped: above 12, so the windows are inconsistent. error: a
                              negative or absurd input
    holder_growth             no_history: no count now, or none 50 to 75 minutes before. stale: the count is too old. no_activity: nobody
                              holds it, now or then
    orderflow_imbalance       estimated: from counts of buys and sells, where their volumes are unknown or too old. stale: only volumes
                              that are too old. no_history: neither known. no_activity: neither bought nor sold
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tokens.status_rule import trades_are_outdated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Codes = NDArray[np.int8]

METRICS = ("tx_accel", "vol_momentum", "holder_growth", "orderflow_imbalance")
STATES = ("ok", "estimated", "capped", "no_activity", "no_history", "stale", "error")
OK, ESTIMATED, CAPPED, NO_ACTIVITY, NO_HISTORY, STALE, ERROR = range(7)  # up to CAPPED a metric counts

LARGEST_RATIO = 12.0  # five minutes are a twelfth of the hour they lie in
LARGEST_AMOUNT = 1e18
ROUNDING = 1e-9  # sums over pools may differ in their last digits
HOUR_SEC = 3600.0
BLOCK = 8_192  # places at a time
HOUR_AGO_SEC = (3000.0, 4500.0)  # "one hour ago" is 50 to 75 minutes ago


@dataclass(frozen=True, slots=True)
class Inputs:
    """One snapshot a place, with what belongs to it from elsewhere. Ages are seconds before the snapshot."""

    age_sec: Numbers  # of the token
    liquidity: Numbers
    tx_count_5m: Numbers
    tx_count_1h: Numbers
    volume_5m: Numbers
    volume_1h: Numbers
    holders: Numbers
    holders_before: Numbers
    holders_before_sec: Numbers  # between the two counts
    buys_5m: Numbers
    sells_5m: Numbers
    buys_volume_5m: Numbers
    sells_volume_5m: Numbers
    birdeye_age_sec: Numbers  # of holders and of the volumes bought and sold
    last_trade_age_sec: Numbers
    same_source: Flags  # the trades of the windows and the last trade come from one answer


@dataclass(frozen=True, slots=True)
class Measured:
    """`raw` and `state` have one row a metric, in the order of METRICS. Raw is NaN exactly where the metric does not count."""

    raw: Numbers
    state: Codes

    @property
    def counted(self) -> Flags:
        return np.asarray(self.state <= CAPPED)


@dataclass(frozen=True, slots=True)
class Memory:
    """The smoothing's state, one row a metric: the smoothed value, and the seconds from its last real value to the last score."""

    value: Numbers
    age_sec: Numbers

    @classmethod
    def empty(cls, tokens: int) -> Memory:
        return cls(np.full((len(METRICS), tokens), np.nan), np.full((len(METRICS), tokens), np.nan))


class ScoreModel(Protocol):
    """What a module in scoring.score_models offers."""

    def parts(self, inputs: Inputs, measured: Measured) -> Numbers: ...

    def factors(self, inputs: Inputs) -> dict[str, Numbers]: ...

    def scale(self, total_weight: float) -> float: ...


@dataclass(frozen=True)
class Formula:
    """A settings revision as the arithmetic needs it."""

    model: ScoreModel
    weights: Sequence[float]
    alpha: float
    freshness_limit_sec: float
    holders_freshness_sec: float


@dataclass(frozen=True, slots=True)
class Scored:
    """One tick. The score is the sum of the contributions, added in the order of METRICS; NaN is unknown."""

    measured: Measured
    parts: Numbers
    memory: Memory
    contributions: Numbers
    factors: dict[str, Numbers]
    score: Numbers


def score_tick(inputs: Inputs, memory: Memory, elapsed_sec: Numbers, interval_sec: Numbers, formula: Formula) -> Scored:
    """All tokens of one tick. `elapsed_sec` is the time since each token's last score, `interval_sec` its normal interval."""
    measured = measure(inputs, formula.freshness_limit_sec, formula.holders_freshness_sec)
    parts, factors = formula.model.parts(inputs, measured), formula.model.factors(inputs)
    return advance(measured, parts, factors, memory, elapsed_sec, interval_sec, formula)


def advance(
    measured: Measured,
    parts: Numbers,
    factors: dict[str, Numbers],
    memory: Memory,
    elapsed_sec: Numbers,
    interval_sec: Numbers,
    formula: Formula,
) -> Scored:
    """The part of a tick that needs the one before it: smooth and weigh what was measured. A replay measures all its ticks at once."""
    memory = smooth(parts, measured.counted, memory, elapsed_sec, interval_sec, formula.alpha)
    contributions = weigh(memory.value, measured.counted, formula, factors)
    return Scored(measured, parts, memory, contributions, factors, add_up(contributions))


def measure(inputs: Inputs, freshness_limit_sec: float, holders_freshness_sec: float) -> Measured:
    """The four metrics as the vision defines them, each with its state. A history goes through in blocks that fit the processor's cache."""
    shape, size = inputs.liquidity.shape, inputs.liquidity.size
    if size <= BLOCK:
        return _measure(inputs, freshness_limit_sec, holders_freshness_sec)
    flat = {field.name: getattr(inputs, field.name).reshape(-1) for field in fields(Inputs)}
    raw, state = np.empty((len(METRICS), size)), np.empty((len(METRICS), size), dtype=np.int8)
    for begin in range(0, size, BLOCK):
        place = slice(begin, begin + BLOCK)
        found = _measure(Inputs(**{name: column[place] for name, column in flat.items()}), freshness_limit_sec, holders_freshness_sec)
        raw[:, place], state[:, place] = found.raw, found.state
    return Measured(raw.reshape(-1, *shape), state.reshape(-1, *shape))


def _measure(inputs: Inputs, freshness_limit_sec: float, holders_freshness_sec: float) -> Measured:
    with np.errstate(all="ignore"):  # places without a value are masked by their state
        last_trade = np.where(inputs.same_source, inputs.last_trade_age_sec, np.nan)
        outdated = trades_are_outdated(last_trade, inputs.tx_count_5m, freshness_limit_sec)
        pairs = [
            _ratio(inputs.tx_count_5m, inputs.tx_count_1h, outdated),
            _ratio(inputs.volume_5m, inputs.volume_1h, outdated),
            _growth(inputs, holders_freshness_sec),
            _imbalance(inputs, outdated, freshness_limit_sec),
        ]
        raw, state = np.stack([raw for raw, _ in pairs]), np.stack([state for _, state in pairs])
        state = np.where((state <= CAPPED) & ~np.isfinite(raw), np.int8(ERROR), state)
        return Measured(np.where(state <= CAPPED, raw, np.nan), state)


def _impossible(*columns: Numbers) -> Flags:
    return np.asarray(np.any([(column < 0) | (column > LARGEST_AMOUNT) for column in columns], axis=0))


def _ratio(short: Numbers, long: Numbers, outdated: Flags) -> tuple[Numbers, Codes]:
    """(short / 5) / (long / 60), which is 12 × short / long; above 12 where the five minutes hold more than their hour."""
    ratio = LARGEST_RATIO * short / long
    state = np.select(
        [_impossible(short, long), np.isnan(short) | np.isnan(long), outdated, long == 0, short > long * (1 + ROUNDING)],
        [ERROR, NO_HISTORY, STALE, NO_ACTIVITY, CAPPED],
        OK,
    )
    return np.minimum(ratio, LARGEST_RATIO), state.astype(np.int8)


def _growth(inputs: Inputs, freshness_sec: float) -> tuple[Numbers, Codes]:
    """ln(1 + (now − before) / before), which is ln(now / before), scaled from the time between the two counts to 60 minutes."""
    now, before, between = inputs.holders, inputs.holders_before, inputs.holders_before_sec
    in_reach = (between >= HOUR_AGO_SEC[0]) & (between <= HOUR_AGO_SEC[1])
    state = np.select(
        [
            _impossible(now, before),
            np.isnan(now),
            inputs.birdeye_age_sec > freshness_sec,
            np.isnan(before) | ~in_reach,
            (now == 0) | (before == 0),
        ],
        [ERROR, NO_HISTORY, STALE, NO_HISTORY, NO_ACTIVITY],
        OK,
    )
    return np.log(now / before) * (HOUR_SEC / between), state.astype(np.int8)


def _imbalance(inputs: Inputs, outdated: Flags, freshness_sec: float) -> tuple[Numbers, Codes]:
    """(buys − sells) / (buys + sells), of volumes where they are known and fresh, else of counts."""
    volumes = ~(np.isnan(inputs.buys_volume_5m) | np.isnan(inputs.sells_volume_5m))
    fresh = volumes & ~(inputs.birdeye_age_sec > freshness_sec) & ~outdated
    counts = ~(np.isnan(inputs.buys_5m) | np.isnan(inputs.sells_5m)) & ~outdated
    buys = np.where(fresh, inputs.buys_volume_5m, inputs.buys_5m)
    sells = np.where(fresh, inputs.sells_volume_5m, inputs.sells_5m)
    state = np.select(
        [_impossible(buys, sells), ~fresh & ~counts & (volumes | outdated), ~fresh & ~counts, buys + sells == 0, fresh],
        [ERROR, STALE, NO_HISTORY, NO_ACTIVITY, OK],
        ESTIMATED,
    )
    return (buys - sells) / (buys + sells), state.astype(np.int8)


def smooth(parts: Numbers, counted: Flags, memory: Memory, elapsed_sec: Numbers, interval_sec: Numbers, alpha: float) -> Memory:
    """One step of the exponentially weighted average, each metric by its own clock.

    The newest value counts 1 − (1 − α)^(Δt / interval), Δt being the time since this metric last had a value: after a gap the old
    average counts as little as after as many normal steps. The first value starts the average. Without a value the average waits as it is.
    """
    gap = memory.age_sec + elapsed_sec
    kept = decay(alpha, np.maximum(gap, 0.0) / interval_sec)
    moved = np.where(np.isnan(memory.value), parts, parts + kept * (memory.value - parts))
    return Memory(np.where(counted, moved, memory.value), np.where(counted, 0.0, gap))


def decay(alpha: float, steps: Numbers) -> Numbers:
    """(1 − α)^steps, at a fifth of the time of a power; 0^0 is 1."""
    if alpha >= 1:
        return np.where(steps > 0, 0.0, np.where(np.isnan(steps), np.nan, 1.0))
    with np.errstate(under="ignore"):
        return np.asarray(np.exp(np.log1p(-alpha) * steps))


def smooth_history(
    parts: Numbers, counted: Flags, memory: Memory, elapsed_sec: Numbers, interval_sec: Numbers, alpha: float, turns: Sequence[int]
) -> tuple[Numbers, Memory]:
    """`smooth` over all turns of a history: what it gives at each place, and what it remembers at the end.

    Places lie turn after turn, the n-th from turns[n] to turns[n + 1], and a later turn has no more places than the one before it. All
    that does not need the turn before is worked out for many of them at once, so a turn costs a few short operations.
    """
    started = ~np.isnan(memory.value)
    value, age = np.where(started, memory.value, 0.0), memory.age_sec.copy()
    smoothed = np.empty(parts.shape)
    for spans in _groups(turns):
        block = slice(spans[0][0], spans[-1][1])
        there = counted[:, block]
        gap, first, begun = np.empty(there.shape), np.empty(there.shape, dtype=bool), np.empty(there.shape, dtype=bool)
        for begin, end in spans:
            here, now = slice(begin - block.start, end - block.start), slice(0, end - begin)
            np.add(age[:, now], elapsed_sec[begin:end], out=gap[:, here])
            age[:, now] = np.where(there[:, here], 0.0, gap[:, here])
            np.greater(there[:, here], started[:, now], out=first[:, here])
            started[:, now] |= there[:, here]
            begun[:, here] = started[:, now]
        kept = decay(alpha, np.maximum(gap, 0.0) / interval_sec[block])
        kept[first], kept[~there] = 0.0, 1.0
        news = np.where(there, parts[:, block], 0.0)
        for begin, end in spans:
            here, now = slice(begin - block.start, end - block.start), slice(0, end - begin)
            last = value[:, now]
            last -= news[:, here]
            last *= kept[:, here]
            last += news[:, here]
            smoothed[:, begin:end] = last
        smoothed[:, block][~begun] = np.nan
    return smoothed, Memory(np.where(started, value, np.nan), age)


def _groups(turns: Sequence[int]) -> Iterator[list[tuple[int, int]]]:
    """Turns that lie in one block, one at least."""
    group: list[tuple[int, int]] = []
    for begin, end in pairwise(turns):
        if group and end - group[0][0] > BLOCK:
            yield group
            group = []
        group.append((begin, end))
    if group:
        yield group


def weigh(smoothed: Numbers, counted: Flags, formula: Formula, factors: dict[str, Numbers]) -> Numbers:
    """What each metric adds to the score. A metric that does not count adds nothing (NaN), and the others are scaled up for it."""
    weights = np.asarray(formula.weights, dtype=np.float64).reshape(-1, *[1] * (smoothed.ndim - 1))
    present = np.where(counted, weights, 0.0)
    together = present[0] + present[1] + present[2] + present[3]
    scale = np.full(together.shape, formula.model.scale(float(sum(formula.weights))))
    for factor in factors.values():
        scale = scale * factor
    share = np.divide(present, together, out=np.zeros(np.broadcast_shapes(present.shape, together.shape)), where=together > 0)
    return np.where(counted & (together > 0), scale * (share * smoothed), np.nan)


def add_up(contributions: Numbers) -> Numbers:
    """The score: the contributions that are there, from first to last. Unknown where there is none."""
    known = ~np.isnan(contributions)
    first, second, third, fourth = np.where(known, contributions, 0.0)
    return np.where(known.any(axis=0), first + second + third + fourth, np.nan)
