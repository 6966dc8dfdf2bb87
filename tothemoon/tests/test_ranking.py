"""The ranking for programs: what is in it, when it is refused, who may read it, and the same in a file."""

import json
import os
import stat
import tomllib
from datetime import timedelta
from io import StringIO

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ingestion.models import Heartbeat
from scoring.models import ReadKey, ScoringSettings
from tokens.models import Token
from tothemoon.ranking import as_toml, replace_file
from tothemoon.tests.page_rows import a_pool, a_token, a_whole_token, many_whole_tokens, part, scored

pytestmark = pytest.mark.django_db
JSON, TOML = "/api/ranking.json", "/api/ranking.toml"


@pytest.fixture
def now():
    return timezone.now()


def ticked(at, **detail):
    """The heartbeats of a system whose last tick ended then."""
    cache.clear()
    for component in ("listener", "scheduler", "job:poll_initial", "job:poll_active", "job:score"):
        said = {"connected": True, "last_message_at": at.isoformat(), "ok": True, "ms": 70, **detail}
        Heartbeat.objects.update_or_create(component=component, defaults={"ts": at, "detail": said})


@pytest.fixture
def running(now):
    ticked(now)


def revise(**changes):
    cache.clear()
    return ScoringSettings.objects.revise(changes, author=None, note="test")


def ranking(client, status=200, path=JSON, **headers):
    cache.clear()
    answer = client.get(path, headers=headers)
    assert answer.status_code == status, answer.content[:300]
    return json.loads(answer.content, parse_constant=pytest.fail)


def symbols(body):
    return [token["symbol"] for token in body["tokens"]]


def test_the_best_tokens_come_first_with_their_pools_and_their_age(client, now, running):
    a_whole_token(now, 1, score=0.6)
    a_pool(a_whole_token(now, 2, score=1.6), now, 4)
    body = ranking(client)
    assert symbols(body) == ["T2", "T1"]
    first = body["tokens"][0]
    assert (first["rank"], first["score"], first["estimated"]) == (1, 1.6, False)
    assert [pool["liquidity"] for pool in first["pools"]] == [5000, 1000]
    assert 5 <= first["age_sec"] < 60
    assert body["counts"] == {"active": 2, "above_minimum": 2, "too_old": 0, "given": 2}


def test_it_says_when_it_was_made_by_which_settings_and_from_how_fresh_a_tick(client, now, running):
    revision = revise(export_top_n=3, export_dexes="Raydium, pumpswap,raydium")
    body = ranking(client)
    assert body["revision"]["id"] == revision.pk
    assert body["limits"] == {"top_n": 3, "min_score": 0.5, "dexes": ["raydium", "pumpswap"], "max_age_sec": 180}
    assert body["generated_at"].endswith("Z")
    assert (body["freshness"]["tick_state"], body["freshness"]["feed_state"]) == ("ok", "ok")
    assert body["freshness"]["tick_age_sec"] < 60


def test_it_holds_only_what_the_settings_let_through(client, now, running):
    for number, score in enumerate([0.4, 0.6, 0.7, 0.8]):
        a_whole_token(now, number, score=score)
    a_whole_token(now, 8, "Initial", score=9)
    scored(a_token(now, 9), now, 9)  # no pool: nothing to trade on
    assert symbols(ranking(client)) == ["T3", "T2", "T1"]
    revise(export_top_n=1)
    assert symbols(ranking(client)) == ["T3"]
    revise(export_top_n=20, export_min_score=0.65)
    assert symbols(ranking(client)) == ["T3", "T2"]


def test_only_allowed_exchanges_count_however_their_names_are_written(client, now, running):
    both, other = a_whole_token(now, 1, score=0.6), a_whole_token(now, 2, score=0.7)
    a_pool(both, now, 5, liquidity=1)
    both.pools.filter(pool_address__endswith="x5").update(dex_name="Raydium")
    revise(export_dexes="RAYDIUM")
    (token,) = ranking(client)["tokens"]
    assert (token["symbol"], [pool["dex"] for pool in token["pools"]]) == ("T1", ["Raydium"])
    assert other.pools.exists()


def test_a_token_whose_figures_are_old_is_left_out_and_counted(client, now, running):
    a_whole_token(now, 1)
    old = a_token(now, 2)
    a_pool(old, now)
    scored(old, now - timedelta(seconds=400), 5.0)
    body = ranking(client)
    assert (symbols(body), body["counts"]["too_old"]) == (["T1"], 1)


