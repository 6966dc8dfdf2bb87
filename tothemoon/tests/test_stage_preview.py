"""The console's look at the stages: a back-test of the draft beside the settings in force."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from scoring import console, stage_columns
from scoring.console_form import values_of
from scoring.models import ScoringSettings
from scoring.settings_in_force import active_settings
from tokens.later import Later
from tokens.models import Bar, Token
from trading import whatif
from trading.backtest_run import from_table, run
from trading.tests.test_run import BEGIN, EAGER, market

pytestmark = pytest.mark.django_db

NOW = BEGIN + timedelta(hours=11, seconds=40)


def a_day(coins=4):
    for token in market(11.1, coins):
        Token.objects.filter(pk=token.pk).update(last_snapshot_at=BEGIN + timedelta(hours=11))


@pytest.fixture
def draft():
    settings = active_settings()
    for name, value in EAGER.items():
        setattr(settings, name, value)
    return settings


def test_the_draft_is_told_what_its_back_test_says(draft, tmp_path):
    a_day()
    found = whatif.preview(active_settings(), draft, NOW)
    saved = ScoringSettings.objects.revise(EAGER, None, "trades a lot")
    end = NOW.replace(second=0)
    told = run(from_table(end - timedelta(hours=whatif.HOURS), end), saved, tmp_path, NOW).result
    assert found.draft.result.summary == told.summary
    assert (found.draft.result.alerts, found.draft.result.signals, found.draft.result.equity) == (told.alerts, told.signals, told.equity)
    assert found.draft.result.signals > found.now.result.signals


def test_statements_do_not_grow_with_the_assets(draft):
    counts = []
    for coins in (2, 7):
        Bar.objects.all().delete()
        Token.objects.all().delete()
        a_day(coins)
        with CaptureQueriesContext(connection) as queries:
            assert whatif.preview(draft, draft, NOW).assets == coins
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12


def test_of_many_assets_the_most_liquid_are_taken_and_the_rest_is_told(draft, monkeypatch):
    a_day(4)
    monkeypatch.setattr(whatif, "MOST_ASSETS", 3)
    found = whatif.preview(draft, draft, NOW)
    assert (found.assets, found.left_out) == (3, 1)


def slowly(monkeypatch, which):
    """The replay of one side (0: in force, 1: the draft) does not end before it is told to."""
    replayed, go_on, seen = whatif._replayed, threading.Event(), []

    def wait(material, settings, say):
        seen.append(settings)
        if len(seen) == which + 1:
            assert go_on.wait(20)
        return replayed(material, settings, say)

    monkeypatch.setattr(whatif, "_replayed", wait)
    return go_on


@pytest.mark.parametrize(("which", "sides", "words"), [(0, [], "Both replays were given up"), (1, ["in force"], "The draft's replay was")])
def test_what_takes_too_long_is_given_up_with_words(draft, monkeypatch, which, sides, words):
    a_day(2)
    go_on = slowly(monkeypatch, which)
    began = time.monotonic()
    found = whatif.preview(active_settings(), draft, NOW, limit_sec=0.2 if which == 0 else 3.0)
    assert time.monotonic() - began < 10
    assert [name for name, _ in found.sides] == sides
    assert words in found.said
    assert whatif.preview(active_settings(), draft, NOW).said == whatif.BUSY  # no second thread beside the first
    go_on.set()
    with whatif._at_work:  # the first has seen that nobody waits and has ended
        pass
    assert whatif.preview(active_settings(), draft, NOW).said == ""


def test_half_an_answer_is_printed_with_its_words(admin_client, time_machine_at_eleven, monkeypatch):
    a_day(2)
    go_on = slowly(monkeypatch, 1)
    monkeypatch.setattr(whatif, "LIMIT_SEC", 3.0)
    page = admin_client.post(reverse("console_stages"), values_of(active_settings())).content.decode()
    go_on.set()
    assert "given up after 3 s" in page
    assert "signals an hour" in page
    assert ">in force<" in page
    assert ">draft<" not in page
    with whatif._at_work:
        pass


def test_what_goes_wrong_in_a_replay_is_raised_and_the_next_one_runs(draft, monkeypatch):
    a_day(2)
    with monkeypatch.context() as broken:
        broken.setattr(whatif, "_replayed", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            whatif.preview(draft, draft, NOW)
    assert whatif.preview(draft, draft, NOW).said == ""


def test_the_page_says_paper_and_too_few(admin_client, time_machine_at_eleven):
    a_day()
    page = admin_client.post(reverse("console_stages"), {**values_of(active_settings()), "trigger_volume_z": "1.5"}).content.decode()
    assert "signals an hour" in page
    assert "too few" in page
    assert "paper result" in page


def test_without_bars_it_says_so(admin_client):
    assert "No bars of Active assets" in admin_client.post(reverse("console_stages"), values_of(active_settings())).content.decode()


def test_a_refused_draft_replays_nothing(admin_client, monkeypatch):
    monkeypatch.setattr(console, "STAGE_PREVIEWS", [lambda *_: 1 / 0])
    page = admin_client.post(reverse("console_stages"), {**values_of(active_settings()), "trigger_volume_z": "x"}).content.decode()
    assert "nothing was replayed" in page


def test_one_replay_at_a_time(admin_client):
    with console._replaying:
        assert "Another replay" in admin_client.post(reverse("console_stages"), values_of(active_settings())).content.decode()


def test_who_may_not_see_the_settings_sees_no_replay(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("somebody", is_staff=True))
    assert client.post(reverse("console_stages"), values_of(active_settings())).status_code == 403


def test_the_stages_are_in_the_registry_once():
    assert stage_columns.STAGE_PREVIEWS.count(Later("trading.whatif.preview")) == 1


@pytest.fixture
def time_machine_at_eleven():
    import time_machine

    with time_machine.travel(NOW, tick=False):
        yield
