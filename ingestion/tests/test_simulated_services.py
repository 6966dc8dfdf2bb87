"""The simulated HTTP services answer as the recorded ones do: names, types, null rules, plans, quota, rates."""

import json
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import requests

from ingestion.simulator.birdeye_server import LACKS, Birdeye
from ingestion.simulator.births import Quirk
from ingestion.simulator.clock import MarketClock
from ingestion.simulator.dexscreener_server import DexScreener
from ingestion.simulator.json_server import JsonServer, Rate
from ingestion.simulator.market import Market

PAYLOADS = Path(__file__).parent / "payloads"
MARKET = Market(3)
T = MARKET.tokens
RECENT = [row for row in MARKET.born_between(-8 * 3600, 0) if T.quirk[row] == Quirk.NONE]
MINTS = [T.mint[row] for row in RECENT]


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def kinds(value: Any) -> Any:
    """What kind of thing each key holds; whole and broken numbers are the same thing in JSON."""
    if isinstance(value, dict):
        return {name: kinds(part) for name, part in value.items()}
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


class Client:
    def __init__(self, service: Birdeye | DexScreener) -> None:
        self.server = JsonServer(service, 0)
        self.server.start()
        self.session = requests.Session()

    def get(self, path: str, key: str = "simulated", **params: str) -> requests.Response:
        return self.session.get(self.server.url + path, params=params, headers={"X-API-KEY": key}, timeout=10)

    def data(self, path: str, **params: str) -> Any:
        body = self.get(path, **params).json()
        assert body["success"] is True
        return body["data"]

    def close(self) -> None:
        self.session.close()
        self.server.stop()


def client_of(service: Birdeye | DexScreener) -> Iterator[Client]:
    client = Client(service)
    yield client
    client.close()


@pytest.fixture(scope="module")
def birdeye() -> Iterator[Client]:
    yield from client_of(Birdeye(MARKET, MarketClock(1), "business"))


@pytest.fixture(scope="module")
def dexscreener() -> Iterator[Client]:
    yield from client_of(DexScreener(MARKET, MarketClock(1)))


def answer(service: Birdeye, path: str, key: str = "simulated", **query: str) -> tuple[int, Any]:
    """Without a socket: what the service would say."""
    headers = Message()
    headers["X-API-KEY"] = key
    said = service.answer(path, query, headers)
    return said.status, said.body


def message(status: int, text: str) -> tuple[int, dict[str, Any]]:
    return status, {"success": False, "message": text}


def test_an_overview_has_the_keys_and_types_of_a_recorded_one(birdeye: Client) -> None:
    recorded = payload("birdeye_real_token_overview_active")["data"]
    simulated = birdeye.data("/defi/token_overview", address=MINTS[0])
    assert set(simulated) - {"isScaledUiToken", "multiplier"} == set(recorded)
    nullable = {"extensions", "logoURI", *(name for name in recorded if name.endswith("ChangePercent"))}
    for name in set(recorded) - nullable:
        assert kinds(simulated[name]) == kinds(recorded[name]), name


def test_the_keys_of_an_overview_come_in_the_recorded_order(birdeye: Client) -> None:
    recorded = list(payload("birdeye_real_token_overview_active")["data"])
    simulated = birdeye.data("/defi/token_overview", address=MINTS[1])
    assert [name for name in simulated if name in recorded] == recorded


def test_an_overview_has_the_frames_asked_for_and_silently_drops_the_unsupported(birdeye: Client) -> None:
    data = birdeye.data("/defi/token_overview", address=MINTS[0], frames="5m,1h,7h,3s,zz")
    assert {"trade5m", "trade1h", "v5mUSD"} <= set(data)
    assert not {"trade30m", "trade7h", "trade3s"} & set(data)


@pytest.mark.parametrize("mint", MINTS[:40:4])
def test_honest_figures_of_an_overview_agree_with_each_other(birdeye: Client, mint: str) -> None:
    data = birdeye.data("/defi/token_overview", address=mint, frames="5m,1h")
    assert data["trade5m"] == data["buy5m"] + data["sell5m"] <= data["trade1h"]
    assert data["v5mUSD"] == data["vBuy5mUSD"] + data["vSell5mUSD"] <= data["v1hUSD"]
    assert (data["trade5m"] == 0) == (data["v5mUSD"] == 0)
    assert data["uniqueWallet5m"] <= data["trade5m"]


@pytest.mark.parametrize("mint", MINTS[:40:4])
def test_a_change_percent_is_null_exactly_when_its_history_is_nought(birdeye: Client, mint: str) -> None:
    data = birdeye.data("/defi/token_overview", address=mint)
    for stem in ("trade", "buy", "sell", "v", "vBuy", "vSell", "uniqueWallet"):
        for frame in ("1m", "5m", "30m", "1h", "2h", "4h", "8h", "24h"):
            assert (data[f"{stem}{frame}ChangePercent"] is None) == (data[f"{stem}History{frame}"] == 0)


