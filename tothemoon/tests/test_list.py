"""The list as a reader narrows it, watches it and takes it away, over real rows."""

import csv
import io
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tokens import list_csv
from tokens.models import Pool, Status, Token, TokenSnapshot
from tothemoon.tests.page_rows import a_token, a_whole_token, address, figures, many_whole_tokens, scored

pytestmark = pytest.mark.django_db

EVERYTHING = "min_liquidity=1&max_age=9d&min_holders=1&min_score=0&dex=pumpswap"
MOST_QUERIES = 14


@pytest.fixture
def now():
    """The pages read the clock themselves; the rows stand around that moment."""
    return timezone.now()


def text_of(response):
    return response.content.decode()


def shown(client, path):
    response = client.get(path, follow=True)
    assert response.status_code == 200
    return sorted(row.symbol for row in response.context["rows"])


def rows_of_csv(response):
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))


@pytest.fixture
def market(now):
    """DEEP is large and old, THIN small and young, DIM has neither liquidity nor holders."""
    deep = a_whole_token(now, 1, symbol="DEEP", score=2.0, created_at=now - timedelta(hours=9))
    thin = a_whole_token(now, 2, symbol="THIN", score=1.0, created_at=now - timedelta(hours=1))
    dim = a_token(now, 3, symbol="DIM")
    figures(dim, now, source="pools", liquidity=None, holders=None)
    scored(dim, now, 0.5)
    TokenSnapshot.objects.filter(token=thin).update(liquidity=900.0, holders=40)
    Pool.objects.filter(token=thin).update(dex_name="raydium")
    return deep, thin, dim


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("liq=5k", ["DEEP"]),
        ("liq=..5k", ["THIN"]),
        ("age=6h", ["DIM", "THIN"]),
        ("age=6h..", ["DEEP"]),
        ("holders=1..100", ["THIN"]),
        ("score=1..2", ["DEEP", "THIN"]),
        ("dex=pumpswap&dex=raydium", ["DEEP", "THIN"]),
        ("dex=RAYDIUM", ["THIN"]),
        ("liq=0&q=thin", ["THIN"]),
        ("dex=nowhere", []),
    ],
)
def test_a_filter_shows_what_passes_it(client, market, query, symbols):
    assert shown(client, f"/?{query}") == symbols


def test_filters_in_other_words_lead_to_the_one_address_of_that_list(client, market):
    answer = client.get("/?age=6h&liq=5000&dex=&min_score=")
    assert (answer.status_code, answer["Location"]) == (302, "/?min_liquidity=5k&max_age=6h")


