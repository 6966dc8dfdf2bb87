"""A listener at work in a thread of the test, with the real threads, sockets and rows of the real one."""

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

from ingestion.listening import Listened, listen
from ingestion.models import Heartbeat
from ingestion.tests.misbehaving_websocket import Peer
from tokens.models import Token


@dataclass
class Run:
    """A listener at work in a thread."""

    stop: threading.Event = field(default_factory=threading.Event)
    ended: list[Listened] = field(default_factory=list)
    failed: list[BaseException] = field(default_factory=list)
    thread: threading.Thread | None = None

    def begin(self, **asked: object) -> None:
        def run() -> None:
            try:
                self.ended.append(listen(self.stop, **asked))
            except ValueError as error:
                self.failed.append(error)

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def end(self) -> float:
        """Stop it; how long that took."""
        began = time.monotonic()
        self.stop.set()
        self.thread.join(10)
        assert not self.thread.is_alive()
        return time.monotonic() - began


@contextmanager
def listener(settings, url, **asked):
    settings.PUMPPORTAL_WS_URL = url
    run = Run()
    run.begin(**asked)
    try:
        yield run
    finally:
        run.end()


def until(condition, seconds=8.0):
    """Whether it has become true in time."""
    ends, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < ends:
        if condition():
            return True
        pause.wait(0.02)
    return False


def stored(number):
    return until(lambda: Token.objects.count() >= number)


def detail():
    return Heartbeat.objects.get(component="listener").detail


def acknowledged_then_closed(*messages):
    def script(peer: Peer) -> None:
        peer.welcome_and_acknowledge()
        peer.text(*messages)
        peer.close()

    return script
