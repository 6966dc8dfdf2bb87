"""What counts as fresh: one answer for pages, for programs and for the workers' own sign of life. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tokens.models import Chain

USUAL_FRESHNESS_SEC = 180  # until a first score names the revision whose limit holds
CLOCKS_DIFFER = timedelta(minutes=1)  # what is from further ahead than this is from a wrong clock, not fresh


def age_at(token: Any, moment: datetime | None) -> float | None:
    """How old the token was then, in seconds. None without a moment, and for what was traded long before it came to us: only a migrated
    token's hour begins with its row."""
    return token.age(moment) if moment is not None and token.chain == Chain.SOLANA else None


def is_fresh(token: Any, now: datetime) -> bool:
    return token.last_snapshot_at is not None and is_young(token, token.last_snapshot_at, now)


def is_young(token: Any, moment: datetime, now: datetime) -> bool:
    """Young enough for the token's limit, and of no moment that only a wrong clock has come to."""
    return -CLOCKS_DIFFER <= now - moment <= timedelta(seconds=token.freshness_limit_sec or USUAL_FRESHNESS_SEC)
