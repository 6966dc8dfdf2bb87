"""What became of the paper trades, for the calibration of confidence: score against won or lost, of the days before."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from trading.calibration import MOST, Calibration, Outcomes
from trading.models import PaperPosition

if TYPE_CHECKING:
    from trading.judge_rule import JudgeRule


def calibration_before(now: datetime, rule: JudgeRule) -> Calibration | None:
    """From the trades closed before this day (UTC) began; None while there are too few."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return outcomes(midnight, MOST).before(int(midnight.timestamp()), rule.calibration_least, rule.calibration_prior)


def outcomes(until: datetime, most: int | None = None) -> Outcomes:
    """The trades closed before a moment, all or the newest; one query."""
    closed = PaperPosition.objects.filter(closed_at__lt=until, judgement__score__isnull=False).order_by("-closed_at", "-pk")
    rows = list(closed.values_list("closed_at", "judgement__score", "result")[:most])[::-1]
    return Outcomes(
        np.array([int(at.timestamp()) for at, _, _ in rows if at is not None], dtype=np.int64),
        np.array([score for _, score, _ in rows], dtype=np.float64),
        np.array([result is not None and result > 0 for _, _, result in rows], dtype=np.bool_),
    )
