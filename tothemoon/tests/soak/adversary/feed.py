"""A PumpPortal whose behaviour is decided from outside while clients are on it, and the ledger of what it said to whom and when."""

import contextlib
import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

from ingestion.tests.mints import create_frame, mint, signature
from ingestion.tests.misbehaving_websocket import ACKS, PING, Peer, Script, Server
from tothemoon.tests.soak.judge import AT_RISK_SEC
from tothemoon.tests.soak.world import Connection

LAUNCH_SEC = 0.15  # between two launches, the heartbeat of a healthy connection
START_SEC = 60.0


@dataclass(eq=False)
class Line(Connection):
    """One connection that was subscribed. `deaf_at` is when a client could no longer hear on it, if that was before its end."""

    peer: Peer | None = None
    deaf_at: float = 0.0
    killed_at: float = 0.0  # the client's process, without a word
    quiet: threading.Event = field(default_factory=threading.Event)

    @property
    def over_at(self) -> float:
        return self.killed_at or self.deaf_at or self.ended_at

    def may_miss(self, moment: float) -> bool:
        """Whether what was written then may be gone: just before the client's process ended."""
        return 0 < self.killed_at <= moment + AT_RISK_SEC

    @property
    def methods(self) -> list[str]:
        return [] if self.peer is None else [name for name, _ in self.peer.methods]


class Feed:
    """`lines` are the connections that got as far as a subscription; `tried_at` is every connection, refused ones too.

    A script put into `next_up` is played to the next connection; whoever finds none there gets a healthy one. Mints come from a
    range of their own for each seed, so that two trials never mean the same token.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self._base = seed * 1_000_000
        self._number = 0
        self.next_up: deque[Script] = deque()
        self.otherwise: Script | None = None  # played to whoever finds nothing in next_up
        self.lines: list[Line] = []
        self.acknowledges = True
        self.frames = 0  # written on healthy lines, the acknowledgements included
        self.expected: dict[str, tuple[str, str]] = {}  # mint → signature and pool of its first event
        self.began_with_a_gap = True  # a listener's first start is one: it has never heard anything
        self.refusals: list[tuple[float, float]] = []  # when one ended, and for how many seconds it asked to be left alone
        self._changed = threading.Condition()
        self._server = Server([self._play])

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for line in self.lines:
            line.quiet.set()
        self._server.__exit__(None, None, None)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def tried_at(self) -> list[float]:
        return list(self._server.connected_at)

    @property
    def peers(self) -> list[Peer]:
        return list(self._server.peers)

    @property
    def most_at_once(self) -> int:
        return self._server.most_at_once

    @property
    def current(self) -> Line:
        return self.lines[-1]

    @property
    def sent(self) -> list[tuple[str, float, Line]]:
        return [(address, moment, line) for line in list(self.lines) for address, moment in list(line.sent)]

    @property
    def blind_sec(self) -> float:
        """How long no client was subscribed, between the first line and the last."""
        lines = list(self.lines)
        return sum(max(0.0, later.subscribed_at - earlier.over_at) for earlier, later in pairwise(lines))

    # The healthy script, and what a scenario does from outside

    def _play(self, peer: Peer) -> None:
        turn = threading.Lock()
        plain = peer.raw

        def one_at_a_time(data: bytes) -> None:  # a pong must not land in the middle of a burst
            with turn:
                plain(data)

        peer.raw = one_at_a_time
        script = self.next_up.popleft() if self.next_up else self.otherwise
        (script or self.healthy)(peer)

    def healthy(self, peer: Peer) -> None:
        peer.shake_hands()
        if not peer.wait_for_methods(2, START_SEC):
            return
        line = Line(subscribed_at=peer.methods[1][1], peer=peer)
        if self.acknowledges:
            self._acknowledge(peer)
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()
        try:
            while not line.quiet.is_set() and not peer.gone.wait(LAUNCH_SEC):
                if not line.quiet.is_set():
                    peer.text(create_frame(self._base + self._number))
                    self.frames += 1
            peer.gone.wait(START_SEC)
        finally:
            line.ended_at = line.ended_at or time.monotonic()

    def _acknowledge(self, peer: Peer) -> None:
        peer.text(*(json.dumps({"message": said}) for said in ACKS))
        self.frames += len(ACKS)

    def fresh(self) -> int:
        """The number of a mint that was never used."""
        self._number += 1
        return self._base + self._number

    def event(self, number: int, **changes: object) -> str:
        """A migration as a frame. The first event of a mint is what the judge expects in the tables."""
        frame = {"signature": signature(number), "mint": mint(number), "txType": "migrate", "pool": "pump-amm", **changes}
        self.expected.setdefault(str(frame["mint"]), (str(frame["signature"]), str(frame["pool"])))
        return json.dumps(frame)

    def migrate(self, number: int = 1, line: Line | None = None) -> list[int]:
        """So many new migrations on the open line, noted when they are written whole."""
        numbers = [self.fresh() for _ in range(number)]
        for chunk in range(0, number, 100):
            part = numbers[chunk : chunk + 100]
            self.tell(*(self.event(n) for n in part), about=[mint(n) for n in part], line=line)
        return numbers

    def tell(self, *frames: str | bytes, about: list[str] | tuple[str, ...] = (), line: Line | None = None) -> None:
        """These frames on the open line; `about` are the mints of which a client that heard them must keep one token each.

        What could not be written whole, because nobody is there any more, was not sent.
        """
        line = line or self.current
        assert line.peer is not None
        try:
            line.peer.text(*frames)
        except OSError:
            return
        now = time.monotonic()
        self.frames += len(frames)
        line.sent.extend((address, now) for address in about)

    def break_off(self, act: Callable[[Peer], None], line: Line | None = None) -> Line:
        """Everything said so far is read by the client first; then `act` does its worst, and nothing more is said on this line."""
        line = line or self.current
        assert line.peer is not None
        line.quiet.set()
        self.heard(line)
        line.deaf_at = time.monotonic()
        with contextlib.suppress(OSError):
            act(line.peer)
        return line

    def heard(self, line: Line, seconds: float = START_SEC) -> bool:
        """Whether the client has read everything so far: it answers a ping in the order of what it reads."""
        assert line.peer is not None
        word = f"heard {time.monotonic()}".encode()
        with contextlib.suppress(OSError):
            line.peer.send(PING, word)
        until = time.monotonic() + seconds
        while time.monotonic() < until and not line.peer.gone.wait(0.01):
            if any(said == word for said, _ in line.peer.pongs):
                return True
        return False

    def wait_for_line(self, number: int, seconds: float) -> bool:
        """Whether there have been so many subscribed connections in time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.lines) >= number, seconds)
