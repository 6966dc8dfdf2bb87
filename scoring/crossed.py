"""The rules across settings as a constraint: what `revisions.RULES` says with a sentence, the database refuses whoever writes to it.

Each is the arithmetic of its rule, operation for operation, so that no rounding lets one door open that the other keeps shut.
"""

from __future__ import annotations

from typing import Any

from django.db.models import CheckConstraint, ExpressionWrapper, F, FloatField, Q, Value
from django.db.models.functions import Cast

from scoring.revisions import WEIGHTS
from scoring.score_models import REGISTRY, Entry


def rules_across() -> list[CheckConstraint]:
    """All in one: each constraint more is one more time that SQLite writes the whole table anew."""
    condition = (
        _by_model("min_score_keep_active", both_ends=True)
        & _by_model("export_min_score", both_ends=False)
        & Q(degrade_window_hours__gte=_hours_of_checks())
        & Q(freshness_limit_sec__gte=F("interval_active_sec"))
        & Q(holders_freshness_sec__gte=F("freshness_limit_sec"))
        & Q(min_tx_count__lte=1_000_000 - F("activation_tx_margin"))
        & Q(export_max_age_sec__gte=F("interval_active_sec"))
    )
    return [CheckConstraint(name="scoring_settings_not_crossed", condition=condition)]


def _by_model(field: str, both_ends: bool) -> Q:
    """The score lies within what the model and the weights can give."""
    found = Q()
    for name, entry in REGISTRY.items():
        here = Q(score_model=name) & Q(**{f"{field}__lt": _times(entry.highest, entry)})
        found |= here & Q(**{f"{field}__gte": _times(entry.lowest, entry)}) if both_ends else here
    return found


def _times(end: float, entry: Entry) -> Any:
    if entry.weights_matter_in_proportion:
        return Value(float(end))
    total = F(WEIGHTS[0]) + F(WEIGHTS[1]) + F(WEIGHTS[2]) + F(WEIGHTS[3])
    return ExpressionWrapper(Value(float(end)) * total, output_field=FloatField())


def _hours_of_checks() -> Any:
    seconds = Cast((F("degrade_checks") - 1) * F("interval_active_sec"), FloatField())
    return ExpressionWrapper(seconds / Value(3600.0), output_field=FloatField())
