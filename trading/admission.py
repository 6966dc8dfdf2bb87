"""Which signals the rules let in by themselves, before anybody asks what is open; and who comes first when places are few."""

from __future__ import annotations

import numpy as np

from trading.book import BrokerRules, Flags, Places, Signals
from trading.names import Skip

# In the order in which they are asked: a signal is told the first.
BY_ITSELF = (Skip.GATED, Skip.SIDE, Skip.NO_LEVELS, Skip.LOW_CONFIDENCE)
ADMITTED = len(BY_ITSELF)


def judged(signals: Signals, rules: BrokerRules) -> Places:
    """For each signal the place in BY_ITSELF of what keeps it out, or ADMITTED."""
    against = [
        signals.refused != "",
        ~((rules.long & (signals.side > 0)) | (rules.short & (signals.side < 0))),
        ~_levels_make_sense(signals),
        ~(signals.confidence >= rules.least_confidence),  # also where there is none
    ]
    found: Places = np.argmax([*against, np.ones(len(signals), dtype=bool)], axis=0)
    return found


def _levels_make_sense(signals: Signals) -> Flags:
    """A stop on the losing side of the quote; targets on the winning side, each farther than the one before."""
    side = signals.side
    steps = np.diff(side[:, None] * np.column_stack([signals.quote, signals.targets]), axis=1)
    farther = (steps > 0) | np.isnan(signals.targets)
    gapless = ~(np.isnan(signals.targets[:, :-1]) & ~np.isnan(signals.targets[:, 1:])).any(axis=1)
    found: Flags = (signals.quote > 0) & (signals.stop > 0) & (side * signals.stop < side * signals.quote) & farther.all(axis=1) & gapless
    return found


def in_turn(signals: Signals) -> Places:
    """Places of the signals by the bar of their decision; within a bar the more confident first, then the smaller token."""
    return np.lexsort((signals.key, signals.token, -np.nan_to_num(signals.confidence, nan=-1.0), signals.row))
