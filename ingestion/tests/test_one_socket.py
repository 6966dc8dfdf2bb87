"""What a server can do to one connection: each fault is played over a real socket, with small times."""

import itertools
import socket
import struct
import threading
import time
import zlib

import pytest

from ingestion import one_socket
from ingestion.one_socket import Lost, OneSocket
from ingestion.tests.misbehaving_websocket import BINARY, CLOSE, PING, PONG, TEXT, Peer, Server, frame

CANARY = "canary-key-7f3a"


def connect(address, **changed):
    return OneSocket.connect(
        address, f"api-key={CANARY}", **{"ping_sec": 5, "ping_timeout_sec": 5, "stall_sec": 5, "open_sec": 2, **changed}
    )


def read_until_lost(feed, seconds=40):
    """All messages up to the end of the connection, and how it ended."""
    messages, until = [], time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            message = feed.receive(0.1)
            if message is not None:
                messages.append(message)
    except Lost as lost:
        return messages, lost
    finally:
        feed.close()
    raise AssertionError("still connected")


def played(script, **changed):
    """What one connection to a server with this script brings."""
    with Server([script]) as server:
        return read_until_lost(connect(server.url, **changed))


def refused(script, **changed):
    """How the attempt to open a connection to a server with this script fails, after how long, and the server."""
    began = time.monotonic()
    with Server([script]) as server, pytest.raises(Lost) as caught:
        connect(server.url, **changed)
    return caught.value, time.monotonic() - began, server


def welcomed_then(*actions):
    def script(peer: Peer) -> None:
        peer.shake_hands()
        for action in actions:
            action(peer)

    return script


def test_messages_come_out_as_they_went_in_text_and_binary():
    script = welcomed_then(lambda peer: peer.text("one", ""), lambda peer: peer.send(BINARY, b"\xff\x00"), lambda peer: peer.close())
    assert played(script)[0] == [b"one", b"", b"\xff\x00"]


def test_text_that_is_not_utf8_is_handed_on_and_costs_no_connection():
    messages, lost = played(welcomed_then(lambda peer: peer.text(b"\xff\xfe", "next"), lambda peer: peer.close()))
    assert messages == [b"\xff\xfe", b"next"]
    assert lost.kind == "closed"


def test_a_message_in_pieces_with_a_ping_between_them_is_put_together():
    raw = frame(TEXT, "a", fin=False) + frame(PING, "?") + frame(0, "b", fin=False) + frame(0, "c")
    assert played(welcomed_then(lambda peer: peer.raw(raw), lambda peer: peer.close()))[0] == [b"abc"]


def test_frames_that_come_together_with_the_welcome_are_not_lost():
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.raw(peer.welcome() + frame(TEXT, "x" * 100) * 1000)
        peer.listen()
        peer.close()

    assert played(script)[0] == [b"x" * 100] * 1000


# How a connection ends


@pytest.mark.parametrize("code", [None, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000, 4999])
def test_every_close_is_the_end_and_says_its_code(code):
    _, lost = played(welcomed_then(lambda peer: peer.close(code)))
    assert lost.kind == "closed"
    assert ("no code" if code is None else str(code)) in str(lost)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535])
def test_a_code_that_nobody_may_send_is_an_end_like_any_other(code):
    assert played(welcomed_then(lambda peer: peer.close(code)))[1].kind in ("closed", "protocol")


def test_the_reason_of_a_close_is_one_harmless_line():
    _, lost = played(welcomed_then(lambda peer: peer.close(1011, b"bye\n\x1b[31m\xffred" + b"x" * 100)))
    assert str(lost).startswith("closed by the server (1011: bye[31m")
    assert str(lost).isprintable()


@pytest.mark.parametrize("left_behind", [b"", b"\x81", b"\x81\x7e\x01", b'\x81\x20{"half'])
def test_a_cut_without_a_word_is_the_end_also_in_the_middle_of_a_frame(left_behind):
    messages, lost = played(welcomed_then(lambda peer: peer.text("whole"), lambda peer: peer.raw(left_behind)))
    assert (messages, lost.kind) == ([b"whole"], "cut")


