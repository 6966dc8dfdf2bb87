"""Who is born: one day's tokens, their characters and their pools, drawn at once from the seed and the day."""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.simulator import identity
from ingestion.simulator.chance import Floats, Keys

DAY = 86_400.0
MIGRATIONS_A_DAY = 1_200
POOL_SLOTS = 4  # the first pool of a token, and up to three opened later


class Kind(IntEnum):
    FIZZLE = 0  # a quick death, as most
    SLOW = 1  # dies over hours
    RUNNER = 2  # lives for days
    PUMP = 3  # comes in waves
    RUG = 4  # its liquidity is taken in two minutes
    WASH = 5  # a handful of wallets trade with themselves
    DUST = 6  # cents of liquidity and a price of thousands


class Quirk(IntEnum):
    """What the services get wrong about a few tokens, on purpose."""

    NONE = 0
    TRADES_WITHOUT_VOLUME = 1
    VOLUME_WITHOUT_TRADES = 2
    SHORT_HOUR = 3  # the hour's counters lag behind those of five minutes
    PRICE_JUMPS = 4
    UNKNOWN_TO_BIRDEYE = 5
    UNLISTED = 6  # rolled back on the chain: no service ever knows it
    NO_HOLDERS = 7
    NO_LIQUIDITY = 8  # DexScreener leaves the key out


# Of each kind: share of births, trades a minute at birth, minutes until they fall to 37 %, floor of trades a minute.
_SHARES = np.array([0.50, 0.17, 0.09, 0.12, 0.06, 0.04, 0.02])
_RATE = np.array([22.0, 18.0, 30.0, 9.0, 35.0, 45.0, 12.0])
_FADE = np.array([25.0, 260.0, 2500.0, 150.0, 220.0, 4000.0, 12.0])
_FLOOR = np.array([0.01, 0.03, 1.5, 0.2, 0.02, 4.0, 0.0])
_QUIRK_SHARES = np.array([0.917, 0.008, 0.006, 0.008, 0.008, 0.02, 0.008, 0.015, 0.01])


@dataclass(frozen=True)
class Cohort:
    """Columns, one entry a token, in order of birth. Ages and widths are minutes, `born` is seconds of market time."""

    mint: list[str]
    signature: list[str]
    label: list[str]
    name: list[str]
    symbol: list[str]
    creator: list[str]
    pool_addresses: list[list[str]]
    curve_address: list[str]
    born: Floats
    key: Keys
    kind: NDArray[np.int64]
    quirk: NDArray[np.int64]
    rate: Floats
    fade: Floats
    floor: Floats
    wave_at: Floats
    wave_width: Floats
    wave_rate: Floats
    wave_gain: Floats
    log_price: Floats
    drift: Floats
    drift_fade: Floats
    noise: Floats
    noise_phase: Floats
    noise_period: Floats
    liquidity: Floats
    end_at: Floats
    end_log_price: Floats
    end_liquidity: Floats
    trade_size: Floats
    crowd: Floats
    holders: Floats
    holders_lag: Floats
    supply: Floats
    pool_share: Floats
    pool_opens: Floats
    pool_dex: NDArray[np.int64]
    pool_quote: NDArray[np.int64]
    pool_turned: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.mint)


def joined(cohorts: list[Cohort]) -> Cohort:
    """Several days as one table."""
    columns: dict[str, Any] = {}
    for field in fields(Cohort):
        parts = [getattr(cohort, field.name) for cohort in cohorts]
        columns[field.name] = [entry for part in parts for entry in part] if isinstance(parts[0], list) else np.concatenate(parts)
    return Cohort(**columns)


