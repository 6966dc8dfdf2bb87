"""Changes of status: by the rule, for all tokens at once, and by an operator's hand. Every change leaves a row with its reason."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import transaction

from tokens import status_rule
from tokens.bulk_rows import insert_rows, update_rows
from tokens.columns import Column, read_columns
from tokens.models import Status, StatusChange, Token
from tokens.status_rule import ACTIVATE, DEGRADE, TIME_OUT, Judgement, Rule, Seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = (
    Column("pk", "t.id"),
    Column("active", "t.status = 'Active'", "flag"),
    Column("created_at", "t.created_at", "moment"),
    Column("snapshot_at", "s.ts", "moment"),
    Column("last_check_at", "t.last_check_at", "moment"),
    Column("observed_sec", "t.observed_sec"),
    Column("low_since", "t.low_since", "moment"),
    Column("low_checks", "t.low_checks"),
    Column("tx_count_5m", "s.tx_count_5m"),
    Column("liquidity", "s.liquidity"),
    Column("pools", "CASE WHEN t.status = 'Initial' THEN (SELECT count(*) FROM pools p WHERE p.token_id = t.id) END"),
    Column("contradictory", "s.contradictions <> ''", "flag"),
    Column("last_trade_at", "CASE WHEN s.source = 'birdeye' THEN s.last_trade_at END", "moment"),
    Column("score", "t.last_score_value"),
    Column("scored_at", "t.last_scored_at", "moment"),
)
WAITING = """
    FROM tokens t JOIN token_snapshots s ON s.token_id = t.id AND s.ts = t.last_snapshot_at
    WHERE t.status IN ('Initial', 'Active') AND NOT t.held AND (t.last_check_at IS NULL OR t.last_check_at < t.last_snapshot_at)
    ORDER BY t.id
"""
STEPS = {
    ACTIVATE: (Status.INITIAL, Status.ACTIVE, "rule:activate"),
    DEGRADE: (Status.ACTIVE, Status.ARCHIVED, "rule:degrade"),
    TIME_OUT: (Status.INITIAL, Status.ARCHIVED, "rule:timeout"),
}
REASON_LENGTH = 400


@dataclass(frozen=True)
class Change:
    """A change that the rule asks for, with the numbers that speak for it."""

    token_id: int
    verdict: int
    snapshot_at: datetime
    reason: str
    evidence: dict[str, Any]


def review(now: datetime, rule: Rule) -> int:
    """Look at every fresh snapshot that was not looked at yet, and carry out what the rule says. Returns how many statuses changed.

    Held tokens are left alone, also those that an operator takes into his hand while this runs.
    """
    with transaction.atomic():
        columns = read_columns(COLUMNS, WAITING)
        if not columns["pk"].size:
            return 0
        seen = _seen(columns, rule)
        judgement = status_rule.judge(seen, rule, now.timestamp())
        _keep_state(columns["pk"], seen, judgement)
        wanted = [_change(place, columns, seen, judgement, rule) for place in np.flatnonzero(judgement.verdict).tolist()]
        return _carry_out(wanted, now) if wanted else 0


def _seen(columns: dict[str, NDArray[np.float64]], rule: Rule) -> Seen:
    last_trade_age = columns["snapshot_at"] - columns["last_trade_at"]
    return Seen(
        active=columns["active"] == 1,
        age_sec=columns["snapshot_at"] - columns["created_at"],
        contradictory=columns["contradictory"] == 1,
        outdated=status_rule.trades_are_outdated(last_trade_age, columns["tx_count_5m"], rule.freshness_limit_sec),
        score=np.where(columns["scored_at"] == columns["snapshot_at"], columns["score"], np.nan),
        **{
            name: columns[name]
            for name in ("snapshot_at", "last_check_at", "observed_sec", "low_since", "low_checks", "tx_count_5m", "liquidity", "pools")
        },
    )


def _keep_state(pks: NDArray[np.float64], seen: Seen, judgement: Judgement) -> None:
    """The rule's memory goes into the token's row, so that a restart changes nothing."""
    looked = judgement.looked
    rows = zip(
        pks[looked].astype(np.int64).tolist(),
        _moments(seen.snapshot_at[looked]),
        judgement.observed_sec[looked].tolist(),
        _moments(judgement.low_since[looked]),
        judgement.low_checks[looked].astype(np.int64).tolist(),
        strict=True,
    )
    update_rows(Token, "id", ["last_check_at", "observed_sec", "low_since", "low_checks"], list(rows), newer="last_check_at")


def _moments(seconds: NDArray[np.float64]) -> list[datetime | None]:
    known: dict[float, datetime] = {}
    return [None if at != at else known.get(at) or known.setdefault(at, datetime.fromtimestamp(at, UTC)) for at in seconds.tolist()]


def _change(place: int, columns: dict[str, NDArray[np.float64]], seen: Seen, judgement: Judgement, rule: Rule) -> Change:
    verdict = int(judgement.verdict[place])
    numbers = {
        "tx_count_5m": seen.tx_count_5m[place],
        "liquidity": seen.liquidity[place],
        "pools": seen.pools[place],
        "score": seen.score[place],
        "low_checks": judgement.low_checks[place],
        "low_for_sec": seen.snapshot_at[place] - judgement.low_since[place],
        "observed_sec": judgement.observed_sec[place],
    }
    evidence: dict[str, Any] = {name: _plain(float(value)) for name, value in numbers.items()}
    evidence["snapshot_at"] = datetime.fromtimestamp(float(seen.snapshot_at[place]), UTC).isoformat()
    evidence["thresholds"] = status_rule.thresholds(verdict, rule)
    return Change(
        token_id=int(columns["pk"][place]),
        verdict=verdict,
        snapshot_at=datetime.fromtimestamp(float(seen.snapshot_at[place]), UTC),
        reason=status_rule.reason(verdict, numbers, rule)[:REASON_LENGTH],
        evidence=evidence,
    )


def _plain(value: float) -> float | int | None:
    if value != value:
        return None
    return int(value) if value == int(value) else value


def _carry_out(wanted: list[Change], now: datetime) -> int:
    """Change those that are still as they were when they were read: an operator's hand goes first."""
    free = Token.objects.select_for_update().filter(pk__in=[change.token_id for change in wanted], held=False)
    unchanged = dict(free.values_list("pk", "status"))
    certain = [change for change in wanted if unchanged.get(change.token_id) == STEPS[change.verdict][0]]
    tokens, rows = [], []
    for change in certain:
        old, new, actor = STEPS[change.verdict]
        tokens.append((change.token_id, new.value, now, now if new == Status.ACTIVE else None, now if new == Status.ARCHIVED else None))
        rows.append((change.token_id, old.value, new.value, change.reason, json.dumps(change.evidence), actor, now))
    _set_statuses(tokens, now)
    return insert_rows(StatusChange, ["token", "old", "new", "reason", "evidence", "actor", "ts"], rows)


