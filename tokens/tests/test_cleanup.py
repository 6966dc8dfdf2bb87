from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tokens import cleanup
from tokens.cleanup import delete_old_snapshots, kept_from
from tokens.models import Pool, PoolSnapshot, Token, TokenSnapshot

pytestmark = pytest.mark.django_db


def history(now, status="Active", hours=(100, 80, 60, 1), **fields):
    """A token with one pool and a row of each as many hours ago."""
    moments = [now - timedelta(hours=each) for each in hours]
    token = Token.objects.create(address=f"{Token.objects.count():044}", status=status, last_snapshot_at=max(moments), **fields)
    pool = Pool.objects.create(token=token, pool_address=f"P{token.pk:043}", dex_name="pumpswap")
    TokenSnapshot.objects.bulk_create([TokenSnapshot(token=token, ts=ts, source="pools") for ts in moments])
    PoolSnapshot.objects.bulk_create([PoolSnapshot(pool=pool, ts=ts) for ts in moments])
    return token


def hours_left(model, now):
    return sorted(round((now - ts) / timedelta(hours=1)) for ts in model.objects.values_list("ts", flat=True))


def test_rows_older_than_the_retention_go_and_the_others_stay(now):
    history(now)
    assert delete_old_snapshots(kept_from(now, 72)) == 4
    assert hours_left(TokenSnapshot, now) == hours_left(PoolSnapshot, now) == [1, 60]


def test_the_newest_row_of_a_living_token_stays_however_old_it_is(now):
    history(now, hours=(100, 90))
    history(now, "Initial", hours=(100, 91))
    history(now, "Archived", hours=(100, 92))
    delete_old_snapshots(kept_from(now, 72))
    assert hours_left(TokenSnapshot, now) == hours_left(PoolSnapshot, now) == [90, 91]


@pytest.mark.parametrize("retention", [0, -5, 1.99, 2])
def test_never_less_than_two_hours_are_kept(now, retention):
    assert kept_from(now, retention) == now - timedelta(hours=2)


def test_tokens_themselves_are_never_deleted(now):
    history(now, "Archived", hours=(1000,))
    delete_old_snapshots(now)
    assert (Token.objects.count(), Pool.objects.count(), TokenSnapshot.objects.count()) == (1, 1, 0)


def test_many_rows_go_in_batches_with_a_pause_between(now, monkeypatch):
    monkeypatch.setattr(cleanup, "ROWS_A_BATCH", 100)
    token = Token.objects.create(address="A" * 44)
    TokenSnapshot.objects.bulk_create(
        [TokenSnapshot(token=token, ts=now - timedelta(days=9, seconds=n), source="pools") for n in range(950)]
    )
    pauses = []
    assert delete_old_snapshots(now, lambda: pauses.append(1) or True) == 950
    assert len(pauses) == 10


def test_a_cleanup_that_is_told_to_stop_stops_after_its_batch(now, monkeypatch):
    monkeypatch.setattr(cleanup, "ROWS_A_BATCH", 100)
    token = Token.objects.create(address="A" * 44)
    TokenSnapshot.objects.bulk_create(
        [TokenSnapshot(token=token, ts=now - timedelta(days=9, seconds=n), source="pools") for n in range(250)]
    )
    assert delete_old_snapshots(now, lambda: False) == 100


def test_the_walk_ends_where_everything_is_young(now, monkeypatch):
    monkeypatch.setattr(cleanup, "ROWS_A_BATCH", 2)
    history(now, hours=(5, 4, 3, 2, 1))
    with CaptureQueriesContext(connection) as statements:
        assert delete_old_snapshots(kept_from(now, 72)) == 0
    assert len([statement for statement in statements if "pg_inherits" not in statement["sql"]]) == 2
