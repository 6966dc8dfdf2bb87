"""The console's form: every setting as a control that fits it, and the same doors as the admin's own form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any

from django import forms

from scoring.admin import FIELDSETS, LABELS, SETTINGS, STAGES, PlainFloat, PlainInteger, RevisionForm
from scoring.models import EVERY_RANGE, ScoringSettings
from scoring.revisions import WEIGHTS, written
from scoring.settings_in_force import interval_sec
from scoring.stage_parameters import PARAMETERS
from scoring.strips import Strip

SLIDERS = {**dict.fromkeys(WEIGHTS, (0.0, 1.0, 0.01)), "ewma_alpha": (0.01, 1.0, 0.01)}
UNITS = {
    "min_tx_count": "tx / 5 min",
    "activation_tx_margin": "tx / 5 min",
    "min_active_liquidity": "$",
    "min_score_keep_active": "score",
    "degrade_checks": "checks",
    "degrade_window_hours": "hours",
    "initial_timeout_hours": "hours",
    "interval_initial_sec": "s",
    "interval_active_sec": "s",
    "initial_young_minutes": "min",
    "freshness_limit_sec": "s",
    "holders_freshness_sec": "s",
    "retention_hours": "hours",
    **{parameter.name: parameter.unit for parameter in PARAMETERS},
}
SHORT = {
    "score_model": "Model",
    "weight_tx_accel": "Transactions",
    "weight_vol_momentum": "Volume",
    "weight_holder_growth": "Holders",
    "weight_orderflow_imbalance": "Order flow",
    "ewma_alpha": "Smoothing α",
}


def _kinds() -> dict[str, Any]:
    whole = {field.name for field in ScoringSettings._meta.concrete_fields if field.get_internal_type() == "IntegerField"}
    return {name: PlainInteger if name in whole else PlainFloat for name in EVERY_RANGE}


def _inputs() -> dict[str, forms.Widget]:
    """Text, not number: a browser would swallow “0,5” and send nothing."""
    texts: dict[str, forms.Widget] = {
        name: forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "class": "ttm-input", "spellcheck": "false"})
        for name in EVERY_RANGE
    }
    texts["trigger_overrides"] = forms.Textarea(attrs={"rows": 3, "class": "ttm-input", "spellcheck": "false"})
    return texts | {name: forms.Select(attrs={"class": "ttm-input"}) for name in ("score_model", "degrade_mode")}


class DraftForm(forms.ModelForm):  # type: ignore[type-arg]
    """A draft that is only looked at: no note is asked for."""

    class Meta:
        model = ScoringSettings
        fields = SETTINGS
        field_classes = _kinds()
        widgets = _inputs()

    def clean_trigger_overrides(self) -> Any:
        return self.cleaned_data["trigger_overrides"] or {}


class SaveForm(RevisionForm):
    """The same with a note, and with a look at what somebody else has saved meanwhile."""

    class Meta(RevisionForm.Meta):
        field_classes = _kinds()
        widgets = _inputs()


@dataclass(frozen=True)
class Control:
    """One setting as the page draws it. `slider` is its lowest and highest place and its step, `strip` what moving it would change."""

    name: str
    label: str
    field: Any
    unit: str
    slider: tuple[float, float, float] | None
    present: str
    beside: str
    differs: bool
    strip: Strip | None

    @property
    def has_strip(self) -> bool:
        return self.name in WEIGHTS


@dataclass(frozen=True)
class Group:
    """`stage`: of the stages that follow the score, which the preview does not replay."""

    title: str
    controls: list[Control]
    stage: bool

    @property
    def refused(self) -> bool:
        return any(control.field.errors for control in self.controls)

    @property
    def differing(self) -> int:
        return sum(control.differs for control in self.controls)


def groups(form: Any, present: ScoringSettings, strips: Mapping[str, Strip]) -> list[Group]:
    """The settings in the order of the admin's form, each with the value in force."""
    stages = {title for title, _ in STAGES}
    return [
        Group(title, [_control(form[name], present, strips) for name in options["fields"] if name in SETTINGS], title in stages)
        for title, options in FIELDSETS
        if title != "Why"
    ]


def _control(field: Any, present: ScoringSettings, strips: Mapping[str, Strip]) -> Control:
    name, now = field.name, getattr(present, field.name)
    return Control(
        name=name,
        label=SHORT.get(name) or LABELS.get(name) or str(field.label).capitalize(),
        field=field,
        unit=UNITS.get(name, ""),
        slider=SLIDERS.get(name),
        present=_in_words(field, now),
        beside=half_life(field.value(), interval_sec(present, "Active")) if name == "ewma_alpha" else "",
        differs=not _same(field.value(), now),
        strip=strips.get(name),
    )


def _in_words(field: Any, now: Any) -> str:
    """The value in force as the page says it: what is chosen from a list by its name there."""
    if isinstance(now, bool):
        return "on" if now else "off"
    choices: Any = getattr(field.field, "choices", ())
    return str(dict(choices).get(now, now)) if choices else f"{now:g}" if isinstance(now, float) else written(now)


def _same(value: Any, present: Any) -> bool:
    if isinstance(present, bool):
        return (value in (True, "True", "on")) == present
    if isinstance(present, dict):
        return bool(_parsed(value) == present)
    try:
        return float(value) == float(present)
    except (TypeError, ValueError):
        return str(value) == str(present)


def _parsed(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None


def half_life(alpha: Any, interval: float) -> str:
    """How long an old value needs to count half: “half-life 58 s”, in minutes from one minute on."""
    try:
        share = float(alpha)
    except (TypeError, ValueError):
        return ""
    if not 0 < share <= 1:
        return ""
    if share == 1:
        return "no smoothing"
    seconds = interval * log(0.5) / log(1 - share)
    return f"half-life {seconds:.0f} s ({seconds / 60:.1f} min)" if seconds < 60 else f"half-life {seconds / 60:.1f} min"


def values_of(revision: ScoringSettings) -> dict[str, str]:
    """As a browser would post them: a switch that is off is blank."""
    return {name: posted(getattr(revision, name)) for name in SETTINGS}


def posted(value: Any) -> str:
    return "" if value is False else "on" if value is True else written(value)


def first_values(values: dict[str, str]) -> dict[str, Any]:
    """What a form that nobody has filled in yet shows: the texts, and what has parts as itself."""
    return {name: _parsed(text) if name == "trigger_overrides" else text for name, text in values.items()}
