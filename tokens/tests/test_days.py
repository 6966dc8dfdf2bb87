"""The days of the snapshots: made ready ahead, never in the way of a row, dropped whole, put in and taken out with rows in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, OperationalError, connection
from django.utils import timezone

from tokens import days
from tokens.bulk_rows import insert_rows
from tokens.cleanup import delete_old_snapshots
from tokens.into_days import IntoDays
from tokens.models import Pool, PoolSnapshot, Token, TokenSnapshot

pytestmark = pytest.mark.django_db
on_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no partitions")

TABLES = ("token_snapshots", "pool_snapshots")
NOON = datetime(2031, 5, 5, 12, tzinfo=UTC)  # no day of that time is there
DAY = timedelta(days=1)
NAMES = ("token_snapshots_pkey", "token_snapshots_token_ts", "token_snapshots_token_id_81fe9492_fk_tokens_id")


@pytest.fixture(autouse=True)
def _checked_at_once() -> None:
    """As after every transaction of the real ones: a partition neither comes nor goes while a row of it waits to be checked."""
    days.make_ready(timezone.now(), TABLES)
    if connection.vendor == "postgresql":
        ask("SET CONSTRAINTS ALL IMMEDIATE")


def ask(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


def token(status: str = "Active", **fields: Any) -> Token:
    return Token.objects.create(address=f"{Token.objects.count():044}", status=status, **fields)


def see(of: Token, *moments: datetime) -> None:
    for ts in moments:
        TokenSnapshot.objects.create(token=of, ts=ts, source="pools", price=1.0)


def parts(table: str = "token_snapshots") -> dict[str, int]:
    """Which partition has how many rows, by the end of its name."""
    found = ask(f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1")
    return {name.removeprefix(f"{table}_"): rows for name, rows in found}


@contextmanager
def other_session() -> Iterator[psycopg.Connection[Any]]:
    """A transaction of somebody else on the same database, undone at the end."""
    connection.ensure_connection()
    with psycopg.connect(connection.connection.info.dsn) as other:
        yield other
        other.rollback()


def back_and_forth(table: str, back: bool) -> None:
    with connection.schema_editor(atomic=False) as editor:
        way = IntoDays(table).database_backwards if back else IntoDays(table).database_forwards
        way("tokens", editor, None, None)


def test_where_there_are_no_days_nothing_is_made_and_every_row_goes_by_itself() -> None:
    assert days.days_of("tokens") == []
    assert days.make_ready(NOON, ["tokens"]) == 0
    assert days.expire(Token, NOON, []) == (0, NOON)
    if connection.vendor == "sqlite":
        assert days.make_ready(NOON, TABLES) == 0
        see(token("Archived"), NOON - 9 * DAY, NOON)
        assert delete_old_snapshots(NOON) == 1


@on_postgres
class TestMadeReady:
    def test_today_and_the_next_days_are_there_from_the_migration_on(self) -> None:
        today = timezone.now().date()
        for table in TABLES:
            assert {today, today + DAY, today + 2 * DAY} <= {*days.days_of(table)}

    def test_missing_days_are_made_once(self) -> None:
        assert days.make_ready(NOON, TABLES) == 8
        assert days.make_ready(NOON, TABLES) == 0
        see(token(), NOON, NOON + 3 * DAY)
        assert parts() == {"2031_05_05": 1, "2031_05_08": 1}

    def test_a_row_of_a_day_without_a_partition_is_stored_and_found(self) -> None:
        of = token()
        see(of, NOON, datetime(1999, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
        assert parts() == {"default": 3}
        assert [row.ts.year for row in of.snapshots.order_by("ts")] == [1999, 2031, 9000]

    def test_a_day_that_has_rows_in_the_default_partition_stays_there(self) -> None:
        see(token(), NOON)
        assert days.make_ready(NOON, TABLES) == 7
        see(token(), NOON, NOON + DAY)
        assert parts() == {"default": 2, "2031_05_06": 1}

    def test_while_others_hold_the_table_for_long_no_day_is_made_and_none_has_to_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tokens.parts.ATTEMPTS", 2)
        monkeypatch.setattr("tokens.parts.LOCK_WAIT", "10ms")
        with other_session() as other:
            other.execute("SELECT count(*) FROM token_snapshots")
            assert days.make_ready(NOON, ["token_snapshots"]) == 0
            with pytest.raises(OperationalError, match="try again"):
                back_and_forth("token_snapshots", back=True)
        assert days.make_ready(NOON, ["token_snapshots"]) == 4


@on_postgres
class TestRows:
    def test_a_fact_that_is_there_is_passed_over_and_the_others_are_stored(self) -> None:
        days.make_ready(NOON, TABLES)
        of = token()
        rows = [(of.pk, NOON + n * DAY / 2, "pools", "") for n in range(3)]
        assert insert_rows(TokenSnapshot, ["token", "ts", "source", "contradictions"], rows[:2]) == 2
        assert insert_rows(TokenSnapshot, ["token", "ts", "source", "contradictions"], rows) == 1

    def test_the_same_moment_of_the_same_token_is_refused(self) -> None:
        days.make_ready(NOON, TABLES)
        of = token()
        see(of, NOON)
        with pytest.raises(IntegrityError):
            see(of, NOON)

    def test_a_row_of_a_token_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(IntegrityError):
            TokenSnapshot.objects.create(token_id=2**40, ts=NOON, source="pools")

    def test_a_moment_is_looked_for_in_its_own_day_and_among_the_kept(self) -> None:
        days.make_ready(NOON, TABLES)
        plan = TokenSnapshot.objects.filter(token_id=1, ts=NOON).explain()
        assert "token_snapshots_2031_05_05" in plan
        assert "token_snapshots_kept" in plan
        assert "token_snapshots_2031_05_06" not in plan
        assert "token_snapshots_default" not in plan


@on_postgres
class TestExpired:
    def test_a_day_is_dropped_whole_when_all_of_it_is_too_old(self) -> None:
        days.make_ready(NOON - 3 * DAY, TABLES)
        gone = token("Archived")
        see(gone, NOON - 3 * DAY, NOON - 2 * DAY, NOON - DAY)
        assert delete_old_snapshots(NOON - DAY) == 2
        assert parts() == {"2031_05_04": 1}
        assert NOON.date() - 2 * DAY not in days.days_of("token_snapshots")

    def test_of_a_day_that_is_too_old_in_part_no_row_goes(self) -> None:
        days.make_ready(NOON, TABLES)
        see(token("Archived"), NOON - NOON.hour * timedelta(hours=1))
        assert delete_old_snapshots(NOON + timedelta(hours=11, minutes=59)) == 0
        assert delete_old_snapshots(NOON + timedelta(hours=12)) == 1

    def test_the_newest_row_of_a_living_token_outlives_its_day(self) -> None:
        days.make_ready(NOON, TABLES)
        alive, dead = token(last_snapshot_at=NOON), token("Archived", last_snapshot_at=NOON)
        for of in (alive, dead):
            see(of, NOON, NOON - timedelta(hours=1))
            pool = Pool.objects.create(token=of, pool_address=f"P{of.pk}", dex_name="pumpswap")
            PoolSnapshot.objects.create(pool=pool, ts=NOON)
        assert delete_old_snapshots(NOON + 9 * DAY) == 4
        assert parts() == parts("pool_snapshots") == {"kept": 1}
        assert TokenSnapshot.objects.get().token == alive

    def test_what_was_kept_goes_by_itself_when_nothing_stands_on_it_any_more(self) -> None:
        days.make_ready(NOON, TABLES)
        alive = token(last_snapshot_at=NOON)
        see(alive, NOON)
        delete_old_snapshots(NOON + 9 * DAY)
        Token.objects.update(status="Archived")
        assert delete_old_snapshots(NOON + 9 * DAY) == 1
        assert not TokenSnapshot.objects.exists()

    def test_a_row_beside_a_kept_one_of_the_same_moment_goes_with_its_day(self) -> None:
        """Nothing here writes one; somebody's own SQL may, and it must not stop the cleanup."""
        days.make_ready(NOON, TABLES)
        alive = token(last_snapshot_at=NOON)
        pool = Pool.objects.create(token=alive, pool_address="P", dex_name="pumpswap")
        for _ in range(2):
            see(alive, NOON)
            PoolSnapshot.objects.create(pool=pool, ts=NOON)
            ask("UPDATE token_snapshots SET kept = true WHERE id = (SELECT min(id) FROM token_snapshots)")
            ask("UPDATE pool_snapshots SET kept = true WHERE id = (SELECT min(id) FROM pool_snapshots)")
        assert delete_old_snapshots(NOON + 9 * DAY) == 2
        assert parts() == parts("pool_snapshots") == {"kept": 1}

    def test_rows_of_days_without_a_partition_go_one_by_one(self) -> None:
        see(token("Archived"), NOON, NOON + DAY)
        assert delete_old_snapshots(NOON + timedelta(hours=1)) == 1
        assert TokenSnapshot.objects.get().ts == NOON + DAY

    def test_a_day_that_somebody_reads_is_dropped_another_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tokens.parts.ATTEMPTS", 1)
        monkeypatch.setattr("tokens.parts.LOCK_WAIT", "10ms")
        now = timezone.now()
        with other_session() as other:
            other.execute("SELECT count(*) FROM token_snapshots")
            see(token("Archived"), now)
            assert delete_old_snapshots(now + DAY) == 0
        assert delete_old_snapshots(now + DAY) == 1

    def test_between_two_days_it_stops_when_told_to(self) -> None:
        days.make_ready(NOON, TABLES)
        see(token("Archived"), NOON, NOON + DAY)
        go_on = iter([True] * len([day for day in days.days_of("token_snapshots") if day <= NOON.date()]))
        assert days.expire(TokenSnapshot, NOON + 5 * DAY, [], lambda: next(go_on, False)) == (1, NOON.replace(day=6, hour=0))


