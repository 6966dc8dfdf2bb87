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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

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
LARGEST_BITS = np.float64(LARGEST_AMOUNT).view(np.uint64)
ROUNDING = 1e-9  # sums over pools may differ in their last digits
HOUR_SEC = 3600.0
BLOCK = 65_536  # places at a time, of a history: few calls each for many, and what is worked out of them stays in the processor's cache
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
    flat = {field.name: getattr(inputs, field.name).reshape(-1) for field in fields(Inputs)}
    raw, state = np.empty((len(METRICS), size)), np.zeros((len(METRICS), size), dtype=np.int8)
    with np.errstate(all="ignore"):  # places without a value are masked by their state
        for begin in range(0, size, BLOCK):
            place = slice(begin, begin + BLOCK)
            here = Inputs(**{name: column[place] for name, column in flat.items()})
            _measure(here, freshness_limit_sec, holders_freshness_sec, raw[:, place], state[:, place])
    return Measured(raw.reshape(len(METRICS), *shape), state.reshape(len(METRICS), *shape))


def _measure(inputs: Inputs, freshness_sec: float, holders_freshness_sec: float, raw: Numbers, state: Codes) -> None:
    """Where nothing is amiss a metric is its formula. So only places that are not plainly so are asked for all that makes a state."""
    outdated = trades_are_outdated(inputs.last_trade_age_sec, inputs.tx_count_5m, freshness_sec)
    outdated &= inputs.same_source
    plain = _formulas(inputs, outdated, min(freshness_sec, holders_freshness_sec), raw)
    growth, imbalance = partial(_growth, freshness_sec=holders_freshness_sec), partial(_imbalance, freshness_sec=freshness_sec)
    judges: tuple[tuple[Callable[..., Codes], tuple[NDArray[Any], ...]], ...] = (
        (_ratio, (inputs.tx_count_5m, inputs.tx_count_1h, outdated)),
        (_ratio, (inputs.volume_5m, inputs.volume_1h, outdated)),
        (growth, (inputs.holders, inputs.holders_before, inputs.holders_before_sec, inputs.birdeye_age_sec)),
        (
            imbalance,
            (inputs.buys_volume_5m, inputs.sells_volume_5m, inputs.buys_5m, inputs.sells_5m, inputs.birdeye_age_sec, outdated),
        ),
    )
    for metric, (judged, columns) in enumerate(judges):
        odd = np.flatnonzero(~plain[metric])
        if odd.size:
            value = raw[metric][odd]
            code = judged(value, *(column[odd] for column in columns))
            np.putmask(value, code > CAPPED, np.nan)
            raw[metric][odd], state[metric][odd] = value, code


def _formulas(inputs: Inputs, outdated: Flags, freshest_sec: float, raw: Numbers) -> tuple[Flags, ...]:
    """What each metric is if its state is OK; and where it is so, by as few comparisons as will do: a place not found may be so as well."""
    current, ratios, divisor = ~outdated, [], np.empty(outdated.shape)
    for value, short, long in ((raw[0], inputs.tx_count_5m, inputs.tx_count_1h), (raw[1], inputs.volume_5m, inputs.volume_1h)):
        np.multiply(LARGEST_RATIO, short, out=value)
        np.divide(value, long, out=value)
        ratios.append(_all(value <= LARGEST_RATIO, _sound(short), _sound(long), current))
    current &= inputs.birdeye_age_sec <= freshest_sec
    now, before, between = inputs.holders, inputs.holders_before, inputs.holders_before_sec
    growth = np.divide(now, before, out=raw[2])
    np.log(growth, out=growth)
    np.multiply(growth, np.divide(HOUR_SEC, between, out=divisor), out=growth)
    near, far = HOUR_AGO_SEC
    grown = _all(np.isfinite(growth), _sound(now), _sound(before), between >= near, between <= far, current)
    buys, sells = inputs.buys_volume_5m, inputs.sells_volume_5m
    imbalance = np.subtract(buys, sells, out=raw[3])
    np.divide(imbalance, np.add(buys, sells, out=divisor), out=imbalance)
    return *ratios, grown, _all(np.isfinite(imbalance), _sound(buys), _sound(sells), current)


def _all(found: Flags, *others: Flags) -> Flags:
    for each in others:
        found &= each
    return found


def _sound(column: Numbers) -> Flags:
    """Known and possible, by one comparison: read as whole numbers, the bits of all other floats are greater. So are those of −0."""
    return np.asarray(column.view(np.uint64) <= LARGEST_BITS)


