import threading
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ingestion.leases import Lease, Terms, run_out
from ingestion.polling import poll
from ingestion.tests.test_polling import NO_KEY, PACE, Pools, pool, tokens
from tokens.models import Status, Token, TokenSnapshot


def terms(most=10, seconds=60.0, tick=None):
    return Terms(tick or timezone.now(), most, seconds)


def share(most=10, seconds=60.0):
    lease = Lease(terms(most, seconds))
    lease.take("Active", timezone.now() + timedelta(seconds=15))
    return lease


def let_it_run_out():
    Token.objects.filter(lease__isnull=False).update(leased_until=Now() - timedelta(seconds=1))


@pytest.mark.django_db
class TestAShare:
    def test_the_longest_overdue_come_first_and_nobody_is_in_two_shares(self):
        made = tokens(5, timezone.now() - timedelta(minutes=1), "Active")
        Token.objects.filter(pk=made[3].pk).update(next_poll_at=timezone.now() - timedelta(hours=1))
        first, second, third = share(3), share(3), share(3)
        assert first.taken[0] == made[3].pk
        assert [len(one.taken) for one in (first, second, third)] == [3, 2, 0]
        assert {*first.taken, *second.taken} == {token.pk for token in made}

    def test_who_is_not_due_and_who_is_no_such_token_is_not_taken(self):
        tokens(2, timezone.now() + timedelta(minutes=1), "Active")
        Token.objects.create(address="BTCUSDT", chain="binance", status="Active")
        Token.objects.create(address="I" * 44, status="Initial")
        assert share().taken == []

    def test_a_share_that_has_run_out_is_anybodys(self):
        tokens(2, timezone.now(), "Active")
        gone = share()
        assert run_out("Active") == 0
        let_it_run_out()
        assert (run_out("Initial"), run_out("Active")) == (0, 2)
        assert set(share().taken) == set(gone.taken)
        assert gone.ours() == set()

    def test_renewed_it_lasts_and_who_has_lost_it_is_told(self):
        tokens(2, timezone.now(), "Active")
        ours = share()
        let_it_run_out()
        ours.said_at -= 21
        assert ours.renew()
        assert run_out("Active") == 0
        Token.objects.filter(pk=ours.taken[0]).update(leased_until=Now() - timedelta(seconds=1))
        assert run_out("Active") == 1
        ours.said_at -= 21
        assert not ours.renew()
        assert len(ours.ours()) == 1

    def test_it_is_renewed_no_more_often_than_is_of_use(self):
        tokens(2, timezone.now(), "Active")
        ours = share(seconds=3600)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert all(ours.renew() for _ in range(50))
        assert len(asked) == 0

    def test_given_back_it_is_free_but_for_those_that_nobody_answered_for(self):
        made = tokens(3, timezone.now(), "Active")
        share().give_back([made[1].pk], timezone.now() + timedelta(minutes=1))
        assert set(share().taken) == {made[0].pk, made[2].pk}

    def test_the_number_of_statements_does_not_grow_with_the_tokens(self):
        counts = []
        for number in (3, 300):
            Token.objects.all().delete()
            tokens(number, timezone.now(), "Active")
            with CaptureQueriesContext(connection) as asked:
                lease = share(1000)
                lease.ours()
                lease.give_back(lease.taken[:1], timezone.now())
            counts.append(len(asked))
        assert counts[0] == counts[1] <= 9


@pytest.mark.django_db
class TestPollingAShare:
    def poll(self, pools, now, most=10, **more):
        return poll(Status.ACTIVE, now, PACE, NO_KEY, pools, terms=terms(most, tick=now), **more)

    def test_shares_of_one_tick_poll_every_token_once(self, now):
        made = tokens(7, now, "Active")
        pools = Pools({token.address: [pool(token.address)] for token in made})
        reports = [self.poll(pools, now + timedelta(seconds=n), 3) for n in range(4)]
        assert [report.due for report in reports] == [3, 3, 1, 0]
        assert set(pools.asked.values()) == {1}
        assert TokenSnapshot.objects.count() == 7
        assert not Token.objects.filter(lease__isnull=False).exists()

    def test_a_share_that_is_late_takes_nobody_a_second_time_in_its_tick(self, now):
        made = tokens(2, now, "Active")
        pools = Pools({token.address: [pool(token.address)] for token in made})
        self.poll(pools, now)
        late = poll(Status.ACTIVE, now + timedelta(seconds=25), PACE, NO_KEY, pools, terms=terms(tick=now))
        assert late.due == 0

    def test_nothing_is_written_for_tokens_that_somebody_else_has_taken_since(self, now):
        made = tokens(3, now, "Active")

        class Slow(Pools):
            def pools(self, mints, now):
                Token.objects.exclude(pk=made[2].pk).update(leased_until=Now() - timedelta(seconds=1))
                run_out("Active")
                share(2)
                return super().pools(mints, now)

        report = self.poll(Slow({token.address: [pool(token.address)] for token in made}), now)
        assert report.token_rows == 1
        assert TokenSnapshot.objects.get().token_id == made[2].pk
        assert Token.objects.filter(lease__isnull=False).count() == 2

    def test_who_was_not_answered_for_has_had_his_turn_in_this_tick(self, now):
        tick = timezone.now()
        tokens(2, tick, "Active")
        nobody = Pools(down=True)
        assert [self.poll(nobody, tick).due for _ in range(3)] == [2, 0, 0]
        later = tick + timedelta(seconds=30)
        Token.objects.update(leased_until=Now() - timedelta(seconds=1))
        assert self.poll(nobody, later).due == 2

    def test_a_refused_turn_to_write_leaves_the_share_to_run_out(self, now):
        made = tokens(2, now, "Active")

        def refused():
            raise PermissionError

        with pytest.raises(PermissionError):
            self.poll(Pools({made[0].address: []}), now, writing=refused)
        assert Token.objects.filter(lease__isnull=False).count() == 2
        let_it_run_out()
        run_out("Active")
        assert self.poll(Pools({token.address: [pool(token.address)] for token in made}), now).token_rows == 2


@pytest.mark.django_db(transaction=True)
def test_two_at_once_never_take_the_same_and_neither_waits_for_the_other():
    tokens(40, timezone.now(), "Active")
    shares, began = [], threading.Barrier(4)

    def take():
        began.wait()
        shares.append(share(10))
        connections.close_all()

    threads = [threading.Thread(target=take) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    taken = [pk for one in shares for pk in one.taken]
    assert len(taken) == len(set(taken)) == 40


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has one writer at a time")
def test_a_row_that_somebody_is_writing_is_left_to_the_next_share_and_one_that_is_only_pointed_to_is_not():
    made = tokens(2, timezone.now(), "Active")
    taken = []

    def take():
        taken.append(share().taken)
        connections.close_all()

    with transaction.atomic():
        Token.objects.filter(pk=made[0].pk).update(symbol="?")
        TokenSnapshot.objects.create(token=made[1], ts=timezone.now(), source="pools")
        thread = threading.Thread(target=take)
        thread.start()
        thread.join(60)
    assert taken == [[made[1].pk]]
