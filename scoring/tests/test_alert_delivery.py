"""The outbox against real receivers: what arrives, what is tried again, what is given up, and that nobody waits for anybody."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingestion import messengers
from ingestion.tests.receiver import Receiver, answer, garbage, hang, reset
from scoring import alert_delivery
from scoring.alert_delivery import ABANDONED, MOST_ATTEMPTS, deliver, forget_old, pause_after, send_test
from scoring.alert_models import AlertChannel, AlertRule
from scoring.alert_rows import AlertDelivery, AlertState, ScoreHealth
from scoring.tests.rows import make_token

pytestmark = pytest.mark.django_db
SECRET = "a-signing-secret-of-ours"


@pytest.fixture(autouse=True)
def _short_times(monkeypatch):
    """Receivers that hang are given up quickly, and a channel may be asked as often as a test likes."""
    monkeypatch.setattr(messengers, "DEADLINE_SEC", 2.0)
    monkeypatch.setattr(messengers.send, "__defaults__", (5.0, 2.0))
    monkeypatch.setattr(messengers, "RATES", dict.fromkeys(messengers.RATES, 1000.0))


class Hand:
    """A clock that somebody turns; waiting turns it too."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now

    def stopped(self, seconds):
        self.now += timedelta(seconds=seconds)
        return False


def a_channel(receiver, name="bot", **fields):
    return AlertChannel.objects.create(
        name=name, **{"kind": "webhook", "webhook_url": f"{receiver.url}/hook", "signing_secret": SECRET, **fields}
    )


def waiting(channel, now, **fields):
    fields = {"rule_name": "hot", "kind": "score", "sentence": "score rose", "made_at": now, "due_at": now, **fields}
    return AlertDelivery.objects.create(channel=channel, channel_name=channel.name, **fields)


def run(now, **more):
    return deliver(clock=lambda: now, **more)


def test_what_waits_is_sent_and_the_log_says_what_came_back(now):
    with Receiver([answer(202)]) as receiver:
        row = waiting(a_channel(receiver), now, token=make_token(now, "PI"))
        assert run(now) == {"sent": 1, "put_off": 0, "gave_up": 0}
        assert run(now) == {"sent": 0, "put_off": 0, "gave_up": 0}
    row.refresh_from_db()
    assert (row.state, row.outcome, row.attempts, row.ended_at) == ("sent", "The receiver took it: HTTP 202.", 1, now)
    [got] = receiver.received
    assert json.loads(got.body)["id"] == got.headers["x-tothemoon-id"] == str(row.uid)
    assert json.loads(got.body)["sentence"] == "PI score rose"


@pytest.mark.parametrize("reply", [answer(500), hang, reset, garbage])
def test_what_fails_is_put_off_and_sent_again_under_the_same_id(now, reply):
    with Receiver([reply, answer(200)]) as receiver:
        row = waiting(a_channel(receiver), now)
        assert run(now)["put_off"] == 1
        assert run(now + timedelta(seconds=4)) == {"sent": 0, "put_off": 0, "gave_up": 0}
        assert run(now + timedelta(seconds=6))["sent"] == 1
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("sent", 2)
    assert {got.headers["x-tothemoon-id"] for got in receiver.received} == {str(row.uid)}


def test_within_one_run_it_is_tried_again_as_soon_as_it_is_due(now):
    hand = Hand(now)
    with Receiver([answer(500), answer(500), answer(200)]) as receiver:
        waiting(a_channel(receiver), now)
        assert deliver(hand, hand.stopped) == {"sent": 1, "put_off": 2, "gave_up": 0}
    assert timedelta(seconds=15) <= hand.now - now <= timedelta(seconds=18)


def test_a_run_ends_though_a_broken_channel_has_more_waiting_and_what_comes_meanwhile_is_sent(now):
    hand = Hand(now)
    with Receiver([answer(500)]) as broken, Receiver([answer(200)]) as well:
        channel, other = a_channel(broken, "broken"), a_channel(well, "well")
        for _ in range(8):
            waiting(channel, now)
        waiting(other, now, due_at=now + timedelta(seconds=20))
        assert deliver(hand, hand.stopped, run_sec=40)["sent"] == 1
    assert timedelta(seconds=40) <= hand.now - now <= timedelta(seconds=42)


