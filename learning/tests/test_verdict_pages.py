"""The page of the verdict over stored rows: it finds what is there, says what is not known, and asks the database a few questions only."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from learning import verdict_report, verdict_rows
from learning.from_above import Tag
from learning.models import Outcome
from learning.settle_run import settle_due
from learning.tests.evidence_rows import make_chain, make_model, make_outcome, make_signal, make_token, make_vector
from learning.tests.markets import market, seen
from learning.tests.stored_markets import predict, store
from learning.verdict import questions
from learning.verdict.samples import DEAD, HORIZONS, PRICED, UNSEEN, WAITING
from learning.verdict_wanted import Wanted, wanted
from learning.verdict_words import answer
from scoring.models import ScoringSettings
from tokens import ready

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def new_process():
    ready.forget()
    verdict_report.forget()
    yield
    verdict_report.forget()


@pytest.fixture
def now():
    return timezone.now().replace(second=0, microsecond=0)


def text_of(response):
    assert response.status_code == 200
    return response.content.decode()


def table(client, name, query=""):
    response = client.get(f"/evidence/{name}.csv{query}")
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))


def test_a_stored_market_with_a_lead_is_told_from_its_rows(client, now):
    made = market(7, 0.12, tokens=12, hours=12)
    store(made, now)
    told = {(row["predictor"], row["horizon_min"]): row for row in table(client, "questions")}
    leading = told["tx_accel", "15"]
    assert (leading["claimed"], float(leading["p_holm"]) < 0.01) == ("True", True)
    assert not any(row["claimed"] == "True" for (name, _), row in told.items() if name not in ("tx_accel", "score"))
    page = text_of(client.get("/evidence/?predictor=tx_accel&horizon=15"))
    assert "Yes: tokens that stood higher by it" in page
    assert page.count('<svg class="plot"') >= 5


def test_what_the_settling_makes_of_a_market_is_what_the_market_did(client, now):
    """From the bars alone, the outcomes are those of the market's own prices, and the verdict on them finds its lead."""
    made = market(7, 0.12, tokens=12, hours=14)
    store(made, now, settled=False)
    while settle_due(now + timedelta(minutes=5)).left:
        pass
    truth, (read,) = seen(made), verdict_rows.read(now).samples
    for horizon in HORIZONS:
        assert read.forward[horizon].state.tolist() == truth.forward[horizon].state.tolist()
        assert read.forward[horizon].gross == pytest.approx(truth.forward[horizon].gross, nan_ok=True)
        assert read.forward[horizon].best == pytest.approx(np.maximum(truth.forward[horizon].best, 0), nan_ok=True)
    told = {(row["predictor"], row["horizon_min"]): row["claimed"] for row in table(client, "questions")}
    assert told["tx_accel", "15"] == "True"


def test_a_stored_market_without_one_claims_nothing(client, now):
    store(market(8, 0.0, tokens=12, hours=12), now)
    assert not any(row["claimed"] == "True" for row in table(client, "questions"))
    assert "Not as far as can be told" in text_of(client.get("/evidence/?horizon=15"))


def test_what_is_read_is_what_was_stored(now):
    """From the arrays and from the rows the same questions have the same answers, to the last digits."""
    made = market(3, 0.1, tokens=8, hours=10)
    states = np.random.default_rng(1).choice([PRICED, DEAD, UNSEEN], (40, 8), p=[0.8, 0.1, 0.1])
    store(made, now, states)
    plain, (read,) = seen(made), verdict_rows.read(now).samples
    assert read.predictors.keys() == plain.predictors.keys()
    for horizon in HORIZONS:
        wanted_state = np.where(plain.forward[horizon].state == WAITING, WAITING, states.ravel())
        assert read.forward[horizon].state.tolist() == wanted_state.tolist()
        known = np.isin(wanted_state, (PRICED, DEAD))
        assert read.forward[horizon].gross[known] == pytest.approx(plain.forward[horizon].gross[known])
        assert np.isnan(read.forward[horizon].net[~known]).all()
    for name, predictor in plain.predictors.items():
        assert read.predictors[name].values == pytest.approx(predictor.values)