def test_batches_have_the_documented_keys_and_only_tokens_that_are_known(birdeye: Client) -> None:
    unknown = MINTS[0][:-6] + "zzzzzz"
    asked = ",".join([*MINTS[:19], unknown])
    trades = birdeye.data("/defi/v3/token/trade-data/multiple", list_address=asked)
    markets = birdeye.data("/defi/v3/token/market-data/multiple", list_address=asked)
    assert set(trades) == set(markets) == set(MINTS[:19])
    assert list(trades[MINTS[0]]) == list(next(iter(payload("birdeye_doc_v3_trade_data_multiple")["data"].values())))
    assert kinds(markets[MINTS[0]]) == kinds(next(iter(payload("birdeye_doc_v3_market_data_multiple")["data"].values())))


def test_batch_and_overview_tell_the_same(birdeye: Client) -> None:
    batch = birdeye.data("/defi/v3/token/market-data/multiple", list_address=MINTS[5])[MINTS[5]]
    single = birdeye.data("/defi/token_overview", address=MINTS[5], frames="5m")
    assert batch["holder"] == single["holder"]
    assert batch["liquidity"] == pytest.approx(single["liquidity"], rel=0.05)


def test_a_token_birdeye_does_not_know_has_no_data(birdeye: Client) -> None:
    row = next(row for row in MARKET.born_between(-2 * 86_400, 0) if T.quirk[row] == Quirk.UNKNOWN_TO_BIRDEYE)
    assert not birdeye.data("/defi/token_overview", address=T.mint[row])


def test_the_data_sometimes_stand_before_the_success(birdeye: Client) -> None:
    asked = [("/defi/token_overview", {}), ("/defi/token_overview", {"frames": "5m"}), ("/defi/price", {}), ("/utils/v1/credits", {})]
    first = {next(iter(birdeye.get(path, address=MINTS[0], **extra).json())) for path, extra in asked}
    assert first == {"success", "data"}


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/defi/token_overview", {"address": "not an address"}, message(400, "address is invalid format")),
        ("/defi/token_overviews", {}, message(404, "Not found")),
        ("/defi/v3/token/trade-data/multiple", {"list_address": ",".join(MINTS[:20])}, message(401, LACKS)),
    ],
)
def test_refusals_read_as_recorded(path: str, query: dict[str, str], expected: tuple[int, Any]) -> None:
    assert answer(Birdeye(MARKET, MarketClock(1), "lite"), path, **query) == expected
    recorded = [(error["http_status"], error["body"]) for error in payload("birdeye_errors")]
    assert expected in recorded


def test_a_wrong_key_is_unauthorized_before_anything_else() -> None:
    assert answer(Birdeye(MARKET, MarketClock(1)), "/defi/token_overview", key="other") == message(401, "Unauthorized")


def test_a_used_up_quota_is_a_400_for_every_path() -> None:
    service = Birdeye(MARKET, MarketClock(1), "lite", units=30)
    assert answer(service, "/defi/token_overview", address=MINTS[0])[0] == 200
    assert answer(service, "/defi/token_overview", address=MINTS[0])[0] == 200
    assert answer(service, "/defi/token_overview", address=MINTS[0]) == message(400, "Compute units usage limit exceeded")
    assert answer(service, "/defi/price", address=MINTS[0]) == message(400, "Compute units usage limit exceeded")


def test_calls_cost_what_the_price_list_says() -> None:
    service = Birdeye(MARKET, MarketClock(1), "business")
    answer(service, "/defi/token_overview", address=MINTS[0])
    answer(service, "/defi/v3/token/trade-data/multiple", list_address=",".join(MINTS[:20]))
    assert service.units - service.units_left == 25 + 165


def test_more_than_twenty_addresses_are_refused() -> None:
    service = Birdeye(MARKET, MarketClock(1), "business")
    assert answer(service, "/defi/v3/token/trade-data/multiple", list_address=",".join(MINTS[:21]))[0] == 400


def test_the_free_plan_serves_one_call_a_second_and_says_when_to_come_back() -> None:
    service, headers = Birdeye(MARKET, MarketClock(1), "standard"), Message()
    headers["X-API-KEY"] = "simulated"
    first, second = (service.answer("/defi/price", {"address": MINTS[0]}, headers) for _ in range(2))
    assert (first.status, second.status) == (200, 429)
    assert second.headers["x-ratelimit-remaining"] == "0"
    assert int(second.headers["x-ratelimit-reset"]) > 1_700_000_000


