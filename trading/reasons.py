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
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from learning.indicators.windows import spanned
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
OF_ONE_FAMILY = np.array([[FAMILY_OF[one] == FAMILY_OF[other] for one in TRIGGERS] for other in TRIGGERS])
STRONG_BITS = np.uint16(sum(1 << number for number, name in enumerate(TRIGGERS) if name in STRONG))
SINGULAR = 1e-9  # of what a reason adds to the others: less is nothing
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
        return self.counting(held(fired, rule), rule)

    def counting(self, reasons: Held, rule: AlertRule) -> CoFiring:
        """The same from the reasons that count."""
        sets = np.bincount(reasons.every[reasons.seen], minlength=1 << len(TRIGGERS))
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
    prior: Numbers = np.where(OF_ONE_FAMILY, rule.family_dependence, rule.other_dependence)
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


@dataclass(frozen=True, slots=True)
class Held:
    """(bars, tokens) each: the reasons that count at a bar, one bit each in the order of Trigger."""

    every: Bits
    rise: Bits  # without those that speak for a fall
    fall: Bits
    seen: Flags
    low_atr: Flags

    def rows(self, chosen: slice) -> Held:
        return Held(*(getattr(self, field.name)[chosen] for field in fields(self)))


def held(fired: Fired, rule: AlertRule) -> Held:
    every, rise, fall = (np.zeros(fired.seen.shape, dtype=np.uint16) for _ in range(3))
    for number, name in enumerate(TRIGGERS):
        on, direction, bit = fired.on[name], fired.direction[name], np.uint16(1 << number)
        every |= on * bit
        rise |= (on & (direction >= 0)) * bit
        fall |= (on & (direction <= 0)) * bit
    every, rise, fall = (_lasting(bits, rule.reason_bars) for bits in (every, rise, fall))
    return Held(every, rise, fall, fired.seen, fired.low_atr)


def _lasting(bits: Bits, bars: int) -> Bits:
    """Each reason over the bars for which it counts."""
    lasting: Bits = spanned(bits, bars, np.bitwise_or)
    return lasting


def alert(fired: Fired, co_firing: CoFiring, rule: AlertRule) -> Alerts:
    """Where enough independent reasons meet. `co_firing` must have been measured before the first of these bars."""
    return alerts_of(held(fired, rule), co_firing, rule)


def alerts_of(reasons: Held, co_firing: CoFiring, rule: AlertRule) -> Alerts:
    """The same from the reasons that count."""
    table = effective_numbers(co_firing.dependence(rule))
    for_rise, for_fall = table[reasons.rise], table[reasons.fall]
    upward = for_rise >= for_fall
    bits, effective = np.where(upward, reasons.rise, reasons.fall), np.maximum(for_rise, for_fall)
    on = reasons.seen & (effective >= rule.least_effective - ROUNDING) & (~reasons.low_atr | (bits & STRONG_BITS != 0))
    begins = on.copy()
    begins[1:] &= ~on[:-1]
    return Alerts(on, begins, effective, np.sign(for_rise - for_fall).astype(np.int8), bits)


def effective_numbers(dependence: Numbers) -> Numbers:
    """The effective number of every set of reasons, by the set's bits.

    The best weights of a set are those of some part of it at which no weight is worth changing: of the whole, or of a part with one reason
    less."""
    found = _worth(dependence)
    for number in range(len(dependence)):
        with_it = found.reshape(-1, 2, 1 << number)
        np.maximum(with_it[:, 1], with_it[:, 0], out=with_it[:, 1])
    return found


def _worth(dependence: Numbers) -> Numbers:
    """1ᵀ C⁻¹ 1 of every set, by its bits, where the weights C⁻¹ 1 are all positive; else 0, for then the best lies on a smaller part.

    All sets are solved side by side (Cholesky without roots): who is no member stands for himself, and weighs nothing."""
    size = len(dependence)
    members = (np.arange(1 << size) >> np.arange(size)[:, None] & 1).astype(np.float64)  # (reasons, sets)
    matrix = dependence[:, :, None] * members[:, None] * members
    matrix[range(size), range(size)] = 1.0
    weights, sound = members.copy(), np.ones(1 << size, dtype=np.bool_)
    for place in range(size):
        pivot = matrix[place, place].copy()
        sound &= pivot >= SINGULAR
        pivot[~sound] = 1.0
        share = matrix[place, place + 1 :] / pivot
        for row, part in enumerate(share, start=place + 1):  # what lies below the diagonal is that above it
            matrix[row, row:] -= part * matrix[place, row:]
        weights[place + 1 :] -= share * weights[place]
        matrix[place, place + 1 :] = share
        weights[place] /= pivot
    for place in range(size - 1, 0, -1):
        weights[:place] -= matrix[:place, place] * weights[place]
    sound &= ((weights > 0) | (members == 0)).all(axis=0)
    return np.where(sound, weights.sum(axis=0), 0.0)


def effective_number(dependence: Numbers) -> float:
    """Of all the reasons with these dependences."""
    return float(effective_numbers(dependence)[-1])


def effective_of(names: Sequence[Trigger], co_firing: CoFiring, rule: AlertRule) -> float:
    """Of these reasons; naming one twice makes it no more."""
    return float(effective_numbers(co_firing.dependence(rule))[sum(1 << TRIGGERS.index(name) for name in set(names))])
