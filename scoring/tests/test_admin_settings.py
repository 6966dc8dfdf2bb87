"""The form door of the settings: what is refused, what a save makes, and two people at once."""

import json

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse

from scoring.admin import FIELDSETS, SETTINGS, RevisionForm
from scoring.models import RANGES, ScoringSettings

pytestmark = pytest.mark.django_db
ADD = "admin:scoring_scoringsettings_add"


def form(**changes):
    present = ScoringSettings.objects.get(active=True)
    values = {name: getattr(present, name) for name in SETTINGS}
    texts = {name: json.dumps(value) for name, value in values.items() if isinstance(value, dict)}
    return {**values, **texts, "note": "why not", "based_on_pk": present.pk, **changes}


@pytest.fixture
def errors(rf, admin_user):
    """What the form of the admin page says against these values; nothing where it would take them."""
    request = rf.post(reverse(ADD))
    request.user = admin_user
    made = admin.site._registry[ScoringSettings].get_form(request, obj=None, change=False)
    return lambda **changes: made({field: str(value) for field, value in form(**changes).items()}).errors  # as text, as a browser posts


def refused(client, **changes):
    """The errors of a refused form; fails when it was taken."""
    before = ScoringSettings.objects.count()
    answer = client.post(reverse(ADD), form(**changes))
    assert ScoringSettings.objects.count() == before
    assert answer.status_code == 200
    return answer.context["adminform"].form.errors


NOT_NUMBERS = [
    "",
    " ",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "Infinity",
    "1e400",
    "-1e400",
    "1e-400",
    "0,5",
    "1_000",
    "0x10",
    "１",
    "٣",
    "½",
    "1e",
    "--1",
    "+-1",
    "1.2.3",
]
NOT_NUMBERS += [
    "true",
    "None",
    "null",
    "[]",
    "{}",
    "<b>1</b>",
    "1; drop table",
    "1 000",
    "1\u00a00",
    "\u22121",
    "9" * 400,
    "1" + "0" * 5000,
    "\ud7ff",
    "a\x00b",
]


def test_the_form_takes_the_settings_that_are_in_force(errors):
    assert errors() == {}


@pytest.mark.parametrize("name", ["ewma_alpha", "degrade_checks"])
def test_what_is_no_number_is_refused_with_a_sentence(errors, name):
    assert [value for value in NOT_NUMBERS if not errors(**{name: value}).get(name)] == []


@pytest.mark.parametrize("name", RANGES)
def test_a_number_out_of_range_is_refused_by_its_field(errors, name):
    low, high = RANGES[name]
    assert [value for value in (low - 1, high * 1.5 + 1, 1e15, -1e15) if name not in errors(**{name: value})] == []


@pytest.mark.parametrize("value", ["nan", "1e400", "0,5", "9" * 400, "1" + "0" * 5000, "\ud7ff", "a\x00b", -1e15])
@pytest.mark.parametrize("name", ["ewma_alpha", "degrade_checks"])
def test_what_the_form_refuses_the_page_refuses_and_stores_nothing(admin_client, name, value):
    assert refused(admin_client, **{name: value})[name]


@pytest.mark.parametrize(
    "changes",
    [
        {name: 0 for name in SETTINGS if name.startswith("weight_")},
        {"holders_freshness_sec": 60, "freshness_limit_sec": 180},
        {"interval_active_sec": 600, "freshness_limit_sec": 180},
        {"interval_active_sec": 3600, "freshness_limit_sec": 3600, "holders_freshness_sec": 3600, "degrade_window_hours": 1},
        {"min_score_keep_active": 900},
        {"score_model": "the_best_one"},
        {"degrade_mode": "sometimes"},
        {"degrade_checks": "2.7"},
        {"ewma_alpha": 0},
        {"note": ""},
        {"note": "x" * 301},
    ],
)
def test_settings_that_make_no_sense_together_are_refused(admin_client, changes):
    assert refused(admin_client, **changes)


def test_a_save_makes_a_revision_and_leaves_the_old_one_as_it_was(admin_client):
    old = ScoringSettings.objects.get(active=True)
    answer = admin_client.post(reverse(ADD), form(ewma_alpha="0.5", note="quicker"), follow=True)
    new = ScoringSettings.objects.get(active=True)
    assert (new.ewma_alpha, new.note, new.author.username, new.based_on) == (0.5, "quicker", "admin", old)
    assert ScoringSettings.objects.get(pk=old.pk).ewma_alpha == old.ewma_alpha
    assert "ewma_alpha 0.3 → <strong>0.5</strong>" in str(next(iter(answer.context["messages"])))


