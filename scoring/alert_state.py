"""When an alert is due, and when it is held back: pure, over all tokens at once. A moment is seconds since 1970.

A rule has one state for each token (or one for the whole system). It is ON from the moment the value goes beyond the level until it
has come back by more than the band; only the step from OFF to ON is an alert. What is unknown or too old (NaN) changes nothing. A token
that a rule has never seen counts as OFF: one that is born beyond the level is an alert. A `silent` step takes the state over and alerts
nobody: for a rule that was just made or edited, for a token older than the rule at first sight, for a score that other settings have made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.alert_manner import Level, Manner

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Codes = NDArray[np.int8]

UNSEEN, OFF, ON = -1, 0, 1
HOUR_SEC = 3600.0

# Why an alert is not sent; the empty word is one that is.
GOES_OUT, QUIET, COOLING, CAPPED = "", "quiet hours", "cool-down", "hourly cap"


def step(level: Level, known: Codes, value: Numbers, allowed: Flags, silent: Flags) -> tuple[Codes, Flags]:
    """The states after `value`, and which of them are alerts.

    Who is not `allowed` (another limit of the rule is not met) cannot become ON; who is ON stays so until the value itself comes back, so
    that a limit which is met now and then is no second alert.
    """
    beyond, back = (
        (value >= level.at, value < level.at - level.band) if level.rising else (value <= level.at, value > level.at + level.band)
    )
    seen, was_on = ~np.isnan(value), known == ON
    entered = seen & beyond & allowed & ~was_on
    left_or_never_in = seen & ~entered & (back | ~was_on)
    state = np.where(entered, ON, np.where(left_or_never_in, OFF, known)).astype(np.int8)
    return state, entered & ~silent


def held_back(
    due: Iterable[tuple[float, int]], manner: Manner, last_sent: Mapping[int, float] | None = None, sent: Sequence[float] = ()
) -> list[str]:
    """For each alert that is due (moment, subject), in the order of time: why it is held back, or that it goes out.

    `last_sent` is when each subject was last told of, `sent` the moments of the rule's alerts so far. Only what goes out starts a
    cool-down and counts for the hour.
    """
    last, gone = dict(last_sent or {}), sorted(sent)
    verdicts = []
    for at, subject in due:
        if manner.quiet is not None and manner.quiet.holds(at):
            verdicts.append(QUIET)
        elif 0 <= at - last.get(subject, -np.inf) < manner.cooldown_sec:  # a clock that was set back mutes nothing
            verdicts.append(COOLING)
        elif sum(at - HOUR_SEC < moment <= at for moment in gone[-manner.an_hour :]) >= manner.an_hour:
            verdicts.append(CAPPED)
        else:
            verdicts.append(GOES_OUT)
            last[subject] = at
            gone.append(at)
    return verdicts


def takes(wanted: str, given: str) -> bool:
    """Whether one side of a change is the one that a rule waits for; a blank one is any."""
    return wanted in ("", given)
