"""The list of signals and the passport of one, as a reader gets them."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from learning import keys, signal_list, signal_views
from learning.models import Signal
from learning.tests.evidence_rows import make_chain, make_model, make_token, make_true_chain

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_that_moment(now):
    with time_machine.travel(now + timedelta(hours=2), tick=False):
        yield


def passport(signal):
    return reverse("evidence-signal", args=[signal.pk])


def text_of(answer):
    return " ".join(answer.content.decode().split())


def test_the_passport_tells_the_whole_chain(client, now):
    chain = make_chain(now, sources=("score", "model"), settled=(15, 60), gross=0.25, missing={3: 1})
    page = text_of(client.get(passport(chain.signals["model"])))
    for said in ("239 of 240 known", "boosted 1", "2 of 4 settled", "+25 %", "+23 %", "the token is younger than the time it takes"):
        assert said in page
    assert "not before 2026-11-21 16:00:00 UTC" in page
    assert reverse("evidence-signal", args=[chain.signals["score"].pk]) in page


def test_the_passport_of_a_score_shows_its_parts_and_what_was_seen(client, now):
    chain = make_true_chain(now)
    page = text_of(client.get(passport(chain.signals["score"])))
    for said in ("12 snapshots", "Transactions", "no model", "none: this source gives no probability"):
        assert said in page
    assert "No snapshot of the hour before" not in page


def test_a_passport_takes_the_same_few_questions_whatever_there_is(client, now, django_assert_max_num_queries):
    small = make_chain(now, token=make_token(now, "B"))
    large = make_chain(now, model=make_model(now), sources=("score", "stage2", "model"), settled=(15, 60))
    client.get(passport(small.signals["score"]))
    with django_assert_max_num_queries(14):
        client.get(passport(large.signals["model"]))


def test_the_button_answers_yes(client, now):
    chain = make_true_chain(now)
    page = text_of(client.post(passport(chain.signals["score"])))
    assert "The same numbers: yes." in page
    assert "240 numbers, the same" in page


def test_the_button_answers_no_and_where(client, now):
    chain = make_true_chain(now)
    type(chain.score).objects.filter(pk=chain.score.pk).update(score=9.5)
    page = text_of(client.post(passport(chain.signals["score"])))
    assert "The same numbers: no." in page
    assert "First difference in Score at score: stored 9.5, now" in page


def test_the_button_is_not_pressed_by_another_site(now):
    chain = make_true_chain(now)
    assert Client(enforce_csrf_checks=True).post(passport(chain.signals["score"])).status_code == 403


def test_the_public_shares_a_limit_and_staff_does_not(client, now, monkeypatch):
    monkeypatch.setattr(signal_views, "A_MINUTE", 1)
    address = passport(make_true_chain(now).signals["score"])
    assert [client.post(address).status_code for _ in range(2)] == [200, 429]
    assert "Try again in a minute" in text_of(client.post(address))
    client.force_login(User.objects.create_superuser("root", password="a-long-password"))
    assert client.post(address).status_code == 200


@pytest.mark.parametrize("pk", [1, 2**63, 10**30])
def test_a_signal_that_is_not_there_is_not_found(client, pk):
    answer = client.get(f"/evidence/signals/{pk}/")
    assert answer.status_code == 404
    assert "No such signal" in text_of(answer)


def test_the_list_has_the_newest_first_with_what_came_of_each(client, now):
    token = make_token(now, "B")
    make_chain(now, token=token, settled=(15, 60, 240, 720))
    make_chain(now + timedelta(minutes=15), token=token)
    found = signal_list.find(signal_list.wanted({}), now + timedelta(hours=1))
    assert [row.signal.ts for row in found.rows] == [now + timedelta(minutes=15), now]
    assert [outcome and outcome.horizon_min for outcome in found.rows[1].outcomes] == [15, 60, 240, 720]
    assert "+10 %" in text_of(client.get("/evidence/signals/"))


def test_what_the_address_asks_for_is_what_is_listed(now):
    chain = make_chain(now, sources=("score", "stage2", "model"))
    make_chain(now - timedelta(hours=13), token=make_token(now, "B"), settled=(15,))

    def listed(**query):
        return [row.signal.source for row in signal_list.find(signal_list.wanted(query), now).rows]

    assert listed() == ["model", "stage2", "score", "score"]
    assert listed(source="model") == ["model"]
    assert listed(direction="down") == []
    assert listed(state="waiting") == ["model", "stage2", "score"]
    assert listed(state="settled") == ["score"]
    assert listed(token=chain.token.address, source="score") == ["score"]
    assert listed(source="nobody", before="x") == listed()


def test_one_page_leads_to_the_next_without_counting(client, now, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(signal_list, "ROWS", 2)
    token = make_token(now, "B")
    for number in range(3):
        make_chain(now + timedelta(minutes=number), token=token)
    with django_assert_max_num_queries(2):
        first = signal_list.find(signal_list.wanted({}), now)
    last = signal_list.find(signal_list.wanted({"before": str(first.next)}), now)
    assert (len(first.rows), len(last.rows), last.next) == (2, 1, 0)
    assert keys.ts_of(last.rows[0].signal.pk) == int(now.timestamp())


def test_nothing_said_and_a_token_that_nobody_knows_are_told_apart(client):
    assert "Nothing has been said yet" in text_of(client.get("/evidence/signals/"))
    assert "No token has this address" in text_of(client.get("/evidence/signals/?token=abc"))
    assert not Signal.objects.exists()
