"""A token's figures a while ago and now."""

from datetime import UTC, datetime, timedelta

import pytest

from tokens.models import Token, TokenSnapshot
from tokens.then_and_now import nearest, table

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def seen(token, seconds_ago, **fields):
    return TokenSnapshot.objects.create(token=token, ts=NOON - timedelta(seconds=seconds_ago), source="pools", **fields)


@pytest.fixture
def token(db):
    return Token.objects.create(address="A")


def test_a_figure_is_compared_with_the_reading_next_to_that_moment(token):
    newest = seen(token, 0, price=1.5, holders=90)
    seen(token, 290, price=1.0, holders=None)
    seen(token, 340, price=9.0)
    five, fifteen = table(token, newest, None).lines[0].then[:2]
    assert (five.text, five.change, five.way, five.at) == ("$1", "+50 %", "up", NOON - timedelta(seconds=290))
    assert (fifteen.text, fifteen.change) == ("–", "")


def test_what_is_unknown_then_or_now_has_no_change(token):
    newest = seen(token, 0, price=None, liquidity=0.0, holders=90)
    seen(token, 300, price=1.0, liquidity=0.0, holders=None)
    price, liquidity, holders = table(token, newest, None).lines[:3]
    assert (price.now, price.then[0].text, price.then[0].change) == ("–", "$1", "")
    assert (liquidity.then[0].text, liquidity.then[0].change) == ("$0", "")  # from nothing, no percentage leads anywhere
    assert (holders.then[0].text, holders.then[0].change) == ("–", "")


def test_a_day_ago_may_be_some_minutes_off_and_no_more():
    day = NOON - timedelta(days=1)
    rows = {day + timedelta(minutes=minutes): {"at": minutes} for minutes in (-11, 8, 12)}
    assert nearest(rows, day, timedelta(minutes=10)) == {"at": 8}
    assert nearest({}, day, timedelta(minutes=10)) is None


def test_the_table_takes_two_queries_and_needs_a_snapshot(token, django_assert_num_queries):
    newest = seen(token, 0, price=1.0)
    with django_assert_num_queries(2):
        assert table(token, newest, 0.5).lines[-1].now == "0.50"
    assert table(token, None, None) is None
