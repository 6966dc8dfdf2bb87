"""When a service may be asked again: its own words about waiting, a gate that rests after trouble, a budget for second tries.

Ages and pauses use the monotonic clock: a wall clock that jumps must neither end a pause nor prolong it.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pyrate_limiter import GCRA, Duration, Limiter, Rate, SingleBucketFactory, StateBucket

from ingestion.errors import Temporary

SHORTEST_PAUSE, LONGEST_PAUSE, PAUSE_WITHOUT_WORDS = 1.0, 900.0, 60.0
LONGEST_BAN = 3 * 86_400.0  # Binance's: who asks before its end is banned for longer
FAILURES_IN_A_ROW = 15  # at one failure in two that comes once in about sixty thousand requests
LONGEST_REST = 5.0  # so that the first tick after an outage works again
RESTS_WAITED_OUT = 3  # the first ones: the trouble may be short, and a whole tick should not be lost to it
LONGEST_GROWN_PAUSE = 120.0

# Set when the process is about to end: every wait of every door returns at once.
stopping = threading.Event()


def pause_asked_for(
    retry_after: Iterable[str], reset: str | None, server_date: str | None, now: datetime, longest: float = LONGEST_PAUSE
) -> float | None:
    """Seconds to wait by Retry-After (seconds or a date), else by x-ratelimit-reset; None when neither can be read.

    A date counts from the server's own Date, whatever our clock says. At least 1 s, at most `longest`; of several the longest.
    """
    there = http_date(server_date) or now
    told = [seconds for word in retry_after if (seconds := _seconds(word, there)) is not None]
    if not told and reset is not None and (moment := _number(reset)) is not None:
        moment = moment / 1000 if moment > 1e11 else moment
        told = [moment - there.timestamp() if moment > 1e8 else moment]
    return min(max(max(told), SHORTEST_PAUSE), longest) if told else None


def _seconds(word: str, there: datetime) -> float | None:
    number = _number(word)
    if number is not None:
        return number
    date = http_date(word)
    return (date - there).total_seconds() if date else None


def _number(word: str) -> float | None:
    word = word.strip()
    digits = word.removeprefix("-")
    return float(word) if len(word) <= 20 and digits.replace(".", "", 1).isdecimal() and digits.isascii() else None


def http_date(word: str | None) -> datetime | None:
    """A Date or Retry-After as a moment; None where it is none, or says nothing."""
    try:
        date = parsedate_to_datetime(word) if word else None
    except (ValueError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date and date.tzinfo is None else date


def spacing(rate: float) -> Rate:
    """`rate` requests in any second, or one in 1/rate seconds; never a burst."""
    per_second = max(1, int(rate))
    return Rate(per_second, int(per_second / rate * int(Duration.SECOND)), burst=1)


def evenly_spaced(rate: float) -> Limiter:
    """So many requests a second, of this process."""
    return Limiter(SingleBucketFactory(StateBucket([spacing(rate)], GCRA()), schedule_leak=False), buffer_ms=1)


class RetryBudget:
    """Second tries may add at most a fifth to the requests of about the last fifty; a lone request always has one."""

    def __init__(self, share: float = 0.2, window: int = 50) -> None:
        self._share, self._window = share, window
        self._lock = threading.Lock()
        self._firsts = self._seconds = 0

    def first_try(self) -> None:
        with self._lock:
            self._firsts += 1
            if self._firsts >= self._window:
                self._firsts, self._seconds = self._firsts // 2, -(-self._seconds // 2)

    def may_try_again(self) -> bool:
        with self._lock:
            if self._seconds + 1 > max(1, int(self._firsts * self._share)):
                return False
            self._seconds += 1
            return True


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave for one attempt. A trial is the one attempt that decides whether a rest is over."""

    given_at: float
    trial: bool


