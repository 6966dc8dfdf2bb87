"""What a trade costs: the worse side of the bar, slippage, the trade's own impact on the pool, fees. For one number or for arrays alike.

Prices are mirrored for a short: times −1, so that "higher" is always what the position wants and the worse price to enter at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Amount = TypeVar("Amount", float, NDArray[np.float64])

LEAST_LEFT = 0.1  # of a pool, for one who must buy back more of the token than the pool holds: ten times the price, and said so


@dataclass(frozen=True, slots=True)
class Costs(Generic[Amount]):
    """What a fill costs beside the trade's own impact: a pool takes more than an exchange."""

    slippage: Amount
    fee: Amount
    fixed_fee_usd: Amount

    @property
    def both_ways(self) -> Amount:
        """The share that entering and leaving take together."""
        return 2 * (self.slippage + self.fee)

    def fee_of(self, usd: Amount) -> Amount:
        return usd * self.fee + self.fixed_fee_usd


def worse_side(open_: Amount, extreme: Amount, share: float) -> Amount:
    """The price between the open (share 0) and the bar's worst (share 1)."""
    return extreme if share >= 1 else open_ + (extreme - open_) * share


def slipped(price: Amount, side: Amount | float, slippage: Amount) -> Amount:
    """What is paid (side 1) or received (side −1) for a token quoted at `price`, before the trade's own impact."""
    return price * (1 + side * slippage)


def paid_in(side: float, usd: float, price: float, reserve: float) -> tuple[float, float]:
    """Entering for `usd` in a pool of `reserve` US dollars and T = reserve/price tokens: the quantity, and what changes hands.

    x·y = k before and after: a buyer gets T·usd/(reserve + usd), a mean price of price·(1 + usd/reserve). A short sells usd/price tokens,
    and is paid reserve·quantity/(T + quantity), the quoted value divided by 1 + value/reserve.
    """
    if side > 0:
        return usd / (price * (1 + usd / reserve)), usd
    return usd / price, usd / (1 + usd / reserve)


def paid_out(side: float, quantity: float, price: float, reserve: float) -> float:
    """Leaving such a pool: what changes hands. A long is paid as above; a short takes back exactly what it sold, which costs
    reserve·quantity/(T − quantity). No pool has all of its tokens for sale: see LEAST_LEFT."""
    value = quantity * price
    if side > 0:
        return value / (1 + value / reserve)
    return value / max(1 - value / reserve, LEAST_LEFT)


def break_even(entry: Amount, costs: Costs[Amount]) -> Amount:
    """The mirrored price at which leaving pays what entering and leaving cost, the trade's own impact apart."""
    return entry + abs(entry) * costs.both_ways
