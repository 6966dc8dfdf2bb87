"""The evidence in the admin: everything can be read and followed, nothing can be touched, and no list counts its table."""

from datetime import timedelta

import pytest
import time_machine
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse

from learning import schema
from learning.models import FeatureSchema, FeatureVector, Outcome, Prediction, Signal
from learning.tests.evidence_rows import make_chain, make_model, make_token

pytestmark = pytest.mark.django_db
TABLES = (FeatureSchema, FeatureVector, Prediction, Signal, Outcome)


@pytest.fixture
def chain(client, now):
    client.force_login(User.objects.create_superuser("root", password="a-long-password"))
    return make_chain(now, sources=("score", "stage2", "model"), settled=(15, 60), missing={3: 1})


def address(model, what, *arguments):
    return reverse(f"admin:learning_{model._meta.model_name}_{what}", args=arguments)


def text_of(answer):
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.mark.parametrize("model", TABLES)
def test_every_table_can_be_listed_and_read(client, chain, model):
    row = model.objects.order_by("pk").last()
    assert str(row.pk) in text_of(client.get(address(model, "changelist")))
    assert client.get(address(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", TABLES)
def test_nothing_can_be_added_changed_or_deleted(client, chain, model):
    row = model.objects.order_by("pk").last()
    before = model.objects.filter(pk=row.pk).values().get()
    assert client.post(address(model, "add"), {}).status_code == 403
    assert client.post(address(model, "change", row.pk), {"strength": "9", "direction": "down", "hash": "x"}).status_code == 403
    assert client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).values().get() == before


def test_a_vector_is_shown_by_the_names_of_its_slots(client, chain):
    page = text_of(client.get(address(FeatureVector, "change", chain.vector.pk)))
    assert all(f"<code>{name}</code>" in page for name in schema.NAMES)
    assert "the token is younger than the time it takes" in page


def test_the_links_go_along_the_keys(client, chain):
    signal, prediction = chain.signals["model"], chain.prediction
    page = text_of(client.get(address(Signal, "change", signal.pk)))
    for linked in (chain.vector, prediction, chain.outcomes["model", 15]):
        assert address(type(linked), "change", linked.pk) in page
    assert reverse("evidence-signal", args=[signal.pk]) in page
    assert address(FeatureVector, "change", chain.vector.pk) in text_of(client.get(address(Prediction, "change", prediction.pk)))
    assert address(Signal, "change", signal.pk) in text_of(client.get(address(Outcome, "change", chain.outcomes["model", 60].pk)))


@pytest.mark.parametrize("model", [FeatureVector, Prediction, Signal, Outcome])
def test_a_list_takes_a_few_questions_however_long_it_is(client, chain, now, model, django_assert_max_num_queries):
    for name in "BCDEFG":
        make_chain(now, token=make_token(now, name), model=chain.prediction.model, settled=(15,))
    with django_assert_max_num_queries(8) as asked:
        text_of(client.get(address(model, "changelist")))
    whole = f'COUNT(*) AS "__count" FROM "{model._meta.db_table}"'
    assert not [query for query in asked.captured_queries if whole in query["sql"]]


def test_a_token_is_found_by_its_address_and_a_row_by_its_key(client, chain, now):
    other = make_chain(now, token=make_token(now, "B"), model=make_model(now, 2, role="challenger", place=1))
    found = text_of(client.get(address(Signal, "changelist") + f"?q={other.token.address}"))
    assert str(other.signals["score"].pk) in found
    assert str(chain.signals["score"].pk) not in found
    assert str(chain.vector.pk) in text_of(client.get(address(FeatureVector, "changelist") + f"?q={chain.vector.pk}"))


def test_every_table_of_the_evidence_stands_in_the_admin():
    notes = {"Settled"}  # a worker's own
    missing = {model.__name__ for model in apps.get_app_config("learning").get_models() if model not in admin.site._registry}
    assert missing - {"ModelVersion"} <= notes


@pytest.mark.parametrize("model", [FeatureVector, Signal, Outcome])
def test_the_list_leaves_as_csv(client, chain, model):
    lines = b"".join(client.get(address(model, "csv")).streaming_content).decode().splitlines()
    assert len(lines) == 1 + model.objects.count()


def test_the_panel_tells_each_check_and_asks_the_tables_once_in_a_while(client, chain, now, django_assert_max_num_queries):
    with time_machine.travel(now + timedelta(hours=1, minutes=5), tick=False):
        page = text_of(client.get(reverse("evidence-panel")))
        assert all(said in page for said in ("filled share", "whole", schema.NAMES[3]))
        with django_assert_max_num_queries(4):  # who is it, and whatever every page of the admin asks
            assert "filled share" in text_of(client.get(reverse("evidence-panel")))


def test_the_panel_is_for_staff(client):
    assert client.get(reverse("evidence-panel")).status_code == 302
