"""Every list of the admin as CSV: the rows that the page shows, all of them, and nothing that a spreadsheet would run."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ingestion.models import ApiUsage
from tokens.csv_export import cell, lines
from tothemoon.tests.page_rows import a_whole_token, address, many_whole_tokens

pytestmark = pytest.mark.django_db
LISTS = ["tokens/token", "tokens/statuschange", "scoring/tokenscore", "tokens/tokensnapshot", "ingestion/apiusage"]


@pytest.fixture
def now():
    return timezone.now()


def table(client, where, query=""):
    answer = client.get(f"/admin/{where}/export.csv{query}")
    assert answer.status_code == 200
    assert answer.streaming
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


@pytest.mark.parametrize("where", LISTS)
def test_every_list_links_to_its_csv_with_the_filters_in_force(admin_client, now, where):
    a_whole_token(now)
    ApiUsage.objects.create(day=now.date(), service="birdeye", endpoint="overview", calls=3)
    assert len(table(admin_client, where)) >= 1
    assert 'href="export.csv"' in admin_client.get(f"/admin/{where}/").content.decode()
    assert 'href="export.csv?q=T0"' in admin_client.get(f"/admin/{where}/?q=T0").content.decode() or where == "ingestion/apiusage"


def test_the_rows_are_those_of_the_filtered_and_searched_list(admin_client, now):
    a_whole_token(now, 1)
    a_whole_token(now, 2, "Initial")
    assert [row["symbol"] for row in table(admin_client, "tokens/token", "?which=initial")] == ["T2"]
    assert [row["symbol"] for row in table(admin_client, "tokens/token", "?q=T1")] == ["T1"]
    assert {row["token_address"] for row in table(admin_client, "tokens/tokensnapshot", f"?q={address(1)}")} == {address(1)}


def test_a_token_comes_with_its_newest_figures(admin_client, now):
    a_whole_token(now)
    (row,) = table(admin_client, "tokens/token")
    assert (row["holders"], row["liquidity"], row["pool_count"], row["last_score_value"]) == ("1204", "202000.0", "1", "0.94")
    assert datetime.fromisoformat(row["created_at"]) == now - timedelta(hours=2)


@pytest.mark.parametrize("where", LISTS[:4])
def test_all_rows_come_by_the_same_few_queries(admin_client, now, where):
    a_whole_token(now)

    def questions():
        with CaptureQueriesContext(connection) as asked:
            table(admin_client, where)
        return len(asked)

    few = questions()
    many_whole_tokens(now, 120, first=1)
    assert questions() == few <= 9
    assert len(table(admin_client, where)) >= 121 or where == "tokens/statuschange"


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x")']
)
def test_text_that_a_spreadsheet_would_run_is_made_harmless(admin_client, now, text):
    assert cell(text) == f"'{text}"
    if "\t" not in text and "\r" not in text and "\n" not in text:
        a_whole_token(now, symbol=text[:40])
        assert table(admin_client, "tokens/token")[0]["symbol"] == f"'{text[:40]}"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (-1.5, -1.5),
        (None, ""),
        (True, True),
        ("a, b", "a, b"),
        ({"a": 1}, '{"a":1}'),
        (datetime(2026, 11, 21, tzinfo=UTC), "2026-11-21T00:00:00Z"),
    ],
)
def test_everything_else_stays_what_it_is(value, written):
    assert cell(value) == written


def test_a_list_that_was_cut_says_so_in_its_last_line():
    assert list(lines(["n"], ([number] for number in range(9)), most=2)) == [
        "n\r\n",
        "0\r\n",
        "1\r\n",
        "cut after 2 rows: filter the list\r\n",
    ]
    assert list(lines(["n"], [[0], [1]], most=2)) == ["n\r\n", "0\r\n", "1\r\n"]


@pytest.mark.parametrize("where", LISTS)
def test_who_may_not_see_the_list_may_not_export_it(client, where):
    assert client.get(f"/admin/{where}/export.csv").status_code == 302
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert client.get(f"/admin/{where}/export.csv").status_code == 403


@pytest.mark.parametrize("query", ["?q=%00", "?no_such=1", "?p=abc", "?o=999", "?which=%ED%A0%80"])
def test_a_strange_address_is_never_an_error_of_ours(admin_client, query):
    assert admin_client.get("/admin/tokens/token/export.csv" + query).status_code < 500
