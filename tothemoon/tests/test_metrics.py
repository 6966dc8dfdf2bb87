import urllib.error
import urllib.request

import pytest
from django.db import connection
from prometheus_client.parser import text_string_to_metric_families

from ingestion.models import ApiUsage, Heartbeat, ListeningGap, ServiceState
from tokens.models import Status, Token
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


def doubled(model, times):
    """Every token once more under another address, by the database itself."""
    names = [field.column for field in model._meta.concrete_fields if not field.primary_key]
    copied = ", ".join("address || %s" if name == "address" else name for name in names)
    with connection.cursor() as cursor:
        for time in range(times):
            table = model._meta.db_table
            cursor.execute(f"INSERT INTO {table} ({', '.join(names)}) SELECT {copied} FROM {table}", [f"x{time}"])


@pytest.mark.django_db
def test_a_hundred_thousand_tokens_with_odd_names_and_every_kind_of_trouble_make_no_further_series(now):
    """Nor do services, endpoints, components and sentences that nobody has thought of."""
    Token.objects.bulk_create(Token(address=f"T{number}", symbol=f"S{number}", status=Status.values[number % 3]) for number in range(1_600))
    doubled(Token, times=6)
    assert Token.objects.count() >= 100_000
    Heartbeat.objects.bulk_create(Heartbeat(component=f"job:odd{number}", detail={"ms": 1, "error": f"e{number}"}) for number in range(500))
    ServiceState.objects.bulk_create(ServiceState(service="x", endpoint=f"e{number}", state="key_wrong") for number in range(500))
    ApiUsage.objects.bulk_create(ApiUsage(day=now.date(), service=f"s{number}", endpoint=f"e{number}", calls=1) for number in range(500))
    ListeningGap.objects.bulk_create(ListeningGap(from_ts=now, to_ts=now, why=f"why {number}") for number in range(500))
    series = [(sample.name, *sample.labels.values()) for family in _families() for sample in family.samples]
    assert len(series) <= 500
    assert len(series) == len(set(series))
    assert not [words for words in series if any(str(word).startswith(("S1", "T1", "why", "job:odd")) for word in words)]


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
