"""What goes when it is old, and what stays because evidence stands on it."""

from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from learning import keys, partitions, retention
from learning.models import FeatureVector, Outcome, Prediction, Signal
from learning.retention import delete_old, needed_from, scores_kept, snapshots_kept
from learning.tests.evidence_rows import make_chain, make_score, make_signal, make_token, make_vector, see
from scoring.models import TokenScore
from tokens import days
from tokens.cleanup import delete_old_rows, delete_old_snapshots
from tokens.into_days import IntoDays
from tokens.models import TokenSnapshot

EVERYTHING: tuple[Any, ...] = (Outcome, Signal, Prediction, FeatureVector)
on_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no partitions")


def left() -> list[int]:
    return [model.objects.count() for model in EVERYTHING]


@pytest.mark.django_db
class TestOnBothDatabases:
    def test_what_is_beyond_the_retention_goes_with_all_that_points_to_it(self, now: datetime) -> None:
        old = make_chain(now - timedelta(days=400), sources=("score", "model"), settled=(15, 60))
        make_chain(now, old.token, old.prediction.model, settled=(15,))
        assert delete_old(now, 90) == 10
        assert left() == [2, 1, 1, 1]

    def test_what_an_outcome_may_still_need_is_never_deleted(self, now: datetime) -> None:
        make_chain(now - timedelta(hours=35))
        assert delete_old(now, 0) == 0

    def test_batches_are_bounded_and_stop_when_told_to(self, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "ROWS_A_BATCH", 2)
        for name in "ABCDE":
            make_chain(now - timedelta(days=400), make_token(now, name))
        assert delete_old(now, 90, lambda: False) == 2
        assert delete_old(now, 90) == 8

    def test_a_score_that_a_signal_points_to_stays_and_its_snapshot_with_it(self, now: datetime) -> None:
        chain = make_chain(now - timedelta(days=30))
        see(chain.token, now - timedelta(days=30), minutes=3)
        make_score(chain.token, now - timedelta(days=30, minutes=1))
        assert delete_old_rows(TokenScore, now, newest="last_scored_at", but_for=scores_kept()) == 1
        delete_old_snapshots(now, but_for=[*snapshots_kept()])
        assert set(TokenSnapshot.objects.values_list("ts", flat=True)) == {now - timedelta(days=30)}

    def test_a_score_that_evidence_stands_on_cannot_be_deleted_behind_its_back(self, now: datetime) -> None:
        make_chain(now)
        with pytest.raises(IntegrityError):
            lose_every_score()

    def test_snapshots_and_bars_are_needed_until_the_longest_horizon_is_settled(self, now: datetime) -> None:
        assert needed_from(now) is None
        make_chain(now - timedelta(hours=11))
        since = needed_from(now)
        assert since is not None
        assert since <= now - timedelta(hours=11)

    def test_evidence_of_long_ago_needs_nothing_any_more(self, now: datetime) -> None:
        make_chain(now - timedelta(days=5))
        assert needed_from(now) is None


def test_months_go_over_the_end_of_a_year() -> None:
    assert partitions.months_from(date(2026, 11, 21), 2) == [date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1)]


