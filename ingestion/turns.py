"""When a token's next turn is, and who is worth a paid question. Plain arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

SINGLE_RUN_SEC = 30.0  # at least so long a run by hand may take: no tick comes after it
SLOWEST = 20.0  # an old Initial token is still looked at this many intervals apart
NEAR = 0.5  # from here on the way to activation a token is watched at the full pace, whatever its age
PATIENCE = 5  # polls that bring nothing before a token is asked less often: the services need a while to know a new mint
LONGEST_WAIT_SEC = 3600.0
WORTH_FROM = 0.25  # below this share of a threshold a paid answer would change nothing
UNKNOWN_WORTH = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """What polling needs of the settings in force."""

    interval_sec: float
    young_minutes: float
    freshness_limit_sec: float
    holders_freshness_sec: float
    min_tx_count: int
    min_active_liquidity: float


def reach(liquidity: float | None, tx_count_5m: float | None, pace: Pace) -> float | None:
    """How far on the way to becoming Active: 1 is there. The better of the two roads; None when neither figure is known."""
    roads = [
        1.0 if threshold <= 0 else figure / threshold
        for figure, threshold in ((liquidity, pace.min_active_liquidity), (tx_count_5m, pace.min_tx_count))
        if figure is not None
    ]
    return max(roads, default=None)


def wait_sec(active: bool, age_sec: float, reached: float | None, failures: int, pace: Pace) -> float:
    """Seconds until the next turn.

    An Active token, one that is near activation, and one younger than `young_minutes` wait one interval. An older one waits
    `interval × age / young`, at most 20 intervals: the polls it gets in all grow with the logarithm of its age. A token that five
    polls brought nothing for waits twice as long after each further one, up to an hour: a mint that exists nowhere is asked about
    some 45 times in its first day and 24 times a day from then on.
    """
    waiting = pace.interval_sec
    if not active and (reached is None or reached < NEAR):
        waiting *= min(max(age_sec / (pace.young_minutes * 60), 1.0), SLOWEST)
    if failures > PATIENCE:
        waiting = max(waiting, pace.interval_sec * 2.0 ** min(failures - PATIENCE, 30))
    return min(waiting, max(LONGEST_WAIT_SEC, pace.interval_sec))


def next_failures(failures: int, answered: bool, brought_something: bool) -> int:
    """The count of polls in a row that brought nothing. A service that did not answer is not the token's fault: it slows nobody down."""
    if brought_something:
        return 0
    return failures + 1 if answered else max(failures, min(failures + 1, PATIENCE))


def worth_asking(reached: float | None, stale_sec: float) -> float:
    """What a paid answer about an Initial token is worth: nothing far from a threshold, most for what is about to become Active and
    has not been asked about for long."""
    likely = UNKNOWN_WORTH if reached is None else min(reached, 1.0)
    return 0.0 if likely < WORTH_FROM else likely * max(stale_sec, 1.0)
