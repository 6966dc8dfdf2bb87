"""The one door to the outside. Every request of every service passes here, and nothing else opens a connection.

In the order in which a request meets them: the cache, the same request already under way, the gate (pauses asked for by the
service, rests after repeated failure), the rate limit (asked before every attempt, second tries included), a connection slot, the
attempt itself with its deadline, strict reading of the answer, at most one second try, and the ledger that counts it all.

Proxies, credentials and certificates named in the environment (HTTPS_PROXY, .netrc …) are ignored on purpose: keys travel
through this door, and where they go is decided by the settings alone.
"""

import functools
import hashlib
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db import DatabaseError, connections
from django.utils import timezone

from ingestion import strict_json
from ingestion.attempt import MAX_BODY, Attempt, Busy, Reply, Slots, new_session
from ingestion.errors import Malformed, OutsideError, Permanent, Temporary
from ingestion.key_header import KeyHeader
from ingestion.ledger import Counts, Ledger, Standing, book
from ingestion.models import ServiceState
from ingestion.politeness import (
    LONGEST_BAN,
    LONGEST_PAUSE,
    SHORTEST_PAUSE,
    Gate,
    Pass,
    RetryBudget,
    pause_asked_for,
    stopping,
)
from ingestion.quotas import quota
from ingestion.seldom import Seldom

logger = logging.getLogger(__name__)

TRIES = 2
BANNED = 418
SLOW_DOWN = frozenset({429, BANNED})
CONNECTION, A_DAY_SEC = "connection", 86_400.0
PASSING = frozenset({408, 425})  # and every 5xx
READABLE = frozenset({"", "application/json", "text/json", "text/plain", "application/octet-stream"})


@functools.cache
def shared_slots(number: int) -> threading.Semaphore:
    """EXT_MAX_CONCURRENCY counts for all services of a process together."""
    return threading.BoundedSemaphore(number)


@dataclass(frozen=True, slots=True)
class Call:
    """One GET, or where there is a `body` one POST. `endpoint` is its name in the ledger and chooses its rate; `units` is what an answer
    costs, for the tokens `about`. A POST is tried once: who hands something over decides himself whether to do so again."""

    endpoint: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    about: tuple[str, ...] = ()
    units: int = 0
    cache_sec: float = 0.0
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


def refused(status: int, message: str) -> OutsideError:
    """What a 4xx means where a service has nothing special to say: this one request was wrong, and asking again will not help."""
    return Permanent(f"HTTP {status} {message}".strip(), Permanent.BAD_REQUEST)


