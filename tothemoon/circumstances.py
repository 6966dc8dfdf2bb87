"""The system's own figures for alert rules: how long the feed has been silent, and what is left of the budget."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from ingestion import ledger
from scoring.alert_kinds import Circumstances
from tokens.templatetags import figures
from tothemoon.pulse import Pulse, measure


def circumstances(now: datetime, began_at: datetime | None = None) -> Circumstances:
    """At this moment. What cannot be known (no budget, a listener that was never started) is left out."""
    seen = measure(now)
    found: dict[str, float] = {}
    sentences: dict[str, str] = {}
    if (silent := _silent_min(seen, began_at)) is not None:
        found["feed_silent_min"] = silent
        why = f": {seen.gap_why.rstrip('.')}" if seen.gap_why else ""
        sentences["feed_silent_min"] = f"The feed of new tokens has been silent for {figures.span(silent * 60)}{why}."
    if settings.BIRDEYE_API_KEY and settings.BIRDEYE_MONTHLY_CU:
        budget = ledger.birdeye_budget(now)
        left = 100 * budget.left / budget.limit
        found["budget_left_percent"] = left
        ends = f" At this pace it ends on {budget.runs_out_at:%d %B}." if budget.runs_out_at and not budget.used_up else ""
        sentences["budget_left_percent"] = f"{left:.0f} % of the month's Birdeye budget are left ({budget.left:,} units).{ends}"
    if (looked := seen.beats.get("job:models")) and "models" in looked[1]:
        troubles = [trouble for model in looked[1]["models"] for trouble in model["troubles"]]
        found["models_in_trouble"] = float(bool(troubles))
        sentences["models_in_trouble"] = " ".join(troubles)
    return Circumstances(found, sentences)


def _silent_min(seen: Pulse, began_at: datetime | None) -> float | None:
    """Minutes without a message, as far as this process was there to notice: a start of the whole system is no silence of the feed."""
    last = seen.gap_from or seen.feed_at or seen.beats.get("listener", (None,))[0]
    if last is None:
        return None
    return max(0.0, (seen.as_of - max(last, began_at or last)).total_seconds() / 60)
