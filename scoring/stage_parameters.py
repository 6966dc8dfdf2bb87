"""The numbers of the three stages that an operator may turn: each is declared here once, with its range, and becomes a column of the
settings revision, a control of the console and a default of the stage's own rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

Kind = Literal["number", "whole", "switch"]
Rules = TypeVar("Rules")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number or switch. `help` says what it does and what is typical."""

    name: str
    default: float
    least: float
    most: float
    help: str
    group: str
    unit: str = ""
    kind: Kind = "number"


def switch(name: str, default: bool, help: str, group: str) -> Parameter:
    return Parameter(name, float(default), 0, 1, help, group, kind="switch")


# Stage 1: the filter, the triggers, and how many independent reasons make an alert.
STAGE_1: tuple[Parameter, ...] = ()

# Stage 2: levels, context, scenarios, confidence, gates.
STAGE_2: tuple[Parameter, ...] = ()

# Stage 3: paper trades.
STAGE_3: tuple[Parameter, ...] = ()

PARAMETERS = (*STAGE_1, *STAGE_2, *STAGE_3)
_BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}


def default_of(name: str) -> Any:
    """The default as the rules of a stage take it: a bool for a switch, an int for a whole number, else a float."""
    return typed(_BY_NAME[name], _BY_NAME[name].default)


def typed(parameter: Parameter, value: Any) -> Any:
    if parameter.kind == "switch":
        return bool(value)
    return int(value) if parameter.kind == "whole" else float(value)


def built(rules: type[Rules], values: Mapping[str, Any], prefix: str) -> Rules:
    """A stage's frozen dataclass from the settings: each of its fields that is a parameter called `prefix` + its name gets that value."""
    known = {field.name: prefix + field.name for field in fields(rules) if prefix + field.name in _BY_NAME}  # type: ignore[arg-type]
    return rules(**{field: typed(_BY_NAME[name], values[name]) for field, name in known.items() if name in values})