def _impossible(column: Numbers) -> Flags:
    return np.asarray((column < 0) | (column > LARGEST_AMOUNT))


def _state(*marks: tuple[Flags, int]) -> Codes:
    """Of all codes that are marked at a place the greatest; OK where there is none. Several times as fast as a choice among conditions."""
    state = np.zeros(marks[0][0].shape, dtype=np.int8)
    for flags, code in marks:
        np.maximum(state, flags.view(np.int8) * np.int8(code), out=state)
    return state


# Each judge is given odd places of its metric: what the formula has made of them, which it puts right, and the inputs of its state.


def _ratio(value: Numbers, short: Numbers, long: Numbers, outdated: Flags) -> Codes:
    """(short / 5) / (long / 60), which is 12 × short / long; above 12 where the five minutes hold more than their hour."""
    np.minimum(value, LARGEST_RATIO, out=value)
    unknown = np.isnan(short) | np.isnan(long)
    return _state(
        (short > long * (1 + ROUNDING), CAPPED),
        (long == 0, NO_ACTIVITY),
        (unknown, NO_HISTORY),
        (outdated & ~unknown, STALE),
        (_impossible(short) | _impossible(long), ERROR),
    )


def _growth(value: Numbers, now: Numbers, before: Numbers, between: Numbers, age_sec: Numbers, freshness_sec: float) -> Codes:
    """ln(1 + (now − before) / before), which is ln(now / before), scaled from the time between the two counts to 60 minutes."""
    in_reach = (between >= HOUR_AGO_SEC[0]) & (between <= HOUR_AGO_SEC[1])
    unknown = np.isnan(now)
    state = _state(
        ((now == 0) | (before == 0), NO_ACTIVITY),
        (unknown | np.isnan(before) | ~in_reach, NO_HISTORY),
        ((age_sec > freshness_sec) & ~unknown, STALE),
        (_impossible(now) | _impossible(before), ERROR),
    )
    state[(state == OK) & ~np.isfinite(value)] = ERROR
    return state


def _imbalance(
    value: Numbers,
    bought: Numbers,
    sold: Numbers,
    buys: Numbers,
    sells: Numbers,
    age_sec: Numbers,
    outdated: Flags,
    freshness_sec: float,
) -> Codes:
    """(buys − sells) / (buys + sells), of volumes where they are known and fresh, else of counts."""
    volumes = ~(np.isnan(bought) | np.isnan(sold))
    fresh = volumes & ~(age_sec > freshness_sec) & ~outdated
    counts = ~(np.isnan(buys) | np.isnan(sells)) & ~outdated
    buys, sells = np.where(fresh, bought, buys), np.where(fresh, sold, sells)
    both, neither = buys + sells, ~fresh & ~counts
    np.divide(buys - sells, both, out=value)
    return _state(
        (~fresh, ESTIMATED),
        (both == 0, NO_ACTIVITY),
        (neither, NO_HISTORY),
        (neither & (volumes | outdated), STALE),
        (_impossible(buys) | _impossible(sells), ERROR),
    )


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
        kept = np.asarray(np.log1p(-alpha) * steps)
        np.exp(kept, out=kept)
    return kept


def weigh(smoothed: Numbers, counted: Flags, formula: Formula, factors: dict[str, Numbers]) -> Numbers:
    """What each metric adds to the score. A metric that does not count adds nothing (NaN), and the others are scaled up for it."""
    share, there = shares(counted, formula.weights)
    scale = np.full(there.shape, formula.model.scale(float(sum(formula.weights))))
    for factor in factors.values():
        scale = scale * factor
    return np.where(counted & there, scale * (share * smoothed), np.nan)


def shares(counted: Flags, weights: Sequence[float]) -> tuple[Numbers, Flags]:
    """Of what is weighed, the part that each metric has; 0 for one that does not count. And where there is anything to weigh at all."""
    each = np.asarray(weights, dtype=np.float64).reshape(-1, *[1] * (counted.ndim - 1))
    present = np.where(counted, each, 0.0)
    together = present[0] + present[1] + present[2] + present[3]
    there = together > 0
    return np.divide(present, together, out=np.zeros(present.shape), where=there), there


def add_up(contributions: Numbers) -> Numbers:
    """The score: the contributions that are there, from first to last. Unknown where there is none."""
    known = ~np.isnan(contributions)
    first, second, third, fourth = np.where(known, contributions, 0.0)
    return np.where(known.any(axis=0), first + second + third + fourth, np.nan)
