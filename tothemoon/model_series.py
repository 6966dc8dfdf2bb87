"""The models in Prometheus' text form, from what the last look at them left in its heartbeat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

ROLES = ("champion", "challenger")
STATES = ("in_service", "stopped")


def model_series(told: Mapping[str, Any]) -> Iterable[Metric]:
    """Before the first look there is nothing to tell, and no series."""
    if "models" not in told:
        return
    models = told["models"]
    family = GaugeMetricFamily("tothemoon_models", "Champions and challengers, asked or stopped.", labels=["role", "state"])
    for role in ROLES:
        of_role = [model for model in models if model["role"] == role]
        asked = sum("age_days" in model for model in of_role)
        for state, count in zip(STATES, (asked, len(of_role) - asked), strict=True):
            family.add_metric([role, state], count)
    yield family
    drifted = sum(any(each["much"] for each in model.get("drift", [])) for model in models)
    looks = [each["looks"] for model in models for each in model.get("standing", [])]
    for name, words, value in (
        ("stale", "Models whose lessons are too long ago.", sum(bool(model.get("stale")) for model in models)),
        ("drifted", "Models for which a group of features has drifted.", drifted),
        ("worse_looks", "Looks in a row that found a model worse than its baseline, the most of any model.", max(looks, default=0)),
    ):
        yield GaugeMetricFamily(f"tothemoon_models_{name}", words, value=value)
