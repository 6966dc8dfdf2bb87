import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import metrics
from scoring.metrics import METRICS, ROUNDING, Inputs, measure
from scoring.tests import reference
from scoring.tests.columns import inputs, plain, token, tokens, words

LIMIT, HOLDERS_LIMIT = 180.0, 1800.0


def measured(*rows):
    found = measure(inputs(rows), LIMIT, HOLDERS_LIMIT)
    return [
        dict(zip(METRICS, zip(plain(found.raw[:, place]), words(found.state[:, place]), strict=True), strict=True))
        for place in range(len(rows))
    ]


def reshaped(columns, *shape):
    return type(columns)(**{name: getattr(columns, name).reshape(shape) for name in columns.__slots__})


def one(metric, **known):
    return measured(token(**known))[0][metric]


@given(st.lists(tokens, min_size=1, max_size=8))
def test_every_metric_equals_its_plain_formula(rows):
    for found, row in zip(measured(*rows), rows, strict=True):
        for metric, (value, state) in zip(METRICS, reference.metrics(row, LIMIT, HOLDERS_LIMIT), strict=True):
            assert found[metric][1] == state, metric
            assert found[metric][0] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)), metric


@given(st.integers(0, 2_000_000_000), st.integers(0, 2_000_000_000))
def test_acceleration_lies_between_0_and_12_for_consistent_windows(short, rest):
    long = short + max(rest, 1)
    value, state = one("tx_accel", tx_count_5m=short, tx_count_1h=long)
    assert state == "ok"
    assert 0 <= value <= 12


@given(st.floats(1e-300, 1e18), st.floats(0, 1))
def test_volume_momentum_lies_between_0_and_12_for_consistent_windows(long, share):
    short = long * share
    value, state = one("vol_momentum", volume_5m=short, volume_1h=long)
    assert state == "ok"
    assert 0 <= value <= 12


@pytest.mark.parametrize(("short", "long"), [(101, 100), (5, 1), (2_000_000_000, 1)])
def test_more_in_five_minutes_than_in_their_hour_is_capped_at_12(short, long):
    assert one("tx_accel", tx_count_5m=short, tx_count_1h=long) == (12.0, "capped")
    assert one("vol_momentum", volume_5m=float(short), volume_1h=float(long)) == (12.0, "capped")


def test_all_trades_of_the_hour_in_five_minutes_is_12_and_not_capped():
    found = measured(*[token(tx_count_5m=count, tx_count_1h=count) for count in range(1, 2000)])
    assert {metrics["tx_accel"] for metrics in found} == {(12.0, "ok")}


def test_what_is_above_12_by_rounding_alone_is_not_capped():
    assert one("vol_momentum", volume_5m=100.0 * (1 + ROUNDING), volume_1h=100.0) == (12.0, "ok")
    assert one("vol_momentum", volume_5m=100.0 * (1 + 2 * ROUNDING), volume_1h=100.0) == (12.0, "capped")


def test_a_steady_token_moves_at_pace_1():
    assert one("tx_accel", tx_count_5m=10, tx_count_1h=120) == (1.0, "ok")
    assert one("vol_momentum", volume_5m=1.0, volume_1h=12.0) == (1.0, "ok")


def test_nothing_in_the_hour_is_no_activity_and_not_zero():
    assert one("tx_accel", tx_count_5m=0, tx_count_1h=0) == (None, "no_activity")
    assert one("vol_momentum", volume_5m=0.0, volume_1h=0.0) == (None, "no_activity")
    assert one("orderflow_imbalance", buys_volume_5m=0.0, sells_volume_5m=0.0) == (None, "no_activity")
    assert one("orderflow_imbalance", buys_5m=0, sells_5m=0) == (None, "no_activity")


def test_a_quiet_five_minutes_in_a_busy_hour_is_a_real_zero():
    assert one("tx_accel", tx_count_5m=0, tx_count_1h=60) == (0.0, "ok")


