"""The stages and their paper account, which take a bar in once and never go back."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Q

from tokens.bars import LATENESS, MINUTE_SEC
from trading.models import (
    AssetState,
    EquityPoint,
    Judgement,
    PaperAccount,
    PaperFill,
    PaperOrder,
    PaperPosition,
    SkippedSignal,
)


def traded(limit: datetime) -> bool:
    """Whether paper money changed hands in the time to come.

    A trade is never taken back: what was bought, at which price and why is what the account's result is made of, and the prices were true
    whatever the clock said. And what was judged and traded of a minute cannot be judged once more. So nothing of it is touched then.
    """
    moved = PaperPosition.objects.filter(Q(opened_at__gt=limit) | Q(closed_at__gt=limit))
    return moved.exists() or PaperFill.objects.filter(time__gt=limit).exists()


def waits_until(limit: datetime) -> datetime | None:
    """Until when the stages have to wait; None where they need not."""
    account = PaperAccount.objects.filter(pk=1).first()
    if account is None or not traded(limit):
        return None
    return datetime.fromtimestamp(account.until + MINUTE_SEC, UTC) + LATENESS


def forget_paper(now: datetime, limit: datetime) -> int:
    """Where nothing was traded, the judgements of that time go, with the orders and refusals that came of them, and the stages go on with
    the next minute. One transaction, in which the account's row is held, as a cycle holds it. Returns how many rows went."""
    with transaction.atomic():
        account = PaperAccount.objects.select_for_update(no_key=True).filter(pk=1).first()
        if traded(limit):
            return 0
        AssetState.objects.filter(judgement__ts__gt=limit).update(judgement=None)
        gone = 0
        for rows in (
            PaperOrder.objects.filter(judgement__ts__gt=limit),
            SkippedSignal.objects.filter(judgement__ts__gt=limit),
            Judgement.objects.filter(ts__gt=limit),
            AssetState.objects.filter(ts__gt=limit),
            EquityPoint.objects.filter(ts__gt=limit),
        ):
            gone += rows.delete()[0]
        if account is not None:
            _turn_back(account, now)
    return gone


def _turn_back(account: PaperAccount, now: datetime) -> None:
    """To the last bar that is over. What it did of late and by the wrong clock was done at the latest now."""
    last = int((now - LATENESS).timestamp()) // MINUTE_SEC * MINUTE_SEC - MINUTE_SEC
    if account.until > last:
        latest = int(now.timestamp())
        own = {name: [[token, min(at, latest)] for token, at in getattr(account, name)] for name in ("entered", "closed")}
        PaperAccount.objects.filter(pk=account.pk).update(until=last, **own)