def test_a_model_is_judged_by_its_own_predictions(client, now):
    made = market(7, 0.12, tokens=10, hours=14)
    store(made, now)
    model = make_model(now)
    predict(made, model, "tx_accel")
    told = {(row["predictor"], row["horizon_min"]): row for row in table(client, "questions")}
    assert told[f"model:{model.pk}", "15"]["rank_correlation"] == told["tx_accel", "15"]["rank_correlation"]
    page = text_of(client.get(f"/evidence/?predictor=model:{model.pk}&horizon=15"))
    assert "boosted 1" in page
    assert "Brier score" in page


def test_what_stage_2_rested_on_is_asked_above(monkeypatch, now):
    token = make_token(now)
    chains = [make_chain(now - timedelta(hours=2, minutes=number), token, sources=("score", "stage2")) for number in range(3)]
    signals = np.array([chain.signals["stage2"].pk for chain in chains])
    tag = Tag("trigger", "breakout", lambda: "breakout", signals[:1])
    monkeypatch.setattr(verdict_rows, "TAGS", [lambda asked: [tag] if set(asked.tolist()) == set(signals.tolist()) else []])
    evidence = verdict_rows.read(now)
    judged = next(sample for sample in evidence.samples if sample.source == "stage2")
    assert sorted(judged.predictors["trigger:breakout"].values.tolist()) == [0, 0, 1]
    assert evidence.labels["trigger:breakout"]() == "breakout"


def test_stage_2_that_says_down_foretells_a_fall(now):
    vector = make_vector(make_chain(now - timedelta(hours=3)).token, now - timedelta(hours=1))
    make_signal(vector, "stage2", direction="down", strength=0.7)
    judged = next(sample for sample in verdict_rows.read(now).samples if sample.source == "stage2")
    assert judged.predictors["stage2"].values.tolist() == [-0.7]


def test_without_anything_the_page_says_when_it_begins(client):
    page = text_of(client.get("/evidence/"))
    assert "Nothing to judge yet" in page
    assert "No outcome can exist before 15 minutes have passed" in page


def test_where_evidence_is_switched_off_the_page_says_so(client):
    ScoringSettings.objects.revise({"evidence_every_min": 0}, None, "off")
    assert "evidence_every_min is 0" in text_of(client.get("/evidence/"))


def test_before_the_first_outcome_the_page_says_when_it_is_due(client, now):
    ts = now - timedelta(minutes=5)
    make_chain(ts)
    page = text_of(client.get("/evidence/"))
    assert "Too early to tell" in page
    assert f"{ts + timedelta(minutes=15):%Y-%m-%d %H:%M}" in page


def test_a_few_outcomes_are_too_few_to_tell(client, now):
    make_chain(now - timedelta(hours=2), settled=(15, 60))
    page = text_of(client.get("/evidence/?horizon=15"))
    assert "Too few to tell." in page
    assert "it takes 100 in 5" in page


def test_outcomes_that_do_not_come_are_told(client, now):
    make_chain(now - timedelta(hours=1))
    page = text_of(client.get("/evidence/"))
    assert "should have been settled by now" in page


def test_signals_that_stopped_coming_are_told(client, now):
    make_chain(now - timedelta(hours=20), settled=(15, 60, 240, 720))
    assert "No signal has been stored since" in text_of(client.get("/evidence/"))


def test_a_day_and_a_revision_can_be_seen_by_themselves(client, now):
    store(market(2, 0.0, tokens=6, hours=30), now)
    days = {row["day"]: int(row["marks"]) for row in table(client, "days", "?horizon=15")}
    day, marks = sorted(days.items())[-2]
    assert [row["day"] for row in table(client, "days", f"?horizon=15&day={day}")] == [day]
    mine = next(row for row in table(client, "questions", f"?day={day}") if row["predictor"] == "score" and row["horizon_min"] == "15")
    assert int(mine["marks"]) == marks
    assert {row["revision"] for row in table(client, "revisions")} == {str(ScoringSettings.objects.get(active=True).pk)}
    assert "no such signal in this view" in text_of(client.get("/evidence/?revision=99999"))


