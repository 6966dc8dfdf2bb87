"""The parameters of the stages as columns of the settings revision, made from their one declaration."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from scoring.stage_parameters import IN_ORDER, PARAMETERS, Parameter, typed


def column(parameter: Parameter) -> models.Field[Any, Any]:
    """`db_default` too: the release before this one writes revisions without it."""
    default = typed(parameter, parameter.default)
    common: dict[str, Any] = {"default": default, "db_default": default, "help_text": parameter.help}
    if parameter.kind == "switch":
        return models.BooleanField(**common)
    common["validators"] = [MinValueValidator(parameter.least), MaxValueValidator(parameter.most)]
    return models.IntegerField(**common) if parameter.kind == "whole" else models.FloatField(**common)


# What the exceptions of the triggers mean is known where the triggers are: the app that has them puts its check in here.
CHECKS_OF_OVERRIDES: list[Callable[[Any], list[str]]] = []

# And what it makes of a draft: (the settings in force, the draft, now) → figures that the console's template prints.
STAGE_PREVIEWS: list[Callable[[Any, Any, datetime], Any]] = []


def check_overrides(value: Any) -> None:
    """A validator: raises ValidationError with a sentence for each thing that is wrong with the exceptions."""
    problems = [problem for check in CHECKS_OF_OVERRIDES for problem in check(value)]
    if problems or not isinstance(value, dict):
        raise ValidationError(problems or ['Exceptions are an object: {"state:high_vol": {"trigger_volume_z": 3.0}}.'])


class StageColumns(models.Model):
    """One column a parameter, in the order of their declaration, and the overrides for market states and tokens."""

    trigger_overrides = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        validators=[check_overrides],
        help_text='Other triggers for one market state or one token: {"state:high_vol": {"trigger_volume_z": 4}, "token:ADDRESS": {…}}.',
    )

    class Meta:
        abstract = True


for _parameter in PARAMETERS:
    StageColumns.add_to_class(_parameter.name, column(_parameter))

STAGE_RANGES = {parameter.name: (float(parameter.least), float(parameter.most)) for parameter in PARAMETERS if parameter.kind != "switch"}


def stages_in_range() -> list[models.CheckConstraint]:
    """One constraint for each stage: a table with a hundred of them is slow to alter. And one for numbers that must not be crossed."""
    in_order = Q(**{f"{upper}__gte": F(lower) for lower, upper in IN_ORDER})
    found = [models.CheckConstraint(name="scoring_settings_in_order", condition=in_order)]
    for prefix in ("prefilter", "trigger", "judge", "paper", "evidence"):
        condition = Q()
        for name, (least, most) in STAGE_RANGES.items():
            if name.startswith(f"{prefix}_"):
                condition &= Q(**{f"{name}__gte": least, f"{name}__lte": most})
        if condition:
            found.append(models.CheckConstraint(name=f"scoring_settings_{prefix}", condition=condition))
    return found


def stage_values(revision: Any) -> dict[str, Any]:
    """Every parameter of the stages as this revision has it."""
    return {parameter.name: typed(parameter, getattr(revision, parameter.name)) for parameter in PARAMETERS}


def stage_settings(revision: Any) -> dict[str, Any]:
    """The same, and which triggers differ by market state and token: all that the rules of the stages are made from."""
    return {**stage_values(revision), "trigger_overrides": revision.trigger_overrides}