@pytest.mark.parametrize("known", [{}, {"tx_count_5m": 5}, {"tx_count_1h": 5}])
def test_an_unknown_window_is_no_history(known):
    assert one("tx_accel", **known) == (None, "no_history")


@pytest.mark.parametrize(("minutes", "state"), [(49.9, "no_history"), (50, "ok"), (60, "ok"), (75, "ok"), (75.1, "no_history")])
def test_an_hour_ago_is_50_to_75_minutes_ago(minutes, state):
    assert one("holder_growth", holders=110, holders_before=100, holders_before_sec=minutes * 60.0)[1] == state


def test_growth_over_75_minutes_is_scaled_to_60():
    value, _ = one("holder_growth", holders=200, holders_before=100, holders_before_sec=75 * 60.0)
    assert value == pytest.approx(math.log(2) * 60 / 75)


def test_five_percent_more_holders_are_0_049():
    assert one("holder_growth", holders=105, holders_before=100, holders_before_sec=3600.0)[0] == pytest.approx(0.04879, abs=1e-5)


@pytest.mark.parametrize(("now", "before"), [(0, 100), (100, 0), (0, 0)])
def test_growth_from_or_to_nobody_has_no_value(now, before):
    assert one("holder_growth", holders=now, holders_before=before, holders_before_sec=3600.0) == (None, "no_activity")


def test_an_old_holder_count_is_stale():
    known = {"holders": 110, "holders_before": 100, "holders_before_sec": 3600.0}
    assert one("holder_growth", **known, birdeye_age_sec=1801.0) == (None, "stale")
    assert one("holder_growth", **known, birdeye_age_sec=1800.0)[1] == "ok"


def test_old_volumes_give_way_to_fresh_counts_and_say_so():
    fresh = {"buys_volume_5m": 1.0, "sells_volume_5m": 3.0, "birdeye_age_sec": 180.0}
    assert one("orderflow_imbalance", **fresh, buys_5m=3, sells_5m=1) == (-0.5, "ok")
    known = fresh | {"birdeye_age_sec": 181.0}
    assert one("orderflow_imbalance", **known) == (None, "stale")
    assert one("orderflow_imbalance", **known, buys_5m=3, sells_5m=1) == (0.5, "estimated")


def test_one_side_of_the_flow_alone_is_unknown():
    assert one("orderflow_imbalance", buys_volume_5m=5.0) == (None, "no_history")


def test_figures_returned_once_more_are_stale():
    """R17: trades in the last five minutes, and the last trade hours ago, in one and the same answer."""
    known = {"tx_count_5m": 50, "tx_count_1h": 100, "volume_5m": 1.0, "volume_1h": 2.0, "buys_5m": 25, "sells_5m": 25}
    old = measured(token(**known, same_source=True, last_trade_age_sec=7200.0))[0]
    assert [old[name][1] for name in ("tx_accel", "vol_momentum", "orderflow_imbalance")] == ["stale"] * 3
    other_source = measured(token(**known, same_source=False, last_trade_age_sec=7200.0))[0]
    assert other_source["tx_accel"][1] == "ok"
    clock_is_wrong = measured(token(**known, same_source=True, last_trade_age_sec=40 * 86_400.0))[0]  # no answer is kept that long
    assert [clock_is_wrong[name][1] for name in ("tx_accel", "vol_momentum", "orderflow_imbalance")] == ["ok", "ok", "estimated"]


POISON = [-1.0, float("-inf"), float("inf"), 1e300, 1.7e308]


