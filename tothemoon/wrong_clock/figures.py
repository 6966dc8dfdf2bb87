"""What was made of answers while the clock was ahead goes, and each token is put back to the newest rows that it has left.

Some hundred tokens at a time, each lot in a transaction of its own: its tokens' rows are locked, as whoever stores a tick locks them, and
one that is just being written is left for the next round. So a worker that stores with the right clock meanwhile loses nothing, whoever of
the two comes first, and nobody waits for longer than a lot takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Min, Model, OuterRef, Q, QuerySet, Subquery

from ingestion.exchange_polling import MOST_MISSED, WINDOW
from ingestion.turns import LONGEST_WAIT_SEC
from scoring.models import TokenScore
from tokens.bulk_rows import update_rows
from tokens.models import Bar, BarSource, Chain, Pool, PoolSnapshot, Token, TokenSnapshot
from tothemoon.wrong_clock.found import FIGURES, REST, TOKENS, bars_ahead

TOKENS_A_BITE, ROWS_A_BITE = 200, 5_000
ROUNDS = 50  # of those that somebody else was writing
MOMENTS = ("created_at", "status_changed_at", "activated_at", "archived_at")
PUT_BACK = (
    *("last_snapshot_at", "last_scored_at", "last_score_value", "next_poll_at", *MOMENTS),
    *("last_check_at", "low_since", "low_checks", "lease", "leased_until"),
)

Pause = Callable[[], bool]


def forget_bars(now: datetime, limit: datetime, go_on: Pause) -> int:
    """Those that have not ended, by the right clock; and what was still growing on the exchange when it was written down as over."""
    gone = sum(forget_rows(Bar.objects.filter(interval=interval, open_time__gt=begins), go_on) for interval, begins in bars_ahead(limit))
    return gone + _of_the_exchange(now, limit, go_on)


def _of_the_exchange(now: datetime, limit: datetime, go_on: Pause) -> int:
    """Bars that were stored before their time are asked for once more, as after an outage, as far back as one question reaches."""
    early = Bar.objects.filter(token__chain=Chain.BINANCE, stored_at__gt=limit, open_time__gt=now - MOST_MISSED + WINDOW)
    early = early.exclude(source=BarSource.BIRDEYE)
    since = dict(early.order_by().values_list("token").annotate(Min("open_time")))
    gone = forget_rows(early, go_on)
    for token, at in since.items():
        Token.objects.filter(pk=token).update(next_poll_at=min(at, now - WINDOW))
    return gone


def forget_figures(now: datetime, limit: datetime, go_on: Pause) -> int:
    """Snapshots and scores, with what the tokens say of them. Returns how many rows went."""
    gone, after = 0, 0
    for _ in range(ROUNDS):
        while pks := list(_touched(limit).filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:TOKENS_A_BITE]):
            after = pks[-1]
            gone += _put_back(pks, now, limit)
            if not go_on():
                return gone
        if not _touched(limit).exists() or not go_on():
            break
        after = 0
    # What no token tells of any more: rows of one whose own row was written past by hand.
    return gone + sum(forget_rows(dated.model._default_manager.filter(dated.ahead(limit)), go_on) for dated in (*FIGURES, *REST))


def _touched(limit: datetime) -> QuerySet[Token]:
    ahead = Q()
    for dated in TOKENS:
        ahead |= dated.ahead(limit)
    ahead |= Q(next_poll_at__gt=limit + timedelta(seconds=LONGEST_WAIT_SEC))
    return Token.objects.filter(ahead | Q(leased_until__gt=_longest_lease(limit)))


def _longest_lease(limit: datetime) -> datetime:
    return limit + timedelta(seconds=settings.CLUSTER_LEASE_SEC)


def _put_back(pks: Sequence[int], now: datetime, limit: datetime) -> int:
    with transaction.atomic():
        tokens = _touched(limit).filter(pk__in=pks).select_for_update(skip_locked=True, no_key=True).order_by("pk")
        locked = {token.pk: token for token in tokens}
        pools = list(Pool.objects.filter(token__in=locked).values_list("pk", flat=True))
        gone = _raw(PoolSnapshot.objects.filter(pool__in=pools, ts__gt=limit))
        gone += _raw(TokenScore.objects.filter(token__in=locked, ts__gt=limit))
        gone += _raw(TokenSnapshot.objects.filter(token__in=locked, ts__gt=limit))
        newest = _newest(list(locked))
        update_rows(Token, "id", PUT_BACK, [(pk, *_as_it_was(token, now, limit, *newest[pk])) for pk, token in locked.items()])
    return gone


def _newest(pks: Sequence[int]) -> dict[int, tuple[datetime | None, datetime | None, float | None]]:
    """Of each token the moment of its newest snapshot, of its newest score, and that score."""
    snapshots = TokenSnapshot.objects.filter(token=OuterRef("pk")).order_by("-ts")
    scores = TokenScore.objects.filter(token=OuterRef("pk")).order_by("-ts")
    found = Token.objects.filter(pk__in=pks).values_list(
        "pk", Subquery(snapshots.values("ts")[:1]), Subquery(scores.values("ts")[:1]), Subquery(scores.values("score")[:1])
    )
    return {pk: (seen, scored, score) for pk, seen, scored, score in found}


def _as_it_was(
    token: Token, now: datetime, limit: datetime, seen: datetime | None, scored: datetime | None, score: float | None
) -> tuple[object, ...]:
    """In the order of PUT_BACK. The next turn is now. A run of low checks that reached into the time to come begins anew, and what was not
    looked at since is not looked at again. What happened to the token has happened: at the latest now."""
    ahead = any(at is not None and at > limit for at in (token.last_check_at, token.low_since))
    judged = (seen, None, 0) if ahead else (token.last_check_at, token.low_since, token.low_checks)
    lease = (token.lease, token.leased_until) if token.leased_until and token.leased_until <= _longest_lease(limit) else (None, None)
    happened = (min(at, now) if at is not None else None for at in (getattr(token, name) for name in MOMENTS))
    return (seen, scored, score, min(token.next_poll_at, now), *happened, *judged, *lease)


def forget_rows(rows: QuerySet[Model], go_on: Pause) -> int:
    """In bites, each a transaction of its own."""
    gone = 0
    while pks := list(rows.order_by("-pk").values_list("pk", flat=True)[:ROWS_A_BITE]):  # who is dated ahead was written of late
        gone += _raw(rows.model._default_manager.filter(pk__in=pks))
        if not go_on():
            break
    return gone


def _raw(rows: QuerySet[Model]) -> int:
    """Straight in the database, which holds the foreign keys: Django would read every row to look for what points to it."""
    return int(rows._raw_delete(rows.db) or 0)  # None where there was nothing to ask for