class Gate:
    """Lets requests of one service through, rests after trouble, and opens again by itself.

    After a rest one attempt goes first; its success opens the gate for all, its failure begins the next rest. So ten minutes of
    “429” cost about a dozen requests, and a service that is back is used again within the same tick.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._rest_ends: float | None = None
        self._told_to_wait = False
        self._on_trial = False
        self._failures = self._rests = 0

    def resting_for(self) -> float | None:
        """Seconds until the next trial; None while the gate is open."""
        with self._changed:
            return None if self._rest_ends is None else max(0.0, self._rest_ends - self._clock())

    def enter(self) -> Pass | None:
        """Leave for one attempt now, or None when it would have to wait."""
        with self._changed:
            now = self._clock()
            if self._rest_ends is None:
                return Pass(now, trial=False)
            if now < self._rest_ends or self._on_trial:
                return None
            self._on_trial = True
            return Pass(now, trial=True)

    def wait(self, give_up: float) -> None:
        """Returns when `enter` is worth a try. Temporary when the pause lasts beyond `give_up`, and at once during a long outage."""
        with self._changed:
            while (ends := self._rest_ends) is not None:
                now = self._clock()
                left = ends - now
                if left <= 0 and not self._on_trial:
                    return
                hopeless = left > 0 and not self._told_to_wait and self._rests > RESTS_WAITED_OUT
                if hopeless or stopping.is_set() or now >= give_up or ends > give_up:
                    words = "told us to wait" if self._told_to_wait else "has failed repeatedly"
                    raise Temporary(f"{words}; not asked for another {max(left, 0):.0f} s", retry_after=max(left, 0.0))
                self._changed.wait(min(left, 0.25) if left > 0 else 0.25)

    def succeeded(self, leave: Pass) -> bool:
        """True when this opened the gate again."""
        with self._changed:
            self._failures = 0
            if not leave.trial:
                return False
            self._rest_ends, self._rests, self._on_trial = None, 0, False
            self._changed.notify_all()
            return True

    def failed(self, leave: Pass) -> float | None:
        """The rest in seconds that this failure began, or None."""
        with self._changed:
            self._failures += 1
            if not leave.trial and (self._rest_ends is not None or self._failures < FAILURES_IN_A_ROW):
                return None
            return self._rest(leave, random.uniform(0.5, 1.0) * min(2.0**self._rests, LONGEST_REST), told=False)  # noqa: S311

    def told_to_wait(self, leave: Pass, asked_for: float | None) -> float:
        """A pause for all: what the service asked for, and longer each time that the trial after a pause is refused again."""
        with self._changed:
            least = PAUSE_WITHOUT_WORDS if asked_for is None else asked_for
            already_resting = self._rest_ends is not None and not leave.trial
            if already_resting:  # an answer to a request sent before the pause began
                self._rest_ends = max(self._rest_ends or 0.0, self._clock() + least)
                return least
            grown = min(SHORTEST_PAUSE * 2.0**self._rests, LONGEST_GROWN_PAUSE)
            pause = min(max(least, grown) * random.uniform(1.0, 1.1), LONGEST_PAUSE)  # noqa: S311
            return self._rest(leave, max(pause, least), told=True)

    def told_before(self, seconds: float) -> None:
        """A pause that an earlier process was told to keep, and what is left of it."""
        with self._changed:
            self._rests = max(self._rests, 1)
            self._rest_ends, self._told_to_wait = max(self._rest_ends or 0.0, self._clock() + seconds), True

    def put_back(self, leave: Pass) -> None:
        """The attempt said nothing about the service: whoever comes next may be the trial."""
        with self._changed:
            if leave.trial:
                self._on_trial = False
                self._changed.notify_all()

    def _rest(self, leave: Pass, seconds: float, told: bool) -> float:
        self._rests = min(self._rests + 1, 30)
        self._rest_ends = self._clock() + seconds
        self._told_to_wait = told
        if leave.trial:
            self._on_trial = False
        self._changed.notify_all()
        return seconds
