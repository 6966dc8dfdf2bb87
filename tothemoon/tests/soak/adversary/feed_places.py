"""A feed that cannot be reached, or not safely: names, ports, certificates, and proxies that somebody has named in the environment."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from ingestion.tests.misbehaving_websocket import Peer, Server
from tothemoon.tests.soak.adversary.catalogue import scenario
from tothemoon.tests.soak.adversary.feed_refusals import QUICK_LANE as LANE
from tothemoon.tests.soak.adversary.stage import Stage
from tothemoon.tests.soak.victims import Worker

TRY_SEC = 11.0  # for each try, as long as a black hole lasts
LISTENER = "run_listener"


@contextlib.contextmanager
def away(stage: Stage) -> Iterator[None]:
    """The listener is stopped for a while, and its own feed is not asked; then it is started again, and nothing is missing."""
    line, lines = stage.feed.current, len(stage.feed.lines)
    stage.workers[LISTENER].stop()
    line.ended_at = line.ended_at or time.monotonic()
    yield
    stage.start(LISTENER)
    stage.expect(stage.feed.wait_for_line(lines + 1, stage.pace.patience), "I6", "did not come back")
    stage.feed.migrate(1)
    stage.all_stored()


def tries(stage: Stage, url: str, says: str, name: str, **changes: str) -> Worker:
    """A listener that is sent there says what is wrong, goes on trying, and ends at once when told."""
    worker = stage.start(LISTENER, name, PUMPPORTAL_WS_URL=url, **changes)
    stage.within(TRY_SEC + 10, lambda: says in worker.said(), "I10", f"{name}: “{says}”")
    stage.expect(worker.running, "I1", f"{name}: ended by itself")
    code, took = worker.stop()
    stage.expect(code == 0 and took <= 3 * stage.pace.slack, "I1", f"{name}: ended with {code} after {took:.1f} s")
    stage.workers.pop(name)
    return worker


@scenario(LANE, "W13", "W14", promise="Named in one line of the log, ≤ 10 s for each try, tried again for ever; told to end it ends ≤ 3 s.")
def out_of_reach(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with away(stage), black_hole() as hole:
        tries(stage, f"ws://127.0.0.1:{port}/", "cannot be reached", "run_listener-refused")
        tries(stage, "wss://feed.invalid/", "cannot be resolved", "run_listener-no-name")
        tries(stage, f"ws://127.0.0.1:{hole}/", "does not answer", "run_listener-black-hole")


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port whose queue is full: nobody is refused, and nobody gets through."""
    with socket.socket() as listening, contextlib.ExitStack() as fillers:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


@scenario(
    LANE, "W15", promise="A certificate that is not right, or none: refused by name, never weakened, not one byte of ours to the bad peer."
)
def not_to_be_trusted(stage: Stage) -> None:
    if shutil.which("openssl") is None:
        return
    heads: list[bytes] = []

    def listens(peer: Peer) -> None:
        with contextlib.suppress(OSError):
            peer.read_request()
        heads.append(peer.head)

    def says_http(peer: Peer) -> None:
        heads.append(peer.socket.recv(1000))
        peer.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with away(stage):
        with Server([listens], tls=self_signed(stage.folder)) as server:
            there = server.url.replace("127.0.0.1", "localhost")
            tries(stage, there, "is not to be trusted", "run_listener-self-signed")
        with Server([says_http]) as plain:
            tries(stage, plain.url.replace("ws://", "wss://"), "no secure connection", "run_listener-no-tls")
    stage.expect(not any(head.startswith(b"GET") for head in heads), "I11", "a request was sent to a server that is not to be trusted")


def self_signed(folder: Path) -> ssl.SSLContext:
    key, file = folder / "key.pem", folder / "certificate.pem"
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        key,
        "-out",
        file,
        "-subj",
        "/CN=localhost",
        "-days",
        "9",
    ]
    subprocess.run(words, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return context


@scenario(LANE, "W45", promise="HTTP_PROXY, HTTPS_PROXY, ALL_PROXY are not obeyed: where keys travel is decided by the settings alone.")
def proxies_in_the_environment(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        where = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        line, lines = stage.feed.current, len(stage.feed.lines)
        stage.again(LISTENER, **dict.fromkeys(names, where))
        line.ended_at = line.ended_at or time.monotonic()
        stage.expect(stage.feed.wait_for_line(lines + 1, stage.pace.patience), "I6", "did not come past the proxy")
        stage.feed.migrate(2)
        stage.all_stored()
        with contextlib.suppress(BlockingIOError):
            proxy.accept()[0].close()
            stage.expect(False, "I11", "a proxy of the environment was asked")
