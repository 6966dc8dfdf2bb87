import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ingestion.models import ApiUsage, Heartbeat, ServiceState
from tothemoon import metrics as metrics_module
from tothemoon.bounded import Bounded
from tothemoon.metrics import FromDatabase, _families, serve


@pytest.mark.django_db
def test_the_workers_are_seen_through_their_heartbeats(now):
    Heartbeat.objects.create(component="listener", detail={"frames": 12, "migrations": 3, "queue": 1, "last_message_at": "x"})
    Heartbeat.objects.create(component="job:score", detail={"ms": 212, "runs": 9, "failures": 1})
    found = {sample.name: sample.value for family in _families() for sample in family.samples}
    assert found["tothemoon_listener_frames_total"] == 12
    assert found["tothemoon_job_duration_seconds"] == 0.212
    assert found["tothemoon_job_failures_total"] == 1


@pytest.mark.django_db
def test_what_services_cost_is_counted_by_endpoint(now):
    for day in (now.date(), now.date().replace(day=1)):
        ApiUsage.objects.create(day=day, service="birdeye", endpoint="token_overview", calls=2, units=60)
    ServiceState.objects.create(service="birdeye", state="key_wrong", sentence="secret words")
    samples = [(s.name, s.labels, s.value) for family in _families() for s in family.samples]
    where = {"service": "birdeye", "endpoint": "token_overview"}
    assert ("tothemoon_api_units_total", where, 120) in samples
    assert ("tothemoon_service_ok", {"service": "birdeye", "endpoint": ""}, 0) in samples


def test_a_database_that_is_away_is_a_series_and_no_error(monkeypatch):
    from django.db import OperationalError

    def away():
        raise OperationalError("away")

    collector = FromDatabase()
    collector._rows = Bounded(away)
    [only] = list(collector.collect())
    assert only.samples[0].value == 0.0


def test_a_worker_without_a_port_serves_nothing():
    assert serve(0) is None


@pytest.mark.django_db(transaction=True)
def test_a_worker_serves_this_machine_with_what_its_process_uses(unused_port):
    server, thread = serve(unused_port)
    text = urllib.request.urlopen(f"http://127.0.0.1:{unused_port}/metrics").read().decode()
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"process_resident_memory_bytes", "tothemoon_database_up", "tothemoon_tokens"} <= names
    assert server.server_address[0] == "127.0.0.1"
    server.shutdown()
    server.server_close()
    thread.join()
    metrics_module.REGISTRY.unregister(metrics_module._worker)


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
