"""A feed that cannot be reached, or not safely: names, ports, certificates, and proxies that somebody has named in the environment.

One listener lives through all of it. It speaks TLS here, as it does in production, to a name whose addresses change.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ingestion.tests.certificates import certificate
from tothemoon.tests.soak.adversary import feed_losses, front
from tothemoon.tests.soak.adversary.catalogue import scenario
from tothemoon.tests.soak.adversary.front import Front
from tothemoon.tests.soak.adversary.stage import Setting, Stage

LANE = "places"
LISTENER, MISLED = "run_listener", "tothemoon.tests.soak.adversary.misled"
NAME = "feed.test"
HERE, NOBODY, HOLE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
IPV6_FIRST = f"::1 {HERE}"
TRY_SEC = 11.0  # for each try, as long as a black hole lasts
TOLD_SEC = 2.5  # until a heartbeat tells of it
HEALED_SEC = 10.0
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@dataclass
class Place:
    """Where the feed of this lane is thought to be, how it shows itself there, and the proxy that must not be asked."""

    names: Path
    front: Front
    proxy: socket.socket
    wrong: dict[str, ssl.SSLContext]

    def leads_to(self, addresses: str) -> None:
        later = self.names.with_suffix(".new")
        later.write_text(f"{NAME} {addresses}\n")
        later.replace(self.names)


def begin(stage: Stage) -> None:
    good, file = certificate(stage.folder, NAME)
    elsewhere, other = certificate(stage.folder, "elsewhere.test")
    expired, ended = certificate(stage.folder, NAME, days=-1)
    wrong = {"nobody vouches for it": certificate(stage.folder, NAME, days=9)[0], "of somebody else": elsewhere, "expired": expired}
    known = stage.folder / "authorities.pem"
    known.write_text("".join(path.read_text() for path in (file, other, ended)))
    behind = urlsplit(stage.feed.url)
    stage.place = Place(stage.folder / "names", Front(behind.port or 0, good), socket.create_server(("127.0.0.1", 0)), wrong)
    stage.opens(stage.place.front)
    stage.opens(stage.place.proxy)
    stage.place.leads_to(HERE)
    where = f"http://127.0.0.1:{stage.place.proxy.getsockname()[1]}"
    stage.changes |= {"PUMPPORTAL_WS_URL": f"wss://{NAME}:{stage.place.front.port}{behind.path}", "SSL_CERT_FILE": str(known)}
    stage.changes |= dict.fromkeys(PROXIES, where)
    stage.start_module(MISLED, LISTENER, str(stage.place.names))
    feed_losses.hears(stage)


SETTING = Setting(begin, feed_losses.finish, {"PUMPPORTAL_STALL_SEC": "60"})


def tries_in_vain(stage: Stage, what: str, says: str) -> None:
    """It says what is wrong, and does not end."""
    stage.within(TRY_SEC + TOLD_SEC, lambda: says in str(stage.listener_says().get("obstacle")), "I10", f"{what}: “{says}”")
    stage.expect(stage.workers[LISTENER].running, "I1", f"{what}: ended by itself")


def heals(stage: Stage, what: str, lines: int) -> None:
    stage.within(HEALED_SEC, lambda: len(stage.feed.lines) > lines, "I6", f"{what}: listening again")
    stage.feed.migrate(1)
    stage.all_stored()


@scenario(
    LANE, "W13", "W14", promise="Told, ≤ 10 s for each try, tried again for ever; storing ≤ 10 s after it heals; told to end it ends ≤ 3 s."
)
def out_of_reach(stage: Stage) -> None:
    feed, place = stage.feed, stage.place
    for what, addresses, says, then in (
        ("no such name", "", "cannot be resolved", IPV6_FIRST),
        ("nobody listens there", NOBODY, "cannot be reached", HERE),
    ):
        lines = len(feed.lines)
        place.leads_to(addresses)
        feed.break_off(lambda peer: peer.close(1001))
        tries_in_vain(stage, what, says)
        place.leads_to(then)
        heals(stage, what, lines)
    with black_hole(HOLE, place.front.port):
        line, lines = feed.current, len(feed.lines)
        place.leads_to(HOLE)
        feed.break_off(lambda peer: peer.close(1001))
        tries_in_vain(stage, "a black hole", "does not answer")
        code, took = stage.workers[LISTENER].stop()
        stage.expect(code == 0 and took <= 3 * stage.pace.slack, "I1", f"ended with {code} after {took:.1f} s in a black hole")
    line.ended_at = line.ended_at or time.monotonic()
    place.leads_to(HERE)
    stage.start_module(MISLED, LISTENER, str(place.names))
    stage.expect(feed.wait_for_line(lines + 1, stage.pace.patience), "I6", "did not come back after a new start")
    feed.migrate(1)
    stage.all_stored()


@contextlib.contextmanager
def black_hole(address: str, port: int) -> Iterator[None]:
    """A port whose queue is full: nobody is refused, and nobody gets through."""
    with socket.socket() as listening, contextlib.ExitStack() as fillers:
        listening.bind((address, port))
        listening.listen(0)
        with contextlib.suppress(TimeoutError):
            for _ in range(100):
                filler = fillers.enter_context(socket.socket())
                filler.settimeout(0.5)
                filler.connect((address, port))
            raise AssertionError("a queue without an end")
        yield


@scenario(
    LANE,
    "W15",
    promise="A certificate that is not right, or none: refused by name, never weakened, not one byte of ours to the bad peer.",
)
def not_to_be_trusted(stage: Stage) -> None:
    feed, place = stage.feed, stage.place
    strangers = {
        "an old protocol": (front.speaks_an_old_protocol, "UNSUPPORTED_PROTOCOL"),
        "no TLS": (front.speaks_plainly, "WRONG_VERSION_NUMBER"),
        "a handshake that stalls": (front.says_nothing, "does not answer"),
    }
    words = {"nobody vouches for it": "self-signed certificate", "of somebody else": "Hostname mismatch", "expired": "has expired"}
    strangers |= {what: (place.front.traps(context), words[what]) for what, context in place.wrong.items()}
    lines = len(feed.lines)
    for number, (what, (greets, says)) in enumerate(strangers.items()):
        came = place.front.came
        place.front.greets = greets
        if number == 0:
            feed.break_off(lambda peer: peer.close(1001))
        stage.expect(stage.comes(lambda came=came: place.front.came > came), "played", f"{what} met nobody")
        tries_in_vain(stage, what, says)
    place.front.greets = place.front.lets_in
    heals(stage, "the right certificate", lines)
    stage.expect(not place.front.said, "I11", f"told to a server that is not to be trusted: {place.front.said[:1]}")


@scenario(LANE, "W45", promise="HTTP_PROXY, HTTPS_PROXY, ALL_PROXY are not obeyed: where keys travel is decided by the settings alone.")
def proxies_in_the_environment(stage: Stage) -> None:
    """They have been named there since the lane began, through all of its connections."""
    feed_losses.lose(stage, "closed beside a proxy", lambda peer: peer.close(1001))
    proxy = stage.place.proxy
    proxy.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        proxy.accept()[0].close()
        stage.expect(False, "I11", "a proxy of the environment was asked")
