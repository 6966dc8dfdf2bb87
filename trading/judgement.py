"""Stage 2: what each judged point is, and what follows from it. Pure; every number comes from the rule.

    windows → levels, context → scenarios → confidence → recommendation → plan → risk

The recommendation of this module is the original one; `trading.gates` may turn it into WAIT. A token that cannot be sold short has no plan
for its fall: SELL means leave it, and stay away.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trading import calibration as calibrations
from trading import confidence as confidences
from trading import context as contexts
from trading import level_sources, plan, scenarios, windows
from trading import levels as levels_of
from trading.judge_rule import JudgeRule
from trading.names import Basis, Gate, Recommendation, RiskClass, Scenario

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tokens.bar_grid import Grid
    from trading.context import Context, Facts, Indicators
    from trading.levels import Levels
    from trading.plan import Plan
    from trading.scenarios import Divergences, Read
    from trading.triggers.firing import Fired
    from trading.windows import Places

    Numbers = NDArray[np.float64]
    Codes = NDArray[np.int8]
    Flags = NDArray[np.bool_]

__all__ = ["JudgeRule", "Judged", "joined", "judge"]

RECOMMENDATIONS, BASES, GATES, RISKS = tuple(Recommendation), tuple(Basis), tuple(Gate), tuple(RiskClass)
AT_ONCE = 1000  # points; more would need much memory, fewer much time
LOWER, UPPER = 0.4, 0.6  # parts of a range that are its edges


@dataclass(frozen=True, slots=True)
class Judged:
    """n points, (n,) unless said otherwise; codes are places in the tuples of names. Prices are in dollars."""

    rows: Places
    columns: Places
    end: Places  # when the judged bar closes, seconds since 1970
    price: Numbers  # last known close
    context: Context
    levels: Levels
    read: Read
    score: Numbers
    score_parts: dict[str, Numbers]
    confidence: Numbers  # the score, or the probability of winning that outcomes have made of it
    confidence_low: Numbers  # the interval of a probability, NaN for a score
    confidence_high: Numbers
    confidence_is_probability: Flags
    scenario: Codes
    recommendation_original: Codes
    recommendation: Codes
    basis: Codes
    gate: Codes
    side: Codes  # of the plan: 1 a rise, −1 a fall, 0 nothing to enter
    entry: Numbers
    stop: Numbers
    targets: Numbers  # (3, n)
    reward_risk: Numbers  # after costs, of the plan that was made, whether it pays enough to be held to or not
    first_reward: Numbers  # of the first target alone
    expectancy: Numbers  # in risks, after costs; NaN while confidence is no probability
    risk_class: Codes
    impact: Numbers  # of the order that the rule reckons with
    liquidity_assumed: Flags
    higher_agreement: Numbers
    contradictory: Flags

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def enters(self) -> Flags:
        """Where a position may be opened by the plan. It is the original recommendation's: behind a closed gate it is kept, to be followed
        on paper and held against the gate, but nothing is entered by it."""
        return np.asarray((self.side != 0) & (self.gate == 0))

    @property
    def level_prices(self) -> Numbers:
        """(levels, n) in dollars."""
        return self.levels.price * self.price


def judge(
    grid: Grid,
    rows: Places,
    columns: Places,
    fired: Fired | None = None,
    rule: JudgeRule | None = None,
    calibration: calibrations.Calibration | None = None,
    *,
    facts: Facts | None = None,
    indicators: Indicators | None = None,
    days: Grid | None = None,
) -> Judged:
    """Judge the points (rows[i], columns[i]). `indicators` are those of the whole grid, `days` the whole days in UTC (made from the grid
    where they are not given: a grid of eight hours knows no day). `fired` is Stage 1's of the same grid; without it nobody has looked for
    divergences."""
    rows, columns = np.asarray(rows, dtype=np.int64), np.asarray(columns, dtype=np.int64)
    rule = JudgeRule() if rule is None else rule
    unseen = scenarios.Divergences.unknown(len(rows))
    divergences = unseen if fired is None else scenarios.Divergences.seen_by(fired, rows, columns)
    facts = contexts.Facts.unknown(len(rows)) if facts is None else facts
    indicators = contexts.measure(grid) if indicators is None else indicators
    days = windows.day_bars(grid) if days is None else days
    parts = [slice(start, start + AT_ONCE) for start in range(0, max(len(rows), 1), AT_ONCE)]
    seen: Seen = joined([see(grid, rows[some], columns[some], rule, _part(facts, some), indicators, days) for some in parts])
    return decide(rows, columns, seen.end, seen.price, seen.context, seen.levels, divergences, rule, calibration, facts)


def _part(columns: Any, some: slice) -> Any:
    return type(columns)(**{field.name: getattr(columns, field.name)[some] for field in fields(columns)})


def joined(pieces: list[Any]) -> Any:
    """Dataclasses and mappings of arrays, one behind the other along the last axis."""
    first = pieces[0]
    if len(pieces) == 1:
        return first
    if is_dataclass(first):
        parts = {field.name: joined([getattr(piece, field.name) for piece in pieces]) for field in fields(first)}
        return replace(first, **parts)  # type: ignore[type-var]
    if isinstance(first, dict):
        return {name: joined([piece[name] for piece in pieces]) for name in first}
    return np.concatenate(pieces, axis=-1)


def judge_at(
    grid: Grid,
    rows: Places,
    columns: Places,
    divergences: Divergences,
    rule: JudgeRule,
    calibration: calibrations.Calibration | None,
    facts: Facts,
    indicators: Indicators,
    days: Grid,
) -> Judged:
    """As `judge`, with nothing left out, for a number of points that memory holds at once."""
    seen = see(grid, rows, columns, rule, facts, indicators, days)
    return decide(rows, columns, seen.end, seen.price, seen.context, seen.levels, divergences, rule, calibration, facts)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the bars of each point tell."""

    end: Places
    price: Numbers
    context: Context
    levels: Levels


