"""When a token changes its status: pure, over columns of all tokens at once. NaN is unknown, times are seconds since 1970.

    Initial → Active     at least one pool, and liquidity ≥ min_active_liquidity or tx_count_5m ≥ min_tx_count + activation_tx_margin
    Active → Archived    degrade_checks low checks in a row, the first and the last of them at most degrade_window_sec apart
    Initial → Archived   not activated within initial_timeout_sec of observed time

A check looks at one snapshot, once, and only while it is fresh. It is *low*, *good*, or says nothing (what it needs is unknown):

    mode any    low: few transactions or a low score      good: enough transactions, and no low score
    mode both   low: few transactions and a low score     good: enough transactions or a score that is not low

One good check ends the run of low ones; a check that says nothing neither ends nor lengthens it. Figures that contradict each other never
speak for a token: they do not activate it and they are no good check; a low check they may be, or a rugged pool would stay for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]

STAY, ACTIVATE, DEGRADE, TIME_OUT = 0, 1, 2, 3
LARGEST_AMOUNT = 1e18  # beyond is no figure of this world
WINDOW_SEC = 300.0  # of the figures called _5m
LONGEST_KEPT_SEC = 86_400.0  # that a service keeps an answer
GAP_INTERVALS = 3  # of the time between two snapshots at most this many normal intervals count as observed


@dataclass(frozen=True)
class Rule:
    """The thresholds of one settings revision, as plain numbers."""

    min_tx_count: float = 25
    activation_tx_margin: float = 0
    min_active_liquidity: float = 500.0
    min_score_keep_active: float = 0.3
    degrade_checks: int = 10
    degrade_window_sec: float = 6 * 3600.0
    degrade_both: bool = False
    initial_timeout_sec: float = 24 * 3600.0
    freshness_limit_sec: float = 180.0
    interval_active_sec: float = 30.0
    interval_initial_sec: float = 30.0
    initial_young_sec: float = 3600.0  # an older Initial token is polled less often, in proportion to its age,
    initial_slowest: float = 20.0  # at most so many intervals apart

    @property
    def enter_tx_count(self) -> float:
        return self.min_tx_count + self.activation_tx_margin


@dataclass(frozen=True)
class Seen:
    """What is known about each token: its place in the rule, its newest snapshot, and the score made from that snapshot."""

    active: Flags
    age_sec: Numbers
    snapshot_at: Numbers
    last_check_at: Numbers
    observed_sec: Numbers
    low_since: Numbers
    low_checks: Numbers
    tx_count_5m: Numbers
    liquidity: Numbers
    pools: Numbers
    contradictory: Flags
    outdated: Flags  # see `trades_are_outdated`
    score: Numbers


@dataclass(frozen=True)
class Judgement:
    """For each token: whether its snapshot was looked at, what follows, and the rule's new state."""

    looked: Flags
    verdict: NDArray[np.int8]
    observed_sec: Numbers
    low_since: Numbers
    low_checks: Numbers


def trades_are_outdated(last_trade_age_sec: Numbers, tx_count_5m: Numbers, limit_sec: float) -> Flags:
    """A five-minute window that claims trades, though the same source knows of none for longer: old figures returned once more.

    No answer is kept and returned for a day, and each poll is answered with figures of its own: a last trade longer ago than that says
    nothing about the windows, only that their clock or their list of trades is wrong.
    """
    return np.asarray((last_trade_age_sec > WINDOW_SEC + limit_sec) & (last_trade_age_sec <= LONGEST_KEPT_SEC) & (tx_count_5m > 0))


def judge(seen: Seen, rule: Rule, now: float | Numbers) -> Judgement:
    """Look at each token's newest snapshot, if it is fresh and was not looked at before. A replay has a `now` for each token."""
    fresh = np.abs(now - seen.snapshot_at) <= rule.freshness_limit_sec
    looked = fresh & ~seen.outdated & ~(seen.snapshot_at <= seen.last_check_at)
    since_check = np.minimum(seen.snapshot_at - seen.last_check_at, longest_counted(seen.active, seen.age_sec, rule))
    observed = seen.observed_sec + np.where(looked, np.nan_to_num(since_check, nan=0.0), 0.0)
    low, good = low_and_good(seen, rule)
    since, checks = streak(seen, rule, looked & seen.active & low, looked & seen.active & good)

    initial = looked & ~seen.active
    activate = initial & may_activate(seen, rule)
    verdict = np.zeros(looked.shape, dtype=np.int8)
    verdict[initial & (observed >= rule.initial_timeout_sec)] = TIME_OUT
    verdict[activate] = ACTIVATE
    verdict[looked & seen.active & low & (checks >= rule.degrade_checks)] = DEGRADE
    return Judgement(looked, verdict, observed, since, checks)


# Its parts. What a snapshot says by itself a replay asks of a whole history at once, and only then goes from check to check.


