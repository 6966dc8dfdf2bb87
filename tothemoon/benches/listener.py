"""The listener against a real WebSocket server: frames read, parsed and stored, while another process sends as fast as it can.

Ours is what `run_listener` runs: the reader's thread, the spool on the disk, the writer's thread with its batches. Of 25 frames one is a
migration, more than on the real feed; in the burst every frame is one, and every one becomes a token.
"""

from __future__ import annotations

import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import websocket
from django.test import override_settings
from django.utils import timezone
from websockets.sync.client import connect

from ingestion.listening import Reader
from ingestion.pumpportal import SUBSCRIPTIONS
from ingestion.spool import Spool
from ingestion.writing import Heard, Writer
from tokens.models import Status, StatusChange, Token
from tothemoon.benches.feed import feed
from tothemoon.benches.lines import IDIOMATIC, PEER, Subject
from tothemoon.benches.tick import Line, NotEmpty

EVERY = 25  # frames a migration
BURST_SHARE, SCALED = 10, 20  # of the frames: so many times fewer in the burst, and for who writes row by row
ROUNDS = 3
FRAMES_A_SECOND, BURST_FRAMES, BURST_SEC = 50_000.0, 10_000, 2.0
TIMES_THE_USUAL = 5.0
PATIENCE_SEC = 300.0
PATIENT = {"PUMPPORTAL_PING_SEC": PATIENCE_SEC, "PUMPPORTAL_STALL_SEC": PATIENCE_SEC}  # a second connection would be told other frames
USUAL = "websocket-client, json, get_or_create"

Way = Callable[[str, int, int], float]  # address, frames, migrations among them → seconds


class Short(RuntimeError):
    """Not everything that was sent was stored: the ways do not do the same work."""


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result, measured on the present database, which must be empty. `number` is of frames, the burst a tenth of it."""
    if Token.objects.exists():
        raise NotEmpty("this database holds tokens: a bench writes, and writes only where nothing is")
    say(f"{database}: the feed")
    mine, usual, peer, limit = _rates(number, EVERY, [ours, row_by_row, nothing_stored, bare_bytes])
    say(f"{database}: a burst")
    burst, burst_usual = (BURST_FRAMES / rate for rate in _rates(max(1, number // BURST_SHARE), 1, [ours, row_by_row]))
    stream = Subject("listener", database, "frames read, parsed and stored")
    at_once = Subject("listener", database, f"a burst of {BURST_FRAMES:,} migrations, all stored")
    return [
        stream.at_least("one in 25 is stored", "frames/s", mine, FRAMES_A_SECOND),
        stream.richer(IDIOMATIC, USUAL, "frames/s", mine, usual, TIMES_THE_USUAL),
        stream.richer(PEER, "websockets and json, nothing stored", "frames/s", mine, peer, None),
        stream.richer("the physical limit", "limit: recv_into of the bytes", "frames/s", mine, limit, None),
        at_once.within("from the first frame to the last row", "s", burst, BURST_SEC),
        at_once.faster(IDIOMATIC, USUAL, "s", burst, burst_usual, TIMES_THE_USUAL),
    ]


def _rates(number: int, every: int, ways: list[Way]) -> list[float]:
    """Frames a second of each way, the median of rounds in turn. Row by row is given a part of the frames."""
    few = max(every, number // SCALED)
    found: dict[Way, list[float]] = {way: [] for way in ways}
    with feed(number, every, 0) as many_frames, feed(few, every, Token.objects.count() + 10_000_000) as few_frames:
        for _ in range(ROUNDS):
            for way in ways:
                frames, address = (few, few_frames) if way is row_by_row else (number, many_frames)
                found[way].append(frames / way(address, frames, -(-frames // every)))
    Token.objects.all().delete()
    return [statistics.median(rates) for rates in found.values()]


def ours(address: str, frames: int, migrations: int) -> float:
    before = Token.objects.count()
    with tempfile.TemporaryDirectory(prefix="ttm-bench-") as folder, override_settings(PUMPPORTAL_WS_URL=address, **PATIENT):
        heard = Heard(spool=Spool(Path(folder) / "spool"))
        reader, writer = Reader(heard), Writer(heard)
        writer.start()
        writer.begun.wait(PATIENCE_SEC)
        reader.start()
        _until(lambda: heard.frames >= len(SUBSCRIPTIONS), reader, writer)
        began = time.perf_counter()
        _until(lambda: heard.frames >= frames + len(SUBSCRIPTIONS) and heard.new >= migrations, reader, writer)
        seconds = time.perf_counter() - began
        reader.finish()
        reader.join()
        writer.finish("the bench is over", PATIENCE_SEC)
        writer.join()
        heard.spool.close()
    if heard.dropped or heard.quarantined or Token.objects.count() - before != migrations:
        raise Short(f"{heard.new} new tokens of {migrations}, {heard.dropped} dropped, {heard.quarantined} not understood")
    return seconds


def _until(done: Callable[[], bool], *threads: Reader | Writer) -> None:
    give_up, pause = time.monotonic() + PATIENCE_SEC, threading.Event()
    while not done():
        if time.monotonic() > give_up or not all(thread.is_alive() for thread in threads):
            raise Short("the listener has not stored what it was sent") from next((t.failure for t in threads if t.failure), None)
        pause.wait(0.002)


def row_by_row(address: str, frames: int, migrations: int) -> float:
    """As one begins: the library as it comes, and a token is looked for and made when its migration arrives."""
    feed = websocket.create_connection(address, suppress_origin=True)
    with closing(feed):
        _subscribe(feed.send, feed.recv)
        began = time.perf_counter()
        for _ in range(frames):
            event = json.loads(feed.recv())
            if event["txType"] == "migrate":
                _made(event)
        return time.perf_counter() - began


def _made(event: dict[str, str]) -> None:
    now = timezone.now()
    about = {"status_changed_at": now, "created_at": now, "next_poll_at": now, "migrated_signature": event["signature"]}
    token, is_new = Token.objects.get_or_create(address=event["mint"], defaults={**about, "first_pool_label": event["pool"]})
    if is_new:
        StatusChange.objects.create(token=token, old="", new=Status.INITIAL, reason="migrated", evidence={}, actor="bench", ts=now)


def nothing_stored(address: str, frames: int, migrations: int) -> float:
    """The quickest library for Python, read and parsed and thrown away."""
    with connect(address, compression=None, proxy=None) as feed:
        _subscribe(feed.send, feed.recv)
        began = time.perf_counter()
        for _ in range(frames):
            json.loads(feed.recv())
        return time.perf_counter() - began


def _subscribe(send: Callable[[str], object], receive: Callable[[], object]) -> None:
    for subscription in SUBSCRIPTIONS:
        send(subscription)
        receive()


def bare_bytes(address: str, frames: int, migrations: int) -> float:
    """The bytes of as many frames, taken from the socket and looked at by nobody: until the server has nothing more to send."""
    with _raw(address) as (plain, size):
        into, left = bytearray(1 << 16), size
        began = time.perf_counter()
        while left > 0:
            left -= plain.recv_into(into)
        return time.perf_counter() - began


@contextmanager
def _raw(address: str) -> Iterator[tuple[socket.socket, int]]:
    """The socket beneath a connection that is subscribed, and how many bytes the feed will send: the second acknowledgement tells."""
    feed = websocket.create_connection(address, suppress_origin=True)
    with closing(feed):
        told: list[str] = []
        _subscribe(feed.send, lambda: told.append(str(feed.recv())))
        if feed.sock is None:
            raise Short("the feed has gone")
        yield feed.sock, int(json.loads(told[-1])["bytes"])
