from datetime import timedelta

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

from ingestion import intake
from ingestion.facts import Migration
from ingestion.intake import Frame, Recorded, close_gap, open_gap, quarantine, record_migrations
from ingestion.models import ListeningGap, QuarantinedFrame
from ingestion.tests.mints import migration, mint
from tokens.models import Status, StatusChange, Token

pytestmark = pytest.mark.django_db


def test_a_new_mint_becomes_a_token_with_the_first_row_of_its_history(now):
    assert record_migrations([migration(1)], now) == Recorded(new=1)
    token = Token.objects.get()
    assert (token.address, token.status, token.created_at, token.first_pool_label) == (mint(1), Status.INITIAL, now, "pump-amm")
    change = token.status_changes.get()
    assert (change.old, change.new, change.actor, change.ts) == ("", "Initial", "listener", now)
    assert change.evidence == {"pool": "pump-amm", "signature": migration(1).signature}


def test_a_known_mint_changes_nothing(now):
    record_migrations([migration(1)], now)
    Token.objects.update(status=Status.ARCHIVED)
    assert record_migrations([migration(1)], now + timedelta(hours=1)) == Recorded(known=1)
    token = Token.objects.get()
    assert (token.status, token.created_at, token.status_changes.count()) == (Status.ARCHIVED, now, 1)


def test_one_event_a_thousand_times_is_one_token(now):
    assert record_migrations([migration(1)] * 1000, now) == Recorded(new=1, known=999)
    assert StatusChange.objects.count() == 1


def test_the_first_event_of_a_mint_wins_and_the_other_signature_is_counted(now):
    other = Migration(mint(1), migration(2).signature, "raydium")
    assert record_migrations([migration(1), other], now) == Recorded(new=1, known=1, conflicting=1)
    assert Token.objects.get().migrated_signature == migration(1).signature


def test_each_event_keeps_the_time_at_which_it_came(now):
    record_migrations([migration(1), migration(2)], now, [now - timedelta(minutes=5), now])
    assert [token.created_at for token in Token.objects.order_by("created_at")] == [now - timedelta(minutes=5), now]


def test_a_row_the_database_refuses_costs_nobody_else_anything(now, monkeypatch):
    poison = migration(3)
    honest = intake._record

    def refuse_three(migrations, times):
        if poison in migrations:
            raise DataError("value too long")
        return honest(migrations, times)

    monkeypatch.setattr(intake, "_record", refuse_three)
    assert record_migrations([migration(n) for n in range(8)], now) == Recorded(new=7, refused=(poison,))
    assert Token.objects.count() == StatusChange.objects.count() == 7


def test_a_value_that_only_one_database_takes_is_lost_alone(now):
    nul = Migration(mint(2), "\x00", "pump-amm")
    recorded = record_migrations([migration(1), nul, migration(3)], now)
    assert recorded.new + len(recorded.refused) == 3
    assert Token.objects.count() >= 2


def test_a_token_whose_history_was_never_written_gets_it(now):
    Token.objects.create(address=mint(1))
    record_migrations([migration(1)], now)
    assert StatusChange.objects.get().token.address == mint(1)


def test_the_number_of_statements_does_not_grow_with_the_batch(now):
    counts = []
    for batch in ([migration(n) for n in range(10)], [migration(n) for n in range(100, 300)]):
        with CaptureQueriesContext(connection) as statements:
            record_migrations(batch, now)
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 12  # three of work, the rest are savepoints


def test_nothing_heard_is_nothing_written(now):
    assert record_migrations([], now) == Recorded()


def test_a_frame_that_cannot_be_read_is_kept_with_its_first_two_kilobytes(now):
    quarantine([Frame(b'{"a":' + b"x" * 10_000, "not JSON", now)])
    row = QuarantinedFrame.objects.get()
    assert (row.reason, row.size, len(row.payload), row.ts) == ("not JSON", 10_005, 2_048, now)


def test_nothing_in_a_kept_frame_can_trouble_a_database_or_a_terminal(now):
    quarantine([Frame(b"a\x00b\x1b[31m\xff\xed\xa0\x80\n\xe2\x80\xae", "not UTF-8", now)])
    payload = QuarantinedFrame.objects.get().payload
    assert payload.isprintable()
    assert payload == "a\\x00b\\x1b[31m\\xff\\xed\\xa0\\x80\\n\\u202e"


def test_only_the_newest_thousand_are_kept(now):
    quarantine([Frame(b"old", f"{n}", now) for n in range(1500)])
    quarantine([Frame(b"new", "newest", now)])
    kept = QuarantinedFrame.objects.order_by("pk")
    assert len(kept) == 1000
    assert (kept[0].reason, kept[999].reason) == ("501", "newest")


def test_a_gap_is_opened_once_and_closed_once(now):
    open_gap(now, "closed by the server")
    open_gap(now + timedelta(seconds=9), "connection refused")
    assert close_gap(now + timedelta(seconds=30)) == timedelta(seconds=30)
    assert close_gap(now + timedelta(seconds=31)) is None
    gap = ListeningGap.objects.get()
    assert (gap.from_ts, gap.to_ts, gap.why) == (now, now + timedelta(seconds=30), "closed by the server; now: connection refused")


def test_no_second_is_counted_as_unheard_twice(now):
    open_gap(now, "closed by the server")
    close_gap(now + timedelta(seconds=30))
    open_gap(now + timedelta(seconds=20), "no message for 90 s")
    assert ListeningGap.objects.get(to_ts=None).from_ts == now + timedelta(seconds=30)


def test_a_gap_never_ends_before_it_began(now):
    open_gap(now, "the clock was set back")
    assert close_gap(now - timedelta(hours=1)) == timedelta(0)
