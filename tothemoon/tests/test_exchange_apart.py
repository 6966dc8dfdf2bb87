"""The exchange symbols of the watch-list are the stages' business: the public list, its counts and the ranking for bots are of tokens that
migrated."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from ingestion.models import WatchedSymbol
from scoring.ranking import ranking
from tokens import ready
from tokens.models import Token
from tothemoon.pulse import measure
from tothemoon.tests.page_rows import a_whole_token, figures, in_force, scored

pytestmark = pytest.mark.django_db


@pytest.fixture
def both():
    """A token that migrated, and a symbol of an exchange with a much better score."""
    cache.clear()
    ready.forget()
    now = timezone.now()
    a_whole_token(now, 1, symbol="COIN")
    symbol = a_whole_token(now, 2, symbol="BTCUSDT", chain="binance", score=9.0)
    WatchedSymbol.objects.create(symbol="BTCUSDT", token=symbol)
    initial = a_whole_token(now, 3, "Initial", symbol="NEARUSDT", chain="binance")
    figures(initial, now, liquidity=1e9)
    scored(initial, now, 5.0)
    return now


@pytest.mark.parametrize("path", ["/", "/?q=BTC", "/?status=Initial", "/tokens.csv"])
def test_it_is_not_among_the_tokens(both, client, path):
    answer = client.get(path)
    said = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert answer.status_code == 200
    assert b">BTCUSDT<" not in said
    assert b'"BTCUSDT"' not in said
    assert b",BTCUSDT," not in said
    assert b"NEARUSDT" not in said


def test_a_program_gets_it_only_when_it_asks_for_its_chain(both, client):
    def symbols(query):
        return [token["symbol"] for token in client.get(f"/api/tokens/{query}").json()["tokens"]]

    assert symbols("") == ["COIN"]
    assert symbols("?chain=binance") == ["BTCUSDT", "NEARUSDT"]
    assert client.get("/api/tokens/?chain=ethereum").status_code == 422


def test_it_is_in_no_counter(both):
    Token.objects.filter(symbol="NEARUSDT").delete()  # never on the watch-list: cannot be
    assert measure(both).counts == {"Active": 1, "Initial": 0, "Archived": 0}
    assert Token.objects.counts_per_status() == {"Initial": 0, "Active": 1, "Archived": 0}


def test_it_is_neither_ranked_nor_near_activation(both):
    assert [token.symbol for token, _ in ranking(in_force(), both).tokens] == ["COIN"]
    assert [token.symbol for token in Token.objects.ranked(both - timedelta(minutes=3))] == ["COIN"]
    assert not Token.objects.near_activation()


def test_its_own_page_is_there(both, client):
    assert client.get(f"/tokens/{Token.objects.get(symbol='BTCUSDT').address}/").status_code == 200
