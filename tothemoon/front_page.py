"""The admin's first page: is it alive, and what needs me?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.db.models.functions import TruncHour
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from ingestion.budget import Budget, budget_at, month_start
from ingestion.models import ApiUsage, QuarantinedFrame, ServiceState
from scoring.score_watch import OLD
from tokens.models import LIVING, Chain, Status, StatusChange, Token
from tokens.templatetags import figures
from tothemoon.pulse import Pulse, pulse

HOURS = 24
BARS = 20
MOST_SCORES = 20_000
LAST_CHANGES = 8


@dataclass(frozen=True)
class Need:
    """Something that waits for a person: a sentence, and where to act on it."""

    sentence: str
    link: str
    bad: bool = False


@dataclass(frozen=True)
class Service:
    name: str
    calls: int
    errors: int
    throttled: int
    mean_ms: float | None
    max_ms: float


def callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    context.update(front_page(timezone.now()))
    return context


def front_page(now: datetime) -> dict[str, Any]:
    """Everything the page shows; a dozen queries at most."""
    alive = pulse(now)
    flows = _flows(now)
    gaps = [gap for gap in alive.gaps if gap.to_ts is None or gap.to_ts >= _midnight(now)]
    usage = list(ApiUsage.objects.filter(day__gte=month_start(now).date(), day__lte=now.date()).order_by("service", "endpoint"))
    watched = Token.objects.filter(chain=Chain.SOLANA).filter(Q(status=Status.ACTIVE) | Q(status=Status.INITIAL, held=True))
    living = list(watched.values_list("status", "held", "status_changed_at", "last_score_value")[:MOST_SCORES])
    budget = _budget(now, usage)
    health = _health(now, alive)
    return {
        "title": "Is it alive?",
        "alive": alive,
        "feed_class": _class(alive.feed_state),
        "tick_class": _class(alive.tick_state),
        "listener": dict(alive.beats.get("listener", (None, {}))[1]),
        "migrations_today": sum(found for hour, old, _, found in flows if old == "" and hour >= _midnight(now)),
        "gaps": gaps,
        "gaps_sec": sum(((gap.to_ts or now) - max(gap.from_ts, _midnight(now))).total_seconds() for gap in gaps),
        "budget": budget,
        "budget_share": min(1.0, budget.spent_month / budget.limit) if budget.limit else 0.0,
        "health": health,
        "health_class": {"ok": "ttm-is-ok", "odd": "ttm-is-late", "suspicious": "ttm-is-bad"}.get(health.get("state", ""), ""),
        "needs": [*_needs(now, alive, living, budget), *_of_alerts(alive, health)],
        "stock": _stock(now, alive, flows),
        "distribution": _distribution([score for status, _, _, score in living if status == Status.ACTIVE and score is not None]),
        "unscored": sum(1 for status, _, _, score in living if status == Status.ACTIVE and score is None),
        "services": _services(now, usage),
        "filling": _filling(now, alive),
        "changes": list(StatusChange.objects.select_related("token").order_by("-ts", "-pk")[:LAST_CHANGES]),
        "has_birdeye_key": bool(settings.BIRDEYE_API_KEY),
    }


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _class(state: str) -> str:
    return {"ok": "ttm-is-ok", "late": "ttm-is-late"}.get(state, "ttm-is-bad")


Flow = tuple[datetime, str, str, int]


def _flows(now: datetime) -> list[Flow]:
    """How many tokens changed from one status to another in each of the last 24 hours."""
    since = min(_midnight(now), now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1))
    recent = StatusChange.objects.filter(ts__gte=since, token__chain=Chain.SOLANA).order_by()
    return list(recent.annotate(hour=TruncHour("ts")).values_list("hour", "old", "new").annotate(Count("pk")))


@dataclass(frozen=True)
class Stock:
    """How many tokens stood in each status at the end of each hour, as lines of a chart of 100 × 100."""

    active: Sequence[int]
    initial: Sequence[int]
    archived_today: int
    active_line: str
    initial_line: str
    most: int


def _stock(now: datetime, alive: Pulse, flows: Sequence[Flow]) -> Stock:
    """Backwards from the present counts: what came in an hour was not there before it."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    counts = {"Active": [alive.active], "Initial": [alive.initial]}
    for back in range(HOURS - 1):
        at = hour - timedelta(hours=back)
        for status, values in counts.items():
            gained = sum(
                found if new == status else -found for when, old, new, found in flows if when == at and old != new and status in (old, new)
            )
            values.append(max(0, values[-1] - gained))
    active, initial = counts["Active"][::-1], counts["Initial"][::-1]
    most = max(1, *active, *initial)
    archived = sum(found for _, old, new, found in flows if new == Status.ARCHIVED and old != new)
    return Stock(active, initial, archived, _line(active, most), _line(initial, most), most)


def _line(values: Sequence[int], most: int) -> str:
    step = 100 / max(1, len(values) - 1)
    return "M" + "L".join(f"{place * step:.4g} {100 - 96 * value / most:.4g}" for place, value in enumerate(values))


@dataclass(frozen=True)
class Bar:
    height: int
    label: str


@dataclass(frozen=True)
class Distribution:
    bars: Sequence[Bar]
    low: float
    median: float
    high: float
    total: int


