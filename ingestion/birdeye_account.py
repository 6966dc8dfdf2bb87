"""What stands between us and Birdeye: no key, a used-up quota, a refused key, a plan without the endpoint, a blocked address.

Each has its sentence for the operator and its rest, after which one request is let through to see whether it works again.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.crypto import salted_hmac

from ingestion.errors import OutsideError, Permanent
from ingestion.ledger import Ledger, Standing
from ingestion.models import ServiceState
from ingestion.secret import Secret

logger = logging.getLogger(__name__)
State = ServiceState.State

SERVICE = "birdeye"
RESTS = {
    Permanent.QUOTA_USED_UP: timedelta(minutes=15),
    Permanent.PLAN_LACKS: timedelta(minutes=5),
    Permanent.KEY_WRONG: timedelta(minutes=5),
    Permanent.BLOCKED: timedelta(minutes=5),
}
SENTENCES = {
    Permanent.QUOTA_USED_UP: "Birdeye's monthly compute units are used up; it is not asked. Wait for the new month or take a larger plan.",
    Permanent.PLAN_LACKS: "Birdeye says that this key is suspended or its plan lacks token_overview. Check the account at Birdeye.",
    Permanent.KEY_WRONG: "Birdeye refuses the key. Put the right one into BIRDEYE_API_KEY and restart the scheduler.",
    Permanent.BLOCKED: "Birdeye blocks this machine (HTTP 403). Allow its address in the Birdeye account or ask their support.",
}
NO_KEY = "No BIRDEYE_API_KEY is set: holders are unknown, order flow is estimated from counts, and bars begin when a token is first seen."


def concerns_account(error: OutsideError) -> bool:
    """A refusal of everything, not of the one thing asked for."""
    return isinstance(error, Permanent) and error.kind != Permanent.BAD_REQUEST


@dataclass
class _Trouble:
    kind: str
    until: datetime


class Account:
    """Whether the account may be used now. Shared by all jobs of a process."""

    def __init__(self, key: Secret, ledger: Ledger, stored_state: Callable[[str, str], ServiceState | None]) -> None:
        self._key, self._ledger, self._stored_state = key, ledger, stored_state
        self._trouble: _Trouble | None = None
        self._lock = threading.Lock()

    def usable(self, now: datetime) -> bool:
        """False without a key, and while a refusal rests."""
        if not self._key:
            self.say(State.NOT_CONFIGURED, NO_KEY, level=logging.INFO)
            return False
        trouble = self._trouble
        return trouble is None or now >= trouble.until

    def in_trouble(self) -> bool:
        return self._trouble is not None

    def may_try(self, now: datetime) -> bool:
        """True for one of several jobs: the trial is its, and the rest begins anew for the others."""
        with self._lock:
            if self._trouble is None or now < self._trouble.until:
                return False
            self._trouble.until = now + RESTS[self._trouble.kind]
            return True

    def refused(self, error: Permanent, now: datetime) -> None:
        until = now + RESTS[error.kind]
        self._trouble = _Trouble(error.kind, until)
        self.say(error.kind, f"{SENTENCES[error.kind]} It is tried again at {until:%H:%M} UTC. {self._key_mark()}", until)

    def served(self, with_an_answer: bool) -> None:
        """It is not refused any more. “Token not found” shows that too, but nothing to be glad of."""
        self._trouble = None
        if with_an_answer:
            self.say(State.OK, "", level=logging.INFO)

    def remember(self, now: datetime) -> None:
        """A refusal that an earlier process stored still rests, unless the key is another one."""
        kept = self._stored_state(SERVICE, "")
        if kept is not None and kept.state in RESTS and kept.until is not None and kept.until > now and self._key_mark() in kept.sentence:
            self._trouble = _Trouble(kept.state, kept.until)
            self._ledger.set_state(SERVICE, "", Standing(kept.state, kept.sentence, kept.until))

    def say(self, state: str, sentence: str, until: datetime | None = None, level: int = logging.ERROR) -> None:
        if self._ledger.set_state(SERVICE, "", Standing(state, sentence, until)):
            logger.log(level, "%s", sentence or "Birdeye works")

    def _key_mark(self) -> str:
        """Tells keys apart without telling anything about them, so that a new key is tried at once and not after the old one's rest."""
        return f"[key {salted_hmac('ingestion.birdeye.key', self._key.reveal(), algorithm='sha256').hexdigest()[:8]}]"
