"""What changed between two scores of a token, part by part and why. The parts add up to the whole. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from tokens.templatetags import figures

if TYPE_CHECKING:
    from tokens.page import Explanation, ScorePart

SAME = 0.005  # what is written with two decimals has not moved below this


@dataclass(frozen=True)
class MovedPart:
    title: str
    amount: str
    why: str


@dataclass(frozen=True)
class Moved:
    since: datetime
    before: float
    change: float
    parts: Sequence[MovedPart]
    other_settings: Any  # the revision of the earlier score, when it was another one


def between(before: Explanation, newest: Explanation) -> Moved | None:
    """None when one of the two has no score."""
    if before.score is None or newest.score is None:
        return None
    change = newest.score - before.score
    pairs = [
        (then, now, (now.contribution or 0.0) - (then.contribution or 0.0)) for then, now in zip(before.parts, newest.parts, strict=True)
    ]
    pairs.sort(key=lambda pair: -abs(pair[2]))
    texts = adding_up([amount for _then, _now, amount in pairs], change)
    parts = [
        MovedPart(now.title, text, why(then, now)) for (then, now, _amount), text in zip(pairs, texts, strict=True) if text.strip("0.")
    ]
    return Moved(before.ts, before.score, change, parts, before.settings if before.settings.pk != newest.settings.pk else None)


def why(then: ScorePart, now: ScorePart) -> str:
    """What moved a part: that it counts at all, its place among the others, its value, or only the smoothing that catches up."""
    if then.contribution is None:
        return _("it counts now")
    if now.contribution is None:
        return _("it is left out now: %s") % now.reason if now.reason else _("it is left out now")
    reasons = []
    if then.raw is not None and now.raw is not None and abs(now.raw - then.raw) >= SAME:
        reasons.append(_("raw %(then)s → %(now)s") % {"then": figures.number(then.raw), "now": figures.number(now.raw)})
    if then.share is not None and now.share is not None and abs(now.share - then.share) >= SAME:
        reasons.append(_("share %(then)s → %(now)s") % {"then": figures.share(then.share), "now": figures.share(now.share)})
    return ", ".join(reasons) or _("smoothing catches up")


def adding_up(values: Sequence[float], total: float, places: int = 3) -> list[str]:
    """The values in so many decimals, rounded up or down so that their sum is the rounded total: whoever adds them up finds it right."""
    unit = 10**places
    floors = [math.floor(value * unit) for value in values]
    missing = round(total * unit) - sum(floors)
    by_remainder = sorted(range(len(values)), key=lambda place: floors[place] - values[place] * unit)
    for place in by_remainder[: max(0, missing)]:
        floors[place] += 1
    return [figures.fixed(whole / unit, places) for whole in floors]
