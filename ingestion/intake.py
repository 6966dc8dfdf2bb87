"""Values → rows. Everything here may be called twice with the same values and changes nothing the second time."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DataError, IntegrityError, models, transaction
from django.db.models import Exists, OuterRef

from ingestion.facts import Migration
from ingestion.models import ListeningGap, QuarantinedFrame
from tokens.bulk_rows import insert_rows
from tokens.models import Status, StatusChange, Token

KEPT_BYTES = 2_048
KEPT_FRAMES = 1_000
PUMPPORTAL = "pumpportal"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch of migrations. `conflicting` are known mints that came with another signature."""

    new: int = 0
    known: int = 0
    conflicting: int = 0
    refused: tuple[Migration, ...] = ()

    def __add__(self, other: "Recorded") -> "Recorded":
        return Recorded(self.new + other.new, self.known + other.known, self.conflicting + other.conflicting, self.refused + other.refused)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that could not be read, when it came, and why it is kept."""

    payload: bytes
    reason: str
    at: datetime


def record_migrations(migrations: Sequence[Migration], now: datetime, arrived: Sequence[datetime] = ()) -> Recorded:
    """Each unknown mint becomes one token with status Initial and the first row of its history; a known one changes nothing.

    The first event of a mint wins. `arrived` gives each event's own time where it is not `now`. A value that the database
    refuses is returned in `refused` and costs nobody else anything. The number of statements does not grow with the batch.
    """
    times = arrived or [now] * len(migrations)
    try:
        with transaction.atomic():
            return _record(migrations, times)
    except (DataError, IntegrityError, ValueError):  # ValueError: what the driver itself will not send, such as NUL
        if len(migrations) == 1:
            return Recorded(refused=tuple(migrations))
        middle = len(migrations) // 2
        return record_migrations(migrations[:middle], now, times[:middle]) + record_migrations(migrations[middle:], now, times[middle:])


def _record(migrations: Sequence[Migration], times: Sequence[datetime]) -> Recorded:
    first: dict[str, tuple[Migration, datetime]] = {}
    for migration, at in zip(migrations, times, strict=True):
        first.setdefault(migration.mint, (migration, at))
    _insert([_token(migration, at) for migration, at in first.values()])
    # A process that inserted one of these mints before us has committed by now, history and all: who has none is ours.
    stored = (
        Token.objects.filter(address__in=list(first))
        .annotate(has_history=Exists(StatusChange.objects.filter(token=OuterRef("pk"))))
        .values_list("pk", "address", "migrated_signature", "has_history")
    )
    by_mint = {mint: (pk, signature, has_history) for pk, mint, signature, has_history in stored}
    new = [mint for mint in first if not by_mint[mint][2]]
    _insert([_first_row(by_mint[mint][0], *first[mint]) for mint in new])
    conflicting = sum(1 for migration in migrations if migration.signature != by_mint[migration.mint][1])
    return Recorded(new=len(new), known=len(migrations) - len(new), conflicting=conflicting)


def _insert(rows: Sequence[models.Model]) -> None:
    """Through the bulk door, with every column as the model fills it; a row that a unique constraint knows is passed over."""
    if not rows:
        return
    fields = [field for field in rows[0]._meta.concrete_fields if not field.primary_key]
    insert_rows(type(rows[0]), [field.name for field in fields], [tuple(_value(row, field) for field in fields) for row in rows])


def _value(row: models.Model, field: "models.Field[object, object]") -> object:
    value = getattr(row, field.attname)
    return json.dumps(value) if isinstance(field, models.JSONField) else value


def _token(migration: Migration, at: datetime) -> Token:
    return Token(
        address=migration.mint,
        status=Status.INITIAL,
        created_at=at,
        status_changed_at=at,
        next_poll_at=at,
        migrated_signature=migration.signature,
        first_pool_label=migration.pool,
    )


def _first_row(token_id: int, migration: Migration, at: datetime) -> StatusChange:
    reason = f"migrated to {migration.pool or 'an exchange that the event does not name'}"
    evidence = {"pool": migration.pool, "signature": migration.signature}
    return StatusChange(token_id=token_id, old="", new=Status.INITIAL, reason=reason, evidence=evidence, actor="listener", ts=at)


def quarantine(frames: Sequence[Frame], source: str = PUMPPORTAL) -> None:
    """Keep frames that could not be read for a person to look at: the first 2 KB of each, and only the newest thousand."""
    rows = [
        QuarantinedFrame(source=source, ts=frame.at, reason=frame.reason[:200], payload=visible(frame.payload), size=len(frame.payload))
        for frame in frames[-KEPT_FRAMES:]
    ]
    with transaction.atomic():
        QuarantinedFrame.objects.bulk_create(rows)
        beyond = QuarantinedFrame.objects.filter(source=source).order_by("-pk").values_list("pk", flat=True)[KEPT_FRAMES : KEPT_FRAMES + 1]
        for newest_to_go in beyond:
            QuarantinedFrame.objects.filter(source=source, pk__lte=newest_to_go).delete()


def visible(payload: bytes) -> str:
    """The first 2 KB as text that any database holds and any terminal shows: all that is not printable stands as an escape."""
    written = payload[:KEPT_BYTES].decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in written)


def open_gap(since: datetime, why: str, source: str = PUMPPORTAL) -> None:
    """From `since` on we are not listening. A gap that is open already goes on, from its own beginning, for the newest reason.

    A gap never reaches back into the one before it: no second is counted as unheard twice.
    """
    with transaction.atomic():
        if ListeningGap.objects.filter(source=source, to_ts__isnull=True).update(why=why[:300]):
            return
        last = ListeningGap.objects.filter(source=source).order_by("-from_ts").values_list("to_ts", flat=True).first()
        ListeningGap.objects.create(source=source, from_ts=max(since, last or since), why=why[:300])


def close_gap(at: datetime, source: str = PUMPPORTAL) -> timedelta | None:
    """We have been listening again since `at`. How long we had not been, if there was a gap."""
    gap = ListeningGap.objects.filter(source=source, to_ts__isnull=True).first()
    if gap is None:
        return None
    gap.to_ts = max(at, gap.from_ts)
    gap.save(update_fields=["to_ts"])
    return gap.to_ts - gap.from_ts