@on_postgres
def test_the_planner_is_told_of_all_days_together() -> None:
    days.make_ready(NOON, TABLES)
    see(token(), NOON, NOON + DAY)
    days.look_over([*TABLES, "tokens"])
    known = "SELECT DISTINCT tablename FROM pg_stats WHERE tablename IN ('token_snapshots', 'tokens') AND inherited"
    assert ask(known) == [("token_snapshots",)]


@on_postgres
class TestThereAndBack:
    def test_back_every_row_is_in_one_table_again_and_the_next_key_is_the_next(self) -> None:
        days.make_ready(NOON, TABLES)
        of = token()
        see(of, NOON, NOON + DAY, NOON + 99 * DAY)
        before = [*TokenSnapshot.objects.order_by("pk").values()]
        back_and_forth("token_snapshots", back=True)
        assert days.days_of("token_snapshots") == []
        assert [*TokenSnapshot.objects.order_by("pk").values()] == before
        assert TokenSnapshot.objects.create(token=of, ts=NOON + 2 * DAY, source="pools").pk == before[-1]["id"] + 1

    def test_forth_rows_stay_where_they_are_and_new_ones_go_into_their_days(self) -> None:
        of, now = token(), timezone.now()
        back_and_forth("token_snapshots", back=True)
        see(of, now, now - 9 * DAY)
        back_and_forth("token_snapshots", back=False)
        see(of, now + timedelta(microseconds=1))
        assert parts() == {"kept": 2, f"{now:%Y_%m_%d}": 1}
        pks = [*TokenSnapshot.objects.order_by("pk").values_list("pk", flat=True)]
        assert pks == [pks[0], pks[0] + 1, pks[0] + 2]

    def test_forth_may_be_done_again_after_it_was_broken_off(self) -> None:
        back_and_forth("token_snapshots", back=True)
        ask("ALTER TABLE token_snapshots ADD COLUMN kept boolean NOT NULL DEFAULT true")
        ask("ALTER TABLE token_snapshots ADD CONSTRAINT token_snapshots_all_kept CHECK (kept) NOT VALID")
        for _ in range(2):
            back_and_forth("token_snapshots", back=False)
        see(token(), timezone.now())
        assert "kept" not in parts()

    def test_back_the_table_is_what_it_was_before_to_the_names(self) -> None:
        back_and_forth("token_snapshots", back=True)
        with connection.cursor() as cursor:
            names = connection.introspection.get_constraints(cursor, "token_snapshots")
            columns = connection.introspection.get_table_description(cursor, "token_snapshots")
        assert {*NAMES} <= {*names}
        assert not [name for name in names if "kept" in name]
        assert {column.name for column in columns} == {field.column for field in TokenSnapshot._meta.concrete_fields}
        assert ask("SELECT pg_get_serial_sequence('token_snapshots', 'id')") == [("public.token_snapshots_id_seq",)]
