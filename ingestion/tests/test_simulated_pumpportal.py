"""The simulated feed: one socket, acknowledged subscriptions, frames with exactly the recorded keys, and RFC 6455 kept on the way."""

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import websocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from ingestion.simulator import identity
from ingestion.simulator.clock import MarketClock
from ingestion.simulator.market import Market, still_living
from ingestion.simulator.pumpportal_server import PATH, PumpPortal, create_frame, migrate_frame

PAYLOADS = Path(__file__).parent / "payloads"
MARKET = Market(3)
QUICK = 10_000.0  # market seconds a second: about 140 migrations a second


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"pumpportal_real_{name}.json").read_text())


@pytest.fixture
def feed() -> Iterator[PumpPortal]:
    portal = PumpPortal(Market(3), MarketClock(QUICK), 0, backlog=5)
    portal.start()
    yield portal
    portal.stop()


@pytest.fixture
def quiet() -> Iterator[PumpPortal]:
    portal = PumpPortal(MARKET, MarketClock(1e-9), 0)
    portal.start()
    yield portal
    portal.stop()


def ask(client: ClientConnection, **words: Any) -> Any:
    client.send(json.dumps(words))
    return json.loads(client.recv(timeout=5))


def migrations(client: ClientConnection, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < count:
        frame = json.loads(client.recv(timeout=5))
        found += [frame] if frame.get("txType") == "migrate" else []
    return found


def test_subscriptions_are_acknowledged_as_recorded(quiet: PumpPortal) -> None:
    with connect(quiet.url) as client:
        said = [ask(client, method=method) for method in ("subscribeNewToken", "subscribeMigration", "subscribeTokenTrade")]
    assert said == payload("acks")


@pytest.mark.parametrize("sent", ["subscribeMigration", "[]", '{"method": 3}', '{"keys": []}'])
def test_a_message_that_is_no_subscription_is_answered_with_errors(quiet: PumpPortal, sent: str) -> None:
    with connect(quiet.url) as client:
        client.send(sent)
        assert list(json.loads(client.recv(timeout=5))) == ["errors"]


def test_migrations_have_exactly_the_four_recorded_keys(feed: PumpPortal) -> None:
    with connect(feed.url) as client:
        ask(client, method="subscribeMigration")
        frames = migrations(client, 30)
    assert {tuple(frame) for frame in frames} == {tuple(payload("migrate"))}
    assert {frame["pool"] for frame in frames} <= {"pump-amm", "raydium-cpmm"}


def test_the_first_subscriber_is_told_of_the_backlog_and_the_second_is_not(feed: PumpPortal) -> None:
    backlog = {MARKET.tokens.mint[row] for row in still_living(MARKET, 5)}
    with connect(feed.url) as client:
        ask(client, method="subscribeMigration")
        assert backlog <= {frame["mint"] for frame in migrations(client, 150)}
    with connect(feed.url) as client:
        ask(client, method="subscribeMigration")
        assert not backlog & {frame["mint"] for frame in migrations(client, 150)}


def test_nothing_comes_without_a_subscription_and_nothing_twice(feed: PumpPortal) -> None:
    with connect(feed.url) as client:
        with pytest.raises(TimeoutError):
            client.recv(timeout=0.2)
        ask(client, method="subscribeMigration")
        mints = [frame["mint"] for frame in migrations(client, 100)]
    assert len(set(mints)) == 100


def test_a_second_socket_is_refused_and_the_first_goes_on(quiet: PumpPortal) -> None:
    with connect(quiet.url) as first:
        with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
            websocket.create_connection(quiet.url, timeout=5)
        assert refusal.value.status_code == 403
        assert "message" in ask(first, method="subscribeMigration")


def test_after_a_client_has_gone_the_next_is_served_at_once(quiet: PumpPortal) -> None:
    for _ in range(5):
        with closing(websocket.create_connection(quiet.url, timeout=5)) as client:
            client.send('{"method":"subscribeMigration"}')
            assert "message" in json.loads(client.recv())


def test_created_tokens_come_in_the_three_recorded_forms() -> None:
    frames = [create_frame(1, number) for number in range(300)]
    forms = {tuple(frame) for frame in frames}
    nameless = tuple(name for name in payload("create_pump") if name not in ("name", "symbol", "uri"))
    assert forms == {tuple(payload("create_pump")), tuple(payload("create_bonk")), nameless}
    assert {frame["mint"] for frame in frames if "name" not in frame} == {identity.USDC}


def test_the_heartbeat_beats_about_23_times_a_minute(quiet: PumpPortal) -> None:
    assert len(quiet._news(600.0, {"subscribeNewToken"})) == 235
    assert quiet._news(600.0, {"subscribeNewToken"}) == []
    assert quiet._news(1200.0, set()) == []
    assert len(quiet._news(1320.0, {"subscribeNewToken"})) == 47


def test_mints_and_signatures_are_of_the_right_length() -> None:
    for row in MARKET.born_between(-36_000, 0):
        frame = migrate_frame(MARKET, row)
        assert 0 < decoded(frame["mint"]) < 2**256
        assert 0 < decoded(frame["signature"]) < 2**512


def decoded(text: str) -> int:
    number = 0
    for letter in text:
        number = number * 58 + identity.ALPHABET.index(letter)
    return number


# The protocol itself, with a bare socket where a decent client would not misbehave.


def test_pings_are_answered_with_their_payload(quiet: PumpPortal) -> None:
    with connect(quiet.url) as client:
        assert client.ping(b"still there?").wait(timeout=5)


def test_a_message_in_pieces_is_put_together(quiet: PumpPortal) -> None:
    with connect(quiet.url) as client:
        client.send(iter(['{"method":', '"subscribe', 'Migration"}']))
        assert json.loads(client.recv(timeout=5)) == payload("acks")[1]


@pytest.mark.parametrize("length", [100, 125, 126, 5_000, 65_000])
def test_messages_of_every_length_form_are_read(quiet: PumpPortal, length: int) -> None:
    with connect(quiet.url) as client:
        assert "Unknown method" in ask(client, method="x" * length)["errors"]


def test_a_goodbye_is_answered(quiet: PumpPortal) -> None:
    with connect(quiet.url) as client:
        client.close(1000)
        assert client.close_code == 1000


def test_the_server_says_goodbye_when_it_stops(quiet: PumpPortal) -> None:
    with connect(quiet.url) as client:
        ask(client, method="subscribeMigration")
        quiet.stop()
        with pytest.raises(ConnectionClosed) as end:
            client.recv(timeout=5)
    assert end.value.rcvd is not None
    assert end.value.rcvd.code == 1001


def raw_frame(first: int, payload: bytes, masked: bool = True) -> bytes:
    head = bytes([first, (0x80 if masked else 0) | min(len(payload), 126)])
    head += struct.pack("!H", len(payload)) if len(payload) >= 126 else b""
    return head + (b"\0\0\0\0" if masked else b"") + payload


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (raw_frame(0x81, b"{}", masked=False), 1002),
        (raw_frame(0xC1, b"{}"), 1002),
        (raw_frame(0x80, b"a piece of nothing"), 1002),
        (raw_frame(0x89, b"x" * 126), 1002),
        (raw_frame(0x81, b"\xff\xfe"), 1007),
        (raw_frame(0x82, b"binary"), 1003),
        (bytes([0x81, 0xFF]) + struct.pack("!Q", 2**40), 1009),
    ],
)
def test_a_broken_protocol_ends_the_connection_with_the_code_for_it(quiet: PumpPortal, frame: bytes, code: int) -> None:
    with closing(upgraded(quiet)) as client:
        client.sendall(frame)
        answer = client.recv(100)
    assert answer[:2] == b"\x88\x02"
    assert struct.unpack("!H", answer[2:4]) == (code,)


def upgraded(portal: PumpPortal) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", int(portal.url.split(":")[2].split("/")[0])), timeout=5)
    client.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in client.recv(1000)
    return client


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /data-api/real-time HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\r\n", b"404"),
        (b"GET /api/data HTTP/1.1\r\nHost: x\r\n\r\n", b"426"),
        (b"POST /api/data HTTP/1.1\r\n\r\n", b"400"),
        (b"\r\n", b"400"),
        (b"GET /api/data HTTP/1.1\r\nX: " + b"y" * 20_000, b"431"),
    ],
)
def test_what_is_no_upgrade_is_refused_with_a_status(quiet: PumpPortal, request_head: bytes, status: bytes) -> None:
    port = int(quiet.url.split(":")[2].split("/")[0])
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as client:
        client.sendall(request_head)
        assert client.recv(1000).startswith(b"HTTP/1.1 " + status)
