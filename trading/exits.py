"""Where a position leaves. Every level is computed from the entry and from the present state, never from the level of the bar before: asked
twice, it answers the same. Prices are mirrored, as in `trading.fills`."""

from __future__ import annotations

from trading.book import BrokerRules, Position
from trading.fills import Costs, break_even
from trading.names import Deal

CALMER, WILDER = 0.5, 2.0  # how far a change of volatility is followed


def scale(atr: float, atr_now: float, share: float) -> float:
    """By how much the distances of the entry are stretched: 1 where the volatility is unknown, or was."""
    if not (share > 0 and atr > 0 and atr_now > 0):
        return 1.0
    return 1 + share * (min(max(atr_now / atr, CALMER), WILDER) - 1)


def adapted(entry: float, level: float, by: float) -> float:
    return level if by == 1 else entry + (level - entry) * by


def target_level(position: Position, rules: BrokerRules) -> float:
    """The next target; NaN where there is none."""
    if position.reached >= len(position.targets):
        return float("nan")
    by = scale(position.atr, position.atr_now, rules.adapt_share)
    return adapted(position.entry, position.targets[position.reached], by)


def stop_level(position: Position, costs: Costs[float], rules: BrokerRules) -> tuple[float, Deal]:
    """The nearest of: the judged stop (which volatility may only bring nearer), and after the first target the one that breaks even and
    the one that trails. Where there is no target the stop trails at once."""
    by = min(scale(position.atr, position.atr_now, rules.adapt_share), 1.0)
    level, deal = adapted(position.entry, position.stop, by), Deal.STOP
    if rules.break_even and position.reached:
        even = break_even(position.entry, costs)
        if even > level:
            level, deal = even, Deal.BREAK_EVEN
    if rules.trail_atr > 0 and position.atr > 0 and (position.reached or is_last_target(position.targets, 0)):
        trail = position.best - rules.trail_atr * position.atr
        if trail > level:
            level, deal = trail, Deal.TRAIL
    return level, deal


def is_last_target(targets: tuple[float, ...], reached: int) -> bool:
    """NaN ends the list."""
    return reached >= len(targets) or targets[reached] != targets[reached]


def share_sold(reached: int, left: float, rules: BrokerRules) -> float:
    """Quantity sold at the first or second target, where another follows."""
    return left * (rules.share_1 if reached == 0 else rules.share_2)
