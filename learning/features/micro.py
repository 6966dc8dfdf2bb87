"""Micro-structure: what trading costs and who trades, from our own bars and snapshots. Nobody shows us an order book: spreads are read
from prices (Roll; Corwin and Schultz; Abdi and Ranaldo). Such estimates may be negative; they stay so, for cutting them is a bias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from learning.features.flow import over
from learning.features.series import Series, correlation, least, regression
from learning.features.slots import POOLS, Group, buys, price, seen, volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.features.sight import Sight
    from learning.features.slots import Feature

    Numbers = NDArray[np.float64]

slot = Group("micro-structure")
THOUSAND = 1000.0  # US dollars
WIDE = 3.0 - 2.0 * 2.0**0.5


def signed_root(values: Numbers) -> Numbers:
    return np.sign(values) * np.sqrt(np.abs(values))


def roll(s: Sight, minutes: int) -> Numbers:
    """Twice the root of minus the covariance of neighbouring moves, as a share of the price."""
    moves = s.moves.values[-minutes:]
    both = Series(moves[1:] * moves[:-1])
    first, second = Series(moves[:-1]), Series(moves[1:])
    length = minutes - 1
    return 2.0 * signed_root(first.mean(length) * second.mean(length) - both.mean(length))


def corwin_schultz(s: Sight, minutes: int) -> Numbers:
    rows = minutes + 1
    high, low, width = s.high.values[-rows:], s.low.values[-rows:], s.widths.values[-rows:]
    both = np.log(np.maximum(high[1:], high[:-1]) / np.minimum(low[1:], low[:-1])) ** 2
    each = width[1:] ** 2 + width[:-1] ** 2
    alpha = (np.sqrt(2.0 * each) - np.sqrt(each)) / WIDE - np.sqrt(both / WIDE)
    return Series(2.0 * np.tanh(alpha / 2.0)).mean(minutes)


def abdi_ranaldo(s: Sight, minutes: int) -> Numbers:
    rows = minutes + 1
    middle = np.log(np.sqrt(s.high.values[-rows:] * s.low.values[-rows:]))
    close = s.log.values[-rows:]
    terms = Series((close[:-1] - middle[:-1]) * (close[:-1] - middle[1:]))
    return 2.0 * signed_root(terms.mean(minutes))


def amihud(s: Sight, minutes: int) -> Numbers:
    traded = s.volume.values[-minutes:] / THOUSAND
    cost = Series(s.sizes.values[-minutes:] / np.where(traded > 0, traded, np.nan))
    mean = cost.mean(minutes)
    return np.log10(np.where(mean > 0, mean, np.nan))


def one_sided_flow(s: Sight, minutes: int) -> Numbers:
    """VPIN with minutes for buckets."""
    return over(Series(np.abs(s.net.values[-minutes:])).total(minutes), s.traded_with_side.total(minutes))


def flow_persistence(s: Sight, minutes: int) -> Numbers:
    values = s.net.values[-minutes - 5 :]
    return correlation(values[5:], values[:-5], least(minutes))


def still(s: Sight, minutes: int) -> Numbers:
    return s.moves.told(minutes, (s.moves.values[-minutes:] == 0).sum(axis=0) / s.moves.count(minutes))


def imbalance(s: Sight, bought: str, sold: str) -> Numbers:
    return over(s.look(bought) - s.look(sold), s.look(bought) + s.look(sold))


def size_ratio(s: Sight) -> Numbers:
    bought, sold = (over(s.look(f"{side}_volume_5m"), s.look(f"{side}_5m")) for side in ("buys", "sells"))
    return np.log(np.where((bought > 0) & (sold > 0), bought, np.nan) / sold)


def grown(s: Sight, name: str, lag: int) -> Numbers:
    now, then = s.look(name), s.look(name, lag)
    return np.log(np.where((now > 0) & (then > 0), now, np.nan) / then)


def _grown(name: str, field: str, lag: int) -> Feature:
    return slot(
        f"{name}_{lag}m", "log", f"ln of {field} now over that of {lag} min ago.", seen(field, lag=lag), lambda s: grown(s, field, lag)
    )


FLOW = seen("buys_volume_5m", "sells_volume_5m")
COUNTS = seen("buys_5m", "sells_5m")

FEATURES = (
    slot("roll_spread_30m", "share", "Spread by the covariance of neighbouring moves, 30 min (Roll).", price(31), lambda s: roll(s, 30)),
    slot(
        "corwin_schultz_30m",
        "share",
        "Spread by highs and lows of one and two minutes, 30 min.",
        price(31),
        lambda s: corwin_schultz(s, 30),
    ),
    slot("abdi_ranaldo_60m", "share", "Spread by closes between middles of the range, 60 min.", price(61), lambda s: abdi_ranaldo(s, 60)),
    slot(
        "amihud_15m",
        "log10 a 1,000 USD",
        "log10 of the mean move's size for each 1,000 US dollars traded, 15 min.",
        (price(16), volume(15)),
        lambda s: amihud(s, 15),
    ),
    slot("amihud_60m", "log10 a 1,000 USD", "The same of 60 min.", (price(61), volume(60)), lambda s: amihud(s, 60)),
    slot(
        "impact_60m",
        "log a 1,000 USD",
        "Slope of a minute's move on 1,000 US dollars of net buying, 60 min (Kyle's lambda).",
        (price(61), buys(60)),
        lambda s: regression(s.moves.values[-60:], s.net.values[-60:] / THOUSAND, least(60))[0],
    ),
    slot(
        "flow_with_move_30m",
        "-1..1",
        "Correlation of net buying with the minute's move, 30 min.",
        (price(31), buys(30)),
        lambda s: correlation(s.moves.values[-30:], s.net.values[-30:], least(30)),
    ),
    slot("still_share_30m", "0..1", "Share of minutes that did not move at all, 30 min.", price(31), lambda s: still(s, 30)),
    slot(
        "one_sided_flow_30m",
        "0..1",
        "Net buying's size over all volume, minute by minute, 30 min (VPIN).",
        buys(30),
        lambda s: one_sided_flow(s, 30),
    ),
    slot(
        "flow_persistence_60m",
        "-1..1",
        "Correlation of a minute's net buying with that of 5 minutes before, 60 min: amounts out of snapshots are those of 5 minutes.",
        buys(65),
        lambda s: flow_persistence(s, 60),
    ),
    slot(
        "trades_acceleration",
        "ratio",
        "Trades a minute of 5 min over those of an hour, as the newest snapshot tells.",
        seen("tx_count_5m", "tx_count_1h"),
        lambda s: 12.0 * over(s.look("tx_count_5m"), s.look("tx_count_1h")),
    ),
    slot(
        "volume_momentum",
        "ratio",
        "Volume of 5 min over the hour's twelfth, as the newest snapshot tells.",
        seen("volume_5m", "volume_1h"),
        lambda s: 12.0 * over(s.look("volume_5m"), s.look("volume_1h")),
    ),
    slot(
        "imbalance_volume",
        "-1..1",
        "Bought less sold over both, of 5 min.",
        FLOW,
        lambda s: imbalance(s, "buys_volume_5m", "sells_volume_5m"),
    ),
    slot("imbalance_count", "-1..1", "Buys less sells over both, of 5 min.", COUNTS, lambda s: imbalance(s, "buys_5m", "sells_5m")),
    slot("buy_size_over_sell_size", "log", "ln of the mean buy over the mean sell, of 5 min.", (FLOW, COUNTS), size_ratio),
    slot(
        "wallets_per_trade",
        "ratio",
        "Unique wallets for each trade of 5 min: few are bots.",
        seen("unique_wallets_5m", "tx_count_5m"),
        lambda s: over(s.look("unique_wallets_5m"), s.look("tx_count_5m")),
    ),
    slot(
        "liquidity_usd",
        "log10 USD",
        "log10 of 1 + US dollars in the pools.",
        seen("liquidity"),
        lambda s: np.log10(1.0 + s.look("liquidity")),
    ),
    *(_grown("liquidity_growth", "liquidity", lag) for lag in (5, 15, 60)),
    slot(
        "turnover_1h",
        "log",
        "ln of 1 + the hour's volume over the liquidity.",
        seen("volume_1h", "liquidity"),
        lambda s: np.log1p(over(s.look("volume_1h"), s.look("liquidity"))),
    ),
    slot("holders", "log10", "log10 of 1 + holders.", seen("holders"), lambda s: np.log10(1.0 + s.look("holders"))),
    *(_grown("holder_growth", "holders", lag) for lag in (15, 60)),
    slot(
        "trades_per_holder_1h",
        "log",
        "ln of 1 + the hour's trades for each holder.",
        seen("tx_count_1h", "holders"),
        lambda s: np.log1p(over(s.look("tx_count_1h"), s.look("holders"))),
    ),
    slot(
        "liquidity_per_holder_usd",
        "log10 USD",
        "log10 of 1 + US dollars of liquidity for each holder.",
        seen("liquidity", "holders"),
        lambda s: np.log10(1.0 + over(s.look("liquidity"), s.look("holders"))),
    ),
    slot(
        "since_last_trade",
        "log10 s",
        "log10 of 1 + seconds since the last trade.",
        seen("last_trade_at"),
        lambda s: np.log10(1.0 + np.maximum(s.inputs.ts - s.look("last_trade_at"), 0.0)),
    ),
    slot("snapshot_age", "s", "Seconds since the newest snapshot.", seen("price"), lambda s: s.inputs.ts - s.look("ts")),
    slot(
        "pools",
        "log",
        "ln of the number of pools seen lately.",
        POOLS,
        lambda s: np.log(np.where(s.pools.number > 0, s.pools.number, np.nan)),
    ),
    slot(
        "pool_concentration",
        "0..1",
        "Herfindahl of the liquidity over the pools: 1 = all in one.",
        POOLS,
        lambda s: s.pools.concentration(s.inputs.pools.liquidity),
    ),
    slot(
        "pool_volume_concentration",
        "0..1",
        "Herfindahl of the hour's volume over the pools.",
        POOLS,
        lambda s: s.pools.concentration(s.inputs.pools.volume_1h),
    ),
    slot(
        "pool_price_gap",
        "log",
        "ln of the dearest over the cheapest of the pools with at least 1 % of the liquidity.",
        POOLS,
        lambda s: s.pools.price_gap,
    ),
)
