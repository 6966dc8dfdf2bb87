"""Birdeye's answers, and how the client behaves when it is refused."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st

from ingestion import birdeye_answers
from ingestion.birdeye import WRAPPED_SOL, Birdeye, from_settings
from ingestion.birdeye_answers import BATCH, PATHS, PRICES, TRADES, batch_cost, meaning_of
from ingestion.budget import budget_at
from ingestion.errors import Malformed, Permanent
from ingestion.http import Door
from ingestion.key_header import KeyHeader
from ingestion.ledger import Ledger
from ingestion.models import ServiceState
from ingestion.secret import Secret
from ingestion.tests.misbehaving_http import Behaviour, MisbehavingServer, Request, answer, by_request

PAYLOADS = Path(__file__).parent / "payloads"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEY = "canary-77"
A, B, C = (f"{letter}1BzC1af9gQBtegh5WcuFB6ARBYQk7PgURW1aogpump" for letter in "789")
QUOTA = answer({"success": False, "message": "Compute units usage limit exceeded"}, 400)
UNAUTHORIZED = answer({"success": False, "message": "Unauthorized"}, 401)
NOT_IN_PLAN = answer(
    {"success": False, "message": "Your API key is either suspended or lacks sufficient permissions to access this resource."}, 401
)
FORBIDDEN = answer({"success": False, "message": "Forbidden"}, 403)
QUOTA_IN_AN_ANSWER = answer({"success": False, "message": "Compute units usage limit exceeded"})
REFUSALS = {"quota_used_up": QUOTA, "key_wrong": UNAUTHORIZED, "plan_lacks": NOT_IN_PLAN, "blocked": FORBIDDEN}


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"birdeye_{name}.json").read_text())


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


# Reading


def test_a_real_active_token() -> None:
    facts = birdeye_answers.overview(payload("real_token_overview_active"), "rCDpCrYepyYffZz7AQhBV1LMJvWo7mps8fWr4Bvpump", NOW)
    assert facts is not None
    assert (facts.symbol, facts.name, facts.holders) == ("USDP", "United States Dominant Peg", 39969)
    assert (facts.tx_count_5m, facts.tx_count_1h, facts.buys_5m, facts.sells_5m) == (1084, 15012, 541, 543)
    assert (facts.volume_5m, facts.volume_1h) == (107779.98552897022, 1688104.0313907252)  # dollars, not tokens
    assert (facts.buys_volume_5m, facts.sells_volume_5m) == (52732.007998375884, 55047.97753059435)
    assert (facts.price, facts.liquidity, facts.unique_wallets_5m) == (0.034861437757828004, 955725.269849674, 548)
    assert facts.last_trade_at == datetime(2025, 6, 18, 2, 36, 57, tzinfo=UTC)


def test_a_dead_token_has_zeros_and_not_unknowns() -> None:
    answered = payload("real_token_overview_dead_all_zero")
    facts = birdeye_answers.overview(answered, answered["data"]["address"], NOW)
    assert facts is not None
    assert (facts.tx_count_5m, facts.volume_5m, facts.buys_volume_5m, facts.unique_wallets_5m) == (0, 0.0, 0.0, 0)


@pytest.mark.parametrize("name", ["real_token_overview_extensions_null", "doc_token_overview"])
def test_every_overview_we_have_is_complete(name: str) -> None:
    answered = payload(name)
    facts = birdeye_answers.overview(answered, answered["data"]["address"], NOW)
    assert facts is not None
    assert None not in [getattr(facts, field) for field in birdeye_answers.OVERVIEW_NAMES]


def test_batches_are_read_by_address() -> None:
    trades, markets = payload("doc_v3_trade_data_multiple"), payload("doc_v3_market_data_multiple")
    asked = list(markets["data"])
    for address, item in birdeye_answers.of_many(trades, asked).items():
        assert birdeye_answers.figures(item, birdeye_answers.TRADE_NAMES, NOW).keys() == birdeye_answers.TRADE_NAMES.keys()
        assert item["address"] == address
    known = birdeye_answers.figures(markets["data"][WRAPPED_SOL], birdeye_answers.MARKET_NAMES, NOW)
    assert known == {"price": 185.9491010572536, "liquidity": 23338480211.61425, "holders": 398897}


def good(**changes: Any) -> dict[str, Any]:
    return {"success": True, "data": {"address": A, "price": 1.5, "holder": 7, "trade5m": 3, **changes}}


WRONG_OVERVIEWS = {
    "success false": {**good(), "success": False},
    "success as text": {**good(), "success": "true"},
    "success missing": {"data": good()["data"]},
    "no data": {"success": True},
    "data as text": {"success": True, "data": "x"},
    "data a list": {"success": True, "data": [good()["data"]]},
    "null": None,
    "list": [],
    "text": "x",
    "empty": {},
}


@pytest.mark.parametrize("answered", WRONG_OVERVIEWS.values(), ids=WRONG_OVERVIEWS)
def test_an_answer_of_another_shape_is_malformed(answered: Any) -> None:
    with pytest.raises(Malformed):
        birdeye_answers.overview(answered, A, NOW)


@pytest.mark.parametrize(
    ("answered", "why"),
    [({"success": 1}, "^the answer does not say success$"), ({"success": True, "data": "x"}, "^the answer has no data object$")],
)
def test_an_answer_of_another_shape_is_told_as_that(answered: Any, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        birdeye_answers.data_in(answered)


UNITS = "Compute units usage limit exceeded"


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, UNITS, Permanent.QUOTA_USED_UP),
        (402, UNITS, Permanent.QUOTA_USED_UP),
        (403, UNITS, Permanent.BLOCKED),
        (404, UNITS, Permanent.BAD_REQUEST),
        (400, "limit of addresses exceeded", Permanent.BAD_REQUEST),
        (400, "compute units are no parameter", Permanent.BAD_REQUEST),
        (401, "Please UPGRADE your plan", Permanent.PLAN_LACKS),
        (401, "no Permission", Permanent.PLAN_LACKS),
        (401, "who are you?", Permanent.KEY_WRONG),
    ],
)
def test_a_refusal_is_told_by_status_and_words(status: int, message: str, kind: str) -> None:
    error = meaning_of(status, message)
    assert isinstance(error, Permanent)
    assert (error.kind, str(error)) == (kind, f"HTTP {status} {message}")


def test_only_a_refusal_of_the_whole_account_is_one_in_an_answer() -> None:
    assert birdeye_answers.refusal_in({"success": False, "message": "no such token"}) is None
    refused = birdeye_answers.refusal_in({"success": False, "message": UNITS + "!" * 400})
    assert str(refused) == f"HTTP 400 {(UNITS + '!' * 400)[:300]}"


def test_facts_are_those_of_the_address_and_their_texts_fit_their_columns() -> None:
    facts = birdeye_answers.overview(good(symbol="S" * 200, name="N" * 200), A, NOW)
    assert facts is not None
    assert (facts.address, len(facts.symbol), len(facts.name)) == (A, 40, 120)


@pytest.mark.parametrize(("minutes", "known"), [(9, True), (11, False)])
def test_a_last_trade_may_be_ten_minutes_ahead_of_our_clock(minutes: int, known: bool) -> None:
    at = int((NOW + timedelta(minutes=minutes)).timestamp())
    assert ("last_trade_at" in birdeye_answers.figures({"t": at}, {"last_trade_at": "t"}, NOW)) == known


@pytest.mark.parametrize("data", [None, {}, {"address": A}])
def test_an_unknown_token_has_no_facts(data: Any) -> None:
    assert birdeye_answers.overview({"success": True, "data": data}, A, NOW) is None
    assert birdeye_answers.of_many({"success": True, "data": data}, [A]) == {}


@pytest.mark.parametrize("address", [B, A.lower(), A + " ", None, ["x"], ""])
def test_an_answer_about_another_token_is_about_nothing(address: Any) -> None:
    assert birdeye_answers.overview(good(address=address), A, NOW) is None


@pytest.mark.parametrize("value", [None, -1, 1e300, 5.5, True, [7], {"a": 7}, "7 ", "1,234", "9" * 5000])
def test_a_figure_that_is_not_plain_is_unknown_and_costs_no_other(value: Any) -> None:
    facts = birdeye_answers.overview(good(holder=value), A, NOW)
    assert facts is not None
    assert (facts.holders, facts.price, facts.tx_count_5m) == (None, 1.5, 3)


@pytest.mark.parametrize("value", [None, 0, -5, "2025-08-13T04:20:12", 4_000_000_000, (NOW + timedelta(hours=1)).timestamp(), True])
def test_a_time_that_cannot_be_is_unknown(value: Any) -> None:
    facts = birdeye_answers.overview(good(lastTradeUnixTime=value), A, NOW)
    assert facts is not None
    assert facts.last_trade_at is None


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["success", "data", "address", "price", A]), inner, max_size=4)
    ),
)
FIGURES = st.dictionaries(st.sampled_from(sorted({*birdeye_answers.OVERVIEW_NAMES.values(), "symbol", "name"})), JSON_VALUES)


@given(JSON_VALUES | FIGURES.map(lambda figures: {"success": True, "data": {"address": A, **figures}}))
def test_any_json_is_facts_nothing_or_malformed(answered: Any) -> None:
    try:
        facts = birdeye_answers.overview(answered, A, NOW)
        birdeye_answers.of_many(answered, [A, B])
    except Malformed:
        return
    if facts is not None:
        for number in (facts.price, facts.liquidity, facts.volume_5m, facts.holders, facts.tx_count_5m):
            assert number is None or 0 <= number <= 1e18


def test_a_batch_gives_only_what_was_asked_for_and_is_named_rightly() -> None:
    data = {A: {"address": A}, B: {"address": A}, C: None, "other": {"address": "other"}}
    assert birdeye_answers.of_many({"success": True, "data": data}, [A, B, C]) == {A: {"address": A}}


@pytest.mark.parametrize("case", payload("errors"), ids=lambda case: f"{case['http_status']} {case['body']['message'][:30]}")
def test_every_known_refusal_has_its_kind(case: dict[str, Any]) -> None:
    error = meaning_of(case["http_status"], case["body"]["message"])
    expected = {"Compute": "quota_used_up", "Unauthorized": "key_wrong", "Your": "plan_lacks", "Forbidden": "blocked"}
    assert isinstance(error, Permanent)
    assert error.kind == expected.get(case["body"]["message"].split()[0], "bad_request")


def test_batches_are_cheaper_than_singles() -> None:
    assert batch_cost(TRADES, BATCH) == 165
    assert 2 * batch_cost(TRADES, 3) < 3 * PRICES["token_overview"] < 3 * batch_cost(TRADES, 1) * 2


# Asking


@dataclass
class FakeBirdeye:
    """Answers like the service for every address, with or without batch endpoints; `refusal` takes the place of all answers."""

    batches: bool = False
    refusal: Behaviour | None = None
    change: Callable[[str, dict[str, Any]], dict[str, Any] | None] = lambda address, item: item
    paths: list[str] = field(default_factory=list)

    def behave(self, request: Request) -> Behaviour:
        self.paths.append(request.path)
        if self.refusal is not None:
            return self.refusal
        if request.path == PATHS["token_overview"]:
            item = self.change(request.params["address"], self._overview(request.params["address"]))
            return answer({"success": True, "data": item})
        if not self.batches:
            return NOT_IN_PLAN
        names = birdeye_answers.TRADE_NAMES if request.path == PATHS[TRADES] else birdeye_answers.MARKET_NAMES
        addresses = request.params["list_address"].split(",")
        assert len(addresses) <= BATCH
        items = {address: self.change(address, {"address": address, **dict.fromkeys(names.values(), 1)}) for address in addresses}
        return answer({"success": True, "data": {address: item for address, item in items.items() if item is not None}})

    def _overview(self, address: str) -> dict[str, Any]:
        return {"address": address, **dict.fromkeys(birdeye_answers.OVERVIEW_NAMES.values(), 1)}


@dataclass
class Scene:
    fake: FakeBirdeye
    server: MisbehavingServer
    ledger: Ledger
    client: Birdeye

    def state(self, endpoint: str = "") -> str:
        standing = self.ledger._standings.get(("birdeye", endpoint))
        return standing.state if standing else ""

    def sentence(self) -> str:
        return self.ledger._standings[("birdeye", "")].sentence


def client_for(url: str, ledger: Ledger, key: str = KEY, **changes: Any) -> Birdeye:
    door = Door(
        "birdeye", url, {"": 1000}, 2.0, 4, auth=KeyHeader("X-API-KEY", Secret(key)), meaning_of=meaning_of, ledger=ledger, backoff_sec=0.01
    )
    return Birdeye(door, Secret(key), **{"rps": 1000.0, "tick_sec": 5.0, **changes})


@pytest.fixture
def scene() -> Iterator[Scene]:
    fake = FakeBirdeye()
    with MisbehavingServer([by_request(fake.behave)]) as server:
        ledger = Ledger()
        yield Scene(fake, server, ledger, client_for(server.url, ledger))


def test_without_batches_tokens_are_asked_for_one_by_one(scene: Scene) -> None:
    scene.client.probe(NOW)
    assert scene.state("batch") == "plan_lacks"
    assert scene.client.overviews([A, B, C, A], NOW).keys() == {A, B, C}
    assert scene.fake.paths.count(PATHS["token_overview"]) == 3
    assert scene.client.take_spend() == dict.fromkeys([A, B, C], 25)
    assert scene.client.take_spend() == {}
    assert scene.state() == "ok"


def test_the_key_and_the_chain_are_sent_as_headers() -> None:
    client = from_settings()
    assert client._door.headers == {"x-chain": "solana"}
    assert from_settings() is client


def test_a_single_run_has_time_and_reads_no_kept_answer(settings: Any) -> None:
    settings.SCHED_INTERVAL_ACTIVE_SEC = 1.0
    usual, single = from_settings(), from_settings(once=True)
    assert (usual._tick_sec, usual._cache_sec) == (1, 0.5)
    assert (single._tick_sec, single._cache_sec) == (30, 0)


def test_with_batches_forty_tokens_are_four_requests(scene: Scene) -> None:
    scene.fake.batches = True
    scene.client.probe(NOW)
    before = len(scene.fake.paths)
    wanted = [f"{number}{A}" for number in range(40)]
    found = scene.client.overviews(wanted, NOW)
    assert found.keys() == set(wanted)
    assert len(scene.fake.paths) - before == 4
    spend = scene.client.take_spend()
    assert spend.pop(WRAPPED_SOL) == 30  # the probe
    assert sum(spend.values()) == 4 * 165
    assert scene.ledger.unwritten_units("birdeye") == 4 * 165 + 30
    assert (found[wanted[0]].liquidity, found[wanted[0]].tx_count_5m) == (1.0, 1)


def test_two_tokens_are_not_worth_a_batch(scene: Scene) -> None:
    scene.fake.batches = True
    scene.client.probe(NOW)
    scene.client.overviews([A, B], NOW)
    assert scene.fake.paths[-2:] == [PATHS["token_overview"]] * 2


def test_a_plan_that_loses_its_batches_goes_on_one_by_one_in_the_same_tick(scene: Scene) -> None:
    scene.fake.batches = True
    scene.client.probe(NOW)
    scene.fake.batches = False
    assert scene.client.overviews([A, B, C], NOW).keys() == {A, B, C}
    assert scene.state("batch") == "plan_lacks"
    assert scene.state() == "ok"
    scene.fake.batches = True
    scene.client.overviews([A, B, C], NOW + timedelta(minutes=59))
    assert scene.state("batch") == "plan_lacks"
    scene.client.overviews([A, B, C], NOW + timedelta(minutes=61))
    assert scene.state("batch") == "ok"


def test_no_clear_answer_about_batches_is_asked_for_again_a_minute_later(scene: Scene) -> None:
    scene.fake.batches, scene.fake.refusal = True, answer(b"", 500)
    scene.client.probe(NOW)
    scene.fake.refusal = None
    scene.client.overviews([A, B, C], NOW + timedelta(seconds=30))
    assert scene.state("batch") == ""
    scene.client.overviews([A, B, C], NOW + timedelta(seconds=61))
    assert scene.state("batch") == "ok"
    assert PATHS["token_overview"] not in scene.fake.paths[-4:]


@pytest.mark.parametrize("data", [{}, None, {"address": WRAPPED_SOL, "price": 1.0}, {A: {"address": A}}])
def test_an_answer_that_is_not_the_batch_asked_for_shows_no_batches(scene: Scene, data: Any) -> None:
    scene.fake.refusal = answer({"success": True, "data": data})
    scene.client.probe(NOW)
    scene.fake.refusal = None
    assert scene.client.overviews([A, B, C], NOW + timedelta(minutes=2)).keys() == {A, B, C}
    assert scene.fake.paths[1:] == [PATHS["token_overview"]] * 3


@pytest.mark.parametrize(("kind", "refusal"), REFUSALS.items(), ids=REFUSALS)
def test_a_refusal_stops_all_polling_says_one_sentence_and_ends_by_itself(
    scene: Scene, kind: str, refusal: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    scene.client.probe(NOW)
    scene.fake.refusal = refusal
    asked = len(scene.server.requests)
    rest = timedelta(minutes=15 if kind == "quota_used_up" else 5)
    for seconds in range(0, 3600, 30):
        scene.client.overviews([A], NOW + timedelta(seconds=seconds))
    assert len(scene.server.requests) - asked == timedelta(hours=1) / rest
    assert scene.state() == kind
    assert KEY not in scene.sentence()
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1
    later = NOW + timedelta(hours=1)
    assert scene.client.usable(later)
    scene.fake.refusal = None
    assert scene.client.affordable(later) == 1
    assert scene.client.overviews([A, B, C], later).keys() == {A, B, C}
    assert scene.state() == "ok"


def test_a_used_up_quota_in_the_middle_of_a_round_is_not_asked_again(scene: Scene) -> None:
    scene.client.probe(NOW)
    scene.fake.refusal = QUOTA
    wanted = [f"{number}{A}" for number in range(40)]
    asked = len(scene.server.requests)
    assert scene.client.overviews(wanted, NOW) == {}
    assert len(scene.server.requests) - asked <= 4
    assert not scene.client.usable(NOW + timedelta(minutes=14))
    assert scene.client.affordable(NOW + timedelta(minutes=14)) == 0


def test_a_quota_that_is_used_up_with_http_200_is_used_up(scene: Scene) -> None:
    scene.client.probe(NOW)
    scene.fake.refusal = QUOTA_IN_AN_ANSWER
    assert scene.client.overviews([A], NOW) == {}
    assert scene.state() == "quota_used_up"


def test_an_answer_from_the_cache_costs_nothing(scene: Scene) -> None:
    client = client_for(scene.server.url, scene.ledger, cache_sec=60.0)
    assert client.overviews([A], NOW) == client.overviews([A], NOW)
    assert client.take_spend() == {A: 25}
    assert scene.ledger.unwritten_units("birdeye") == 25


def test_a_restart_remembers_a_refusal_but_a_new_key_is_tried_at_once(scene: Scene) -> None:
    scene.fake.refusal = QUOTA
    scene.client.overviews([A], NOW)
    standing = scene.ledger._standings[("birdeye", "")]
    row = ServiceState(service="birdeye", state=standing.state, sentence=standing.sentence, until=standing.until)
    asked = len(scene.server.requests)
    soon = NOW + timedelta(minutes=1)
    again = client_for(scene.server.url, Ledger(), stored_state=lambda service, endpoint: row)
    assert again.overviews([A], soon) == {}
    assert len(scene.server.requests) == asked
    other = client_for(scene.server.url, Ledger(), key="another", stored_state=lambda service, endpoint: row)
    other.overviews([A], soon)
    assert len(scene.server.requests) == asked + 1


def test_one_token_that_is_unknown_is_that_token_only(scene: Scene) -> None:
    refuse = by_request(lambda request: answer({"success": False, "message": "token not found"}, 404))
    plain = scene.fake.behave
    scene.server.script[:] = [by_request(lambda request: refuse if request.params.get("address") == B else plain(request))]
    assert scene.client.overviews([A, B, C], NOW).keys() == {A, C}
    assert len([request for request in scene.server.requests if request.params.get("address") == B]) == 1
    assert scene.state() == "ok"


def test_an_account_that_says_token_not_found_is_served_again(scene: Scene) -> None:
    scene.client.probe(NOW)
    scene.fake.refusal = UNAUTHORIZED
    scene.client.overviews([A], NOW)
    scene.fake.refusal = answer({"success": False, "message": "token not found"}, 404)
    scene.client.overviews([A], NOW + timedelta(minutes=6))
    scene.fake.refusal = None
    assert scene.client.overviews([A, B], NOW + timedelta(minutes=7)).keys() == {A, B}


def test_a_batch_of_another_shape_is_no_answer(scene: Scene) -> None:
    scene.fake.batches = True
    scene.client.probe(NOW)
    scene.fake.refusal = answer({"success": True, "data": [1, 2]})
    assert scene.client.overviews([A, B, C], NOW) == {}
    assert scene.ledger._counts[("birdeye", TRADES)].malformed == 1


def test_answers_about_other_tokens_are_not_believed(scene: Scene) -> None:
    swapped = {A: B, B: A}
    scene.fake.change = lambda address, item: {**item, "address": swapped.get(address, address)}
    assert scene.client.overviews([A, B, C], NOW).keys() == {C}


def test_tokens_missing_from_a_batch_are_missing_and_not_zero(scene: Scene) -> None:
    scene.fake.batches = True
    scene.fake.change = lambda address, item: None if address == B else item
    assert scene.client.overviews([A, B, C], NOW).keys() == {A, C}


def test_a_renamed_field_is_unknown_and_told_to_the_operator(scene: Scene) -> None:
    scene.fake.change = lambda address, item: {name: value for name, value in item.items() if name != "trade5m"}
    facts = scene.client.overviews([A], NOW)[A]
    assert (facts.tx_count_5m, facts.tx_count_1h) == (None, 1)
    assert scene.state("token_overview fields") == "failing"
    assert "trade5m" in scene.ledger._standings[("birdeye", "token_overview fields")].sentence
    scene.fake.change = lambda address, item: item
    scene.client.overviews([A], NOW)
    assert scene.state("token_overview fields") == "ok"


def test_without_a_key_nothing_is_asked(scene: Scene) -> None:
    client = client_for(scene.server.url, scene.ledger, key="")
    client.probe(NOW)
    assert not client.usable(NOW)
    assert client.affordable(NOW) == 0
    assert client.overviews([A], NOW) == {}
    assert scene.server.requests == []
    assert scene.state() == "not_configured"


def test_the_rate_gives_four_fifths_of_a_tick_and_no_more(scene: Scene) -> None:
    client = client_for(scene.server.url, scene.ledger, rps=1.0, tick_sec=30.0)
    client._probed = True
    assert client.affordable(NOW) == 24
    client.overviews([f"{number}{A}" for number in range(24)], NOW)
    assert client.affordable(NOW) <= 1


def test_the_budget_limits_what_may_be_asked_and_says_when_it_is_spent(scene: Scene) -> None:
    budget = budget_at(NOW, 30_000, 15_000, 0)
    client = client_for(scene.server.url, scene.ledger, budget=lambda now: budget)
    assert client.affordable(NOW) == budget.left_today // 25 == 30
    budget = replace(budget, spent_month=30_000)
    assert client.affordable(NOW) == 0
    assert scene.state() == "budget_used_up"
    assert "2026-12-01" in scene.sentence()
    budget = budget_at(NOW, 0, 999_999, 0)
    assert client.affordable(NOW) == 4000


def test_the_probe_waits_for_a_budget_that_allows_it(scene: Scene) -> None:
    scene.fake.batches = True
    budget = budget_at(NOW, 30_000, 30_000, 0)
    client = client_for(scene.server.url, scene.ledger, budget=lambda now: budget)
    client.probe(NOW)
    assert scene.server.requests == []
    budget = budget_at(NOW, 30_000, 0, 0)
    assert client.overviews([A, B, C], NOW).keys() == {A, B, C}
    assert scene.state("batch") == "ok"


def test_two_jobs_do_not_both_try_a_refused_account(scene: Scene) -> None:
    scene.client.probe(NOW)
    scene.fake.refusal = UNAUTHORIZED
    scene.client.overviews([A], NOW)
    later = NOW + timedelta(minutes=6)
    asked = len(scene.server.requests)
    scene.client.overviews([A], later)
    scene.client.overviews([B], later)
    assert len(scene.server.requests) - asked == 1
