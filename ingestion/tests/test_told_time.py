"""A service is asked what time it is, over a real socket."""

from datetime import UTC, datetime

import pytest

from ingestion.tests.misbehaving_http import MisbehavingServer, answer
from ingestion.told_time import told_time

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_whatever_is_answered_its_date_is_the_time_there(status: int) -> None:
    with MisbehavingServer([answer([], status=status, headers={"Date": "Sun, 22 Nov 2026 12:00:00 GMT"})]) as server:
        assert told_time(server.url, 5.0) == NOON


def test_a_date_that_is_none_tells_nothing() -> None:
    with MisbehavingServer([answer([], headers={"Date": "tea time"})]) as server:
        assert told_time(server.url, 5.0) is None


def test_where_nobody_answers_nothing_is_told() -> None:
    with MisbehavingServer([]) as server:
        gone = server.url
    assert told_time(gone, 1.0) is None
