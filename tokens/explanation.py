"""A token's score as a text that can be read in the shell, with its parts beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tokens import page
from tokens.freshness import age_at
from tokens.page import ScorePart
from tokens.status_rule import duration

UNKNOWN = "–"


@dataclass(frozen=True, repr=False)
class Explained:
    """Prints as readable text. The contributions of `parts`, added from first to last, are exactly `score`."""

    text: str
    score: float | None = None
    ts: datetime | None = None
    settings: Any = None
    parts: Sequence[ScorePart] = field(default=())
    factors: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def explain(token: Any) -> Explained:
    """Take apart the newest score of `token`, as it is stored: nothing is computed anew."""
    explained = page.explained(page.newest_score(token), age_at(token, token.last_scored_at))
    head = f"{token} · {token.status}{' · held' if token.held else ''}"
    if explained is None:
        return Explained(f"{head}\nnot scored yet")
    lines = [head, f"score {_figure(explained.score)} of {explained.ts:%Y-%m-%d %H:%M:%S} UTC by settings {explained.settings}"]
    lines += [_line(part) for part in explained.parts]
    lines += [f"  × {name} {_figure(value)} (in the contributions already)" for name, value in explained.factors]
    lines += [f"  {explained.note}"] if explained.note else []
    if token.low_checks:
        lines.append(f"  {token.low_checks} low checks in a row since {token.low_since:%H:%M:%S}")
    lines.append(f"  {token.status} for {duration(token.observed_sec)} of observed time")
    return Explained("\n".join(lines), explained.score, explained.ts, explained.settings, explained.parts, dict(explained.factors))


def _line(part: ScorePart) -> str:
    way = f"raw {_figure(part.raw)} → " + (f"part {_figure(part.part)} → " if part.part is not None else "")
    sum_up = f"smoothed {_figure(part.smoothed)} × share {_figure(part.share)} = {_figure(part.contribution)}"
    made_of = ", ".join(f"{name} {value}" for name, value in part.inputs)
    why = f": {part.reason}" if part.reason else ""
    return f"  {part.metric:<20} {way}{sum_up}  [{part.state}{why}]  ({made_of})"


def _figure(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4g}"
