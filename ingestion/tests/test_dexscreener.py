"""DexScreener's answers: whose pool, whose price, and which pools do not count."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st

from ingestion import dexscreener
from ingestion.dexscreener import DexScreener, from_settings, pool_facts, pools
from ingestion.errors import Malformed
from ingestion.http import Door
from ingestion.ledger import Ledger
from ingestion.strict_json import MAX_COUNT
from ingestion.tests.misbehaving_http import MisbehavingServer, Request, answer, by_request

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BONK = "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263"
MINT, SOL, USDC = (
    "9b1BzC1af9gQBtegh5WcuFB6ARBYQk7PgURW1aogpump",
    "So11111111111111111111111111111111111111112",
    "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
)
REAL = json.loads((Path(__file__).parent / "payloads" / "dexscreener_real_latest_dex_tokens_bonk.json").read_text())


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def pair(**changes: Any) -> dict[str, Any]:
    return {
        "chainId": "solana",
        "dexId": "pumpswap",
        "pairAddress": "Poo1",
        "baseToken": {"address": MINT, "name": "Palantir Inu", "symbol": "PI"},
        "quoteToken": {"address": SOL, "name": "Wrapped SOL", "symbol": "SOL"},
        "priceNative": "0.00001",
        "priceUsd": "0.0015",
        "txns": {"m5": {"buys": 7, "sells": 3}, "h1": {"buys": 70, "sells": 30}},
        "volume": {"m5": 150.5, "h1": 2000},
        "liquidity": {"usd": 12000.5, "base": 1, "quote": 2},
        "pairCreatedAt": 1_763_700_000_000,
        **changes,
    }


def only_pool(**changes: Any) -> Any:
    (found,) = pools([pair(**changes)], [MINT], NOW)[MINT]
    return found


def test_the_real_answer_has_thirty_pools_the_deepest_first() -> None:
    found = pools(REAL, [BONK, MINT], NOW)
    assert found[MINT] == []
    assert len(found[BONK]) == 30
    first = found[BONK][0]
    assert (first.dex_name, first.quote_symbol, first.symbol, first.name) == ("meteora", "MET", "Bonk", "Bonk")
    assert (first.price, first.liquidity, first.tx_count_5m, first.buys_5m, first.sells_5m) == (0.02169, 112792311.02, 3, 0, 3)
    assert (first.tx_count_1h, first.volume_5m, first.volume_1h) == (37, 24773.97, 425309.9)
    assert first.opened_at == datetime(2025, 10, 24, 2, 40, 35, tzinfo=UTC)
    depths = [pool.liquidity or 0 for pool in found[BONK]]
    assert depths == sorted(depths, reverse=True)


def test_a_list_and_an_object_with_pairs_are_both_answers() -> None:
    assert pools(REAL["pairs"], [BONK], NOW) == pools(REAL, [BONK], NOW)
    assert pools({"pairs": None}, [MINT], NOW) == {MINT: []}


def test_pumpswap_counts_and_bonding_curves_do_not() -> None:
    for dex in ("pumpfun", "launchlab", "moonshot", "PumpFun"):
        assert pools([pair(dexId=dex)], [MINT], NOW) == {MINT: []}
    assert only_pool(dexId="pumpswap").dex_name == "pumpswap"


def test_a_token_on_the_quote_side_has_its_own_price_name_and_direction() -> None:
    turned = only_pool(
        baseToken={"address": SOL, "symbol": "SOL", "name": "Wrapped SOL"},
        quoteToken={"address": MINT, "symbol": "PI", "name": "Palantir Inu"},
        priceUsd="150",
        priceNative="100000",
    )
    assert (turned.token_address, turned.symbol, turned.quote_symbol) == (MINT, "PI", "SOL")
    assert turned.price == pytest.approx(0.0015)
    assert (turned.buys_5m, turned.sells_5m, turned.tx_count_5m) == (3, 7, 10)


def test_a_quote_mint_is_nobodys_token() -> None:
    assert pools([pair()], [MINT, "Other"], NOW).keys() == {MINT, "Other"}
    assert pools([pair(baseToken={"address": SOL}, quoteToken={"address": USDC})], [MINT], NOW) == {MINT: []}


def test_a_pair_of_two_asked_tokens_is_a_pool_of_both() -> None:
    other = "8" + MINT[1:]
    found = pools([pair(quoteToken={"address": other, "symbol": "O"})], [MINT, other], NOW)
    assert [pool.token_address for pools_of_one in found.values() for pool in pools_of_one] == [MINT, other]


def test_texts_are_cut_to_what_their_columns_hold() -> None:
    tokens = {"baseToken": {"address": MINT, "name": "N" * 200, "symbol": "S" * 200}, "quoteToken": {"address": SOL, "symbol": "Q" * 200}}
    pool = only_pool(**tokens, dexId="d" * 200)
    assert [len(text) for text in (pool.name, pool.symbol, pool.quote_symbol, pool.dex_name)] == [120, 40, 40, 40]


def test_the_same_pool_twice_is_one_pool() -> None:
    assert len(pools([pair(), pair(priceUsd="9")], [MINT], NOW)[MINT]) == 1


def test_what_is_absent_is_unknown_and_zero_is_zero() -> None:
    bare = only_pool(liquidity=None, volume={}, txns={"m5": {"buys": 0, "sells": 0}}, priceUsd=None, pairCreatedAt=None)
    assert (bare.liquidity, bare.volume_5m, bare.price, bare.opened_at) == (None, None, None, None)
    assert (bare.tx_count_5m, bare.buys_5m, bare.sells_5m, bare.tx_count_1h) == (0, 0, 0, None)
    without = pair()
    for name in ("liquidity", "volume", "txns", "priceUsd", "priceNative", "pairCreatedAt"):
        del without[name]
    assert pool_facts(without, MINT, NOW) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"chainId": "bsc"},
        {"pairAddress": None},
        {"pairAddress": "../x"},
        {"pairAddress": MINT},
        {"dexId": None},
        {"dexId": 5},
        {"baseToken": None},
        {"baseToken": {"address": MINT.lower()}},
        {"quoteToken": {"address": MINT}},
    ],
    ids=repr,
)
def test_a_pair_that_cannot_be_placed_is_left_out(changes: dict[str, Any]) -> None:
    assert pools([pair(**changes)], [MINT], NOW) == {MINT: []}


@pytest.mark.parametrize("price", ["1e-5", "1,234", "NaN", "-1", "", "9" * 5000, True, [], -0.5])
def test_a_price_that_is_not_a_plain_decimal_is_unknown(price: Any) -> None:
    assert only_pool(priceUsd=price).price is None


@pytest.mark.parametrize(
    "answered", [None, {}, "x", 5, True, {"pairs": {}}, {"pairs": "x"}, [{}] * 4000], ids=lambda value: repr(value)[:20]
)
def test_an_answer_of_another_shape_is_malformed(answered: Any) -> None:
    with pytest.raises(Malformed):
        pools(answered, [MINT], NOW)


def test_an_answer_of_so_many_pairs_is_read_and_of_one_more_is_not() -> None:
    assert pools([{}] * 3000, [MINT], NOW) == {MINT: []}
    with pytest.raises(Malformed, match=r"^3001 pairs in one answer$"):
        pools([{}] * 3001, [MINT], NOW)
    with pytest.raises(Malformed, match=r"^the answer is not a list of pairs$"):
        pools("x", [MINT], NOW)


def test_a_pool_of_unknown_depth_comes_after_every_other() -> None:
    deep, shallow, unknown = (pair(pairAddress=name, liquidity=usd) for name, usd in (("D", {"usd": 2}), ("S", {"usd": 0.5}), ("U", None)))
    assert [pool.pool_address for pool in pools([unknown, shallow, deep], [MINT], NOW)[MINT]] == ["D", "S", "U"]


def test_a_pair_that_names_no_chain_is_of_the_one_that_was_asked() -> None:
    named = pair()
    del named["chainId"]
    assert len(pools([named], [MINT], NOW)[MINT]) == 1


@pytest.mark.parametrize(("minutes", "known"), [(9, True), (11, False)])
def test_a_pool_may_be_opened_ten_minutes_ahead_of_our_clock(minutes: int, known: bool) -> None:
    at = int((NOW + timedelta(minutes=minutes)).timestamp() * 1000)
    assert (only_pool(pairCreatedAt=at).opened_at is not None) == known


@pytest.mark.parametrize(
    ("trades", "together"),
    [
        ({"buys": 4}, None),
        ({"sells": 4}, None),
        ({"buys": MAX_COUNT - 1, "sells": 1}, MAX_COUNT),
        ({"buys": MAX_COUNT, "sells": 1}, None),
    ],
)
def test_trades_are_both_sides_together_where_both_are_known_and_fit(trades: dict[str, int], together: int | None) -> None:
    assert only_pool(txns={"m5": trades}).tx_count_5m == together


@pytest.mark.parametrize("native", ["0", None, "-1"])
def test_on_the_quote_side_there_is_no_price_without_that_of_the_pair(native: str | None) -> None:
    turned = {"baseToken": {"address": SOL}, "quoteToken": {"address": MINT}, "priceUsd": "150", "priceNative": native}
    assert only_pool(**turned).price is None


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | st.just(MINT),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["pairs", "address", "m5", "h1", "buys", "sells", "usd"]), inner, max_size=4)
    ),
)


@given(
    JSON_VALUES | st.lists(st.dictionaries(st.sampled_from(sorted(pair())), JSON_VALUES).map(lambda changes: pair(**changes)), max_size=4)
)
def test_any_json_is_pools_or_malformed(answered: Any) -> None:
    try:
        found = pools(answered, [MINT], NOW)
    except Malformed:
        return
    assert found.keys() == {MINT}
    for pool in found[MINT]:
        assert pool.token_address == MINT
        for number in (pool.price, pool.liquidity, pool.tx_count_5m, pool.tx_count_1h, pool.volume_5m, pool.volume_1h):
            assert number is None or 0 <= number <= 1e18


# Asking


def client_for(url: str, **changes: Any) -> DexScreener:
    door = Door("dexscreener", url, {"tokens/v1": 1000, "token-pairs/v1": 1000}, 1.0, 4, ledger=Ledger(), backoff_sec=0.01)
    return DexScreener(door, tick_sec=5.0, **changes)


def pairs_for(request: Request) -> list[dict[str, Any]]:
    mints = request.path.rpartition("/")[2].split(",")
    return [pair(baseToken={"address": mint, "symbol": "T"}, pairAddress=f"P{mint}") for mint in mints]


def test_thirty_mints_make_one_request() -> None:
    mints = [f"M{number}" for number in range(65)]
    with MisbehavingServer([by_request(lambda request: answer(pairs_for(request)))]) as server:
        found = client_for(server.url).pools([*mints, *mints], NOW)
        assert sorted(len(request.path.split(",")) for request in server.requests) == [5, 30, 30]
        assert all(request.path.startswith("/tokens/v1/solana/") for request in server.requests)
    assert found.keys() == set(mints)
    assert all(found[mint][0].pool_address == f"P{mint}" for mint in mints)


def test_mints_of_a_failed_request_have_no_key_and_the_others_do() -> None:
    mints = [f"M{number}" for number in range(60)]
    behave = by_request(lambda request: answer(b"", 500) if "M0," in request.path else answer([]))
    with MisbehavingServer([behave]) as server:
        assert client_for(server.url).pools(mints, NOW) == {mint: [] for mint in mints[30:]}


class Watched(Door):
    """Tells what it was asked, and asks."""

    def fetch_all(self, calls: Any, patience: float = 5.0, **others: Any) -> list[Any]:
        self.asked = [(call.endpoint, call.about, call.cache_sec) for call in calls], patience
        return super().fetch_all(calls, patience, **others)


def test_a_question_says_whom_it_is_about_and_has_its_share_of_a_tick() -> None:
    with MisbehavingServer([answer([])]) as server:
        door = Watched("dexscreener", server.url, {"tokens/v1": 1000, "token-pairs/v1": 1000}, 1.0, 4, ledger=Ledger(), backoff_sec=0.01)
        client = DexScreener(door, tick_sec=6.0, cache_sec=3.0)
        client.pools([MINT, BONK], NOW)
        assert door.asked == ([("tokens/v1", (MINT, BONK), 3.0)], pytest.approx(5.4))
        client.pools_of(MINT, NOW)
        assert door.asked == ([("token-pairs/v1", (MINT,), 3.0)], 2.0)


def test_unless_told_otherwise_a_tick_has_half_a_minute_and_nothing_is_kept() -> None:
    door = Watched("dexscreener", "http://127.0.0.1:9", {"tokens/v1": 10}, 0.2, 1, ledger=Ledger(), backoff_sec=0.01)
    client = DexScreener(door)
    assert client.affordable() == 240 * 30
    client.pools([], NOW)
    assert door.asked == ([], 27.0)
    assert client._cache_sec == 0.0


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"null", b'"x"', b""])
def test_an_unreadable_answer_is_no_answer(body: bytes) -> None:
    with MisbehavingServer([answer(body)]) as server:
        client = client_for(server.url)
        assert client.pools([MINT], NOW) == {}
        assert client.pools_of(MINT, NOW) is None
        for endpoint in ("tokens/v1", "token-pairs/v1"):
            assert client._door.ledger._counts[("dexscreener", endpoint)].malformed == 1


def test_all_pools_of_one_mint_have_an_address_of_their_own() -> None:
    with MisbehavingServer([answer([pair(), pair(pairAddress="Poo2")])]) as server:
        found = client_for(server.url).pools_of(MINT, NOW)
        assert server.requests[0].target == f"/token-pairs/v1/solana/{MINT}"
    assert found is not None
    assert len(found) == 2


def test_what_is_no_address_never_becomes_part_of_a_url() -> None:
    with MisbehavingServer([answer([])]) as server:
        client = client_for(server.url)
        assert client.pools(["../../etc", "a b", "x" * 65, ""], NOW) == {}
        assert client.pools_of("a/b", NOW) is None
        assert server.requests == []


def test_a_repeated_question_within_half_a_tick_is_answered_from_the_cache() -> None:
    with MisbehavingServer([answer([pair()])]) as server:
        client = client_for(server.url, cache_sec=2.5)
        assert client.pools([MINT], NOW) == client.pools([MINT], NOW)
        assert len(server.requests) == 1


def test_the_process_has_one_client_at_the_documented_rates(settings: Any) -> None:
    client = from_settings()
    assert from_settings() is client
    assert client._door.rates == {dexscreener.TOKENS: 1, dexscreener.PAIRS: 4}
    assert client.affordable() == 24 * 30
    assert (client._door.base_url, client._door.deadline_sec) == (settings.DEXSCREENER_BASE_URL, settings.HTTP_DEADLINE_SEC)


def test_at_the_slowest_rate_one_batch_is_still_affordable() -> None:
    door = Door("dexscreener", "http://127.0.0.1", {dexscreener.TOKENS: 0.01, dexscreener.PAIRS: 0.01}, 1.0, 4, ledger=Ledger())
    assert DexScreener(door, tick_sec=30.0).affordable() == 30


def test_a_single_run_has_time_and_reads_no_kept_answer(settings: Any) -> None:
    settings.SCHED_INTERVAL_ACTIVE_SEC = 1.0
    usual, single = from_settings(), from_settings(once=True)
    assert (usual._tick_sec, usual._cache_sec) == (1, 0.5)
    assert (single._tick_sec, single._cache_sec) == (30, 0)
    settings.SCHED_INTERVAL_INITIAL_SEC = settings.SCHED_INTERVAL_ACTIVE_SEC = 900.0
    assert from_settings()._cache_sec == 30.0
