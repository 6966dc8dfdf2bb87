"""Where several machines poll: a share of the tokens that are due, taken for some seconds by one of them and by nobody else.

A share is taken in one short transaction that waits for nobody (SKIP LOCKED), and is lost when its time is over, whatever has become of
the machine that took it: then the leader shares it out anew. What is written is fenced: only for tokens that are still ours. Times are the
database's, for the clocks of two machines never agree. The number of statements does not depend on the number of tokens.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from tokens.models import Chain, Token

NUMBERS = 2**63 - 1  # what the column holds


@dataclass(frozen=True, slots=True)
class Terms:
    """How much of which tick is taken, and for how long without a word."""

    tick: datetime
    most: int
    seconds: float


@dataclass
class Lease:
    """One share. Its number is drawn anew each time, so that nobody takes an earlier share of his for this one."""

    terms: Terms
    number: int = field(default_factory=lambda: secrets.randbelow(NUMBERS) + 1)
    taken: list[int] = field(default_factory=list)
    lost: bool = False
    clock: Callable[[], float] = time.monotonic
    said_at: float = 0.0

    def take(self, status: str, horizon: datetime) -> int:
        """Take the tokens of this status whose turn comes by then and whom nobody has, the longest overdue first. How many there were."""
        free = Q(lease=None) & (Q(leased_until=None) | Q(leased_until__lte=Now()))
        self.said_at = self.clock()
        due = Token.objects.filter(free, status=status, chain=Chain.SOLANA, next_poll_at__lte=horizon).order_by("next_poll_at")
        with transaction.atomic():
            # By nothing but what the index is sorted by: 100,000 that are due at one moment need not be sorted for the sake of 240.
            # Of SKIP LOCKED SQLite knows nothing; there the transaction is the only one that writes. NO KEY: a row that is being
            # written and points to a token does not keep the token from being taken.
            unlocked = due.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True)
            found = list(unlocked[: self.terms.most])
            self.taken = found if Token.objects.filter(free, pk__in=found).update(lease=self.number, **self._until()) else []
        return len(self.taken)

    def renew(self) -> bool:
        """Have it for the whole time again, after a third of it. False once a part has gone to somebody else: there is no hurry any more
        for the rest, and no time."""
        if not self.lost and self.clock() - self.said_at >= self.terms.seconds / 3:
            self.said_at = self.clock()
            held = Token.objects.filter(pk__in=self.taken, lease=self.number)
            self.lost = held.count() < len(self.taken)
            with transaction.atomic():  # who is being written at this moment waits for nobody, and nobody for him: it is renewed next time
                unlocked = list(held.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True))
                held.filter(pk__in=unlocked).update(**self._until())
        return not self.lost

    def ours(self) -> set[int]:
        """The tokens of the share that are still ours, and stay so until the end of the transaction this is asked in."""
        held = Token.objects.filter(pk__in=self.taken, lease=self.number).order_by("pk")
        return set(held.select_for_update(no_key=True).values_list("pk", flat=True))

    def give_back(self, silent: list[int], until: datetime) -> None:
        """Whoever wants to may have them. But for those that nobody answered for: they have had their turn in this tick."""
        held = Token.objects.filter(pk__in=self.taken, lease=self.number)
        held.exclude(pk__in=silent).update(lease=None, leased_until=None)
        if silent:
            held.filter(pk__in=silent).update(lease=None, leased_until=until)

    def _until(self) -> dict[str, object]:
        return {"leased_until": Now() + timedelta(seconds=self.terms.seconds)}


def run_out(status: str) -> int:
    """Free the tokens of shares that were never given back: the machine that took them is gone, or cannot be heard. How many they were."""
    over = Token.objects.filter(status=status, lease__isnull=False, leased_until__lte=Now())
    with transaction.atomic():
        found = list(over.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True))
        return over.filter(pk__in=found).update(lease=None, leased_until=None)
