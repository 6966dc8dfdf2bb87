"""Binance's stream of klines: frames → finished minutes, and when to connect again. What it misses, polling fills in.

The server ends every connection after a day: this one ends it before, by itself. A stream name that does not exist is acknowledged like
any other and stays silent.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseTrouble
from django.db import connection

from ingestion import strict_json
from ingestion.binance import Kline, kline_of
from ingestion.errors import Malformed
from ingestion.exchange_bars import write_klines
from ingestion.intake import close_gap, open_gap
from ingestion.ledger import stored_state
from ingestion.models import Heartbeat, ServiceState, WatchedSymbol
from ingestion.one_socket import Lost, OneSocket
from ingestion.pumpportal import Patience
from ingestion.seldom import Seldom
from ingestion.writing import utc_now

log = logging.getLogger(__name__)

COMPONENT, SOURCE, STREAM = "klines", "binance", "stream"
RENEW_SEC = 23 * 3600.0
STALL_SEC = 60.0  # a kline is pushed every two seconds
PING_SEC, PING_TIMEOUT_SEC = 60.0, 20.0
TICK_SEC = 0.2
LOOK_SEC = 15.0  # between two looks at the watch-list
STORE_SEC = 1.0
HEARTBEAT_SEC = 5.0
NAMES_A_COMMAND = 200
MOST_STREAMS = 1000


@dataclass(frozen=True, slots=True)
class Other:
    """A frame that is no kline: an answer to a command, a notice, an error."""

    kind: str
    text: str = ""


def parse(raw: bytes) -> Kline | Other:
    """A finished kline; anything else that makes sense is Other. Raises Malformed."""
    frame = strict_json.read(raw)
    if not isinstance(frame, dict):
        raise Malformed("not an object")
    data = frame["data"] if "stream" in frame and isinstance(frame.get("data"), dict) else frame
    if data.get("e") == "serverShutdown":
        return Other("shutdown")
    if "code" in data and "msg" in data:
        return Other("error", strict_json.text(data["msg"], 200))
    if "result" in data and "id" in data:
        return Other("answer")
    if data.get("e") != "kline" or not isinstance(data.get("k"), dict):
        return Other("unclassified")
    return _finished(data["k"])


def _finished(body: dict[str, Any]) -> Kline | Other:
    if body.get("x") is not True:
        return Other("growing")
    symbol, interval = body.get("s"), body.get("i")
    if not isinstance(symbol, str) or interval != "1m":
        raise Malformed("a kline of another length, or of no symbol")
    kline = kline_of(symbol, interval, body.get("t"), [body.get(name) for name in "ohlc"], body.get("q"), body.get("n"), body.get("Q"))
    if kline is None:
        raise Malformed("a kline that contradicts itself")
    return kline


@dataclass
class Heard:
    """What the reader hands on, and what it has counted."""

    finished: SimpleQueue[Kline] = field(default_factory=SimpleQueue)
    connected: bool = False
    obstacle: str = "starting"
    frames: int = 0
    klines: int = 0
    stored: int = 0
    unread: int = 0
    connections: int = 0
    last_message_at: datetime | None = None
    banned_until: datetime | None = None

    def detail(self) -> dict[str, object]:
        return {
            "connected": self.connected,
            "obstacle": self.obstacle,
            "frames": self.frames,
            "klines": self.klines,
            "stored": self.stored,
            "unread": self.unread,
            "reconnects": max(0, self.connections - 1),
            "last_message_at": self.last_message_at.isoformat() if self.last_message_at else None,
        }


def connect() -> OneSocket:
    return OneSocket.connect(settings.BINANCE_WS_URL + "/stream", ping_sec=PING_SEC, ping_timeout_sec=PING_TIMEOUT_SEC, stall_sec=STALL_SEC)


class KlineReader(threading.Thread):
    """Connected while there is anything on the watch-list, until `finish`. It never waits for the database."""

    def __init__(self, heard: Heard, opening: Callable[[], OneSocket] = connect, patience: Patience | None = None) -> None:
        super().__init__(name="klines", daemon=True)
        self._heard, self._opening = heard, opening
        self._patience = patience or Patience(settings.PUMPPORTAL_BACKOFF_MAX_SEC, settings.PUMPPORTAL_BAN_WAIT_SEC)
        self._wanted: frozenset[str] = frozenset()
        self._changed, self._finishing = threading.Event(), threading.Event()
        self._seldom = Seldom(log)
        self.failure: BaseException | None = None

    def watch(self, symbols: Iterable[str]) -> None:
        """From now on these symbols; the reader takes it up within a fraction of a second."""
        wanted = frozenset(sorted(symbols)[:MOST_STREAMS])
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()

    def finish(self) -> None:
        self._finishing.set()
        self._changed.set()

    def run(self) -> None:
        try:
            while not self._finishing.is_set():
                if self._wanted and (ban := self._ban_left()) > 0:
                    self._heard.obstacle = f"banned until {self._heard.banned_until:%Y-%m-%d %H:%M:%S} UTC"
                    self._finishing.wait(min(ban, 1.0))
                elif self._wanted:
                    self._once()
                else:
                    self._heard.obstacle = "nothing on the watch-list"
                    self._changed.wait(1.0)
                    self._changed.clear()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self.failure = error

    def _ban_left(self) -> float:
        until = self._heard.banned_until
        return (until - utc_now()).total_seconds() if until is not None else 0.0

    def _once(self) -> None:
        """One connection from its beginning to its end, and the wait after it."""
        feed: OneSocket | None = None
        try:
            feed = self._opening()
            self._heard.connections += 1
            self._heard.connected, self._heard.obstacle = True, ""
            if self._read(feed):
                return
        except Lost as lost:
            wait = self._patience.after(lost, time.monotonic(), utc_now())
            self._heard.obstacle = str(lost)
            if lost.banned:
                self._heard.banned_until = utc_now() + timedelta(seconds=wait)
            self._seldom.say(logging.WARNING, lost.kind, "no klines from Binance: %s; next try in %.1f s", lost, wait)
            self._heard.connected = False
            if feed is not None:
                feed.close()  # before the wait: one that is kept until the next is opened makes two
            self._finishing.wait(wait)
        finally:
            self._heard.connected = False
            if feed is not None:
                feed.close()

    def _read(self, feed: OneSocket) -> bool:
        """Until there is nothing to watch, or the connection is old enough to be renewed: then True. Every other way out is Lost."""
        asked: frozenset[str] = frozenset()
        commands, began = 0, time.monotonic()
        while not self._finishing.is_set() and self._wanted:
            wanted = self._wanted
            for method, names in (("SUBSCRIBE", wanted - asked), ("UNSUBSCRIBE", asked - wanted)):
                for command in _commands(method, sorted(names), commands):
                    feed.send(command)
                    commands += 1
            asked = wanted
            raw = feed.receive(TICK_SEC)
            if raw is not None:
                self._take(raw)
            if time.monotonic() - began > RENEW_SEC:
                return True
            if feed.messages and time.monotonic() - began > 60:
                self._patience.proven()
        return True

    def _take(self, raw: bytes) -> None:
        """Raises Lost when the server says that it will go away: whoever comes back at once may be sent away at once, again and again."""
        self._heard.frames += 1
        self._heard.last_message_at = utc_now()
        try:
            frame = parse(raw)
        except Malformed as malformed:
            self._heard.unread += 1
            self._seldom.say(logging.WARNING, "malformed", "a frame of Binance could not be read: %s", malformed)
            return
        if isinstance(frame, Kline):
            self._heard.klines += 1
            self._heard.finished.put(frame)
        elif frame.kind == "error":
            self._seldom.say(logging.WARNING, "error frame", "Binance reports an error: %s", frame.text)
        elif frame.kind == "shutdown":
            raise Lost("the server announced that it goes away", kind="shutdown")


def _commands(method: str, symbols: list[str], number: int) -> list[str]:
    groups = [symbols[start : start + NAMES_A_COMMAND] for start in range(0, len(symbols), NAMES_A_COMMAND)]
    return [
        json.dumps({"method": method, "params": [f"{symbol.lower()}@kline_1m" for symbol in group], "id": number + place + 1})
        for place, group in enumerate(groups)
    ]


class KlineKeeper(threading.Thread):
    """Looks at the watch-list, stores what the reader has heard, says that it lives. A database that is away is tried again."""

    def __init__(self, heard: Heard, reader: KlineReader, lock_lost: Callable[[], bool] = lambda: False) -> None:
        super().__init__(name="kline keeper", daemon=True)
        self._heard, self._reader, self._lock_lost = heard, reader, lock_lost
        self._finishing = threading.Event()
        self._seldom = Seldom(log)
        self._tokens: dict[str, int] = {}
        self._waiting: list[Kline] = []
        self._looked_at = self._beaten_at = -1e9
        self._heard_before: bool | None = None
        self._ban_stored: datetime | None = None
        self._remembered = False
        self._began_at = utc_now()
        self.failure: BaseException | None = None

    def finish(self) -> None:
        self._finishing.set()

    def run(self) -> None:
        try:
            while not self._finishing.wait(STORE_SEC):
                self.turn(time.monotonic())
            self.turn(time.monotonic())
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self.failure = error
        finally:
            connection.close()

    def turn(self, clock: float) -> None:
        """One round. What could not be stored waits for the next."""
        try:
            self._keep_the_ban()  # first: who is banned must know of it before he knows what to ask for
            if clock - self._looked_at >= LOOK_SEC:
                self._look()
                self._looked_at = clock
            self._store()
            if clock - self._beaten_at >= HEARTBEAT_SEC:
                self._beat()
                self._beaten_at = clock
        except DatabaseTrouble as trouble:
            self._seldom.say(logging.WARNING, "database", "klines wait for the database: %s", type(trouble).__name__)
            connection.close()

    def _keep_the_ban(self) -> None:
        """One that an earlier process met still holds; one that this process meets is stored for the next."""
        if not self._remembered:
            kept = stored_state(SOURCE, STREAM)
            if kept is not None and kept.state == ServiceState.State.THROTTLED:
                self._ban_stored = self._heard.banned_until = kept.until
            self._remembered = True
        until = self._heard.banned_until
        if until is not None and until != self._ban_stored:
            sentence = f"Binance has banned this address from its stream until {until:%d %B %H:%M} UTC. Bars come by polling meanwhile."
            self._state(ServiceState.State.THROTTLED, sentence, until)
            self._ban_stored = until
        elif until is not None and self._heard.connected:
            self._state(ServiceState.State.OK, "", None)
            self._ban_stored = self._heard.banned_until = None

    def _state(self, state: str, sentence: str, until: datetime | None) -> None:
        told = {"state": state, "sentence": sentence, "until": until, "since": utc_now()}
        ServiceState.objects.update_or_create(service=SOURCE, endpoint=STREAM, defaults=told)

    def _look(self) -> None:
        watched = WatchedSymbol.objects.filter(watched=True, token__isnull=False, obstacle="")
        self._tokens = dict(watched.values_list("symbol", "token_id"))
        self._reader.watch(self._tokens)

    def _store(self) -> None:
        while True:
            try:
                self._waiting.append(self._heard.finished.get_nowait())
            except Empty:
                break
        rows = [(self._tokens[kline.symbol], kline) for kline in self._waiting if kline.symbol in self._tokens]
        if rows and not self._lock_lost():
            self._heard.stored += write_klines(rows, utc_now())
        self._waiting = []

    def _beat(self) -> None:
        if not self._tokens and self._heard.connections == 0:
            return  # nobody watches anything: no sign of life is missed
        Heartbeat.objects.update_or_create(
            component=COMPONENT, defaults={"ts": utc_now(), "started_at": self._began_at, "detail": self._heard.detail()}
        )
        hearing = self._heard.connected or not self._tokens
        if hearing != self._heard_before:
            if hearing:
                close_gap(utc_now(), SOURCE)
            else:
                open_gap(utc_now(), self._heard.obstacle, SOURCE)
            self._heard_before = hearing


class Klines:
    """Both threads, for as long as a `with` lasts. `check` raises what one of them did not expect."""

    def __init__(self, lock_lost: Callable[[], bool] = lambda: False) -> None:
        heard = Heard()
        self.reader = KlineReader(heard)
        self.keeper = KlineKeeper(heard, self.reader, lock_lost)

    def __enter__(self) -> Klines:
        self.reader.start()
        self.keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.finish()
        self.reader.join(1.0)
        self.keeper.finish()
        self.keeper.join(2.0)

    def check(self) -> None:
        for thread in (self.reader, self.keeper):
            if thread.failure is not None:
                raise thread.failure
