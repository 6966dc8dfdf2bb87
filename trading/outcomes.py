"""What became of the paper trades, for the calibration of confidence: score against won or lost, of the days before."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from trading.calibration import Calibration, fit
from trading.models import PaperPosition

if TYPE_CHECKING:
    from trading.judge_rule import JudgeRule

MOST = 5_000


def calibration_before(now: datetime, rule: JudgeRule) -> Calibration | None:
    """From the trades closed before this day (UTC) began, so that within a day the measure stays the same; None while there are too few."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    closed = PaperPosition.objects.filter(closed_at__lt=midnight, judgement__score__isnull=False).order_by("-closed_at")
    pairs = list(closed.values_list("judgement__score", "result")[:MOST])
    scores = np.array([score for score, _ in pairs], dtype=np.float64)
    won = np.array([result is not None and result > 0 for _, result in pairs], dtype=np.bool_)
    return fit(scores, won, rule.calibration_least, rule.calibration_prior)
