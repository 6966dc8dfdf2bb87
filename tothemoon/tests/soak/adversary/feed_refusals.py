"""A feed that does not want us: refusals with and without a word about waiting, redirects, handshakes that never end."""

import socket
import time

from ingestion.tests.misbehaving_websocket import Peer, Script, frame
from tothemoon.tests.soak.adversary import feed_losses
from tothemoon.tests.soak.adversary.catalogue import scenario
from tothemoon.tests.soak.adversary.services import http_date
from tothemoon.tests.soak.adversary.stage import Setting, Stage

LANE, BANS_LANE, QUICK_LANE = "refusals", "bans", "handshakes"
BAN_SEC, LONGEST_SEC = 2.0, 4.0
OPEN_SEC = 10.0
FLOOR_SEC = 5.0  # no Retry-After makes it come back sooner
SOON_SEC = 12.0
CHANGES = {"PUMPPORTAL_BACKOFF_MAX_SEC": str(LONGEST_SEC), "PUMPPORTAL_BAN_WAIT_SEC": str(BAN_SEC), "PUMPPORTAL_STALL_SEC": "60"}
SETTING = Setting(feed_losses.begin, feed_losses.finish, CHANGES)
BANS_SETTING = Setting(feed_losses.begin_with_site, feed_losses.finish, CHANGES)
QUICK_SETTING = Setting(feed_losses.begin, feed_losses.finish, {"PUMPPORTAL_STALL_SEC": "60"})


def refusing(stage: Stage, status: int, *headers: str, body: str = "<html>no</html>", asked_sec: float = 0.0) -> Script:
    """Answers the handshake with this. `asked_sec` is for how long the judge sees to it that nobody comes back."""

    def script(peer: Peer) -> None:
        peer.read_request()
        if asked_sec:
            stage.feed.refusals.append((time.monotonic(), asked_sec))
        lines = [f"HTTP/1.1 {status} No", *headers, f"Content-Length: {len(body)}", "", body]
        peer.raw("\r\n".join(lines).encode())

    return script


def turned_away(stage: Stage, what: str, script: Script, line_sec: float) -> None:
    """The line is closed, the next handshake fails by this script, and the one after it succeeds: not too soon, and not too late."""
    stage.feed.next_up.append(script)
    tries = len(stage.feed.tried_at)
    feed_losses.lose(stage, what, lambda peer: peer.close(1001), LONGEST_SEC + line_sec)
    stage.expect(len(stage.feed.tried_at) >= tries + 2, "played", f"{what} met nobody")


@scenario(LANE, "W09", promise="Never back before Retry-After, nor within 5 s of any; without a readable one after the wait for a ban.")
def retry_after(stage: Stage) -> None:
    turned_away(stage, "Retry-After: 0", refusing(stage, 429, "Retry-After: 0", asked_sec=FLOOR_SEC), SOON_SEC)
    turned_away(stage, "Retry-After: -5", refusing(stage, 429, "Retry-After: -5", asked_sec=BAN_SEC), SOON_SEC)
    turned_away(stage, "Retry-After: soon", refusing(stage, 429, "Retry-After: soon", asked_sec=BAN_SEC), SOON_SEC)
    turned_away(stage, "Retry-After: 1e9", refusing(stage, 429, "Retry-After: 1e9", asked_sec=BAN_SEC), SOON_SEC)
    turned_away(stage, "no Retry-After", refusing(stage, 429, asked_sec=BAN_SEC), SOON_SEC)
    two = refusing(stage, 429, "Retry-After: 1", "Retry-After: 7", asked_sec=7.0)
    turned_away(stage, "two of them", two, SOON_SEC)
    fast = time.time() + 600  # its clock is ten minutes ahead of ours
    dated = refusing(stage, 429, f"Date: {http_date(fast)}", f"Retry-After: {http_date(fast + 7)}", asked_sec=6.0)
    turned_away(stage, "a date by a clock of its own", dated, SOON_SEC)


@scenario(BANS_LANE, "W09", "W39", "W13", promise="For 15 minutes it stays away; told to end in the middle of that it ends ≤ 3 s.")
def retry_after_for_ever(stage: Stage) -> None:
    feed = stage.feed
    feed.next_up.append(refusing(stage, 429, f"Retry-After: {feed.chance.choice(['120', '999999999'])}"))
    tries, line = len(feed.tried_at), feed.break_off(lambda peer: peer.close(1001))
    stage.within(LONGEST_SEC + 2, lambda: len(feed.tried_at) > tries, "I6", "back once")
    stage.expect(not stage.comes(lambda: len(feed.tried_at) > tries + 1, 6.0), "I7", "asked to stay away for minutes, and back")
    code, took = stage.workers["run_listener"].stop()
    stage.expect(code == 0 and took < 3 * stage.pace.slack, "I1", f"ended with {code} after {took:.1f} s in the middle of a wait")
    line.ended_at = line.ended_at or time.monotonic()
    lines = len(feed.lines)
    stage.start("run_listener")
    stage.expect(feed.wait_for_line(lines + 1, stage.pace.patience), "I6", "did not come back after a new start")
    feed.migrate(1)
    stage.all_stored()


