"""Stage 1 and Stage 2 over a grid, from bars to signals: what a live cycle and a back-test both call.

    prefilter → market state → triggers → alerts → judgement at some points → gates → signals

A live cycle passes the last WINDOW rows and decides the newest (`first_row`); a back-test passes all rows and decides all. Nothing looks
past its own row. What one row must know of those before it, beside their bars, is in the memory, which is given and returned.

Judged is where an alert begins, and where it goes on, every AGAIN minutes. How often triggers fire together is learned a day (in UTC) at a
time: a day's alerts rest on the days before it, so that it does not matter how the day was cut into cycles.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tokens.bar_grid import Grid
from trading import book, gates
from trading.book import BrokerRules, Flags, Places, Signals, Tape
from trading.calibration import Calibration
from trading.context import Facts, Indicators
from trading.judge_rule import JudgeRule
from trading.judgement import GATES, RECOMMENDATIONS, Judged, joined, judge
from trading.market_state import MarketStates, StateRule, states_of
from trading.names import Recommendation
from trading.prefilter import AssetFacts, PrefilterRule, Sifted, sift
from trading.reasons import AlertRule, Alerts, CoFiring, Held, alerts_of, held
from trading.thresholds import Thresholds, in_force, of_tokens
from trading.triggers import Fired, fire

Lap = Callable[[str], None]

AGAIN = 15  # minutes
EARLIER_FIRINGS = 60  # bars before the first judged one whose firings still count: a reason for 30 at most, a divergence for fewer
DAY_SEC, MINUTE_SEC = 86_400, 60
AGAINST_LONG = (Recommendation.SELL, Recommendation.SELL_ON_RALLIES, Recommendation.AVOID, Recommendation.AVOID_HIGH_RISK)
AGAINST_SHORT = (
    Recommendation.STRONG_BUY,
    Recommendation.BUY,
    Recommendation.BUY_IN_DIPS,
    Recommendation.AVOID,
    Recommendation.AVOID_HIGH_RISK,
)


@dataclass(frozen=True, slots=True)
class StageRules:
    """All that the operator sets for the three stages."""

    prefilter: PrefilterRule = field(default_factory=PrefilterRule)
    state: StateRule = field(default_factory=StateRule)
    thresholds: Thresholds = field(default_factory=Thresholds)
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    alert: AlertRule = field(default_factory=AlertRule)
    judge: JudgeRule = field(default_factory=JudgeRule)
    broker: BrokerRules = field(default_factory=BrokerRules)

    @classmethod
    def from_settings(cls, values: Mapping[str, Any]) -> StageRules:
        return cls(
            PrefilterRule.from_settings(values),
            StateRule.from_settings(values),
            Thresholds.from_settings(values),
            values.get("trigger_overrides") or {},
            AlertRule.from_settings(values),
            JudgeRule.from_settings(values),
            book.from_settings(values),
        )


@dataclass(frozen=True, slots=True)
class Learned:
    """How often triggers met: in force is what was seen on the days before `day`; counted is what `day` has brought so far."""

    in_force: CoFiring
    counted: CoFiring
    day: int = -1

    @classmethod
    def nothing(cls) -> Learned:
        return cls(CoFiring.nothing_seen(), CoFiring.nothing_seen())

    def on(self, day: int, rule: AlertRule) -> Learned:
        """As it stands when a day begins: what was counted before comes into force, and the older fades by it."""
        if day <= self.day:
            return self
        fade = 0.5 ** (self.counted.bars / rule.half_life_bars)
        old, new = self.in_force, self.counted
        return Learned(CoFiring(fade * old.bars + new.bars, fade * old.together + new.together), CoFiring.nothing_seen(), day)

    def seen(self, reasons: Held, rule: AlertRule) -> Learned:
        """With these rows counted."""
        new = CoFiring.nothing_seen().counting(reasons, rule)
        return replace(self, counted=CoFiring(self.counted.bars + new.bars, self.counted.together + new.together))

    def stored(self) -> dict[str, Any]:
        return {"in_force": self.in_force.stored(), "counted": self.counted.stored(), "day": self.day}

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> Learned:
        if not values:
            return cls.nothing()
        return cls(CoFiring.restored(values["in_force"]), CoFiring.restored(values["counted"]), int(values["day"]))


@dataclass(frozen=True, slots=True)
class Memory:
    """What a row must know of the rows before it, for each token of the grid, in its order."""

    gates: gates.GateMemory
    inside: Flags  # let through by the prefilter
    learned: Learned

    @classmethod
    def empty(cls, tokens: int) -> Memory:
        return cls(gates.GateMemory.empty(tokens), np.zeros(tokens, dtype=np.bool_), Learned.nothing())


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the tokens beside their bars. Left out: nothing, and where no facts are given the prefilter lets everybody in."""

    addresses: Sequence[str] = ()
    facts: Sequence[tuple[int, AssetFacts]] = ()  # (row, the facts from it on), rows rising
    at_points: Callable[[Places, Places], Facts] | None = None  # rows, columns → what was known there
    days: Grid | None = None  # whole days; left out, they are made from the grid
    calibrations: Sequence[tuple[int, Calibration | None]] = ()  # (row, what a score is worth from it on), rows rising
    in_pools: Flags | None = None  # by token: else on an exchange. Left out, all of them
    looked_at: Flags | None = None  # (bars, tokens): where not, nothing is counted, sifted or judged. Left out, everywhere

    @property
    def calibration(self) -> Calibration | None:
        """That of the newest row."""
        return self.calibrations[-1][1] if self.calibrations else None