def test_an_estimate_is_marked(client, now, running):
    token = a_token(now)
    a_pool(token, now)
    scored(token, now, orderflow_imbalance=part(0.1, "estimated"))
    (told,) = ranking(client)["tokens"]
    assert (told["estimated"], told["states"]["orderflow_imbalance"]) == (True, "estimated")


@pytest.mark.parametrize("path", [JSON, TOML])
def test_before_the_first_tick_it_is_refused(client, path):
    assert "has not run" in ranking(client, 503, path)["error"]


@pytest.mark.parametrize("path", [JSON, TOML])
def test_after_the_last_tick_it_is_refused_with_the_reason(client, now, still, path):
    a_whole_token(now)
    ticked(now - timedelta(seconds=500))
    answer = client.get(path)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "last tick was 500 s ago" in answer.json()["error"]


def test_a_tick_that_scores_nothing_makes_no_old_score_fresh(client, now, running, still):
    scored(a_token(now), now - timedelta(seconds=400))
    assert "newest score is 400 s old" in ranking(client, 503)["error"]


def test_it_is_refused_too_when_the_asker_has_the_last_one_already(client, now, running, still):
    token = a_whole_token(now)
    tag = client.get(JSON)["ETag"]
    assert client.get(JSON, headers={"if-none-match": tag}).status_code == 304
    Token.objects.filter(pk=token.pk).update(last_scored_at=now - timedelta(seconds=400))
    ranking(client, 503, **{"if-none-match": "*"})


def test_a_score_from_the_future_is_not_fresh(client, now, running):
    scored(a_token(now), now + timedelta(hours=1))
    assert symbols(ranking(client)) == []
    ticked(now + timedelta(hours=1))
    assert "future" in ranking(client, 503)["error"]


def test_without_settings_that_can_be_read_it_is_refused(client, now, running):
    ScoringSettings.objects.update(active=False)
    assert "No settings revision is active" in ranking(client, 503)["error"]


def test_toml_says_the_same_as_json_without_what_is_unknown(client, now, running):
    token = a_whole_token(now, symbol='"\\\x7f🚀\u202e', name="line")
    token.snapshots.update(price=None, liquidity=1e-12, volume_5m=1e17)
    body = ranking(client)
    answer = client.get(TOML)
    read = tomllib.loads(answer.content.decode())
    assert answer["Content-Type"] == "application/toml; charset=utf-8"
    assert read["tokens"][0]["symbol"] == body["tokens"][0]["symbol"]
    assert "price" not in read["tokens"][0]
    assert without_unknown(read, body) is True


def without_unknown(read, body):
    """Whether TOML and JSON agree, but for the moment of writing and what is null."""
    volatile = {"generated_at", "age_sec", "tick_age_sec", "feed_age_sec", "newest_score_age_sec", "oldest_score_age_sec"}
    if isinstance(body, dict):
        return all(without_unknown(read[name], value) for name, value in body.items() if value is not None and name not in volatile)
    if isinstance(body, list):
        return len(read) == len(body) and all(without_unknown(*pair) for pair in zip(read, body, strict=True))
    return read == body


def test_an_empty_ranking_is_valid_toml_too():
    assert tomllib.loads(as_toml({"simulated": False, "limits": {"dexes": []}, "tokens": []})) == {
        "simulated": False,
        "limits": {"dexes": []},
        "tokens": [],
    }


def test_it_takes_the_same_few_queries_however_many_tokens_there_are(client, now, running):
    def questions():
        cache.clear()
        with CaptureQueriesContext(connection) as asked:
            assert client.get(JSON).status_code == 200
        return len(asked)

    a_whole_token(now)
    few = questions()
    many_whole_tokens(now, 60, first=1)
    assert questions() == few <= 10


def test_304_costs_one_query_while_the_pulse_is_remembered(client, now, running, still):
    a_whole_token(now)
    tag = client.get(JSON)["ETag"]
    with CaptureQueriesContext(connection) as asked:
        assert client.get(JSON, headers={"if-none-match": tag}).status_code == 304
    assert len(asked) == 1


# Keys


def protect(now):
    revise(export_protected=True)
    return ReadKey.objects.make("bot", None, now)


