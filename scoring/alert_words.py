"""What an alert says, in plain English: pure. A token's name never stands in these sentences; it is put before them where it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scoring.alert_kinds import FIGURES, Figure
from scoring.alert_state import Level
from tokens.templatetags import figures

SCORE = Figure("score")
FACTS: tuple[tuple[str, str, Any], ...] = (
    ("score", "score", figures.number),
    ("liquidity", "liquidity", figures.money),
    ("tx_count_5m", "transactions in 5 m", figures.count),
    ("volume_5m", "volume in 5 m", figures.money),
    ("holders", "holders", figures.count),
)


def crossing(figure: str, level: Level, value: float, first: bool) -> str:
    """“score rose to 1.84 (alert at 1.5)”; `first` where the token had no value before."""
    about = FIGURES.get(figure, SCORE)
    verb = "starts at" if first else "rose to" if level.rising else "fell to"
    return f"{about.words[0].lower()}{about.words[1:]} {verb} {written(value, about)} (alert at {written(level.at, about)})"


def written(value: float, about: Figure) -> str:
    if about.unit == "$":
        return figures.money(value)
    return figures.count(value) if about.words.startswith(("Transactions", "Holders")) else figures.number(value)


def facts(numbers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The figures beside the one that was the cause, as far as they are known."""
    return [(words, form(numbers[name])) for name, words, form in FACTS if figures.finite(numbers.get(name)) is not None]