def _set_statuses(changes: list[tuple[int, str, datetime, datetime | None, datetime | None]], now: datetime) -> None:
    """A new status starts with an empty memory; a token that just became Active is polled at once."""
    activated = [(pk, status, at, began, now, 0.0, None, 0) for pk, status, at, began, _ in changes if began]
    archived = [(pk, status, at, ended, 0.0, None, 0) for pk, status, at, _, ended in changes if ended]
    fresh = ["observed_sec", "low_since", "low_checks"]
    update_rows(Token, "id", ["status", "status_changed_at", "activated_at", "next_poll_at", *fresh], activated)
    update_rows(Token, "id", ["status", "status_changed_at", "archived_at", *fresh], archived)


# By hand


def change_status(token: Token, new: str, reason: str, actor: str, now: datetime, hold: bool = True) -> StatusChange | None:
    """Give `token` a status by hand and keep it there until it is released. None where it has that status already: then it is only held.

    Raises ValueError for an unknown status or an empty reason.
    """
    status, reason = Status(new), _spoken(reason)
    with transaction.atomic():
        old = Token.objects.select_for_update().get(pk=token.pk).status
        changes: dict[str, Any] = {"held": hold or token.held}
        if old != status:
            changes |= {"status": status, "status_changed_at": now, "observed_sec": 0.0, "low_since": None, "low_checks": 0}
            changes |= {"last_check_at": None, "next_poll_at": now}
        if old != status and status == Status.ACTIVE:
            changes["activated_at"] = now
        if old != status and status == Status.ARCHIVED:
            changes["archived_at"] = now
        Token.objects.filter(pk=token.pk).update(**changes)
        token.refresh_from_db()
        if old == status:
            return None
        evidence = {"by_hand": True, "held": token.held, "score": token.last_score_value}
        return StatusChange.objects.create(token=token, old=old, new=status, reason=reason, evidence=evidence, actor=actor, ts=now)


def hold(token: Token, reason: str, actor: str, now: datetime) -> StatusChange | None:
    """Keep `token` where it is, whatever the rule says. None where it is held already."""
    return _take_or_release(token, True, f"held: {_spoken(reason)}", actor, now)


def release(token: Token, reason: str, actor: str, now: datetime) -> StatusChange | None:
    """Hand `token` back to the rule, which starts with an empty memory. None where it was not held."""
    return _take_or_release(token, False, f"released: {_spoken(reason)}", actor, now)


def _take_or_release(token: Token, held: bool, reason: str, actor: str, now: datetime) -> StatusChange | None:
    with transaction.atomic():
        changed = Token.objects.filter(pk=token.pk, held=not held).update(held=held, last_check_at=None, low_since=None, low_checks=0)
        token.refresh_from_db()
        if not changed:
            return None
        evidence = {"by_hand": True, "held": held}
        return StatusChange.objects.create(
            token=token, old=token.status, new=token.status, reason=reason[:REASON_LENGTH], evidence=evidence, actor=actor, ts=now
        )


def _spoken(reason: str) -> str:
    """One line, without what a database would refuse."""
    kept = (" " if character.isspace() else character for character in reason)
    reason = " ".join("".join(character for character in kept if unicodedata.category(character) not in ("Cc", "Cs")).split())
    if not reason:
        raise ValueError("A change by hand needs a reason: the next person will ask for it.")
    return reason[:REASON_LENGTH]
