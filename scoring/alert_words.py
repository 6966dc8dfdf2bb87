"""What an alert says, in plain English: pure. A token's name never stands in these sentences; it is put before them where it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scoring.alert_kinds import EVENT, FIGURES, KINDS, Figure
from scoring.alert_manner import Level
from scoring.alert_state import QUIET
from tokens.templatetags import figures

if TYPE_CHECKING:
    from scoring.alert_models import AlertRule

SCORE = Figure("score")
FACTS: tuple[tuple[str, str, Any], ...] = (
    ("score", "score", figures.number),
    ("liquidity", "liquidity", figures.money),
    ("tx_count_5m", "transactions in 5 m", figures.count),
    ("volume_5m", "volume in 5 m", figures.money),
    ("holders", "holders", figures.count),
)


def crossing(figure: str, level: Level, value: float) -> str:
    """“score at 1.84 (alert from 1.50 up)”: true also where another limit of the rule was met last."""
    about = FIGURES.get(figure, SCORE)
    side = "up" if level.rising else "down"
    return f"{about.words[0].lower()}{about.words[1:]} at {written(value, about)} (alert from {written(level.at, about)} {side})"


def written(value: float, about: Figure) -> str:
    if about.unit == "$":
        return figures.money(value)
    return figures.count(value) if about.words.startswith(("Transactions", "Holders")) else figures.number(value)


def facts(numbers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The figures beside the one that was the cause, as far as they are known."""
    return [(words, form(numbers[name])) for name, words, form in FACTS if figures.finite(numbers.get(name)) is not None]


def described(rule: AlertRule) -> str:
    """A rule in one sentence: “score rises to 1.50 or over it, back at 1.35; Active tokens with $10k liquidity or more”."""
    kind = KINDS[rule.kind]
    if kind.about == EVENT:
        aim = f"{kind.words[0].lower()}{kind.words[1:]}: {rule.old_status or 'any'} → {rule.new_status or 'any'}"
    elif "level" not in kind.asks or rule.level is None:
        aim = kind.words
    elif kind.unit:
        aim = f"{kind.words}: {'at least' if kind.rising else 'at most'} {rule.level:g} {kind.unit}"
    else:
        about, level = FIGURES.get(kind.figure or rule.figure, SCORE), rule.level_of()
        back = level.at - level.band if level.rising else level.at + level.band
        verb = "rises to" if level.rising else "falls to"
        aim = f"{about.words[0].lower()}{about.words[1:]} {verb} {written(level.at, about)}"
        aim += f", armed again at {written(back, about)}" if level.band else ""
    return "; ".join([aim, *_limits(rule)])


def _limits(rule: AlertRule) -> list[str]:
    asked = KINDS[rule.kind].asks
    found = ["only Active tokens"] if "only_active" in asked and rule.only_active else []
    found += [f"liquidity {figures.money(rule.min_liquidity)} or more"] if rule.min_liquidity is not None else []
    found += [f"at least {rule.min_age_minutes:g} m old"] if rule.min_age_minutes is not None else []
    return found + ([f"at most {rule.max_age_hours:g} h old"] if rule.max_age_hours is not None else [])


def counted(told: Sequence[str]) -> str:
    """Verdicts in one sentence: “4 alerts, and 3 held back (2 by the cool-down, 1 by the hourly cap)”."""
    out = sum(not verdict for verdict in told)
    held = Counter(verdict for verdict in told if verdict)
    words = "1 alert" if out == 1 else f"{out} alerts"
    why = ", ".join(f"{number} by {'' if verdict == QUIET else 'the '}{verdict}" for verdict, number in held.most_common())
    return f"{words}, and {sum(held.values())} held back ({why})" if held else words
