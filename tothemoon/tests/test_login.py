import pytest
from django.contrib.auth.models import User

from tothemoon import login

pytestmark = pytest.mark.django_db
WRONG, RIGHT = "not-the-password", "a-long-enough-one"


@pytest.fixture(autouse=True)
def anna():
    return User.objects.create_superuser("anna", password=RIGHT)


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
    "onwards", ["//evil.example", "https://evil.example", "javascript:alert(1)", "/\\evil.example", "http:evil.example"]
)
def test_a_login_leads_nowhere_else(client, onwards):
    answer = client.post(f"/admin/login/?next={onwards}", {"username": "anna", "password": RIGHT, "next": onwards})
    assert answer.status_code == 302
    assert "evil" not in answer.url
    assert "javascript" not in answer.url