def test_a_rate_counts_the_calls_that_are_left() -> None:
    rate = Rate(2, 60)
    assert [rate.take() for _ in range(3)] == [1, 0, None]


def test_a_pair_has_the_keys_and_types_of_a_recorded_one(dexscreener: Client) -> None:
    recorded = payload("dexscreener_real_latest_dex_tokens_bonk")["pairs"][0]
    pairs = dexscreener.get(f"/tokens/v1/solana/{','.join(MINTS[:30])}").json()
    fullest = max(pairs, key=len)
    optional = {"labels", "info", "liquidity", "pairCreatedAt"}
    assert all(set(recorded) - optional <= set(pair) <= set(recorded) for pair in pairs)
    for name in ("txns", "volume", "liquidity", "baseToken", "quoteToken", "priceUsd", "priceNative", "pairCreatedAt", "dexId"):
        assert kinds(fullest[name]) == kinds(recorded[name]), name


def test_prices_are_text_without_exponent(dexscreener: Client) -> None:
    pairs = dexscreener.get(f"/tokens/v1/solana/{','.join(MINTS[:30])}").json()
    assert pairs
    assert all(isinstance(pair["priceUsd"], str) and "e" not in pair["priceUsd"] and float(pair["priceUsd"]) >= 0 for pair in pairs)


def test_a_batch_leaves_out_small_pools_that_the_token_itself_has(dexscreener: Client) -> None:
    batch = {pair["pairAddress"] for pair in dexscreener.get(f"/tokens/v1/solana/{','.join(MINTS[:30])}").json()}
    alone = {pair["pairAddress"] for mint in MINTS[:30] for pair in dexscreener.get(f"/token-pairs/v1/solana/{mint}").json()}
    assert batch < alone


def test_the_left_bonding_curve_is_listed_without_liquidity_or_trades(dexscreener: Client) -> None:
    pairs = dexscreener.get(f"/token-pairs/v1/solana/{MINTS[0]}").json()
    curves = [pair for pair in pairs if pair["dexId"] in ("pumpfun", "launchlab")]
    assert len(curves) == 1
    assert "liquidity" not in curves[0]
    assert curves[0]["txns"]["h24"] == {"buys": 0, "sells": 0}


def test_tokens_trade_on_several_exchanges(dexscreener: Client) -> None:
    service = DexScreener(MARKET, MarketClock(1), calls_a_minute=10_000)
    pairs = [pair for start in range(0, len(MINTS) - 30, 30) for pair in service.pairs(MINTS[start : start + 30])]
    assert {pair["dexId"] for pair in pairs} == {"pumpswap", "raydium", "meteora", "orca", "pumpfun", "launchlab"}
    assert any(pair["quoteToken"]["address"] in MINTS for pair in pairs), "now and then the token stands on the quote side"
    assert any("pairCreatedAt" not in pair for pair in pairs)


def test_an_unknown_token_has_no_pairs(dexscreener: Client) -> None:
    unknown = MINTS[0][:-6] + "zzzzzz"
    assert dexscreener.get(f"/tokens/v1/solana/{unknown}").json() == []
    assert dexscreener.get(f"/latest/dex/tokens/{unknown}").json() == {"schemaVersion": "1.0.0", "pairs": None}
    assert dexscreener.get("/somewhere/else").status_code == 404


def test_dexscreener_refuses_too_many_mints_and_too_many_calls() -> None:
    service = DexScreener(MARKET, MarketClock(1), calls_a_minute=2)
    statuses = [service.answer(f"/tokens/v1/solana/{','.join(MINTS[:31])}", {}, Message()).status for _ in range(3)]
    assert statuses == [400, 400, 429]


def test_pools_and_birdeye_tell_the_same_of_an_honest_token(dexscreener: Client, birdeye: Client) -> None:
    clock = MarketClock(1e-9)  # time stands still
    service, other = DexScreener(MARKET, clock), Birdeye(MARKET, clock, "business")
    for mint in MINTS[:20]:
        pools = [pair for pair in service.pairs([mint]) if pair["dexId"] not in ("pumpfun", "launchlab")]
        overview = answer(other, "/defi/token_overview", address=mint, frames="5m,1h")[1]["data"]
        assert sum(pair["txns"]["h1"]["buys"] + pair["txns"]["h1"]["sells"] for pair in pools) == overview["trade1h"]
        assert sum(pair["volume"]["m5"] for pair in pools) == pytest.approx(overview["v5mUSD"], abs=0.05)
        assert sum(pair["liquidity"]["usd"] for pair in pools) == pytest.approx(overview["liquidity"], abs=0.05)
