"""How each score came about, as the text that is stored with it."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import components
from scoring.components import as_texts
from scoring.metrics import METRICS, STATES, Memory, score_tick
from scoring.tests.columns import formula, inputs, plain, token, tokens

WEIGHTS = (0.4, 0.3, 0.2, 0.1)
BUSY = {"tx_count_5m": 10, "tx_count_1h": 60, "volume_5m": 2.5, "volume_1h": 60.0}
HELD = {"holders": 110, "holders_before": 100, "holders_before_sec": 3540.0, "birdeye_age_sec": 12.5}


def told(rows, model="hybrid_momentum"):
    """The documents of one tick, as a reader finds them, and what they were made from."""
    columns, found = inputs(rows), formula(model, WEIGHTS)
    scored = score_tick(columns, Memory.empty(len(rows)), np.full(len(rows), np.nan), np.full(len(rows), 30.0), found)
    return [json.loads(text) for text in as_texts(columns, scored, found)], scored


@given(st.lists(tokens, min_size=1, max_size=5), st.sampled_from(["hybrid_momentum", "hybrid_momentum_fair"]))
def test_every_number_of_a_score_is_read_back_as_it_was(rows, model):
    documents, scored = told(rows, model)
    for at, document in enumerate(documents):
        kept = {"raw": scored.measured.raw, "smoothed": scored.memory.value, "contribution": scored.contributions}
        for name, numbers in (kept | {"age_sec": scored.memory.age_sec}).items():
            assert [document[metric][name] for metric in METRICS] == plain(numbers[:, at])
        assert [document[metric]["state"] for metric in METRICS] == [STATES[code] for code in scored.measured.state[:, at]]
        assert [document[metric]["weight"] for metric in METRICS] == list(WEIGHTS)
        assert {name: plain(column)[at] for name, column in scored.factors.items()} == document.get("factors", {})


@given(st.lists(st.floats() | st.sampled_from([1e-7, 1e16, 1e-5, 5e-324, 1.7976931348623157e308, -0.0, 123456789012345680.0]), min_size=1))
def test_a_number_of_any_size_is_read_back_as_it_was(numbers):
    state = np.arange(len(numbers)) % len(STATES)
    texts = components._fill('{"a":%s,"b":"%s","c":%s}', [np.array(numbers), state.astype(np.float64), np.array(numbers)], [1])
    for text, number, code in zip(texts, numbers, state, strict=True):
        kept = number if math.isfinite(number) else None
        assert json.loads(text) == {"a": kept, "b": STATES[code], "c": kept}


def test_a_metric_stands_with_what_it_was_made_from():
    (document,), _ = told([token(**BUSY, **HELD, buys_volume_5m=3.0, sells_volume_5m=1.0)])
    assert document["tx_accel"]["inputs"] == {"tx_count_5m": 10, "tx_count_1h": 60}
    assert document["vol_momentum"]["inputs"] == {"volume_5m": 2.5, "volume_1h": 60}
    held = {"holders": 110, "holders_before": 100, "minutes_between": 59, "reading_age_sec": 12.5}
    assert document["holder_growth"]["inputs"] == held
    assert document["orderflow_imbalance"]["inputs"] == {"buys": 3, "sells": 1, "reading_age_sec": 12.5}


def test_minutes_between_two_counts_are_told_to_the_thousandth():
    (document,), _ = told([token(**HELD | {"holders_before_sec": 3541.27})])
    assert document["holder_growth"]["inputs"]["minutes_between"] == 59.021


def test_flow_from_counts_is_told_with_the_counts_and_they_are_as_old_as_the_snapshot():
    old = {"buys_volume_5m": 3.0, "sells_volume_5m": 1.0, "birdeye_age_sec": 200.0}
    (document,), _ = told([token(**old, buys_5m=3, sells_5m=2)])
    assert document["orderflow_imbalance"]["inputs"] == {"buys": 3, "sells": 2, "reading_age_sec": 0}
    assert document["orderflow_imbalance"]["state"] == "estimated"


def test_a_flow_whose_bought_volume_alone_is_unknown_is_told_with_the_counts():
    (document,), _ = told([token(sells_volume_5m=1.0, birdeye_age_sec=20.0, buys_5m=3, sells_5m=2)])
    assert document["orderflow_imbalance"]["inputs"] == {"buys": 3, "sells": 2, "reading_age_sec": 0}


def test_whole_numbers_stand_without_a_point_the_last_one_too():
    (text,) = components._fill('{"a":%s,"b":"%s","c":%s}', [np.array([3.0]), np.array([0.0]), np.array([5.0])], [1])
    assert text == '{"a":3,"b":"ok","c":5}'


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_what_is_no_number_is_null_for_every_reader(value):
    (document,), _ = told([token(volume_5m=value, volume_1h=1.0)])
    assert document["vol_momentum"]["inputs"] == {"volume_5m": None, "volume_1h": 1}


def test_where_the_parts_are_smoothed_they_stand_beside_the_metrics_they_are_made_from():
    (document,), scored = told([token(**BUSY)], "hybrid_momentum_fair")
    assert [document[metric]["part"] for metric in METRICS] == plain(scored.parts[:, 0])
    (document,), _ = told([token(**BUSY)])
    assert "part" not in document["tx_accel"]