@dataclass(frozen=True, slots=True)
class Decided:
    """Arrays are of the whole grid; what lies before `first_row` is unjudged."""

    first_row: int
    states: MarketStates
    fired: Fired
    alerts: Alerts
    kept: Flags  # (bars, tokens)
    sifted: Sifted | None  # of the newest row
    judged: Judged  # after the gates
    signals: Signals
    of: Places  # the judged point of each signal
    leave_long: Flags
    leave_short: Flags
    memory: Memory
    in_pools: Flags | None  # by token

    def tape(self, grid: Grid, liquidity: book.Numbers | None = None, observed: Flags | None = None) -> Tape:
        return Tape(grid, liquidity, self.states.atr, self.leave_long, self.leave_short, observed, self.in_pools)


def signal_key(end: Places, token: Places) -> Places:
    """One number for a token and the end of a bar: the same decision, made again, has the same key."""
    found: Places = end // MINUTE_SEC * 2**32 + token
    return found


def decide(
    grid: Grid, rules: StageRules, memory: Memory, known: Known | None = None, *, first_row: int = 0, lap: Lap = lambda part: None
) -> Decided:
    """`lap` is told whenever a part has been done: `triggers`, `prefilter`, `judgement`."""
    known = Known() if known is None else known
    addresses = known.addresses or [str(token) for token in grid.tokens]
    states, fired = stirred(grid, rules, addresses, first_row)
    alerts, learned = _alerts(grid, fired, rules.alert, memory.learned, first_row, known.looked_at)
    lap("triggers")
    kept, sifted = _sieve(len(grid), known, rules.prefilter, memory.inside)
    lap("prefilter")
    rows, columns = _points(grid, alerts, kept if known.looked_at is None else kept & known.looked_at, first_row)
    judged = _judged(grid, rows, columns, fired, rules.judge, known, Indicators(states.atr, states.rsi, states.adx))
    judged, gate_memory = gates.apply(judged, memory.gates, rules.judge)
    signals, of = _signals(grid, judged)
    lap("judgement")
    return Decided(
        first_row,
        states,
        fired,
        alerts,
        kept,
        sifted,
        judged,
        signals,
        of,
        _marked(grid, judged, AGAINST_LONG, -1),
        _marked(grid, judged, AGAINST_SHORT, 1),
        Memory(gate_memory, kept[-1] if len(grid) else memory.inside, learned),
        known.in_pools,
    )


def stirred(grid: Grid, rules: StageRules, addresses: Sequence[str], first_row: int) -> tuple[MarketStates, Fired]:
    """The state of each market, and which triggers fire in it: from so many bars before `first_row` on as an alert there may rest on."""
    own = of_tokens(rules.thresholds, rules.overrides, addresses)
    states = states_of(grid, replace(rules.state, atr_high=own.high_gate))
    heard = max(0, first_row - EARLIER_FIRINGS)
    return states, fire(grid, in_force(rules.thresholds, rules.overrides, addresses, states.code), states, heard)


