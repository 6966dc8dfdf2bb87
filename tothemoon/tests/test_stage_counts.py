"""What the stages have done, from cycle to cycle and in Prometheus' text form."""

import json
from contextlib import nullcontext
from datetime import timedelta

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ingestion.models import Heartbeat
from tothemoon import jobs
from tothemoon import stage_series as stage_series_module
from tothemoon.jobs import Work
from tothemoon.metrics import FromDatabase, _families
from tothemoon.schedule import Job, Schedule
from tothemoon.stage_counts import EDGES, added
from tothemoon.stage_series import stage_series
from tothemoon.tests.test_schedule import Leader
from tothemoon.worker import StopFlag
from trading.names import Refusal, Trigger
from trading.run import Cycle

ONE = Cycle(
    rows=1,
    begun=2,
    judged=3,
    refused={"volume_low": 5},
    triggers={"volume_spike": 4},
    gates={"stale": 1},
    skips={"no_slot": 2},
    parts_ms={"read": 900.0, "triggers": 40.0, "prefilter": 20.0, "judgement": 300.0, "flips": 100.0},
)


def samples(counted: dict) -> dict:
    return {(s.name, *sorted(s.labels.items())): s.value for family in stage_series(counted) for s in family.samples}


def test_the_names_that_dashboards_rely_on():
    found = samples(added({}, ONE))
    assert found["stage1_cycle_seconds_sum",] == pytest.approx(0.06)
    assert found["stage2_cycle_seconds_sum",] == pytest.approx(0.4)
    assert found["prefilter_elapsed_seconds_count",] == 1
    assert found["symbols_filtered_total", ("reason", "volume_low")] == 5
    assert found["tothemoon_stage_gated_total", ("gate", "stale")] == 1


def test_the_readme_names_them():
    text = (settings.BASE_DIR / "README.md").read_text()
    named = [series for series, _ in stage_series_module.DURATIONS.values()]
    named += [f"{series}_total" for series, _, _ in stage_series_module.COUNTS.values()]
    assert [name for name in [*named, "ws_messages_total"] if name not in text] == []


def test_every_reason_has_a_series_and_nothing_else_has():
    counted = added({}, Cycle(rows=1, refused={"volume_low": 1, "a reason that nobody knows": 9}))
    labels = {key[1][1] for key in samples(counted) if key[0] == "symbols_filtered_total"}
    assert labels == {reason.value for reason in Refusal}


def test_a_look_that_found_no_minute_to_judge_is_no_cycle():
    counted = added({}, ONE)
    assert added(counted, Cycle()) == counted
    assert list(stage_series(added({}, Cycle()))) == []


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 60_000)), min_size=1, max_size=20))
def test_nothing_ever_goes_back_and_the_histogram_adds_up(cycles):
    counted, before = {}, {}
    for number, ms in cycles:
        cycle = Cycle(rows=1, triggers={Trigger.VOLUME_SPIKE.value: number}, parts_ms={"triggers": ms, "judgement": ms / 2})
        counted = json.loads(json.dumps(added(counted, cycle)))  # as it comes back from the database
        now = samples(counted)
        assert all(now[key] >= value for key, value in before.items())
        before = now
    slow = sum(ms / 1000 > EDGES[0] for _, ms in cycles)
    assert now["stage1_cycle_seconds_bucket", ("le", "0.01")] == len(cycles) - slow
    assert now["stage1_cycle_seconds_bucket", ("le", "+Inf")] == len(cycles)
    assert now["stage1_cycle_seconds_sum",] == pytest.approx(sum(ms for _, ms in cycles) / 1000)


@pytest.mark.django_db
def test_a_run_that_fails_takes_nothing_back():
    outcomes = iter([{"counted": added({}, ONE)}, ValueError(), None])

    def work(work):
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome or {"counted": added(work.counted, ONE)}

    running = Schedule(Leader(), StopFlag(), [Job("stages", lambda revision: 1.0, work)])
    totals = []
    for fails in (False, True, False):
        if fails:
            with pytest.raises(ValueError):
                running.run(running.table["stages"])
        else:
            running.run(running.table["stages"])
        totals.append(Heartbeat.objects.get(component="job:stages").detail["counted"]["judged"])
    assert totals == [3, 3, 6]


@pytest.mark.django_db
def test_sockets_are_counted_by_source(now):
    Heartbeat.objects.create(component="listener", detail={"frames": 12})
    Heartbeat.objects.create(component="klines", detail={"frames": 7})
    found = {tuple(s.labels.items()): s.value for f in _families() for s in f.samples if s.name == "ws_messages_total"}
    assert found == {(("source", "pumpportal"),): 12, (("source", "binance"),): 7}


@pytest.mark.django_db(transaction=True)
def test_two_who_scrape_are_told_the_same():
    Heartbeat.objects.create(component="job:stages", detail={"ms": 9, "counted": added({}, ONE)})
    told = []
    for _ in range(2):
        registry = CollectorRegistry()
        registry.register(FromDatabase())
        families = text_string_to_metric_families(generate_latest(registry).decode())
        told.append({family.name: family.type for family in families if family.name.startswith(("stage", "symbols", "prefilter"))})
    assert told[0] == told[1]
    assert told[0]["stage1_cycle_seconds"] == "histogram"


@pytest.mark.django_db
def test_the_job_itself_carries_its_counts_from_run_to_run(now):
    first = jobs.stages(Work(now, nullcontext, StopFlag()))["counted"]
    later = jobs.stages(Work(now + timedelta(minutes=1), nullcontext, StopFlag(), counted=first))["counted"]
    again = jobs.stages(Work(now + timedelta(minutes=1), nullcontext, StopFlag(), counted=later))["counted"]
    assert [each["stage1"]["count"] for each in (first, later, again)] == [1, 2, 2]
