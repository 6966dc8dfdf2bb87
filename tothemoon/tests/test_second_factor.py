"""The second factor of the admin: set up by who knows the password, asked for from then on, each code taken once."""

import re
from binascii import unhexlify
from datetime import UTC, datetime
from io import StringIO

import pytest
import time_machine
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from tothemoon import second_factor

pytestmark = pytest.mark.django_db
RIGHT = "a-long-enough-one"
PAGE = "/admin/second-factor/"


@pytest.fixture
def clock():
    with time_machine.travel(datetime(2026, 11, 21, 12, 0, tzinfo=UTC), tick=False) as travelling:
        yield travelling


@pytest.fixture
def anna(clock):
    return User.objects.create_superuser("anna", password=RIGHT)


@pytest.fixture
def inside(client, anna):
    client.force_login(anna)
    return client


def shown_by_the_app(user):
    device = TOTPDevice.objects.get(user=user)
    app = TOTP(unhexlify(device.key))
    app.time = datetime.now(UTC).timestamp()
    return f"{app.token():06d}"


def set_up(client, user):
    """The recovery codes."""
    client.post(PAGE, {"do": "begin", "password": RIGHT})
    answer = client.post(PAGE, {"do": "prove", "code": shown_by_the_app(user)})
    return re.findall(r"<li class=\"ttm-mono\">([a-z0-9]{5} [a-z0-9]{5})</li>", answer.content.decode())


def enter(name="anna", password=RIGHT, code=None, address="203.0.113.9", client=None):
    said = {"username": name, "password": password} | ({} if code is None else {"code": code})
    return (client or Client()).post("/admin/login/", said, headers={"x-forwarded-for": address})


@pytest.fixture
def protected(inside, anna, clock):
    """Anna has a second factor, and her app shows a code that she has not used."""
    codes = set_up(inside, anna)
    clock.shift(30)
    return codes


def test_who_has_none_logs_in_as_ever_and_sees_no_field_for_it(client, anna):
    assert b"id_code" not in client.get("/admin/login/").content
    assert enter().status_code == 302


def test_setting_it_up_wants_the_password_and_a_first_code(inside, anna):
    assert inside.post(PAGE, {"do": "begin", "password": "wrong"}).context["form"].errors
    assert not TOTPDevice.objects.exists()
    codes = set_up(inside, anna)
    assert len(set(codes)) == second_factor.RECOVERY_CODES
    assert second_factor.in_force(anna)
    assert inside.get("/admin/").status_code == 200  # this session has shown a code just now


def test_a_secret_that_was_never_proved_asks_nobody_for_a_code(inside, anna):
    inside.post(PAGE, {"do": "begin", "password": RIGHT})
    assert inside.post(PAGE, {"do": "prove", "code": "000000"}).context["form"].errors
    assert enter().status_code == 302


def test_looking_at_the_page_makes_no_secret(inside):
    assert inside.get(PAGE).status_code == 200
    assert not TOTPDevice.objects.exists()


def test_the_secret_is_shown_as_a_picture_and_in_letters_until_it_is_in_force(inside, anna):
    inside.post(PAGE, {"do": "begin", "password": RIGHT})
    text = inside.get(PAGE).content.decode()
    assert "<svg" in text
    assert re.search(r'id="secret">(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}<', text)
    inside.post(PAGE, {"do": "prove", "code": shown_by_the_app(anna)})
    assert "<svg" not in inside.get(PAGE).content.decode().partition('id="main"')[2]
    assert "secret" not in inside.get(PAGE).context


def test_the_password_alone_is_refused_from_then_on_and_password_and_code_are_let_in(protected, anna):
    assert enter().status_code == 200
    assert enter(code="").status_code == 200
    answer = enter(code=shown_by_the_app(anna))
    assert (answer.status_code, answer.url) == (302, "/admin/")


def test_the_same_words_whether_password_or_code_was_wrong(protected, anna):
    said = [
        [str(error) for error in answer.context["form"].non_field_errors()]
        for answer in (enter(password="wrong", code="123456"), enter(code="123456"), enter("nobody", code="123456"))
    ]
    assert said[0] == said[1] == said[2]