@scenario(
    BANS_LANE, "W10", promise="At most one try in the wait for a ban (5 min as shipped); `/health` says it; back ≤ that wait after its end."
)
def banned(stage: Stage) -> None:
    feed = stage.feed
    ban = refusing(stage, 403, body="<html>You are banned for an hour</html>", asked_sec=BAN_SEC)
    began = time.monotonic()
    feed.otherwise = ban
    feed.break_off(lambda peer: peer.close(1008, b"banned"))
    stage.within(12, lambda: "banned" in str(stage.health()[1].get("gap")), "I10", "/health says banned")
    stage.comes(lambda: time.monotonic() - began > 5 * BAN_SEC, 5 * BAN_SEC)
    tries = sum(moment > began for moment in feed.tried_at)
    stage.expect(tries <= 5 + 1, "I7", f"{tries} tries in a ban of {5 * BAN_SEC:.0f} s")
    lines, feed.otherwise = len(feed.lines), None
    stage.within(BAN_SEC * 1.2 + 2, lambda: len(feed.lines) > lines, "I6", "listening after a ban")
    feed.migrate(2)
    stage.all_stored()


@scenario(QUICK_LANE, "W11", promise="4xx by the wait for a ban, 5xx by the growing waits; back and storing ≤ 8 s after either.")
def refused_by_status(stage: Stage) -> None:
    for status in (401, 404, 426):
        turned_away(stage, f"HTTP {status}", refusing(stage, status, asked_sec=BAN_SEC), SOON_SEC)
    for status in stage.chance.sample([500, 502, 503, 504, 520, 530], 3):
        turned_away(stage, f"HTTP {status}", refusing(stage, status), SOON_SEC)


@scenario(QUICK_LANE, "W12", promise="Not followed: not one byte reaches the place it names, and the key is in no log.")
def redirected(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sink:
        sink.setblocking(False)
        elsewhere = f"127.0.0.1:{sink.getsockname()[1]}"
        for status, target in (
            (301, f"wss://{elsewhere}/"),
            (302, f"ws://{elsewhere}/"),
            (307, f"http://{elsewhere}/"),
            (308, "/api/data"),
        ):
            turned_away(stage, f"redirect {status}", refusing(stage, status, f"Location: {target}"), SOON_SEC)
        try:
            sink.accept()[0].close()
        except BlockingIOError:
            return
        stage.expect(False, "I11", "a redirect was followed")


@scenario(QUICK_LANE, "W16", promise="≤ 10 s for each try, whatever the handshake does; back and storing after it.")
def bad_handshakes(stage: Stage) -> None:
    wrong = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: d3Jvbmc=\r\n\r\n"
    answers = {
        "a wrong Accept": wrong,
        "no Upgrade": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "64 KB of headers": b"HTTP/1.1 101 Switching Protocols\r\nX-Long: " + b"x" * 65_000 + b"\r\n\r\n",
        "200 instead of 101": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "not HTTP at all": frame(1, "hello"),
    }
    for what, raw in answers.items():
        turned_away(stage, what, lambda peer, raw=raw: (peer.read_request(), peer.raw(raw)), SOON_SEC)
    for what, script in {"a handshake that stalls": _stalls, "a handshake that drips": _drips}.items():
        turned_away(stage, what, script, OPEN_SEC + LONGEST_SEC + 1)


def _stalls(peer: Peer) -> None:
    peer.read_request()
    peer.socket.settimeout(60)
    while peer.socket.recv(100):
        pass


def _drips(peer: Peer) -> None:
    peer.read_request()
    for byte in peer.welcome():
        peer.raw(bytes([byte]))
        time.sleep(0.2)


@scenario(
    BANS_LANE, "W08", promise="Accepted, acknowledged, closed at once: the waits grow all the same (no more than half of one try a second)."
)
def storm(stage: Stage) -> None:
    feed = stage.feed

    def slam(peer: Peer) -> None:
        peer.welcome_and_acknowledge()
        peer.close(1000)

    began, feed.otherwise = time.monotonic(), slam
    feed.break_off(lambda peer: peer.close(1000))
    stage.within(12, lambda: stage.health()[1].get("status") == "degraded", "I10", "/health tells of a storm")
    stage.comes(lambda: time.monotonic() - began > 14, 14)
    tries, took = sum(moment > began for moment in feed.tried_at), time.monotonic() - began
    stage.expect(tries <= took / 1.5 + 1, "I7", f"{tries} connections in {took:.0f} s of a storm")
    lines, feed.otherwise = len(feed.lines), None
    stage.within(LONGEST_SEC + 2, lambda: len(feed.lines) > lines, "I6", "listening after a storm")
    feed.migrate(2)
    stage.all_stored()