def test_a_reset_is_the_end_too():
    _, lost = played(welcomed_then(lambda peer: peer.raw(b"\x81\x20half"), lambda peer: peer.reset()))
    assert lost.kind == "cut"


def test_a_peer_that_vanished_is_noticed_by_the_missing_pong():
    began = time.monotonic()
    _, lost = played(lambda peer: (peer.read_request(), peer.raw(peer.welcome()), peer.stay(3)), ping_sec=0.2, ping_timeout_sec=0.3)
    assert lost.kind == "no_pong"
    assert 0.4 < time.monotonic() - began < 2


def test_data_without_pongs_does_not_hide_the_missing_pong():
    def script(peer: Peer) -> None:
        peer.answers_pings = False
        peer.shake_hands()
        while not peer.gone.wait(0.01):
            peer.text("data")
            peer.send(PONG, b"not what was asked")

    messages, lost = played(script, ping_sec=0.2, ping_timeout_sec=0.3)
    assert lost.kind == "no_pong"
    assert len(messages) > 10


def test_a_server_that_answers_pings_and_says_nothing_has_stalled():
    with Server([welcomed_then(lambda peer: peer.stay())]) as server:
        _, lost = read_until_lost(connect(server.url, ping_sec=0.1, stall_sec=0.8))
        assert len(server.peers[0].pings) >= 4
    assert (lost.kind, str(lost)) == ("stalled", "no message for 0.8 s")


@pytest.mark.parametrize("tease", [frame(PING, "?"), frame(PONG, "!"), frame(TEXT, "", fin=False) + frame(0, "", fin=False) * 3])
def test_only_messages_count_against_the_stall(tease):
    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.raw(tease)
        while not peer.gone.wait(0.05):
            peer.raw(tease if tease[0] & 0xF in (PING, PONG) else frame(0, "", fin=False))

    assert played(script, stall_sec=0.8)[1].kind == "stalled"


def test_a_trickle_of_bytes_is_no_message():
    def script(peer: Peer) -> None:
        peer.shake_hands()
        for byte in itertools.cycle(b"\x81\x7e\xff\xff" + b"x" * 1000):
            if peer.gone.wait(0.05):
                return
            peer.raw(bytes([byte]))

    assert played(script, stall_sec=0.8)[1].kind == "stalled"


def test_half_a_frame_waits_for_its_other_half():
    def script(peer: Peer) -> None:
        peer.shake_hands()
        whole = frame(TEXT, "whole after all" * 20)
        for byte in range(len(whole)):
            peer.raw(whole[byte : byte + 1])
            peer.gone.wait(0.002)
        peer.close()

    assert played(script)[0] == [b"whole after all" * 20]


def test_all_messages_that_lie_here_come_at_once_and_a_ping_between_them_ends_what_comes():
    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.raw(b"".join([frame(TEXT, "1"), frame(TEXT, "2"), frame(TEXT, "3"), frame(PING, ""), frame(TEXT, "4")]))
        peer.stay()

    with Server([script]) as server:
        feed = connect(server.url)
        said = [feed.receive_all(5) for _ in range(4)]
        feed.close()
    assert said in ([[b"1"], [b"2", b"3"], [], [b"4"]], [[b"1", b"2", b"3"], [], [b"4"], []])  # the first may have come with the handshake


def test_a_reader_that_is_behind_finds_the_pong_at_the_end_of_its_backlog():
    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.text(*("x" * 1000 for _ in range(2000)))
        peer.stay()

    with Server([script]) as server:
        feed = connect(server.url, ping_sec=0.05, ping_timeout_sec=0.3)
        messages, until, slow = 0, time.monotonic() + 30, threading.Event()
        while messages < 2000 and time.monotonic() < until:
            messages += feed.receive(0.1) is not None
            slow.wait(0.0005)
        assert messages == 2000
        assert feed.receive(0.5) is None
        feed.close()