def test_a_code_is_taken_once(protected, anna):
    code = shown_by_the_app(anna)
    assert enter(code=code).status_code == 302
    assert enter(code=code, address="198.51.100.1").status_code == 200


def test_the_code_that_set_it_up_opens_nothing(inside, anna):
    set_up(inside, anna)
    assert enter(code=shown_by_the_app(anna)).status_code == 200


@pytest.mark.parametrize("drift", [-90, 90])
def test_a_code_of_another_time_is_none(protected, anna, clock, drift):
    clock.shift(600)
    now = datetime.now(UTC)
    with time_machine.travel(now.timestamp() + drift, tick=False):
        code = shown_by_the_app(anna)
    assert enter(code=code).status_code == 200


def test_a_recovery_code_opens_once_however_it_is_typed(protected, anna):
    assert enter(code=protected[0].upper().replace(" ", "-")).status_code == 302
    assert enter(code=protected[0], address="198.51.100.1").status_code == 200
    assert second_factor.recovery_codes_left(anna) == second_factor.RECOVERY_CODES - 1


def test_a_recovery_code_is_not_kept_itself(protected):
    kept = set(StaticToken.objects.values_list("token", flat=True))
    assert not kept & {code.replace(" ", "") for code in protected}
    assert all(len(token) == 16 for token in kept)


def test_somebody_elses_code_opens_nothing(protected, anna, clock):
    User.objects.create_superuser("bob", password=RIGHT)
    other = Client()
    other.force_login(User.objects.get(username="bob"))
    codes = set_up(other, User.objects.get(username="bob"))
    assert enter(code=codes[0]).status_code == 200
    assert enter("bob", code=protected[0]).status_code == 200


def test_tries_with_codes_are_counted_like_those_with_passwords(protected, anna):
    for number in range(5):
        enter(code=f"{number:06d}")
    answer = enter(code=shown_by_the_app(anna))
    assert "Too many tries" in str(answer.context["form"].non_field_errors())


def test_guesses_from_many_addresses_make_the_device_wait_longer_and_longer(protected, anna, clock):
    for number in range(8):
        enter(code="000000", address=f"198.51.100.{number}")
        clock.shift(300)
    device = TOTPDevice.objects.get(user=anna)
    assert device.throttling_failure_count == 8  # the next must wait 128 seconds
    enter(code="000000", address="198.51.100.99")
    clock.shift(30)
    assert enter(code=shown_by_the_app(anna)).status_code == 200
    clock.shift(300)
    assert enter(code=shown_by_the_app(anna)).status_code == 302


def test_the_page_counts_its_tries_too(inside, anna):
    answers = [inside.post(PAGE, {"do": "begin", "password": f"guess {number}"}) for number in range(6)]
    assert "Too many tries" in str(answers[-1].context["form"].non_field_errors())
    assert inside.post(PAGE, {"do": "begin", "password": RIGHT}).status_code == 200
    assert not TOTPDevice.objects.exists()


def test_older_sessions_are_asked_for_it_too(inside, anna):
    older = Client()
    older.force_login(anna)
    assert older.get("/admin/").status_code == 200
    set_up(inside, anna)
    for where in ("/admin/", "/admin/tokens/token/", "/admin/scoring/console/", "/admin/evidence/", PAGE):
        assert older.get(where).status_code == 302, where
    assert older.post(PAGE, {"do": "off", "code": "1"}).status_code == 302


def test_new_recovery_codes_void_the_old_ones(protected, inside, anna, clock):
    answer = inside.post(PAGE, {"do": "codes", "code": shown_by_the_app(anna)})
    assert len(answer.context["recovery_codes"]) == second_factor.RECOVERY_CODES
    assert enter(code=protected[0]).status_code == 200
    clock.shift(30)
    assert enter(code=answer.context["recovery_codes"][0]).status_code == 302


