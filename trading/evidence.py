"""What the evidence keeps of the judgements of Stage 2: the vector of each, and a signal that the judgement points to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from learning import recording
from learning.feature_inputs import Minutes, stored_minutes
from learning.models import Direction
from learning.recording import Decision
from scoring.models import ScoringSettings
from scoring.stage_columns import stage_values
from trading.names import Recommendation
from trading.state_rows import JUDGEMENT

if TYPE_CHECKING:
    from learning.storing import Vectors
    from trading.facts import Assets

FRESH_SEC = 180  # a judgement of an older bar could not be acted on: neither entered nor kept as a signal
RISES = {Recommendation.STRONG_BUY, Recommendation.BUY, Recommendation.BUY_IN_DIPS}
FALLS = {Recommendation.SELL, Recommendation.SELL_ON_RALLIES}


@dataclass(frozen=True, slots=True)
class Kept:
    """Vectors and decisions, ready to be stored. `signals`: their keys by those of the judgements."""

    prepared: Sequence[tuple[Vectors, list[Decision]]]
    signals: dict[int, int]

    def store(self, revision: ScoringSettings, now: datetime) -> dict[int, int]:
        """In the transaction of the judgements; gives the signals that these point to."""
        recording.store_decisions(self.prepared, revision, now)
        return self.signals


def of_judgements(
    rows: Sequence[tuple[Any, ...]], of: Assets, revision: ScoringSettings, now: datetime, minutes: Minutes = stored_minutes
) -> Kept:
    """`rows`: judgements as they are stored. Nothing while the evidence is switched off."""
    settings = stage_values(revision)
    costs = {True: settings["judge_round_trip_cost"], False: settings["judge_exchange_round_trip_cost"]}
    in_pools = dict(zip(of.pks.tolist(), of.in_pools.tolist(), strict=True))
    decisions = {}
    for row in rows if settings["evidence_every_min"] else ():
        said = dict(zip(JUDGEMENT, row, strict=True))
        if said["price"] > 0 and (now - said["ts"]).total_seconds() <= FRESH_SEC:
            decisions[said["key"]] = _decision(said, costs[in_pools[said["token"]]])
    return Kept(
        recording.of_decisions(list(decisions.values()), now, minutes), {key: decision.signal for key, decision in decisions.items()}
    )


def _decision(said: dict[str, Any], cost: float) -> Decision:
    return Decision(
        ts=int(said["ts"].timestamp()),
        token=said["token"],
        price=said["price"],
        cost=cost,
        direction=direction(said["recommendation"], said["side"]),
        strength=said["score"],
        confidence=said["confidence"] if said["confidence_is_probability"] else None,
    )


def direction(recommendation: str, side: int) -> str:
    """What it says will happen to the price; a range is traded upwards where something is planned at all."""
    if recommendation in RISES or (recommendation == Recommendation.RANGE_TRADE and side > 0):
        return Direction.UP.value
    return Direction.DOWN.value if recommendation in FALLS else Direction.NONE.value