@dataclass
class Door:
    """One service. Share it between all jobs: pauses, rate, retry budget and connections only hold for those who share it."""

    service: str
    base_url: str
    rates: Mapping[str, float]  # requests a second for each endpoint; "" is for those without a line of their own
    deadline_sec: float
    concurrency: int
    auth: KeyHeader | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    meaning_of: Callable[[int, str], OutsideError] = refused
    pause_in: Callable[[bytes], float | None] = lambda body: None  # seconds to wait that a refusal names in its body
    slots: threading.Semaphore | None = None
    ledger: Ledger = field(default_factory=lambda: book)
    wall: Callable[[], datetime] = timezone.now
    backoff_sec: float = 1.0
    on_charge: Callable[[Call], None] = lambda call: None
    stored_state: Callable[[str, str], ServiceState | None] | None = None  # where given, a pause outlives the process that was told of it

    def __post_init__(self) -> None:
        self.gate = Gate()
        self._retries = RetryBudget()
        self._session = new_session(self.concurrency)
        self._slots = Slots(self.slots or threading.BoundedSemaphore(self.concurrency), self.concurrency)
        self._quotas = {endpoint: quota(f"{self.service}:{endpoint}", rate) for endpoint, rate in self.rates.items()}
        self._under_way: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()
        self._seldom = Seldom(logger)
        self._remembered = self.stored_state is None

    def fetch(self, call: Call, patience: float = 5.0, bypass_cache: bool = False, verdict: Sequence[OutsideError] = ()) -> Any:
        """The answer's JSON value, or one of the three errors. Waits at most `patience` seconds for its turn and then at most
        the deadline for the answer. Two callers with the same call share one request. The value is shared: do not change it.
        Once `verdict` holds an error, what has not been sent is not sent and raises that error."""
        self._remember()
        key = self._key(call)
        if call.cache_sec > 0 and not bypass_cache and (kept := self._kept(call, key)) is not None:
            self._count(call, cache_hits=1, tokens=len(call.about))
            return strict_json.read_sparing(kept)[0]
        with self._lock:
            shared = self._under_way.get(key)
            if shared is None:
                mine: Future[Any] = Future()
                self._under_way[key] = mine
        if shared is not None:
            try:
                return shared.result(timeout=patience + self.deadline_sec)
            except NotYet:
                raise Temporary("the same request is still under way") from None
        try:
            value = self._tries(call, key, time.monotonic() + patience, verdict)
            mine.set_result(value)
            return value
        except OutsideError as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                self._under_way.pop(key, None)
            if not mine.done():
                mine.set_exception(Temporary("the request it waited for failed in an unforeseen way"))

    def fetch_all(
        self,
        calls: Sequence[Call],
        patience: float = 5.0,
        bypass_cache: bool = False,
        stop_after: Callable[[OutsideError], bool] = lambda error: False,
    ) -> list[Any]:
        """Many calls at once, in as many threads as there are slots. The result has, in order, each call's value or its error.

        `patience` is for all of them together: what has not had its turn by then is Temporary, so a tick has an end. Once
        `stop_after` says so of an error, the calls not yet sent get that error too.
        """
        self._remember()  # here, and not in one of the threads
        give_up = time.monotonic() + patience
        verdict: list[OutsideError] = []

        def one(call: Call) -> Any:
            try:
                return verdict[0] if verdict else self.fetch(call, max(0.0, give_up - time.monotonic()), bypass_cache, verdict)
            except OutsideError as error:
                if stop_after(error):
                    verdict.append(error)
                return error

        def one_in_thread(call: Call) -> Any:
            try:
                return one(call)
            finally:
                connections.close_all()  # a cache in the database would leave one open in each thread

        if len(calls) <= 1 or self.concurrency == 1:
            return [one(call) for call in calls]
        with ThreadPoolExecutor(min(self.concurrency, len(calls)), thread_name_prefix=f"{self.service}-call") as threads:
            return list(threads.map(one_in_thread, calls))

    def _tries(self, call: Call, key: str, give_up: float, verdict: Sequence[OutsideError]) -> Any:
        deadline: float | None = None
        self._retries.first_try()
        tries = TRIES if call.body is None else 1
        for attempt in range(1, tries + 1):
            leave = self._turn(call, give_up if deadline is None else deadline, verdict)
            deadline = deadline or time.monotonic() + self.deadline_sec
            try:
                return self._attempt(call, key, leave, deadline)
            except Busy:
                raise
            except Temporary as error:
                pause = self.backoff_sec * random.random()  # noqa: S311  full jitter, nothing secret
                too_late = time.monotonic() + pause >= deadline
                if error.retry_after is not None or attempt == tries or too_late or not self._retries.may_try_again():
                    raise
                if stopping.wait(pause):
                    raise
        raise AssertionError("unreachable")

    def _turn(self, call: Call, give_up: float, verdict: Sequence[OutsideError]) -> Pass:
        """Waits for the gate and the rate limit; both must agree at the same moment."""
        ours = self._quotas.get(call.endpoint) or self._quotas[""]
        while True:
            self.gate.wait(give_up)
            while not ours.try_acquire(call.endpoint, timeout=min(0.25, max(0.0, give_up - time.monotonic()))):
                if time.monotonic() >= give_up or stopping.is_set():
                    raise Temporary("its turn did not come in time")
                if verdict:
                    break
            if verdict:
                raise verdict[0]
            leave = self.gate.enter()
            if leave is not None:
                return leave

    def _attempt(self, call: Call, key: str, leave: Pass, deadline: float) -> Any:
        began = time.monotonic()
        settled = False
        headers = {**self.headers, **call.headers}
        attempt = Attempt(self._session, self.base_url + call.path, call.params, headers, self.auth, self._slots, deadline, call.body)
        try:
            value = self._value(call, key, attempt.run(), leave)
            settled = True
            self._opened(self.gate.succeeded(leave))
            self._count(call, began, attempt, tokens=len(call.about))
            return value
        except Busy:
            raise
        except Temporary as error:
            settled = not stopping.is_set()
            if error.retry_after is None and settled:
                self._rest(self.gate.failed(leave), str(error))
            self._count(call, began, attempt, temporary=1, throttled=int(error.retry_after is not None))
            self._say(call, error)
            raise
        except Malformed as error:
            self._count(call, began, attempt, malformed=1)
            self._say(call, error)
            raise
        except Permanent as error:
            settled = True
            self._opened(self.gate.succeeded(leave))  # it answered, so the service itself is there
            self._count(call, began, attempt, permanent=1)
            self._say(call, error)
            raise
        finally:
            if not settled:
                self.gate.put_back(leave)

    # What an answer means

    def _value(self, call: Call, key: str, reply: Reply, leave: Pass) -> Any:
        if call.body is not None and 200 <= reply.status < 300:
            return reply
        if reply.status == 200:
            return self._read(call, key, reply)
        if call.body is not None and 300 <= reply.status < 400:
            raise self.meaning_of(reply.status, "a redirect, not followed")
        if 200 <= reply.status < 400:
            raise Malformed(f"HTTP {reply.status}" + (", a redirect, not followed" if reply.status >= 300 else " without the answer"))
        longest = LONGEST_BAN if reply.status == BANNED else LONGEST_PAUSE
        asked = pause_asked_for(reply.retry_after, reply.ratelimit_reset, reply.date, self.wall(), longest)
        if reply.status in SLOW_DOWN or (reply.status == 503 and reply.retry_after):
            if (named := self.pause_in(reply.body)) is not None:
                asked = max(asked or 0.0, min(max(named, SHORTEST_PAUSE), LONGEST_PAUSE))
            pause = self.gate.told_to_wait(leave, asked)
            self._throttled(reply.status, pause)
            raise Temporary(f"HTTP {reply.status}: told to wait", retry_after=pause)
        if reply.status >= 500 or reply.status in PASSING:
            raise Temporary(f"HTTP {reply.status}")
        raise self.meaning_of(reply.status, message_in(reply.body, self.auth))

    def _read(self, call: Call, key: str, reply: Reply) -> Any:
        if reply.content_type not in READABLE and not reply.content_type.endswith("+json"):
            raise Malformed(f"{strict_json.text(reply.content_type, 40)} instead of JSON")
        value, spoiled = strict_json.read_sparing(reply.body, MAX_BODY)
        if spoiled:
            self._count(call, malformed=1)
            self._seldom.say(logging.WARNING, f"spoiled {call.endpoint}", "%s %s: %d numbers refused", self.service, call.endpoint, spoiled)
        if call.cache_sec > 0:
            cache.set(key, (self.wall(), reply.body), call.cache_sec)
        return value

    def _kept(self, call: Call, key: str) -> bytes | None:
        """By the clock that a cache goes by, what was kept before it went back would stay for as long as it went back."""
        at, body = cache.get(key) or (None, None)
        return body if at is not None and 0 <= (self.wall() - at).total_seconds() <= call.cache_sec else None

    # What is left behind, and what was left by an earlier process

    def _remember(self) -> None:
        """Who asks a service that has banned him is banned for longer: a restart must not do so."""
        if self._remembered or self.stored_state is None:
            return
        kept = self.stored_state(self.service, CONNECTION)
        self._remembered = True
        if kept is not None and kept.state == ServiceState.State.THROTTLED and kept.until is not None:
            left = (kept.until - self.wall()).total_seconds()
            if left > 0:
                self.gate.told_before(min(left, LONGEST_BAN))
                self._seldom.say(logging.WARNING, "told before", "%s", kept.sentence)

    def _key(self, call: Call) -> str:
        if call.body is not None:
            return f"post:{id(call)}"  # two that look the same are two all the same
        whole = json.dumps(["GET", self.base_url + call.path, sorted(call.params.items())])
        # "dated": a release that keeps bodies without their moments may share the cache while it is upgraded, and neither reads the other's
        return "http:dated:" + hashlib.sha256(whole.encode()).hexdigest()

    def _count(self, call: Call, began: float | None = None, attempt: Attempt | None = None, **counts: int) -> None:
        added = Counts(**counts)
        if began is not None:
            added.calls = 1
            added.latency_ms_sum = added.latency_ms_max = (time.monotonic() - began) * 1000
        if attempt is not None and attempt.answered:
            added.units = call.units
        self.ledger.count(self.service, call.endpoint, added)
        if added.units:
            self.on_charge(call)

    def _say(self, call: Call, error: OutsideError) -> None:
        kind = f"{type(error).__name__} {call.endpoint}"
        self._seldom.say(logging.WARNING, kind, "%s %s: %s", self.service, call.endpoint, error)

    def _opened(self, opened: bool) -> None:
        if opened:
            logger.info("%s works again", self.service)
        if opened or not self.ledger.knows(self.service, CONNECTION):
            self.ledger.set_state(self.service, CONNECTION, Standing(ServiceState.State.OK))

    def _rest(self, seconds: float | None, why: str) -> None:
        if seconds is None:
            return
        sentence = f"{self.service} fails repeatedly ({why}). It is tried again every few seconds; nothing needs to be done here."
        if self.ledger.set_state(self.service, CONNECTION, Standing(ServiceState.State.FAILING, sentence)):
            self._seldom.say(logging.ERROR, "failing", "%s", sentence)

    def _throttled(self, status: int, seconds: float) -> None:
        until = self.wall() + timedelta(seconds=seconds)
        when = f"{until:%H:%M:%S}" if seconds < A_DAY_SEC / 2 else f"{until:%d %B %H:%M}"
        sentence = f"{self.service} answered {status}: too many requests. All requests to it wait until {when} UTC."
        if self.ledger.set_state(self.service, CONNECTION, Standing(ServiceState.State.THROTTLED, sentence, until)):
            self._seldom.say(logging.WARNING, f"throttled {status}", "%s", sentence)
        if status == BANNED and self.stored_state is not None:
            self._write_down()

    def _write_down(self) -> None:
        """At once, not with the tick: the process may be killed before that. A database that is away gets it with the tick."""
        try:
            self.ledger.flush(self.wall())
        except DatabaseError as error:
            self._seldom.say(logging.WARNING, "ban not stored", "a ban could not be stored yet: %s", type(error).__name__)


def message_in(body: bytes, auth: KeyHeader | None) -> str:
    """The message of an error's body, if it is JSON that has one; for the log and for telling kinds of 400 apart."""
    try:
        value = strict_json.read(body)
    except Malformed:
        return ""
    message = strict_json.text(value.get("message") or value.get("description") or value.get("msg"), 300) if isinstance(value, dict) else ""
    return auth.masked(message) if auth else message


def in_batches(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
