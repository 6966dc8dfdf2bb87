import json
from datetime import timedelta
from functools import reduce

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingestion.binance import Binance as Client
from ingestion.exchange_polling import poll_exchange
from ingestion.http import Door
from ingestion.ledger import Ledger
from ingestion.models import WatchedSymbol
from ingestion.simulator.binance_server import Binance
from ingestion.simulator.json_server import JsonServer
from scoring import run
from scoring.metrics import METRICS, Memory, score_tick
from scoring.models import ScoringSettings, TokenScore
from scoring.run import score_tokens
from scoring.settings_in_force import active_settings, formula
from scoring.tests import columns, reference
from scoring.tests.rows import FIGURES, make_token, see
from tokens.models import Status, Token

pytestmark = pytest.mark.django_db


def score_of(token):
    return TokenScore.objects.filter(token=token).order_by("-ts").first()


def part(token, metric):
    return score_of(token).components[metric]


def test_a_score_is_stored_with_everything_it_was_made_from(now):
    token = make_token(now)
    see(token, now - timedelta(minutes=60), holders=100)
    see(token, now)
    assert score_tokens(now) == 1
    stored = score_of(token)
    assert (stored.ts, stored.settings) == (now, active_settings())
    assert stored.score == pytest.approx(0.25 * (1.5 + 1.2 + np.log(2) + 1 / 3))
    assert stored.components["tx_accel"] == {
        "raw": 1.5,
        "smoothed": 1.5,
        "weight": 0.25,
        "contribution": 0.375,
        "state": "ok",
        "age_sec": 0,
        "inputs": {"tx_count_5m": 60, "tx_count_1h": 480},
    }
    token.refresh_from_db()
    assert (token.last_score_value, token.last_scored_at) == (stored.score, now)


def test_initial_and_active_tokens_are_scored_and_archived_ones_are_not(now):
    for name, status in zip("IAZ", Status, strict=True):
        see(make_token(now, name, status), now)
    assert score_tokens(now) == 2
    assert set(TokenScore.objects.values_list("token__symbol", flat=True)) == {"I", "A"}


def test_the_same_snapshot_is_scored_once(now):
    see(make_token(now), now)
    assert [score_tokens(now), score_tokens(now), score_tokens(now + timedelta(hours=1))] == [1, 0, 0]


def test_a_score_that_is_there_already_is_not_written_twice(now):
    """A worker died between the two writes, or two ran side by side: the second changes nothing."""
    token = make_token(now)
    see(token, now)
    score_tokens(now)
    first = score_of(token)
    Token.objects.update(last_scored_at=None)
    score_tokens(now)
    assert [score.pk for score in TokenScore.objects.all()] == [first.pk]


def test_who_read_before_another_scored_adds_nothing_to_a_score_that_is_kept_elsewhere(now, monkeypatch):
    see(make_token(now, "A"), now)
    stale, read_anew = run._due(active_settings(), now), run._due
    score_tokens(now)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("UPDATE token_scores SET kept = true")
    see(make_token(now, "B"), now)
    readings = iter([stale])
    monkeypatch.setattr(run, "_due", lambda *of: next(readings, None) or read_anew(*of))
    assert score_tokens(now) == 1
    assert [*TokenScore.objects.order_by("pk").values_list("token__symbol", flat=True)] == ["A", "B"]


def test_an_unknown_score_is_null_in_both_tables(now):
    token = make_token(now, last_score_value=3.0)
    see(token, now, source="pools", **dict.fromkeys(FIGURES))
    assert score_tokens(now) == 1
    assert score_of(token).score is None
    assert Token.objects.get(last_scored_at=now).last_score_value is None
    assert part(token, "tx_accel")["state"] == "no_history"


def test_nothing_sees_the_future(now):
    token = make_token(now)
    see(token, now + timedelta(seconds=30))
    assert score_tokens(now) == 0
    assert score_tokens(now + timedelta(seconds=30)) == 1