@pytest.mark.parametrize("name", ["questions", "tenths", "picks", "calibration", "days", "revisions"])
def test_every_table_is_also_a_file(client, settings, now, name):
    settings.SIMULATED = True
    store(market(2, 0.0, tokens=6, hours=8), now)
    response = client.get(f"/evidence/{name}.csv?horizon=15")
    head = b"".join(response.streaming_content).decode().splitlines()[0]
    assert f"SIMULATED-{name}-" in response["Content-Disposition"]
    assert "," in head
    assert f'href="{name}.csv' in text_of(client.get("/evidence/?horizon=15"))


def test_a_file_that_is_not_there_is_not_found(client):
    assert client.get("/evidence/passwords.csv").status_code == 404


@pytest.mark.parametrize(
    "query", ["horizon=7", "day=2026-02-31", "revision=x", "horizon=²", "day=%00", "predictor=nothing", "revision=1" + "0" * 30]
)
def test_an_address_that_says_nonsense_is_read_as_nothing_said(client, now, query):
    make_chain(now - timedelta(hours=2), settled=(15,))
    text_of(client.get(f"/evidence/?{query}"))


def test_the_address_is_read_and_written():
    asked = wanted({"predictor": "tx_accel", "horizon": "240", "revision": "12", "day": "2026-11-20"})
    assert asked == Wanted("tx_accel", 240, 12, "2026-11-20")
    assert wanted(dict(pair.split("=") for pair in asked.link()[1:].split("&"))) == asked
    assert (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=asked.view.day)).date().isoformat() == "2026-11-20"


def test_reading_asks_as_often_for_much_as_for_little(now):
    def statements():
        with CaptureQueriesContext(connection) as seen_queries:
            verdict_rows.read(now)
        return len(seen_queries)

    made = market(1, 0.0, tokens=4, hours=4)
    store(made, now)
    few = statements()
    predict(made, make_model(now), "score")
    assert few <= 4
    assert statements() == few + 1


def test_more_than_can_be_read_is_thinned_by_whole_quarters(now, monkeypatch):
    store(market(1, 0.0, tokens=5, hours=30), now)
    whole = verdict_rows.read(now).samples[0]
    monkeypatch.setattr(verdict_rows, "MOST_SIGNALS", 300)
    evidence = verdict_rows.read(now)
    (thinned,) = evidence.samples
    assert evidence.share == 0.5
    assert 200 <= thinned.at.size <= 400
    assert np.bincount(thinned.mark).tolist() == [5] * thinned.marks
    kept = np.isin(whole.at, thinned.at)
    assert thinned.forward[15].gross == pytest.approx(whole.forward[15].gross[kept], nan_ok=True)


def test_a_second_reader_asks_almost_nothing(client, now, django_assert_max_num_queries):
    store(market(2, 0.0, tokens=6, hours=8), now)
    client.get("/evidence/")
    ready.forget()
    with django_assert_max_num_queries(16), CaptureQueriesContext(connection) as asked:
        text_of(client.get("/evidence/"))
    assert not [one for one in asked.captured_queries if "token_scores.components" in one["sql"]]


def test_new_outcomes_are_seen(client, now):
    chain = make_chain(now - timedelta(hours=2))
    assert table(client, "picks", "?horizon=15")[0]["picks"] == "0"
    make_outcome(chain.signals["score"], 15)
    assert verdict_rows.read(now).samples[0].forward[15].state.tolist() == [PRICED]
    assert verdict_report.version()[1] == Outcome.objects.get().pk


def test_the_sentence_is_of_the_clearest_horizon():
    found = questions.family([seen(market(7, 0.12))])
    family = verdict_report.Family([], found)
    assert answer(family, "tx_accel", 720).kind == "yes"
    turned = [questions.replace(one, found=questions.replace(one.found, value=-one.found.value)) for one in found]
    assert answer(verdict_report.Family([], turned), "tx_accel", 60).kind == "reversed"
    assert answer(family, "holder_growth", 60).kind == "no"
    assert answer(family, "nothing", 60).kind == "few"
