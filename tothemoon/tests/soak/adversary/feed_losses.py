"""A connection that is lost, in every way a connection can be lost, and one that only seems to be there."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable

from ingestion.tests.mints import create_frame, mint
from ingestion.tests.misbehaving_websocket import BINARY, CLOSE, PING, PONG, TEXT, Peer, frame
from tothemoon.tests.soak.adversary import invariants
from tothemoon.tests.soak.adversary.catalogue import scenario
from tothemoon.tests.soak.adversary.stage import Setting, Stage

LANE, SILENCES_LANE = "losses", "silences"
PINGS_SEC, STALL_SEC, BACK_SEC = 4.0, 6.0, 8.0  # by the quick timers: a ping unanswered, a silence noticed; and the pass line of most
Act = Callable[[Peer], None]


def lose(stage: Stage, what: str, act: Act, line_sec: float = BACK_SEC) -> None:
    """Something is said, the line is lost, a new one is subscribed and the next event is stored: not one is missing."""
    feed = stage.feed
    feed.migrate(2)
    before, began = len(feed.lines), time.monotonic()
    feed.break_off(act)
    if not stage.within(line_sec, lambda: len(feed.lines) > before, "I6", f"{what}: subscribed again", began):
        return
    feed.migrate(1)
    stage.all_stored(what=f"{what}: stored")


def cut_in_mid_frame(peer: Peer) -> None:
    peer.raw(frame(TEXT, "x" * 500)[:200])
    peer.socket.shutdown(socket.SHUT_WR)


def reset_in_mid_frame(peer: Peer) -> None:
    peer.raw(frame(TEXT, "x" * 500)[:200])
    peer.reset()


def begin(stage: Stage) -> None:
    stage.start("run_listener")
    hears(stage)


def begin_with_site(stage: Stage) -> None:
    """Where a scenario asks what the site says: it is there before anything goes wrong."""
    begin(stage)
    stage.health()


def hears(stage: Stage) -> None:
    stage.expect(stage.feed.wait_for_line(1, stage.pace.patience), "I6", "the listener did not come")
    stage.feed.migrate(1)
    stage.all_stored(60.0, "the first event")


def finish(stage: Stage) -> None:
    """A polite end, and then the verdict over everything."""
    invariants.no_secret_in_arguments(stage)
    line = stage.feed.current
    code, took = stage.workers["run_listener"].stop()
    stage.expect(code == 0 and took < 10 * stage.pace.slack, "I1", f"the listener ended with {code} after {took:.1f} s")
    line.ended_at = line.ended_at or time.monotonic()
    invariants.closing(stage)


SETTING, SILENCES_SETTING = Setting(begin, finish, {"PUMPPORTAL_STALL_SEC": "60"}), Setting(begin_with_site, finish)


@scenario(LANE, "W05", "W42", promise="Subscribed again and storing ≤ 8 s after each; a planned end of a connection is one of them.")
def clean_close(stage: Stage) -> None:
    for code in (1000, 1001, None):
        lose(stage, f"close {code or 'without a code'}", lambda peer, code=code: peer.close(code))


@scenario(LANE, "W06", promise="The same for every code and any reason; a reason neither breaks a line of the log nor colours a terminal.")
def close_with_words(stage: Stage) -> None:
    reasons = [b"", b"x" * 123, b"\xff\xfe not text", b"two\nlines ts=0 level=INFO", b"\x1b[31mred\x1b[0m", "\u202eright to left".encode()]
    codes = stage.chance.sample([*range(1002, 1004), *range(1007, 1015), 4000, 4999], len(reasons))
    for code, reason in zip(codes, reasons, strict=True):
        lose(stage, f"close {code}", lambda peer, code=code, reason=reason: peer.close(code, reason))
    stage.expect("\x1b" not in stage.logs(), "I9", "an escape sequence in the log")


@scenario(LANE, "W07", promise="Subscribed again ≤ 8 s after each; half a frame is nothing, whole ones before it are stored.")
def cut_without_a_word(stage: Stage) -> None:
    lose(stage, "RST", lambda peer: peer.reset())
    lose(stage, "FIN without a close frame", lambda peer: peer.socket.shutdown(socket.SHUT_WR))
    lose(stage, "FIN in the middle of a frame", cut_in_mid_frame)
    lose(stage, "RST in the middle of a frame", reset_in_mid_frame)


@scenario(LANE, "W32", promise="Hung up on by the head of the frame, subscribed again ≤ 8 s; memory within 64 MB of before.")
def frames_too_large(stage: Stage) -> None:
    stage.weigh()
    before = stage.heaviest_mb
    lose(stage, "a frame of 256 KiB and one byte", lambda peer: peer.raw(frame(TEXT, b" " * 262_145)))
    lose(stage, "2^62 bytes announced", lambda peer: peer.raw(b"\x81\x7f" + struct.pack("!Q", 2**62)))
    lose(stage, "pieces without end", _endless_pieces)
    lose(stage, "a frame that says it is compressed", lambda peer: peer.raw(b"\xc1\x05\xca\x48\xcd\xc9\x07"))
    stage.weigh()
    stage.expect(stage.heaviest_mb <= before + 64, "I8", f"{stage.heaviest_mb:.0f} MB, {before:.0f} MB before")


def _endless_pieces(peer: Peer) -> None:
    peer.raw(frame(TEXT, b"[" + b" " * 60_000, fin=False))
    while not peer.gone.wait(0.01):
        peer.raw(frame(0, b" " * 60_000, fin=False))


@scenario(LANE, "W33", promise="Hung up on, subscribed again ≤ 8 s after each.")
def broken_protocol(stage: Stage) -> None:
    lose(stage, "a masked frame", lambda peer: peer.raw(b"\x81\x82abcd" + bytes([ord("h") ^ ord("a"), ord("i") ^ ord("b")])))
    lose(stage, "a reserved opcode", lambda peer: peer.send(0x3, b"what"))
    lose(stage, "reserved bits", lambda peer: peer.raw(b"\xb1\x02hi"))
    lose(stage, "a ping in pieces", lambda peer: peer.send(PING, b"half", fin=False))
    lose(stage, "a ping of 126 bytes", lambda peer: peer.send(PING, b"x" * 126))
    lose(stage, "a close of one byte", lambda peer: peer.send(CLOSE, b"\x03"))


@scenario(LANE, "W38", promise="10,000 pings and as many pongs that nobody asked for cost neither the connection nor an event.")
def flood_of_pings(stage: Stage) -> None:
    feed = stage.feed
    lines = len(feed.lines)
    assert feed.current.peer is not None
    for _ in range(50):
        feed.current.peer.raw(frame(PING, b"flood") * 200 + frame(PONG, b"nobody asked") * 200)
    feed.migrate(3)
    stage.all_stored(10.0)
    stage.expect(len(feed.lines) == lines, "I6", "a flood of pings has cost the connection")


@scenario(LANE, "W04", "W34", promise="2,000 events at once are stored on the connection they came on, pings in between answered ≤ 1 s.")
def burst(stage: Stage) -> None:
    feed = stage.feed
    lines, peer = len(feed.lines), feed.current.peer
    assert peer is not None
    for turn in range(4):
        feed.migrate(500)
        asked = time.monotonic()
        peer.send(PING, f"in a burst {turn}")
        said = f"in a burst {turn}".encode()
        stage.within(1.0, lambda said=said: any(word == said for word, _ in peer.pongs), "I6", "a ping answered", asked)
    stage.all_stored(10.0, "a burst stored")
    stage.expect(len(feed.lines) == lines, "I6", "a burst has cost the connection")


@scenario(
    LANE, "W18", "W17", promise="Each connection sends each subscription once, first; unacknowledged ones cost nothing while launches come."
)
def unacknowledged(stage: Stage) -> None:
    stage.feed.acknowledges = False
    lose(stage, "subscribed to a server that says nothing of it", lambda peer: peer.close(1001))
    stage.feed.tell('{"errors":"Invalid message. Your message must be like the following: ..."}')
    stage.feed.migrate(2)
    stage.all_stored()
    stage.feed.acknowledges = True


@scenario(SILENCES_LANE, "W01", promise="Noticed by the ping's time-out (4 s here, 25 s as shipped), then subscribed again within 8 s.")
def half_open(stage: Stage) -> None:
    def vanish(peer: Peer) -> None:
        peer.answers_pings = False

    lose(stage, "the peer is gone and TCP does not know", vanish, PINGS_SEC + BACK_SEC)


@scenario(SILENCES_LANE, "W03", promise="Pings unanswered while events come: hung up by the time-out, and every event that came is stored.")
def data_without_pongs(stage: Stage) -> None:
    feed = stage.feed
    line, lines = feed.current, len(feed.lines)
    assert line.peer is not None
    line.peer.answers_pings = False
    began = time.monotonic()
    stage.within(PINGS_SEC + BACK_SEC, lambda: len(feed.lines) > lines, "I6", "noticed without pongs", began)
    feed.migrate(2)
    stage.all_stored()


@scenario(
    SILENCES_LANE,
    "W02",
    promise="Pings answered and nothing said: hung up after the stall time (6 s here, 90 s as shipped); `/health` says so.",
)
def silent_stall(stage: Stage) -> None:
    feed = stage.feed
    lines, began = len(feed.lines), time.monotonic()
    feed.current.quiet.set()
    feed.current.deaf_at = began
    feed.acknowledges = False  # nor does the next connection say anything
    feed.next_up.append(_mute)
    stage.within(STALL_SEC + 2, lambda: feed.current.peer is not None and feed.current.peer.gone.is_set(), "I6", "a stall noticed", began)
    feed.acknowledges = True
    stage.within(STALL_SEC + 4, lambda: stage.health()[1].get("status") == "degraded", "I10", "/health tells of the stall")
    stage.within(2 * STALL_SEC + BACK_SEC, lambda: len(feed.lines) > lines, "I6", "listening after a stall")
    feed.migrate(2)
    stage.all_stored()
    stage.within(10, lambda: stage.health()[1].get("feed", {}).get("state") == "ok", "I10", "/health tells of the recovery")


def _mute(peer: Peer) -> None:
    peer.shake_hands()
    peer.stay(60)


@scenario(SILENCES_LANE, "W44", promise="A message that comes byte by byte is none: hung up after the stall time.")
def trickle(stage: Stage) -> None:
    def drip(peer: Peer) -> None:
        """In pieces of one byte, between which pongs may stand: so no ping is left unanswered."""
        for place, byte in enumerate(create_frame(1).encode()):
            if peer.gone.wait(0.4):
                return
            peer.raw(frame(0 if place else TEXT, bytes([byte]), fin=False))

    def in_the_background(peer: Peer) -> None:
        threading.Thread(target=_while_it_lasts, args=(drip, peer), daemon=True).start()

    lose(stage, "a trickle", in_the_background, STALL_SEC + BACK_SEC)


def _while_it_lasts(act: Act, peer: Peer) -> None:
    with contextlib.suppress(OSError):  # when the client hangs up, which is the point
        act(peer)


@scenario(LANE, "W30", promise="Valid JSON in a binary frame is an event like any other; binary noise is counted and costs nothing.")
def binary_frames(stage: Stage) -> None:
    feed = stage.feed
    assert feed.current.peer is not None
    number = feed.fresh()
    feed.current.peer.raw(frame(BINARY, feed.event(number)))
    feed.tell(about=[mint(number)])
    feed.current.peer.raw(frame(BINARY, bytes(stage.chance.randrange(256) for _ in range(300))))
    feed.migrate(1)
    stage.all_stored()