def test_two_people_at_once_the_second_sees_the_difference_and_loses_nothing(client, admin_client):
    anna = User.objects.create_superuser("anna", password="a-long-enough-one")
    client.force_login(anna)
    hers, his = form(min_tx_count=40, note="anna"), form(ewma_alpha=0.5, note="his")
    client.post(reverse(ADD), hers)
    seen = admin_client.post(reverse(ADD), his)
    text = str(seen.context["adminform"].form.non_field_errors())
    assert "anna saved revision" in text
    assert "min_tx_count 25 → 40 (taken over)" in text
    merged = {name: seen.context["adminform"].form.data[name] for name in [*SETTINGS, "note", "based_on_pk"]}
    admin_client.post(reverse(ADD), merged)
    present = ScoringSettings.objects.get(active=True)
    assert (present.min_tx_count, present.ewma_alpha, present.note) == (40, 0.5, "his")


def test_two_people_changing_the_same_value_see_both(client, admin_client):
    anna = User.objects.create_superuser("anna", password="a-long-enough-one")
    client.force_login(anna)
    hers, his = form(min_tx_count=40), form(min_tx_count=50)
    client.post(reverse(ADD), hers)
    seen = admin_client.post(reverse(ADD), his)
    assert "min_tx_count 25 → 40 (yours: 50, kept)" in str(seen.context["adminform"].form.non_field_errors())
    assert ScoringSettings.objects.get(active=True).min_tx_count == 40


def test_a_save_that_loses_the_race_between_look_and_write_is_shown_the_difference(admin_client, monkeypatch):
    posted = form(ewma_alpha=0.5)
    ScoringSettings.objects.revise({"min_tx_count": 40}, None, "in between")
    look, looked = RevisionForm._take_over, []

    def blind_at_first(self, *revisions):
        looked.append(1)
        if len(looked) > 1:
            look(self, *revisions)

    monkeypatch.setattr(RevisionForm, "_take_over", blind_at_first)
    answer = admin_client.post(reverse(ADD), posted)
    assert "saved revision" in str(answer.context["adminform"].form.non_field_errors())
    assert ScoringSettings.objects.get(active=True).note == "in between"


def test_a_stored_revision_cannot_be_changed_or_deleted(admin_client):
    revision = ScoringSettings.objects.get(active=True)
    change = reverse("admin:scoring_scoringsettings_change", args=[revision.pk])
    assert admin_client.post(change, form(ewma_alpha=0.9)).status_code == 403
    assert admin_client.post(reverse("admin:scoring_scoringsettings_delete", args=[revision.pk]), {"post": "yes"}).status_code == 403
    assert ScoringSettings.objects.get(active=True).ewma_alpha == 0.3


def test_an_earlier_revision_can_be_used_again(admin_client):
    first = ScoringSettings.objects.get(active=True)
    ScoringSettings.objects.revise({"ewma_alpha": 0.9}, None, "too much")
    shown = admin_client.get(reverse(ADD) + f"?from={first.pk}").context["adminform"].form.initial
    assert (shown["ewma_alpha"], shown["note"]) == (0.3, f"Back to #{first.pk}")
    assert shown["based_on_pk"] == ScoringSettings.objects.get(active=True).pk


def test_the_list_says_who_when_why_and_what(admin_client, admin_user):
    ScoringSettings.objects.revise({"ewma_alpha": 0.9}, admin_user, "too slow before")
    text = admin_client.get(reverse("admin:scoring_scoringsettings_changelist")).content.decode()
    for words in ("too slow before", "admin", "ewma_alpha 0.3 → <strong>0.9</strong>"):
        assert words in text
    presets = ScoringSettings.objects.exclude(preset="").count()
    assert (text.count("the first"), text.count("ships with ToTheMoon")) == (1, presets)


def test_every_setting_is_in_the_form_with_its_help(admin_client):
    shown = admin_client.get(reverse(ADD)).context["adminform"].form
    assert set(SETTINGS) <= set(shown.fields)
    assert all(shown.fields[name].help_text for name in SETTINGS)
    placed = {name for _, options in FIELDSETS for name in options["fields"]}
    assert set(SETTINGS) | {"note", "based_on_pk"} == placed


def test_no_setting_is_an_address_or_a_path():
    assert not [name for name in SETTINGS if any(word in name for word in ("url", "path", "host", "key", "secret"))]
