"""The look ahead as the console draws it: a strip under each weight's slider, and the sentence that says what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scoring.ahead import APART_SEC, FEWEST_MOMENTS, FIRST, LISTS_LONGER, PLACES, Ahead
from scoring.revisions import WEIGHTS

HIGHEST = max(PLACES)  # where a slider ends
TOP, TALL = 20.0, 20.0  # of a whole bar, in pixels: under its number, above its place


@dataclass(frozen=True)
class Bar:
    """One place of a slider: how far along it in per cent, how much of a whole bar, and in words. `height` is None where none is known."""

    along: float
    place: str
    height: float | None
    stay: str

    @property
    def tall(self) -> str:
        return f"{TALL * (self.height or 0.0):.1f}"

    @property
    def top(self) -> str:
        return f"{TOP + TALL * (1 - (self.height or 0.0)):.1f}"


@dataclass(frozen=True)
class Strip:
    """`mark` is where the draft stands, in per cent of the slider; `told` says all of it in one sentence."""

    bars: list[Bar]
    mark: float
    told: str


def strips(found: Ahead, draft: Any) -> Mapping[str, Strip]:
    """By the name of the weight; none where there was too little to look at."""
    if found.stay is None:
        return {}
    rows = zip(WEIGHTS, found.stay.tolist(), strict=True)
    return {
        name: _strip([_bar(place, stay, found.first) for place, stay in zip(PLACES, row, strict=True)], getattr(draft, name), found)
        for name, row in rows
    }


def _bar(place: float, stay: float, first: int) -> Bar:
    unknown = stay != stay
    return Bar(100 * place / HIGHEST, f"{place:g}", None if unknown else stay / first, "–" if unknown else _to_a_tenth(stay, first))


def _to_a_tenth(stay: float, first: int) -> str:
    """Nearly all are not all, and hardly any is not none."""
    return f"{stay if stay in (0, first) else min(max(round(stay, 1), 0.1), first - 0.1):g}"


def _strip(bars: list[Bar], weight: float, found: Ahead) -> Strip:
    at = ", ".join(
        f"{bar.stay} at {bar.place}" if bar.height is not None else f"unknown at {bar.place}, where no weight is left" for bar in bars
    )
    beyond = ", beyond the slider" if weight > HIGHEST else ""
    return Strip(
        bars, 100 * min(weight / HIGHEST, 1.0), f"Of the draft’s first {found.first} would stay: {at}. The draft is at {weight:g}{beyond}."
    )


def meaning(found: Ahead, hours: float) -> str:
    """What the strips say and what they do not, or why there are none."""
    if found.stay is None:
        shortest = FIRST[-1] * LISTS_LONGER
        so_far = f"so far it was so at {found.long_enough} of {found.moments}" if found.moments else "nothing that long is stored yet"
        return (
            f"How far each weight would change the list cannot be told yet: it takes {shortest} Active tokens with a score, "
            f"at {FEWEST_MOMENTS} moments {APART_SEC:.0f} s apart; {so_far}."
        )
    return (
        f"Under each weight: were it there, so many of this draft’s first {found.first} would still be among the first {found.first}, on "
        f"average over {found.long_enough} moments of the last {span(hours)}. It says how far the list would differ, not that it would be "
        "better; who is Active stays as the draft has it."
    )


def span(hours: float) -> str:
    """“2.1 h”, and below an hour “8 min”."""
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"
