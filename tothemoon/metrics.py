"""`/metrics` in Prometheus' text form. Workers are seen through what they write to the database, each process through itself.

Every label comes from a closed list: no token, no address, no error text. However many tokens there are, the number of
series stays the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIServer

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, Max, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ingestion.budget import budget_at, month_start
from ingestion.models import ApiUsage, QuarantinedFrame, ServiceState
from scoring.alert_rows import AlertDelivery
from scoring.score_watch import newest
from tothemoon.bounded import Bounded, TimeoutError
from tothemoon.model_series import model_series
from tothemoon.pulse import Pulse, measure
from tothemoon.security import may_see_details
from tothemoon.stage_series import stage_series

LIMIT_SEC = 2.0
JOBS = (
    "poll_initial",
    "poll_active",
    "poll_exchange",
    "fill_bars",
    "stages",
    "gate_ledger",
    "score",
    "alerts",
    "deliver_alerts",
    "evidence",
    "settle",
    "check_evidence",
    "models",
    "cleanup",
    "heartbeat",
)
COMPONENTS = ("listener", "klines", "scheduler", *(f"job:{name}" for name in JOBS))
SOCKETS = {"pumpportal": "listener", "binance": "klines"}  # by source, whose heartbeat tells of it
LISTENER_COUNTS = ("frames", "migrations", "duplicates", "quarantined", "unclassified", "reconnects", "dropped")
JOB_COUNTS = ("runs", "failures", "overlaps")
USAGE_COUNTS = ("calls", "units", "tokens", "cache_hits", "malformed", "temporary", "permanent", "throttled")
MOST_ENDPOINTS = 30
FEED_STATES = ("ok", "late", "silent", "off")
TICK_STATES = ("ok", "late", "failing", "off")

logger = logging.getLogger(__name__)


class FromDatabase(Collector):
    """All series that are made from the database. A database that does not answer is a series too, not an error."""

    def __init__(self) -> None:
        self._rows = Bounded(lambda: list(_families()))

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        try:
            families = self._rows.ask(LIMIT_SEC)
        except (DatabaseError, TimeoutError) as error:
            logger.error("metrics: the database does not answer (%s)", type(error).__name__)
            families = []
        yield GaugeMetricFamily("tothemoon_database_up", "1 while the database answers.", value=1.0 if families else 0.0)
        yield from families


_web = CollectorRegistry()
_web.register(FromDatabase())


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For this machine and the addresses of METRICS_ALLOW."""
    if not may_see_details(request):
        return HttpResponse("Not for you.\n", status=403, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})
    return HttpResponse(generate_latest(_web), content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


def serve(port: int) -> tuple[WSGIServer, Thread] | None:
    """The same for a worker, with what its process uses, on this machine only. Port 0: nothing."""
    if not port:
        return None
    if _worker not in REGISTRY._collector_to_names:
        REGISTRY.register(_worker)
    server, thread = start_http_server(port, addr="127.0.0.1")
    logger.info("metrics at http://127.0.0.1:%d/metrics", port)
    return server, thread


_worker = FromDatabase()


def _families() -> Iterable[Metric]:
    now = timezone.now()
    seen = measure(now)
    yield from _pulse(seen)
    yield from _listener(dict(seen.beats.get("listener", (None, {}))[1]))
    yield from _sockets(seen)
    yield from _jobs(seen)
    yield from stage_series(dict(seen.beats.get("job:stages", (None, {}))[1]).get("counted", {}))
    yield from model_series(dict(seen.beats.get("job:models", (None, {}))[1]))
    yield from _usage()
    yield from _states()
    yield from _alerts(now)
    month = ApiUsage.objects.filter(service="birdeye", day__gte=month_start(now).date()).aggregate(units=Sum("units", default=0))["units"]
    budget = budget_at(now, settings.BIRDEYE_MONTHLY_CU, month, 0)
    yield GaugeMetricFamily("tothemoon_birdeye_units_left", "Compute units left this month; 0 without a limit too.", value=budget.left)
    yield GaugeMetricFamily("tothemoon_quarantined_frames", "Frames kept in quarantine.", value=QuarantinedFrame.objects.count())


def _pulse(seen: Pulse) -> Iterable[Metric]:
    yield _by("tothemoon_tokens", "Tokens by status.", "status", {name.lower(): found for name, found in seen.counts.items()})
    feed = {state: float(state == seen.feed_state) for state in FEED_STATES}
    yield _by("tothemoon_feed_state", "1 for the state the feed is in.", "state", feed)
    tick = {state: float(state == seen.tick_state) for state in TICK_STATES}
    yield _by("tothemoon_tick_state", "1 for the state the tick is in.", "state", tick)
    if seen.feed_age_sec is not None:
        yield GaugeMetricFamily("tothemoon_feed_age_seconds", "Since the last message of the feed.", value=seen.feed_age_sec)
    if seen.tick_age_sec is not None:
        yield GaugeMetricFamily("tothemoon_tick_age_seconds", "Since the last tick ended.", value=seen.tick_age_sec)
    open_sec = (seen.as_of - seen.gap_from).total_seconds() if seen.gap_from else 0.0
    yield GaugeMetricFamily("tothemoon_open_gap_seconds", "How long new tokens have not been heard; 0 while they are.", value=open_sec)
    ages = {name: (seen.as_of - seen.beats[name][0]).total_seconds() for name in COMPONENTS if name in seen.beats}
    yield _by("tothemoon_heartbeat_age_seconds", "Since the last heartbeat.", "component", ages)


def _listener(detail: Mapping[str, Any]) -> Iterable[Metric]:
    for name in LISTENER_COUNTS:
        if isinstance(detail.get(name), int | float):
            yield CounterMetricFamily(f"tothemoon_listener_{name}", f"{name.capitalize()} since the listener started.", value=detail[name])
    if isinstance(detail.get("queue"), int | float):
        yield GaugeMetricFamily("tothemoon_listener_queue", "Frames read and not yet stored.", value=detail["queue"])


def _sockets(seen: Pulse) -> Iterable[Metric]:
    family = CounterMetricFamily("ws_messages", "Messages read from a socket since the listener started.", labels=["source"])
    for source, component in SOCKETS.items():
        frames = dict(seen.beats.get(component, (None, {}))[1]).get("frames")
        if isinstance(frames, int | float):
            family.add_metric([source], frames)
    yield family


def _jobs(seen: Pulse) -> Iterable[Metric]:
    jobs = {name.removeprefix("job:"): seen.beats[name][1] for name in COMPONENTS if name.startswith("job:") and name in seen.beats}
    lasted = {name: detail["ms"] / 1000 for name, detail in jobs.items() if isinstance(detail.get("ms"), int | float)}
    yield _by("tothemoon_job_duration_seconds", "How long the last run took.", "job", lasted)
    for count in JOB_COUNTS:
        family = CounterMetricFamily(f"tothemoon_job_{count}", f"{count.capitalize()} since the scheduler started.", labels=["job"])
        for name, detail in jobs.items():
            if isinstance(detail.get(count), int | float):
                family.add_metric([name], detail[count])
        yield family


def _usage() -> Iterable[Metric]:
    sums: dict[str, Any] = {f"{name}_sum": Sum(name) for name in (*USAGE_COUNTS, "latency_ms_sum")}
    by_endpoint = ApiUsage.objects.values("service", "endpoint").annotate(**sums, slowest=Max("latency_ms_max"))
    rows: list[Any] = list(by_endpoint.order_by("service", "endpoint")[:MOST_ENDPOINTS])
    for name in USAGE_COUNTS:
        family = CounterMetricFamily(
            f"tothemoon_api_{name}", f"{name.replace('_', ' ').capitalize()}, all days.", labels=["service", "endpoint"]
        )
        for row in rows:
            family.add_metric([row["service"], row["endpoint"]], row[f"{name}_sum"])
        yield family
    spent = CounterMetricFamily("tothemoon_api_latency_seconds", "Seconds waited for answers, all days.", labels=["service", "endpoint"])
    for row in rows:
        spent.add_metric([row["service"], row["endpoint"]], row["latency_ms_sum_sum"] / 1000)
    yield spent


def _states() -> Iterable[Metric]:
    family = GaugeMetricFamily("tothemoon_service_ok", "1 while nothing stands in the way of this use.", labels=["service", "endpoint"])
    for state in ServiceState.objects.order_by("service", "endpoint")[:MOST_ENDPOINTS]:
        family.add_metric([state.service, state.endpoint], float(state.state == ServiceState.State.OK))
    yield family


def _alerts(now: datetime) -> Iterable[Metric]:
    """Deliveries of the last hour by what became of them, and what the sentinel thinks of the scores; without a look, no series of it."""
    lately = AlertDelivery.objects.filter(made_at__gte=now - timedelta(hours=1)).order_by().values_list("state").annotate(Count("pk"))
    counts = dict.fromkeys(AlertDelivery.State.values, 0.0) | {state: float(found) for state, found in lately}
    yield _by("tothemoon_alerts_last_hour", "Deliveries of alerts made in the last hour.", "state", counts)
    seen = newest(now)
    if seen is not None:
        yield GaugeMetricFamily("tothemoon_scores_suspicious", "1 while the scores themselves look wrong.", value=float(seen.suspicious))
        yield GaugeMetricFamily("tothemoon_scores_identical_share", "Share of the most frequent score.", value=seen.identical)
        if seen.median is not None and seen.spread is not None:
            yield GaugeMetricFamily("tothemoon_scores_median", "Median score of Active tokens.", value=seen.median)
            yield GaugeMetricFamily("tothemoon_scores_spread", "Between the quartiles of the scores.", value=seen.spread)


def _by(name: str, words: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