# What breaks the protocol


@pytest.mark.parametrize(
    "raw",
    [
        b"\x81\x83\x01\x02\x03\x04abc",
        b"\x83\x00",
        b"\x8b\x00",
        b"\xc1\x00",
        b"\xb1\x00",
        b"\x09\x00",
        b"\x89\x7e\x00\x7e" + b"x" * 126,
        b"\x80\x00",
        frame(TEXT, "a", fin=False) + frame(TEXT, "b"),
        frame(CLOSE, b"\x03"),
        b"\x81\x7f" + struct.pack("!Q", one_socket.MAX_MESSAGE_BYTES + 1),
        b"\x81\x7f" + struct.pack("!Q", 2**62),
        b"\xc1\x7f" + struct.pack("!Q", 1024) + zlib.compress(b"\0" * 2**20)[:1024],
        frame(TEXT, b"x" * 200_000, fin=False) + frame(0, b"x" * 100_000, fin=False),
    ],
    ids=["masked", "reserved opcode", "reserved control", "rsv1", "rsv2+3", "fragmented ping", "long ping", "lone piece", "new inside",
         "short close", "a byte too long", "2^62 bytes", "deflate bomb", "pieces without end"],
)  # fmt: skip
def test_a_breach_of_the_protocol_is_the_end_and_named(raw):
    _, lost = played(welcomed_then(lambda peer: peer.raw(raw), lambda peer: peer.stay(3)))
    assert lost.kind == "protocol"
    assert "broke the protocol" in str(lost)


def test_the_largest_allowed_message_comes_through():
    script = welcomed_then(lambda peer: peer.text(b"x" * one_socket.MAX_MESSAGE_BYTES), lambda peer: peer.close())
    assert len(played(script)[0][0]) == one_socket.MAX_MESSAGE_BYTES


def test_a_flood_of_pings_is_answered_and_absorbed():
    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.raw(frame(PING, "flood") * 10_000 + frame(PONG, "?") * 1000 + frame(TEXT, "after"))
        with peer._changed:
            peer._changed.wait_for(lambda: len(peer.pongs) >= 10_000, 30)
        peer.close()

    with Server([script]) as server:
        messages, lost = read_until_lost(connect(server.url))
        assert len(server.peers[0].pongs) == 10_000
    assert (messages, lost.kind) == ([b"after"], "closed")


def test_a_server_that_floods_and_never_reads_cannot_hold_us(monkeypatch):
    monkeypatch.setattr(one_socket, "WRITE_SEC", 0.3)

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.raw(peer.welcome())
        while True:
            peer.raw(frame(PING, b"x" * 125) * 5000)

    assert played(script, stall_sec=60)[1].kind in ("cut", "lost")


def test_a_process_that_was_frozen_does_not_take_its_own_sleep_for_a_stall():
    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.text("before", "while you slept")
        peer.stay()

    with Server([script]) as server:
        feed = connect(server.url, ping_sec=0.3, ping_timeout_sec=0.5, stall_sec=1.5)
        assert feed.receive(1) == b"before"
        threading.Event().wait(2.5)
        assert feed.receive(0.1) == b"while you slept"
        assert feed.receive(0.1) is None
        feed.close()


# Before a connection is open


@pytest.mark.parametrize("status", [401, 403, 404, 426, 429])
def test_a_server_that_does_not_want_us_is_understood(status):
    lost, _, _ = refused(lambda peer: (peer.read_request(), peer.raw(b"HTTP/1.1 %d No\r\nRetry-After: 120\r\n\r\n<html>" % status)))
    assert (lost.refused, lost.kind) == (True, "refused")
    assert str(lost) == f"refused with HTTP {status} ({one_socket.REFUSALS[status]})"
    assert b"Retry-After: 120" in lost.head


