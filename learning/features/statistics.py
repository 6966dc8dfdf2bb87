"""Statistics of the moves of the last hour: memory, shape, surprise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.features.flow import over
from learning.features.series import Series, correlation, least
from learning.features.slots import Group, price

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.sight import Sight
    from learning.features.slots import Feature

    Numbers = NDArray[np.float64]

slot = Group("statistics")
HOUR = 60
LAGS = (1, 2, 4, 8, 16)
EDGES = (-1.5, -0.75, -0.25, 0.25, 0.75, 1.5)  # of seven bins, in standard deviations
JUMP = 4.0  # times the standard deviation that the mean size of a normal move stands for
NORMAL_SIZE = float(np.sqrt(2.0 / np.pi))  # the mean size of a normal move in standard deviations


def lagged(s: Sight, lag: int, minutes: int = 90) -> Series:
    """Log returns over `lag` minutes, at each of the last minutes that have one within `minutes`."""
    logs = s.log.values[-minutes:]
    return Series(logs[lag:] - logs[:-lag])


def root_mean_square(s: Sight, lag: int) -> Numbers:

    def make() -> Numbers:
        squares = Series(lagged(s, lag).values ** 2)
        return np.sqrt(squares.mean(len(squares.values)))

    return s.once(f"root mean square {lag}", make)


def hurst(s: Sight) -> Numbers:
    """Slope of ln of the mean size of moves on ln of the minutes they take."""
    sizes = [np.log(np.where(root_mean_square(s, lag) > 0, root_mean_square(s, lag), np.nan)) for lag in LAGS]
    place = np.log(np.array(LAGS, dtype=np.float64))
    place -= place.mean()
    total = sum(size * at for size, at in zip(sizes, place.tolist(), strict=True))
    return np.asarray(total / float((place * place).sum()))


def variance_ratio(s: Sight, lag: int) -> Numbers:
    return over(root_mean_square(s, lag) ** 2, lag * root_mean_square(s, 1) ** 2)


def _variance_ratio(lag: int) -> Feature:
    text = f"Mean square of the moves over {lag} minutes, over {lag} times that over one, 90 min: above 1 they go on, below 1 they turn."
    return slot(f"variance_ratio_{lag}m", "ratio", text, price(90), lambda s: variance_ratio(s, lag))


def own_memory(series: Series, lag: int, minutes: int = HOUR) -> Numbers:
    values = series.values[-minutes:]
    return correlation(values[lag:], values[:-lag], least(minutes) - lag)


def _memory(lag: int) -> Feature:
    text = f"Correlation of a minute's move with that of {lag} before, 60 min."
    return slot(f"autocorrelation_{lag}_60m", "-1..1", text, price(61), lambda s: own_memory(s.moves, lag))


def standard(s: Sight) -> Numbers:
    """The hour's moves in standard deviations from their mean."""

    def make() -> Numbers:
        deviation = s.moves.std(HOUR)
        return (s.moves.values[-HOUR:] - s.moves.mean(HOUR)) / np.where(deviation > 0, deviation, np.nan)

    return s.once("standard", make)


def entropy(s: Sight) -> Numbers:
    values = standard(s)
    known = (~np.isnan(values)).sum(axis=0)
    above = [(values > edge).sum(axis=0) for edge in EDGES]
    counts = [known - above[0], *(above[place] - above[place + 1] for place in range(len(EDGES) - 1)), above[-1]]
    return _entropy(counts, known)


def _entropy(counts: list[NDArray[np.int64]], known: NDArray[np.int64]) -> Numbers:
    """Shannon's, as a share of what it could be."""
    total = np.zeros(len(known))
    for count in counts:
        share = count / np.maximum(known, 1)
        total -= share * np.log(np.where(count > 0, share, 1.0))
    return np.where(known > 0, total / np.log(len(counts)), np.nan)


def order_entropy(s: Sight) -> Numbers:
    """Of the six orders in which three closes can stand."""
    logs = s.log.values[-HOUR:]
    first, second, third = logs[:-2], logs[1:-1], logs[2:]
    known = ~np.isnan(first + second + third)
    order = 4 * (first <= second) + 2 * (second <= third) + (first <= third)
    counts = [((order == which) & known).sum(axis=0) for which in (0, 1, 2, 5, 6, 7)]  # no other order can be
    still = s.moves.std(HOUR) == 0
    return s.log.told(HOUR, np.where(still, np.nan, _entropy(counts, known.sum(axis=0))))