@pytest.mark.parametrize(
    ("minutes_ago", "minutes_between"),
    [((49, 51), 51), ((58, 63), 58), ((55, 59, 61.5), 59), ((74, 80), 74), ((60,), 60), ((49,), None), ((76,), None), ((), None)],
)
def test_the_holder_count_nearest_to_an_hour_ago_is_taken(now, minutes_ago, minutes_between):
    token = make_token(now)
    for minutes in minutes_ago:
        see(token, now - timedelta(minutes=minutes), holders=100)
    see(token, now)
    score_tokens(now)
    growth = part(token, "holder_growth")
    assert growth["inputs"]["minutes_between"] == minutes_between
    assert growth["state"] == ("no_history" if minutes_between is None else "ok")


def test_a_carried_count_is_as_old_as_its_reading(now):
    """Rows between two answers of Birdeye repeat the older one; the hour is counted from reading to reading."""
    token = make_token(now)
    read = now - timedelta(minutes=80)
    for minutes in (80, 70, 60, 52):
        see(token, now - timedelta(minutes=minutes), holders=100, birdeye_at=read, source="pools+birdeye")
    see(token, now)
    score_tokens(now)
    assert part(token, "holder_growth")["state"] == "no_history"


def test_a_gap_in_holders_leaves_the_other_metrics_alone(now):
    token = make_token(now)
    see(token, now, source="pools", holders=None, birdeye_at=None, buys_volume_5m=None, sells_volume_5m=None)
    score_tokens(now)
    assert [part(token, name)["state"] for name in METRICS] == ["ok", "ok", "no_history", "estimated"]


def test_another_model_starts_its_own_averages(now):
    token = make_token(now)
    see(token, now)
    score_tokens(now)
    ScoringSettings.objects.revise({"score_model": "hybrid_momentum_fair", "min_score_keep_active": 20}, None, "fair")
    see(token, now + timedelta(seconds=30), tx_count_5m=90)
    score_tokens(now + timedelta(seconds=30))
    accel = part(token, "tx_accel")
    assert accel["smoothed"] == accel["part"] != accel["raw"]
    assert set(score_of(token).components) == {*METRICS, "factors"}


def test_a_tick_is_made_by_one_revision_even_if_settings_change_in_its_middle(now, monkeypatch):
    for name in "ABC":
        see(make_token(now, name), now)
    before, write = active_settings(), run.as_texts

    def slow(*arguments):
        ScoringSettings.objects.revise({"weight_tx_accel": 5}, None, "in mid-tick")
        return write(*arguments)

    monkeypatch.setattr(run, "as_texts", slow)
    score_tokens(now)
    assert {score.settings for score in TokenScore.objects.select_related("settings")} == {before}
    assert {score.components["tx_accel"]["weight"] for score in TokenScore.objects.all()} == {0.25}


def test_a_broken_settings_table_changes_no_score(now):
    see(make_token(now, "A"), now)
    score_tokens(now)
    good = active_settings()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scoring_settings SET active = false")
    token = make_token(now, "B")
    see(token, now)
    score_tokens(now)
    assert score_of(token).score == TokenScore.objects.get(token__symbol="A").score
    assert score_of(token).settings_id == good.pk


def statements(now, names):
    for name in names:
        see(make_token(now, name), now)
    with CaptureQueriesContext(connection) as captured:
        assert score_tokens(now) == len(names)
    return [query["sql"][:60] for query in captured]


def test_the_number_of_statements_does_not_depend_on_the_number_of_tokens(now):
    few = statements(now, ["one"])
    many = statements(now + timedelta(seconds=30), [f"T{number}" for number in range(80)])
    assert len(few) == len(many) <= 10  # four of them savepoints of the test's own transaction


def history(ticks=12, seed=3):
    """Figures of a token over time, with gaps, missing values and zeros."""
    chance = np.random.default_rng(seed)
    rows = []
    for _ in range(ticks):
        row = dict(FIGURES)
        row |= {"tx_count_5m": int(chance.integers(0, 90)), "volume_5m": float(chance.random() * 900), "holders": None}
        row |= {"buys_volume_5m": None, "sells_volume_5m": None, "birdeye_at": None} if chance.random() < 0.4 else {}
        row |= {"tx_count_1h": None} if chance.random() < 0.3 else {}
        row |= {"volume_1h": 0.0} if chance.random() < 0.2 else {}
        rows.append((float(chance.choice([30, 30, 31.5, 90, 1200])), row))
    return rows