def see(
    grid: Grid,
    rows: Places,
    columns: Places,
    rule: JudgeRule,
    facts: Facts,
    indicators: Indicators,
    days: Grid,
) -> Seen:
    """The half of the judgement that looks at bars: much for each point, so it takes few at a time."""
    cut = windows.cut(grid, rows, columns, days)
    traded = level_sources.Traded.of(cut)
    profile = level_sources.volume_by_price(cut, rule.profile_bars, traded)
    context = contexts.describe(cut, facts, indicators, rows, columns, profile)
    return Seen(cut.end, cut.last, context, levels_of.find(cut, context.atr, rule, profile, traded))


def decide(
    rows: Places,
    columns: Places,
    end: Places,
    price: Numbers,
    context: Context,
    levels: Levels,
    divergences: Divergences,
    rule: JudgeRule,
    calibration: calibrations.Calibration | None,
    facts: Facts,
    confidence_is: Numbers | None = None,
) -> Judged:
    """From what is seen to what follows: the half of the judgement that looks at no bar. `confidence_is` asks what would follow if the
    confidence were that."""
    read = scenarios.read(context, levels, divergences, rule)
    score, score_parts = confidences.score(read, context, levels, rule)
    recommendation, basis, side = _recommend(read, context, levels, facts.may_be_short & rule.short, rule)
    usual = np.where(facts.may_be_short, rule.exchange_round_trip_cost, rule.round_trip_cost)
    cost = np.where(np.isnan(facts.round_trip_cost), usual, facts.round_trip_cost)
    planned = plan.make(side, levels, context.atr, cost, rule)
    recommendation, basis, side = _held_to(planned, recommendation, basis, side, rule)
    known, confidence, low, high = _confidence(score, calibration)
    confidence = confidence if confidence_is is None else confidence_is
    expectancy = np.where(known & (side != 0), confidences.expectancy(confidence, planned.reward_risk), np.nan)
    with np.errstate(invalid="ignore"):
        strong = np.where(known, expectancy >= rule.strong_expectancy, confidence >= rule.strong_confidence)
    recommendation = np.where((recommendation == _code(Recommendation.BUY)) & strong, _code(Recommendation.STRONG_BUY), recommendation)
    entered = side != 0
    impact = contexts.impact(facts, rule.order_usd, rule.assumed_liquidity)
    return Judged(
        rows,
        columns,
        end,
        price,
        context,
        levels,
        read,
        score,
        score_parts,
        confidence,
        low,
        high,
        known,
        read.chosen,
        recommendation.astype(np.int8),
        recommendation.astype(np.int8),
        basis.astype(np.int8),
        np.zeros(len(rows), dtype=np.int8),
        side.astype(np.int8),
        entry=np.where(entered, price, np.nan),
        stop=np.where(entered, price * planned.stop, np.nan),
        targets=np.where(entered, price * planned.targets, np.nan),
        reward_risk=planned.reward_risk,
        first_reward=planned.first_reward,
        expectancy=expectancy,
        risk_class=_risk(read, context, planned, impact, facts, rule),
        impact=impact,
        liquidity_assumed=~(facts.liquidity >= 0),
        higher_agreement=confidences.higher_agreement(context, scenarios.SIDE_OF[read.chosen]),
        contradictory=facts.contradictory,
    )


_CODES = {(kind, name): place for kind in (Recommendation, Basis, RiskClass, Scenario) for place, name in enumerate(kind)}


def _code(name: Recommendation | Basis | RiskClass | Scenario) -> int:
    return _CODES[type(name), name]