def _alerts(grid: Grid, fired: Fired, rule: AlertRule, learned: Learned, first_row: int, looked_at: Flags | None) -> tuple[Alerts, Learned]:
    """Day by day. A day brings along the row before it, for the beginning of an alert. An alert may have begun before anybody looked."""
    shape, reasons = grid.close.shape, held(fired, rule)
    found = Alerts(
        np.zeros(shape, dtype=np.bool_),
        np.zeros(shape, dtype=np.bool_),
        np.zeros(shape),
        np.zeros(shape, dtype=np.int8),
        np.zeros(shape, dtype=np.uint16),
    )
    day = (grid.open_time + grid.interval_sec - 1) // DAY_SEC
    edges = [first_row, *(np.flatnonzero(np.diff(day[first_row:])) + first_row + 1).tolist(), len(grid)]
    for start, stop in itertools.pairwise(edges):
        if start == stop:
            continue
        learned = learned.on(int(day[start]), rule)
        lead = min(start, 1)
        seen = alerts_of(reasons.rows(slice(start - lead, stop)), learned.in_force, rule)
        for name in ("on", "begins", "effective", "direction", "reasons"):
            getattr(found, name)[start:stop] = getattr(seen, name)[lead:]
        counted = reasons.rows(slice(start, stop))
        if looked_at is not None:
            counted = replace(counted, seen=counted.seen & looked_at[start:stop])
        learned = learned.seen(counted, rule)
    return found, learned


def _sieve(bars: int, known: Known, rule: PrefilterRule, inside: Flags) -> tuple[Flags, Sifted | None]:
    """Of the tokens that are looked at, among themselves; the others stay as they were."""
    kept, sifted, inside = np.ones((bars, len(inside)), dtype=np.bool_), None, inside.copy()
    for row, facts in known.facts:
        some = slice(None) if known.looked_at is None else known.looked_at[row]
        sifted = sift(facts.only(some), rule, inside[some])
        inside[some] = sifted.kept
        kept[row:] = inside
    return kept, sifted


def _points(grid: Grid, alerts: Alerts, kept: Flags, first_row: int) -> tuple[Places, Places]:
    """Rows and columns of what is judged, in the order of time."""
    again = (grid.open_time + grid.interval_sec) % (AGAIN * MINUTE_SEC) == 0
    asked = kept & (alerts.begins | (alerts.on & again[:, None]))
    asked[:first_row] = False
    rows, columns = np.nonzero(asked)
    return rows, columns


def _judged(grid: Grid, rows: Places, columns: Places, fired: Fired, rule: JudgeRule, known: Known, indicators: Indicators) -> Judged:
    """Every point by the calibration that counted when its bar ended."""
    edges = [0, *np.searchsorted(rows, [row for row, _ in known.calibrations[1:]]).tolist(), len(rows)]
    pieces = []
    for (start, stop), (_, calibration) in zip(itertools.pairwise(edges), known.calibrations or [(0, None)], strict=True):
        of, at = rows[start:stop], columns[start:stop]
        facts = None if known.at_points is None else known.at_points(of, at)
        pieces.append(judge(grid, of, at, fired, rule, calibration, facts=facts, indicators=indicators, days=known.days))
    judged: Judged = joined(pieces)
    return judged


def _signals(grid: Grid, judged: Judged) -> tuple[Signals, Places]:
    """A plan behind a closed gate is a signal too: it is not traded, but followed on paper and held against the gate."""
    of = np.flatnonzero(judged.side != 0)
    token = grid.tokens[judged.columns[of]]
    names = np.array(["", *(gate.value for gate in GATES[1:])])
    signals = Signals(
        key=signal_key(judged.end[of], token),
        row=judged.rows[of],
        token=token,
        side=judged.side[of].astype(np.float64),
        confidence=judged.confidence[of],
        quote=judged.entry[of],
        stop=judged.stop[of],
        targets=judged.targets[:, of].T,
        atr=judged.context.atr[of] * judged.price[of],
        refused=names[judged.gate[of]],
    )
    return signals, of


def _marked(grid: Grid, judged: Judged, against: Sequence[Recommendation], side: int) -> Flags:
    """(bars, tokens): the judgement speaks against a position."""
    codes = [RECOMMENDATIONS.index(one) for one in against]
    turned = np.isin(judged.recommendation_original, codes) | (judged.side == side)
    found = np.zeros(grid.close.shape, dtype=np.bool_)
    found[judged.rows[turned], judged.columns[turned]] = True
    return found
