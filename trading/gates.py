"""What keeps a recommendation from being given: gates with hysteresis, and a pause between one entry and the next.

A gate closes at one figure and opens again only at a better one; in between, and while its figure is unknown, it stays as it was. That
needs a memory of each token, which is given and returned. A closed gate turns a recommendation into WAIT, and never into anything else;
the original one, its plan and the name of the first gate that was closed are kept. AVOID and WAIT pass every gate: they ask for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.judgement import GATES, RECOMMENDATIONS
from trading.names import Gate, Recommendation, Scenario
from trading.scenarios import SCENARIOS, SIDE_OF

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trading.judge_rule import JudgeRule
    from trading.judgement import Judged

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Places = NDArray[np.int64]

WAIT = RECOMMENDATIONS.index(Recommendation.WAIT)
ASKS_FOR_NOTHING = [RECOMMENDATIONS.index(one) for one in (Recommendation.WAIT, Recommendation.AVOID, Recommendation.AVOID_HIGH_RISK)]
# What longer bars say of a range or a turn says nothing about it: a turn begins against them.
WITH_THE_TREND = [
    SCENARIOS.index(one)
    for one in (Scenario.BULLISH_BREAKOUT, Scenario.BEARISH_BREAKOUT, Scenario.BULLISH_CONTROL, Scenario.BEARISH_CONTROL)
]


@dataclass(frozen=True, slots=True)
class GateMemory:
    """Of each token of the grid, in its order."""

    closed: Flags  # (gates, tokens)
    standing: NDArray[np.int8]  # (tokens,) side of the entry that was recommended last time, 0: none
    entered_at: Numbers  # (tokens,) when the last entry began to be recommended, seconds since 1970; NaN: never

    @classmethod
    def empty(cls, tokens: int) -> GateMemory:
        return cls(np.zeros((len(GATES), tokens), dtype=np.bool_), np.zeros(tokens, dtype=np.int8), np.full(tokens, np.nan))

    @property
    def closed_bits(self) -> Places:
        """The closed gates of a token as one integer, for a column of the database."""
        found: Places = (self.closed * (1 << np.arange(len(GATES)))[:, None]).sum(axis=0)
        return found

    @classmethod
    def stored(cls, closed_bits: Places, standing: NDArray[np.int8], entered_at: Numbers) -> GateMemory:
        closed = (closed_bits >> np.arange(len(GATES))[:, None]) & 1 == 1
        return cls(closed, np.asarray(standing, dtype=np.int8), np.asarray(entered_at, dtype=np.float64))


class Figure(NamedTuple):
    gate: Gate
    closes: Flags
    opens: Flags
    holds_back: Flags  # recommendations that this gate is about


def apply(judged: Judged, memory: GateMemory, rule: JudgeRule) -> tuple[Judged, GateMemory]:
    """Points of one token are taken in the order of their bars; to pass them all at once or one after the other is the same."""
    order = np.lexsort((judged.rows, judged.columns))
    gate, closed = np.zeros(len(judged), dtype=np.int8), memory.closed.copy()
    for figure in _figures(judged, rule):
        code = GATES.index(figure.gate)
        state = _with_memory(figure, order, judged.columns, closed[code])
        gate = np.where((gate == 0) & state & figure.holds_back, code, gate)
    entries = (judged.side != 0) & ~np.isin(judged.recommendation_original, ASKS_FOR_NOTHING)
    cooling, standing, entered_at = _cool_down(judged, entries & (gate == 0), order, memory, rule)
    gate = np.where(cooling, GATES.index(Gate.COOL_DOWN), gate).astype(np.int8)
    recommendation = np.where(gate > 0, WAIT, judged.recommendation_original).astype(np.int8)
    return replace(judged, recommendation=recommendation, gate=gate), GateMemory(closed, standing, entered_at)


def _figures(judged: Judged, rule: JudgeRule) -> Iterator[Figure]:
    """In the order in which they are named: bad data first."""
    context, asks = judged.context, ~np.isin(judged.recommendation_original, ASKS_FOR_NOTHING)
    entries = asks & (judged.side != 0)
    yield Figure(Gate.STALE, ~(context.age < rule.stale_bars), context.age <= rule.fresh_bars, asks)
    yield Figure(Gate.TOO_FEW_BARS, context.bars < rule.least_bars, context.bars >= rule.least_bars, asks)
    yield Figure(Gate.GAPS, context.missing >= rule.gaps_close, context.missing <= rule.gaps_open, asks)
    exempt = ~(judged.confidence >= rule.low_atr_exempt)
    yield Figure(Gate.LOW_ATR, context.atr <= rule.low_atr_close, context.atr >= rule.low_atr_open, entries & exempt)
    against = np.where(SIDE_OF[judged.scenario] == 0, 0.0, judged.read.opposite)
    open_again = (against <= rule.contradiction_open) & ~judged.contradictory
    yield Figure(Gate.CONTRADICTION, (against >= rule.contradiction_close) | judged.contradictory, open_again, asks)
    trending = np.isin(judged.scenario, WITH_THE_TREND)
    agreement = np.where(trending, judged.higher_agreement, np.nan)
    yield Figure(Gate.HIGHER_TIME_FRAME, agreement <= rule.higher_close, agreement >= rule.higher_open, entries & trending)
    probable = judged.confidence_is_probability
    low = np.where(probable, judged.expectancy <= rule.expectancy_close, judged.confidence <= rule.confidence_close)
    high = np.where(probable, judged.expectancy >= rule.expectancy_open, judged.confidence >= rule.confidence_open)
    yield Figure(Gate.CONFIDENCE, low, high, entries | (asks & ~probable))
    yield Figure(Gate.IMPACT, judged.impact >= rule.impact_close, judged.impact <= rule.impact_open, entries)


def _with_memory(figure: Figure, order: Places, columns: Places, closed: Flags) -> Flags:
    """(n,) whether the gate is closed at each point: by the newest point of its token that said so, this one included, else by memory.
    `closed` (tokens,) is moved on to each token's last point."""
    column, says = columns[order], (figure.closes | figure.opens)[order]
    place = np.arange(len(order))
    begins = np.r_[True, column[1:] != column[:-1]][: len(order)]
    spoken = np.maximum.accumulate(np.where(says, place, -1))
    own = spoken >= np.maximum.accumulate(np.where(begins, place, 0))
    state = np.where(own, figure.closes[order][np.maximum(spoken, 0)], closed[column])
    closed[column] = state  # of equal columns the last one stays
    found = np.empty(len(order), dtype=np.bool_)
    found[order] = state
    return found


