"""What the services know and what they get wrong: the same distortions for both, whichever words they use."""

import math
from dataclasses import dataclass

import numpy as np

from ingestion.simulator.births import Quirk
from ingestion.simulator.chance import Floats, crossed, share, uniform
from ingestion.simulator.market import Market, Rows, Sums


@dataclass(frozen=True)
class Window:
    """One token's (or pool's) window as it is told: plain numbers."""

    buys: int
    sells: int
    buys_usd: float
    sells_usd: float
    buys_units: float
    sells_units: float

    @property
    def trades(self) -> int:
        return self.buys + self.sells

    @property
    def usd(self) -> float:
        return self.buys_usd + self.sells_usd

    @property
    def units(self) -> float:
        return self.buys_units + self.sells_units


def told(sums: Sums, quirks: list[int], seconds: float) -> list[Window]:
    """Each entry of the sums as a window, bent where the token has a quirk."""
    columns = zip(*(column.tolist() for column in sums), quirks, strict=True)
    return [_bent(Window(int(buys), int(sells), *amounts), quirk, seconds) for buys, sells, *amounts, quirk in columns]


def _bent(window: Window, quirk: int, seconds: float) -> Window:
    if quirk == Quirk.TRADES_WITHOUT_VOLUME:
        return Window(window.buys, window.sells, 0, 0, 0, 0)
    if quirk == Quirk.VOLUME_WITHOUT_TRADES:
        return Window(0, 0, window.buys_usd, window.sells_usd, window.buys_units, window.sells_units)
    if quirk == Quirk.SHORT_HOUR and seconds > 300:
        return Window(window.buys // 20, window.sells // 20, *(amount / 20 for amount in _amounts(window)))
    return window


def _amounts(window: Window) -> tuple[float, float, float, float]:
    return window.buys_usd, window.sells_usd, window.buys_units, window.sells_units


def prices(market: Market, rows: Rows, now: float) -> Floats:
    """Dollars; a token whose quirk is price jumps is told sixty times too dear in one market minute of twelve."""
    price = market.price(rows, now)
    minute = np.array([int(now // 60)])
    jumping = (market.tokens.quirk[rows] == Quirk.PRICE_JUMPS) & (uniform(crossed(market.tokens.key[rows], minute), 3) < 1 / 12)
    return np.where(jumping, price * 60, price)


def known(market: Market, mint: str, now: float, service: str) -> int | None:
    """The token's row, once the service has indexed it: 10 to 150 market seconds after it migrated, or never."""
    rows = market.rows([mint], now)
    if not rows:
        return None
    quirk = int(market.tokens.quirk[rows[0]])
    never = quirk == Quirk.UNLISTED or (quirk == Quirk.UNKNOWN_TO_BIRDEYE and service == "birdeye")
    delay = 10 + 140 * share(mint, salt=len(service)) ** 2
    return None if never or now < market.tokens.born[rows[0]] + delay else rows[0]


def plain(value: float) -> float | int:
    """0 for 0.0: nothing traded is told as a whole number."""
    return 0 if value == 0 else value


def change(now: float, before: float) -> float | None:
    """Percent, and null exactly when there was nothing before."""
    return None if before == 0 or not math.isfinite(before) else plain((now - before) / before * 100)