def _birth_moments(random: np.random.Generator, day: int) -> Floats:
    """About 1,200 moments of one day: more in its second half, and every fifth birth in a burst a second apart."""
    count = int(random.poisson(MIGRATIONS_A_DAY))
    lone = random.random(count - count // 5)
    lone = lone + 0.06 * np.sin(2 * np.pi * lone)  # still within [0, 1]: the slope of the added wave is below one
    centres = random.random(max(1, count // 20))
    in_bursts = random.choice(centres, count // 5) + random.exponential(1.5 / DAY, count // 5)
    moments = np.sort(np.clip(np.concatenate([lone, in_bursts]), 0.0, 1.0 - 1e-9))
    return (day + moments) * DAY


def _waves(random: np.random.Generator, kind: NDArray[np.int64]) -> dict[str, Any]:
    shape = (len(kind), 3)
    strength = np.where(kind == Kind.PUMP, 55.0, np.where(kind == Kind.RUNNER, 20.0, 0.0))[:, None]
    at = random.lognormal(np.log(90.0), 1.4, shape)
    at = np.where((kind == Kind.RUNNER)[:, None], at * 6, at)
    return {
        "wave_at": at,
        "wave_width": random.uniform(4.0, 30.0, shape),
        "wave_rate": strength * random.lognormal(0.0, 0.8, shape),
        "wave_gain": np.where(strength > 0, random.uniform(0.2, 1.6, shape), 0.0),
    }


def _prices(random: np.random.Generator, kind: NDArray[np.int64], fade: Floats) -> dict[str, Any]:
    count = len(kind)
    choices = [kind == Kind.FIZZLE, kind == Kind.SLOW, kind == Kind.RUNNER, kind == Kind.WASH]
    drifts = [random.uniform(-8, -2, count), random.uniform(-4, -0.5, count), random.uniform(-0.5, 2.5, count), np.zeros(count)]
    ends = np.isin(kind, [Kind.RUG, Kind.DUST])
    dust = kind == Kind.DUST
    end_at = np.where(dust, random.uniform(3, 20, count), random.lognormal(np.log(60), 1.0, count))
    return {
        "log_price": random.normal(np.log(6.5e-5), 0.35, count),  # about 65,000 dollars for a thousand million tokens
        "drift": np.select(choices, drifts, random.uniform(-1.5, 1.0, count)),
        "drift_fade": fade * random.uniform(0.6, 1.6, count) + 3.0,
        "noise": np.where(kind == Kind.WASH, 0.01, random.uniform(0.04, 0.22, count)),
        "noise_phase": random.uniform(0, 2 * np.pi, (count, 3)),
        "noise_period": np.array([7.0, 31.0, 143.0]) * random.uniform(0.7, 1.4, (count, 3)),
        "liquidity": random.lognormal(np.log(23_000), 0.45, count),
        "end_at": np.where(ends, end_at, 1e9),
        "end_log_price": np.where(dust, np.log(random.uniform(500, 6000, count)), random.uniform(-24, -19, count)),
        "end_liquidity": np.where(dust, random.uniform(0.001, 0.02, count), random.uniform(0.2, 60, count)),
    }


def _pools(random: np.random.Generator, kind: NDArray[np.int64], is_bonk: NDArray[np.bool_]) -> dict[str, Any]:
    """Shares of trade and moments of opening. Slot 0 opens with the migration; the others are the lucky tokens' later ones."""
    shape = (len(kind), POOL_SLOTS)
    lucky = np.where(np.isin(kind, [Kind.RUNNER, Kind.PUMP]), 0.75, np.where(kind == Kind.SLOW, 0.35, 0.12))
    exists = random.random(shape) < lucky[:, None] * np.array([9, 1.0, 0.55, 0.3])
    share = random.uniform(0.01, 0.2, shape)
    share[:, 0] = 0.0  # the first pool takes what the others leave
    opens = random.lognormal(np.log(40), 1.3, shape)
    opens[:, 0] = 0.0
    dex = random.integers(2, 7, shape)  # see DEXES
    dex[:, 0] = np.where(is_bonk, 1, 0)
    quote = random.choice(3, shape, p=[0.8, 0.15, 0.05])
    quote[:, 0] = 0
    turned = random.random(shape) < 0.05
    turned[:, 0] = False
    return {
        "pool_share": np.where(exists, share, 0.0),
        "pool_opens": np.where(exists, opens, 1e9),
        "pool_dex": dex,
        "pool_quote": quote,
        "pool_turned": turned,
    }


def cohort(seed: int, day: int) -> Cohort:
    """The tokens that migrate on one day of the market; day 0 begins at market time 0, days before it are the warm start."""
    random = np.random.default_rng([seed, day + 1_000_000])
    born = _birth_moments(random, day)
    count = len(born)
    kind = random.choice(len(Kind), count, p=_SHARES)
    fade = _FADE[kind] * random.lognormal(0.0, 0.7, count)
    is_bonk, is_plain = random.random(count) < 0.07, random.random(count) < 0.04
    endings = ["bonk" if bonk else "" if plain else "pump" for bonk, plain in zip(is_bonk, is_plain, strict=True)]
    titles = identity.names(random, count)
    pool_letters = identity.mints(random, count * (POOL_SLOTS + 2), [""] * (count * (POOL_SLOTS + 2)))
    return Cohort(
        mint=identity.mints(random, count, endings),
        signature=identity.signatures(random, count),
        label=["raydium-cpmm" if bonk else "pump-amm" for bonk in is_bonk],
        name=[name for name, _ in titles],
        symbol=[symbol for _, symbol in titles],
        creator=pool_letters[:count],
        curve_address=pool_letters[count : 2 * count],
        pool_addresses=[pool_letters[start : start + POOL_SLOTS] for start in range(2 * count, (POOL_SLOTS + 2) * count, POOL_SLOTS)],
        born=born,
        key=random.integers(0, 2**63, count).astype(np.uint64),
        kind=kind,
        quirk=random.choice(len(Quirk), count, p=_QUIRK_SHARES),
        rate=_RATE[kind] * random.lognormal(0.0, 0.9, count),
        fade=fade,
        floor=_FLOOR[kind] * random.lognormal(0.0, 0.7, count),
        trade_size=random.lognormal(np.log(65), 0.6, count),
        crowd=np.where(kind == Kind.WASH, random.integers(2, 7, count), random.uniform(0.45, 0.85, count)),
        holders=np.round(random.lognormal(np.log(260), 0.7, count)),
        holders_lag=random.uniform(120, 900, count),
        supply=1e9 - random.exponential(50_000, count),
        **_waves(random, kind),
        **_prices(random, kind, fade),
        **_pools(random, kind, is_bonk),
    )
