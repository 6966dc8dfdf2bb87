"""Values → rows. Everything here may be called twice with the same values and changes nothing the second time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DataError, IntegrityError, models, transaction

from ingestion.facts import Migration, PoolFacts
from ingestion.models import ListeningGap, QuarantinedFrame
from ingestion.snapshot_rows import Answer, Freshness, pool_columns, token_columns
from tokens.bulk_rows import find_rows, insert_columns, insert_rows, update_rows
from tokens.models import Pool, PoolSnapshot, Status, StatusChange, Token, TokenSnapshot
from tokens.overtaken import Overtaken, move_on, tokens_behind
from tokens.uncollected import uncollected

KEPT_BYTES = 2_048
KEPT_FRAMES = 1_000
PUMPPORTAL = "pumpportal"
NOW = "; now: "  # between the reason a gap began for and the one it goes on for


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

    payload: bytes  # may be only its beginning
    reason: str
    at: datetime
    size: int = 0  # of the whole; 0: the payload is the whole


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
    _insert(Token, [_token(migration, at) for migration, at in first.values()])
    # A process that inserted one of these mints before us has committed by now, history and all: who has none is ours.
    stored = find_rows(Token, "address", ["id", "address", "migrated_signature"], list(first))
    by_mint = {mint: (pk, signature) for pk, mint, signature in stored}
    with_history = {pk for (pk,) in find_rows(StatusChange, "token", ["token"], [pk for pk, _, _ in stored])}
    new = [mint for mint in first if by_mint[mint][0] not in with_history]
    _insert(StatusChange, [_first_row(by_mint[mint][0], *first[mint]) for mint in new])
    conflicting = sum(1 for migration in migrations if migration.signature != by_mint[migration.mint][1])
    return Recorded(new=len(new), known=len(migrations) - len(new), conflicting=conflicting)


def _insert(model: type[models.Model], rows: Sequence[dict[str, object]]) -> None:
    """Through the bulk door. What a row does not say has the model's default; a row that a unique constraint knows is passed over."""
    if not rows:
        return
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    names = [field.name for field in fields]
    usual = {field.name: field.get_default() for field in fields}
    insert_rows(model, names, [tuple({**usual, **row}.values()) for row in rows])


def _token(migration: Migration, at: datetime) -> dict[str, object]:
    return {
        "address": migration.mint,
        "status": Status.INITIAL.value,
        "created_at": at,
        "status_changed_at": at,
        "next_poll_at": at,
        "migrated_signature": migration.signature,
        "first_pool_label": migration.pool,
    }


def _first_row(token_id: int, migration: Migration, at: datetime) -> dict[str, object]:
    return {
        "token": token_id,
        "old": "",
        "new": Status.INITIAL.value,
        "reason": f"migrated to {migration.pool or 'an exchange that the event does not name'}",
        "evidence": json.dumps({"pool": migration.pool, "signature": migration.signature}),
        "actor": "listener",
        "ts": at,
    }