def _cool_down(
    judged: Judged, entries: Flags, order: Places, memory: GateMemory, rule: JudgeRule
) -> tuple[Flags, NDArray[np.int8], Numbers]:
    """An entry that goes on is no new one; a new one has to wait. One round for each further entry of a token: where a point is none,
    the entry before it has ended."""
    standing, entered_at, cooling = memory.standing.copy(), memory.entered_at.copy(), np.zeros(len(order), dtype=np.bool_)
    column, wanted = judged.columns[order], entries[order]
    fresh = np.r_[True, column[1:] != column[:-1]][: len(order)]
    ended = np.empty(len(order), dtype=np.bool_)
    ended[order] = ~fresh & ~np.r_[True, wanted[:-1]][: len(order)]
    asks = order[wanted]
    for some in _rounds(judged.columns[asks], asks):
        token, side = judged.columns[some], judged.side[some]
        goes_on = (standing[token] == side) & ~ended[some]
        held = ~goes_on & (judged.end[some] - entered_at[token] < rule.cool_down_sec)
        cooling[some] = held
        entered_at[token] = np.where(held | goes_on, entered_at[token], judged.end[some])
        standing[token] = np.where(held, 0, side)
    last = np.r_[fresh[1:], True][: len(order)]
    standing[column[last & ~wanted]] = 0
    return cooling, standing, entered_at


def _rounds(column: Places, points: Places) -> list[Places]:
    """The first point of each token, then the second of each … Points of one token stand together, in their order."""
    begins = np.flatnonzero(np.r_[True, column[1:] != column[:-1]][: len(column)])
    turn = np.arange(len(column)) - np.repeat(begins, np.diff(np.r_[begins, len(column)]))
    by_turn = points[np.argsort(turn, kind="stable")]
    return np.split(by_turn, np.cumsum(np.bincount(turn))[:-1]) if len(column) else []
