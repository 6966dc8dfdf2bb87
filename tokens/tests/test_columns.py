"""An answer in columns is the answer the ORM gives, on both databases: to the microsecond, and unknown where it is null."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tokens.columns import Column, read_columns
from tokens.models import StatusChange, Token

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC)
COLUMNS = (
    Column("pk", "t.id"),
    Column("created_at", "t.created_at", "moment"),
    Column("low_since", "t.low_since", "moment"),
    Column("active", "t.status = 'Active'", "flag"),
    Column("score", "t.last_score_value"),
)
ALL = "FROM tokens t ORDER BY t.id"


def make_tokens(number):
    """Whole seconds and microseconds, nulls and numbers, by turns."""
    Token.objects.bulk_create(
        Token(
            address=f"T{n}",
            created_at=MOMENT + timedelta(microseconds=n * 333_333),
            low_since=MOMENT - timedelta(days=n) if n % 3 else None,
            last_score_value=n / 7 if n % 2 else None,
            status="Active" if n % 2 else "Initial",
        )
        for n in range(number)
    )


@pytest.mark.parametrize("number", [0, 1, 499, 500, 501, 1234])
def test_every_row_comes_once_and_in_order_however_many_there_are(number):
    make_tokens(number)
    columns = read_columns(COLUMNS, ALL)
    stored = list(Token.objects.order_by("pk").values_list("pk", "created_at", "low_since", "status", "last_score_value"))
    seconds = [(pk, at.timestamp(), low and low.timestamp(), float(status == "Active"), score) for pk, at, low, status, score in stored]
    rows = zip(*(columns[column.name].tolist() for column in COLUMNS), strict=True)
    assert [tuple(None if cell != cell else cell for cell in row) for row in rows] == seconds
    assert {column.dtype for column in columns.values()} == {np.dtype(np.float64)}


def test_a_moment_may_be_an_expression_and_lie_before_1970():
    Token.objects.create(address="T", created_at=datetime(1969, 12, 31, 23, 59, 58, 500_001, tzinfo=UTC))
    (at,) = read_columns([Column("at", "coalesce(t.low_since, t.created_at)", "moment")], ALL)["at"]
    assert at == pytest.approx(-1.499999, abs=1e-7)


def test_several_numbers_come_out_of_one_document():
    token = Token.objects.create(address="T")
    for evidence in ({"a": {"b": 1.5}, "c": None}, {"a": 3}, {}):
        StatusChange.objects.create(token=token, old="Initial", new="Active", reason="x", evidence=evidence, actor="rule", ts=MOMENT)
    wanted = [Column("b", "c.evidence", "json", ("a", "b")), Column("c", "c.evidence", "json", ("c",))]
    with CaptureQueriesContext(connection) as asked:
        columns = read_columns(wanted, "FROM status_changes c ORDER BY c.id")
    np.testing.assert_array_equal(columns["b"], [1.5, np.nan, np.nan])
    assert np.isnan(columns["c"]).all()
    assert len(asked) <= 1


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite is not read as a stream")
class TestTheStream:
    @pytest.mark.parametrize("rows", [0, 1, 2, 5_000])
    def test_every_row_comes_whatever_their_number(self, rows):
        found = read_columns([Column("n", "g"), Column("minus", "-g")], f"FROM generate_series(1, {rows}) g")
        assert found["n"].tolist() == list(range(1, rows + 1))
        assert (found["minus"] == -found["n"]).all()

    def test_an_error_in_the_middle_is_told_and_the_connection_goes_on(self):
        with pytest.raises(DataError, match="division by zero"), transaction.atomic():
            read_columns([Column("n", "1 / (g - 5000)")], "FROM generate_series(1, 9000) g")
        assert read_columns([Column("n", "g")], "FROM generate_series(1, 3) g")["n"].tolist() == [1, 2, 3]