@pytest.mark.parametrize("status", [200, 204, 400, 500, 502, 503, 504, 520, 530])
def test_any_other_status_is_a_passing_trouble(status):
    lost, _, _ = refused(lambda peer: (peer.read_request(), peer.raw(b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\nsorry" % status)))
    assert (lost.refused, lost.kind, str(lost)) == (False, "status", f"answered with HTTP {status}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_key_goes_nowhere(status):
    with Server([welcomed_then(lambda peer: peer.stay(1))]) as sink:
        answer = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\n\r\n" % (status, sink.url.encode())
        lost, _, _ = refused(lambda peer: (peer.read_request(), peer.raw(answer)))
        assert sink.peers == []
    assert lost.kind == "redirect"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: d3Jvbmc=\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\xff\x00\xff\r\n\r\n",
        b"\r\n\r\n",
        b"",
        b"HTTP/1.1 101 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 101 OK\r\nSet-Cookie: =;;=\x01\r\n\r\n",
        b"HTTP/1.1 101 OK\r\nX: " + b"x" * 70_000,
    ],
)
def test_an_answer_that_opens_nothing_is_refused(answer):
    lost, _, _ = refused(lambda peer: (peer.read_request(), peer.raw(answer)))
    assert lost.kind == "handshake"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Switching Protocols\r\n", b"HTTP/1.1 503 X\r\nContent-Length: 1000000\r\n\r\n"])
def test_a_handshake_that_never_ends_ends_after_its_time(answer):
    lost, took, _ = refused(lambda peer: (peer.read_request(), peer.raw(answer), peer.stay(3)), open_sec=0.4)
    assert lost.kind in ("handshake", "status")
    assert 0.35 < took < 1.5


def test_a_dripped_handshake_ends_after_its_time():
    def script(peer: Peer) -> None:
        peer.read_request()
        for byte in itertools.chain(b"HTTP/1.1 101 Switching Protocols\r\nX: ", itertools.repeat(120)):
            peer.raw(bytes([byte]))
            peer.gone.wait(0.02)

    lost, took, _ = refused(script, open_sec=0.5)
    assert lost.kind == "handshake"
    assert took < 1.5


def test_nobody_there_is_said_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Lost, match=r"127\.0\.0\.1 cannot be reached: Connection refused"):
        connect(f"ws://127.0.0.1:{port}/")


def test_a_black_hole_costs_no_more_than_its_time():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        waiting = [socket.socket() for _ in range(4)]  # these fill the queue of those who wait for an accept
        for other in waiting:
            other.setblocking(False)
            other.connect_ex(deaf.getsockname())
        began = time.monotonic()
        with pytest.raises(Lost) as caught:
            connect(f"ws://127.0.0.1:{deaf.getsockname()[1]}/", open_sec=0.4)
        for other in waiting:
            other.close()
    assert caught.value.kind in ("unreachable", "handshake")
    assert time.monotonic() - began < 1.5


def test_a_name_that_does_not_exist_is_said_so():
    with pytest.raises(Lost) as caught:
        connect("ws://no-such-host.invalid/")
    assert caught.value.kind == "name"


def test_each_address_of_a_name_is_tried(monkeypatch):
    with Server([welcomed_then(lambda peer: peer.text("here"), lambda peer: peer.stay(2))]) as server:
        there = socket.getaddrinfo("127.0.0.1", server.port, type=socket.SOCK_STREAM)
        nobody = socket.getaddrinfo("127.0.0.2", 1, type=socket.SOCK_STREAM)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: nobody + there)
        feed = connect("ws://two-addresses.example/")
        assert feed.receive(2) == b"here"
        feed.close()


def test_an_address_of_a_family_that_this_machine_lacks_is_passed_over(monkeypatch):
    with Server([welcomed_then(lambda peer: peer.text("here"), lambda peer: peer.stay(2))]) as server:
        there = socket.getaddrinfo("127.0.0.1", server.port, type=socket.SOCK_STREAM)
        lacking = [(socket.AF_INET6 + 1000, *there[0][1:])]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: lacking + there)
        feed = connect("ws://two-families.example/")
        assert feed.receive(2) == b"here"
        feed.close()