def quarantine(frames: Sequence[Frame], source: str = PUMPPORTAL) -> None:
    """Keep frames that could not be read for a person to look at: the first 2 KB of each, and only the newest thousand."""
    rows = [
        QuarantinedFrame(
            source=source, ts=frame.at, reason=frame.reason[:200], payload=visible(frame.payload), size=frame.size or len(frame.payload)
        )
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
    """From `since` on we are not listening. A gap that is open already goes on: its first reason stays, the newest is added.

    A gap never reaches back into the one before it: no second is counted as unheard twice.
    """
    with transaction.atomic():
        gap = ListeningGap.objects.filter(source=source, to_ts__isnull=True).first()
        if gap is not None:
            first = gap.why.split(NOW)[0]
            gap.why = first if why == first else f"{first[:140]}{NOW}{why[:140]}"
            gap.save(update_fields=["why"])
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


LAST_SEEN_GRAIN = timedelta(seconds=60)  # pools.last_seen is kept to this: it would cost as much again as all snapshots of a tick


@dataclass(frozen=True, slots=True)
class Snapshots:
    """What a tick left behind."""

    tokens: int = 0
    pools: int = 0
    new_pools: int = 0


@uncollected()
def record_snapshots(answers: Sequence[Answer], now: datetime, freshness: Freshness) -> Snapshots:
    """The answers of one tick become one row a token and one row a pool, all at the moment `now`.

    Tokens that nobody answered for get no row, only their next turn. An answer that is not newer than the token's newest row is
    passed over, and so is the same tick a second time. The number of statements does not grow with the tokens.
    """
    newer = [answer for answer in answers if answer.answered and (answer.last is None or answer.last.ts < now)]
    silent = [answer for answer in answers if not answer.answered]
    try:
        return _record_answers(newer, silent, now, freshness)
    except Overtaken:
        behind = tokens_behind([answer.token_id for answer in newer], now)
        return _record_answers([answer for answer in newer if answer.token_id in behind], silent, now, freshness)


def _record_answers(newer: Sequence[Answer], silent: Sequence[Answer], now: datetime, freshness: Freshness) -> Snapshots:
    pools = {pool.pool_address: (answer.token_id, pool) for answer in newer for pool in answer.pools or ()}
    with transaction.atomic():
        _update_tokens(newer, silent, now)
        new_pools = _record_pools(pools, now) if pools else 0
        columns = token_columns(newer, now, freshness) if newer else {}
        rows = insert_columns(TokenSnapshot, list(columns), list(columns.values())) if newer else 0
    return Snapshots(tokens=rows, pools=len(pools), new_pools=new_pools)


def _record_pools(pools: dict[str, tuple[int, PoolFacts]], now: datetime) -> int:
    """A row for each pool of this moment, and the pools themselves where they are new. How many of them are."""
    known = {address: (pk, seen) for address, pk, seen in find_rows(Pool, "pool_address", ["pool_address", "id", "last_seen"], list(pools))}
    new = [
        (token_id, address, pool.dex_name[:40], pool.quote_symbol[:40], pool.opened_at, now, now)
        for address, (token_id, pool) in pools.items()
        if address not in known
    ]
    insert_rows(Pool, ["token", "pool_address", "dex_name", "quote_symbol", "opened_at", "first_seen", "last_seen"], new)
    update_rows(Pool, "id", ["last_seen"], [(pk, now) for pk, seen in known.values() if seen <= now - LAST_SEEN_GRAIN], newer="last_seen")
    ids = {address: pk for address, (pk, _) in known.items()}
    ids |= dict(find_rows(Pool, "pool_address", ["pool_address", "id"], [row[1] for row in new]))
    columns = pool_columns([pool for _, pool in pools.values()], [ids[address] for address in pools], now)
    insert_columns(PoolSnapshot, list(columns), list(columns.values()))
    return len(new)


def _update_tokens(answered: Sequence[Answer], silent: Sequence[Answer], now: datetime) -> None:
    turn = ["next_poll_at", "poll_failures", "units_spent"]
    seen = [(answer.token_id, answer.next_poll_at, answer.poll_failures, answer.units, now) for answer in answered]
    move_on([*turn, "last_snapshot_at"], seen, "last_snapshot_at", added=["units_spent"])
    unseen = [(answer.token_id, answer.next_poll_at, answer.poll_failures, answer.units) for answer in silent]
    update_rows(Token, "id", turn, unseen, added=["units_spent"])
    named = [(answer.token_id, answer.names[0][:40], answer.names[1][:120]) for answer in answered if answer.names is not None]
    update_rows(Token, "id", ["symbol", "name"], named)


def record_spend(units: Mapping[str, int]) -> None:
    """Compute units spent on tokens, by address, where no answer of this tick carries them."""
    ids = find_rows(Token, "address", ["id", "address"], list(units))
    update_rows(Token, "id", ["units_spent"], [(pk, units[address]) for pk, address in ids], added=["units_spent"])
