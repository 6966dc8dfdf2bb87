"""Which assets are worth watching at all: liquidity, volume, turnover, depth, open interest. Every refusal has its reasons, and is counted.

A figure has up to three limits: a fixed least, a percentile of the assets whose figure is known, and for turnover a most. A figure with
no limit (all 0) is not asked. An unknown figure that is asked is a reason of its own; one that does not apply to an asset (the open
interest of a token without futures) refuses nobody, nor does it enter the percentile.

An asset that was let in before stays down to `stay_share` of each least (and up to the most, divided by it), so that one near a limit
does not come and go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.stage_parameters import built, default_of
from trading.names import Refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]

DAY_HOURS = 24.0
LEAST_HOURS = 1 / 12  # less than five minutes say nothing about a day
CENT = 0.01  # what is less is no liquidity to turn over
DEPTH_MOVE = 0.02  # depth is the money that moves the price by so much


@dataclass(frozen=True, slots=True)
class AssetFacts:
    """(tokens,) each; NaN is unknown. `volume` is that of the last `volume_hours`, the longest time up to a day that is known."""

    liquidity: Numbers
    volume: Numbers
    volume_hours: Numbers
    depth: Numbers
    open_interest: Numbers
    in_pools: Flags  # its market is constant-product pools: depth follows from liquidity
    has_futures: Flags

    def only(self, tokens: Any) -> AssetFacts:
        return AssetFacts(*(getattr(self, field.name)[tokens] for field in fields(self)))

    def day_volume(self) -> Numbers:
        """The volume of a day at the pace of the known hours. It is compared with limits, and shown nowhere."""
        hours = np.where(self.volume_hours >= LEAST_HOURS, self.volume_hours, np.nan)
        return self.volume * (DAY_HOURS / np.minimum(hours, DAY_HOURS))

    def turnover(self) -> Numbers:
        """How often a day the liquidity changes hands."""
        return self.day_volume() / np.where(self.liquidity >= CENT, self.liquidity, np.nan)

    def known_depth(self) -> Numbers:
        """As given; else that of a pool."""
        return np.where(np.isnan(self.depth) & self.in_pools, pool_depth(self.liquidity), self.depth)


def pool_depth(liquidity: Numbers, move: float = DEPTH_MOVE) -> Numbers:
    """The dollars that push the price of a constant-product pool up by `move`. Half of its liquidity is the quote side Q, and paying in
    x makes the price (1 + x / Q)² times what it was: x = Q · (√(1 + move) − 1). Fees come on top."""
    depth: Numbers = liquidity / 2.0 * (np.sqrt(1.0 + move) - 1.0)
    return depth


@dataclass(frozen=True, slots=True)
class PrefilterRule:
    """The operator's limits; 0 is none."""

    liquidity_least: float = default_of("prefilter_liquidity_least")
    liquidity_percentile: float = default_of("prefilter_liquidity_percentile")
    volume_least: float = default_of("prefilter_volume_least")
    volume_percentile: float = default_of("prefilter_volume_percentile")
    turnover_least: float = default_of("prefilter_turnover_least")
    turnover_most: float = default_of("prefilter_turnover_most")
    turnover_percentile: float = default_of("prefilter_turnover_percentile")
    depth_least: float = default_of("prefilter_depth_least")
    depth_percentile: float = default_of("prefilter_depth_percentile")
    open_interest_least: float = default_of("prefilter_open_interest_least")
    open_interest_percentile: float = default_of("prefilter_open_interest_percentile")
    stay_share: float = default_of("prefilter_stay_share")

    @classmethod
    def from_settings(cls, values: Mapping[str, Any]) -> PrefilterRule:
        return built(cls, values, "prefilter_")


@dataclass(frozen=True, slots=True)
class Sifted:
    """`refused` has every reason that applied, for each asset; `least` is the limit each figure was held against (0: not asked)."""

    kept: Flags
    refused: dict[Refusal, Flags]
    least: dict[str, float]

    @property
    def counts(self) -> dict[Refusal, int]:
        """Assets by reason. One with two reasons counts twice: the sum is at least the number refused."""
        return {reason: int(flags.sum()) for reason, flags in self.refused.items()}

    @property
    def alone(self) -> dict[Refusal, int]:
        """Assets that this reason alone keeps out: what would come in without it. They sum to the number refused at most."""
        reasons = sum((flags.astype(np.int64) for flags in self.refused.values()), np.zeros(self.kept.shape, dtype=np.int64))
        return {reason: int((flags & (reasons == 1)).sum()) for reason, flags in self.refused.items()}

    def reasons(self, place: int) -> list[Refusal]:
        """All the reasons of one asset."""
        return [reason for reason, flags in self.refused.items() if flags[place]]


def sift(facts: AssetFacts, rule: PrefilterRule, inside: Flags | None = None) -> Sifted:
    """Who is kept, and why not the others. `inside` are those let in before."""
    stays = np.zeros(facts.liquidity.shape, dtype=np.bool_) if inside is None else inside
    ease = np.where(stays, rule.stay_share, 1.0)
    everyone = np.ones(stays.shape, dtype=np.bool_)
    turnover = facts.turnover()
    figures = {
        "liquidity": (facts.liquidity, everyone),
        "volume": (facts.day_volume(), everyone),
        "turnover": (turnover, everyone),
        "depth": (facts.known_depth(), everyone),
        "open_interest": (facts.open_interest, facts.has_futures),
    }
    refused: dict[Refusal, Flags] = {}
    leasts: dict[str, float] = {}
    for name, (figure, applies) in figures.items():
        least = leasts[name] = _least(
            figure[applies & ~np.isnan(figure)], getattr(rule, f"{name}_least"), getattr(rule, f"{name}_percentile")
        )
        asked = applies & (least > 0)
        refused[Refusal(f"{name}_low")] = asked & (figure < least * ease)
        refused[Refusal(f"{name}_unknown")] = asked & np.isnan(figure)
    if rule.turnover_most > 0:
        refused[Refusal.TURNOVER_HIGH] = turnover > rule.turnover_most / ease
        refused[Refusal.TURNOVER_UNKNOWN] = np.isnan(turnover)
    kept = ~np.logical_or.reduce(list(refused.values()))
    return Sifted(kept, {reason: flags for reason, flags in refused.items() if flags.any()}, leasts)


def _least(known: Numbers, fixed: float, percentile: float) -> float:
    """The stricter of the two limits. A percentile of nothing known limits nothing."""
    if percentile <= 0 or not len(known):
        return fixed
    return max(fixed, float(np.percentile(known, percentile)))
