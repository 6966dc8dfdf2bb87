"""Settings change by new revisions, and workers keep going when the table is broken."""

import threading

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import connection, connections

from scoring import settings_in_force
from scoring.models import ScoringSettings
from scoring.revisions import Overtaken
from scoring.settings_in_force import NoSettings, active_settings, pace, settings_trouble, status_rule


@pytest.fixture(autouse=True)
def nothing_remembered():
    settings_in_force._last_good.revision = None
    yield
    settings_in_force._last_good.revision = None


def revise(**changes):
    return ScoringSettings.objects.revise(changes, author=None, note="test")


@pytest.mark.django_db
def test_a_revision_takes_over_what_it_does_not_change():
    first = revise(min_tx_count=40)
    second = revise(ewma_alpha=0.5)
    assert (second.min_tx_count, second.ewma_alpha, second.based_on) == (40, 0.5, first)
    assert list(ScoringSettings.objects.filter(active=True)) == [second]


@pytest.mark.django_db
def test_a_revision_names_its_author_and_reason():
    author = get_user_model().objects.create_user("olena")
    made = ScoringSettings.objects.revise({"min_tx_count": 30}, author, "fewer dead ones")
    assert (made.author, made.note) == (author, "fewer dead ones")


@pytest.mark.django_db
def test_a_refused_change_leaves_everything_as_it_was():
    before = active_settings()
    with pytest.raises(ValidationError):
        revise(ewma_alpha=float("nan"))
    assert active_settings() == before
    assert ScoringSettings.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("changes", [{"id": 7}, {"active": False}, {"colour": "red"}, {"note": "x"}])
def test_only_settings_can_be_changed(changes):
    with pytest.raises(ValueError, match="not a setting"):
        revise(**changes)


@pytest.mark.django_db
def test_a_stored_revision_cannot_be_saved_again():
    stored = active_settings()
    stored.min_tx_count = 1
    with pytest.raises(TypeError, match="never changes"):
        stored.save()


@pytest.mark.django_db
def test_who_looked_at_an_older_revision_is_told():
    seen = active_settings()
    meanwhile = revise(min_tx_count=40)
    with pytest.raises(Overtaken) as overtaken:
        ScoringSettings.objects.revise({"min_tx_count": 50}, None, "late", based_on=seen.pk)
    assert overtaken.value.present == meanwhile


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_make_eight_revisions_in_a_row():
    def save(number):
        try:
            revise(min_tx_count=100 + number)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chain, revision = [], ScoringSettings.objects.get(active=True)
    while revision is not None:
        chain.append(revision.min_tx_count)
        revision = revision.based_on
    assert sorted(chain) == [25, *range(100, 108)]


@pytest.mark.django_db
def test_a_worker_takes_the_new_revision_at_its_next_read():
    active_settings()
    assert active_settings() != revise(min_tx_count=40) == active_settings()


def break_by_sql(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db
def test_no_active_row_leaves_the_last_good_revision_in_force():
    good = revise(min_tx_count=40)
    active_settings()
    break_by_sql("UPDATE scoring_settings SET active = false")
    assert active_settings() == good
    assert settings_trouble() == "No settings revision is active."


@pytest.mark.django_db
def test_a_deleted_row_is_put_back_because_scores_must_name_it():
    good = revise(min_tx_count=40)
    active_settings()
    break_by_sql("DELETE FROM scoring_settings WHERE active")
    assert active_settings().pk == good.pk
    assert ScoringSettings.objects.get(pk=good.pk).min_tx_count == 40
    assert settings_trouble() == ""


@pytest.mark.django_db
def test_an_emptied_table_is_put_back_too():
    good = active_settings()
    break_by_sql("DELETE FROM scoring_settings")
    assert active_settings().pk == good.pk
    assert ScoringSettings.objects.get().active


@pytest.mark.django_db
def test_after_a_restart_the_newest_sound_revision_serves():
    break_by_sql("UPDATE scoring_settings SET active = false")
    assert active_settings() == ScoringSettings.objects.get()


@pytest.mark.django_db
def test_without_any_revision_the_error_says_what_to_do():
    break_by_sql("DELETE FROM scoring_settings")
    with pytest.raises(NoSettings):
        active_settings()


@pytest.mark.django_db
def test_rubbish_that_got_past_the_constraints_is_not_used(monkeypatch):
    good = active_settings()
    rubbish = ScoringSettings(pk=good.pk + 1, active=True, ewma_alpha=float("nan"))
    monkeypatch.setattr(ScoringSettings.objects, "filter", lambda **which: [rubbish] if "active" in which else _Exists())
    assert "ewma_alpha" in settings_trouble()
    assert active_settings() == good


class _Exists:
    def exists(self):
        return True


@pytest.mark.django_db
def test_the_rule_and_the_pace_are_the_revision_in_plain_numbers(settings):
    settings.SCHED_INTERVAL_ACTIVE_SEC, settings.SCHED_INTERVAL_INITIAL_SEC = 7, 11
    revision = revise(degrade_mode="both", degrade_window_hours=2, interval_initial_sec=45)
    rule = status_rule(revision)
    assert (rule.degrade_both, rule.degrade_window_sec, rule.interval_active_sec, rule.interval_initial_sec) == (True, 7200, 7, 45)
    assert (pace(revision, "Active").interval_sec, pace(revision, "Initial").interval_sec) == (7, 45)
