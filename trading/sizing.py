"""How much a position may be: by what it risks, and by what the account and the pool bear."""

from __future__ import annotations

from trading.book import BrokerRules
from trading.fills import Amount, Costs
from trading.names import Skip


def loss_share(entry: Amount, stop: Amount, costs: Costs[Amount]) -> Amount:
    """What a position loses of its value when the stop is hit: the way to it, and slippage and fee both ways."""
    return abs(entry - stop) / abs(entry) + costs.both_ways


def size(equity: float, free: float, loss: float, bearable: float, costs: Costs[float], rules: BrokerRules) -> tuple[float, Skip | None]:
    """US dollars to put in, or why none: the smallest of four.

    What loses `risk_share` of the equity at the stop; `position_share` of the equity; what the pool bears; the free money after the fee.
    """
    wanted = min(equity * rules.risk_share / loss, equity * rules.position_share, bearable)
    if wanted < rules.least_usd or wanted <= 0:
        return 0.0, Skip.TOO_SMALL
    possible = min(wanted, (free - costs.fixed_fee_usd) / (1 + costs.fee))
    return (possible, None) if possible >= rules.least_usd and possible > 0 else (0.0, Skip.NO_CASH)
