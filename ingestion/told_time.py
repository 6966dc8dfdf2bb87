"""What time it is elsewhere, by the Date that a service sends with any answer."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ingestion.attempt import Attempt, Slots, new_session
from ingestion.errors import OutsideError


def told_time(base_url: str, within_sec: float) -> datetime | None:
    """None where it does not answer in time, or says nothing that can be read. One request, whatever is answered to it."""
    slots = Slots(threading.BoundedSemaphore(1), 2)
    with new_session(1) as session:
        try:
            said = Attempt(session, base_url, {}, {}, None, slots, time.monotonic() + within_sec).run().date
        except OutsideError:
            return None
    try:
        moment = parsedate_to_datetime(said) if said else None
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
