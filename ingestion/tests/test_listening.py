"""The listener against a real server and a real database: what is heard, what is not, and what is told about it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from ingestion import listening
from ingestion.models import Heartbeat, ListeningGap, QuarantinedFrame
from ingestion.tests.listener import acknowledged_then_closed, detail, listener, stored, until
from ingestion.tests.mints import create_frame, migrate_frame, mint
from ingestion.tests.misbehaving_websocket import Peer, Server, acknowledged_then
from tokens.models import StatusChange, Token

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_migration_heard_becomes_a_token_and_launches_do_not(small_times):
    script = acknowledged_then(create_frame(9), migrate_frame(1), create_frame(8), migrate_frame(2))
    with Server([script]) as server, listener(small_times, server.url):
        assert stored(2)
    assert set(Token.objects.values_list("address", flat=True)) == {mint(1), mint(2)}
    assert StatusChange.objects.filter(actor="listener", old="", new="Initial").count() == 2


def test_the_heartbeat_says_what_a_person_wants_to_know(small_times):
    with Server([acknowledged_then(migrate_frame(1), migrate_frame(1), "not json", "{}")]) as server, listener(small_times, server.url):
        assert until(lambda: Heartbeat.objects.filter(component="listener").exists() and detail()["duplicates"] == 1)
        row = Heartbeat.objects.get(component="listener")
    said = row.detail
    assert said["connected"] is True
    assert (said["frames"], said["migrations"], said["duplicates"], said["quarantined"], said["unclassified"]) == (6, 2, 1, 1, 1)
    assert (said["reconnects"], said["queue"], said["dropped"], said["obstacle"]) == (0, 0, 0, "")
    assert datetime.fromisoformat(said["last_message_at"]).tzinfo == UTC
    assert datetime.fromisoformat(said["last_migration_at"]).tzinfo == UTC
    assert row.started_at is not None


def test_after_each_loss_it_comes_back_subscribes_once_and_loses_nothing(small_times):
    scripts = [acknowledged_then_closed(migrate_frame(1)), acknowledged_then_closed(migrate_frame(2)), acknowledged_then(migrate_frame(3))]
    with Server(scripts) as server, listener(small_times, server.url):
        assert stored(3)
        assert until(lambda: not ListeningGap.objects.filter(to_ts=None).exists())
    for peer in server.peers:
        assert [method for method, _ in peer.methods] == ["subscribeNewToken", "subscribeMigration"]
    assert server.most_at_once == 1
    assert all(later - earlier >= 1 for earlier, later in zip(server.connected_at, server.connected_at[1:], strict=False))
    assert ListeningGap.objects.filter(why="closed by the server (1000)").count() == 2


def test_every_stretch_of_not_listening_is_a_row_from_loss_to_subscription(small_times):
    with Server([acknowledged_then_closed(), acknowledged_then()]) as server, listener(small_times, server.url):
        assert until(lambda: ListeningGap.objects.filter(why__startswith="closed", to_ts__isnull=False).exists())
    first, lost, stopped = ListeningGap.objects.order_by("from_ts")
    assert first.why == "the listener is starting for the first time"
    between = (server.peers[1].methods[0][1] - server.connected_at[0]) - (lost.to_ts - lost.from_ts).total_seconds()
    assert abs(between) < 0.5
    assert (stopped.why, stopped.to_ts) == ("the listener was stopped", None)


def test_the_time_before_the_start_is_a_gap_since_the_last_sign_of_life(small_times):
    last_sign = datetime.now(UTC) - timedelta(hours=1)
    Heartbeat.objects.create(component="listener", ts=last_sign, detail={})
    with Server([acknowledged_then()]) as server, listener(small_times, server.url):
        assert until(lambda: ListeningGap.objects.filter(to_ts__isnull=False).exists())
    gap = ListeningGap.objects.earliest("from_ts")
    assert (gap.from_ts, gap.why) == (last_sign, "the listener was not running")


def test_a_gap_left_open_by_the_process_before_goes_on_as_one(small_times, now):
    ListeningGap.objects.create(from_ts=now - timedelta(days=400), why="connection refused")
    with Server([acknowledged_then()]) as server, listener(small_times, server.url):
        assert until(lambda: not ListeningGap.objects.filter(to_ts=None).exists())
    assert ListeningGap.objects.earliest("from_ts").from_ts == now - timedelta(days=400)
    assert ListeningGap.objects.filter(why="connection refused").count() == 1


def test_after_a_stall_the_gap_begins_with_the_last_message(small_times):
    small_times.PUMPPORTAL_STALL_SEC = 1.5
    with Server([acknowledged_then(), acknowledged_then(migrate_frame(1))]) as server, listener(small_times, server.url):
        assert stored(1)
        assert until(lambda: ListeningGap.objects.filter(why="no message for 1.5 s", to_ts__isnull=False).exists())
    gap = ListeningGap.objects.get(why="no message for 1.5 s")
    assert timedelta(seconds=2.4) < gap.to_ts - gap.from_ts < timedelta(seconds=4.5)


def test_a_server_that_says_nothing_at_all_is_not_taken_for_one_that_listens(small_times):
    small_times.PUMPPORTAL_STALL_SEC = 60
    with Server([lambda peer: (peer.shake_hands(), peer.stay())]) as server, listener(small_times, server.url):
        assert server.peers or server.wait_for_connections(1)
        assert server.peers[0].wait_for_methods(2)
        assert until(lambda: Heartbeat.objects.filter(component="listener").exists() and detail()["connected"])
        assert ListeningGap.objects.filter(to_ts=None).exists()


def test_a_server_that_only_reports_errors_is_not_taken_for_one_that_listens(small_times):
    def refusing(peer: Peer) -> None:
        peer.shake_hands()
        peer.wait_for_methods(2)
        peer.text(json.dumps({"errors": "no such method"}), "garbage")
        peer.stay()

    with Server([refusing]) as server, listener(small_times, server.url):
        assert until(lambda: Heartbeat.objects.filter(component="listener").exists() and detail()["quarantined"] == 1)
        assert ListeningGap.objects.filter(to_ts=None).exists()


def test_an_unconfirmed_subscription_is_sent_once_more(small_times, monkeypatch):
    monkeypatch.setattr(listening, "CONFIRM_SEC", 0.5)

    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.wait_for_methods(2)
        peer.text(
            json.dumps({"message": "Successfully subscribed to token creation events."}), json.dumps({"errors": "migration: try again"})
        )
        peer.wait_for_methods(4, 1.5)
        peer.text(migrate_frame(1))
        peer.stay()

    with Server([script]) as server, listener(small_times, server.url):
        assert stored(1)
    assert [method for method, _ in server.peers[0].methods] == ["subscribeNewToken", "subscribeMigration", "subscribeMigration"]


def test_launches_without_migrations_for_too_long_are_a_reason_to_come_back(small_times, monkeypatch):
    monkeypatch.setattr(listening, "MIGRATION_SILENCE_SEC", 0.6)

    def only_launches(peer: Peer) -> None:
        peer.welcome_and_acknowledge()
        while not peer.gone.wait(0.05):
            peer.text(create_frame(1))

    with Server([only_launches, acknowledged_then(migrate_frame(1))]) as server, listener(small_times, server.url):
        assert stored(1)
    assert ListeningGap.objects.filter(why__startswith="launches come in, but no migration").exists()


@pytest.mark.parametrize("status", [403, 429, 401])
def test_a_ban_is_sat_out_and_named(small_times, status):
    small_times.PUMPPORTAL_BAN_WAIT_SEC = 2

    def banned(peer: Peer) -> None:
        peer.read_request()
        peer.raw(b"HTTP/1.1 %d No\r\n\r\n<html>banned</html>" % status)

    with Server([banned, acknowledged_then(migrate_frame(1))]) as server, listener(small_times, server.url):
        assert until(lambda: ListeningGap.objects.filter(to_ts=None, why__contains=f"refused with HTTP {status}").exists())
        assert stored(1)
    assert server.connected_at[1] - server.connected_at[0] >= 2


@pytest.mark.slow
def test_the_wait_that_a_refusal_asks_for_is_kept(small_times):
    def busy(peer: Peer) -> None:
        peer.read_request()
        peer.raw(b"HTTP/1.1 429 Too Many\r\nRetry-After: 0\r\n\r\n")

    with Server([busy, acknowledged_then(migrate_frame(1))]) as server, listener(small_times, server.url):
        assert stored(1)
    assert 5 <= server.connected_at[1] - server.connected_at[0] < 7


def test_bad_frames_are_kept_and_the_next_good_one_is_stored_at_once(small_times):
    bad = ["[" * 9_000, "NaN", "<html>", b"\xff\xfe", '{"txType":"migrate"}', '{"txType":"migrate","mint":"0x12"}', "{" * 5_000]
    with Server([acknowledged_then(*bad, migrate_frame(1))]) as server, listener(small_times, server.url):
        assert stored(1)
        assert until(lambda: QuarantinedFrame.objects.count() == len(bad))
    assert Token.objects.count() == 1
    assert QuarantinedFrame.objects.filter(size=9_000).get().payload == "[" * 2048


def test_a_replay_after_the_reconnect_is_harmless_and_counted(small_times):
    window = [migrate_frame(n) for n in range(50)]
    scripts = [acknowledged_then_closed(*window), acknowledged_then(*reversed(window), migrate_frame(99))]
    with Server(scripts) as server, listener(small_times, server.url):
        assert stored(51)
        assert until(lambda: detail()["duplicates"] == 50)
    assert Token.objects.count() == StatusChange.objects.count() == 51


def test_three_tokens_of_one_bonding_curve_are_three_tokens(small_times):
    frames = [json.dumps({**json.loads(migrate_frame(n)), "bondingCurveKey": mint(77)}) for n in range(3)]
    with Server([acknowledged_then(*frames)]) as server, listener(small_times, server.url):
        assert stored(3)
