"""The stream of klines, against a server that goes away, speaks nonsense and falls silent."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from ingestion import kline_stream
from ingestion.errors import Malformed
from ingestion.kline_stream import Heard, KlineKeeper, KlineReader, Klines, Other, parse
from ingestion.models import Heartbeat, ListeningGap, ServiceState, WatchedSymbol
from ingestion.one_socket import OneSocket
from ingestion.pumpportal import Patience
from ingestion.simulator.binance_server import KlineStream
from ingestion.tests.misbehaving_websocket import Peer, Server
from tokens.models import Bar, Token

PAYLOADS = Path(__file__).parent / "payloads"
OPENED = 1_763_726_400_000


def payload(name: str) -> bytes:
    return (PAYLOADS / f"binance_doc_{name}.json").read_bytes()


def frame(**changes: Any) -> str:
    body = {"t": OPENED, "s": "BTCUSDT", "i": "1m", "o": "2.0", "h": "4.0", "l": "1.0", "c": "3.0"}
    body |= {"q": "10.0", "n": 3, "Q": "4.0", "x": True} | changes
    return json.dumps({"stream": "btcusdt@kline_1m", "data": {"e": "kline", "s": "BTCUSDT", "k": body}})


def until(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    ends = time.monotonic() + seconds
    while not true() and time.monotonic() < ends:
        time.sleep(0.01)
    return true()


def test_a_finished_kline_is_read() -> None:
    kline = parse(frame().encode())
    assert not isinstance(kline, Other)
    assert (kline.symbol, kline.open_time, kline.close, kline.volume) == ("BTCUSDT", datetime.fromtimestamp(OPENED / 1000, UTC), 3.0, 10.0)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (payload("ws_kline"), "growing"),
        (payload("ws_kline_combined"), "growing"),
        (payload("ws_serverShutdown_raw"), "shutdown"),
        (payload("ws_serverShutdown_combined"), "shutdown"),
        (b'{"result":null,"id":1}', "answer"),
        (b'{"code":2,"msg":"Invalid request"}', "error"),
        (b'{"e":"depthUpdate"}', "unclassified"),
    ],
)
def test_what_is_no_finished_kline_is_something_else(raw: bytes, kind: str) -> None:
    found = parse(raw)
    assert isinstance(found, Other)
    assert found.kind == kind


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{", b"\xff", b"NaN", frame(h="0.5").encode(), frame(s=None).encode(), frame(i="5m").encode(), frame(Q="11").encode()],
)
def test_what_cannot_be_read_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse(raw)


@pytest.fixture
def reading() -> Iterator[Callable[[Server], tuple[KlineReader, Heard]]]:
    readers = []

    def start(server: Server, stall_sec: float = 5.0) -> tuple[KlineReader, Heard]:
        heard = Heard()

        def connect() -> OneSocket:
            return OneSocket.connect(server.url, ping_sec=5, ping_timeout_sec=2, stall_sec=stall_sec)

        reader = KlineReader(heard, connect, Patience(0.1, 0.1))
        readers.append(reader)
        reader.watch(["BTCUSDT"])
        reader.start()
        return reader, heard

    yield start
    for reader in readers:
        reader.finish()
        reader.join(3)
        assert not reader.is_alive()


def speaking(*messages: str | bytes) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.wait_for_methods(1)
        peer.text(*messages)
        peer.stay()

    return script


def test_it_subscribes_and_hands_on_what_is_finished(reading: Any) -> None:
    with Server([speaking('{"result":null,"id":1}', frame(x=False), "nonsense", frame())]) as server:
        _, heard = reading(server)
        assert until(lambda: heard.klines == 1)
        assert (heard.unread, heard.connected, server.peers[0].methods[0][0]) == (1, True, "SUBSCRIBE")


@pytest.mark.parametrize(
    "end", [lambda peer: peer.reset(), lambda peer: peer.close(1001), lambda peer: peer.text(payload("ws_serverShutdown_raw"))]
)
def test_it_comes_back_and_subscribes_again(reading: Any, end: Callable[[Peer], None]) -> None:
    def leaving(peer: Peer) -> None:
        peer.shake_hands()
        peer.wait_for_methods(1)
        end(peer)
        peer.stay(1)

    with Server([leaving, speaking(frame())]) as server:
        _, heard = reading(server)
        assert until(lambda: heard.klines == 1)
        assert len(server.peers) == 2
        assert server.peers[0].gone.wait(1)


def test_silence_is_an_end(reading: Any) -> None:
    with Server([speaking('{"result":null,"id":1}'), speaking(frame())]) as server:
        _, heard = reading(server, 0.4)
        assert until(lambda: heard.klines == 1)


def test_a_connection_is_renewed_before_the_server_ends_it(reading: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kline_stream, "RENEW_SEC", 0.3)
    with Server([speaking(frame())]) as server:
        _, heard = reading(server)
        assert server.wait_for_connections(2, 5)
        assert server.peers[0].gone.wait(1)


def test_a_renewed_connection_asks_again_and_hears_on(reading: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server([speaking(frame()), speaking(frame(t=OPENED + 60_000))]) as server:
        _, heard = reading(server)
        assert until(lambda: heard.klines == 1)
        monkeypatch.setattr(kline_stream, "RENEW_SEC", 0.0)  # the day is over
        assert server.wait_for_connections(2, 5)
        monkeypatch.undo()
        server.peers[1].wait_for_methods(1)
        assert until(lambda: heard.klines >= 2)
        assert server.peers[0].gone.wait(1)
        assert [peer.methods[0][0] for peer in server.peers[:2]] == ["SUBSCRIBE", "SUBSCRIBE"]
        assert [heard.finished.get_nowait().open_time.timestamp() - OPENED / 1000 for _ in range(2)] == [0.0, 60.0]
        assert heard.obstacle == ""


def test_a_changed_watch_list_needs_no_new_connection(reading: Any) -> None:
    with Server([speaking()]) as server:
        reader, _ = reading(server)
        server.wait_for_connections(1)
        server.peers[0].wait_for_methods(1)
        reader.watch(["ETHUSDT"])
        server.peers[0].wait_for_methods(3)
        assert [method for method, _ in server.peers[0].methods] == ["SUBSCRIBE", "SUBSCRIBE", "UNSUBSCRIBE"]


@pytest.fixture
def watched(db: None) -> WatchedSymbol:
    token = Token.objects.create(address="BTCUSDT", chain="binance", status="Active")
    return WatchedSymbol.objects.create(symbol="BTCUSDT", token=token)


def test_what_was_heard_is_stored_once(watched: WatchedSymbol) -> None:
    heard = Heard()
    keeper = KlineKeeper(heard, KlineReader(heard))
    for _ in range(2):
        kline = parse(frame().encode())
        assert not isinstance(kline, Other)
        heard.finished.put(kline)
    keeper.turn(100.0)
    assert (Bar.objects.count(), heard.stored) == (1, 1)
    assert Bar.objects.get().source == "binance"


def test_a_kline_of_a_symbol_that_nobody_watches_is_dropped(watched: WatchedSymbol) -> None:
    heard = Heard()
    kline = parse(frame(s="ETHUSDT").encode())
    assert not isinstance(kline, Other)
    heard.finished.put(kline)
    KlineKeeper(heard, KlineReader(heard)).turn(100.0)
    assert Bar.objects.count() == 0


def test_deafness_is_noted_as_a_gap_and_ended(watched: WatchedSymbol) -> None:
    heard = Heard(obstacle="the connection was cut")
    keeper = KlineKeeper(heard, KlineReader(heard))
    keeper.turn(100.0)
    heard.connections = 1
    keeper.turn(200.0)
    gap = ListeningGap.objects.get(source="binance")
    assert (gap.to_ts, gap.why) == (None, "the connection was cut")
    heard.connected = True
    keeper.turn(300.0)
    gap.refresh_from_db()
    assert gap.to_ts is not None
    assert Heartbeat.objects.get(component="klines").detail["connected"] is True


def banning(peer: Peer) -> None:
    peer.read_request()
    peer.raw(b"HTTP/1.1 418 Banned\r\nRetry-After: 3600\r\n\r\n")
    peer.stay(1)


def test_a_ban_from_the_stream_outlives_the_process(watched: WatchedSymbol, reading: Any) -> None:
    with Server([banning, speaking(frame())]) as server:
        reader, heard = reading(server)
        assert until(lambda: heard.banned_until is not None)
        KlineKeeper(heard, reader).turn(100.0)
        kept = ServiceState.objects.get(service="binance", endpoint="stream")
        assert (kept.state, kept.until) == (ServiceState.State.THROTTLED, heard.banned_until)
        assert heard.banned_until is not None
        assert timedelta(minutes=59) < heard.banned_until - timezone.now() <= timedelta(hours=1)
        after = Heard()
        waiting = KlineReader(after, lambda: pytest.fail("it asked while it was banned"))
        KlineKeeper(after, waiting).turn(100.0)  # the next process: it learns of the ban before it is told what to listen to
        waiting.start()
        assert until(lambda: after.obstacle.startswith("banned until"))
        waiting.finish()
        waiting.join(3)
        assert (waiting.failure, len(server.peers)) == (None, 1)


def test_when_the_ban_is_over_the_state_says_so(watched: WatchedSymbol, reading: Any) -> None:
    over = timezone.now() - timedelta(seconds=1)
    ServiceState.objects.create(service="binance", endpoint="stream", state=ServiceState.State.THROTTLED, until=over)
    with Server([speaking(frame())]) as server:
        reader, heard = reading(server)
        keeper = KlineKeeper(heard, reader)
        assert until(lambda: heard.connected)
        keeper.turn(100.0)
        assert heard.banned_until is None
    assert ServiceState.objects.get().state == ServiceState.State.OK


@pytest.mark.django_db(transaction=True)
def test_from_the_simulated_stream_to_the_table(settings: Any) -> None:
    token = Token.objects.create(address="BTCUSDT", chain="binance", status="Active")
    WatchedSymbol.objects.create(symbol="BTCUSDT", token=token)
    began = time.time()
    stream = KlineStream(clock=lambda: began // 60 * 60 + 35.0 + 10 * (time.time() - began))
    stream.start()
    settings.BINANCE_WS_URL = stream.url
    try:
        with Klines() as klines:
            assert until(lambda: Bar.objects.exists(), 15)
            klines.check()
    finally:
        stream.stop()
    assert Bar.objects.get().token == token
