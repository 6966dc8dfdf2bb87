"""What the stages would have done with the stored hours under other settings: a back-test of both, small enough to wait for. Paper only."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import F

from scoring.stage_columns import stage_values
from tokens.bars import LATENESS
from tokens.models import Status, TokenSnapshot
from trading.backtest import BacktestResult, Material, replay, result_of
from trading.backtest_run import NothingToTest, of_tokens
from trading.pipeline import StageRules

if TYPE_CHECKING:
    from scoring.models import ScoringSettings

HOURS = 6
MOST_ASSETS = 60


@dataclass(frozen=True)
class Side:
    """One of the two. Unknown is None."""

    result: BacktestResult
    hours: float

    @property
    def signals_an_hour(self) -> float:
        return self.result.signals / self.hours

    @property
    def change(self) -> float:
        """What the account won or lost, what is still open at its last price."""
        return self.result.equity - self.result.capital


@dataclass(frozen=True)
class StagePreview:
    """`said` tells why there is nothing to compare."""

    hours: float
    assets: int
    left_out: int
    now: Side | None = None
    draft: Side | None = None
    said: str = ""
    ms: float = 0.0

    @property
    def sides(self) -> tuple[Side | None, Side | None]:
        return self.now, self.draft


def preview(present: ScoringSettings, draft: ScoringSettings, now: datetime) -> StagePreview:
    """The last hours of the most liquid assets, replayed with both settings from an empty account each."""
    began = time.perf_counter()
    end = (now - LATENESS).replace(second=0, microsecond=0)
    chosen, left_out = _most_liquid()
    try:
        material = of_tokens(chosen, end - timedelta(hours=HOURS), end) if chosen else None
    except NothingToTest:
        material = None
    if material is None:
        return StagePreview(float(HOURS), len(chosen), left_out, said="No bars of Active assets are stored of these hours.")
    now_side, drafted = (Side(_replayed(material, settings), float(HOURS)) for settings in (present, draft))
    return StagePreview(float(HOURS), len(chosen), left_out, now_side, drafted, ms=(time.perf_counter() - began) * 1000)


def _most_liquid() -> tuple[list[int], int]:
    """Of the Active ones, by their newest snapshot; and how many more there are."""
    newest = TokenSnapshot.objects.filter(token__status=Status.ACTIVE, ts=F("token__last_snapshot_at"))
    ranked = list(newest.order_by(F("liquidity").desc(nulls_last=True), "token_id").values_list("token_id", flat=True))
    return sorted(ranked[:MOST_ASSETS]), max(0, len(ranked) - MOST_ASSETS)


def _replayed(material: Material, settings: ScoringSettings) -> BacktestResult:
    values = {**stage_values(settings), "trigger_overrides": settings.trigger_overrides}
    rules = StageRules.from_settings(values)
    return result_of(material, rules, values, settings.pk, replay(material, rules))
