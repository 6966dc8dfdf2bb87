"""Is it alive? The one answer that the pages' header, the admin's first page, /health and /metrics all give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ingestion.models import Heartbeat, ListeningGap, WatchedSymbol
from scoring.models import ScoringSettings
from scoring.settings_in_force import interval_sec, sound_or_trouble
from tokens.models import Status, Token
from tokens.retold import in_words

KEPT_SEC = 2
HEARTBEAT_LIMIT_SEC = 20  # the listener writes every 5 s; after this long without one it is not running
MOST_GAPS = 50
TICK_JOBS = ("job:poll_initial", "job:poll_active", "job:score")


@dataclass(frozen=True)
class Gap:
    """A stretch of time in which new tokens were not heard; `to_ts` is None while it lasts."""

    from_ts: datetime
    to_ts: datetime | None
    why: str


@dataclass(frozen=True)
class Pulse:
    """Feed states: `ok`, `late` (half the stall time without a message), `silent` (no messages, or a gap is open), `off`
    (no listener is running). Tick states: `ok`, `late`, `failing` (a job's last run failed), `off` (nothing has run)."""

    as_of: datetime
    feed_state: str
    feed_at: datetime | None  # last message of the feed
    feed_since: datetime | None  # since when the feed is not ok; None while it is
    tick_state: str
    tick_at: datetime | None
    tick_ms: float | None
    tick_since: datetime | None  # last run of the job that is late or failing; None while the tick is ok
    initial: int
    active: int
    archived: int
    gap_from: datetime | None  # the open gap
    gap_why: str
    gaps: tuple[Gap, ...]  # that reach into the last 24 hours, the open one included, the newest first
    simulated: bool
    revision: ScoringSettings | None = field(default=None, repr=False, compare=False)
    settings_trouble: str = ""  # why the settings table cannot be used
    failing_jobs: tuple[str, ...] = ()
    late_jobs: tuple[str, ...] = ()
    figures_until: datetime | None = None  # where that is a moment which the clock has yet to come to
    beats: Mapping[str, tuple[datetime, Mapping[str, Any]]] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        return self.feed_state == "ok" and self.tick_state == "ok" and not self.settings_trouble and self.figures_until is None

    @property
    def feed_age_sec(self) -> float | None:
        return None if self.feed_at is None else (self.as_of - self.feed_at).total_seconds()

    @property
    def tick_age_sec(self) -> float | None:
        return None if self.tick_at is None else (self.as_of - self.tick_at).total_seconds()

    @property
    def counts(self) -> dict[str, int]:
        return {"Active": self.active, "Initial": self.initial, "Archived": self.archived}

    @property
    def troubles(self) -> list[str]:
        """A sentence for each thing that is not as it should be, for a line at the top of a page."""
        found = (_feed_trouble(self), _tick_trouble(self), _clock_trouble(self), _settings_trouble(self.settings_trouble))
        return [sentence for sentence in found if sentence]


def _clock(moment: datetime, as_of: datetime) -> str:
    """12:04:31 UTC, with the date when that was not today."""
    form = "%H:%M:%S UTC" if moment.date() == as_of.date() else "%Y-%m-%d %H:%M UTC"
    return f"{moment.astimezone(UTC):{form}}"


def _feed_trouble(pulse: Pulse) -> str:
    since = "" if pulse.feed_since is None else _clock(pulse.feed_since, pulse.as_of)
    said = {"ok": "", "late": _late_feed(since), "silent": _silent_feed(since, pulse.gap_why), "off": _no_feed(since)}
    return said[pulse.feed_state] % {"since": since, "why": in_words(pulse.gap_why.rstrip("."))}


def _late_feed(since: str) -> str:
    return _("The feed of new tokens has sent nothing since %(since)s.") if since else _("The feed of new tokens has sent nothing.")


def _silent_feed(since: str, why: str) -> str:
    if since:
        return (
            _("New tokens are not being heard since %(since)s: %(why)s.") if why else _("New tokens are not being heard since %(since)s.")
        )
    return _("New tokens are not being heard: %(why)s.") if why else _("New tokens are not being heard.")


def _no_feed(since: str) -> str:
    if since:
        return _("The listener is not running since %(since)s: new tokens are not being found.")
    return _("The listener has not been started yet: new tokens are not being found.")


def _tick_trouble(pulse: Pulse) -> str:
    since = "" if pulse.tick_since is None else _clock(pulse.tick_since, pulse.as_of)
    said = {
        "ok": "",
        "late": _late_tick(since),
        "failing": _("Failing in the scheduler: %(failing)s. Figures may be old."),
        "off": _no_tick(since),
    }
    late = ", ".join(name.removeprefix("job:") for name in pulse.late_jobs)
    failing = ", ".join(name.removeprefix("job:") for name in pulse.failing_jobs if name in TICK_JOBS)
    return said[pulse.tick_state] % {"since": since, "late": late, "failing": failing}


def _late_tick(since: str) -> str:
    return _("Figures are late: %(late)s has not run since %(since)s.") if since else _("Figures are late: %(late)s has not run.")


def _no_tick(since: str) -> str:
    if since:
        return _("The scheduler is not running since %(since)s: figures and scores stand still.")
    return _("The scheduler has not been started yet: there are no figures and no scores.")


def _clock_trouble(pulse: Pulse) -> str:
    if pulse.figures_until is None:
        return ""
    said = _("The clock has gone back: figures are dated up to %(until)s, and until then their tokens are not asked about again.")
    return said % {"until": _clock(pulse.figures_until, pulse.as_of)}


def _settings_trouble(said: str) -> str:
    """As the settings table tells it, which does so in English."""
    if not said or get_language() in (None, "en"):
        return said
    return _("The settings are in trouble: %(said)s") % {"said": said}


def pulse(now: datetime) -> Pulse:
    """The pulse at `now`, at most two seconds old; five queries when it is not remembered."""
    known: Pulse | None = cache.get("pulse")
    if known is not None and abs((now - known.as_of).total_seconds()) < KEPT_SEC and known.simulated == settings.SIMULATED:
        return known
    fresh = measure(now)
    cache.set("pulse", fresh, KEPT_SEC)
    return fresh


def measure(now: datetime) -> Pulse:
    """The pulse read from the database now."""
    beats = {row.component: (row.ts, row.detail) for row in Heartbeat.objects.order_by("component")[:50]}
    gaps = _recent_gaps(now)
    gap = next((found for found in gaps if found.to_ts is None), None)
    counts = _counts()
    feed_state, feed_at, feed_since = _feed(now, beats, gap)
    revision, settings_trouble = sound_or_trouble()
    tick_state, tick_at, tick_ms, tick_since, failing, late = _tick(now, beats, late_after(revision))
    return Pulse(
        as_of=now,
        feed_state=feed_state,
        feed_at=feed_at,
        feed_since=feed_since,
        tick_state=tick_state,
        tick_at=tick_at,
        tick_ms=tick_ms,
        tick_since=tick_since,
        initial=counts.get(Status.INITIAL, 0),
        active=counts.get(Status.ACTIVE, 0),
        archived=counts.get(Status.ARCHIVED, 0),
        gap_from=gap.from_ts if gap else None,
        gap_why=gap.why if gap else "",
        gaps=gaps,
        simulated=settings.SIMULATED,
        revision=revision,
        settings_trouble=settings_trouble,
        failing_jobs=failing,
        late_jobs=late,
        figures_until=_yet_to_come(now, beats),
        beats=beats,
    )


def _counts() -> dict[str, int]:
    """How many tokens that migrated there are of each status. All are counted, which an index can do, and the few symbols of the watch-list
    taken away."""
    elsewhere = Token.objects.filter(pk__in=WatchedSymbol.objects.filter(token__isnull=False).values("token"))
    all_of, others = (dict(rows.order_by().values_list("status").annotate(Count("pk"))) for rows in (Token.objects.all(), elsewhere))
    return {status: count - others.get(status, 0) for status, count in all_of.items()}


def _recent_gaps(now: datetime) -> tuple[Gap, ...]:
    # Bounded by its beginning too, because only that has an index.
    recent = Q(from_ts__gte=now - timedelta(days=7), to_ts__gte=now - timedelta(days=1))
    rows = ListeningGap.objects.filter(Q(to_ts=None) | recent).order_by("-from_ts")[:MOST_GAPS]
    return tuple(Gap(row.from_ts, row.to_ts, row.why) for row in rows)


Beats = dict[str, tuple[datetime, dict[str, Any]]]


def _feed(now: datetime, beats: Beats, gap: Gap | None) -> tuple[str, datetime | None, datetime | None]:
    beat_at, detail = beats.get("listener", (None, {}))
    last = _moment(detail.get("last_message_at"))
    if beat_at is None:
        return "off", last, None
    if (now - beat_at).total_seconds() > HEARTBEAT_LIMIT_SEC:
        return "off", last, beat_at
    if gap is not None:
        return "silent", last, gap.from_ts
    quiet = (now - (last or beat_at)).total_seconds()
    if not detail.get("connected", True) or quiet > settings.PUMPPORTAL_STALL_SEC:
        return "silent", last, last or beat_at
    if quiet > settings.PUMPPORTAL_STALL_SEC / 2:
        return "late", last, last or beat_at
    return "ok", last, None


def _tick(
    now: datetime, beats: Beats, limits: dict[str, timedelta]
) -> tuple[str, datetime | None, float | None, datetime | None, tuple[str, ...], tuple[str, ...]]:
    ran = {name: beats[name] for name in TICK_JOBS if name in beats}
    if not ran:
        return "off", None, None, None, (), ()
    at = ran.get("job:score", max(ran.values(), key=lambda beat: beat[0]))[0]
    ms = sum(_number(detail.get("ms")) for _, detail in ran.values())
    failing = tuple(sorted(name for name, (_, detail) in beats.items() if name.startswith("job:") and detail.get("ok") is False))
    late = tuple(name for name, (ts, _) in ran.items() if now - ts > limits[name])
    oldest = min((ran[name][0] for name in late), default=None)
    if len(late) == len(ran) and _scheduler_is_gone(now, beats, max(limits.values())):
        return "off", at, ms, max(ts for ts, _ in ran.values()), failing, late
    if broken := [name for name in failing if name in ran]:
        return "failing", at, ms, min(beats[name][0] for name in broken), failing, late
    return ("late" if late else "ok"), at, ms, oldest, failing, late


def _yet_to_come(now: datetime, beats: Beats) -> datetime | None:
    until = _moment(beats["scheduler"][1].get("figures_until")) if "scheduler" in beats else None
    return until if until is not None and until > now else None


def _scheduler_is_gone(now: datetime, beats: Beats, limit: timedelta) -> bool:
    beat_at = beats["scheduler"][0] if "scheduler" in beats else None
    return beat_at is None or now - beat_at > limit


def late_after(revision: ScoringSettings | None) -> dict[str, timedelta]:
    """How old the last run of each job of the tick may be: two intervals and one deadline of a request."""
    initial = interval_sec(revision, "Initial") if revision else settings.SCHED_INTERVAL_INITIAL_SEC
    active = interval_sec(revision, "Active") if revision else settings.SCHED_INTERVAL_ACTIVE_SEC
    intervals = {"job:poll_initial": initial, "job:poll_active": active, "job:score": min(initial, active)}
    return {name: timedelta(seconds=2 * seconds + settings.HTTP_DEADLINE_SEC) for name, seconds in intervals.items()}


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def context(request: HttpRequest) -> dict[str, object]:
    """`pulse` and `simulated` for every template; nothing is asked of the database until a template looks at the pulse."""
    return {"pulse": SimpleLazyObject(lambda: pulse(timezone.now())), "simulated": settings.SIMULATED}
