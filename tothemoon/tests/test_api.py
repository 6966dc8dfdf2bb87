"""What a program is told, over real rows, on both databases."""

import json
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tokens import ready
from tokens.models import Pool, TokenSnapshot
from tothemoon.tests.page_rows import (
    a_pool,
    a_token,
    a_whole_token,
    figures,
    many_whole_tokens,
    part,
    scored,
    usual_figures,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    """The answers read the clock themselves; the rows stand around that moment."""
    return timezone.now()


def strict(answer):
    """The body; fails on NaN and Infinity, which Python alone would read."""
    return json.loads(answer.content, parse_constant=pytest.fail)


def asked(client, path, status=200):
    answer = client.get(path)
    assert answer.status_code == status, answer.content[:300]
    return strict(answer)


def symbols(body):
    return [token["symbol"] for token in body["tokens"]]


def test_a_token_is_listed_with_its_score_its_figures_and_how_old_they_are(client, now):
    a_whole_token(now, symbol="PI")
    (token,) = asked(client, "/api/tokens/")["tokens"]
    assert (token["symbol"], token["score"]["value"], token["score"]["state"]) == ("PI", 0.94, "ok")
    assert (token["figures"]["state"], token["figures"]["holders"], token["figures"]["unknown"]) == ("fresh", 1204, {})
    assert 5 <= token["figures"]["age_sec"] < 60
    assert token["score"]["why"].startswith("high because transactions")


def test_what_is_unknown_is_null_and_says_why(client, now):
    token = a_token(now)
    figures(token, now, source="pools", holders=None, buys_volume_5m=None, sells_volume_5m=None, price=None)
    (told,) = asked(client, "/api/tokens/")["tokens"]
    assert (told["score"]["value"], told["score"]["state"], told["score"]["why"]) == (None, "unknown", "not scored yet")
    assert set(told["figures"]["unknown"]) == {"holders", "buys_volume_5m", "sells_volume_5m", "price"}
    assert "Birdeye" in told["figures"]["unknown"]["holders"]


def test_a_token_never_seen_has_no_figures_and_no_zeros(client, now):
    a_token(now)
    (told,) = asked(client, "/api/tokens/")["tokens"]
    assert (told["figures"]["state"], told["figures"]["age_sec"], told["figures"]["price"]) == ("unknown", None, None)


def test_estimated_and_stale_are_marked(client, now):
    scored(a_token(now, 1), now, orderflow_imbalance=part(0.1, "estimated"))
    old = a_token(now, 2)
    figures(old, now - timedelta(hours=1))
    scored(old, now - timedelta(hours=1))
    first, second = asked(client, "/api/tokens/?sort=created")["tokens"]
    assert (first["score"]["state"], first["score"]["estimated"]) == ("estimated", True)
    assert (second["score"]["state"], second["figures"]["state"]) == ("stale", "stale")


def test_what_is_dated_later_than_the_clock_is_stale_and_of_no_known_age(client, now):
    token = a_token(now)
    figures(token, now + timedelta(hours=1))
    scored(token, now + timedelta(hours=1))
    (told,) = asked(client, "/api/tokens/")["tokens"]
    assert (told["score"]["state"], told["score"]["age_sec"]) == ("stale", None)
    assert (told["figures"]["state"], told["figures"]["age_sec"]) == ("stale", None)


def test_every_filter_leaves_out_what_it_should(client, now):
    a_whole_token(now, 1, score=0.5)
    rich = a_whole_token(now, 2, score=1.5, created_at=now - timedelta(hours=9))
    rich.snapshots.update(liquidity=900_000.0, holders=9_000)
    Pool.objects.filter(token=rich).update(dex_name="Raydium")
    a_token(now, 3, "Initial", created_at=now - timedelta(minutes=1))
    for query in ("min_liquidity=800000", "min_score=1", "min_holders=5000", "dex=raydium", "min_age_sec=30000"):
        assert symbols(asked(client, f"/api/tokens/?{query}")) == ["T2"], query
    assert symbols(asked(client, "/api/tokens/?status=Initial")) == ["T3"]
    assert symbols(asked(client, "/api/tokens/?max_age_sec=600")) == ["T3"]


@pytest.mark.parametrize("key", ["score", "liquidity", "volume", "tx", "holders", "price", "created", "changed"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_turning_pages_shows_every_token_once_in_one_order(client, now, key, sign):
    for number in range(5):
        a_whole_token(now, number, score=number % 3 / 10, created_at=now - timedelta(minutes=number // 2))
    for number, snapshot in enumerate(TokenSnapshot.objects.all()):
        TokenSnapshot.objects.filter(pk=snapshot.pk).update(price=number % 2, holders=number % 2, tx_count_5m=3, liquidity=number)
    a_token(now, 7)
    a_token(now, 8)
    whole = asked(client, f"/api/tokens/?sort={sign}{key}")["tokens"]
    seen, following = [], ""
    while following is not None:
        page = asked(client, f"/api/tokens/?sort={sign}{key}&limit=2" + (f"&cursor={following}" if following else ""))
        seen, following = seen + page["tokens"], page["next"]
    assert [token["address"] for token in seen] == [token["address"] for token in whole]
    assert len(seen) == 7


def test_a_cursor_holds_its_place_while_rows_come_and_go(client, now):
    tokens = [a_whole_token(now, number, score=number / 10) for number in range(6)]
    first = asked(client, "/api/tokens/?limit=2")
    a_whole_token(now, 9, score=5)
    tokens[4].delete()
    assert symbols(asked(client, f"/api/tokens/?limit=2&cursor={first['next']}")) == ["T3", "T2"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=1000000000",
        "limit=1e400",
        "limit=%00",
        "limit=-1",
        "sort=password",
        "sort=--score",
        "sort=last_score_value",
        "sort=",
        "status=Nowhere",
        "status=active%00",
        "dex=%00",
        "dex=%ED%A0%80",
        "dex=" + "x" * 41,
        "min_score=nan",
        "min_score=Infinity",
        "min_score=1e999",
        "min_score=0,5",
        "min_liquidity=-1",
        "min_holders=" + "9" * 5000,
        "min_age_sec=1e18",
        "min_holders=1.5",
        "min_score=2&max_score=1",
        "min_liquidity=5000&max_liquidity=4999.99",
        "min_holders=0&max_holders=9&min_age_sec=61&max_age_sec=60",
        "cursor=",
        "cursor=%ff",
        "cursor=" + "A" * 201,
        "limit[]=5",
        "limit=5&limit=6",
        "status[0]=Active",
        "minimum_score=1",
        "q=x",
        "offset=100000000000000000000",
    ],
)
def test_nonsense_is_refused_with_422_and_a_reason(client, query):
    body = asked(client, f"/api/tokens/?{query}", 422)
    assert body["error"]
    assert body["details"][0]["why"]
    assert body["simulated"] is False


def test_crossed_bounds_are_named_and_equal_ones_are_none(client):
    (told,) = asked(client, "/api/tokens/?min_age_sec=61&max_age_sec=60", 422)["details"]
    assert told == {"where": "min_age_sec", "why": "is above max_age_sec: nothing can pass"}
    assert asked(client, "/api/tokens/?min_age_sec=60&max_age_sec=60&min_score=-1&max_score=-1")["tokens"] == []


def test_a_page_of_tokens_is_drawn_once_for_all_who_ask_until_something_changes(client, now, monkeypatch):
    monkeypatch.setattr(ready, "LOOK_AGAIN_SEC", 60.0)
    a_whole_token(now)
    first = client.get("/api/tokens/?limit=5&sort=-score")
    with CaptureQueriesContext(connection) as found:
        again = client.get("/api/tokens/?sort=-score&limit=5")
    assert (again.content, again["ETag"], again["Content-Type"]) == (first.content, first["ETag"], "application/json; charset=utf-8")
    assert not found.captured_queries


def test_a_condition_for_writing_refuses_no_reader(client, now):
    a_whole_token(now)
    for path in ("/api/tokens/", "/"):
        assert client.get(path, headers={"if-match": '"another"'}).status_code == 200


# "AAAA", a cursor of another order, a huge key, NaN, a year beyond the calendar, half a document
CURSORS = [
    "AAAA",
    "WyItdHgiLDEsMV0",
    "WyItc2NvcmUiLDEsOTk5OTk5OTk5OTk5OTk5OTk5OTk5OV0",
    "WyItc2NvcmUiLE5hTiwxXQ",
    "Wzdd",
    "WyItc2NvcmUiLDFlOTk5LDFd",
]


@pytest.mark.parametrize("cursor", CURSORS)
def test_a_cursor_that_no_page_gave_leads_nowhere(client, cursor):
    assert "cursor" in asked(client, f"/api/tokens/?cursor={cursor}", 404)["error"]


def test_one_token_is_explained_part_by_part_and_the_parts_add_up(client, now):
    token = a_whole_token(now)
    a_pool(token, now, 3)
    body = asked(client, f"/api/tokens/{token.address}/")
    parts = body["explanation"]["parts"]
    assert [part["metric"] for part in parts] == ["tx_accel", "vol_momentum", "holder_growth", "orderflow_imbalance"]
    assert sum(part["contribution"] for part in parts) == pytest.approx(0.94)
    assert parts[0]["inputs"] == {"tx_count_5m": 330, "tx_count_1h": 1885}
    assert [pool["liquidity"] for pool in body["pools"]] == [4000, 1000]
    assert body["outlook"][0].startswith("Is archived after")


def test_a_token_without_a_score_has_no_explanation(client, now):
    body = asked(client, f"/api/tokens/{a_token(now).address}/")
    assert (body["explanation"], body["pools"], body["pool_total"]) == (None, [], 0)


@pytest.mark.parametrize("address", ["Unknown", "1" * 64, "0"])
def test_an_unknown_address_is_404_in_json(client, address):
    for path in (f"/api/tokens/{address}/", f"/api/tokens/{address}/history/"):
        assert "No token" in asked(client, path, 404)["error"]


@pytest.mark.parametrize("address", ["%00", "%ED%A0%80", "%ff", "1" * 65, "é", "..", "a b", "' OR 1=1"])
def test_what_cannot_be_an_address_is_never_an_error_of_ours(client, address):
    assert client.get(f"/api/tokens/{address}/").status_code in {404, 422}
    assert client.get(f"/api/tokens/{address}/history/").status_code in {404, 422}


def test_history_is_paged_from_the_newest_and_carries_the_scores(client, now):
    token = a_token(now)
    for minutes in range(5):
        ts = now - timedelta(minutes=minutes)
        TokenSnapshot.objects.create(token=token, ts=ts, **usual_figures(ts))
    scored(token, now, 0.7)
    first = asked(client, f"/api/tokens/{token.address}/history/?limit=2")
    assert [row["score"] for row in first["rows"]] == [0.7, None]
    second = asked(client, f"/api/tokens/{token.address}/history/?limit=3&cursor={first['next']}")
    assert (len(second["rows"]), second["next"]) == (3, None)
    assert first["rows"][-1]["ts"] > second["rows"][0]["ts"]


@pytest.mark.parametrize("cursor", ["0", "9" * 17])
def test_a_moment_at_the_end_of_the_calendar_is_a_moment(client, now, cursor):
    asked(client, f"/api/tokens/{a_whole_token(now).address}/history/?cursor={cursor}")


def test_no_question_takes_more_queries_because_there_are_more_rows(client, now):
    token = a_whole_token(now)
    paths = ("/api/tokens/?limit=200", f"/api/tokens/{token.address}/", f"/api/tokens/{token.address}/history/?limit=1000")

    def questions():
        return [len(queries(client, path)) for path in paths]

    few = questions()
    many_whole_tokens(now, 40, first=1)
    for number in range(10):
        a_pool(token, now, number + 1)
    assert questions() == few
    assert few <= [8, 8, 3]  # the first asks for the state of the site too, as the pages do: once a second, not once a question


def queries(client, path, cold=True, **headers):
    if cold:
        cache.clear()
    with CaptureQueriesContext(connection) as found:
        client.get(path, headers=headers)
    return found


@pytest.mark.parametrize("path", ["/api/tokens/", "/api/tokens/{}/", "/api/tokens/{}/history/"])
def test_who_has_the_answer_already_gets_304_for_two_queries(client, now, still, path):
    token = a_whole_token(now)
    path = path.format(token.address)
    tag = client.get(path)["ETag"]
    again = client.get(path, headers={"if-none-match": tag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
    assert len(queries(client, path, cold=False, **{"if-none-match": tag})) <= 2
    figures(token, now + timedelta(seconds=1))
    assert client.get(path, headers={"if-none-match": tag}).status_code == 200


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "trace", "options"])
@pytest.mark.parametrize("path", ["/api/tokens/", "/api/tokens/x/", "/api/ranking.json", "/api/health/", "/api/"])
def test_nothing_but_reading_is_offered(client, method, path):
    answer = getattr(client, method)(path)
    assert answer.status_code == 405
    assert set(answer["Allow"].replace(",", " ").split()) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/api/tokens/", "/api/health/", "/api/", "/api/openapi.json"])
def test_head_is_get_without_a_body(client, path):
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("path", ["/api/nothing", "/api/tokens/x/y/z/", "/api/v2/"])
def test_an_address_that_does_not_exist_is_404_in_json(client, path):
    assert "openapi.json" in asked(client, path, 404)["error"]


def test_a_thousand_parameters_are_400_in_json(client):
    assert asked(client, "/api/tokens/?" + "&".join(f"a{number}=1" for number in range(2000)), 400)["error"]


def test_without_a_database_the_answer_is_503_in_json(client, monkeypatch):
    def away():
        raise OperationalError("could not connect to 10.0.0.7")

    monkeypatch.setattr("tokens.listing.version", away)
    answer = client.get("/api/tokens/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert strict(answer)["error"] == "The database does not answer."


def test_simulated_stands_in_every_answer(client, now, settings):
    settings.SIMULATED = True
    token = a_whole_token(now)
    for path in ("/api/tokens/", f"/api/tokens/{token.address}/", f"/api/tokens/{token.address}/history/", "/api/health/"):
        assert asked(client, path)["simulated"] is True
    assert asked(client, "/api/nothing", 404)["simulated"] is True
    assert asked(client, "/api/ranking.json", 503)["simulated"] is True


def test_health_says_what_is_not_as_it_should_be(client):
    body = asked(client, "/api/health/")
    assert (body["status"], body["feed"]["state"], body["tick"]["state"]) == ("degraded", "off", "off")
    assert body["troubles"]


def test_a_page_of_two_hundred_stays_below_a_megabyte(client, now):
    many_whole_tokens(now, 201)
    answer = client.get("/api/tokens/?limit=200")
    assert len(strict(answer)["tokens"]) == 200
    assert len(answer.content) < 500_000


def test_the_schema_names_every_answer_and_the_page_needs_nothing_from_elsewhere(client):
    schema = asked(client, "/api/openapi.json")
    for path, methods in schema["paths"].items():
        assert {"200", "400", "422", "503"} <= set(methods["get"]["responses"]), path
    page = client.get("/api/")
    text = page.content.decode()
    assert "unsafe" not in page["Content-Security-Policy"]
    assert all(path in text for path in schema["paths"])
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
