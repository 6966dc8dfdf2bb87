"""Filters as words of an address and as questions to the tables."""

from datetime import UTC, datetime, timedelta

import pytest
from django.http import QueryDict

from tokens import filter_words, filters
from tokens.bounds import Refused
from tokens.filters import Filters
from tokens.models import Pool, Token, TokenSnapshot
from tokens.wanted import rewritten, wanted

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def read(query):
    return filters.read(dict(QueryDict(query).lists()))


def a_token(number, score=0.5, age_sec=3600, liquidity=5000.0, holders=100, dex="pumpswap"):
    token = Token.objects.create(
        address=f"mint{number}", symbol=f"T{number}", status="Active", created_at=NOW - timedelta(seconds=age_sec), last_score_value=score
    )
    if liquidity is not None or holders is not None:
        TokenSnapshot.objects.create(token=token, ts=NOW, source="birdeye", liquidity=liquidity, holders=holders)
        Token.objects.filter(pk=token.pk).update(last_snapshot_at=NOW)
    if dex:
        Pool.objects.create(token=token, pool_address=f"pool{number}", dex_name=dex)
    return token


def passing(asked):
    rows = Token.objects.with_newest_figures().filter(asked.passing(NOW)).order_by("pk")
    return [token.symbol for token in rows]


def counted(asked):
    return filters.counted(Token.objects.with_newest_snapshot(), asked, NOW)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("liq=5k", {"min_liquidity": "5k"}),
        ("liquidity=5000..50k", {"min_liquidity": "5k", "max_liquidity": "50k"}),
        ("liq=..50k", {"max_liquidity": "50k"}),
        ("age=6h", {"max_age": "6h"}),
        ("age=30m..", {"min_age": "30m"}),
        ("holders=100&score=0.50", {"min_holders": "100", "min_score": "0.5"}),
        ("dex=Raydium&dex=pumpswap", {"dex": "pumpswap,raydium"}),
        ("dex=raydium,pumpswap,raydium", {"dex": "pumpswap,raydium"}),
        ("max_score=2&min_score=-1", {"min_score": "-1", "max_score": "2"}),
        ("min_liquidity=&max_age= &dex=", {}),
        ("q=dog&sort=score", {}),
        ("liq=5k&min_liquidity=5000", {"min_liquidity": "5k"}),
    ],
)
def test_filters_are_read_from_many_ways_of_writing_and_written_in_one(query, said):
    assert read(query).said() == said
    assert filters.read({name: [value] for name, value in said.items()}) == read(query)


@pytest.mark.parametrize(
    "query",
    [
        "liq=abc",
        "min_liquidity=5,000",
        "age=6",
        "liq=..",
        "liq=5k..1k",
        "min_age=2d&max_age=6h",
        "min_liquidity=5k&min_liquidity=6k",
        "liq=5k&min_liquidity=6k",
        "min_liq=5k",
        "max_=1",
        "dex=a;b",
        "dex=%00",
        "dex=" + ",".join(f"dex{n}" for n in range(11)),
        "&".join(f"dex=dex{n}" for n in range(11)),
    ],
)
def test_a_filter_that_cannot_be_is_refused_with_a_sentence_and_never_passed_over(query):
    with pytest.raises(Refused, match=r"\.$"):
        read(query)


def test_an_address_in_other_words_is_led_to_ours():
    for query, ours in [
        ("liq=5k", "/?min_liquidity=5k"),
        ("min_liquidity=5000&q=a", "/?q=a&min_liquidity=5k"),
        ("watch=b,a,a", "/?watch=a,b"),
    ]:
        asked = wanted(QueryDict(query))
        assert rewritten(QueryDict(query), asked)
        assert asked.link() == ours
        assert not rewritten(QueryDict(ours.partition("?")[2]), asked)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "symbols"),
    [
        (Filters(min_liquidity=5000.0), ["T1", "T3"]),
        (Filters(max_liquidity=5000.0), ["T1", "T2"]),
        (Filters(min_liquidity=0.0), ["T1", "T2", "T3"]),
        (Filters(min_age=3600.0), ["T1", "T2", "T3", "T4"]),
        (Filters(max_age=3599.0), []),
        (Filters(min_holders=100.0, max_holders=100.0), ["T1", "T2"]),
        (Filters(max_holders=5000.0), ["T1", "T2"]),
        (Filters(min_score=0.5), ["T1", "T2", "T4"]),
        (Filters(max_score=0.5), ["T1", "T2", "T4"]),
        (Filters(dex=("raydium",)), ["T2", "T3"]),
        (Filters(dex=("orca", "pumpswap")), ["T1"]),
        (Filters(min_liquidity=1.0, dex=("raydium",), min_score=0.1), ["T2"]),
    ],
)
def test_a_bound_includes_its_value_and_nothing_unknown_passes_it(asked, symbols):
    a_token(1)
    a_token(2, liquidity=100.0, dex="Raydium")
    a_token(3, score=None, liquidity=9000.0, holders=None, dex="raydium")
    a_token(4, liquidity=None, holders=None, dex="")
    assert passing(asked) == symbols
    assert counted(asked).total == len(symbols)


@pytest.mark.django_db
def test_who_is_left_out_for_an_unknown_figure_alone_is_counted_and_who_fails_a_known_one_is_not():
    a_token(1)
    a_token(2, liquidity=None)
    a_token(3, liquidity=None, holders=None)
    a_token(4, liquidity=None, holders=5)
    found = counted(Filters(min_liquidity=1.0, min_holders=50.0))
    assert (found.total, found.left_out, found.unknown) == (1, 2, {"liquidity": 2, "holders": 1})
    assert filter_words.left_out(found) == [
        "2 tokens are left out because a figure asked for is not known.",
        "2 tokens are left out because their liquidity is not known.",
        "1 token is left out because the number of its holders is not known.",
    ]


@pytest.mark.django_db
def test_a_token_without_a_known_pool_is_left_out_of_a_filter_by_exchange_and_counted():
    a_token(1)
    a_token(2, dex="")
    a_token(3, dex="orca")
    found = counted(Filters(dex=("pumpswap",)))
    assert (found.total, found.left_out, found.unknown) == (1, 1, {"dex": 1})
    assert filter_words.left_out(found) == ["1 token is left out because no pool of it is known."]


@pytest.mark.django_db
def test_the_newest_figures_count_and_not_older_ones():
    token = a_token(1, liquidity=100.0)
    TokenSnapshot.objects.create(token=token, ts=NOW - timedelta(hours=1), source="birdeye", liquidity=90_000.0)
    assert passing(Filters(min_liquidity=5000.0)) == []
    assert counted(Filters(min_liquidity=5000.0)).total == 0


@pytest.mark.django_db
def test_counting_takes_one_query_whatever_is_asked(django_assert_num_queries):
    a_token(1)
    with django_assert_num_queries(1):
        counted(read("liq=1..1b&age=1s..9d&holders=1&score=0&dex=pumpswap,raydium"))


def test_every_filter_is_a_chip_that_takes_away_itself_alone():
    asked = read("liq=5k..50k&age=6h&dex=orca,raydium&score=-0.5")
    chips = filter_words.chips(asked)
    texts = [chip.text for chip in chips]
    assert texts == ["liquidity ≥ $5k", "liquidity ≤ $50k", "age ≤ 6\u00a0h", "score ≥ −0.5", "on orca", "on raydium"]
    assert chips[0].rest == read("liq=..50k&age=6h&dex=orca,raydium&score=-0.5")
    assert chips[4].rest == read("liq=5k..50k&age=6h&dex=raydium&score=-0.5")