class Figures(Protocol):
    """What a snapshot shows, and the score made from it."""

    @property
    def tx_count_5m(self) -> Numbers: ...
    @property
    def liquidity(self) -> Numbers: ...
    @property
    def pools(self) -> Numbers: ...
    @property
    def contradictory(self) -> Flags: ...
    @property
    def score(self) -> Numbers: ...


class Run(Protocol):
    """A run of low checks, and the moment of the next one."""

    @property
    def low_since(self) -> Numbers: ...
    @property
    def low_checks(self) -> Numbers: ...
    @property
    def snapshot_at(self) -> Numbers: ...


def longest_counted(active: Flags, age_sec: Numbers, rule: Rule) -> Numbers:
    """Time since the last check counts as far as somebody was watching: a gap counts for nothing beyond a few intervals."""
    slower = np.clip(age_sec / rule.initial_young_sec, 1.0, rule.initial_slowest)
    return np.asarray(GAP_INTERVALS * np.where(active, rule.interval_active_sec, rule.interval_initial_sec * slower))


def may_activate(figures: Figures, rule: Rule) -> Flags:
    enough_liquidity = (figures.liquidity >= rule.min_active_liquidity) & (figures.liquidity <= LARGEST_AMOUNT)
    enough_trades = (figures.tx_count_5m >= rule.enter_tx_count) & (figures.tx_count_5m <= LARGEST_AMOUNT)
    return np.asarray((figures.pools >= 1) & (enough_liquidity | enough_trades) & ~figures.contradictory)


def low_and_good(figures: Figures, rule: Rule) -> tuple[Flags, Flags]:
    few, many = figures.tx_count_5m < rule.min_tx_count, figures.tx_count_5m >= rule.min_tx_count
    weak, strong = figures.score < rule.min_score_keep_active, figures.score >= rule.min_score_keep_active
    low = (few & weak) if rule.degrade_both else (few | weak)
    good = (many | strong) if rule.degrade_both else (many & ~weak)
    return low, good & ~figures.contradictory


def streak(run: Run, rule: Rule, low: Flags, good: Flags) -> tuple[Numbers, Numbers]:
    """The run of low checks, begun anew by the check with which it would become longer than the window."""
    goes_on = (run.low_checks > 0) & (run.snapshot_at - run.low_since <= rule.degrade_window_sec)
    checks = np.where(low, np.where(goes_on, run.low_checks + 1, 1.0), np.where(good, 0.0, run.low_checks))
    since = np.where(low, np.where(goes_on, run.low_since, run.snapshot_at), np.where(good, np.nan, run.low_since))
    return since, checks


# In words


def thresholds(verdict: int, rule: Rule) -> dict[str, float | str]:
    """What the figures were held against."""
    if verdict == ACTIVATE:
        return {"min_active_liquidity": rule.min_active_liquidity, "enter_tx_count": rule.enter_tx_count}
    if verdict == TIME_OUT:
        return {"initial_timeout_sec": rule.initial_timeout_sec}
    return {
        "min_tx_count": rule.min_tx_count,
        "min_score_keep_active": rule.min_score_keep_active,
        "degrade_checks": rule.degrade_checks,
        "degrade_window_sec": rule.degrade_window_sec,
        "degrade_mode": "both" if rule.degrade_both else "any",
    }


def reason(verdict: int, numbers: Mapping[str, float], rule: Rule) -> str:
    """The sentence of a change: "tx_count_5m 12 < 25 on 10 checks in 47 min"."""
    if verdict == ACTIVATE:
        return _activation(numbers, rule)
    if verdict == TIME_OUT:
        return f"not activated within {duration(rule.initial_timeout_sec)} of observed time ({duration(numbers['observed_sec'])} observed)"
    low = []
    if numbers["tx_count_5m"] < rule.min_tx_count:
        low.append(f"tx_count_5m {numbers['tx_count_5m']:.0f} < {rule.min_tx_count:g}")
    if numbers["score"] < rule.min_score_keep_active:
        low.append(f"score {numbers['score']:.3f} < {rule.min_score_keep_active:g}")
    checks = numbers["low_checks"]
    return f"{' and '.join(low)} on {checks:.0f} check{'' if checks == 1 else 's'} in {duration(numbers['low_for_sec'])}"


def _activation(numbers: Mapping[str, float], rule: Rule) -> str:
    met = []
    if numbers["liquidity"] >= rule.min_active_liquidity:
        met.append(f"liquidity ${numbers['liquidity']:,.0f} ≥ ${rule.min_active_liquidity:,.0f}")
    if numbers["tx_count_5m"] >= rule.enter_tx_count:
        met.append(f"tx_count_5m {numbers['tx_count_5m']:.0f} ≥ {rule.enter_tx_count:g}")
    pools = numbers["pools"]
    return f"{' and '.join(met)}, {pools:.0f} pool{'' if pools == 1 else 's'}"


def duration(seconds: float) -> str:
    """As people say it: 45 s, 47 min, 5 h 48 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
