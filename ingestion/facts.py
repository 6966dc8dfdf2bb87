"""What the outside services tell us, as frozen values. None is unknown; zero is a fact."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Migration:
    """One token has left the bonding curve. The event itself carries no time and no name."""

    mint: str
    signature: str
    pool: str


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """Token-level figures of one answer. Volumes and prices are US dollars; `buys_5m`/`sells_5m` are counts."""

    address: str
    price: float | None = None
    liquidity: float | None = None
    holders: int | None = None
    tx_count_5m: int | None = None
    tx_count_1h: int | None = None
    volume_5m: float | None = None
    volume_1h: float | None = None
    buys_5m: int | None = None
    sells_5m: int | None = None
    buys_volume_5m: float | None = None
    sells_volume_5m: float | None = None
    unique_wallets_5m: int | None = None
    last_trade_at: datetime | None = None
    symbol: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """One pool of one token. `token_address` is the token asked for, whichever side of the pair it is on."""

    token_address: str
    pool_address: str
    dex_name: str
    quote_symbol: str = ""
    opened_at: datetime | None = None
    price: float | None = None
    liquidity: float | None = None
    tx_count_5m: int | None = None
    tx_count_1h: int | None = None
    volume_5m: float | None = None
    volume_1h: float | None = None
    buys_5m: int | None = None
    sells_5m: int | None = None
    symbol: str = ""
    name: str = ""
