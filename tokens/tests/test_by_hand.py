import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from tokens.models import StatusChange, Token

pytestmark = pytest.mark.django_db


@pytest.fixture
def token():
    return Token.objects.create(address="A" * 44, symbol="PI", status="Active", low_checks=3)


def where(verb, *tokens):
    return reverse("admin:tokens_token_by_hand", args=[verb]) + "?ids=" + ",".join(str(token.pk) for token in tokens)


@pytest.mark.parametrize(("verb", "status"), [("archive", "Archived"), ("initial", "Initial")])
def test_a_status_given_by_hand_is_held_and_its_reason_kept(admin_client, token, verb, status):
    admin_client.post(where(verb, token), {"reason": "a rug"})
    token.refresh_from_db()
    assert (token.status, token.held, token.low_checks) == (status, True, 0)
    change = StatusChange.objects.get(token=token)
    assert (change.old, change.new, change.reason, change.actor) == ("Active", status, "a rug", "admin")


def test_holding_and_releasing_keep_the_status(admin_client, token):
    for verb, held in [("hold", True), ("release", False)]:
        admin_client.post(where(verb, token), {"reason": "watch it"})
        token.refresh_from_db()
        assert (token.status, token.held) == ("Active", held)
    assert StatusChange.objects.filter(token=token).count() == 2


@pytest.mark.parametrize("reason", ["", "   ", "\n\t", "x" * 301])
def test_without_a_reason_nothing_happens(admin_client, token, reason):
    answer = admin_client.post(where("archive", token), {"reason": reason})
    assert answer.status_code == 200
    assert answer.context["form"].errors["reason"]
    assert Token.objects.get().status == "Active"


def test_looking_at_the_question_changes_nothing(admin_client, token):
    assert b"Archive" in admin_client.get(where("archive", token)).content
    assert Token.objects.get().status == "Active"


def test_the_action_of_the_list_asks_before_it_acts(admin_client, token):
    data = {"action": "by_hand_archive", "_selected_action": [token.pk]}
    answer = admin_client.post(reverse("admin:tokens_token_changelist"), data)
    assert answer.url == where("archive", token)
    assert Token.objects.get().status == "Active"


def test_many_at_once_change_and_those_that_stood_so_stay(admin_client, token):
    archived = Token.objects.create(address="B" * 44, status="Archived")
    answer = admin_client.post(where("archive", token, archived), {"reason": "clean up"}, follow=True)
    assert [str(message) for message in answer.context["messages"]] == ["Archived and held: 1 of 2. 1 stood so already."]
    assert StatusChange.objects.count() == 1


def test_more_than_two_hundred_are_refused(admin_client):
    Token.objects.bulk_create(Token(address=f"T{number}") for number in range(201))
    data = {"action": "by_hand_hold", "select_across": "1", "_selected_action": [Token.objects.first().pk]}
    answer = admin_client.post(reverse("admin:tokens_token_changelist"), data, follow=True)
    assert "At most 200 tokens at once" in str(next(iter(answer.context["messages"])))


def test_the_admins_own_log_names_the_deed(admin_client, token):
    admin_client.post(where("archive", token), {"reason": "a rug"})
    assert "Archive: a rug" in str(LogEntry.objects.get().change_message)


def test_who_may_only_look_may_not_act(client, token):
    person = User.objects.create_user("anna", password="a-long-enough-one", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_token"))
    client.force_login(person)
    assert client.get(reverse("admin:tokens_token_change", args=[token.pk])).status_code == 200
    assert client.post(where("archive", token), {"reason": "because"}).status_code == 403
    assert b"Archive\xe2\x80\xa6" not in client.get(reverse("admin:tokens_token_change", args=[token.pk])).content
    assert Token.objects.get().status == "Active"


def test_a_stranger_is_sent_to_the_login(client, token):
    assert client.get(where("archive", token)).url.startswith("/admin/login/")


def test_a_form_from_elsewhere_is_refused(token, admin_user):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    assert strict.post(where("archive", token), {"reason": "forged"}).status_code == 403


@pytest.mark.parametrize("ids", ["", "x", "999999", "1;drop", "9" * 40, ",,,"])
def test_tokens_that_are_not_there_lead_back_to_the_list(admin_client, ids):
    answer = admin_client.get(reverse("admin:tokens_token_by_hand", args=["hold"]) + f"?ids={ids}")
    assert answer.url == reverse("admin:tokens_token_changelist")


def test_an_unknown_deed_is_not_found(admin_client, token):
    assert admin_client.get(where("explode", token)).status_code == 404


def test_a_token_that_is_not_there_leads_back_to_the_list(admin_client):
    assert admin_client.get(reverse("admin:tokens_token_change", args=[99])).url == reverse("admin:tokens_token_changelist")
