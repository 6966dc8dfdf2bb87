from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

import pytest
import time_machine
from django.contrib.auth import hashers
from django.contrib.auth.models import User

from tothemoon import login

pytestmark = pytest.mark.django_db
WRONG, RIGHT = "not-the-password", "a-long-enough-one"


@pytest.fixture(autouse=True)
def anna():
    return User.objects.create_superuser("anna", password=RIGHT)


@pytest.fixture
def clock():
    with time_machine.travel(datetime.now(UTC), tick=False) as travelling:
        yield travelling


def enter(client, name, password, address="203.0.113.9"):
    return client.post("/admin/login/", {"username": name, "password": password}, headers={"x-forwarded-for": address})


def errors(answer):
    return [str(error) for error in answer.context["form"].non_field_errors()]


def test_the_right_password_opens(client):
    assert enter(client, "anna", RIGHT).status_code == 302


def test_after_five_wrong_tries_the_right_password_is_refused_too(client):
    for _ in range(5):
        enter(client, "anna", WRONG)
    assert errors(enter(client, "anna", RIGHT)) == ["Too many tries. Wait 15 minutes, then try again."]


def test_other_people_and_other_addresses_are_not_touched(client):
    User.objects.create_superuser("bob", password=RIGHT)
    for _ in range(6):
        enter(client, "anna", WRONG)
    assert enter(client, "bob", RIGHT).status_code == 302
    assert enter(client, "anna", RIGHT, address="198.51.100.1").status_code == 302


def test_sixty_guesses_reach_the_hasher_five_times(client, monkeypatch):
    hashed = []
    monkeypatch.setattr("django.contrib.auth.hashers.verify_password", lambda *_, **__: hashed.append(1) or (False, False))
    for number in range(60):
        enter(client, ("anna", "ANNA")[number % 2], f"guess-{number}")
    assert len(hashed) <= 5


def test_of_a_thousand_guesses_at_most_ten_reach_the_hasher_and_then_the_right_password_waits(client, rf, monkeypatch, clock):
    """In another spelling each time, and with a header that claims another address: only our own proxy's word counts."""
    verify, hashed = hashers.verify_password, []
    monkeypatch.setattr(hashers, "verify_password", lambda *said, **more: hashed.append(1) or verify(*said, **more))
    for number in range(1000):
        request = rf.post("/admin/login/", headers={"x-forwarded-for": f"198.51.100.{number % 250}, 203.0.113.9"})
        guess = {"username": ("anna", "ANNA", "Anna")[number % 3], "password": f"guess-{number}"}
        assert not login.LimitedLogin(request, guess).is_valid()
    assert len(hashed) <= 10
    assert "Too many tries" in errors(enter(client, "anna", RIGHT))[0]
    User.objects.create_superuser("bob", password=RIGHT)
    assert enter(client, "bob", RIGHT, address="198.51.100.1").status_code == 302
    clock.shift(login.WINDOW_SEC + 1)
    assert enter(client, "anna", RIGHT).status_code == 302


def test_without_a_proxy_of_ours_in_front_nobody_can_claim_another_address(client):
    for number in range(login.TRIES):
        said = {"username": "anna", "password": WRONG}
        client.post("/admin/login/", said, headers={"x-forwarded-for": f"198.51.100.{number}"}, REMOTE_ADDR="203.0.113.9")
    said = {"username": "anna", "password": RIGHT}
    answer = client.post("/admin/login/", said, headers={"x-forwarded-for": "198.51.100.99"}, REMOTE_ADDR="203.0.113.9")
    assert "Too many tries" in errors(answer)[0]


def test_a_name_that_does_not_exist_costs_as_much_hashing_as_one_that_does(client, monkeypatch):
    """So that the time of the answer says nothing: one hash each, whoever is asked for."""
    work = []
    encode = hashers.MD5PasswordHasher.encode
    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", lambda *said: work.append(1) or encode(*said))
    User.objects.create_user("clerk", password=RIGHT)  # not of the staff
    User.objects.create_superuser("gone", password=RIGHT, is_active=False)
    found = {}
    for name in ("anna", "nobody", "clerk", "gone"):
        work.clear()
        enter(client, name, WRONG)
        found[name] = len(work)
    assert set(found.values()) == {1}


def test_spraying_names_from_one_address_ends_too(client):
    for number in range(login.TRIES_OF_ADDRESS):
        enter(client, f"name{number}", WRONG)
    assert "Too many tries" in errors(enter(client, "anna", RIGHT))[0]


def test_the_answer_is_the_same_for_names_that_exist_and_names_that_do_not(client):
    answers = [[errors(enter(client, name, WRONG)) for _ in range(7)] for name in ("anna", "nobody")]
    assert answers[0] == answers[1]


def test_a_right_password_ends_the_count(client):
    for _ in range(2):
        for _ in range(4):
            enter(client, "anna", WRONG)
        assert enter(client, "anna", RIGHT).status_code == 302


@pytest.mark.parametrize("name", ["a\x00b", "x" * 10_000, "\u202eanna", "' or 1=1 --"])
def test_odd_names_are_an_ordinary_refusal(client, name):
    assert enter(client, name, WRONG).status_code == 200


@pytest.mark.parametrize(
    "onwards",
    [
        *("//evil.example", "https://evil.example", "javascript:alert(1)", "/\\evil.example", "http:evil.example", "\\\\evil.example"),
        *("///evil.example", "https:/evil.example", "//evil.example@testserver/", "data:text/html,evil", "\thttps://evil.example"),
        *("https://testserver@evil.example", "https://evil.example\\@testserver", "ftp://evil.example", "https://testserver.evil.example/"),
        *("//testserver\x00.evil.example", "%2f%2fevil.example", " //evil.example", "/\t/evil.example", "https://evil.example/admin/"),
    ],
)
def test_a_login_leads_nowhere_else(client, onwards):
    answer = client.post(f"/admin/login/?next={onwards}", {"username": "anna", "password": RIGHT, "next": onwards})
    assert answer.status_code == 302
    leads = urlsplit(urljoin("http://testserver/admin/login/", answer.url))
    assert (leads.scheme, leads.netloc) == ("http", "testserver")
    assert answer.url[1:2] not in {"/", "\\", "\t"}
