"""What an alert can be about: one table. A kind added here is in the form, in the evaluation, in the trial and in the log.

`about` says where its values come from: a `token` figure and a `system` figure are numbers that are compared with a level at every look;
an `event` is something that happens once (a change of status; whatever another part hands to `scoring.alerting.evaluate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

TOKEN, SYSTEM, EVENT = "token", "system", "event"


@dataclass(frozen=True)
class Kind:
    """`asks` are the fields of the form that this kind needs or may have, beside those that every rule has."""

    name: str
    words: str
    about: str
    asks: tuple[str, ...] = ()
    figure: str = ""  # the one it always looks at; blank where the rule chooses
    rising: bool | None = None  # the one direction it has; None where the rule chooses
    level: float | None = None  # the one level it has
    between: tuple[float, float] | None = None  # where a level makes sense
    unit: str = ""  # of the level, in words
    operator: bool = False  # about the system itself, so it may break the quiet hours by itself


@dataclass(frozen=True)
class Figure:
    words: str
    unit: str = ""  # "$" before the number, "%" behind it


LIMITS = ("only_active", "min_liquidity", "min_age_minutes", "max_age_hours")
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("score", "A token's score crosses a level", TOKEN, ("rising", "level", "band", *LIMITS), figure="score"),
        Kind("figure", "One figure of a token goes beyond a value", TOKEN, ("figure", "rising", "level", "band", *LIMITS)),
        Kind("status", "A token's status changes", EVENT, ("old_status", "new_status", *LIMITS[1:])),
        Kind(
            "feed",
            "The feed of new tokens is silent",
            SYSTEM,
            ("level",),
            "feed_silent_min",
            True,
            None,
            (0.5, 1440),
            "minutes of silence",
            True,
        ),
        Kind(
            "budget",
            "The Birdeye budget is low",
            SYSTEM,
            ("level",),
            "budget_left_percent",
            False,
            None,
            (0, 100),
            "per cent of the month's budget that are left",
            True,
        ),
        Kind("health", "The scores themselves look wrong", SYSTEM, (), "scores_suspicious", rising=True, level=1.0, operator=True),
        Kind("model", "A model has drifted, is out of date or was stopped", SYSTEM, (), "models_in_trouble", True, 1.0, operator=True),
    )
}
FIGURES: dict[str, Figure] = {
    "tx_accel": Figure("Transaction acceleration"),
    "vol_momentum": Figure("Volume momentum"),
    "holder_growth": Figure("Holder growth"),
    "orderflow_imbalance": Figure("Order-flow imbalance"),
    "tx_count_5m": Figure("Transactions in 5 minutes"),
    "tx_count_1h": Figure("Transactions in 1 hour"),
    "volume_5m": Figure("Volume in 5 minutes", "$"),
    "volume_1h": Figure("Volume in 1 hour", "$"),
    "liquidity": Figure("Liquidity", "$"),
    "holders": Figure("Holders"),
}


@dataclass(frozen=True)
class Happening:
    """Something that happens once. `mark` grows from one to the next of the same token, so that none is told twice."""

    kind: str
    token_id: int
    mark: int
    at: datetime
    sentence: str
    old: str = ""
    new: str = ""
    numbers: Mapping[str, float | str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Circumstances:
    """The system's figures by name; one that is not there is unknown. `sentences` says what a figure means at this moment."""

    figures: Mapping[str, float] = field(default_factory=dict)
    sentences: Mapping[str, str] = field(default_factory=dict)
