"""What the stages read every minute is found by an index, however much has been kept: on both databases, and as many rows as matter."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tokens.bars import read_grid, stored_rows
from tokens.models import Token
from tokens.recent_bars import RecentBars

pytestmark = pytest.mark.django_db

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
TOKENS, MINUTES = 50, 3000
END = FIRST + timedelta(minutes=MINUTES)
SERIES = {
    "postgresql": "SELECT t.id, '1m', %s + m * interval '1 minute', 1, 1, 1, 1, 'binance', %s FROM tokens t, generate_series(0, {}) m",
    "sqlite": "WITH RECURSIVE s(m) AS (SELECT 0 UNION ALL SELECT m + 1 FROM s WHERE m < {}) "
    "SELECT t.id, '1m', strftime('%%Y-%%m-%%d %%H:%%M:%%S', %s, '+' || m || ' minutes'), 1, 1, 1, 1, 'binance', %s FROM tokens t, s",
}


@pytest.fixture
def tokens() -> list[int]:
    """Two days of bars, so many that reading them all would be a scan."""
    Token.objects.bulk_create(Token(address=f"T{number}", status="Active") for number in range(TOKENS))
    columns = "token_id, interval, open_time, open, high, low, close, source, stored_at"
    first = FIRST.strftime("%Y-%m-%d %H:%M:%S") if settings.ON_SQLITE else FIRST
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO bars ({columns}) {SERIES[connection.vendor].format(MINUTES - 1)}", [first, first])
        cursor.execute("ANALYZE bars")
    return list(Token.objects.values_list("pk", flat=True))


def plan_of(query: str) -> str:
    """What the database means to do, in its own words."""
    query = query.removeprefix("COPY (").removesuffix(") TO STDOUT (FORMAT BINARY)")
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if settings.ON_SQLITE else ''}{query}")
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def plans(queries: Any) -> list[str]:
    return [plan_of(query["sql"]) for query in queries.captured_queries if "FROM bars" in query["sql"]]


def test_a_stretch_of_some_tokens_is_found_by_the_index(tokens: list[int]) -> None:
    with CaptureQueriesContext(connection) as queries:
        grid = read_grid("1m", tokens[:10], END, 60)
        stored_rows("1m", END - timedelta(minutes=5), END)
    assert grid.close.shape == (60, 10)
    assert not (grid.close != 1).any()
    found = plans(queries)
    assert len(found) == 2
    for plan in found:
        assert "bars_interval_open_time" in plan or "bars_token_interval_open_time" in plan or "sqlite_autoindex_bars" in plan, plan
        assert "Seq Scan on bars" not in plan, plan
        assert "SCAN b" not in plan, plan


def test_a_live_cycle_reads_by_index_when_it_begins_and_when_it_goes_on(tokens: list[int]) -> None:
    recent = RecentBars(clock=iter(range(0, 10_000, 1000)).__next__)
    with CaptureQueriesContext(connection) as queries:
        for back in (3, 2, 1):
            recent.grid("1m", tokens, END - timedelta(minutes=back), 480)
    found = plans(queries)
    assert len(found) >= 6
    for plan in found:
        assert "Seq Scan on bars b " not in f"{plan} ", plan
        assert "SCAN b\n" not in f"{plan}\n", plan
