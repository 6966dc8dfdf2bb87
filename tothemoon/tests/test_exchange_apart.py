"""The exchange symbols of the watch-list are the stages' business: the public list, its counts and the ranking for bots are of tokens that
migrated."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from ingestion.models import WatchedSymbol
from scoring.alert_kinds import Circumstances
from scoring.alerting import evaluate
from scoring.duel_looks import unpack
from scoring.duels import follow, start
from scoring.history import History
from scoring.models import AlertDelivery, AlertRule, DuelLook, ScoringSettings, ShadowScore
from scoring.ranking import ranking
from scoring.run import score_due
from tokens import ready
from tokens.list_page import dexes
from tokens.models import Pool, StatusChange, Token
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


def test_it_is_not_in_what_the_console_replays(both):
    history = History()
    stretch = history.present(both)
    assert stretch.pks.tolist() == [Token.objects.get(symbol="COIN").pk]
    assert stretch.rows == 1
    assert history.present(both) is stretch  # a newest row that is none of the list's does not make it read again


def test_no_rule_and_no_sentinel_looks_at_it(both):
    AlertRule.objects.create(name="high", kind="score", level=0.5, cooldown_minutes=0)
    AlertRule.objects.create(name="moves", kind="status", new_status="Active")
    evaluate(both - timedelta(seconds=1), in_force(), Circumstances())
    AlertRule.objects.update(learned_at=both - timedelta(days=9))
    for symbol in ("BTCUSDT", "COIN"):
        token = Token.objects.get(symbol=symbol)
        Token.objects.filter(pk=token.pk).update(last_score_value=9.0)
        StatusChange.objects.create(token=token, old="Initial", new="Active", reason="x", actor="operator", ts=both)
    found = evaluate(both, in_force(), Circumstances())
    assert found["scores"]["tokens"] == 1
    assert set(AlertDelivery.objects.values_list("token__symbol", flat=True)) == {"COIN"}


def test_no_side_of_a_duel_picks_it(both):
    rival = ScoringSettings.objects.create(note="a rival", active=False)
    start([rival.pk], None, "who?")
    for seconds in (0, 60):
        for token in Token.objects.filter(last_snapshot_at__isnull=False):
            figures(token, both + timedelta(seconds=seconds + 1))
        follow(score_due(both + timedelta(seconds=seconds + 2), in_force()), in_force(), both + timedelta(seconds=seconds + 2))
    look = unpack(bytes(DuelLook.objects.latest("number").data))
    assert look.token.tolist() == [Token.objects.get(symbol="COIN").pk]
    assert set(ShadowScore.objects.values_list("token__symbol", flat=True)) == {"COIN"}


def test_its_exchange_is_no_choice_of_the_lists_filter(both):
    Pool.objects.filter(token__chain="binance").update(dex_name="binance")
    assert dexes() == ["pumpswap"]


def test_its_own_page_is_there(both, client):
    assert client.get(f"/tokens/{Token.objects.get(symbol='BTCUSDT').address}/").status_code == 200
