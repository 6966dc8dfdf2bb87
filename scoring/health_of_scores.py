"""Do the scores themselves look sound? One look at a whole tick, held against the looks before it: pure.

Suspicious is only what shows twice in a row, among at least twenty scored tokens; whatever is compared with "usual" needs ten looks at
scores of the same settings within the last hour. So a start, a handful of tokens, a plan without holders or one odd tick raise nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scoring.metrics import CAPPED, ERROR, ESTIMATED, METRICS, NO_HISTORY, STALE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

FEWEST_TOKENS = 20
FEWEST_LOOKS = 10
MOST_IDENTICAL = 0.3
MOST_CAPPED = 0.3
MOST_UNSCORED = 0.5
COLLAPSED_TO = 0.05  # of the usual spread
MOSTLY, SELDOM = 0.8, 0.4  # what was seldom so and is mostly so now
MISSING = (NO_HISTORY, STALE, ERROR)


@dataclass(frozen=True)
class Look:
    """The scores of the Active tokens at one moment. Shares are of all of them; figures are None where no token has a score."""

    tokens: int
    scored: int
    median: float | None
    spread: float | None  # between the quartiles
    identical: float  # share of the most frequent score among the scored
    missing: tuple[float, ...]  # by metric
    capped: float
    estimated: tuple[float, ...]  # by metric


def look(score: Numbers, states: Numbers) -> Look:
    """`states` has a row for each metric: codes of scoring.metrics, NaN where a token has no score at all."""
    tokens, known = int(score.size), np.sort(score[~np.isnan(score)])
    shares = {
        name: tuple(float(np.isin(row, codes).mean()) if tokens else 0.0 for row in states)
        for name, codes in (("missing", MISSING), ("estimated", (ESTIMATED,)))
    }
    low, median, high = (float(value) for value in np.quantile(known, (0.25, 0.5, 0.75))) if known.size else (None, None, None)
    return Look(
        tokens=tokens,
        scored=int(known.size),
        median=median,
        spread=None if low is None or high is None else high - low,
        identical=float(np.unique(np.round(known, 9), return_counts=True)[1].max() / known.size) if known.size else 0.0,
        missing=shares["missing"],
        capped=float((states == CAPPED).any(axis=0).mean()) if tokens else 0.0,
        estimated=shares["estimated"],
    )


def suspicions(now: Look, before: Sequence[Look]) -> list[str]:
    """What is odd about this look, each in a sentence. `before` are looks at scores of the same settings, of the last hour."""
    if now.tokens < FEWEST_TOKENS:
        return []
    found = _by_themselves(now)
    usual = [past for past in before if past.scored >= FEWEST_TOKENS]
    if len(usual) >= FEWEST_LOOKS:
        found += _gone_missing(now, usual)
        if now.scored >= FEWEST_TOKENS and now.median is not None and now.spread is not None:
            found += _moved(now.median, now.spread, usual)
    return found


def _by_themselves(now: Look) -> list[str]:
    found = []
    unscored = 1 - now.scored / now.tokens
    if unscored > MOST_UNSCORED:
        found.append(f"{unscored:.0%} of the Active tokens have no score.")
    if now.scored >= FEWEST_TOKENS and now.spread == 0:
        found.append(f"The middle half of {now.scored} scores is one and the same number.")
    elif now.scored >= FEWEST_TOKENS and now.identical > MOST_IDENTICAL:
        found.append(f"{now.identical:.0%} of {now.scored} scores are the same number.")
    if now.capped > MOST_CAPPED:
        found.append(f"{now.capped:.0%} of the Active tokens have a capped metric: their windows contradict each other.")
    return found


def _moved(median: float, spread: float, usual: Sequence[Look]) -> list[str]:
    """Against the medians of the last hour, which one odd tick does not move."""
    middle = float(np.median([past.median for past in usual if past.median is not None]))
    width = float(np.median([past.spread for past in usual if past.spread is not None]))
    if width <= 0:
        return []
    if 0 < spread < COLLAPSED_TO * width:
        return [f"The spread of the scores has collapsed: {spread:.3g} between the quartiles, where {width:.3g} was usual."]
    if abs(median - middle) > width:
        return [f"The median of the scores has jumped from {middle:.3g} to {median:.3g}, farther than the usual spread of {width:.3g}."]
    return []


def _gone_missing(now: Look, usual: Sequence[Look]) -> list[str]:
    found = []
    for words, shares, was in (
        ("is missing for", now.missing, [past.missing for past in usual]),
        ("is only estimated for", now.estimated, [past.estimated for past in usual]),
    ):
        for name, share, before in zip(METRICS, shares, np.median(np.array(was), axis=0).tolist(), strict=True):
            if share > MOSTLY and before < SELDOM:
                found.append(f"{name} {words} {share:.0%} of the Active tokens, where {before:.0%} was usual.")
    return found


def is_suspicious(found: Sequence[str], found_before: bool) -> bool:
    """Only what shows in two looks in a row."""
    return bool(found) and found_before
