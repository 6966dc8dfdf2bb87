"""The same moment of the same token is stored once, wherever its row has come to lie meanwhile."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection

from ingestion.exchange_bars import SNAPSHOT, record_exchange
from ingestion.facts import PoolFacts
from ingestion.intake import record_snapshots
from ingestion.snapshot_rows import Answer, Freshness, LastRow
from tokens.models import Pool, PoolSnapshot, Token, TokenSnapshot

pytestmark = pytest.mark.django_db

FRESHNESS = Freshness(180, 1800)


def answers(now, names="AB"):
    """What was answered for these tokens, by one who knows of no row of theirs."""
    made = [Token.objects.get_or_create(address=name * 44, defaults={"status": "Active"})[0] for name in names]
    pools = [PoolFacts(token.address, f"pool {token.symbol}{token.pk}", "pumpswap", liquidity=1000.0) for token in made]
    return [Answer(token.pk, now + timedelta(seconds=30), pools=[pool]) for token, pool in zip(made, pools, strict=True)]


def keep_all():
    """All rows become kept ones, as if their days had been dropped."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for table in ("token_snapshots", "pool_snapshots"):
                cursor.execute(f"UPDATE {table} SET kept = true")


def rows():
    return TokenSnapshot.objects.count(), PoolSnapshot.objects.count(), Pool.objects.count()


def test_a_tick_that_is_stored_again_by_who_has_not_heard_of_it_adds_nothing_to_the_kept_rows(now):
    told = answers(now)
    assert record_snapshots(told, now, FRESHNESS).tokens == 2
    keep_all()
    assert record_snapshots(told, now, FRESHNESS).tokens == 0
    assert rows() == (2, 2, 2)


def test_those_that_nobody_else_has_stored_are_stored_all_the_same(now):
    record_snapshots(answers(now, "A"), now, FRESHNESS)
    keep_all()
    assert record_snapshots(answers(now, "AB"), now, FRESHNESS).tokens == 1
    assert rows() == (2, 2, 2)


def test_who_is_overtaken_by_a_later_moment_stores_nothing_before_it(now):
    earlier, later = answers(now), now + timedelta(seconds=1)
    record_snapshots(earlier, later, FRESHNESS)
    assert record_snapshots(earlier, now, FRESHNESS).tokens == 0
    assert {*TokenSnapshot.objects.values_list("ts", flat=True)} == {later}


def test_a_turn_is_not_put_back_by_who_was_overtaken(now):
    (told,) = answers(now, "A")
    record_snapshots([told], now + timedelta(seconds=1), FRESHNESS)
    old = replace(told, next_poll_at=now - timedelta(hours=1), last=LastRow(now - timedelta(minutes=1)))
    record_snapshots([old], now, FRESHNESS)
    assert Token.objects.get().next_poll_at == told.next_poll_at


def test_a_moment_of_an_exchange_symbol_is_stored_once_too(now):
    token = Token.objects.create(address="BTCUSDT", chain="binance", status="Active")
    known = {"token": token.pk, "ts": now, "source": "binance", "price": 1.0, "contradictions": ""}
    row, turn = tuple(known.get(name) for name in SNAPSHOT), {token.pk: now + timedelta(seconds=30)}
    assert record_exchange([row], turn, now) == 1
    keep_all()
    assert record_exchange([row], turn, now) == 0
    assert TokenSnapshot.objects.count() == 1


def test_a_moment_of_an_exchange_symbol_that_is_stored_while_another_looks_is_nobody_elses(now):
    """Who has seen that there is none finds it there when he comes to store his own: then nothing of his is stored, nor his turn."""
    token = Token.objects.create(address="BTCUSDT", chain="binance", status="Active", next_poll_at=now, last_snapshot_at=now)
    other = Token.objects.create(address="ETHUSDT", chain="binance", status="Active", next_poll_at=now)
    known = {"ts": now, "source": "binance", "price": 1.0, "contradictions": ""}
    told = [tuple({**known, "token": each.pk}.get(name) for name in SNAPSHOT) for each in (token, other)]
    later = now + timedelta(seconds=30)
    assert record_exchange(told, {token.pk: later, other.pk: later}, now) == 1
    assert {*TokenSnapshot.objects.values_list("token", flat=True)} == {other.pk}
    assert [Token.objects.get(pk=each.pk).next_poll_at for each in (token, other)] == [now, later]
