"""PumpPortal: frames → migrations, and when to connect again. Nothing here knows the database.

One socket only: who opens several, or comes back too fast, is banned. There is no replay: what is not heard is lost.
"""

import json
import random
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import count
from typing import Any
from urllib.parse import quote

from django.conf import settings

from ingestion import strict_json
from ingestion.errors import Malformed
from ingestion.facts import Migration
from ingestion.one_socket import MAX_MESSAGE_BYTES, Lost, OneSocket
from ingestion.politeness import LONGEST_BAN, pause_asked_for

# Launches are not used. They come some 23 times a minute, so their silence tells that the feed has stopped.
SUBSCRIPTIONS = tuple(json.dumps({"method": method}) for method in ("subscribeNewToken", "subscribeMigration"))

# What tokens are traded against. They turn up in the `mint` field of real frames and are no discoveries.
QUOTE_MINTS = frozenset(
    {
        "So11111111111111111111111111111111111111111",  # SOL itself, as some services write it
        "So11111111111111111111111111111111111111112",  # wrapped SOL
        "11111111111111111111111111111111",  # SOL by the address of the system program
        "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",  # USDC
        "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB",  # USDT
        "USD1ttGY1N17NEEHLmELoaybftRBUSErhqYiQzvEmuB",  # USD1
        "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo",  # PYUSD
        "USDSwr9ApdHk5bvJKMjzff41FfuX8bSxdKcR81vTwcA",  # USDS
    }
)

FASTEST_RETURN_SEC = 1.0
SHORTEST_ASKED_SEC, LONGEST_ASKED_SEC = 5.0, 900.0  # a host answered Retry-After: 0 and went on refusing for half a minute
CONNECTS, CONNECTS_WITHIN = 20, 10.0  # at most so many connects in so many times the longest back-off
PROVEN_SEC = 60.0

_SAYS_BANNED = re.compile(r"\bban(ned)?\b|\bblack-?list|\btoo many\b|\brate.?limit", re.IGNORECASE)


class Kind(StrEnum):
    """Frames that are no migration."""

    CREATE = "create"
    TRADE = "trade"
    MESSAGE = "message"
    ERROR = "error"
    QUOTE_MINT = "quote mint"
    UNCLASSIFIED = "unclassified"


@dataclass(frozen=True, slots=True)
class Other:
    kind: Kind
    text: str = ""


LAUNCH, _TRADE = Other(Kind.CREATE), Other(Kind.TRADE)  # of 24 frames 23: none is made anew for each


def parse(raw: str | bytes) -> Migration | Other:
    """What a frame says. Any bytes at all may come in: the answer is a value or Malformed, never another exception."""
    if not raw.strip():
        return Other(Kind.UNCLASSIFIED)
    frame = strict_json.read(raw, MAX_MESSAGE_BYTES)
    if not isinstance(frame, dict):
        return Other(Kind.UNCLASSIFIED)
    match frame.get("txType"):
        case "migrate":
            return _migration(frame)
        case "create":
            return LAUNCH
        case "buy" | "sell":
            return _TRADE
        case None if "errors" in frame:
            return Other(Kind.ERROR, _shortened(frame["errors"]))
        case None if "message" in frame:
            return Other(Kind.MESSAGE, _shortened(frame["message"]))
        case _:
            return Other(Kind.UNCLASSIFIED)


def _migration(frame: dict[str, Any]) -> Migration | Other:
    mint = strict_json.solana_address(frame.get("mint"))
    if not mint:
        raise Malformed("a migration without a mint" if frame.get("mint") is None else "a migration whose mint is no Solana address")
    if mint in QUOTE_MINTS:
        return Other(Kind.QUOTE_MINT)
    return Migration(mint, strict_json.text(frame.get("signature"), 128), strict_json.text(frame.get("pool"), 40))


def _shortened(value: object) -> str:
    return strict_json.text(value if isinstance(value, str) else json.dumps(value), 200)


def confirms_migrations(frame: Migration | Other) -> bool:
    """Whether this frame shows that the server has taken our subscription to migrations."""
    return isinstance(frame, Migration) or (frame.kind is Kind.MESSAGE and "migration" in frame.text.lower())


def backoff(longest: float, chance: random.Random) -> Iterator[float]:
    """Waits between tries: any time up to 1, 2, 4, 8 … s and at most `longest`, so that many clients do not come back together."""
    for attempt in count():
        yield max(FASTEST_RETURN_SEC, chance.uniform(0, min(longest, 2.0 ** min(attempt, 30))))


class Patience:
    """How long to stay away after each loss. Growing waits start over only after a connection that has proven itself."""

    def __init__(self, longest: float, ban_wait: float, chance: random.Random | None = None) -> None:
        self._longest, self._ban_wait = longest, ban_wait
        self._chance = chance or random.Random()  # noqa: S311
        self._waits = backoff(longest, self._chance)
        self._lost_at: deque[float] = deque(maxlen=CONNECTS - 1)

    def proven(self) -> None:
        """The connection has lived for a minute and delivered: the next loss is a first one."""
        self._waits = backoff(self._longest, self._chance)

    def after(self, lost: Lost, at: float, now: datetime) -> float:
        """Seconds until the next try. `at` is the monotonic time of the loss, `now` the wall clock's, for dates in headers."""
        asked = _asked_for(lost.head, now, LONGEST_BAN if lost.banned else LONGEST_ASKED_SEC)
        if asked is not None:
            wait = asked
        elif lost.refused or _SAYS_BANNED.search(str(lost)):
            wait = self._ban_wait * self._chance.uniform(1, 1.1)
        else:
            wait = next(self._waits)
        if len(self._lost_at) == self._lost_at.maxlen:
            wait = max(wait, self._lost_at[0] + CONNECTS_WITHIN * self._longest - at)
        self._lost_at.append(at)
        return wait


def _asked_for(head: bytes, now: datetime, longest: float) -> float | None:
    """Seconds by Retry-After in a refusal's head, from 5 s to `longest`; of several the longest; None where none can be read."""
    values: dict[str, list[str]] = {"retry-after": [], "date": []}
    for line in head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")[1:]:
        name, _, value = line.partition(":")
        values.get(name.strip().lower(), []).append(value.strip())
    told, date = [word for word in values["retry-after"] if not word.startswith("-")], next(iter(values["date"]), None)
    asked = pause_asked_for(told, None, date, now, longest)
    return None if asked is None else min(max(asked, SHORTEST_ASKED_SEC), longest)


def connect() -> OneSocket:
    """A connection to the feed with both subscriptions sent, as the settings say; Lost if that does not work."""
    key = settings.PUMPPORTAL_API_KEY
    feed = OneSocket.connect(
        settings.PUMPPORTAL_WS_URL,
        f"api-key={quote(key, safe='')}" if key else "",
        ping_sec=settings.PUMPPORTAL_PING_SEC,
        ping_timeout_sec=settings.PUMPPORTAL_PING_TIMEOUT_SEC,
        stall_sec=settings.PUMPPORTAL_STALL_SEC,
    )
    try:
        for subscription in SUBSCRIPTIONS:
            feed.send(subscription)
    except Lost:
        feed.close()
        raise
    return feed
