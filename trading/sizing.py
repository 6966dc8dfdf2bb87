"""How much a position may be: by what it risks, and by what the account and the pool bear."""

from __future__ import annotations

from trading.book import BrokerRules
from trading.names import Skip


def size(equity: float, free: float, entry: float, stop: float, liquidity: float, rules: BrokerRules) -> tuple[float, Skip | None]:
    """US dollars to put in, or why none: the smallest of four.

    What loses `risk_share` of the equity when the stop is hit (the way to the stop, and slippage and fee both ways); `position_share` of
    the equity; `liquidity_share` of the pool; the free money after the fee.
    """
    lost = abs(entry - stop) / abs(entry) + 2 * (rules.slippage + rules.fee)
    wanted = min(equity * rules.risk_share / lost, equity * rules.position_share, liquidity * rules.liquidity_share)
    if wanted < rules.least_usd:
        return 0.0, Skip.TOO_SMALL
    possible = min(wanted, (free - rules.fixed_fee_usd) / (1 + rules.fee))
    return (possible, None) if possible >= rules.least_usd else (0.0, Skip.NO_CASH)