def _distribution(scores: list[float]) -> Distribution | None:
    if not scores:
        return None
    scores.sort()
    low, high = scores[0], scores[-1]
    width = (high - low) / BARS or 1.0
    counts = [0] * BARS
    for score in scores:
        counts[min(BARS - 1, int((score - low) / width))] += 1
    edges = pairwise(low + width * place for place in range(BARS + 1))
    bars = [
        Bar(round(100 * found / max(counts)), f"{figures.number(start)} to {figures.number(end)}: {found}")
        for found, (start, end) in zip(counts, edges, strict=True)
    ]
    return Distribution(bars, low, scores[len(scores) // 2], high, len(scores))


def _budget(now: datetime, usage: Sequence[ApiUsage]) -> Budget:
    mine = [row for row in usage if row.service == "birdeye"]
    today = sum(row.units for row in mine if row.day == now.date())
    return budget_at(now, settings.BIRDEYE_MONTHLY_CU, sum(row.units for row in mine), today)


def _services(now: datetime, usage: Sequence[ApiUsage]) -> list[Service]:
    """What each service was asked today, how often it failed and how long it took."""
    found = []
    for name in sorted({row.service for row in usage if row.day == now.date()}):
        rows = [row for row in usage if row.service == name and row.day == now.date()]
        calls = sum(row.calls for row in rows)
        found.append(
            Service(
                name,
                calls,
                sum(row.malformed + row.temporary + row.permanent for row in rows),
                sum(row.throttled for row in rows),
                sum(row.latency_ms_sum for row in rows) / calls if calls else None,
                max(row.latency_ms_max for row in rows),
            )
        )
    return found


def _filling(now: datetime, alive: Pulse) -> str:
    """How far the bars of tokens that became Active have been filled back; empty where no scheduler has looked lately."""
    at, detail = alive.beats.get("job:fill_bars", (now, {}))
    said = str(detail.get("says") or "") if now - at < OLD else ""
    return said[:1].upper() + said[1:]


def _needs(now: datetime, alive: Pulse, living: Sequence[tuple[str, bool, datetime, float | None]], budget: Budget) -> list[Need]:
    """What waits for a person, the worst first."""
    beats, services = reverse("admin:ingestion_heartbeat_changelist"), reverse("admin:ingestion_servicestate_changelist")
    needs = [Need(sentence, beats, bad=True) for sentence in alive.troubles]
    for name in alive.failing_jobs:
        error = str(alive.beats[name][1].get("error") or "no reason given")[:200]
        needs.append(Need(f"{name.removeprefix('job:')} failed on its last run: {error}", beats, bad=True))
    for state in ServiceState.objects.exclude(state=ServiceState.State.OK).order_by("service", "endpoint")[:20]:
        what = f"{state.service}{' ' + state.endpoint if state.endpoint else ''}"
        # A plan without batches is a plan: tokens are asked for one by one, and nothing is missing.
        no_batches = state.state == ServiceState.State.PLAN_LACKS and state.endpoint != ""
        known = no_batches or state.state == ServiceState.State.NOT_CONFIGURED
        needs.append(Need(state.sentence or f"{what}: {state.get_state_display()}", services, bad=not known))
    if budget.runs_out_at is not None:
        needs.append(
            Need(
                f"At the present pace the Birdeye budget ends on {budget.runs_out_at:%d %B}.",
                reverse("admin:ingestion_apiusage_changelist"),
            )
        )
    held = [since for status, is_held, since, _ in living if is_held and status in LIVING]
    if held:
        longest = figures.span((now - min(held)).total_seconds())
        words = "1 token is" if len(held) == 1 else f"{len(held)} tokens are"
        needs.append(Need(f"{words} held by hand, the longest for {longest}.", reverse("admin:tokens_token_changelist") + "?which=held"))
    if quarantined := QuarantinedFrame.objects.count():
        words = "1 frame is" if quarantined == 1 else f"{quarantined:,} frames are"
        needs.append(Need(f"{words} in quarantine: nobody could read them.", reverse("admin:ingestion_quarantinedframe_changelist")))
    return needs


def _health(now: datetime, alive: Pulse) -> dict[str, Any]:
    """What the sentinel said of the scores at its last look; empty where that is too long ago."""
    at, detail = alive.beats.get("job:alerts", (now, {}))
    return dict(detail.get("scores") or {}) if now - at < OLD else {}


def _of_alerts(alive: Pulse, health: dict[str, Any]) -> list[Need]:
    """Scores that look wrong, alerts of the last day that nobody could be told of, evidence that is not whole, models that have drifted,
    are out of date or were stopped."""
    needs = []
    if health.get("state") == "suspicious":
        needs.append(Need(f"The scores look wrong: {health['odd']}", reverse("admin:scoring_scorehealth_changelist"), bad=True))
    if lost := alive.beats.get("job:deliver_alerts", (None, {}))[1].get("lost_in_a_day"):
        words = "1 alert of the last day was" if lost == 1 else f"{lost} alerts of the last day were"
        needs.append(Need(f"{words} given up.", reverse("admin:scoring_alertdelivery_changelist") + "?state=gave-up&when=day", bad=True))
    if wrong := alive.beats.get("job:check_evidence", (None, {}))[1].get("wrong"):
        said = ", ".join(name.replace("_", " ") for name in wrong[:4])
        needs.append(Need(f"The evidence of the last 24 hours is not whole: {said}.", reverse("evidence-panel"), bad=True))
    looked_at = alive.beats.get("job:models", (None, {}))[1].get("models", [])
    models = reverse("admin:learning_modelversion_changelist")
    return needs + [Need(trouble, models, bad=True) for model in looked_at for trouble in model["troubles"]]
