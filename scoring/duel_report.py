"""The sides of a duel held against what was in force: figures, intervals, sample sizes, and a sentence of a verdict. Pure.

"Better" is said only where the interval of a difference leaves out zero; with several sides each interval is wider, so that all of them
together are wrong in one duel of twenty. Where a share is 0 or 1 the draws cannot vary, and the interval is that of so many independent
blocks instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from scoring.draws import Draws, Estimate, interval
from scoring.duel_figures import (
    LEAST_BLOCKS,
    LEAST_TOKENS,
    Evidence,
    Lead,
    Picks,
    Sample,
    Terms,
    first_rows,
    first_seen,
    judged,
    lead,
    rank_correlations,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

FIGURES = ("hit", "held", "gain")
WRONG = 0.05  # of all duels that say "better" or "worse" of sides that are alike
WORTH_TELLING = 0.05  # five points: a smaller difference of hit rates is worth no waiting
LONGEST_WAIT_HOURS = 24 * 14


@dataclass(frozen=True)
class SideFigures:
    """One side. A figure is None where the sample is too small; a difference is to what was in force."""

    place: int
    sample: Sample
    figures: dict[str, Estimate | None]
    differences: dict[str, Estimate | None]
    same_picks: bool
    dark: float | None
    activation: Lead | None
    entry: Lead | None
    verdict: str = ""


@dataclass(frozen=True)
class Report:
    terms: Terms
    hours: float
    looks: int
    step_sec: float
    sides: list[SideFigures]
    correlations: dict[tuple[int, int], Estimate | None]
    compared: dict[tuple[int, int], int]  # looks with enough tokens to correlate


def report(evidence: Evidence, terms: Terms, activations: Sequence[Mapping[int, float]], names: Sequence[str]) -> Report:
    """`activations` holds for each side when it made which token Active while the duel ran; side 0 is what was in force."""
    sides, blocks = evidence.score.shape[0], _blocks(evidence, terms.block_sec)
    level = 1 - WRONG / max(sides - 1, 1)
    rows = [first_rows(evidence, side, terms.first) for side in range(sides)]
    picks = [judged(evidence, mine, terms) for mine in rows]
    entries = [first_seen(evidence, mine) for mine in rows]
    draws = Draws.over(np.concatenate([blocks[side.look] for side in picks]), np.concatenate([side.token for side in picks]))
    found = [_side(place, picks, blocks, draws, level) for place in range(sides)]
    hours = float(evidence.at[-1] - evidence.at[0]) / 3600 if evidence.at.size else 0.0
    told = [
        side
        if not side.place
        else _with_leads(
            side,
            lead(dict(activations[side.place]), dict(activations[0]), terms.block_sec, level),
            lead(entries[side.place], entries[0], terms.block_sec, level),
            _verdict(side, found[0], terms, hours, names),
        )
        for side in found
    ]
    pairs = [(one, other) for one in range(sides) for other in range(one + 1, sides)]
    correlations = {pair: rank_correlations(evidence, *pair) for pair in pairs}
    return Report(
        terms=terms,
        hours=hours,
        looks=evidence.at.size,
        step_sec=float(np.median(np.diff(evidence.at))) if evidence.at.size > 1 else 0.0,
        sides=told,
        correlations={pair: _over_time(values, blocks) for pair, values in correlations.items()},
        compared={pair: int((~np.isnan(values)).sum()) for pair, values in correlations.items()},
    )


def _blocks(evidence: Evidence, block_sec: float) -> Places:
    """The block of time that each look lies in."""
    return ((evidence.at - evidence.at[:1]) // block_sec).astype(np.int64)


def _side(place: int, picks: Sequence[Picks], blocks: Places, draws: Draws, level: float) -> SideFigures:
    mine, theirs = picks[place], picks[0]
    sample, other = (Sample(len(side), np.unique(side.token).size, np.unique(blocks[side.look]).size) for side in (mine, theirs))
    same = mine.look.tobytes() == theirs.look.tobytes() and mine.token.tobytes() == theirs.token.tobytes()
    figures: dict[str, Estimate | None] = dict.fromkeys(FIGURES)
    differences: dict[str, Estimate | None] = dict.fromkeys(FIGURES)
    for name in FIGURES if sample.enough else ():
        value, drawn = _drawn(mine, name, blocks, draws)
        own, others = (value, drawn, sample), (*_drawn(theirs, name, blocks, draws), other)
        figures[name] = interval(value, drawn) if name == "gain" else _of_share(*own, 0.95)
        if place and other.enough:
            paired = same or name == "gain" or (0 < value < 1 and 0 < others[0] < 1)
            differences[name] = interval(value - others[0], drawn - others[1], level) if paired else _apart(own, others, level)
    return SideFigures(place, sample, figures, differences, same, float(mine.dark.mean()) if sample.enough else None, None, None)


def _drawn(picks: Picks, name: str, blocks: Places, draws: Draws) -> tuple[float, Numbers]:
    values: Numbers = getattr(picks, name)
    return float(values.mean()), draws.means(blocks[picks.look], picks.token, values)


def _of_share(value: float, drawn: Numbers, sample: Sample, level: float) -> Estimate:
    """Of nothing and of everything the draws know no doubt: there the bound is that of as many independent trials as there are blocks."""
    found = interval(value, drawn, level)
    if 0 < value < 1:
        return found
    beyond = 1 - ((1 - level) / 2) ** (1 / min(sample.blocks, sample.tokens))
    return Estimate(value, 0.0, beyond) if value == 0 else Estimate(value, 1 - beyond, 1.0)


def _apart(mine: tuple[float, Numbers, Sample], theirs: tuple[float, Numbers, Sample], level: float) -> Estimate:
    """Of shares at an end of the scale: from the two intervals, as if the sides shared no draw, which is wider."""
    one, other = _of_share(*mine, level), _of_share(*theirs, level)
    below = float(np.hypot(one.value - one.low, other.high - other.value))
    above = float(np.hypot(one.high - one.value, other.value - other.low))
    return Estimate(one.value - other.value, one.value - other.value - below, one.value - other.value + above)


def _over_time(values: Numbers, blocks: Places) -> Estimate | None:
    known = ~np.isnan(values)
    if np.unique(blocks[known]).size < LEAST_BLOCKS:
        return None
    alike = np.zeros(int(known.sum()), dtype=np.int64)  # one name: only time is drawn
    return interval(float(values[known].mean()), Draws.over(blocks[known], alike).means(blocks[known], alike, values[known]))


def _with_leads(side: SideFigures, activation: Lead, entry: Lead, verdict: str) -> SideFigures:
    return SideFigures(side.place, side.sample, side.figures, side.differences, side.same_picks, side.dark, activation, entry, verdict)


# The verdict


def _verdict(side: SideFigures, in_force: SideFigures, terms: Terms, hours: float, names: Sequence[str]) -> str:
    name, found = names[side.place], side.differences["hit"]
    mine, theirs = side.figures["hit"], in_force.figures["hit"]
    if found is None or mine is None or theirs is None:
        return f"Too few yet to say anything about {name}: {_lacking(side.sample, in_force.sample, terms, hours)}"
    if side.same_picks:
        return f"{name} has picked exactly what was in force: no difference at all so far."
    if found.low > 0 or found.high < 0:
        word = "more" if found.low > 0 else "less"
        rose = f"{_share(mine.value)} rose by {_share(terms.rise)} within {terms.minutes:g} min"
        return f"{name} finds {word}: of its first {terms.first}, {rose}; of those in force {_share(theirs.value)} ({_points(found)})."
    return f"No difference between {name} and what is in force can be told yet ({_points(found)}): {_wait(found, hours)}"


def _lacking(mine: Sample, theirs: Sample, terms: Terms, hours: float) -> str:
    blocks, tokens = min(mine.blocks, theirs.blocks), min(mine.tokens, theirs.tokens)
    words = f"{blocks} of {LEAST_BLOCKS} stretches of {terms.block_sec / 60:g} min and {tokens} of {LEAST_TOKENS} tokens that were picked."
    missing = (LEAST_BLOCKS - blocks) * terms.block_sec / 3600 + (0 if blocks else terms.minutes / 60)
    if tokens and tokens < LEAST_TOKENS:
        missing = max(missing, hours * (LEAST_TOKENS / tokens - 1))
    return words + (f" It needs about {_hours(missing)} more." if missing > 0 else "")


def _wait(found: Estimate, hours: float) -> str:
    """How long until a difference of five points would show, if all goes on as it did: intervals shrink with the root of time."""
    half = (found.high - found.low) / 2
    if half <= WORTH_TELLING:
        return f"a difference of more than {_share(max(abs(found.low), abs(found.high)))} either way is ruled out."
    more = hours * ((half / WORTH_TELLING) ** 2 - 1)
    if more > LONGEST_WAIT_HOURS:
        return "at this pace a difference of 5 points would not show within two weeks; ask for a smaller rise or more places."
    return f"to tell one of 5 points it needs about {_hours(more)} more."


def _hours(hours: float) -> str:
    return f"{ceil(hours * 60)} min" if hours < 1 else f"{ceil(hours)} h"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _points(found: Estimate) -> str:
    value, low, high = (f"{100 * number:+.1f}".replace("-", "−") for number in (found.value, found.low, found.high))
    return f"{value} points, interval {low} to {high}"