def test_who_tells_us_to_wait_is_left_alone_for_so_long(now):
    with Receiver([answer(429, b'{"retry_after": 120}'), answer(200)]) as receiver:
        row = waiting(a_channel(receiver), now)
        run(now)
        row.refresh_from_db()
        assert row.due_at >= now + timedelta(seconds=120)
        assert "told to wait" in row.outcome


def test_a_refusal_for_good_is_not_tried_again_and_says_what_to_do(now):
    with Receiver([answer(404)]) as receiver:
        row = waiting(a_channel(receiver), now)
        assert run(now)["gave_up"] == 1
        run(now + timedelta(minutes=5))
    row.refresh_from_db()
    assert (row.state, row.outcome) == ("gave_up", "HTTP 404. There is nothing at this address.")
    assert len(receiver.received) == 1


def test_a_redirect_is_not_followed(now):
    with Receiver([answer(200)]) as inner, Receiver([answer(307, Location=inner.url)]) as receiver:
        waiting(a_channel(receiver), now)
        assert run(now)["gave_up"] == 1
    assert inner.received == []


def test_there_is_an_end_to_trying_again(now):
    with Receiver([answer(500)]) as receiver:
        row = waiting(a_channel(receiver), now)
        moment = now
        for _ in range(MOST_ATTEMPTS + 5):
            run(moment)
            row.refresh_from_db()
            moment = max(row.due_at, moment) + timedelta(seconds=30)
    assert row.state == "gave_up"
    assert "Given up after" in row.outcome
    assert 5 <= row.attempts <= MOST_ATTEMPTS


def test_the_pauses_grow_to_ten_minutes_and_no_further():
    assert [pause_after(attempt).total_seconds() for attempt in (1, 2, 3, 8, 9, 500)] == [5, 10, 20, 600, 600, 600]


def test_an_alert_of_yesterday_is_news_to_nobody(now):
    with Receiver([answer(200)]) as receiver:
        row = waiting(a_channel(receiver), now - timedelta(hours=2))
        run(now)
    row.refresh_from_db()
    assert (row.state, receiver.received) == ("gave_up", [])


def test_a_receiver_that_hangs_delays_no_other(now):
    with Receiver([hang]) as stuck, Receiver([answer(200)]) as well:
        for _ in range(3):
            waiting(a_channel(stuck, f"stuck{_}"), now)
        channel = a_channel(well, "well")
        for _ in range(10):
            waiting(channel, now)
        began = time.monotonic()
        assert run(now) == {"sent": 10, "put_off": 3, "gave_up": 0}
        assert time.monotonic() - began < 5  # three deadlines one after the other would be six


def test_one_channel_gets_its_alerts_one_after_the_other_in_their_order(now):
    with Receiver([answer(200)]) as receiver:
        channel = a_channel(receiver)
        rows = [waiting(channel, now, sentence=f"number {place}") for place in range(6)]
        run(now)
    assert [json.loads(got.body)["sentence"] for got in receiver.received] == [row.sentence for row in rows]


def test_of_two_processes_one_sends(now):
    with Receiver([answer(200)]) as receiver:
        row = waiting(a_channel(receiver), now)
        same = AlertDelivery.objects.get(pk=row.pk)
        assert [AlertDelivery.objects.claim(row, now), AlertDelivery.objects.claim(same, now)] == [True, False]
        assert run(now)["sent"] == 0


def test_what_a_killed_process_had_taken_up_is_sent_once_more_under_the_same_id(now):
    with Receiver([answer(200)]) as receiver:
        row = waiting(a_channel(receiver), now)
        assert AlertDelivery.objects.claim(row, now)
        assert run(now + ABANDONED / 2)["sent"] == 0
        assert run(now + ABANDONED + timedelta(seconds=1))["sent"] == 1
        assert run(now + ABANDONED * 3)["sent"] == 0
    assert [got.headers["x-tothemoon-id"] for got in receiver.received] == [str(row.uid)]


def test_a_channel_that_was_switched_off_or_deleted_meanwhile_gets_nothing(now):
    with Receiver([answer(200)]) as receiver:
        off, gone = a_channel(receiver, "off"), a_channel(receiver, "gone")
        rows = [waiting(off, now), waiting(gone, now)]
        AlertChannel.objects.filter(pk=off.pk).update(enabled=False)
        gone.delete()
        run(now)
    outcomes = [AlertDelivery.objects.get(pk=row.pk).outcome for row in rows]
    assert (outcomes, receiver.received) == (["the channel is off", "the channel is gone"], [])


