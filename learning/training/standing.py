"""Is a model still better than what it had to beat? From answers that it gave and what came of them. Pure.

It is stopped only when it is worse with confidence (the whole interval of the difference in log loss above zero), from enough rows in
enough independent spans of time, at several looks in a row that each had newer outcomes than the one before. A bad hour does not stop it,
and what was stopped does not come back by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from learning.training import measures
from learning.training.measures import Witnesses, plain
from learning.training.plan import block_sec
from scoring.draws import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

LOOKS = 3  # in a row
LEVEL = 0.95


@dataclass(frozen=True)
class Standing:
    """Of one horizon. The difference is the model's log loss less the baseline's: below zero is better."""

    horizon: int
    baseline: str
    rows: int
    blocks: int
    difference: Estimate
    worse: bool
    newest: int  # the last row that was looked at

    def as_plain(self) -> dict[str, Any]:
        counts = {"horizon": self.horizon, "baseline": self.baseline, "rows": self.rows, "blocks": self.blocks}
        return counts | {"difference": plain(self.difference), "worse": self.worse}

    def words(self) -> str:
        found = self.difference
        return (
            f"at {self.horizon} min worse than its baseline ({self.baseline}) by {found.value:.4f} of log loss "
            f"({found.low:.4f} … {found.high:.4f}, {LEVEL:.0%}), from {self.rows:,} outcomes in {self.blocks} spans of time, "
            f"{LOOKS} looks in a row"
        )


def standing(
    ts: Places, token: Places, said: Numbers, against: Numbers, direction: NDArray[np.int8], horizon: int, baseline: str
) -> Standing:
    """`said` by the model and `against` by the baseline, (rows, 3) each. Without rows nothing is worse."""
    if not len(ts):
        return Standing(horizon, baseline, 0, 0, Estimate(np.nan, np.nan, np.nan), False, 0)
    witnesses = Witnesses.of(ts, token, block_sec(horizon))
    behind = measures.log_loss(said, direction) - measures.log_loss(against, direction)
    found = witnesses.mean(behind, LEVEL)
    worse = witnesses.enough(np.ones(len(ts), dtype=bool)) and bool(found.low > 0)
    return Standing(horizon, baseline, len(ts), witnesses.blocks, found, worse, int(ts.max()))


def streak(before: Mapping[str, int], now: Standing) -> dict[str, int]:
    """How many looks in a row have found it worse; one that has seen nothing newer counts for nothing."""
    if now.newest <= before.get("newest", 0):
        return dict(before)
    return {"looks": before.get("looks", 0) + 1 if now.worse else 0, "newest": now.newest}


def is_over(of: Mapping[str, int]) -> bool:
    return of.get("looks", 0) >= LOOKS
