"""The page of duels: begun and ended by who may, figures with their sample, and too little said as too little."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from scoring.duel_evidence import read_evidence
from scoring.duel_looks import pack
from scoring.duels import start
from scoring.models import Duel, DuelLook, ScoringSettings, ShadowScore
from scoring.settings_in_force import active_settings
from scoring.tests.evidence import a_market, look
from tokens.models import StatusChange, Token

pytestmark = pytest.mark.django_db


def set_aside(**changes):
    return ScoringSettings.objects.set_aside(changes, None, "for a duel")


def a_duel(now, looks=600, skill=(0.0, 2.0)):
    """One that has run for hours, with evidence in which the second side knows more."""
    duel = start([set_aside(weight_vol_momentum=0.5).pk], None, "does volume find the risers?")
    begun = now - timedelta(minutes=looks)
    Duel.objects.filter(pk=duel.pk).update(begun_at=begun)
    rows = [
        DuelLook(
            duel=duel, number=n, ts=begun + timedelta(minutes=n), settings=active_settings(), tokens=len(tokens), data=pack(look(tokens))
        )
        for n, tokens in enumerate(a_market(looks=looks, skill=skill))
    ]
    DuelLook.objects.bulk_create(rows)
    return duel


def shown(client, **asked):
    answer = client.get(reverse("console_duel"), asked)
    assert answer.status_code == 200
    return answer.content.decode()


def test_without_a_duel_the_page_offers_to_begin_one(admin_client):
    mine = set_aside(ewma_alpha=0.5)
    text = shown(admin_client, r=mine.pk)
    assert f'value="{mine.pk}" checked' in text
    assert "ewma_alpha 0.3 → <strong>0.5</strong>" in text
    assert text.count('name="r"') == 4  # and the presets


def test_a_duel_is_begun_and_ended_from_the_page_and_names_who(admin_client):
    mine = set_aside(ewma_alpha=0.5)
    answer = admin_client.post(reverse("console_duel_start"), {"r": [mine.pk], "note": "calmer?"}, follow=True)
    duel = Duel.objects.get()
    assert (duel.note, duel.author.username, [side.settings for side in duel.sides.all()]) == ("calmer?", "admin", [mine])
    assert "begins with the next tick" in answer.content.decode()
    admin_client.post(reverse("console_duel_stop"))
    duel.refresh_from_db()
    assert (duel.running, duel.ending) == (False, "by admin")


def test_a_second_duel_is_refused_with_a_sentence(admin_client):
    start([set_aside().pk], None, "")
    text = admin_client.post(reverse("console_duel_start"), {"r": [set_aside(ewma_alpha=0.5).pk]}).content.decode()
    assert "A duel is running already. Stop it first." in text


@pytest.mark.parametrize("chosen", [[], ["x"], ["-1"], ["9" * 30], ["1"], ["2", "3", "4", "5"], ["٣"], ["2\x00"]])
def test_nonsense_begins_nothing(admin_client, chosen):
    answer = admin_client.post(reverse("console_duel_start"), {"r": chosen})
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    assert not Duel.objects.exists()


def test_the_page_gives_a_verdict_with_intervals_and_samples(admin_client, now):
    duel = a_duel(now)
    side = duel.sides.get()
    text = shown(admin_client, first=3, rise=10, minutes=30)
    assert f"#{side.settings_id} finds more: of its first 3," in text
    assert "30 tokens" in text
    assert "points, +" in text


def test_too_few_is_no_number(admin_client, now):
    a_duel(now, looks=90)
    text = shown(admin_client)
    assert "Too few yet to say anything" in text
    assert text.count("too few") >= 6


@pytest.mark.parametrize("asked", [{"first": "7"}, {"rise": "nan"}, {"minutes": "-60"}, {"duel": "9" * 40}, {"duel": "x"}, {"r": "'"}])
def test_nonsense_in_the_address_is_answered_with_the_usual(admin_client, now, asked):
    a_duel(now, looks=20)
    shown(admin_client, **asked)


def test_who_was_active_earlier_is_told_in_minutes(admin_client, now):
    duel = a_duel(now, looks=600)
    for number in range(12):
        at = now - timedelta(minutes=45 * (12 - number))
        token = Token.objects.create(address=f"T{number}")
        StatusChange.objects.create(token=token, old="Initial", new="Active", reason="x", actor="rule:activate", ts=at)
        ShadowScore.objects.create(side=duel.sides.get(), token=token, activated_at=at - timedelta(minutes=4), status="Active")
    text = shown(admin_client)
    assert "4.0 min earlier" in text
    assert "12 by both, 0 only here, 0 only in force" in text


def test_a_long_duel_is_read_in_steps(now):
    duel = a_duel(now, looks=100)
    found = read_evidence(duel, most_rows=1000)
    assert found.at.size == 34
    assert set((found.at[1:] - found.at[:-1]).round()) == {180}


def test_who_may_only_look_can_neither_begin_nor_end(client, now):
    reader = User.objects.create_user("reader", password="x", is_staff=True)
    client.force_login(reader)
    assert client.get(reverse("console_duel")).status_code == 403
    reader.user_permissions.add(Permission.objects.get(codename="view_scoringsettings"))
    a_duel(now, looks=3)
    assert "Stop the duel" not in shown(client)
    assert client.post(reverse("console_duel_start"), {"r": "2"}).status_code == 403
    assert client.post(reverse("console_duel_stop")).status_code == 403


def test_a_hostile_note_is_only_text(admin_client, now):
    start([ScoringSettings.objects.set_aside({}, None, "<script>alert(1)</script>").pk], None, "<img src=x onerror=alert(2)>")
    text = shown(admin_client)
    assert "<img src=x" not in text
    assert "<script>alert" not in text
