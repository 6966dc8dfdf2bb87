"""What a vector is made from, read from the tables: only what was known, the same when asked again, in five statements."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from learning.feature_inputs import inputs_at
from learning.features import FeatureInputs, Features, compute
from learning.features.inputs import ROWS
from learning.missing import Reason
from learning.schema import PLACES
from tokens.bar_grid import Grid, empty
from tokens.bars import MINUTE_SEC, lengthen, rows_of, write
from tokens.models import Bar, BarSource, Chain, Pool, PoolSnapshot, Token, TokenSnapshot

pytestmark = pytest.mark.django_db

MINUTES = 240


def tokens(now: datetime, number: int, name: str = "T", chain: str = Chain.SOLANA) -> list[int]:
    born = now - timedelta(hours=5)
    made = [Token(address=f"{name}{place}", chain=chain, created_at=born, status_changed_at=born) for place in range(number)]
    return [token.pk for token in Token.objects.bulk_create(made)]


def walk(now: datetime, pks: list[int], seed: int = 1, minutes: int = MINUTES) -> Grid:
    chance = np.random.default_rng(seed)
    grid = empty(MINUTE_SEC, int(now.timestamp()) - minutes * MINUTE_SEC, minutes, np.array(pks))
    grid.close[:] = 1e-4 * np.exp(np.cumsum(chance.normal(0, 0.01, grid.close.shape), axis=0))
    grid.open[:] = np.vstack([grid.close[:1], grid.close[:-1]])
    grid.high[:], grid.low[:] = np.maximum(grid.open, grid.close) * 1.001, np.minimum(grid.open, grid.close) * 0.999
    grid.volume[:] = np.exp(chance.normal(5, 1, grid.close.shape))
    grid.trades[:], grid.buy_volume[:] = np.ceil(grid.volume / 30), grid.volume * chance.uniform(0.2, 0.8, grid.close.shape)
    return grid


def stored(now: datetime, pks: list[int], minutes: int = MINUTES) -> None:
    """Bars of some hours, in time; a snapshot each five minutes, and its pools."""
    grid = walk(now, pks, minutes=minutes)
    at = now - timedelta(seconds=30)
    write(rows_of(grid), "1m", BarSource.SNAPSHOTS, at)
    lengthen(now - timedelta(minutes=minutes), now, at)
    chance = np.random.default_rng(2)
    for ago in range(0, 70, 5):
        ts = now - timedelta(minutes=ago, seconds=15)
        TokenSnapshot.objects.bulk_create(TokenSnapshot(token_id=pk, ts=ts, source="birdeye", **figures(chance)) for pk in pks)
    pools = Pool.objects.bulk_create(Pool(token_id=pk, pool_address=f"pool {pk}", dex_name="pumpswap") for pk in pks)
    PoolSnapshot.objects.bulk_create(
        PoolSnapshot(pool=pool, ts=ts, liquidity=2e4, volume_1h=5e3, price=1e-4) for pool in pools for ts in (now,)
    )


def figures(chance: np.random.Generator) -> dict[str, float]:
    trades = int(chance.integers(10, 100))
    buys = int(chance.integers(1, trades))
    known = {"price": 1e-4, "liquidity": float(chance.uniform(1e4, 5e4)), "holders": int(chance.integers(100, 900))}
    known |= {"tx_count_5m": trades, "tx_count_1h": 11 * trades, "volume_5m": 30.0 * trades, "volume_1h": 300.0 * trades}
    known |= {"buys_5m": buys, "sells_5m": trades - buys, "buys_volume_5m": 30.0 * buys, "sells_volume_5m": 30.0 * (trades - buys)}
    return known | {"unique_wallets_5m": trades // 2}


def same(first: Features, second: Features) -> bool:
    return first.values.tobytes() == second.values.tobytes() and first.reasons.tobytes() == second.reasons.tobytes()


def vectors(now: datetime, pks: list[int] | None = None) -> Features:
    return compute(inputs_at(now, now, pks))


def test_everything_is_read_in_five_statements_however_many_tokens_there_are(now: datetime) -> None:
    pks = tokens(now, 8)
    stored(now, pks)
    for chosen in (pks[:1], pks):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            inputs_at(now, now, chosen)
        assert connection.vendor == "postgresql" or len(asked) == 5  # COPY is not among what Django captures


def test_what_is_stored_fills_a_vector(now: datetime) -> None:
    stored(now, tokens(now, 8))
    found = vectors(now)
    unknown = {name for name, place in PLACES.items() if found.reasons[:, place].any()}
    day = {name for name in PLACES if name.endswith(("24h", "8h", "12h", "22h")) or name.startswith("day_")}
    sol = {name for name in PLACES if name.startswith("sol_")}
    assert found.values.shape == (8, 240)
    assert unknown - day - sol - {"since_last_trade", "pool_price_gap", "return_4h", "moved_since_bar"} == set()


def test_asked_again_later_the_same_bits_are_found(now: datetime) -> None:
    pks = tokens(now, 8)
    stored(now, pks)
    before = vectors(now, pks)
    Token.objects.filter(pk=pks[3]).update(status="Archived", archived_at=now)
    late = walk(now + timedelta(minutes=30), pks, seed=3, minutes=30)
    write(rows_of(late), "1m", BarSource.SNAPSHOTS, now + timedelta(minutes=31))
    TokenSnapshot.objects.bulk_create(
        TokenSnapshot(token_id=pk, ts=now + timedelta(seconds=20), source="birdeye", price=9.0, liquidity=9.0) for pk in pks
    )
    assert same(before, vectors(now, pks))


def test_a_bar_that_was_stored_later_is_not_seen(now: datetime) -> None:
    pks = tokens(now, 3)
    stored(now, pks)
    newest = Bar.objects.filter(interval="1m").order_by("-open_time").values("open_time")[:1]
    Bar.objects.filter(interval="1m", open_time__in=newest).update(stored_at=now + timedelta(seconds=1))
    found = inputs_at(now, now)
    assert np.isnan(found.minutes.close[-1]).all()
    assert compute(found).values[:, PLACES["bar_age"]].tolist() == [1.0, 1.0, 1.0]


def test_at_a_whole_hour_the_hour_that_just_ended_is_not_waited_for(now: datetime) -> None:
    pks = tokens(now, 3)
    stored(now, pks)
    before = vectors(now, pks)
    assert Bar.objects.filter(interval="1h", open_time=now - timedelta(hours=1)).delete()[0] == 3
    assert same(before, vectors(now, pks))
    assert not before.reasons[:, PLACES["hour_high_gap"]].any()


def test_one_token_alone_has_the_vector_it_has_among_all(now: datetime) -> None:
    pks = tokens(now, 9)
    stored(now, pks)
    together = vectors(now, pks)
    for place, pk in enumerate(pks[:3]):
        alone = vectors(now, [pk])
        assert alone.values.tobytes() == together.values[place : place + 1].tobytes()


def test_an_exchange_symbol_is_no_part_of_the_market_and_sol_is_known_by_its_name(now: datetime) -> None:
    pks, others = tokens(now, 6), tokens(now, 2, "B", Chain.BINANCE)
    Token.objects.filter(pk=others[0]).update(address="SOLUSDT")
    stored(now, pks + others)
    found = inputs_at(now, now, pks)
    assert found.market.close.shape == (ROWS, 6)
    assert not compute(found).reasons[:, PLACES["sol_return_60m"]].any()
    exchange = vectors(now, others).reasons
    assert exchange[:, PLACES["age"]].tolist() == [Reason.NO_SOURCE] * 2
    assert not exchange[:, PLACES["return_60m"]].any()


def test_a_token_without_anything_says_why(now: datetime) -> None:
    pks = tokens(now, 2)
    stored(now, pks[:1])
    found = vectors(now, pks)
    reasons = {name: Reason(found.reasons[1, PLACES[name]]) for name in ("return_5m", "liquidity_usd", "pools", "market_return_5m")}
    assert reasons == {
        "return_5m": Reason.NO_BARS,
        "liquidity_usd": Reason.NO_SNAPSHOT,
        "pools": Reason.NO_POOLS,
        "market_return_5m": Reason.FEW_TOKENS,
    }


def test_of_an_empty_database_there_is_nothing(now: datetime) -> None:
    found: FeatureInputs = inputs_at(now, datetime.now(UTC))
    assert compute(found).values.shape == (0, 240)
