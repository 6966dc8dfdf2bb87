"""What a trade costs: the worse side of the bar, slippage, the trade's own impact on the pool, fees. For one number or for arrays alike.

Prices are mirrored for a short: times −1, so that "higher" is always what the position wants and the worse price to enter at.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Amount = TypeVar("Amount", float, NDArray[np.float64])

LEAST_LEFT = 0.1  # of a pool, for one who must buy back more of the token than the pool holds: ten times the price, and said so


def worse_side(open_: Amount, extreme: Amount, share: float) -> Amount:
    """The price between the open (share 0) and the bar's worst (share 1)."""
    return extreme if share >= 1 else open_ + (extreme - open_) * share


def slipped(price: Amount, side: float, slippage: float) -> Amount:
    """What is paid (side 1) or received (side −1) for a token quoted at `price`, before the trade's own impact."""
    return price * (1 + side * slippage)


def bought(usd: Amount, price: Amount, reserve: Amount) -> Amount:
    """How many tokens `usd` buys of a pool that holds `reserve` US dollars and tokens worth as much: x·y = k before and after.

    The pool gives T·usd/(reserve + usd) of its T = reserve/price tokens: a mean price of price·(1 + usd/reserve)."""
    return usd / (price * (1 + usd / reserve))


def sold(quantity: Amount, price: Amount, reserve: Amount) -> Amount:
    """What the same pool pays for tokens: reserve·quantity/(T + quantity), the quoted value divided by 1 + value/reserve."""
    value = quantity * price
    return value / (1 + value / reserve)


def bought_back(quantity: float, price: float, reserve: float) -> float:
    """What the same pool takes for exactly this many tokens: reserve·quantity/(T − quantity). It never has all of them: see LEAST_LEFT."""
    value = quantity * price
    return value / max(1 - value / reserve, LEAST_LEFT)


def break_even(entry: Amount, slippage: float, fee: float) -> Amount:
    """The mirrored price at which leaving pays what entering and leaving cost, the trade's own impact apart."""
    return entry + abs(entry) * (2 * (slippage + fee))