@on_postgres
@pytest.mark.django_db(transaction=True)
class TestPartitions:
    """In transactions of their own: dropping a partition is not done while something waits to be checked."""

    @pytest.fixture(autouse=True)
    def _as_it_was(self) -> Any:
        partitions.make_ready(timezone.now())
        there = partitions.months_of("signals")
        yield
        for model in EVERYTHING:
            model.objects.all().delete()
        for month in {month for table in partitions.TABLES for month in partitions.months_of(table)} - {*there}:
            partitions.drop_month(partitions.TABLES, month)
        partitions.make_ready(timezone.now())

    def test_this_month_and_the_next_ones_are_there_from_the_first_migration(self) -> None:
        for table in partitions.TABLES:
            assert len(partitions.months_of(table)) >= 3

    def test_a_row_of_a_month_without_a_partition_is_kept_and_found(self, now: datetime) -> None:
        chain = make_chain(datetime(2031, 5, 5, tzinfo=now.tzinfo))
        assert rows("signals_default") == 1
        assert Signal.objects.get() == chain.signals["score"]

    def test_missing_months_are_made_ready_once(self, now: datetime) -> None:
        later = datetime(2031, 5, 5, tzinfo=now.tzinfo)
        assert partitions.make_ready(later) == 12
        assert partitions.make_ready(later) == 0
        make_chain(later)
        assert (rows("signals_2031_05"), rows("signals_default")) == (1, 0)

    def test_a_month_that_has_rows_in_the_default_partition_stays_there(self, now: datetime) -> None:
        later = datetime(2031, 5, 5, tzinfo=now.tzinfo)
        make_chain(later)
        assert partitions.make_ready(later) == 10
        assert Signal.objects.count() == 1

    def test_an_old_month_is_dropped_whole_in_the_order_of_what_points_to_what(self, now: datetime) -> None:
        old, young = datetime(2031, 2, 28, 23, 45, tzinfo=now.tzinfo), datetime(2031, 3, 1, tzinfo=now.tzinfo)
        partitions.make_ready(old)
        first = make_chain(old, sources=("score", "model"), settled=(15, 60))
        make_chain(young, first.token, first.prediction.model, settled=(15,))
        assert delete_old(datetime(2031, 5, 31, tzinfo=now.tzinfo), 90) == 10
        assert left() == [2, 1, 1, 1]
        assert date(2031, 2, 1) not in partitions.months_of("signals")

    def test_a_month_that_something_points_into_is_not_dropped(self, now: datetime) -> None:
        old = datetime(2031, 2, 10, tzinfo=now.tzinfo)
        partitions.make_ready(old)
        make_chain(old)
        with pytest.raises(IntegrityError):
            partitions.drop_month(["feature_vectors"], date(2031, 2, 1))
        assert FeatureVector.objects.count() == 1

    def test_while_others_hold_a_table_for_long_its_months_stay_as_they_are(self, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tokens.parts.ATTEMPTS", 1)
        monkeypatch.setattr("tokens.parts.LOCK_WAIT", "10ms")
        old, later = datetime(2031, 2, 10, tzinfo=now.tzinfo), datetime(2031, 5, 31, tzinfo=now.tzinfo)
        partitions.make_ready(old)
        make_chain(old)
        with psycopg.connect(connection.connection.info.dsn) as other:
            other.execute("SELECT count(*) FROM signals")
            assert (delete_old(later, 90), partitions.make_ready(later, ["signals"])) == (0, 0)
            assert Signal.objects.count() == 1
            other.rollback()
        assert (delete_old(later, 90), partitions.make_ready(later, ["signals"])) == (2, 3)

    def test_foreign_keys_are_held_by_the_database_in_every_partition(self, now: datetime) -> None:
        chain = make_chain(now)
        missing = keys.key(int(now.timestamp()), chain.token.pk + 1, 0)
        with pytest.raises(IntegrityError):
            Signal.objects.filter(pk=chain.signals["score"].pk).update(vector_id=missing)

    def test_a_vector_takes_at_most_1_2_kilobytes_with_all_its_overhead(self, now: datetime) -> None:
        """The widest there are: nothing is known, and every slot has its reason."""
        token, missing, number = make_token(now), dict.fromkeys(range(240), 14), 1_000
        for second in range(number):
            make_vector(token, now + timedelta(seconds=second), missing=missing)
        with connection.cursor() as cursor:
            cursor.execute("SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree('feature_vectors')")
            size = int(cursor.fetchone()[0])
        assert 960 < size / number <= 1_228


@on_postgres
@pytest.mark.django_db
class TestScoresInDays:
    """What a signal points to is out of its day's way from the moment of the signal on."""

    def test_the_score_of_a_signal_outlives_its_day_and_all_others_of_it_go(self, now: datetime) -> None:
        days.make_ready(now, ["token_scores"])
        chain = make_chain(now)
        make_score(chain.token, now - timedelta(minutes=1))
        assert (rows("token_scores_kept"), rows("token_scores_flow")) == (1, 1)
        connection.check_constraints()
        assert delete_old_rows(TokenScore, now + timedelta(days=9), newest="last_scored_at", but_for=scores_kept()) == 1
        assert Signal.objects.get().token_score == chain.score

    def test_the_snapshot_that_such_a_score_was_made_from_outlives_its_day_too(self, now: datetime) -> None:
        days.make_ready(now, ["token_snapshots"])
        chain = make_chain(now)
        see(chain.token, now, minutes=3)
        chain.token.status = "Archived"
        chain.token.save()
        connection.check_constraints()
        delete_old_snapshots(now + timedelta(days=9), but_for=[*snapshots_kept()])
        assert TokenSnapshot.objects.get().ts == now
        assert rows("token_snapshots_kept") == 1

    def test_the_evidence_gone_the_score_goes_by_itself(self, now: datetime) -> None:
        make_chain(now, settled=(15,))
        connection.check_constraints()
        assert delete_old(now + timedelta(days=400), 90) == 3
        assert delete_old_rows(TokenScore, now + timedelta(days=400), newest="last_scored_at", but_for=scores_kept()) == 1

    def test_many_signals_in_one_statement_keep_all_their_scores(self, now: datetime) -> None:
        tokens = [make_token(now, name) for name in "ABCDE"]
        scores = [make_score(token, now) for token in tokens]
        made = [make_signal(make_vector(token, now), score=score) for token, score in zip(tokens, scores, strict=True)]
        Signal.objects.all()._raw_delete("default")
        TokenScore.objects.filter(pk=scores[0].pk).update(score=2.0)
        Signal.objects.bulk_create(made)
        assert rows("token_scores_kept") == 5
        assert {*TokenScore.objects.values_list("pk", flat=True)} == {score.pk for score in scores}

    def test_a_signal_of_a_score_that_is_not_there_is_refused(self, now: datetime) -> None:
        chain = make_chain(now)
        Signal.objects.all()._raw_delete("default")
        signal = chain.signals["score"]
        signal.token_score_id = chain.score.pk + 1
        Signal.objects.bulk_create([signal])
        with pytest.raises(IntegrityError):
            connection.check_constraints()

    def test_taken_out_of_the_days_and_put_in_again_no_signal_loses_its_score(self, now: datetime) -> None:
        days.make_ready(now, ["token_scores"])
        chain = make_chain(now)
        make_score(chain.token, now - timedelta(minutes=1))
        connection.check_constraints()
        with connection.schema_editor(atomic=False) as editor:
            IntoDays("token_scores").database_backwards("learning", editor, None, None)
            assert TokenScore.objects.count() == 2
            later = make_chain(now + timedelta(minutes=15), chain.token)
            connection.check_constraints()
            IntoDays("token_scores").database_forwards("learning", editor, None, None)
        last = make_chain(now + timedelta(minutes=30), chain.token)
        assert [signal.token_score for signal in Signal.objects.order_by("ts")] == [chain.score, later.score, last.score]
        with pytest.raises(IntegrityError):
            lose_every_score()


def rows(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


def lose_every_score() -> None:
    with transaction.atomic():
        TokenScore.objects.all()._raw_delete("default")
        connection.check_constraints()
