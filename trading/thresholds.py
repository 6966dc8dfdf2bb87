"""The limits of the triggers: the operator's numbers, and the exceptions he makes for a market state or for one token."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.stage_parameters import PARAMETERS, built, default_of, typed
from trading.market_state import STATES
from trading.names import MarketState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.int8]

PREFIX = "trigger_"
LONGEST_LEVEL = 240  # bars for which a swing is a level: so a live window sees all that a back-test sees
MOST_OVERRIDES = 200  # tokens with numbers of their own
STATE, TOKEN = "state:", "token:"
_DECLARED = {parameter.name: parameter for parameter in PARAMETERS}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Counts of bars, and the choice of `volume_robust`, are one for all; every other field may also be an array, (tokens,) or
    (bars, tokens)."""

    volume_on: bool = default_of("trigger_volume_on")
    volume_robust: bool = default_of("trigger_volume_robust")
    volume_window: int = default_of("trigger_volume_window")
    volume_z: float = default_of("trigger_volume_z")
    volume_ratio: float = default_of("trigger_volume_ratio")
    divergence_on: bool = default_of("trigger_divergence_on")
    divergence_reach: int = default_of("trigger_divergence_reach")
    divergence_span: int = default_of("trigger_divergence_span")
    divergence_gap: float = default_of("trigger_divergence_gap")
    divergence_rsi_high: float = default_of("trigger_divergence_rsi_high")
    breakout_on: bool = default_of("trigger_breakout_on")
    breakout_window: int = default_of("trigger_breakout_window")
    breakout_margin: float = default_of("trigger_breakout_margin")
    breakout_confirm: int = default_of("trigger_breakout_confirm")
    breakout_retest_bars: int = default_of("trigger_breakout_retest_bars")
    breakout_retest_reach: float = default_of("trigger_breakout_retest_reach")
    near_level_on: bool = default_of("trigger_near_level_on")
    near_level_reach: int = default_of("trigger_near_level_reach")
    near_level_atr: float = default_of("trigger_near_level_atr")
    near_level_least: float = default_of("trigger_near_level_least")
    near_level_most: float = default_of("trigger_near_level_most")
    volatility_on: bool = default_of("trigger_volatility_on")
    volatility_window: int = default_of("trigger_volatility_window")
    volatility_ratio: float = default_of("trigger_volatility_ratio")
    vwap_on: bool = default_of("trigger_vwap_on")
    vwap_window: int = default_of("trigger_vwap_window")
    vwap_atr: float = default_of("trigger_vwap_atr")
    vwap_least: float = default_of("trigger_vwap_least")
    atr_gates_on: bool = default_of("trigger_atr_gates_on")
    atr_low: float = default_of("trigger_atr_low")
    atr_high: float = default_of("trigger_atr_high")

    @classmethod
    def from_settings(cls, values: Mapping[str, Any]) -> Thresholds:
        return built(cls, values, PREFIX)

    @property
    def high_gate(self) -> Any:
        """ATR over price from which a market is wild; where the gates are off, none is."""
        return np.where(self.atr_gates_on, self.atr_high, np.inf)


def bars_back(thresholds: Thresholds) -> int:
    """How many bars before its own a trigger may look at, given ATR and RSI of each bar."""
    return (
        max(
            thresholds.volume_window,
            thresholds.divergence_span + 2 * thresholds.divergence_reach,
            thresholds.breakout_window + thresholds.breakout_confirm + thresholds.breakout_retest_bars + 1,
            LONGEST_LEVEL + 2 * thresholds.near_level_reach,
            thresholds.volatility_window + 1,
            thresholds.vwap_window,
        )
        + 1
    )


ONE_FOR_ALL = frozenset({"trigger_volume_robust", *(name for name, parameter in _DECLARED.items() if parameter.kind == "whole")})
OVERRIDABLE = tuple(name for field in fields(Thresholds) if (name := PREFIX + field.name) not in ONE_FOR_ALL)
NOT_BY_STATE = frozenset({"trigger_atr_high"})  # the state itself follows from it