def test_a_fault_of_ours_is_put_off_and_raised_when_the_others_are_through(now, monkeypatch):
    true_body = messengers.webhook_body

    def broken(message):
        if message.what == "poison":
            raise ZeroDivisionError
        return true_body(message)

    monkeypatch.setattr(messengers, "webhook_body", broken)
    with Receiver([answer(200)]) as receiver:
        poison, fine = waiting(a_channel(receiver, "a"), now, sentence="poison"), waiting(a_channel(receiver, "b"), now)
        with pytest.raises(ZeroDivisionError):
            run(now)
    poison.refresh_from_db()
    fine.refresh_from_db()
    assert (poison.state, fine.state) == ("waiting", "sent")
    assert poison.outcome == "A fault of ours: ZeroDivisionError."


def test_told_to_stop_it_begins_nothing_more(now):
    with Receiver([answer(500)]) as receiver:
        waiting(a_channel(receiver), now)
        asked = []
        deliver(clock=lambda: now, stopped=lambda seconds: asked.append(seconds) or True)
    assert len(asked) == 1


def test_nothing_due_costs_two_questions(now):
    with CaptureQueriesContext(connection) as asked:
        run(now)
    assert len(asked) <= 2


# The test button


def test_the_test_button_really_sends_and_says_what_came_back(now):
    with Receiver([answer(200)]) as receiver:
        row = send_test(a_channel(receiver), now)
    told = json.loads(receiver.received[0].body)
    assert (row.state, row.outcome, row.test) == ("sent", "The receiver took it: HTTP 200.", True)
    assert (told["test"], told["rule"]) == (True, "Test")


@pytest.mark.parametrize("reply", [hang, reset, answer(500), answer(403), garbage])
def test_the_test_button_answers_soon_whatever_the_receiver_does(now, monkeypatch, reply):
    monkeypatch.setattr(alert_delivery, "TEST_DEADLINE_SEC", 0.5)
    began = time.monotonic()
    with Receiver([reply]) as receiver:
        row = send_test(a_channel(receiver), now)
    assert row.state == "gave_up"
    assert row.outcome.endswith(".")
    assert time.monotonic() - began < 3


def test_a_test_is_never_sent_a_second_time(now):
    with Receiver([answer(500)]) as receiver:
        send_test(a_channel(receiver), now)
        run(now + timedelta(minutes=10))
    assert len(receiver.received) == 1


# What is left behind


def test_the_log_is_kept_for_a_season_and_states_of_archived_tokens_for_a_day(now):
    rule = AlertRule.objects.create(name="x", kind="score", level=1)
    gone, living = make_token(now, "A", status="Archived"), make_token(now, "B")
    type(gone).objects.filter(pk=gone.pk).update(status_changed_at=now - timedelta(days=2))
    for token in (gone, living):
        AlertState.objects.create(rule=rule, token=token, state=0)
    for age in (1, 100):
        AlertDelivery.objects.create(rule_name="x", kind="score", sentence="x", made_at=now - timedelta(days=age), state="sent")
        ScoreHealth.objects.create(
            ts=now - timedelta(days=age), revision=1, tokens=0, scored=0, identical=0, missing=[], capped=0, estimated=[]
        )
    assert forget_old(now, now - timedelta(days=3)) == 3
    assert [AlertDelivery.objects.count(), ScoreHealth.objects.count(), AlertState.objects.get().token] == [1, 1, living]


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_at_once_send_each_alert_once(now):
    with Receiver([answer(200)]) as receiver:
        for number in range(4):
            channel = a_channel(receiver, f"c{number}")
            for _ in range(5):
                waiting(channel, now)

        def work():
            try:
                deliver(clock=lambda: datetime.now(UTC))
            finally:
                connection.close()

        AlertDelivery.objects.update(made_at=datetime.now(UTC), due_at=datetime.now(UTC))
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    ids = [got.headers["x-tothemoon-id"] for got in receiver.received]
    assert (len(ids), len(set(ids))) == (20, 20)
    assert set(AlertDelivery.objects.values_list("state", flat=True)) == {"sent"}
