"""`/health`: what a load balancer, a watchdog and a person may know without logging in.

| `status` | HTTP | when |
|---|---|---|
| `ok` | 200 | the database answers, the feed is heard, every job of the tick runs in time, the settings can be read |
| `degraded` | 200 | the database answers, so pages are served; something else is not as it should be, and `troubles` says what |
| `down` | 503 | the database does not answer within 0.7 s: nothing can be served |

`live` says that this process answers, `ready` that it can serve pages. `/health?probe=live` asks only the first, touching no
database: restart a process by that one, and take it out of rotation by the other. `/health?probe=strict` answers 503 for
`degraded` too, for monitors that read only the code. Never cached; GET and HEAD only.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from tothemoon.bounded import Bounded, TimeoutError
from tothemoon.logs import mask
from tothemoon.pulse import TICK_JOBS, Gap, Pulse, measure
from tothemoon.security import may_see_details

LIMIT_SEC = 0.7  # the rest of a second is for a busy machine
MOST_GAPS = 20

logger = logging.getLogger(__name__)
_pulse = Bounded(lambda: measure(timezone.now()))


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    if request.GET.get("probe") == "live":
        return _answer(200, {"status": "ok", "live": True})
    try:
        seen = _pulse.ask(LIMIT_SEC)
    except (DatabaseError, TimeoutError) as error:
        logger.error("health: the database does not answer (%s)", type(error).__name__)
        return _answer(503, {"status": "down", "live": True, "ready": False, "troubles": ["The database does not answer."]})
    strict = request.GET.get("probe") == "strict"
    return _answer(200 if seen.ok or not strict else 503, judged(seen, details=may_see_details(request)))


def _answer(status: int, body: Mapping[str, Any]) -> JsonResponse:
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})


def judged(seen: Pulse, details: bool) -> dict[str, Any]:
    """The pulse as JSON. Reasons and counts, which may name hosts, only with `details`."""
    body: dict[str, Any] = {
        "status": "ok" if seen.ok else "degraded",
        "live": True,
        "ready": True,
        "as_of": _text(seen.as_of),
        "simulated": seen.simulated,
        "feed": {"state": seen.feed_state, "age_sec": _round(seen.feed_age_sec), "since": _text(seen.feed_since)},
        "tick": {
            "state": seen.tick_state,
            "age_sec": _round(seen.tick_age_sec),
            "ms": _round(seen.tick_ms),
            "since": _text(seen.tick_since),
        },
        "tokens": seen.counts,
        "components": {name: _component(name, seen, details) for name in seen.beats},
        "gap": next((_gap(gap, seen.as_of, details) for gap in seen.gaps if gap.to_ts is None), None),
        "recent_gaps": [_gap(gap, seen.as_of, details) for gap in seen.gaps[:MOST_GAPS]],
        "troubles": _public_troubles(seen),
    }
    if details:
        body["troubles"] = [mask(sentence) for sentence in seen.troubles]
    return body


def _public_troubles(seen: Pulse) -> list[str]:
    """Which part is in trouble, without the reasons that services gave."""
    found = [("feed", seen.feed_state), ("tick", seen.tick_state), ("settings", "broken" if seen.settings_trouble else "ok")]
    found.append(("clock", "gone back" if seen.figures_until else "ok"))
    return [f"{name} {state}" for name, state in found if state != "ok"]


def _component(name: str, seen: Pulse, details: bool) -> dict[str, Any]:
    at, detail = seen.beats[name]
    state = "ok"
    if name == "listener":
        state = seen.feed_state
    elif name in seen.failing_jobs:
        state = "failing"
    elif name in seen.late_jobs:
        state = "late"
    elif name == "scheduler" and seen.tick_state == "off":
        state = "off"
    found: dict[str, Any] = {"state": state, "age_sec": _round((seen.as_of - at).total_seconds())}
    if name in TICK_JOBS:
        found["ms"] = detail.get("ms")
    return found | ({"detail": _masked(detail)} if details else {})


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {mask(str(name)): _masked(inner) for name, inner in value.items()}
    return mask(value) if isinstance(value, str) else value


def _gap(gap: Gap, as_of: datetime, details: bool) -> dict[str, Any]:
    length = ((gap.to_ts or as_of) - gap.from_ts).total_seconds()
    found = {"from": _text(gap.from_ts), "to": _text(gap.to_ts), "sec": _round(length)}
    return found | ({"why": mask(gap.why)} if details else {})


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
