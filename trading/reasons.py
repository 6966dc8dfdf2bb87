"""How many independent reasons speak for an asset, and whether they make an ALERT.

Two triggers that always fire together are one reason. How much one depends on another is measured from past firings:

    dependence(i, j) = (share of the rarer one's bars at which the other was on too − share of all bars at which the other is on)
                       / (1 − share of all bars at which the other is on),   cut to 0 … 1

0 where they meet as often as chance has it, 1 where the rarer never comes alone. Until enough firings were seen, a stated prior takes its
place (one number for triggers of a family, one for all others): it weighs as much as `prior_firings` of the rarer one. Counts fade, with
a half-life in bars.

The effective number of a set of reasons with dependences C (1 on the diagonal) is

    max (Σ w)² / (wᵀ C w)   over weights w ≥ 0

which lies between 1 and their number n, is n when all are independent and 1 when all are one, is n / (1 + (n − 1) ρ), the design effect,
when all depend by ρ, and never falls when a reason is added.

A reason counts for `reason_bars` bars. Reasons for a rise and reasons for a fall are two cases: each is counted with those that speak for
neither side, and the better one is the alert's. Where ATR is below the low gate, or not known, one of its reasons must be strong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from learning.indicators.windows import gathered, joined_by
from scoring.stage_parameters import built, default_of
from trading.names import FAMILY_OF, STRONG, Trigger
from trading.triggers.firing import Fired

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Signs = NDArray[np.int8]
    Bits = NDArray[np.uint16]

TRIGGERS = tuple(Trigger)
SINGULAR = 1e-9  # of the smallest eigenvalue: among such reasons one says no more than the others together
ROUNDING = 1e-9  # that a count may lie below its limit


@dataclass(frozen=True, slots=True)
class AlertRule:
    """The operator's numbers."""

    least_effective: float = default_of("trigger_alert_least_effective")
    reason_bars: int = default_of("trigger_alert_reason_bars")
    family_dependence: float = default_of("trigger_alert_family_dependence")
    other_dependence: float = default_of("trigger_alert_other_dependence")
    prior_firings: float = default_of("trigger_alert_prior_firings")
    half_life_bars: float = default_of("trigger_alert_half_life_bars")

    @classmethod
    def from_settings(cls, values: Mapping[str, Any]) -> AlertRule:
        return built(cls, values, "trigger_alert_")


@dataclass(frozen=True, slots=True)
class CoFiring:
    """What was counted so far: bars, and bars at which both of two triggers counted as reasons (on the diagonal: one of them)."""

    bars: float
    together: Numbers  # (triggers, triggers)

    @classmethod
    def nothing_seen(cls) -> CoFiring:
        return cls(0.0, np.zeros((len(TRIGGERS), len(TRIGGERS))))

    def seen(self, fired: Fired, rule: AlertRule) -> CoFiring:
        """With these firings counted in; what was counted before fades by the bars that were added."""
        sets = np.bincount(_held(_bits(fired), rule.reason_bars)[fired.seen], minlength=1 << len(TRIGGERS))
        members = (np.arange(len(sets))[:, None] >> np.arange(len(TRIGGERS)) & 1).astype(np.float64)
        bars = float(sets.sum())
        fade = 0.5 ** (bars / rule.half_life_bars)
        return CoFiring(fade * self.bars + bars, fade * self.together + members.T @ (sets[:, None] * members))

    def dependence(self, rule: AlertRule) -> Numbers:
        """(triggers, triggers), 1 on the diagonal."""
        prior = _prior(rule)
        each = np.diag(self.together)
        rarer = np.minimum(each[:, None], each[None, :])
        chance = np.maximum(each[:, None], each[None, :]) / max(self.bars, 1.0)
        told = (rarer > 0) & (chance < 1)
        overlap = np.where(told, self.together, 0.0) / np.where(told, rarer, 1.0)
        measured = np.where(told, np.clip((overlap - chance) / np.where(told, 1.0 - chance, 1.0), 0.0, 1.0), prior)
        weight = np.where(told, rarer / (rarer + rule.prior_firings), 0.0)
        both: Numbers = weight * measured + (1.0 - weight) * prior
        np.fill_diagonal(both, 1.0)
        return both

    def stored(self) -> dict[str, Any]:
        """As plain values, by name: a trigger that is added later finds its place."""
        pairs = {
            f"{first} {second}": float(self.together[i, j])
            for i, first in enumerate(TRIGGERS)
            for j, second in enumerate(TRIGGERS)
            if i <= j and self.together[i, j]
        }
        return {"bars": self.bars, "together": pairs}

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> CoFiring:
        """From what `stored` gave; an empty mapping is nothing seen."""
        known = cls.nothing_seen()
        place = {name.value: number for number, name in enumerate(TRIGGERS)}
        for pair, count in values.get("together", {}).items():
            first, second = pair.split(" ")
            if first in place and second in place:
                known.together[place[first], place[second]] = known.together[place[second], place[first]] = count
        return cls(float(values.get("bars", 0.0)), known.together)