def overrides_problems(overrides: Any) -> list[str]:
    """What is wrong with the exceptions, in sentences; an empty list is fine."""
    if not isinstance(overrides, Mapping):
        return ['Exceptions are an object: {"state:high_vol": {"trigger_volume_z": 3.0}}.']
    problems = []
    if len(overrides) > MOST_OVERRIDES:
        problems.append(f"There are {len(overrides)} exceptions; {MOST_OVERRIDES} are the most.")
    for scope, values in overrides.items():
        problems += _scope_problems(scope)
        if not isinstance(values, Mapping):
            problems.append(f"“{scope}” must hold an object of names and numbers.")
            continue
        problems += [problem for name, value in values.items() if (problem := _value_problem(scope, name, value))]
    return problems


def _scope_problems(scope: Any) -> list[str]:
    if isinstance(scope, str) and scope.startswith(STATE):
        known = [state.value for state in MarketState]
        return [] if scope.removeprefix(STATE) in known else [f"“{scope}”: the market states are {', '.join(known)}."]
    if isinstance(scope, str) and scope.startswith(TOKEN) and scope.removeprefix(TOKEN).strip() == scope.removeprefix(TOKEN) != "":
        return []
    return [f"“{scope}” is neither “state:NAME” nor “token:ADDRESS”."]


def _value_problem(scope: str, name: Any, value: Any) -> str:
    parameter = _DECLARED.get(name) if isinstance(name, str) else None
    if parameter is None or name not in OVERRIDABLE:
        why = "is the same for all" if parameter is not None and name.startswith(PREFIX) else "is not a threshold of a trigger"
        return f"“{scope}”: {name} {why}."
    if str(scope).startswith(STATE) and name in NOT_BY_STATE:
        return f"“{scope}”: {name} decides the market state, so it cannot depend on it."
    if parameter.kind == "switch":
        return "" if isinstance(value, bool) else f"“{scope}”: {name} is true or false."
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return f"“{scope}”: {name} must be a number."
    if not parameter.least <= value <= parameter.most:
        return f"“{scope}”: {name} must lie between {parameter.least:g} and {parameter.most:g}."
    return ""


def of_tokens(base: Thresholds, overrides: Mapping[str, Mapping[str, Any]], addresses: Sequence[str]) -> Thresholds:
    """The thresholds with each token's own numbers: (tokens,) where any token has one."""
    place = {address: column for column, address in enumerate(addresses)}
    own: dict[str, Any] = {}
    for scope, values in overrides.items():
        column = place.get(scope.removeprefix(TOKEN)) if scope.startswith(TOKEN) else None
        if column is None:
            continue
        for name, value in values.items():
            field = name.removeprefix(PREFIX)
            own.setdefault(field, np.full(len(addresses), getattr(base, field)))[column] = typed(_DECLARED[name], value)
    return replace(base, **own)


def in_force(base: Thresholds, overrides: Mapping[str, Mapping[str, Any]], addresses: Sequence[str], code: Codes) -> Thresholds:
    """The thresholds at every bar of every token: a token's own number, else that of the market state, else the operator's.

    `code` are the market states (bars, tokens). What nobody excepts stays one number."""
    by_state: dict[str, Any] = {}
    for number, state in enumerate(STATES):
        for name, value in overrides.get(STATE + state.value, {}).items():
            field = name.removeprefix(PREFIX)
            table = by_state.setdefault(field, np.full(len(STATES), getattr(base, field)))
            table[number] = typed(_DECLARED[name], value)
    spread = {field: table[code] for field, table in by_state.items()}
    tokens = of_tokens(base, overrides, addresses)
    for scope, values in overrides.items():
        columns = [column for column, address in enumerate(addresses) if scope == TOKEN + address]
        for name in values if columns else ():
            field = name.removeprefix(PREFIX)
            if field in spread:
                spread[field][:, columns] = getattr(tokens, field)[columns]
    return replace(tokens, **spread)
