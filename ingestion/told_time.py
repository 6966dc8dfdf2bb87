"""What time it is elsewhere, by the Date that a service sends with any answer."""

from __future__ import annotations

import threading
import time
from datetime import datetime

from ingestion.attempt import Attempt, Slots, new_session
from ingestion.errors import OutsideError
from ingestion.politeness import http_date


def told_time(base_url: str, within_sec: float) -> datetime | None:
    """None where it does not answer in time, or says nothing that can be read. One request, whatever is answered to it."""
    slots = Slots(threading.BoundedSemaphore(1), 2)
    with new_session(1) as session:
        try:
            return http_date(Attempt(session, base_url, {}, {}, None, slots, time.monotonic() + within_sec).run().date)
        except OutsideError:
            return None
