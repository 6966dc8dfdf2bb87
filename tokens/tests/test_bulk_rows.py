import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tokens.bulk_rows import find_rows, insert_columns, insert_rows, update_rows
from tokens.models import Pool, StatusChange, Token, TokenSnapshot

pytestmark = pytest.mark.django_db

SNAPSHOT = ("token", "ts", "source", "price", "holders", "tx_count_5m", "birdeye_at", "contradictions")


@pytest.fixture
def token():
    return Token.objects.create(address="A" * 44)


def snapshot(token, ts, source="pools", price=None, holders=None, tx=None, birdeye_at=None, contradictions=""):
    return (token.pk, ts, source, price, holders, tx, birdeye_at, contradictions)


def test_every_kind_of_value_comes_back_as_it_went_in(token, now):
    odd = datetime(2031, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
    assert insert_rows(TokenSnapshot, SNAPSHOT, [snapshot(token, odd, "pools+birdeye", 1.5e-7, 2**40, 0, now, "dust_price")]) == 1
    row = TokenSnapshot.objects.get()
    assert (row.token_id, row.ts, row.source, row.price, row.holders) == (token.pk, odd, "pools+birdeye", 1.5e-7, 2**40)
    assert (row.tx_count_5m, row.birdeye_at, row.contradictions) == (0, now, "dust_price")


def test_none_is_null_and_zero_is_zero(token, now):
    later = now + timedelta(seconds=1)
    insert_rows(TokenSnapshot, SNAPSHOT, [snapshot(token, now), snapshot(token, later, price=0.0, holders=0, tx=0)])
    assert list(TokenSnapshot.objects.order_by("ts").values_list("price", "holders", "tx_count_5m")) == [(None, None, None), (0.0, 0, 0)]


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_unknown(token, now, poison):
    later = now + timedelta(seconds=1)
    insert_rows(TokenSnapshot, SNAPSHOT, [snapshot(token, now, price=poison), snapshot(token, later, price=2.0)])
    assert list(TokenSnapshot.objects.order_by("ts").values_list("price", flat=True)) == [None, 2.0]
    update_rows(Token, "id", ["last_score_value"], [(token.pk, poison)])
    token.refresh_from_db()
    assert token.last_score_value is None


def test_the_same_rows_again_are_passed_over_and_counted_as_none(token, now):
    rows = [snapshot(token, now + timedelta(seconds=n), price=1.0) for n in range(5)]
    assert insert_rows(TokenSnapshot, SNAPSHOT, rows) == 5
    assert insert_rows(TokenSnapshot, SNAPSHOT, rows) == 0
    assert insert_rows(TokenSnapshot, SNAPSHOT, [*rows, snapshot(token, now - timedelta(days=1))]) == 1
    assert TokenSnapshot.objects.count() == 6


def test_a_row_that_stands_twice_in_one_call_is_stored_once(token, now):
    assert insert_rows(TokenSnapshot, SNAPSHOT, [snapshot(token, now, price=1.0), snapshot(token, now, price=2.0)]) == 1


def test_what_a_check_refuses_leaves_nothing_behind(token, now):
    rows = [snapshot(token, now, price=1.0), snapshot(token, now + timedelta(seconds=1), price=-1.0)]
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows(TokenSnapshot, SNAPSHOT, rows)
    assert not TokenSnapshot.objects.exists()


def test_a_null_where_none_may_be_is_refused_not_ignored(token, now):
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows(TokenSnapshot, SNAPSHOT, [(token.pk, None, "pools", 1.0, None, None, None, "")])


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's integers have no width of their own")
def test_a_count_too_large_for_its_column_is_a_data_error(token, now):
    with pytest.raises(DataError), transaction.atomic():
        insert_rows(TokenSnapshot, SNAPSHOT, [snapshot(token, now, tx=2**40)])


def test_json_text_and_texts_of_any_length_and_alphabet(token, now):
    fields = ("token", "old", "new", "reason", "evidence", "actor", "ts")
    words = ["ё" * 400, "", "a\tb\n\\N,\"'"]
    rows = [(token.pk, "", "Initial", reason, json.dumps({"n": [1, None, reason]}), "listener", now) for reason in words]
    assert insert_rows(StatusChange, fields, rows) == 3
    assert list(StatusChange.objects.order_by("pk").values_list("reason", "evidence")) == [(w, {"n": [1, None, w]}) for w in words]


def test_more_rows_than_a_block_of_the_stream_holds(now):
    fields = ("address", "chain", "status", "symbol", "name", "migrated_signature", "first_pool_label", "created_at", "status_changed_at")
    rest = ("next_poll_at", "held", "poll_failures", "units_spent", "observed_sec", "low_checks")
    rows = [(f"T{n:043}", "solana", "Initial", f"S{n}", "", "", "", now, now, now, n % 2 == 0, 0, 0, 0.0, 0) for n in range(4_100)]
    assert insert_rows(Token, fields + rest, rows) == 4_100
    assert Token.objects.filter(held=True).count() == 2_050
    assert Token.objects.get(address=f"T{4_099:043}").symbol == "S4099"


def test_no_rows_is_no_statement(now):
    with CaptureQueriesContext(
        connection,
    ) as statements:
        assert insert_rows(TokenSnapshot, SNAPSHOT, []) == 0
        assert update_rows(Token, "id", ["held"], []) == 0
    assert len(statements) == 0


def test_update_sets_what_it_was_given_and_leaves_the_others(token, now):
    other = Token.objects.create(address="B" * 44, symbol="B")
    rows = [(token.pk, "WIF", now, None, True, 7), (10**9, "NONE", now, 1.0, True, 1)]
    assert update_rows(Token, "id", ["symbol", "last_snapshot_at", "last_score_value", "held", "units_spent"], rows) == 1
    token.refresh_from_db()
    other.refresh_from_db()
    assert (token.symbol, token.last_snapshot_at, token.last_score_value, token.held, token.units_spent) == ("WIF", now, None, True, 7)
    assert (other.symbol, other.held) == ("B", False)


def test_update_finds_rows_by_a_text_key(token, now):
    Pool.objects.create(token=token, pool_address="P" * 44, dex_name="pumpswap", last_seen=now - timedelta(days=1))
    assert update_rows(Pool, "pool_address", ["last_seen"], [("P" * 44, now)]) == 1
    assert Pool.objects.get().last_seen == now


def test_what_is_older_never_overwrites_what_is_newer(token, now):
    late = Token.objects.create(address="B" * 44, last_snapshot_at=now + timedelta(seconds=5), symbol="kept")
    rows = [(token.pk, "set", now), (late.pk, "lost", now)]
    assert update_rows(Token, "id", ["symbol", "last_snapshot_at"], rows, newer="last_snapshot_at") == 1
    assert update_rows(Token, "id", ["symbol", "last_snapshot_at"], rows, newer="last_snapshot_at") == 0
    assert list(Token.objects.order_by("pk").values_list("symbol", flat=True)) == ["set", "kept"]


def test_the_statements_are_counted_and_do_not_grow_with_the_rows(token, now):
    def statements(rows):
        with CaptureQueriesContext(connection) as captured:
            insert_rows(TokenSnapshot, SNAPSHOT, rows)
            update_rows(Token, "id", ["symbol"], [(token.pk, "X")] * len(rows))
        return len(captured)

    few = statements([snapshot(token, now + timedelta(seconds=n)) for n in range(3)])
    many = statements([snapshot(token, now + timedelta(hours=1, seconds=n)) for n in range(300)])
    assert few == many
    assert 2 <= few <= 8


def test_rows_of_another_width_than_the_fields_are_refused(token, now):
    with pytest.raises(ValueError, match="2 values for 1 fields"):
        insert_rows(Token, ["address"], [("a", "b")])


def test_columns_may_be_arrays_in_which_nan_is_unknown(token, now):
    moments = [now, now + timedelta(seconds=1)]
    columns = [[token.pk] * 2, moments, ["pools"] * 2, np.array([np.nan, 2.5]), np.array([3e9, np.nan]), np.array([np.nan, 7.0])]
    assert insert_columns(TokenSnapshot, [*SNAPSHOT[:6], "contradictions"], [*columns, [""] * 2]) == 2
    assert list(TokenSnapshot.objects.order_by("ts").values_list("price", "holders", "tx_count_5m")) == [
        (None, 3 * 10**9, None),
        (2.5, None, 7),
    ]


def test_rows_are_found_by_any_number_of_keys_in_one_statement(now):
    names = [f"T{n:043}" for n in range(1_500)]
    Token.objects.bulk_create([Token(address=name, last_snapshot_at=now if n == 3 else None, held=n == 3) for n, name in enumerate(names)])
    with CaptureQueriesContext(connection) as statements:
        found = find_rows(Token, "address", ["address", "last_snapshot_at", "held"], [*names[3:], "absent"])
    assert len(statements) == 1
    assert len(found) == 1_497
    assert (names[3], now, True) in found
    assert (names[4], None, False) in found


def test_rows_are_found_by_number(token):
    assert find_rows(Token, "id", ["address"], [token.pk, token.pk + 1]) == [(token.address,)]
    assert find_rows(Token, "id", ["address"], [token.pk + 1]) == []
    assert find_rows(Token, "id", ["address"], []) == []


def test_a_field_that_is_added_grows(token, now):
    for _ in range(2):
        assert update_rows(Token, "id", ["symbol", "units_spent"], [(token.pk, "S", 25)], added=["units_spent"]) == 1
    token.refresh_from_db()
    assert (token.symbol, token.units_spent) == ("S", 50)
