"""Why a slot is not known, worked out from what it needs: only looked at where its value is missing."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from learning.features.inputs import HOURS
from learning.features.series import least
from learning.features.slots import From
from learning.missing import Reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.series import Series
    from learning.features.sight import Sight
    from learning.features.slots import Need

    Reasons = NDArray[np.uint8]
    Flags = NDArray[np.bool_]

FEWEST = 5  # tokens that make a market
AMOUNTS = (From.VOLUME, From.BUYS, From.TRADES)
NOBODY_TOLD = {
    "holders": Reason.NO_HOLDERS,
    "unique_wallets_5m": Reason.NO_WALLETS,
    "buys_5m": Reason.NO_FLOW,
    "sells_5m": Reason.NO_FLOW,
    "buys_volume_5m": Reason.NO_FLOW,
    "sells_volume_5m": Reason.NO_FLOW,
}
QUIET = {"tx_count_5m", "tx_count_1h", "volume_5m", "volume_1h", "buys_5m", "sells_5m", "buys_volume_5m", "sells_volume_5m"}


class Why:
    def __init__(self, sight: Sight) -> None:
        self.sight = sight
        self._known: dict[Need, Reasons] = {}

    def unknown(self, needs: tuple[Need, ...]) -> Reasons:
        """The first need that is not met; where all are, nothing moved or nothing was traded."""
        found = np.zeros(self.sight.count, dtype=np.uint8)
        for need in needs:
            found = np.where(found == 0, self._unmet(need), found)
        quiet = any(need.source in AMOUNTS or QUIET & set(need.fields) for need in needs)
        return np.where(found == 0, np.uint8(Reason.NO_TRADES if quiet else Reason.FLAT), found)

    def _unmet(self, need: Need) -> Reasons:
        if need not in self._known:
            by_source = {From.HOURS: self._hours, From.SNAPSHOT: self._snapshot, From.POOLS: self._pools, From.MARKET: self._market}
            by_source |= {From.SOL: self._sol, From.TOKEN: self._met, From.AGE: self._age}
            self._known[need] = by_source.get(need.source, self._minutes)(need)
        return self._known[need]

    def _met(self, _need: Need) -> Reasons:
        return self._all(Reason.OK)

    def _age(self, _need: Need) -> Reasons:
        return np.where(np.isnan(self.sight.inputs.born), np.uint8(Reason.NO_SOURCE), np.uint8(0))

    def _all(self, reason: Reason) -> Reasons:
        return np.full(self.sight.count, reason, dtype=np.uint8)

    def _choose(self, *pairs: tuple[Flags, Reason | Reasons]) -> Reasons:
        """The reason of the first flag that is up."""
        found: Reasons = np.select([flags for flags, _ in pairs], [np.uint8(1) * np.asarray(reason, np.uint8) for _, reason in pairs], 0)
        return found.astype(np.uint8)

    def _too_young_or_gap(self, end: NDArray[np.float64], seconds: float) -> Reasons:
        return np.where(self.sight.inputs.born > end - seconds, np.uint8(Reason.YOUNG), np.uint8(Reason.GAP))

    @cached_property
    def _none(self) -> Flags:
        return np.isnan(self.sight.late)

    def _minutes(self, need: Need) -> Reasons:
        sight, close = self.sight, self.sight.close
        short = self._too_young_or_gap(sight.end, 60.0 * need.rows)
        gap = ~self._unmoved(need) & ~close.known[-need.rows :].all(axis=0)
        young = self._none & (short == Reason.YOUNG)
        pairs: list[tuple[Flags, Reason | Reasons]] = [(young, Reason.YOUNG), (self._none, Reason.NO_BARS), (~sight.fresh, Reason.STALE)]
        if need.source in AMOUNTS:
            bars, told = (series.known[-need.rows :].sum(axis=0) for series in (close, self._amounts(need)))
            pairs.append((told < np.minimum(bars, least(need.rows)), Reason.NO_SOURCE))
        return self._choose(*pairs, (gap, short))

    def _amounts(self, need: Need) -> Series:
        sight = self.sight
        return {From.VOLUME: sight.volume, From.BUYS: sight.bought, From.TRADES: sight.trades}.get(need.source, sight.close)

    def _unmoved(self, need: Need) -> Flags:
        """Enough of the window is known to say that nothing happened in it."""
        series = self._amounts(need)
        still = series.highest(need.rows) == (0.0 if need.source in AMOUNTS else series.lowest(need.rows))
        return np.asarray(still)

    def _hours(self, need: Need) -> Reasons:
        known = self.sight.hour_close.known
        short = self._too_young_or_gap(np.full(self.sight.count, float(self.sight.inputs.ts)), 3600.0 * (need.rows + 1))
        gap = (known[-need.rows :].sum(axis=0) < least(need.rows)) | ~known[HOURS - need.rows]
        return self._choose((gap, short))

    def _snapshot(self, need: Need) -> Reasons:
        sight = self.sight
        pairs: list[tuple[Flags, Reason | Reasons]] = [(np.isnan(sight.look("ts")), Reason.NO_SNAPSHOT)]
        pairs += self._untold(need, 0)
        if need.lag:
            now = np.full(sight.count, float(sight.inputs.ts))
            pairs.append((np.isnan(sight.look("ts", need.lag)), self._too_young_or_gap(now, 60.0 * need.lag)))
            pairs += self._untold(need, need.lag)
        return self._choose(*pairs)

    def _untold(self, need: Need, lag: int) -> list[tuple[Flags, Reason | Reasons]]:
        return [(np.isnan(self.sight.look(field, lag)), NOBODY_TOLD.get(field, Reason.NO_SOURCE)) for field in need.fields]

    def _pools(self, _need: Need) -> Reasons:
        return np.where(self.sight.pools.number == 0, np.uint8(Reason.NO_POOLS), np.uint8(0))

    def _market(self, _need: Need) -> Reasons:
        return self._all(Reason.FEW_TOKENS if self.sight.around.tokens < FEWEST else Reason.OK)

    def _sol(self, _need: Need) -> Reasons:
        seen = bool((self.sight.inputs.sol > 0).any())
        return self._all(Reason.GAP if seen else Reason.NO_SOURCE)