def test_a_key_is_asked_for_only_when_the_settings_say_so_and_there_is_one(client, now, running):
    ReadKey.objects.make("bot", None, now)
    ranking(client)
    ReadKey.objects.all().delete()
    revise(export_protected=True)
    ranking(client)


def test_with_a_key_in_either_header_the_ranking_opens_and_the_use_is_noted(client, now, running):
    row, key = protect(now)
    ranking(client, **{"x-api-key": key})
    answer = client.get(JSON, headers={"authorization": f"bearer {key}"})
    assert (answer.status_code, answer["Cache-Control"]) == (200, "private, no-cache")
    assert "Authorization" in answer["Vary"]
    row.refresh_from_db()
    assert row.last_used_at is not None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": "wrong"},
        {"x-api-key": "x" * 9000},
        {"authorization": "Basic abc"},
        {"authorization": "Bearer"},
        {"x-api-key": "\xff\x00"},
    ],
)
def test_without_a_key_that_holds_it_stays_shut(client, now, running, headers):
    protect(now)
    answer = client.get(TOML, headers=headers)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="ranking"')
    assert "read key" in answer.json()["error"]


def test_a_revoked_key_opens_nothing_and_revoking_the_last_one_opens_nothing_either(client, now, running):
    _, key = protect(now)
    ReadKey.objects.all().revoke(now)
    ranking(client, 401, **{"x-api-key": key})


def test_a_key_is_shown_once_and_only_its_hash_is_kept(admin_client):
    page = admin_client.post("/admin/scoring/readkey/add/", {"name": "my bot"})
    key = page.context["key"]
    assert key in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    row = ReadKey.objects.get()
    assert key not in str(vars(row))
    assert ReadKey.objects.opens(key, timezone.now())
    assert key not in admin_client.get("/admin/scoring/readkey/").content.decode()
    assert key not in str(admin_client.session.items()) + str(admin_client.cookies)


def test_a_key_is_revoked_in_the_list_by_who_may(admin_client, now):
    row, key = ReadKey.objects.make("bot", None, now)
    admin_client.post("/admin/scoring/readkey/", {"action": "revoke", "_selected_action": [row.pk]})
    assert not ReadKey.objects.opens(key, now)
    assert admin_client.post(f"/admin/scoring/readkey/{row.pk}/delete/").status_code == 403


def test_two_keys_of_one_name_or_of_none_are_refused_with_a_sentence(admin_client, now):
    ReadKey.objects.make("bot", None, now)
    for name in ("bot", "", " ", "a\x00b"):
        page = admin_client.post("/admin/scoring/readkey/add/", {"name": name})
        assert page.context["adminform"].form.errors["name"]
    assert ReadKey.objects.count() == 1


# The file


def export(path, **options):
    cache.clear()
    said = StringIO()
    call_command("export_ranking", output=str(path), stdout=said, **options)
    return said.getvalue()


def test_the_command_writes_what_the_address_gives(client, now, running, tmp_path):
    a_whole_token(now)
    assert "1 tokens in" in export(tmp_path / "ranking.toml")
    export(tmp_path / "ranking.json")
    written = json.loads((tmp_path / "ranking.json").read_text())
    assert symbols(written) == symbols(ranking(client)) == symbols(tomllib.loads((tmp_path / "ranking.toml").read_text()))
    assert sorted(os.listdir(tmp_path)) == ["ranking.json", "ranking.toml"]


def test_stale_the_command_fails_and_leaves_the_file_as_it_is(now, tmp_path):
    file = tmp_path / "ranking.json"
    file.write_text("the last good one")
    ticked(now - timedelta(hours=1))
    with pytest.raises(CommandError, match="last tick was 3600 s ago") as refused:
        export(file, format="toml")
    assert refused.value.returncode != 0
    assert file.read_text() == "the last good one"


def test_a_folder_that_is_not_there_is_said_in_a_sentence(running, tmp_path):
    with pytest.raises(CommandError, match="cannot be written"):
        export(tmp_path / "none" / "ranking.json")


def test_a_file_keeps_its_rights_and_a_failed_write_leaves_nothing_behind(tmp_path):
    file = tmp_path / "ranking.json"
    file.write_text("old")
    file.chmod(0o640)
    replace_file(file, "new")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", 0o640)
    with pytest.raises(UnicodeEncodeError):
        replace_file(file, "\ud800")
    assert os.listdir(tmp_path) == ["ranking.json"]
    assert file.read_text() == "new"