@pytest.mark.parametrize("model", ["hybrid_momentum", "hybrid_momentum_fair"])
def test_a_restart_at_every_tick_changes_no_bit(now, model):
    """Tick by tick over the database (all that a new process would know) and in one go in memory: the same numbers."""
    ScoringSettings.objects.revise({"score_model": model, "min_score_keep_active": 1}, None, model)
    token, by = make_token(now), formula(active_settings())
    memory, at, elapsed = Memory.empty(1), now, float("nan")
    for seconds, row in history():
        at += timedelta(seconds=seconds)
        see(token, at, **row)
        score_tokens(at)
        age = (at - token.created_at).total_seconds()
        known = {name: row[name] for name in FIGURES if name in columns.NAMES}
        birdeye = 0.0 if "birdeye_at" not in row else None
        inputs = columns.inputs([columns.token(**known) | {"age_sec": age, "birdeye_age_sec": birdeye, "same_source": True}])
        scored = score_tick(inputs, memory, np.array([elapsed if elapsed != elapsed else seconds]), np.full(1, 30.0), by)
        memory, elapsed = scored.memory, seconds
        assert columns.plain(scored.score) == [score_of(token).score]
        stored = [part(token, name)["smoothed"] for name in METRICS]
        assert columns.plain(memory.value[:, 0]) == stored


def test_the_stored_score_equals_the_plain_formula_over_a_history(now):
    token, histories, at = make_token(now), [[] for _ in METRICS], now
    for place, (seconds, row) in enumerate(history(seed=8)):
        at += timedelta(seconds=seconds)
        see(token, at, **row)
        score_tokens(at)
        x = columns.token(**{name: row[name] for name in FIGURES if name in columns.NAMES})
        for kept, (value, _) in zip(histories, reference.metrics(x, 180, 1800), strict=True):
            kept.append((seconds if place else 0.0, value))
    states = [part(token, name)["state"] for name in METRICS]
    averages = [reference.smoothed(kept, 0.3, 30.0) for kept in histories]
    assert score_of(token).score == pytest.approx(reference.score("hybrid_momentum", x, averages, states, [0.25] * 4), rel=1e-9)


def test_the_contributions_of_an_explanation_are_the_score(now):
    token = make_token(now)
    see(token, now, holders=None)
    score_tokens(now)
    see(token, now + timedelta(seconds=45), tx_count_5m=17)
    score_tokens(now + timedelta(seconds=45))
    token.refresh_from_db()
    explained = token.explain()
    known = [part.contribution for part in explained.parts if part.contribution is not None]
    assert reduce(lambda total, value: total + value, known) == explained.score == token.last_score_value
    assert "holder_growth" in str(explained)
    assert "scaled up" in repr(explained)


def test_the_stored_documents_are_strict_json(now):
    token = make_token(now)
    see(token, now, **dict.fromkeys(FIGURES))
    score_tokens(now)
    with connection.cursor() as cursor:
        cursor.execute("SELECT components FROM token_scores")
        (text,) = cursor.fetchone()

    def refuse(word):
        raise AssertionError(word)

    assert json.loads(text, parse_constant=refuse)["tx_accel"]["raw"] is None


def test_an_exchange_symbol_is_scored_by_the_metrics_that_it_has(now):
    server = JsonServer(Binance(clock=now.timestamp), 0)
    server.start()
    doors = [Door(name, server.url, {"": 500.0}, 5.0, 4, ledger=Ledger()) for name in ("binance", "binance-futures")]
    WatchedSymbol.objects.create(symbol="DOGEUSDT")
    poll_exchange(now, 30, Client(*doors, patience_sec=20.0))
    server.stop()
    assert score_tokens(now) == 1
    stored = TokenScore.objects.get()
    states = {name: told["state"] for name, told in stored.components.items()}
    assert {name for name, state in states.items() if state == "ok"} == set(METRICS) - {"holder_growth"}
    assert (states["holder_growth"], stored.components["holder_growth"]["contribution"]) == ("no_history", None)
    assert stored.score == pytest.approx(sum(told["contribution"] or 0 for told in stored.components.values()))
