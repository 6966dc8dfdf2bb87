from datetime import timedelta

import pytest

from tokens.models import Pool, Status, Token, TokenSnapshot

pytestmark = pytest.mark.django_db


def make(now, symbol, status=Status.ACTIVE, **fields):
    return Token.objects.create(address=f"{symbol}pump".ljust(44, "1"), symbol=symbol, status=status, **fields)


def symbols(found):
    return [token.symbol for token in found]


def test_ranked_is_the_active_tokens_with_a_score_the_highest_first(now):
    make(now, "low", last_score_value=0.2)
    make(now, "high", last_score_value=1.2)
    make(now, "unknown")
    make(now, "initial", Status.INITIAL, last_score_value=9.0)
    assert symbols(Token.objects.ranked()) == ["high", "low"]


def test_ranked_among_the_fresh_leaves_out_the_dead(now):
    make(now, "dead", last_score_value=9.0, last_scored_at=now - timedelta(hours=2))
    make(now, "alive", last_score_value=1.0, last_scored_at=now)
    assert symbols(Token.objects.ranked(fresh_since=now - timedelta(minutes=3))) == ["alive"]


def test_the_newest_figures_are_those_of_the_living(now):
    assert Token.objects.figures_until() is None
    make(now, "alive", last_snapshot_at=now)
    make(now, "dead", Status.ARCHIVED, last_snapshot_at=now + timedelta(hours=1))
    assert Token.objects.figures_until() == now


def test_living_is_what_is_polled(now):
    for status in Status:
        make(now, status.value, status)
    assert sorted(symbols(Token.objects.living())) == ["Active", "Initial"]


def test_counts_name_every_status_also_where_there_is_none(now):
    make(now, "a")
    make(now, "b")
    assert Token.objects.counts_per_status() == {"Initial": 0, "Active": 2, "Archived": 0}


def test_held_by_hand(now):
    make(now, "held", held=True)
    make(now, "free")
    assert symbols(Token.objects.held_by_hand()) == ["held"]


@pytest.fixture
def palantir(now):
    token = make(now, "PI", name="Palantir Inu 100%")
    Pool.objects.create(token=token, pool_address="PoolOfPalantir", dex_name="pumpswap")
    make(now, "other", name="Something else")
    return token


@pytest.mark.parametrize("text", ["pi", "PI", "  palantir ", "100%", "PIpump", "pipump", "PoolOfPalantir"])
def test_a_search_finds_by_symbol_name_address_and_pool(palantir, text):
    assert list(Token.objects.search(text)) == [palantir]


@pytest.mark.parametrize("text", ["\x00", "PI\x00", "\ud800", "a\nb", "\x1b[0m", "x" * 81, "%", "_", "' OR 1=1 --", "\\"])
def test_a_search_for_what_no_text_holds_finds_nothing_and_raises_nothing(palantir, text):
    found = symbols(Token.objects.search(text))
    assert found == (["PI"] if text == "%" else [])  # the sign itself stands in that name


def test_a_blank_search_finds_all(palantir):
    assert Token.objects.search("  ").count() == 2


def test_the_newest_figures_come_in_one_query_for_any_number_of_tokens(now, django_assert_num_queries):
    for name in "ABC":
        token = make(now, name, last_snapshot_at=now)
        Pool.objects.create(token=token, pool_address=f"pool {name}", dex_name="pumpswap")
        for ago in (0, 30, 60):
            TokenSnapshot.objects.create(token=token, ts=now - timedelta(seconds=ago), source="pools", price=float(ago), liquidity=7.0)
    make(now, "bare")
    with django_assert_num_queries(1):
        found = {token.symbol: token for token in Token.objects.with_newest_figures()}
    assert len(found) == 4
    assert (found["A"].price, found["A"].liquidity, found["A"].source, found["A"].pool_count) == (0.0, 7.0, "pools", 1)
    assert (found["bare"].price, found["bare"].pool_count, found["bare"].components) == (None, 0, None)


def test_history_is_the_snapshots_of_the_last_hours_oldest_first(now, django_assert_num_queries):
    token = make(now, "A", last_snapshot_at=now)
    for minutes in (0, 30, 90):
        TokenSnapshot.objects.create(token=token, ts=now - timedelta(minutes=minutes), source="pools", price=float(minutes))
    with django_assert_num_queries(2):
        rows = token.history(hours=1)
    assert [(row["price"], row["score"]) for row in rows] == [(30.0, None), (0.0, None)]
    assert make(now, "B").history() == []


def test_a_token_that_was_never_scored_says_so(now):
    assert str(make(now, "A").explain()).endswith("not scored yet")