def turning(s: Sight) -> Numbers:
    sign = np.sign(s.moves.values[-HOUR:])
    product = sign[1:] * sign[:-1]
    moved = (product != 0) & ~np.isnan(product)
    return s.moves.told(HOUR, over((product < 0).sum(axis=0), moved.sum(axis=0)))


def jumps(s: Sight) -> Numbers:
    edge = JUMP / NORMAL_SIZE * s.sizes.mean(HOUR)
    found = (s.sizes.values[-HOUR:] > edge).sum(axis=0)
    return np.where(edge > 0, found / s.sizes.count(HOUR), np.nan)


def jump_part(s: Sight) -> Numbers:
    """1 less bipower variation over the sum of squares: what is not in the moves' neighbours as well."""
    sizes = s.sizes.values[-HOUR:]
    both = Series(sizes[1:] * sizes[:-1])
    return 1.0 - (np.pi / 2.0) * over(both.mean(HOUR - 1), s.squares.mean(HOUR))


def tail(s: Sight) -> Numbers:
    """The mean of the three worst minutes."""
    ordered = np.sort(s.moves.values[-HOUR:], axis=0)
    return s.moves.told(HOUR, (ordered[0] + ordered[1] + ordered[2]) / 3.0)


def straightness(s: Sight, minutes: int) -> Numbers:
    return over(np.abs(s.moves.total(minutes)), s.sizes.total(minutes))


def _straightness(minutes: int) -> Feature:
    text = f"How far the price came over how far it went, {minutes} min: 1 is a straight way."
    return slot(f"straightness_{minutes}m", "0..1", text, price(minutes + 1), lambda s: straightness(s, minutes))


def rank_trend(s: Sight, minutes: int) -> Numbers:
    """Kendall: of all pairs of closes, the share that rises less the share that falls."""
    logs = s.log.values[-minutes:]
    net, pairs = np.zeros(s.count), np.zeros(s.count)
    for lag in range(1, minutes):
        sign = np.sign(logs[lag:] - logs[:-lag])
        known = ~np.isnan(sign)
        net += np.where(known, sign, 0.0).sum(axis=0)
        pairs += known.sum(axis=0)
    return s.log.told(minutes, over(net, pairs))


FEATURES = (
    slot("hurst_90m", "0..1", "Hurst's exponent by moves over 1, 2, 4, 8 and 16 minutes: 0.5 is a random walk.", price(90), hurst),
    *(_variance_ratio(lag) for lag in (2, 5, 10)),
    *(_memory(lag) for lag in (1, 2, 5)),
    slot(
        "autocorrelation_of_size_60m",
        "-1..1",
        "Correlation of a move's size with that of the minute before, 60 min.",
        price(61),
        lambda s: own_memory(s.sizes, 1),
    ),
    slot("skew_60m", "ratio", "Skewness of the moves of 60 min.", price(61), lambda s: Series(standard(s) ** 3).mean(HOUR)),
    slot(
        "kurtosis_60m",
        "log",
        "ln of the kurtosis of the moves of 60 min.",
        price(61),
        lambda s: np.log(Series(standard(s) ** 4).mean(HOUR)),
    ),
    slot(
        "entropy_60m",
        "0..1",
        "Shannon's entropy of the moves of 60 min in seven bins.",
        price(61),
        lambda s: s.moves.told(HOUR, entropy(s)),
    ),
    slot("order_entropy_60m", "0..1", "Entropy of the orders of three neighbouring closes, 60 min.", price(61), order_entropy),
    slot("turning_share_60m", "0..1", "Share of moves that turned the one before, of those where both moved, 60 min.", price(61), turning),
    slot("jump_share_60m", "0..1", "Share of minutes with a move four times the usual, 60 min.", price(61), jumps),
    slot("jump_part_60m", "0..1", "Part of the variance that came in jumps (bipower), 60 min.", price(61), jump_part),
    slot(
        "largest_part_60m",
        "0..1",
        "Part of the sum of squared moves of 60 min that is the largest one's.",
        price(61),
        lambda s: over(s.squares.highest(HOUR), s.squares.total(HOUR)),
    ),
    slot("tail_loss_60m", "log", "Mean of the three worst moves of 60 min.", price(61), tail),
    *(_straightness(minutes) for minutes in (10, 60)),
    slot("rank_trend_20m", "-1..1", "Kendall's rank correlation of 20 closes with time.", price(20), lambda s: rank_trend(s, 20)),
)