def _recommend(read: Read, context: Context, levels: Levels, short: Flags, rule: JudgeRule) -> tuple[Any, Any, Any]:
    """What the scenario says by itself: recommendation, basis, and the side to plan for."""
    n = len(read.chosen)
    said, basis, side = np.full(n, _code(Recommendation.WAIT)), np.full(n, _code(Basis.SCENARIO)), np.zeros(n, dtype=np.int64)
    with np.errstate(invalid="ignore"):
        dip, rally = (levels.away(which) <= rule.near_atr for which in (levels.support, levels.resistance))
        wide = context.band_atr >= rule.range_band_atr
        low, high = dip & (context.band_place <= LOWER), rally & (context.band_place >= UPPER)

    def follow(where: Flags, recommendation: Recommendation, reason: Basis = Basis.SCENARIO, way: int = 0) -> None:
        said[where], basis[where] = _code(recommendation), _code(reason)
        side[where] = way if way >= 0 else np.where(short[where], -1, 0)

    def seen(scenario: Scenario) -> Flags:
        return np.asarray(read.chosen == _code(scenario))

    nothing = np.isnan(read.score).all(axis=0)
    follow(seen(Scenario.NONE) & nothing, Recommendation.WAIT, Basis.NOTHING_KNOWN)
    follow(seen(Scenario.NONE) & ~nothing, Recommendation.WAIT, Basis.NO_SCENARIO)
    follow(seen(Scenario.BULLISH_BREAKOUT) | seen(Scenario.BULLISH_REVERSAL), Recommendation.BUY, way=1)
    follow(seen(Scenario.BULLISH_CONTROL) & dip, Recommendation.BUY_IN_DIPS, way=1)
    follow(seen(Scenario.BULLISH_CONTROL) & ~dip, Recommendation.HOLD, Basis.NO_SUPPORT_NEAR)
    follow(seen(Scenario.BEARISH_BREAKOUT) | seen(Scenario.BEARISH_CONTROL) & ~rally, Recommendation.SELL, way=-1)
    follow(seen(Scenario.BEARISH_REVERSAL) | seen(Scenario.BEARISH_CONTROL) & rally, Recommendation.SELL_ON_RALLIES, way=-1)
    calm = seen(Scenario.RANGE_BOUND)
    follow(calm & ~wide, Recommendation.WAIT, Basis.BAND_TOO_NARROW)
    follow(calm & wide, Recommendation.WAIT, Basis.NOT_AT_AN_EDGE)
    follow(calm & wide & low, Recommendation.RANGE_TRADE, way=1)
    follow(calm & wide & high & short, Recommendation.RANGE_TRADE, way=-1)
    follow(seen(Scenario.HIGH_VOLATILITY), Recommendation.AVOID_HIGH_RISK)
    follow(seen(Scenario.MANIPULATED), Recommendation.AVOID)
    return said, basis, side


def _held_to(planned: Plan, said: Any, basis: Any, side: Any, rule: JudgeRule) -> tuple[Any, Any, Any]:
    """An entry whose plan does not pay is no entry: WAIT, with the reason. A SELL stays what it is for who holds the token."""
    with np.errstate(invalid="ignore"):
        poor = planned.there & ~((planned.reward_risk >= rule.least_reward_risk) & (planned.first_reward > 0))
    missing, poor = (side != 0) & ~planned.there, (side != 0) & poor
    sells = np.isin(said, [_code(Recommendation.SELL), _code(Recommendation.SELL_ON_RALLIES)])
    basis = np.where(missing & ~sells, _code(Basis.NO_PLAN), np.where(poor & ~sells, _code(Basis.REWARD_RISK), basis))
    said = np.where((missing | poor) & ~sells, _code(Recommendation.WAIT), said)
    return said, basis, np.where(missing | poor, 0, side)


def _confidence(score: Numbers, calibration: calibrations.Calibration | None) -> tuple[Flags, Numbers, Numbers, Numbers]:
    if calibration is None:
        unknown = np.full(len(score), np.nan)
        return np.zeros(len(score), dtype=np.bool_), score, unknown, unknown
    probability, low, high = calibration(score)
    return ~np.isnan(score), probability, low, high


def _risk(read: Read, context: Context, planned: Plan, impact: Numbers, facts: Facts, rule: JudgeRule) -> Codes:
    """By the loss at the stop (without a plan: at the usual one); never low where the pool is unknown or too small for the order."""
    with np.errstate(invalid="ignore"):
        loss = np.where(planned.there, np.abs(planned.stop - 1.0), rule.stop_atr * context.atr)
        found = np.full(len(loss), _code(RiskClass.LOW))
        found[loss >= rule.risk_medium] = _code(RiskClass.MEDIUM)
        found[np.isnan(loss)] = _code(RiskClass.UNKNOWN)
        thin = (impact >= rule.impact_close) | ~(facts.liquidity >= 0)
        violent = read.chosen == _code(Scenario.HIGH_VOLATILITY)
        found[(loss >= rule.risk_high) | ((thin | violent) & ~np.isnan(loss))] = _code(RiskClass.HIGH)
        found[(loss >= rule.risk_extreme) | (read.chosen == _code(Scenario.MANIPULATED))] = _code(RiskClass.EXTREME)
    return found.astype(np.int8)