def test_taking_it_away_wants_a_code(protected, inside, anna, clock):
    assert inside.post(PAGE, {"do": "off", "code": "000000"}).status_code == 200
    assert second_factor.in_force(anna)
    clock.shift(30)
    assert inside.post(PAGE, {"do": "off", "code": shown_by_the_app(anna)}).status_code == 302
    assert enter().status_code == 302
    assert not StaticToken.objects.exists()


def test_a_factor_in_force_is_not_replaced_without_a_code(protected, inside, anna):
    before = TOTPDevice.objects.get(user=anna).key
    inside.post(PAGE, {"do": "begin", "password": RIGHT})
    inside.post(PAGE, {"do": "prove", "code": shown_by_the_app(anna)})
    assert TOTPDevice.objects.get(user=anna).key == before


def test_where_it_is_required_nothing_opens_before_it_is_set_up(client, anna, settings, clock):
    settings.SECOND_FACTOR = "required"
    assert enter(client=client).status_code == 302
    for where in ("/admin/", "/admin/tokens/token/", "/admin/scoring/console/", "/admin/password_change/", "/admin/jsi18n/"):
        answer = client.get(where, follow=True)
        assert answer.redirect_chain[-1][0] == PAGE, where
    assert "Everybody here needs a second factor" in answer.content.decode()
    assert len(set_up(client, anna)) == second_factor.RECOVERY_CODES
    assert client.get("/admin/tokens/token/").status_code == 200


def test_strangers_and_people_without_staff_rights_do_not_see_the_page(client, clock):
    assert client.get(PAGE).url == f"/admin/login/?next={PAGE}"
    client.force_login(User.objects.create_user("guest", password=RIGHT))
    assert client.get(PAGE).status_code == 302


def test_the_secrets_of_others_have_no_page():
    assert not [model for model in admin.site._registry if model._meta.app_label.startswith("otp_")]


def test_a_superuser_takes_it_away_from_who_lost_the_phone(protected, inside, anna, clock):
    bob = User.objects.create_superuser("bob", password=RIGHT)
    helper = Client()
    helper.force_login(bob)
    asked = {"action": "take_second_factor_away", "_selected_action": [anna.pk]}
    assert helper.post("/admin/auth/user/", asked, follow=True).status_code == 200
    assert not second_factor.in_force(anna)
    noted = LogEntry.objects.filter(object_id=str(anna.pk), user=bob).get()
    assert noted.change_message == "Took the second factor away."


def test_who_may_only_change_people_may_not_take_it_away(protected, anna):
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(clerk.user_permissions.model.objects.filter(codename__in=["view_user", "change_user"]))
    helper = Client()
    helper.force_login(clerk)
    helper.post("/admin/auth/user/", {"action": "take_second_factor_away", "_selected_action": [anna.pk]})
    assert second_factor.in_force(anna)


def test_the_owner_of_the_machine_takes_it_away_by_a_command(protected, anna):
    said = StringIO()
    call_command("drop_second_factor", "anna", stdout=said)
    assert said.getvalue() == "anna logs in with the password alone now.\n"
    assert enter().status_code == 302
    for name in ("anna", "nobody"):
        with pytest.raises(CommandError):
            call_command("drop_second_factor", name)


@pytest.mark.parametrize("code", ["\x00", "１２３４５６", "٣٣٣٣٣٣", "-12345", "1e5", "x" * 10_000, "' or 1=1 --", "\ud800", "12 34 5"])
def test_odd_codes_are_an_ordinary_refusal(protected, code):
    assert enter(code=code.encode("utf-8", "surrogatepass").decode("utf-8", "replace")).status_code == 200


def test_a_code_is_not_written_into_the_log(protected, anna, caplog):
    enter(code="987654")
    enter(code=protected[0])
    assert "987654" not in caplog.text
    assert protected[0].replace(" ", "") not in caplog.text.replace(" ", "")


def test_a_session_without_a_factor_costs_one_question_and_one_with_it_one_too(inside, anna, django_assert_num_queries, clock):
    with django_assert_num_queries(3):  # session, person, second factor
        inside.get("/admin/jsi18n/")
    set_up(inside, anna)
    with django_assert_num_queries(3):
        inside.get("/admin/jsi18n/")