@pytest.mark.parametrize(
    "query", ["liq=much", "min_age=6", "min_liq=5k", "liq=9..1", "dex=%3Cb%3E", "watch=a;b", "watch=" + "a," * 3 + "x" * 65]
)
def test_a_filter_that_cannot_be_is_a_sentence_and_no_list(client, market, query):
    answer = client.get(f"/?{query}")
    assert answer.status_code == 400
    assert "That address was not understood" in text_of(answer)
    alone = client.get(f"/?{query}", headers={"hx-request": "true"})
    assert (alone.status_code, alone["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert text_of(alone).endswith(".")
    assert client.get(f"/tokens.csv?{query}").status_code == 400


def test_the_page_says_who_is_left_out_because_a_figure_is_unknown(client, market):
    page = text_of(client.get("/?min_liquidity=5k"))
    assert "1 token is left out because its liquidity is not known." in page
    assert "1 Active that pass the filters" in " ".join(page.split())
    assert "Every figure asked for is known." in text_of(client.get("/?min_score=0"))
    assert "left-out" not in text_of(client.get("/?max_age=6h"))


def test_every_filter_is_a_chip_that_leads_to_the_list_without_it(client, market):
    page = text_of(client.get("/?min_liquidity=5k&max_age=6h&sort=-price"))
    assert 'href="/?max_age=6h&amp;sort=-price" hx-get="/?max_age=6h&amp;sort=-price">liquidity ≥ $5k' in page
    assert "No Active token passes these filters" in page


def test_filters_are_carried_through_tabs_heads_pages_search_and_the_refresh(client, now):
    for token in many_whole_tokens(now, 30):
        Token.objects.filter(pk=token.pk).update(name="dog")
    page = text_of(client.get("/?q=dog&min_liquidity=5k&size=25"))
    for link in (
        'hx-get="/?q=dog&amp;min_liquidity=5k&amp;size=25" hx-trigger="every 3s"',
        'href="/?q=dog&amp;min_liquidity=5k&amp;sort=-price&amp;size=25"',
        'href="/?q=dog&amp;min_liquidity=5k&amp;size=25&amp;page=2"',
        'href="/?status=Archived&amp;q=dog&amp;min_liquidity=5k&amp;size=25"',
        '<input type="hidden" name="min_liquidity" value="5k">',
        'href="/tokens.csv?q=dog&amp;min_liquidity=5k"',
    ):
        assert link in page


def test_a_list_sorted_by_a_figure_leads_to_the_archive_in_an_order_that_it_has(client, market):
    assert 'href="/?status=Archived"' in text_of(client.get("/?sort=-price"))
    assert 'href="/?status=Initial&amp;sort=-price"' in text_of(client.get("/?sort=-price"))


def test_a_refresh_brings_the_tabs_the_search_and_the_title_of_its_view(client, market):
    part = text_of(client.get("/?min_score=1", headers={"hx-request": "true"}))
    assert 'id="tabs" aria-label="Lists" hx-swap-oob="calm"' in part
    assert 'id="kept" hidden hx-swap-oob="calm"><input type="hidden" name="min_score" value="1">' in part
    assert "<title>Active tokens · ToTheMoon\n</title>" in part


def test_filters_cost_the_same_number_of_questions_whatever_the_number_of_tokens(client, now):
    def questions(path):
        cache.clear()
        with CaptureQueriesContext(connection) as asked:
            assert client.get(path).status_code == 200
        return len(asked)

    a_whole_token(now)
    few, watched = questions(f"/?{EVERYTHING}"), questions(f"/?watch={address(0)}")
    many_whole_tokens(now, 40, first=1)
    many = ",".join(sorted(address(n) for n in range(40)))
    assert questions(f"/?{EVERYTHING}&sort=-pools") == few <= MOST_QUERIES
    assert questions(f"/?watch={many}") == watched <= MOST_QUERIES


def test_a_watch_list_shows_its_tokens_of_every_status_and_names_whom_it_does_not_know(client, market, now):
    a_whole_token(now, 7, Status.ARCHIVED, symbol="GONE")
    path = f"/?watch={','.join(sorted([address(2), address(7), 'nobody'.ljust(40, 'x')]))}"
    assert shown(client, path) == ["GONE", "THIN"]
    page = text_of(client.get(path))
    assert "Not known here: nobo…xxxx." in page
    assert '<span class="word">Archived ·</span>' in page
    assert "<title>Watched tokens" in page
    assert 'aria-current="page"' not in page


def test_a_watch_list_is_one_address_whatever_the_order_of_its_tokens(client, market):
    answer = client.get(f"/?watch={address(2)},{address(1)},{address(2)},")
    assert answer["Location"] == f"/?watch={address(1)},{address(2)}"


def test_an_empty_watch_list_says_how_it_is_filled_and_a_long_one_is_refused(client, market):
    assert "The star before the name of a token puts it here" in text_of(client.get("/?watch="))
    assert client.get("/?watch=" + ",".join(f"a{n}" for n in range(101))).status_code == 400
    assert "None of these tokens is known here" in text_of(client.get("/?watch=nobody"))


def test_the_list_as_csv_has_every_row_that_passes_in_the_same_order_with_exact_figures(client, market):
    answer = client.get("/tokens.csv?score=0&sort=score")
    rows = rows_of_csv(answer)
    assert [row["symbol"] for row in rows] == ["DIM", "THIN", "DEEP"]
    assert (rows[0]["liquidity"], rows[1]["liquidity"], rows[2]["score"], rows[2]["pools"]) == ("", "900.0", "2.0", "1")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="Active-')


def test_the_csv_has_all_pages_and_one_question(client, now, django_assert_num_queries):
    many_whole_tokens(now, 60)
    with django_assert_num_queries(1):
        assert len(rows_of_csv(client.get("/tokens.csv?size=25&page=2"))) == 60


def test_a_name_that_is_a_formula_cannot_run_in_a_spreadsheet(client, now):
    a_token(now, symbol="=1+1", name="@SUM(A1)")
    (row,) = rows_of_csv(client.get("/tokens.csv"))
    assert (row["symbol"], row["name"]) == ("'=1+1", "'@SUM(A1)")


def test_a_file_of_a_simulated_market_says_so_and_a_cut_one_too(client, now, settings, monkeypatch):
    settings.SIMULATED = True
    monkeypatch.setattr(list_csv, "MOST_ROWS", 2)
    many_whole_tokens(now, 3)
    answer = client.get("/tokens.csv")
    assert 'filename="SIMULATED-Active-' in answer["Content-Disposition"]
    assert rows_of_csv(answer)[-1]["address"] == "cut after 2 rows: filter the list"


@pytest.mark.parametrize(
    "query", ["min_liquidity=5000&max_liquidity=1e9", "max_liquidity=5000", "max_holders=100", "max_score=1.5", "dex=raydium,pumpswap"]
)
def test_the_api_filters_by_the_same_rule(client, market, query):
    told = sorted(token["symbol"] for token in client.get(f"/api/tokens/?status=Active&{query}").json()["tokens"])
    assert told == shown(client, f"/?{query.replace('1e9', '1b')}")
