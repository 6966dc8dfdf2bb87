from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError

from ingestion import ledger
from ingestion.ledger import Counts, Ledger, Standing
from ingestion.models import ApiUsage, ServiceState

pytestmark = pytest.mark.django_db


def test_counts_add_up_over_flushes_and_processes(now: datetime) -> None:
    for book in (Ledger(), Ledger()):
        book.count("birdeye", "token_overview", Counts(calls=1, units=25, latency_ms_sum=30, latency_ms_max=30))
        book.count("birdeye", "token_overview", Counts(calls=1, units=25, latency_ms_sum=10, latency_ms_max=10))
        book.flush(now)
        book.flush(now)
    row = ApiUsage.objects.get()
    assert (row.calls, row.units, row.latency_ms_sum, row.latency_ms_max) == (4, 100, 80.0, 30.0)


def test_a_flush_is_one_statement_for_all_endpoints(now: datetime, django_assert_num_queries) -> None:
    book = Ledger()
    for number in range(10):
        book.count("dexscreener", f"e{number}", Counts(calls=1))
    with django_assert_num_queries(1):
        book.flush(now)
    with django_assert_num_queries(0):
        book.flush(now)


def test_another_day_is_another_row(now: datetime) -> None:
    book = Ledger()
    for day in (now, now + timedelta(days=1)):
        book.count("birdeye", "x", Counts(calls=1))
        book.flush(day)
    assert ApiUsage.objects.count() == 2


def test_nothing_is_lost_while_the_database_is_away(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Ledger()
    book.count("birdeye", "x", Counts(calls=1))
    book.set_state("birdeye", "", Standing("blocked", "why"))

    def broken(*args: object) -> None:
        raise DatabaseError("away")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "_upsert", broken)
        with pytest.raises(DatabaseError):
            book.flush(now)
    book.count("birdeye", "x", Counts(calls=1))
    book.flush(now)
    assert ApiUsage.objects.get().calls == 2
    assert ServiceState.objects.get().state == "blocked"


def test_a_state_keeps_its_beginning_until_it_changes(now: datetime) -> None:
    book = Ledger()
    for minute, (state, sentence) in enumerate([("blocked", "a"), ("blocked", "b"), ("ok", "")]):
        book.set_state("birdeye", "", Standing(state, sentence, now))
        book.flush(now + timedelta(minutes=minute))
        row = ServiceState.objects.get()
        assert (row.state, row.sentence) == (state, sentence)
        assert row.since == (now if state == "blocked" else now + timedelta(minutes=2))


def test_only_a_change_of_kind_is_news() -> None:
    book = Ledger()
    assert book.set_state("birdeye", "", Standing("blocked", "until 12:05"))
    assert not book.set_state("birdeye", "", Standing("blocked", "until 12:10"))
    assert book.set_state("birdeye", "", Standing("ok"))


def test_the_month_is_counted_from_the_database_and_what_is_not_written_yet(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Ledger()
    monkeypatch.setattr(ledger, "book", book)
    for day, units in ((now - timedelta(days=30), 1000), (now - timedelta(days=3), 100), (now, 10)):
        book.count("birdeye", "token_overview", Counts(units=units))
        book.flush(day)
    book.count("birdeye", "token_overview", Counts(units=1))
    assert ledger.units_spent("birdeye", now) == (111, 11)
    assert ledger.units_spent("dexscreener", now) == (0, 0)


def test_the_budget_of_the_month_is_the_setting_less_what_was_spent(now: datetime, settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BIRDEYE_MONTHLY_CU = 1000
    book = Ledger()
    monkeypatch.setattr(ledger, "book", book)
    book.count("birdeye", "token_overview", Counts(units=400))
    ledger.flush(now)
    assert ledger.birdeye_budget(now).left == 600


def test_a_state_that_an_earlier_process_left_can_be_read(now: datetime) -> None:
    book = Ledger()
    book.set_state("birdeye", "", Standing("key_wrong", "the key", now))
    book.flush(now)
    kept = ledger.stored_state("birdeye", "")
    assert kept is not None
    assert (kept.state, kept.until) == ("key_wrong", now)
    assert ledger.stored_state("birdeye", "batch") is None