def _prior(rule: AlertRule) -> Numbers:
    family = [FAMILY_OF[name] for name in TRIGGERS]
    dependence = [[rule.family_dependence if one == other else rule.other_dependence for one in family] for other in family]
    prior = np.array(dependence, dtype=np.float64)
    np.fill_diagonal(prior, 1.0)
    return prior


@dataclass(frozen=True, slots=True)
class Alerts:
    """(bars, tokens) each. `begins` is the first bar of an alert, where there was none at the bar before."""

    on: Flags
    begins: Flags
    effective: Numbers  # 0 where there is no reason
    direction: Signs
    reasons: Bits  # the reasons of that side, one bit each in the order of Trigger

    def names(self, row: int, column: int) -> list[Trigger]:
        return named(int(self.reasons[row, column]))


def named(bits: int) -> list[Trigger]:
    return [name for number, name in enumerate(TRIGGERS) if bits >> number & 1]


def alert(fired: Fired, co_firing: CoFiring, rule: AlertRule) -> Alerts:
    """Where enough independent reasons meet. `co_firing` must have been measured before the first of these bars."""
    rise, fall = (_held(_bits(fired, against=-side), rule.reason_bars) for side in (1, -1))
    table = EffectiveNumbers(co_firing.dependence(rule))
    for_rise, for_fall = table.of(rise), table.of(fall)
    upward = for_rise >= for_fall
    reasons, effective = np.where(upward, rise, fall), np.where(upward, for_rise, for_fall)
    strong = sum(1 << number for number, name in enumerate(TRIGGERS) if name in STRONG)
    on = fired.seen & (effective >= rule.least_effective - ROUNDING) & (~fired.low_atr | (reasons & np.uint16(strong) != 0))
    begins = on.copy()
    begins[1:] &= ~on[:-1]
    return Alerts(on, begins, effective, np.sign(for_rise - for_fall).astype(np.int8), reasons)


def _bits(fired: Fired, against: int | None = None) -> Bits:
    """Every bar's reasons as bits; without those that speak for the side `against`."""
    bits = np.zeros(fired.seen.shape, dtype=np.uint16)
    for number, name in enumerate(TRIGGERS):
        on = fired.on[name] if against is None else fired.on[name] & (fired.direction[name] != against)
        bits |= on.astype(np.uint16) << np.uint16(number)
    return bits


def _held(bits: Bits, bars: int) -> Bits:
    """Each reason over the bars for which it counts."""
    held: Bits = gathered(bits, bars, joined_by(np.bitwise_or))
    return held


class EffectiveNumbers:
    """The effective number of every set of reasons that is met, each worked out once.

    The best weights are those of some part of the set at which no weight is worth changing: either all of it, or a part with one reason
    less, which was worked out the same way."""

    def __init__(self, dependence: Numbers) -> None:
        self._dependence = dependence
        self._known: dict[int, float] = {0: 0.0}

    def of(self, bits: Bits) -> Numbers:
        table = np.zeros(1 << len(self._dependence))
        for each in np.nonzero(np.bincount(bits.ravel(), minlength=len(table)))[0]:
            table[each] = self.of_set(int(each))
        return table[bits]

    def of_set(self, bits: int) -> float:
        if bits not in self._known:
            members = [number for number in range(bits.bit_length()) if bits >> number & 1]
            smaller = max(self.of_set(bits & ~(1 << number)) for number in members)
            self._known[bits] = max(smaller, _worth(self._dependence[np.ix_(members, members)]))
        return self._known[bits]


def _worth(dependence: Numbers) -> float:
    """1ᵀ C⁻¹ 1, if the weights C⁻¹ 1 are all positive; else the best lies on a smaller part."""
    if len(dependence) > 1 and np.linalg.eigvalsh(dependence)[0] < SINGULAR:
        return 0.0
    weights = np.linalg.solve(dependence, np.ones(len(dependence)))
    return float(weights.sum()) if (weights > 0).all() else 0.0


def effective_number(dependence: Numbers) -> float:
    """Of all the reasons with these dependences."""
    return EffectiveNumbers(dependence).of_set((1 << len(dependence)) - 1)


def effective_of(names: Sequence[Trigger], co_firing: CoFiring, rule: AlertRule) -> float:
    """Of these reasons; naming one twice makes it no more."""
    return EffectiveNumbers(co_firing.dependence(rule)).of_set(sum(1 << TRIGGERS.index(name) for name in set(names)))
