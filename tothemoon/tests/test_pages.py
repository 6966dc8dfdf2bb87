"""The public pages over real rows, on both databases."""

import json
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ingestion.models import Heartbeat, ListeningGap
from scoring.models import ScoringSettings, TokenScore
from tokens import chart, ready
from tokens.models import Status, Token
from tothemoon.tests.page_rows import a_pool, a_token, a_whole_token, address, changed, figures, many_whole_tokens, part, scored

pytestmark = pytest.mark.django_db

PULSE_QUERIES = 6  # none of them while it is remembered
MOST_QUERIES = 16  # about half of them are the pulse, which is remembered for two seconds


@pytest.fixture
def now():
    """The pages read the clock themselves; the rows stand around that moment."""
    return timezone.now()


def text_of(response):
    return response.content.decode()


def rows_of(response):
    return [row.token.symbol for row in response.context["rows"]]


def questions(client, path):
    """How many queries a page takes when nothing is remembered."""
    cache.clear()
    ready.forget()
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code == 200
    return len(asked)


def alive(now):
    """Heartbeats of a system in which everything runs."""
    detail = {"connected": True, "last_message_at": now.isoformat(), "ok": True, "ms": 70}
    for component in ("listener", "scheduler", "job:poll_initial", "job:poll_active", "job:score"):
        Heartbeat.objects.create(component=component, ts=now, detail=detail)


def test_a_token_is_listed_with_its_figures_and_their_direction(client, now):
    a_whole_token(now, symbol="PI", name="Palantir Inu")
    page = text_of(client.get("/"))
    for figure in ("PI", "Palantir Inu", "0.94", "330", "+110 %", "$15.2k", "+50 %", "1,204", "+4.1 %", "+12 %", "$0.00118", "$202k", "▲"):
        assert figure in page
    assert "high because transactions at 2.10× their hourly pace" in page


def test_a_token_younger_than_an_hour_says_that_its_pace_says_little_everywhere(client, now):
    token = a_whole_token(now, created_at=now - timedelta(seconds=37))  # its figures are five seconds old
    sentence = "it is 32 s old: its hour has hardly begun, so the pace says little"
    listed = text_of(client.get("/"))
    assert f"in the hour, but {sentence}" in listed
    assert listed.count("its hour has hardly begun") == 3  # once read, twice hovered over
    page = text_of(client.get(f"/tokens/{token.address}/"))
    assert f"in the hour, but {sentence}" in page
    assert page.count(sentence) == 3  # beside the score, and at both parts that rest on a pace
    token.refresh_from_db()
    assert str(token.explain()).count(sentence) == 2


def test_the_list_asks_the_same_number_of_questions_however_long_it_is(client, now):
    a_whole_token(now)
    short = questions(client, "/")
    many_whole_tokens(now, 40, first=1)
    assert questions(client, "/") == short <= MOST_QUERIES
    assert questions(client, "/?q=t&sort=-pools&size=200") == short


def test_the_token_page_asks_the_same_number_of_questions_whatever_the_token(client, now):
    path = f"/tokens/{a_whole_token(now).address}/"
    few = questions(client, path)
    for index in range(12):
        a_pool(Token.objects.get(), now, index + 1)
    assert questions(client, path) == few <= MOST_QUERIES


def test_each_tab_lists_its_own_status_and_every_tab_has_its_count(client, now):
    for index, status in enumerate([Status.ACTIVE, Status.INITIAL, Status.INITIAL, Status.ARCHIVED]):
        a_whole_token(now, index, status)
    assert [rows_of(client.get(f"/?status={status}")) for status in ("Active", "Archived")] == [["T0"], ["T3"]]
    page = text_of(client.get("/?status=initial"))
    assert 'id="count-Initial">2<' in page.replace("\n", "")
    assert 'aria-current="page">Initial' in page


def test_the_highest_score_comes_first_and_no_score_comes_last(client, now):
    a_token(now, 1)
    a_whole_token(now, 2, score=0.5)
    a_whole_token(now, 3, score=1.5)
    assert rows_of(client.get("/")) == ["T3", "T2", "T1"]
    assert rows_of(client.get("/?sort=score")) == ["T2", "T3", "T1"]


