"""Clients small enough to be read at once: one that keeps every rule, and many that break one each. Who judges must be seen to convict."""

import json
import logging
import os
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import websocket
from django.db import connection
from django.utils import timezone

from ingestion import pumpportal
from ingestion.errors import Malformed
from ingestion.facts import Migration
from ingestion.intake import close_gap, open_gap, record_migrations
from ingestion.models import Heartbeat
from tokens.models import StatusChange, Token
from tothemoon.tests.soak.adversary.stage import CANARIES, Stage

RETURN_SEC = 0.8
FRAMES_A_BATCH = 5
METHODS = ("subscribeNewToken", "subscribeMigration")


class Listener:
    """A listener that keeps every rule, in one thread. It looks like a worker to the stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.over = threading.Event()
        self.batch: list[Migration] = []
        self.frames = self.duplicates = 0
        self.pid = os.getpid()
        self._log = Path(stage.folder / "double" / "run_listener.log")
        self._log.parent.mkdir(exist_ok=True)
        self.thread = threading.Thread(target=self._run, daemon=True)

    @property
    def running(self) -> bool:
        return self.thread.is_alive()

    def said(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def warn(self, words: str) -> None:
        with self._log.open("a") as log:
            log.write(json.dumps({"ts": datetime.now(UTC).isoformat(), "level": "WARNING", "logger": "double", "msg": words}) + "\n")

    def end(self) -> None:
        self.over.set()
        self.thread.join(20)

    def _run(self) -> None:
        logging.getLogger("websocket").setLevel(logging.CRITICAL)
        open_gap(timezone.now(), "starting")
        try:
            while not self.over.is_set():
                self.over.wait(self.connect_once())
        finally:
            connection.close()

    def connect_once(self) -> float:
        """One connection from its beginning to its end; for how long to stay away then."""
        try:
            feed = websocket.create_connection(self.stage.feed.url, timeout=0.1, header=["User-Agent: double"])
        except websocket.WebSocketBadStatusException as refusal:
            return self.after_refusal(float((refusal.resp_headers or {}).get("retry-after", 1)))
        except (OSError, websocket.WebSocketException):
            return RETURN_SEC
        self.subscribe(feed)
        self.hearing()
        try:
            while not self.over.is_set():
                self.receive(feed)
        except (OSError, websocket.WebSocketException):
            self.disconnected()
        finally:
            feed.shutdown()
        return self.after_loss()

    def receive(self, feed: Any) -> None:
        try:
            opcode, raw = feed.recv_data()
        except websocket.WebSocketTimeoutException:
            self.flush()
            return
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise websocket.WebSocketConnectionClosedException("closed")
        self.frames += 1
        self.take(raw)
        if len(self.batch) >= FRAMES_A_BATCH:
            self.flush()

    # What the broken ones change

    def subscribe(self, feed: Any) -> None:
        for method in METHODS:
            feed.send(json.dumps({"method": method}))

    def hearing(self) -> None:
        close_gap(timezone.now())

    def disconnected(self) -> None:
        self.flush()
        open_gap(timezone.now(), "cut")

    def after_loss(self) -> float:
        return RETURN_SEC

    def after_refusal(self, asked_sec: float) -> float:
        return asked_sec + 0.2

    def take(self, raw: bytes) -> None:
        try:
            found = pumpportal.parse(raw)
        except Malformed:
            return
        if isinstance(found, Migration):
            self.batch.append(found)

    def flush(self) -> None:
        batch, self.batch = self.batch, []
        if batch:
            self.duplicates += self.store(batch).known
        self.beat()

    def store(self, batch: Sequence[Migration]) -> Any:
        return record_migrations(batch, timezone.now())

    def beat(self) -> None:
        detail = {"frames": self.frames, "duplicates": self.duplicates}
        Heartbeat.objects.update_or_create(component="listener", defaults={"ts": timezone.now(), "detail": detail})


class EndsWithTheCloseFrame(Listener):
    """Its loop is a `for message in socket`: a clean close ends it without an exception."""

    def after_loss(self) -> float:
        self.over.wait()
        return 0.0


class DropsItsLastBatch(Listener):
    def disconnected(self) -> None:
        self.batch = []
        open_gap(timezone.now(), "cut")


class LosesTheBatchToOneBadFrame(Listener):
    def take(self, raw: bytes) -> None:
        try:
            found = pumpportal.parse(raw)
        except Malformed:
            self.batch = []
            return
        if isinstance(found, Migration):
            self.batch.append(found)


class BelievesAnyMint(Listener):
    def take(self, raw: bytes) -> None:
        super().take(raw)
        if b"migrate" in raw and b"0x" in raw:
            self.batch.append(Migration(json.loads(raw)["mint"], "", ""))


class TellsHistoriesTwice(Listener):
    def store(self, batch: Sequence[Migration]) -> Any:
        recorded = super().store(batch)
        if recorded.known:
            token = Token.objects.get(address=batch[0].mint)
            StatusChange.objects.create(token=token, old="", new="Initial", reason="migrated", actor="listener")
        return recorded


class LetsTheLastWordWin(Listener):
    def store(self, batch: Sequence[Migration]) -> Any:
        recorded = super().store(batch)
        for migration in batch:
            Token.objects.filter(address=migration.mint).update(migrated_signature=migration.signature)
        return recorded


class NeverSaysItWasDeaf(Listener):
    def disconnected(self) -> None:
        self.flush()


class SaysItIsStillDeaf(Listener):
    """Closes its gap only when a message has come that it likes: long after it could hear."""

    def hearing(self) -> None:
        self.over.wait(1.5)
        close_gap(timezone.now())


class OpensTwoConnections(Listener):
    def subscribe(self, feed: Any) -> None:
        super().subscribe(feed)
        self.second = websocket.create_connection(self.stage.feed.url, timeout=2)
        self.second.shutdown()


class ComesBackAtOnce(Listener):
    def after_loss(self) -> float:
        return 0.0


class IgnoresRetryAfter(Listener):
    def after_refusal(self, asked_sec: float) -> float:
        return RETURN_SEC


class SubscribesTwice(Listener):
    def subscribe(self, feed: Any) -> None:
        super().subscribe(feed)
        super().subscribe(feed)


class KeepsControlCharacters(Listener):
    def store(self, batch: Sequence[Migration]) -> Any:
        recorded = super().store(batch)
        Token.objects.filter(address=batch[0].mint).update(name="\x1b[31mred")
        return recorded


class TellsItsKeyToTheLog(Listener):
    def disconnected(self) -> None:
        super().disconnected()
        self.warn(f"lost wss://feed.example/?api-key={CANARIES['PUMPPORTAL_API_KEY']}")


class TellsItsKeyToTheTables(Listener):
    def disconnected(self) -> None:
        self.flush()
        open_gap(timezone.now(), f"401 for key {CANARIES['BIRDEYE_API_KEY']}")


class FloodsTheLog(Listener):
    def take(self, raw: bytes) -> None:
        super().take(raw)
        self.warn("still here")


class CountsNoDuplicates(Listener):
    def beat(self) -> None:
        self.duplicates = 0
        super().beat()


class DiesOfADuplicate(Listener):
    def store(self, batch: Sequence[Migration]) -> Any:
        if super().store(batch).known:
            raise SystemExit
        return super().store(batch)


class SwallowsMemory(Listener):
    """Keeps everything it has ever heard, many times over."""

    kept = b""

    def disconnected(self) -> None:
        super().disconnected()
        self.kept = b"x" * 250_000_000


BROKEN: dict[type[Listener], str] = {
    EndsWithTheCloseFrame: "I6",
    DropsItsLastBatch: "I4",
    LosesTheBatchToOneBadFrame: "I4",
    BelievesAnyMint: "I3",
    TellsHistoriesTwice: "I2",
    LetsTheLastWordWin: "I12",
    NeverSaysItWasDeaf: "I5",
    SaysItIsStillDeaf: "I5",
    OpensTwoConnections: "I7",
    ComesBackAtOnce: "I7",
    IgnoresRetryAfter: "I7",
    SubscribesTwice: "I7",
    KeepsControlCharacters: "I9",
    TellsItsKeyToTheLog: "I11",
    TellsItsKeyToTheTables: "I11",
    FloodsTheLog: "I8",
    CountsNoDuplicates: "I10",
    DiesOfADuplicate: "I1",
    SwallowsMemory: "I8",
}
