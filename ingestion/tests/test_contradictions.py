import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion import contradictions

SOUND = {"price": 0.001, "liquidity": 5_000.0, "tx_count_5m": 12, "tx_count_1h": 80, "volume_5m": 300.0, "volume_1h": 2_000.0}


def found(before=0.001, since=30.0, **changed):
    figures = {name: np.array([changed.get(name, value)], dtype=float) for name, value in SOUND.items()}
    return contradictions.found_in(figures, np.array([before], dtype=float), np.array([since], dtype=float))[0]


def test_sound_figures_contradict_nothing():
    assert found() == ""


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"volume_5m": 0.0}, "trades_without_volume"),
        ({"volume_1h": 0.0, "volume_5m": 0.0, "tx_count_5m": 0}, "trades_without_volume"),
        ({"tx_count_5m": 0}, "volume_without_trades"),
        ({"tx_count_1h": 0, "tx_count_5m": 0, "volume_5m": 0.0}, "volume_without_trades"),
        ({"liquidity": 0.009, "price": 4_000.0}, "dust_price price_jump"),
        ({"liquidity": 0.0}, "dust_price"),
        ({"liquidity": 99.0, "price": 1.0, "before": 1.0}, "dust_price"),
        ({"tx_count_5m": 81}, "window_5m_over_1h"),
        ({"volume_5m": 2_001.0}, "window_5m_over_1h"),
        ({"price": 0.001 * 10**6}, "price_jump"),
        ({"price": 0.001 / 10**6}, "price_jump"),
    ],
)
def test_figures_that_cannot_all_be_true_are_named(changed, name):
    assert found(**changed) == name


@pytest.mark.parametrize(
    "changed",
    [
        {"volume_5m": 0.0, "tx_count_5m": 0},
        {"liquidity": 100.0, "price": 1.0, "before": 1.0},
        {"tx_count_5m": 80, "volume_5m": 2_000.0},
        {"volume_5m": 2_000.0000001},
        {"price": 0.09},
        {"price": 0.0},
        {"price": 1_000.0, "since": 3_601.0},
        {"price": 1_000.0, "since": math.nan},
        {"price": 1_000.0, "before": math.nan},
        {"price": 1_000.0, "before": 0.0},
    ],
)
def test_what_may_be_true_is_not_flagged(changed):
    assert found(**changed) == ""


def test_what_is_unknown_contradicts_nothing():
    assert found(**dict.fromkeys(SOUND, math.nan)) == ""
    assert found(volume_5m=math.nan) == ""


def test_several_contradictions_stand_side_by_side():
    assert found(volume_5m=0.0, volume_1h=0.0, liquidity=0.0).split() == ["trades_without_volume", "dust_price"]


FIGURE = st.sampled_from([math.nan, 0.0, 0.005, 1.0, 50.0, 1e6, 1e18])


@given(st.lists(st.tuples(*[FIGURE] * 8), min_size=1, max_size=20))
def test_many_at_once_are_as_each_by_itself(rows):
    def names(rows):
        columns = [np.array(column) for column in zip(*rows, strict=True)]
        return contradictions.found_in(dict(zip(SOUND, columns[:6], strict=True)), columns[6], columns[7])

    assert names(rows) == [names([row])[0] for row in rows]