@pytest.mark.parametrize("value", POISON)
@pytest.mark.parametrize("name", ["tx_count_5m", "tx_count_1h", "volume_5m", "volume_1h", "holders", "holders_before", "buys_5m"])
def test_an_impossible_input_is_an_error_of_its_metric_only(name, value):
    sound = {"tx_count_5m": 5, "tx_count_1h": 100, "volume_5m": 1.0, "volume_1h": 20.0, "buys_5m": 2, "sells_5m": 2}
    sound |= {"holders": 110, "holders_before": 100, "holders_before_sec": 3600.0}
    found = measured(token(**sound | {name: value}))[0]
    assert sorted(state for _, state in found.values()) in (["error", "estimated", "ok", "ok"], ["error", "ok", "ok", "ok"])
    assert all(value is None or math.isfinite(value) for value, _ in found.values())


def test_a_whole_history_gives_the_same_as_tick_by_tick():
    rows = [token(tx_count_5m=k % 7, tx_count_1h=60 + k, holders=k, holders_before=50, holders_before_sec=3500.0) for k in range(60)]
    together = measure(reshaped(inputs(rows), 6, 10), LIMIT, HOLDERS_LIMIT)
    for at in range(6):
        alone = measure(inputs(rows[at * 10 : at * 10 + 10]), LIMIT, HOLDERS_LIMIT)
        np.testing.assert_array_equal(together.raw[:, at], alone.raw)
        np.testing.assert_array_equal(together.state[:, at], alone.state)


@pytest.mark.parametrize("block", [7, 10, 59])
def test_a_history_longer_than_a_block_gives_the_same_as_a_short_one(monkeypatch, block):
    rows = [token(tx_count_5m=k % 7, tx_count_1h=60 + k, volume_5m=float(k), volume_1h=k * 4.0, holders=k) for k in range(60)]
    shaped = reshaped(inputs(rows), 6, 10)
    whole = measure(shaped, LIMIT, HOLDERS_LIMIT)
    monkeypatch.setattr("scoring.metrics.BLOCK", block)
    sizes, of_a_block = [], metrics._measure
    monkeypatch.setattr(
        "scoring.metrics._measure", lambda inputs, *limits: sizes.append(inputs.liquidity.size) or of_a_block(inputs, *limits)
    )
    in_blocks = measure(shaped, LIMIT, HOLDERS_LIMIT)
    assert sizes == [block] * (60 // block) + [60 % block] * (60 % block > 0)
    np.testing.assert_array_equal(in_blocks.raw, whole.raw)
    np.testing.assert_array_equal(in_blocks.state, whole.state)
    assert in_blocks.state.dtype == whole.state.dtype == np.int8


EDGES = [np.nan, -np.inf, -1.0, -0.0, 0.0, 5e-324, 1.0, 12.0, np.nextafter(12, 13), 300.0, 1e18, np.nextafter(1e18, 2e18), np.inf]
OF_TIME = [np.nan, -1.0, 0.0, 180.0, 181.0, 481.0, 1800.0, 1801.0, 2999.0, 3000.0, 3600.0, 4500.0, 4501.0, 86_400.0, 90_000.0]


def test_what_is_plainly_so_is_what_asking_for_everything_gives(monkeypatch):
    """To the last bit, over all that figures and times can be at their edges."""
    chance, places = np.random.default_rng(11), 16_000
    figures = {name: chance.choice([*EDGES, *chance.uniform(1, 400, 30)], places) for name in Inputs.__slots__}
    times = {name: chance.choice([*OF_TIME, *[60.0, 3500.0] * 15], places) for name in Inputs.__slots__ if name.endswith("_sec")}
    columns = Inputs(**figures | times | {"same_source": chance.random(places) < 0.5})
    found, formulas, plain = measure(columns, LIMIT, HOLDERS_LIMIT), metrics._formulas, []
    monkeypatch.setattr(metrics, "_formulas", lambda *given: [plain.append(flags.sum()) or flags & False for flags in formulas(*given)])
    asked = measure(columns, LIMIT, HOLDERS_LIMIT)
    assert min(plain) > 500
    np.testing.assert_array_equal(found.state, asked.state)
    np.testing.assert_array_equal(found.raw.view(np.int64), asked.raw.view(np.int64))
