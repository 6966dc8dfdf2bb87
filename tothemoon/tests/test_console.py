"""The console's answers: the page, the preview of a draft, what is refused, and what a save does."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from scoring import console
from scoring.console_form import half_life, values_of
from scoring.history import History
from scoring.models import ScoringSettings
from scoring.revisions import WEIGHTS
from tokens.models import Token
from tothemoon.tests.test_whatif import a_market

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _a_history_of_its_own(monkeypatch):
    monkeypatch.setattr(console, "HISTORY", History(hours=24))


@pytest.fixture
def present():
    return ScoringSettings.objects.get(active=True)


def draft(present, **changes):
    return {**values_of(present), "based_on_pk": present.pk, "note": "why not", **changes}


def test_the_page_shows_every_setting_with_its_present_value_and_the_ranking(admin_client, present):
    a_market()
    text = admin_client.get(reverse("console")).content.decode()
    for name in values_of(present):
        assert f'name="{name}"' in text
        assert f'id="beside-{name}"' in text
    assert "now 0.3" in text
    assert "half-life 58 s" in text
    assert "No difference to" in text


def test_a_preview_marks_the_moves_and_names_the_change(admin_client, present):
    a_market()
    text = admin_client.post(reverse("console_preview"), draft(present, weight_vol_momentum="0.9", ewma_alpha="0.05")).content.decode()
    assert "weight_vol_momentum 0.25 → <strong>0.9</strong>" in text
    assert "places move" in text
    assert "half-life 6.8 min" in text


def test_under_each_weight_stands_how_much_of_the_list_would_stay(admin_client, present):
    a_market(ticks=7, pause=timedelta(seconds=70))
    for text in (
        admin_client.get(reverse("console")).content.decode(),
        admin_client.post(reverse("console_preview"), draft(present, weight_tx_accel="0.3")).content.decode(),
    ):
        assert "first 5 would still be among the first 5, on average over 7 moments" in text
        for name in WEIGHTS:
            assert f'<span id="told-{name}" class="ttm-unseen">Of the draft’s first 5 would stay: ' in text
        assert text.count('class="ttm-ahead-mark"') == 4
    assert ", 5 at 0.3," in text.split('id="told-weight_tx_accel"')[1].split(" The draft is at 0.3.")[0]


def test_what_cannot_be_told_of_a_weight_is_said_and_not_drawn(admin_client, present):
    text = admin_client.get(reverse("console")).content.decode()
    assert "cannot be told yet: it takes 10 Active tokens with a score, at 5 moments 60 s apart; nothing that long is stored yet" in text
    a_market(tokens=9, ticks=7, pause=timedelta(seconds=70))
    text = admin_client.post(reverse("console_preview"), draft(present)).content.decode()
    assert "so far it was so at 0 of 7" in text
    assert "ttm-ahead-mark" not in text


def test_a_refused_draft_takes_the_strips_of_the_one_before_away(admin_client, present):
    a_market(ticks=7, pause=timedelta(seconds=70))
    text = admin_client.post(reverse("console_preview"), draft(present, ewma_alpha="")).content.decode()
    assert '<div id="ahead-weight_tx_accel" class="ttm-ahead ttm-awaited" hx-swap-oob="true"></div>' in text
    assert '<p id="ahead-said" class="ttm-old ttm-small" hx-swap-oob="true"></p>' in text


@pytest.mark.parametrize("value", ["", "-1", "NaN", "inf", "0,5", "1e400", "1_000", "<b>", "９", "a\x00b"])
def test_a_refused_draft_gets_its_sentence_in_place_and_no_preview(admin_client, present, value):
    answer = admin_client.post(reverse("console_preview"), draft(present, ewma_alpha=value))
    text = answer.content.decode()
    assert answer.status_code == 200
    assert 'class="ttm-refused"' in text.split('id="beside-ewma_alpha"')[1].split("</span></span>")[0]
    assert "1 setting refused (ewma_alpha)" in text


def test_crossed_thresholds_are_refused_in_place(admin_client, present):
    text = admin_client.post(reverse("console_preview"), draft(present, min_score_keep_active="900")).content.decode()
    assert "a score lies between" in text


def test_a_save_makes_a_revision_without_leaving_the_page(admin_client, present):
    answer = admin_client.post(reverse("console_save"), draft(present, weight_tx_accel="0.4"), headers={"HX-Request": "true"})
    new = ScoringSettings.objects.get(active=True)
    assert (new.weight_tx_accel, new.note, new.author.username, new.based_on) == (0.4, "why not", "admin", present)
    assert f"Revision #{new.pk} is in force" in answer.content.decode()
    assert b"<html" not in answer.content


def test_a_draft_that_is_set_aside_is_a_revision_and_not_in_force(admin_client, present):
    text = admin_client.post(reverse("console_set_aside"), draft(present, weight_tx_accel="0.4")).content.decode()
    aside = ScoringSettings.objects.latest("pk")
    assert (aside.active, aside.set_aside, aside.weight_tx_accel, aside.author.username) == (False, True, 0.4, "admin")
    assert ScoringSettings.objects.get(active=True) == present
    assert f"Revision #{aside.pk} is set aside, not in force" in text
    assert f"{reverse('console_duel')}?r={aside.pk}" in text


def test_without_javascript_the_button_itself_says_that_the_draft_is_set_aside(admin_client, present):
    admin_client.post(reverse("console_save"), draft(present, weight_tx_accel="0.4", aside="1"))
    assert ScoringSettings.objects.get(set_aside=True).weight_tx_accel == 0.4
    assert ScoringSettings.objects.get(active=True) == present


def test_what_was_only_set_aside_never_comes_into_force_by_itself(present):
    ScoringSettings.objects.set_aside({"ewma_alpha": 0.9}, None, "to try")
    ScoringSettings.objects.update(active=False)
    assert ScoringSettings.objects.revise({}, None, "after the table was broken").ewma_alpha == present.ewma_alpha


@pytest.mark.parametrize("values", [{"ewma_alpha": "NaN"}, {"note": ""}, {"min_score_keep_active": "900"}])
def test_what_is_refused_is_not_set_aside_either(admin_client, present, values):
    assert 'class="ttm-refused"' in admin_client.post(reverse("console_set_aside"), draft(present, **values)).content.decode()
    assert not ScoringSettings.objects.filter(set_aside=True).exists()


def test_two_revisions_stand_side_by_side_with_what_either_would_have_done(admin_client, present):
    a_market()
    calm = ScoringSettings.objects.set_aside({"ewma_alpha": 0.05}, None, "calm")
    quick = ScoringSettings.objects.set_aside({"ewma_alpha": 0.9, "min_tx_count": 60}, None, "quick")
    text = admin_client.get(reverse("console_compare"), {"r": [calm.pk, quick.pk]}).content.decode()
    assert f"#{calm.pk} and #{quick.pk}" in text
    assert '<td>ewma_alpha</td><td class="ttm-n">0.05</td><td class="ttm-n"><strong>0.9</strong></td>' in text
    assert f"activated by #{quick.pk} only" in text
    assert f'<span class="ttm-old">#{calm.pk} → #{quick.pk}</span>' in text


@pytest.mark.parametrize("asked", [[], ["1"], ["1", "1"], ["1", "2", "3"], ["x", "1"], ["1", "9" * 30], ["٣", "1"]])
def test_anything_but_two_revisions_is_asked_for_again(admin_client, asked):
    assert "Choose two different revisions" in admin_client.get(reverse("console_compare"), {"r": asked}).content.decode()


def test_a_save_without_a_note_is_asked_why(admin_client, present):
    assert "Say why" in admin_client.post(reverse("console_save"), draft(present, note="")).content.decode()
    assert ScoringSettings.objects.get(active=True) == present


def test_who_was_second_sees_what_the_first_one_changed_and_saves_both(admin_client, present):
    ScoringSettings.objects.revise({"min_tx_count": 40}, None, "the first")
    text = admin_client.post(reverse("console_save"), draft(present, ewma_alpha="0.5")).content.decode()
    now = ScoringSettings.objects.get(active=True)
    assert "min_tx_count 25 → 40 (taken over)" in text
    assert now.note == "the first"
    assert f'name="based_on_pk" value="{now.pk}"' in text


def test_who_may_only_look_cannot_save_and_who_may_not_look_sees_nothing(client, present):
    reader = User.objects.create_user("reader", password="x", is_staff=True)
    client.force_login(reader)
    assert client.get(reverse("console")).status_code == 403
    reader.user_permissions.add(Permission.objects.get(codename="view_scoringsettings"))
    assert "You may look, but not save" in client.get(reverse("console")).content.decode()
    assert client.post(reverse("console_save"), draft(present)).status_code == 403


def test_presets_ship_as_revisions_that_a_draft_can_start_from(admin_client, present):
    early = ScoringSettings.objects.get(preset="early")
    text = admin_client.get(reverse("console"), {"from": early.pk}).content.decode()
    assert {row.preset for row in ScoringSettings.objects.exclude(preset="")} == {"cautious", "balanced", "early"}
    assert f"weight_tx_accel 0.25 → <strong>{early.weight_tx_accel}</strong>" in text
    for preset in ScoringSettings.objects.exclude(preset=""):
        preset.full_clean()
    assert not ScoringSettings.objects.exclude(preset="").filter(active=True).exists()


def test_an_exported_revision_comes_back_as_a_draft(admin_client, present):
    changed = ScoringSettings.objects.revise({"ewma_alpha": 0.123}, None, "to keep")
    file = admin_client.get(reverse("console_export", args=[changed.pk])).content
    ScoringSettings.objects.revise({"ewma_alpha": present.ewma_alpha}, None, "back")
    text = admin_client.post(reverse("console_import"), {"file": SimpleUploadedFile("x.json", file)}).content.decode()
    assert json.loads(file)["settings"]["ewma_alpha"] == 0.123
    assert "ewma_alpha 0.3 → <strong>0.123</strong>" in text


@pytest.mark.parametrize("file", [b"", b"[]", b"{}", b"\xff", b'{"settings": 3}', b'{"settings": {"active": true}}', b"[" * 20_000])
def test_a_file_that_holds_no_settings_is_refused_with_a_sentence(admin_client, file):
    answer = admin_client.post(reverse("console_import"), {"file": SimpleUploadedFile("x.json", file)})
    assert answer.status_code == 200
    assert any(words in answer.content.decode() for words in ("not an export", "Not a setting", "Choose a file"))


def test_a_score_is_taken_apart_against_its_own_past(admin_client):
    a_market(ticks=6)
    token = Token.objects.first()
    text = admin_client.get(reverse("console_difference"), {"token": token.address, "minutes": "1"}).content.decode()
    assert "smoothing" in text
    assert "together" in text
    assert "No such token" in admin_client.get(reverse("console_difference"), {"token": "nobody"}).content.decode()


def test_the_half_life_is_told_in_minutes():
    assert half_life(0.3, 30) == "half-life 58 s (1.0 min)"
    assert half_life("0.05", 30) == "half-life 6.8 min"
    assert half_life("1", 30) == "no smoothing"
    assert half_life("x", 30) == half_life("0", 30) == ""