@pytest.mark.parametrize("key", ["score", "name", "tx", "volume", "holders", "flow", "price", "liquidity", "pools", "age", "since"])
def test_every_offered_key_sorts_both_ways_with_the_unknown_last(client, now, key):
    low = a_whole_token(now, 1, score=0.1, created_at=now - timedelta(hours=3), status_changed_at=now - timedelta(hours=1))
    high = a_whole_token(now, 2, score=0.2, created_at=now - timedelta(hours=5), status_changed_at=now - timedelta(hours=4))
    low.snapshots.update(tx_count_5m=1, volume_5m=1, holders=1, price=1, liquidity=1, buys_volume_5m=1)
    high.snapshots.update(tx_count_5m=2, volume_5m=2, holders=2, price=2, liquidity=2, buys_volume_5m=2)
    a_pool(high, now, 1)
    assert rows_of(client.get(f"/?sort=-{key}")) == ["T2", "T1"]
    assert rows_of(client.get(f"/?sort={key}")) == ["T1", "T2"]


@pytest.mark.parametrize(
    "query", ["sort=password", "sort=score'--", "size=1000000000", "page=abc", "q=%00", "q=a%00b", "status=x", "q=" + "x" * 10240]
)
def test_nonsense_is_answered_with_400_in_the_look_of_the_site(client, query):
    response = client.get(f"/?{query}")
    assert response.status_code == 400
    assert "That address was not understood" in text_of(response)


@pytest.mark.parametrize(
    "query", ["q=%ff", "q=%ed%a0%80", "q=%25", "q=_", "q='--", "q=\\", "x[]=1", "page=1&page=1", "q=%F0%9F%9A%80", "status=active"]
)
def test_odd_but_harmless_questions_are_answered(client, now, query):
    a_whole_token(now)
    assert client.get(f"/?{query}").status_code == 200


@pytest.mark.parametrize("page", ["2", "1" + "0" * 20, "9" * 5000, "0"])
def test_a_page_beyond_the_end_is_the_last_page(client, now, page):
    a_whole_token(now)
    assert rows_of(client.get(f"/?page={page}")) == ["T0"]


def test_pages_are_turned_without_losing_the_search_and_the_order(client, now):
    for index in range(30):
        a_whole_token(now, index, name="dog", score=index / 10)
    second = client.get("/?q=dog&sort=liquidity&size=25&page=2")
    assert len(rows_of(second)) == 5
    assert "/?q=dog&amp;sort=liquidity&amp;size=25" in text_of(second)
    assert second.context["rows"][0].place == 26


@pytest.mark.parametrize("q", ["palantir", "PI", address(0)[:12], address(0), "Pool"])
def test_a_search_finds_by_symbol_name_and_address(client, now, q):
    token = a_whole_token(now, 0, symbol="PI", name="Palantir Inu")
    a_whole_token(now, 1, symbol="ZZZ", name="other")
    q = token.pools.get().pool_address if q == "Pool" else q
    assert rows_of(client.get("/", {"q": q})) == ["PI"]


def test_a_search_that_finds_nothing_here_says_where_it_would(client, now):
    a_whole_token(now, 0, Status.ARCHIVED, symbol="GONE")
    page = text_of(client.get("/?q=gone"))
    assert "Nothing Active matches" in page
    assert 'href="/?status=Archived&amp;q=gone">1 in Archived' in page


def test_an_empty_list_says_whether_the_system_runs(client, now):
    assert "The scheduler has not been started yet" in text_of(client.get("/"))
    alive(now)
    cache.clear()
    a_token(now, status=Status.INITIAL)
    page = text_of(client.get("/"))
    assert "The system is running" in page
    assert "1 Initial" in page


def test_a_feed_that_fell_silent_is_told_at_the_top_of_every_page(client, now):
    token = a_whole_token(now)
    alive(now - timedelta(minutes=30))
    for page in ("/", f"/tokens/{token.address}/", "/?sort=nonsense", "/tokens/nobody/"):
        assert 'class="trouble">The listener is not running since' in text_of(client.get(page))


def test_figures_that_are_old_are_grey_and_say_since_when(client, now):
    token = a_token(now)
    figures(token, now - timedelta(minutes=14))
    scored(token, now - timedelta(minutes=14))
    page = text_of(client.get("/"))
    assert 'class="token stale"' in page
    assert "· last figures" in page
    assert "was high because" in page


