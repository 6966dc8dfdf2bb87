"""What a read gives becomes what the arithmetic takes: as the plain rule says it, place by place, whatever is missing."""

import math

import numpy as np
import pytest

from scoring import run
from scoring.run import FIGURES, FROM, inputs_of

BEGIN = 1_700_000_000.0
AGO = [0.0, 600.0, 2999.0, 3000.0, 3500.0, 3599.0, 3600.0, 3601.0, 3700.0, 4200.0, 4500.0, 4501.0, 9000.0, -60.0]
HOLDERS = [0.0, 5e-324, 17.0, 100.0, -1.0, np.inf, np.nan]


def columns_of(chance, places):
    """Counts an hour ago at all edges, with every moment and every count missing here and there."""
    ts = BEGIN + np.round(chance.uniform(0, 100, places), 3)
    read_at = np.where(chance.random(places) < 0.3, np.nan, ts - chance.choice([0.0, 7.5, 60.0], places))
    counted_at = np.where(np.isnan(read_at), ts, read_at)
    found = {name: chance.uniform(0, 9, places) for name in FIGURES} | {"ts": ts, "birdeye_at": read_at}
    found["last_trade_at"] = ts - chance.choice([np.nan, 0.0, 31.0], places)
    found["created_at"] = ts - chance.choice([-5.0, 0.0, 5000.0], places)
    for name in ("earlier", "later"):
        found[f"{name}_at"] = np.where(chance.random(places) < 0.2, np.nan, counted_at - chance.choice(AGO, places))
        found[f"{name}_holders"] = chance.choice(HOLDERS, places)
    return found | {"same_source": (chance.random(places) < 0.5) * 1.0}


def an_hour_ago(row):
    """Of the two counts the one nearer to an hour before, the earlier where both are as near; nothing outside of 50 to 75 minutes."""
    counted_at = row["ts"] if math.isnan(row["birdeye_at"]) else row["birdeye_at"]
    known = [(counted_at - row[f"{name}_at"], row[f"{name}_holders"]) for name in ("earlier", "later")]
    known = [(ago, holders) for ago, holders in known if not math.isnan(ago)]
    ago, holders = min(known, key=lambda count: abs(count[0] - 3600), default=(math.nan, math.nan))
    return (holders, ago) if 3000 <= ago <= 4500 else (math.nan, math.nan)


@pytest.mark.parametrize("block", [1000, 65_536])
def test_the_count_of_an_hour_ago_is_what_the_plain_rule_says(monkeypatch, block):
    monkeypatch.setattr(run, "BLOCK", block)
    columns = columns_of(np.random.default_rng(3), 2_500)
    found = inputs_of(columns)
    rows = [dict(zip(FROM, values, strict=True)) for values in zip(*(columns[name].tolist() for name in FROM), strict=True)]
    before, between = np.array([an_hour_ago(row) for row in rows]).T
    assert 500 < np.isnan(between).sum() < 2_000
    np.testing.assert_array_equal(found.holders_before, before)
    np.testing.assert_array_equal(found.holders_before_sec, between)


def test_ages_are_times_before_the_snapshot_and_a_token_is_never_younger_than_new():
    columns = columns_of(np.random.default_rng(4), 300)
    found = inputs_of(columns)
    np.testing.assert_array_equal(found.age_sec, np.maximum(columns["ts"] - columns["created_at"], 0.0))
    np.testing.assert_array_equal(found.birdeye_age_sec, columns["ts"] - columns["birdeye_at"])
    np.testing.assert_array_equal(found.last_trade_age_sec, columns["ts"] - columns["last_trade_at"])
    np.testing.assert_array_equal(found.same_source, columns["same_source"] == 1)
    assert all(getattr(found, name) is columns[name] for name in FIGURES)


def test_what_is_read_is_left_as_it_is_and_may_be_whole_numbers():
    columns = columns_of(np.random.default_rng(5), 400)
    columns["earlier_holders"] = np.arange(400)
    before = {name: column.copy() for name, column in columns.items()}
    as_floats = inputs_of(columns | {"earlier_holders": np.arange(400.0)})
    np.testing.assert_array_equal(inputs_of(columns).holders_before, as_floats.holders_before)
    for name, column in columns.items():
        np.testing.assert_array_equal(column, before[name])


def test_no_rows_are_no_inputs():
    found = inputs_of({name: np.zeros(0) for name in columns_of(np.random.default_rng(6), 1)})
    assert {getattr(found, name).size for name in found.__slots__} == {0}
