"""`./run bench` in a small form: a ratio that falls below its floor by more than 30 % is a failure here too.

Ratios only, by the processor where the work is computing: seconds mean nothing on a machine that does something else as well.
"""

import numpy as np
import pytest
from django.db import connection

from tokens.models import Token
from tothemoon.benches import expiring, listener, polling, replay, scoring, startup, tick
from tothemoon.benches.feed import mint
from tothemoon.benches.lines import FLOOR

SLACK = 0.7


@pytest.mark.measured
@pytest.mark.django_db
def test_a_tick_is_faster_than_the_bulk_methods_and_far_faster_than_save(monkeypatch):
    monkeypatch.setattr(tick, "ROUNDS", 2)
    bulk, saved, *_ = tick.measure(250, connection.vendor)
    fixed = 0.5  # of the floor for 10,000 tokens: what a tick costs whatever its size weighs more with 250
    assert bulk.ratio >= SLACK * fixed * tick.FLOORS[connection.vendor]
    assert saved.ratio >= SLACK * fixed * (tick.TIMES_SAVE[connection.vendor] or tick.FLOORS[connection.vendor])


@pytest.mark.measured
@pytest.mark.django_db(transaction=True)
def test_the_listener_outruns_who_stores_row_by_row(monkeypatch):
    monkeypatch.setattr(listener, "ROUNDS", 1)
    lines = listener.measure(4_000, connection.vendor)
    times = [line for line in lines if line.role == listener.IDIOMATIC]
    assert len(times) == 2
    assert all(line.ratio >= SLACK * listener.TIMES_THE_USUAL for line in times)
    assert not Token.objects.exists()


def test_the_mints_of_the_feed_are_all_different():
    assert len({mint(number) for number in range(10_000)}) == 10_000


def test_all_ways_give_the_same_scores_over_all_that_a_day_has(monkeypatch):
    columns = scoring.market(150, 20)
    scores = scoring.ours(columns, 20)
    scoring.same(scores, scoring.of_polars(scoring.by_polars(scoring.in_polars(columns, 20), scoring.FORMULA, 30.0), 20))
    scoring.same(scores, scoring.of_loop(scoring.by_loop(scoring.as_rows(columns, 20), scoring.FORMULA)))
    monkeypatch.setattr(scoring, "AT_ONCE", 7)  # of 150 ticks
    np.testing.assert_array_equal(scoring.ours(columns, 20), scores)
    with pytest.raises(scoring.Different):
        scoring.same(scores, scores * (1 + 1e-4))


def test_a_day_of_the_bench_has_every_state_but_an_error():
    inputs = scoring.inputs_of(scoring.market(150, 20))
    states = set(scoring.metrics.measure(inputs, 180.0, 1800.0).state.ravel().tolist())
    assert states == set(range(scoring.metrics.ERROR))


def test_sweeps_over_weights_give_the_scores_of_each_candidate():
    counted, smoothed = scoring.smoothed_history(scoring.market(40, 12), 12)
    counted = counted & (np.random.default_rng(3).random(counted.shape) < 0.6)
    weights = np.random.default_rng(5).dirichlet(np.ones(4), 5)
    found = scoring.scores_of(smoothed, counted, weights)
    for each, scores in zip(weights, found, strict=True):
        by = scoring.Formula(scoring.FORMULA.model, each.tolist(), 0.3, 180.0, 1800.0)
        expected = scoring.metrics.add_up(scoring.metrics.weigh(smoothed, counted, by, {}))
        np.testing.assert_allclose(scores, expected, rtol=1e-12)


def test_the_whole_history_of_a_replay_is_scored(monkeypatch, db):
    monkeypatch.setattr(replay, "TICKS", 30)
    monkeypatch.setattr(replay, "ROUNDS", 1)
    promise, loop, _, of_weight = replay.measure(20, connection.vendor)
    assert "0.0006 M snapshots" in promise.what
    assert promise.ours > 0
    assert loop.theirs > 0 < of_weight.ours


@pytest.mark.measured
@pytest.mark.django_db(transaction=True)
def test_polling_keeps_the_rate_and_stays_near_its_limit(monkeypatch):
    monkeypatch.setattr(polling, "ASKED_FOR", 60)
    monkeypatch.setattr(polling, "PART", 3)
    monkeypatch.setattr(polling, "HEADROOM", 0.7)  # a machine that stops for a moment lets requests arrive close together
    lines = {(line.what, line.against): line for line in polling.measure(120, connection.vendor)}
    assert lines["60 tokens, a request each", "limit: arithmetic of 60 requests"].ratio <= polling.MOST_TIMES / SLACK
    assert next(line for (_, against), line in lines.items() if "429" in against and line.role == FLOOR).ours <= 1


@pytest.mark.measured
@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no partitions")
def test_a_day_is_dropped_far_faster_than_its_rows_are_deleted_and_gives_the_disk_back(monkeypatch):
    monkeypatch.setattr(expiring, "ROUNDS", 2)
    faster, disk = expiring.measure(60_000, connection.vendor)
    fixed = 0.5  # of the floor for a million rows: locks and a look for what has to stay cost the same whatever its size
    assert faster.ratio >= SLACK * fixed * expiring.TIMES_DELETE
    assert disk.holds


def test_a_start_is_told_beside_that_of_a_bare_django(monkeypatch):
    monkeypatch.setattr(startup, "ROUNDS", 1)
    monkeypatch.setattr(startup, "at_rest", lambda environment: {"web": 1.0})
    start, bare, python, rest = startup.measure(1, "none")
    assert start.ours == bare.ours > python.theirs > 0
    assert rest.theirs == startup.MOST_MB
