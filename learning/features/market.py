"""Market context: what all tokens did, what SOL did, and how this one differs from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.features.reasons import FEWEST
from learning.features.series import least, median, regression
from learning.features.slots import MARKET, SOL, Group, price, volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.sight import Sight
    from learning.features.slots import Feature

    Numbers = NDArray[np.float64]

slot = Group("market context")
HOUR = 60
SAME = 1e-12  # of two returns: they differ by rounding


def same(s: Sight, value: float) -> Numbers:
    """One number for all tokens of a moment."""
    return np.full(s.count, value)


def usual_move(s: Sight, minutes: int) -> float:
    moved = s.around.moved(minutes)
    return float(median(moved[:, None])[0]) if len(moved) >= FEWEST else np.nan


def rising(s: Sight, minutes: int) -> float:
    moved = s.around.moved(minutes)
    moving = int((moved != 0).sum())
    return float((moved > 0).sum() / moving) if len(moved) >= FEWEST and moving else np.nan


def unlike(s: Sight, minutes: int) -> float:
    """Median distance from the median."""
    moved = s.around.moved(minutes)
    return float(median(np.abs(moved - usual_move(s, minutes))[:, None])[0]) if len(moved) >= FEWEST else np.nan


def place_among(own: Numbers, others: Numbers) -> Numbers:
    """0 below all, 1 above all; of equal ones half."""
    if len(others) < FEWEST:
        return np.full(len(own), np.nan)
    ordered = np.sort(others)
    below, up_to = np.searchsorted(ordered, own - SAME, side="left"), np.searchsorted(ordered, own + SAME, side="right")
    return np.where(np.isnan(own), np.nan, (below + up_to) / (2.0 * len(ordered)))


def volumes(s: Sight) -> Numbers:
    """What each token of the market traded a minute in the last hour, where that is known."""
    traded = s.around.market.volume[: s.around.row + 1][-HOUR:]
    known = ~np.isnan(traded)
    count = known.sum(axis=0)
    mean = np.where(known, traded, 0.0).sum(axis=0) / np.maximum(count, 1)
    found: Numbers = mean[count >= least(HOUR)]
    return found


def _usual(minutes: int) -> Feature:
    text = f"Median log return of all tokens, {minutes} min."
    return slot(f"market_return_{minutes}m", "log", text, MARKET, lambda s: same(s, usual_move(s, minutes)))


def _excess(minutes: int) -> Feature:
    text = f"The token's log return of {minutes} min less the market's."
    needs = (price(minutes + 1), MARKET)
    return slot(f"excess_return_{minutes}m", "log", text, needs, lambda s: -s.log.at(minutes) - usual_move(s, minutes))


def _rising(minutes: int) -> Feature:
    text = f"Share of rising tokens among those that moved in {minutes} min."
    return slot(f"market_rising_{minutes}m", "0..1", text, MARKET, lambda s: same(s, rising(s, minutes)))


def sol_return(s: Sight, minutes: int) -> float:
    logs = s.around.sol
    return float(logs[-1] - logs[-1 - minutes]) if len(logs) > minutes else np.nan


def _sol(minutes: int) -> Feature:
    text = f"Log return of SOL, {minutes} min."
    return slot(f"sol_return_{minutes}m", "log", text, SOL, lambda s: same(s, sol_return(s, minutes)))


def together(s: Sight, course: Numbers) -> tuple[Numbers, Numbers]:
    own = s.around.own_course
    if len(own) < HOUR:
        return np.full(s.count, np.nan), np.full(s.count, np.nan)
    return regression(own, np.broadcast_to(course, own.shape), least(HOUR))


FEATURES = (
    *(_usual(minutes) for minutes in (5, 15, 60)),
    *(_rising(minutes) for minutes in (15, 60)),
    slot(
        "market_spread_15m",
        "log",
        "Median distance of the tokens' returns of 15 min from their median.",
        MARKET,
        lambda s: same(s, unlike(s, 15)),
    ),
    *(_excess(minutes) for minutes in (15, 60)),
    slot(
        "return_rank_15m",
        "0..1",
        "Where the token's return of 15 min stands among all tokens'.",
        (price(16), MARKET),
        lambda s: place_among(-s.log.at(15), s.around.moved(15)),
    ),
    slot(
        "beta_60m",
        "ratio",
        "Slope of the token's moves on the market's, 60 min.",
        (price(61), MARKET),
        lambda s: together(s, s.around.course)[0],
    ),
    slot("market_correlation_60m", "-1..1", "Correlation of the two.", (price(61), MARKET), lambda s: together(s, s.around.course)[1]),
    slot(
        "volume_rank_60m",
        "0..1",
        "Where the token's volume of 60 min stands among all tokens'.",
        (volume(60), MARKET),
        lambda s: place_among(s.volume.mean(HOUR), volumes(s)),
    ),
    *(_sol(minutes) for minutes in (15, 60)),
    slot(
        "sol_correlation_60m",
        "-1..1",
        "Correlation of the token's moves with SOL's, 60 min.",
        (price(61), SOL),
        lambda s: together(s, s.around.sol_course)[1],
    ),
)
