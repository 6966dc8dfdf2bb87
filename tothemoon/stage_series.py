"""The stages in Prometheus' text form, from what their job has counted since the scheduler began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from tothemoon.stage_counts import BY_NAME, EDGES

# The names are what dashboards rely on.
DURATIONS = {
    "stage1": ("stage1_cycle_seconds", "Market states, triggers, alerts and the filter, for all assets of one cycle."),
    "stage2": ("stage2_cycle_seconds", "Judgement, gates and what would change the mind, for all points of one cycle."),
    "prefilter": ("prefilter_elapsed_seconds", "The filter alone."),
}
COUNTS = {
    "refused": ("symbols_filtered", "reason", "Assets kept out by the filter, summed over cycles; one with two reasons counts for both."),
    "triggers": ("tothemoon_stage_triggers", "trigger", "Bars in which a trigger fired."),
    "gates": ("tothemoon_stage_gated", "gate", "Judgements that a gate turned into WAIT."),
    "skips": ("tothemoon_stage_skipped_signals", "reason", "Signals that did not become a paper trade."),
}
TOTALS = {
    "begun": ("tothemoon_stage_alerts", "Alerts that began."),
    "judged": ("tothemoon_stage_judgements", "Judgements."),
    "signals": ("tothemoon_stage_signals", "Judgements with something to enter."),
    "entered": ("tothemoon_paper_entries", "Paper positions opened."),
    "closed": ("tothemoon_paper_exits", "Paper positions closed."),
}


def stage_series(counted: Mapping[str, Any]) -> Iterable[Metric]:
    """Before the first cycle there is nothing to tell, and no series."""
    if not counted:
        return
    for name, (series, words) in DURATIONS.items():
        if name in counted:
            yield _histogram(series, words, counted[name])
    for name, (series, label, words) in COUNTS.items():
        family = CounterMetricFamily(series, words, labels=[label])
        for key in BY_NAME[name]:
            family.add_metric([key], counted.get(name, {}).get(key, 0))
        yield family
    for name, (series, words) in TOTALS.items():
        yield CounterMetricFamily(series, words, value=counted.get(name, 0))


def _histogram(series: str, words: str, told: Mapping[str, Any]) -> Metric:
    within = [(f"{edge:g}", count) for edge, count in zip(EDGES, told["within"], strict=True)]
    return HistogramMetricFamily(series, words, buckets=[*within, ("+Inf", told["count"])], sum_value=told["sum"])