# What we give away


def test_proxy_variables_of_the_environment_are_not_obeyed(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert played(welcomed_then(lambda peer: peer.text("direct"), lambda peer: peer.close()))[0] == [b"direct"]


def test_the_request_carries_the_key_and_offers_no_compression():
    with Server([welcomed_then(lambda peer: peer.close())]) as server:
        read_until_lost(connect(server.url))
        head = server.peers[0].head.lower()
    assert b"get /api/data?api-key=canary-key-7f3a http/1.1" in head
    assert b"sec-websocket-extensions" not in head
    assert b"cookie" not in head


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 No\r\nX-Echo: " + CANARY.encode() + b"\r\nContent-Length: 15\r\n\r\n" + CANARY.encode(),
        b"HTTP/1.1 302 Found\r\nLocation: ws://elsewhere.example/?api-key=" + CANARY.encode() + b"\r\n\r\n",
        b"not http: " + CANARY.encode() + b"\r\n\r\n",
    ],
)
def test_no_message_ever_holds_the_key(answer):
    lost, _, _ = refused(lambda peer: (peer.read_request(), peer.raw(answer)))
    assert CANARY not in str(lost)
    assert CANARY not in repr(lost)
    assert lost.__cause__ is None


def test_hanging_up_says_goodbye_and_may_be_done_twice():
    with Server([welcomed_then(lambda peer: peer.stay(2))]) as server:
        feed = connect(server.url)
        feed.close()
        feed.close()
        assert server.peers[0].gone.wait(2)
        assert server.peers[0].closed_with == b"\x03\xe8"


def test_sending_into_a_closed_connection_is_lost():
    with Server([welcomed_then(lambda peer: peer.stay(2))]) as server:
        feed = connect(server.url)
        feed.close()
        with pytest.raises(Lost, match="could not send"):
            feed.send("hello")


def test_what_comes_whole_and_what_comes_in_pieces_makes_one_order():
    """Plain frames that lie there are taken past the library: it must get all that is odd, and nothing twice."""
    long = "x" * 70_000  # its length takes eight bytes
    script = welcomed_then(
        lambda peer: peer.raw(frame(TEXT, "a") + frame(TEXT, "b", fin=False) + frame(PING, "?") + frame(0, "c") + frame(TEXT, "d" * 200)),
        lambda peer: peer.raw(frame(TEXT, long) + frame(BINARY, b"e") + frame(TEXT, "f" * 126)[:3]),
        lambda peer: peer.raw(frame(TEXT, "f" * 126)[3:] + frame(TEXT, "")),
        lambda peer: peer.close(),
        lambda peer: peer.stay(2),  # who goes away with the pong unread resets the connection, and what lies there is lost
    )
    assert played(script)[0] == [b"a", b"bc", b"d" * 200, long.encode(), b"e", b"f" * 126, b""]


@pytest.mark.parametrize("head", [b"\x81\x81\0\0\0\0a", b"\xc1\x01a", b"\x83\x01a"], ids=["masked", "reserved bit", "unknown opcode"])
def test_a_frame_that_is_not_allowed_is_not_taken_for_a_plain_one(head):
    messages, lost = played(welcomed_then(lambda peer: peer.raw(frame(TEXT, "before") + head + frame(TEXT, "after"))))
    assert (messages, lost.kind) == ([b"before"], "protocol")


def test_a_plain_frame_within_a_message_in_pieces_breaks_the_protocol():
    script = welcomed_then(lambda peer: peer.raw(frame(TEXT, "a", fin=False) + frame(TEXT, "whole") + frame(0, "b")))
    messages, lost = played(script)
    assert (messages, lost.kind) == ([], "protocol")