def test_what_is_estimated_capped_unknown_or_contradictory_is_marked(client, now):
    token = a_token(now)
    ts = now - timedelta(seconds=5)
    figures(token, ts, source="pools", holders=None, buys_volume_5m=None, sells_volume_5m=None, contradictions="dust_price")
    scored(
        token,
        ts,
        tx_accel=part(12.0, "capped"),
        holder_growth=part(None, "no_history"),
        orderflow_imbalance=part(0.09, "estimated"),
    )
    page = text_of(client.get("/"))
    assert "≈ +9 %" in page
    assert "≥ +1,100 %" in page
    assert "no figure from an hour ago to compare with yet" in page
    assert "These figures contradict each other: a price that rests on dust." in page


def test_an_unchanged_list_is_answered_with_304_and_a_changed_one_is_not(client, now, still):
    token = a_whole_token(now)
    etag = client.get("/")["ETag"]
    again = client.get("/", headers={"if-none-match": etag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    figures(token, now)
    assert client.get("/", headers={"if-none-match": etag}).status_code == 200


def test_a_page_is_drawn_once_for_all_who_look_at_it(client, now):
    a_whole_token(now)
    first = client.get("/").content
    with CaptureQueriesContext(connection) as asked:
        again = client.get("/")
    assert again.content == first
    assert len(asked) <= 1 + PULSE_QUERIES  # is there anything new? no


def test_a_refresh_gets_the_list_alone_with_a_tag_of_its_own(client, now):
    a_whole_token(now)
    whole, refresh = client.get("/"), client.get("/", headers={"hx-request": "true"})
    assert text_of(refresh).lstrip().startswith("<section id=")
    assert "<html" not in text_of(refresh)
    assert whole["ETag"] != refresh["ETag"]
    assert "HX-Request" in whole["Vary"]


def test_going_back_in_the_browser_gets_a_whole_page(client):
    page = client.get("/", headers={"hx-request": "true", "hx-history-restore-request": "true"})
    assert "<html" in text_of(page)


def test_the_head_of_the_page_refreshes_by_itself(client, now):
    alive(now)
    piece = text_of(client.get("/pulse/"))
    assert "feed ok" in piece
    assert 'id="count-Active" hx-swap-oob="calm"' in piece


def test_a_simulated_market_says_so_on_every_page(client, now, settings):
    settings.SIMULATED = True
    token = a_whole_token(now)
    for page in ("/", f"/tokens/{token.address}/", "/?page=x", "/tokens/nobody/"):
        assert "SIMULATED" in text_of(client.get(page))


def test_the_page_of_a_token_takes_its_score_apart(client, now):
    token = a_whole_token(now, symbol="PI")
    page = client.get(f"/tokens/{token.address}/")
    assert "0.940 = 0.525 transactions + 0.375 volume + 0.010 holders + 0.030 order flow" in text_of(page)
    assert [piece.contribution for piece in page.context["explanation"].parts] == [0.525, 0.375, 0.01, 0.03]


def test_the_page_says_what_changed_in_the_last_quarter_of_an_hour(client, now):
    token = a_token(now)
    figures(token, now)
    scored(token, now - timedelta(minutes=12), None, tx_accel=part(None, "no_activity"))
    scored(token, now - timedelta(minutes=10), 0.665, tx_accel=part(1.0))
    scored(token, now, 0.94)
    page = text_of(client.get(f"/tokens/{token.address}/"))
    assert "0.665 → 0.940" in page
    assert '<span class="up">+0.275</span>' in page


def test_the_page_says_which_metric_was_left_out(client, now):
    token = a_token(now)
    figures(token, now)
    scored(token, now, 1.2, holder_growth=part(None, "no_history"))
    page = text_of(client.get(f"/tokens/{token.address}/"))
    assert "holders left out, the other weights scaled up" in page


def test_the_page_says_what_would_archive_or_activate_the_token(client, now):
    active, initial = a_whole_token(now, 1), a_whole_token(now, 2, Status.INITIAL)
    assert "Is archived after 10 low checks in a row" in text_of(client.get(f"/tokens/{active.address}/"))
    page = text_of(client.get(f"/tokens/{initial.address}/"))
    assert "liquidity of $500 (now $202k) or 25 transactions in 5 minutes (now 330)" in page


def test_a_token_without_any_figures_has_a_page(client, now):
    token = a_token(now, status=Status.INITIAL)
    page = text_of(client.get(f"/tokens/{token.address}/"))
    assert "No figures have come in for this token yet" in page


def test_the_page_tells_the_history_in_sentences(client, now):
    token = a_whole_token(now)
    changed(token, now, "Active", "Archived", "tx_count_5m 12 < 25 on 10 checks in 47 min", "rule:degrade")
    assert "Active → Archived: <bdi>tx_count_5m 12 &lt; 25 on 10 checks in 47 min</bdi>" in text_of(client.get(f"/tokens/{token.address}/"))


def test_the_links_to_explorers_are_safe_and_lead_to_the_token(client, now):
    token = a_whole_token(now)
    page = text_of(client.get(f"/tokens/{token.address}/"))
    for site in ("dexscreener.com/solana", "birdeye.so/token", "solscan.io/token"):
        assert f"https://{site}/{token.address}" in page
    assert page.count('target="_blank"') == page.count('rel="noopener noreferrer"')


def test_a_symbol_of_an_exchange_has_no_links_to_solana(client, now):
    token = a_token(now, chain="binance")
    assert "dexscreener.com" not in text_of(client.get(f"/tokens/{token.address}/"))


@pytest.mark.parametrize("asked", ["nobody", "x" * 500, quote("a\x00b"), "%ff", "..", "a b", "<script>", "%ed%a0%80", "'--"])
def test_an_unknown_address_is_a_404_in_the_look_of_the_site(client, asked):
    response = client.get(f"/tokens/{asked}/")
    assert response.status_code == 404


def test_the_history_is_strict_json_with_a_hole_where_nothing_came_in(client, now):
    token = a_token(now, created_at=now - timedelta(seconds=620))
    for second in (600, 570, 540, 60, 30, 0):
        figures(token, now - timedelta(seconds=second), price=None if second == 30 else 0.5)
    scored(token, now, 0.94)
    history = json.loads(client.get(f"/tokens/{token.address}/chart.json").content, parse_constant=pytest.fail)
    assert len(history["outages"]) == 1
    assert history["price"] == [0.5, 0.5, 0.5, None, 0.5, None, 0.5]
    assert history["score"][-1] == 0.94


def test_the_history_marks_changes_of_status_and_of_settings(client, now):
    token = a_whole_token(now)
    changed(token, now - timedelta(minutes=5), "Initial", "Active", "enough liquidity")
    ScoringSettings.objects.revise({"min_tx_count": 26}, author=None, note="more")
    scored(token, now - timedelta(seconds=1))
    history = client.get(f"/tokens/{token.address}/chart.json").json()
    assert [change["new"] for change in history["changes"]] == ["Initial", "Active"]
    assert [mark["revision"] for mark in history["revisions"]] == [ScoringSettings.objects.get(active=True).pk]


def test_going_back_to_earlier_settings_is_a_mark_as_well(client, now):
    token = a_token(now)
    first = ScoringSettings.objects.get(active=True)
    other = ScoringSettings.objects.revise({"min_tx_count": 26}, author=None, note="more")
    for minutes, settings in ((9, first), (6, other), (3, first)):
        row = scored(token, now - timedelta(minutes=minutes))
        TokenScore.objects.filter(pk=row.pk).update(settings=settings)
    history = client.get(f"/tokens/{token.address}/chart.json").json()
    assert [(mark["revision"], mark["note"]) for mark in history["revisions"]] == [(other.pk, "more"), (first.pk, first.note)]


def test_three_days_of_history_are_thinned_to_what_a_screen_can_show(client, now):
    token = a_token(now, created_at=now - timedelta(days=4))
    for step in range(200):
        figures(token, now - timedelta(seconds=30 * step), price=0.7 if step == 99 else 0.5)
    figures(token, now - timedelta(days=4), price=0.1)
    since = int((now - timedelta(days=3)).timestamp())
    history = client.get(f"/tokens/{token.address}/chart.json?from={since}").json()
    assert history["thinned"]
    assert history["step"] == 300
    assert 20 <= len(history["ts"]) < 30
    assert max(history["price_high"]) == 0.7 > max(filter(None, history["price"]))  # a spike is not lost in the mean


def test_a_refresh_brings_only_what_the_page_does_not_have(client, now):
    token = a_token(now, created_at=now - timedelta(seconds=620))
    for second in (600, 570, 540, 510):
        figures(token, now - timedelta(seconds=second))
    known = int((now - timedelta(seconds=545)).timestamp())
    history = client.get(f"/tokens/{token.address}/chart.json?after={known}").json()
    assert len(history["ts"]) == len(history["price"]) == len(history["notes"]) == 3  # two and the hole up to now
    assert len(history["outages"]) == 1


def test_what_a_point_rests_on_is_told_beside_it(client, now):
    token = a_token(now)
    figures(token, now - timedelta(seconds=90))
    scored(token, now - timedelta(seconds=90))
    figures(token, now - timedelta(seconds=60), contradictions="price_jump")
    scored(token, now - timedelta(seconds=60), orderflow_imbalance=part(0.1, "estimated"))
    figures(token, now - timedelta(seconds=30))
    scored(token, now - timedelta(seconds=30), holder_growth=part(None, "no_history"), orderflow_imbalance=part(None, "stale"))
    history = client.get(f"/tokens/{token.address}/chart.json").json()
    assert history["notes"] == [0, chart.ESTIMATED | chart.CONTRADICTORY, chart.LEFT_OUT | chart.STALE]


def test_the_history_says_when_the_feed_was_not_heard(client, now):
    token = a_whole_token(now)
    for since, until in ((90, 60), (5, None), (9000, 8000)):
        ListeningGap.objects.create(
            from_ts=now - timedelta(minutes=since),
            to_ts=until and now - timedelta(minutes=until),
            why=f"since {since}",
            source=str(since),
        )
    history = client.get(f"/tokens/{token.address}/chart.json").json()
    assert [spell["why"] for spell in history["blind"]] == ["since 90", "since 5"]
    assert history["blind"][1]["to"] == history["to"]


def test_the_history_of_an_archived_token_ends_with_it(client, now):
    token = a_token(now, status="Archived", created_at=now - timedelta(hours=40), status_changed_at=now - timedelta(hours=20))
    for minutes in (3, 2, 1):
        figures(token, now - timedelta(hours=20, minutes=minutes))
    history = client.get(f"/tokens/{token.address}/chart.json").json()
    assert history["newest"] == pytest.approx((now - timedelta(hours=20)).timestamp(), abs=0.1)
    assert len(history["price"]) == 3
    assert history["outages"] == []


@pytest.mark.parametrize("asked", ["from=-2", "from=1e9", "to=x", "after=", "from=%00", "from=20&to=10"])
def test_a_stretch_of_history_that_cannot_be_is_refused(client, now, asked):
    token = a_token(now)
    assert client.get(f"/tokens/{token.address}/chart.json?{asked}").status_code == 400


@pytest.mark.parametrize("asked", ["from=0", "to=1", "from=4000000000", "to=4000000000", "after=4000000000", "from=0&to=1&after=7"])
def test_a_stretch_without_any_history_is_empty(client, now, asked):
    token = a_token(now)
    assert client.get(f"/tokens/{token.address}/chart.json?{asked}").json()["ts"] == []


def test_an_unchanged_token_is_answered_with_304(client, now, still):
    token = a_whole_token(now)
    for path in (f"/tokens/{token.address}/", f"/tokens/{token.address}/chart.json"):
        etag = client.get(path)["ETag"]
        assert client.get(path, headers={"if-none-match": etag}).status_code == 304


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "BREW"])
def test_the_public_pages_can_only_be_read(client, now, method):
    token = a_whole_token(now)
    for path in ("/", "/pulse/", f"/tokens/{token.address}/", f"/tokens/{token.address}/chart.json"):
        assert client.generic(method, path).status_code == 405
        assert client.head(path).status_code == 200


def test_nothing_in_a_page_needs_more_than_the_strict_policy_allows(client, now):
    token = a_whole_token(now)
    for path in ("/", f"/tokens/{token.address}/"):
        response = client.get(path)
        assert "script-src 'self'; style-src 'self'" in response["Content-Security-Policy"]
        page = text_of(response)
        assert " style=" not in page
        assert "<style" not in page
        assert page.count("<script") == page.count('<script src="/static/')
        assert " on" + "click" not in page


def test_no_cookie_is_set_by_reading(client, now):
    token = a_whole_token(now)
    for path in ("/", "/pulse/", f"/tokens/{token.address}/"):
        assert not client.get(path).cookies


def test_two_hundred_rows_stay_below_a_megabyte(client, now):
    many_whole_tokens(now, 200)
    response = client.get("/?size=200")
    assert len(rows_of(response)) == 200
    assert 200_000 < len(response.content) < 1_000_000
